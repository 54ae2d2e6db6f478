//! The way to Gitea: one origin, one client, one credential, no redirects.
//!
//! What may be sent is decided in `aegis_custody::egress`; this sends it, bounds the answer in time and bytes
//! and tells the ticket what was sent and answered. A write that was started is finished even when the guest
//! that began it is gone.

use std::sync::Arc;
use std::time::Duration;

use aegis_custody::egress::{Method, Refused, target};
use bytes::{Buf as _, Bytes};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::component::bindings::aegis::gateway::gitea::{Failure, Head};
use crate::https::HttpsClient;
use crate::settings::Secret;
use crate::shared::Shared;
use crate::ticket::{Record, Unfit};

/// Headers of Gitea's answers that guests may see.
const VISIBLE: &[&str] =
    &["content-length", "content-type", "link", "location", "retry-after", "x-hasmore", "x-total-count"];

/// The client, the origin and the credential.
pub(crate) struct Gitea {
    client: HttpsClient,
    /// `http(s)://host[:port][/sub/path]/api/v1`
    base: String,
    authorization: HeaderValue,
    timeout: Duration,
    writes_enabled: bool,
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
}

/// Why the way to Gitea cannot be made at start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWay {
    /// The system's trust store is needed for https and cannot be read.
    #[error(
        "GITEA_URL is https and the system's certificates cannot be read: {0}; install ca-certificates or set SSL_CERT_FILE"
    )]
    Certificates(std::io::Error),
    /// The token cannot stand in a header.
    #[error("GITEA_TOKEN holds characters that cannot be sent; copy it again")]
    Token,
}

impl Gitea {
    /// For an origin (checked by the settings) and a personal access token.
    ///
    /// # Errors
    /// See [`NoWay`].
    pub(crate) fn new(
        url: &str,
        token: &Secret,
        timeout: Duration,
        writes_enabled: bool,
    ) -> Result<Self, NoWay> {
        let client = crate::https::client(url, timeout).map_err(NoWay::Certificates)?;
        let mut authorization =
            HeaderValue::from_str(&format!("token {}", token.expose())).map_err(|_| NoWay::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            client,
            base: format!("{}/api/v1", url.trim_end_matches('/')),
            authorization,
            timeout,
            writes_enabled,
        })
    }

    /// Begin a request on a ticket.
    ///
    /// # Errors
    /// The request is not one that is sent, or not what the ticket is for.
    pub(crate) fn start(
        &self,
        record: &Arc<Record>,
        asked: Asked,
        shared: &Shared,
    ) -> Result<Exchange, NotSent> {
        let Asked { method, template, segments, query, body, accept, max_bytes } = asked;
        let path = target(method, &template, &segments, &query, self.writes_enabled)?;
        let uri: Uri = format!("{}{path}", self.base).parse().map_err(|_| Refused::Mismatch)?;
        let mut request = http::Request::builder()
            .method(method.as_str())
            .uri(uri)
            .header(ACCEPT, accept)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, concat!("aegis-mcp/", env!("CARGO_PKG_VERSION")))
            .header("x-request-id", record.id.as_str());
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(body.unwrap_or_default())).map_err(|_| Refused::Mismatch)?;

        let is_write = method != Method::Get;
        let place = record.call(method.as_str(), &template, path.split('?').next().unwrap_or_default())?;
        let under_way = is_write.then(|| (record.write_under_way(), shared.pending.guard()));
        let ticket = record.clone();
        let record = record.clone();
        let sending = self.client.request(request);
        let deadline = Instant::now() + self.timeout;
        let task = shared.runtime.spawn(async move {
            let _under_way = under_way;
            let response = match tokio::time::timeout_at(deadline, sending).await {
                Err(_) => return Err(Failure::TimedOut),
                Ok(Err(error)) => return Err(unreachable(&error)),
                Ok(Ok(response)) => response,
            };
            record.answered(place, response.status().as_u16());
            Ok(response)
        });
        let budget = max_bytes;
        Ok(Exchange {
            state: Progress::Waiting(task),
            ticket,
            is_write,
            deadline,
            budget,
            rest: Bytes::new(),
        })
    }
}

/// An error of the client without its URL: the path may hold what should not be logged twice.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Failure {
    let text = crate::https::reason(error);
    if error.is_connect() { Failure::Unreachable(text) } else { Failure::Broken(text) }
}

/// A request under way, as a guest holds it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Exchange {
    state: Progress,
    /// Nothing is read once it is closed: the outcome then on record would not be the whole story.
    ticket: Arc<Record>,
    is_write: bool,
    deadline: Instant,
    budget: u64,
    rest: Bytes,
}

enum Progress {
    Waiting(JoinHandle<Result<http::Response<Incoming>, Failure>>),
    Reading(Head, Incoming),
    Failed(Failure),
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A read nobody waits for is cancelled; a write goes on in its task and reports to the ticket.
        if let (Progress::Waiting(task), false) = (&self.state, self.is_write) {
            task.abort();
        }
    }
}

impl Exchange {
    /// Status and visible headers, when they are there.
    pub(crate) async fn head(&mut self) -> Result<Head, Failure> {
        self.arrived().await.map(|(head, _)| head.clone())
    }

    /// Wait for the head; then it and the body are here.
    async fn arrived(&mut self) -> Result<(&Head, &mut Incoming), Failure> {
        if !self.ticket.is_open() {
            return Err(Failure::TicketClosed);
        }
        if let Progress::Waiting(task) = &mut self.state {
            self.state = match task.await {
                Ok(Ok(response)) => {
                    let (parts, body) = response.into_parts();
                    Progress::Reading(visible(&parts), body)
                }
                Ok(Err(failure)) => Progress::Failed(failure),
                Err(_) => Progress::Failed(Failure::Broken("the request was cancelled".to_owned())),
            };
        }
        match &mut self.state {
            Progress::Reading(head, body) => Ok((head, body)),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::Broken("the request was cancelled".to_owned())),
        }
    }

    /// The next piece of the body, at most `most` bytes; empty at the end.
    pub(crate) async fn read(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        while self.rest.is_empty() {
            let deadline = self.deadline;
            let (_, body) = self.arrived().await?;
            let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
                Err(_) => return self.fail(Failure::TimedOut),
                Ok(None) => return Ok(Vec::new()),
                Ok(Some(Err(error))) => return self.fail(Failure::Broken(error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                match self.budget.checked_sub(data.len() as u64) {
                    Some(left) => self.budget = left,
                    None => return self.fail(Failure::TooLarge),
                }
                self.rest = data;
            }
        }
        let piece = self.rest.slice(..most.min(self.rest.len()));
        self.rest.advance(piece.len());
        Ok(piece.to_vec())
    }

    fn fail<T>(&mut self, failure: Failure) -> Result<T, Failure> {
        self.state = Progress::Failed(failure.clone());
        Err(failure)
    }
}

fn visible(parts: &http::response::Parts) -> Head {
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| VISIBLE.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    Head { status: parts.status.as_u16(), headers }
}
