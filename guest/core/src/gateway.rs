//! One HTTP request in, one answer out.
//!
//! The order is fixed: name the route, read the settings, check where the request claims to come from, prove
//! the caller, and only then look at what is asked for. Everything refused on the way is a [`Refusal`], which
//! has one name, one status and one audit line. This module must not decide what a tool may do, and must not
//! read forwarded headers: links, names and origins come from the settings alone.

mod automatic;
mod direct;
mod dress;
mod media;
mod refusal;
mod route;
mod sign_in;
mod site;
mod streams;
#[cfg(test)]
mod tests;

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::admission;
use crate::mcp::{self, Post, call::Session};
use crate::oauth::challenge::SignIn;
use crate::oauth::notice::Notice;
use crate::offer::Offer;
use crate::ports::{Caller, Claims, Level, Ports};
use crate::selection::{self, Selection};
use crate::settings::Config;
use dress::{Dress, Dressed};
use media::Body;
use route::{Reader, Route, Step};

pub use crate::mcp::stream::{Gone, Outgoing};
pub use refusal::{Envelope, Refusal};

/// The product behind one instance of the world.
pub struct Gateway<'a> {
    /// What the world offers.
    pub ports: Ports<'a>,
    /// What there is.
    pub offer: &'a Offer,
    /// The product's version.
    pub version: &'static str,
}

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// Send this.
    Whole(Response<Vec<u8>>),
    /// `Outgoing` has carried it already.
    Streamed,
}

/// Answers one request. `out` is used only for answers that are sent in pieces.
#[expect(clippy::needless_pass_by_value, reason = "a request is answered once, and is gone with its answer")]
pub fn handle(gateway: &Gateway<'_>, request: Request<Vec<u8>>, out: &mut dyn Outgoing) -> Answer {
    let config = Config::load(gateway.ports.settings);
    let route = Route::of(request.uri().path(), config.as_ref().is_ok_and(|config| config.oauth_mode));
    gateway.ports.telemetry.route(route.template());
    let mut dress = Dress::default();
    let (outcome, envelope, sign_in) = match &config {
        Ok(config) => {
            let visit = Visit { gateway, config, request: &request, route };
            (answer(&visit, &mut dress, out), visit.envelope(), visit.sign_in())
        }
        Err(invalid) => {
            let direct = Envelope::Direct { correlation_id: request_id(&request) };
            let envelope = if route.reader() == Reader::Direct { direct } else { Envelope::Plain };
            (Err(Refusal::Misconfigured(invalid.clone())), envelope, None)
        }
    };
    match outcome {
        Ok(Some(response)) => Answer::Whole(dress.put_on(response)),
        Ok(None) => Answer::Streamed,
        Err(refusal) => {
            record(&gateway.ports, &refusal);
            Answer::Whole(dress.put_on(refusal.response(&envelope, sign_in)))
        }
    }
}

/// The host sets one on every request; a world that does not still gets an answer.
fn request_id(request: &Request<Vec<u8>>) -> &str {
    request.headers().get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("unknown")
}

/// The way of a request. None where `out` has carried the answer.
fn answer(
    visit: &Visit<'_>,
    dress: &mut Dress,
    out: &mut dyn Outgoing,
) -> Result<Option<Response<Vec<u8>>>, Refusal> {
    let Visit { gateway, config, request, route } = *visit;
    visit.or_a_stranger(site::host(config, request.uri()))?;
    visit.origin(dress)?;
    visit.or_a_stranger(site::credential_in_query(request.uri()))?;

    match (route, request.method()) {
        (Route::Root, &Method::GET | &Method::HEAD) => visit.public(&describe(gateway, config)),
        (Route::Tools, &Method::GET | &Method::HEAD) => visit.public(&tools(gateway)),
        (Route::Root | Route::Tools | Route::Mcp(_) | Route::DirectCall, &Method::OPTIONS) => {
            visit.preflight(dress).map(Some)
        }
        (Route::Mcp(_), &Method::POST) => Ok(visit.mcp(dress, out)?.map(|answer| visit.guide(answer))),
        (Route::Mcp(path), &Method::GET) => streams::open(visit, path, dress, out),
        (Route::DirectCall, &Method::POST) => visit.direct_call().map(|answer| Some(visit.guide(answer))),
        (Route::Webhook | Route::RunJob, _) => automatic::answer(visit).map(Some),
        (Route::SignIn(step), _) => sign_in::answer(visit, step, dress).map(Some),
        // A client that only looks whether this is an MCP endpoint learns first that it has to sign in.
        (Route::Mcp(_) | Route::DirectCall, _) => {
            visit.caller()?;
            Err(Refusal::MethodNotAllowed(route.allow()))
        }
        (Route::Root | Route::Tools, _) => visit.or_a_stranger(Err(Refusal::MethodNotAllowed(route.allow()))),
        (Route::Other, _) => visit.or_a_stranger(Err(Refusal::NoSuchPath)),
    }
}

/// A request on its way.
#[derive(Clone, Copy)]
struct Visit<'a> {
    gateway: &'a Gateway<'a>,
    config: &'a Config,
    request: &'a Request<Vec<u8>>,
    route: Route,
}

impl<'a> Visit<'a> {
    /// Counts a refusal before anybody is proved against the source address, so that refusals cost something.
    fn or_a_stranger<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        if outcome.is_err() {
            admission::stranger(&self.gateway.ports, self.config)?;
        }
        outcome
    }

    fn public(&self, document: &Value) -> Result<Option<Response<Vec<u8>>>, Refusal> {
        admission::stranger(&self.gateway.ports, self.config)?;
        Ok(Some(media::json(document)))
    }

    /// Which pages may use this route. Public documents are for every page. A page for people is no page's to
    /// read, and looks for itself at where an approval comes from.
    fn origin(&self, dress: &mut Dress) -> Result<(), Refusal> {
        match self.route {
            Route::SignIn(Step::ResourceMetadata(_) | Step::ServerMetadata(_)) => dress.allow_all(),
            Route::SignIn(Step::Authorize(_) | Step::Callback) => {}
            Route::SignIn(Step::Register(_) | Step::Token(_) | Step::Revoke)
            | Route::Root
            | Route::Tools
            | Route::Mcp(_)
            | Route::DirectCall
            | Route::Webhook
            | Route::RunJob
            | Route::Other => dress.allow(self.or_a_stranger(site::origin(self.config, self.request))?),
        }
        Ok(())
    }

    fn preflight(&self, dress: &Dress) -> Result<Response<Vec<u8>>, Refusal> {
        admission::stranger(&self.gateway.ports, self.config)?;
        Ok(dress.preflight(self.route.allow()))
    }

    /// How a refusal is put to whoever reads the answers of this route.
    fn envelope(&self) -> Envelope<'a> {
        let request_id = request_id(self.request);
        match self.route.reader() {
            Reader::Plain => Envelope::Plain,
            Reader::Direct => Envelope::Direct { correlation_id: request_id },
            Reader::Client => Envelope::Client,
            Reader::Person => {
                Envelope::Person(Notice { ports: &self.gateway.ports, config: self.config, request_id })
            }
        }
    }

    /// Where clients of this route learn how to sign in; none where they have keys.
    fn sign_in(&self) -> Option<SignIn<'a>> {
        self.config.oauth_mode.then(|| SignIn::of(self.config, self.route.resource()))
    }

    /// Completes the challenge of an answer from behind the gateway: which document tells how to sign in is
    /// known here alone.
    fn guide(&self, mut answer: Response<Vec<u8>>) -> Response<Vec<u8>> {
        let Some(sign_in) = self.sign_in() else { return answer };
        let challenge = match answer.status() {
            StatusCode::UNAUTHORIZED => {
                sign_in.invalid("What was granted to this server in Gitea has ended. Sign in again.")
            }
            StatusCode::FORBIDDEN if answer.headers().contains_key(WWW_AUTHENTICATE) => {
                sign_in.insufficient()
            }
            _ => return answer,
        };
        refusal::challenge(answer.headers_mut(), &challenge);
        answer
    }

    fn caller(&self) -> Result<Box<dyn Caller>, Refusal> {
        let presented = self.or_a_stranger(self.authorization())?;
        Ok(admission::admit(&self.gateway.ports, self.config, presented)?)
    }

    /// RFC 6750 section 2: one credential, in one place.
    fn authorization(&self) -> Result<Option<&HeaderValue>, Refusal> {
        let mut values = self.request.headers().get_all(AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (presented, None) => Ok(presented),
            (_, Some(_)) => Err(Refusal::TwoCredentials),
        }
    }

    fn mcp(&self, dress: &Dress, out: &mut dyn Outgoing) -> Result<Option<Response<Vec<u8>>>, Refusal> {
        let caller = self.caller()?;
        let headers = self.request.headers();
        media::check_body(headers, Body::Json)?;
        let claims = caller.claims();
        let session = self.session(&*caller, &claims)?;
        let (body, version) = (self.request.body().as_slice(), self.gateway.version);
        if let Some(stream) = streams::named(self.request.uri()) {
            let post = Post { headers, body, streams: true, version };
            return streams::post(&session, &post, stream, &mut Dressed { dress, out });
        }
        let streams = media::check_accept(headers)?;
        let post = Post { headers, body, streams, version };
        Ok(mcp::answer(&session, &post, &mut Dressed { dress, out }))
    }

    fn direct_call(&self) -> Result<Response<Vec<u8>>, Refusal> {
        let caller = self.caller()?;
        media::check_body(self.request.headers(), Body::Json)?;
        let claims = caller.claims();
        direct::answer(&self.session(&*caller, &claims)?, self.request.body())
    }

    fn session<'s>(&'s self, caller: &'s dyn Caller, claims: &'s Claims) -> Result<Session<'s>, Refusal> {
        // Preflight tells them all before anything is served; here one is enough, where nobody asked it.
        let unknown = selection::unknown_names(&self.config.tools, self.gateway.offer.tools);
        if let Some(invalid) = unknown.into_iter().next() {
            return Err(Refusal::Misconfigured(invalid));
        }
        Ok(Session {
            selection: Selection::of(self.request.headers()).map_err(Refusal::UnreadableSelection)?,
            ports: self.gateway.ports,
            config: self.config,
            offer: self.gateway.offer,
            caller,
            claims,
            request_id: request_id(self.request),
        })
    }
}

/// `GET /`.
fn describe(gateway: &Gateway<'_>, config: &Config) -> Value {
    let mut endpoints = json!({
        "mcp": "/mcp",
        "tools": "/mcp/tools",
        "tool_call": "/mcp/tool/call",
        "health": "/health",
    });
    if let Some(members) = endpoints.as_object_mut().filter(|_| config.oauth_mode) {
        members.extend(sign_in::endpoints(config));
    }
    json!({ "name": "AegisGitea-MCP", "version": gateway.version, "endpoints": endpoints })
}

/// `GET /mcp/tools`.
fn tools(gateway: &Gateway<'_>) -> Value {
    json!({ "tools": mcp::methods::definitions(gateway.offer.tools) })
}

fn record(ports: &Ports<'_>, refusal: &Refusal) {
    ports.audit.note(&refusal.remark());
    if let Refusal::Misconfigured(invalid) = refusal {
        ports.telemetry.log(Level::Error, "settings_invalid", &[("problem", &invalid.to_string())]);
    }
}
