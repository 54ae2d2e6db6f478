//! The way to Gitea: one origin, one client, no redirects.
//!
//! What may be sent is decided in `aegis_custody::egress`, on whose authority in [`authority`]; this sends it, bounds
//! the answer in time and bytes and tells the ticket what was sent and answered. A write that was started is finished
//! even when the guest that began it is gone. A read that failed in passing is sent again ([`again`]). The connection
//! itself, and leaving alone a Gitea that has none to give, is [`crate::way`]'s.

mod again;
mod authority;
mod exchange;
mod kept_out;
mod leaving;
mod permission;
mod scrub;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aegis_custody::egress::{Method, Question, Refused, target};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::Instant;

use again::{Ended, Tries, unanswered};
use authority::{Authority, Whose};
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use exchange::Exchange;
use exchange::Progress;
use kept_out::Arrived;
use scrub::Scrub;
use told::note;

use crate::component::bindings::aegis::gateway::gitea::Failure;
use crate::settings::Settings;
use crate::shared::{Shared, SystemRandom};
use crate::standing::Held;
use crate::ticket::{Record, Unfit};
use crate::trace::Open;
use crate::way::{LEFT_ALONE, Lost, Way};
use crate::writes::Writes;

/// The way, the origin and the service account.
pub(crate) struct Gitea {
    way: Arc<Way>,
    /// `http(s)://host[:port][/sub/path]/api/v1`
    base: String,
    /// `GITEA_TOKEN`.
    service: Option<HeaderValue>,
    /// `GITEA_TOKEN_SUDO`.
    sudo: bool,
    /// What people may do, as the service account was told.
    answers: permission::Answers,
    /// Reads that were sent again.
    repeated: AtomicU64,
    timeout: Duration,
    writes: Arc<Writes>,
}

/// A request ready to be sent, but for whose it is.
struct Wire {
    method: Method,
    template: String,
    /// Below `/api/v1`, with its query.
    target: String,
    /// Without it.
    path: String,
    accept: &'static str,
    body: Option<Bytes>,
    is_write: bool,
    /// What to ask about a person before a service account sends it for them. None: it never does.
    questions: Vec<Question>,
}

/// A request as the guest asked for it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) template: String,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) accept: &'static str,
    pub(crate) max_bytes: u64,
}

/// Why a request is not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    /// Nobody may send it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It is not what the ticket is for.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// A secret of this server stands in it.
    #[error("{}", leaving::OWN_SECRET)]
    OwnSecret,
    /// It is a change, and an operator has turned writes off.
    #[error("{TURNED_OFF}")]
    TurnedOff,
}

/// Said where a request saw writes on and they were turned off before its change was sent.
const TURNED_OFF: &str = "the operator has turned writes off for now";

/// The token cannot stand in a header.
#[derive(Debug, thiserror::Error)]
#[error("GITEA_TOKEN holds characters that cannot be sent; copy it again")]
pub(crate) struct NoToken;

impl Wire {
    /// As the guest asked for it. `changes` is what the ticket says of the call as a whole.
    fn of(asked: Asked, writes_enabled: bool, changes: bool) -> Result<Self, Refused> {
        let Asked { method, template, segments, query, body, accept, max_bytes: _ } = asked;
        let target = target(method, &template, &segments, &query, writes_enabled)?;
        let questions = Question::of(method, &template, &segments, &query, changes)?;
        let path = path_of(&target);
        let is_write = method != Method::Get;
        let body = body.map(Bytes::from);
        Ok(Self { method, template, target, path, accept, body, is_write, questions })
    }

    /// A read of our own.
    fn ours(template: &str, target: Result<String, Refused>) -> Result<Self, Failure> {
        let target = target.map_err(|refused| Failure::Refused(refused.to_string()))?;
        Ok(Self {
            method: Method::Get,
            template: template.to_owned(),
            path: path_of(&target),
            target,
            accept: "application/json",
            body: None,
            is_write: false,
            questions: Vec::new(),
        })
    }
}

fn path_of(target: &str) -> String {
    target.split('?').next().unwrap_or_default().to_owned()
}

impl Gitea {
    /// For an origin (checked by the settings), the way there, and what the settings say of a service account.
    ///
    /// # Errors
    /// See [`NoToken`].
    pub(crate) fn new(
        url: &str,
        way: Arc<Way>,
        settings: &Settings,
        writes: Arc<Writes>,
    ) -> Result<Self, NoToken> {
        let timeout = Duration::from_secs(settings.request_timeout_seconds());
        let service = settings.gitea_token().map(|token| {
            let mut header =
                HeaderValue::from_str(&format!("token {}", token.expose())).map_err(|_| NoToken)?;
            header.set_sensitive(true);
            Ok(header)
        });
        Ok(Self {
            way,
            base: format!("{}/api/v1", url.trim_end_matches('/')),
            service: service.transpose()?,
            sudo: settings.gitea_token_sudo(),
            answers: permission::Answers::new(Duration::from_secs(settings.repo_authz_cache_ttl_seconds())),
            repeated: AtomicU64::new(0),
            timeout,
            writes,
        })
    }

    fn service(&self) -> Option<HeaderValue> {
        self.service.clone()
    }

    /// Begin a request on a ticket.
    ///
    /// # Errors
    /// The request is not one that is sent, or not what the ticket is for.
    pub(crate) fn start(
        &self,
        record: &Arc<Record>,
        asked: Asked,
        shared: &Arc<Shared>,
    ) -> Result<Exchange, NotSent> {
        let budget = asked.max_bytes;
        if asked.method != Method::Get && self.writes.are_configured() && !self.writes.are_on() {
            return Err(NotSent::TurnedOff);
        }
        leaving::check(shared, record, &asked)?;
        let wire = Wire::of(asked, self.writes.are_on(), record.writes())?;
        let is_write = wire.is_write;
        let deadline = Instant::now() + self.timeout;
        if let Some(why) = self.kept_back(shared) {
            // Not even noted: the outcome lists what was tried.
            return Ok(Exchange::new(Progress::Failed(why), record.clone(), is_write, deadline, budget));
        }
        let place = record.call(wire.method.as_str(), &wire.template, &wire.path)?;
        let under_way = is_write.then(|| (record.write_under_way(), shared.pending.guard()));
        let (ticket, all) = (record.clone(), shared.clone());
        let task = shared.runtime.spawn(async move {
            let _under_way = under_way;
            let sent = all.gitea.send(&all, &ticket, &wire, place);
            tokio::time::timeout_at(deadline, sent).await.unwrap_or(Err(Failure::TimedOut))
        });
        Ok(Exchange::new(Progress::Waiting(task), record.clone(), is_write, deadline, budget))
    }

    /// Why nothing is sent now, if so.
    fn kept_back(&self, shared: &Shared) -> Option<Failure> {
        match shared.look.standing.held() {
            Some(held @ Held::NotSeen) => return Some(Failure::Unreachable(held.to_string())),
            Some(held @ (Held::TooOld | Held::Unfit)) => return Some(Failure::Refused(held.to_string())),
            None => {}
        }
        self.way.breaker.holds().then(|| {
            self.way.breaker.kept_one_back();
            left_alone()
        })
    }

    /// Send it on the right authority. An access token that Gitea does not take any more is renewed, once: it refuses
    /// one before it does anything, so a change may be sent again after that. Somebody whom Gitea keeps out has
    /// signed out by that, whatever their token says.
    async fn send(
        &self,
        shared: &Shared,
        record: &Record,
        wire: &Wire,
        place: usize,
    ) -> Result<Arrived, Failure> {
        let authority = self.authority(shared, record, wire).await?;
        let whose = authority.whose;
        leaving::check_again(shared, record, wire, &authority.header, place)?;
        let scrub = Scrub::of(&authority.header);
        let response = self.dispatch(record, wire, authority, place).await?;
        let arrived = match whose {
            Whose::Account => return Ok(Arrived::of(response, scrub)),
            Whose::Presented | Whose::Grant(_) => Arrived::looked_into(response, scrub).await?,
        };
        if arrived.status() != StatusCode::UNAUTHORIZED {
            return self.unless_kept_out(shared, record, whose, arrived).await;
        }
        let Whose::Grant(revision) = whose else { return Err(Failure::SignedOut) };
        let renewed = self.own(shared, record.principal(), Some(revision)).await?;
        let place = record
            .call(wire.method.as_str(), &wire.template, &wire.path)
            .map_err(|unfit| Failure::Refused(unfit.to_string()))?;
        let newest = renewed.whose;
        leaving::check_again(shared, record, wire, &renewed.header, place)?;
        let scrub = Scrub::of(&renewed.header);
        let response = self.dispatch(record, wire, renewed, place).await?;
        let arrived = Arrived::looked_into(response, scrub).await?;
        self.unless_kept_out(shared, record, newest, arrived).await
    }

    /// An answer on somebody's own authority, unless it says that Gitea does not let them in any more: the last try
    /// was refused, or the user is.
    async fn unless_kept_out(
        &self,
        shared: &Shared,
        record: &Record,
        whose: Whose,
        arrived: Arrived,
    ) -> Result<Arrived, Failure> {
        if arrived.status() != StatusCode::UNAUTHORIZED && !arrived.keeps_out() {
            return Ok(arrived);
        }
        shared.sign_out(record.principal(), whose.revision()).await;
        Err(Failure::SignedOut)
    }

    /// Send it, and send it again where that may help. Each attempt is a call of the ticket.
    async fn dispatch(
        &self,
        record: &Record,
        wire: &Wire,
        authority: Authority,
        mut place: usize,
    ) -> Result<http::Response<Incoming>, Failure> {
        // The last moment before it leaves: whoever turns writes off now has turned this one off too.
        let _on_its_way = match wire.is_write {
            true => Some(self.writes.begin().ok_or_else(|| Failure::Refused(TURNED_OFF.to_owned()))?),
            false => None,
        };
        let began = Instant::now();
        let mut tries = Tries::new(wire.is_write, self.timeout, &SystemRandom);
        loop {
            let mut traced = record.traced(wire.method.as_str(), &wire.template);
            let request = self.request(record, wire, &authority, &traced)?;
            let sent = match self.way.send(request).await {
                Ok(response) => Ok(response),
                Err(Lost::Failed(error)) => Err(error),
                Err(Lost::LeftAlone) => {
                    traced.fail("left_alone");
                    return Err(left_alone());
                }
            };
            note(&mut traced, &sent);
            drop(traced);
            let ended = match &sent {
                Ok(response) => Ended::Answered(response.status(), response.headers()),
                Err(error) => unanswered(error),
            };
            if let Ok(response) = &sent {
                record.answered(place, response.status().as_u16());
            }
            let pause = tries.pause(&ended, began.elapsed());
            // What would be kept back is not noted either: the outcome lists what was tried.
            let pause = pause.filter(|_| !self.way.breaker.holds());
            let again = || record.again(wire.method.as_str(), &wire.template);
            let next = pause.and_then(|pause| Some((pause, again()?)));
            let Some((pause, next)) = next else {
                return sent.map_err(|error| unreachable(&error));
            };
            drop(sent);
            place = next;
            self.repeated.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
    }

    fn request(
        &self,
        record: &Record,
        wire: &Wire,
        authority: &Authority,
        traced: &Open,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let uri: Uri = format!("{}{}", self.base, wire.target)
            .parse()
            .map_err(|_| Failure::Refused("no URI".to_owned()))?;
        let mut request = http::Request::builder()
            .method(wire.method.as_str())
            .uri(uri)
            .header(ACCEPT, wire.accept)
            .header(AUTHORIZATION, &authority.header)
            .header(USER_AGENT, concat!("aegis-mcp/", env!("CARGO_PKG_VERSION")))
            .header("x-request-id", record.id.as_str());
        if let Some(login) = &authority.sudo {
            request = request.header("sudo", login);
        }
        for (name, value) in traced.sent_on().into_iter().flatten() {
            request = request.header(name, value);
        }
        if wire.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::from(wire.body.clone().unwrap_or_default());
        request.body(body).map_err(|_| Failure::Refused("no request".to_owned()))
    }

    /// A read of our own on the same ticket: status and JSON, null where there is none.
    async fn ask(
        &self,
        record: &Record,
        wire: &Wire,
        header: HeaderValue,
        sudo: Option<HeaderValue>,
        most: usize,
    ) -> Result<(StatusCode, Value), Failure> {
        let place = record
            .call(wire.method.as_str(), &wire.template, &wire.path)
            .map_err(|unfit| Failure::Refused(unfit.to_string()))?;
        let authority = Authority { header, sudo, whose: Whose::Account };
        let response = self.dispatch(record, wire, authority, place).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| Failure::Broken(error.to_string()))?.to_bytes();
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}

/// An error of the client without its URL: the path may hold what should not be logged twice.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Failure {
    let text = crate::https::reason(error);
    if error.is_connect() { Failure::Unreachable(text) } else { Failure::Broken(text) }
}

fn left_alone() -> Failure {
    Failure::Unreachable(LEFT_ALONE.to_owned())
}
