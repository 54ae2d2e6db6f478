//! The socket side: reads a request, notes it, asks for its intent, lets the routes answer, lets go wrong what a
//! test asked for, and frames the answer as Go's server does.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Sleep;

use super::auth::{Presented, presented, sudo};
use super::call::{Answer, Call, decoded};
use super::oauth::{self, Visit, basic};
use super::seeding::Seeding;
use super::watch::{Credential, FaultKind, Seen, Watch, faults_of_form, fields_of, without_secrets};
use super::{Shared, Version, held, routes};

/// Go's server sends shorter bodies with Content-Length and longer ones in chunks.
const CHUNKED_ABOVE: usize = 2048;
const API: &str = "/api/v1/";

/// Serve until aborted; open connections end with the loop.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(|request| handle(request, shared.clone()));
            // A connection that ends badly is the client's to notice.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn handle(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Wire>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let path = head.uri.path().to_owned();
    let number = arrive(&shared, &head.method, &head.uri, &head.headers, body.clone());
    let mut call = call(&shared, &head.method, &head.uri, &head.headers, body);
    // A request without its intent never gets as far as a fault.
    if let Some(problem) = missing_intent(&shared, &path, &head.headers) {
        let mut watch = held(&shared.watch);
        watch.violations.push(format!("{} {path}: {problem}", head.method));
        answered(&mut watch, number, 500);
        return frame(call.refuse(500, &problem), None);
    }
    let visit = Visit::new(&head.method, &head.uri, &head.headers, &call.body, &shared.root, shared.version);
    let fault = match held(&shared.watch).fault(&head.method, &path) {
        Some(FaultKind::Echo(member)) => Some(FaultKind::Patch(json!({ member: told(&head.headers) }))),
        other => other,
    };
    if matches!(fault, Some(FaultKind::Hang)) {
        let _leaving = Waiting { shared: &shared, number };
        std::future::pending::<Infallible>().await;
    }
    let answer = match fault {
        Some(FaultKind::Status(status)) => call.refuse(status, "fault"),
        Some(FaultKind::RetryAfter(status, pause)) => call.refuse(status, "fault").with("Retry-After", pause),
        Some(FaultKind::Instead(status, ref body)) => Answer::json(status, body),
        Some(FaultKind::Redirect(ref to)) => Answer::empty(302).with("Location", to),
        Some(FaultKind::Html) => {
            Answer::text(200, "text/html; charset=utf-8", "<!DOCTYPE html><title>Portal</title>")
        }
        _ if path.starts_with(API) => answer(&shared, &mut call, &path, &head.headers),
        _ => answer_page(&shared, &visit),
    };
    if fault == Some(FaultKind::Hold) {
        let waiting = Waiting { shared: &shared, number };
        if let Ok(permit) = shared.held.acquire().await {
            permit.forget();
        }
        std::mem::forget(waiting);
    }
    super::hooks::deliver(&shared, head.method.as_str(), &path, answer.status, &answer.body);
    if fault != Some(FaultKind::Close) {
        answered(&mut held(&shared.watch), number, answer.status);
    }
    frame(answer, fault)
}

/// A request that is kept waiting. Dropped before its answer, it notes that the client went away.
struct Waiting<'a> {
    shared: &'a Shared,
    number: usize,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut watch = held(&self.shared.watch);
        if let Some(seen) = watch.seen.iter_mut().find(|seen| seen.number == self.number) {
            seen.left = true;
        }
    }
}

/// Note how a request ended, unless the list was forgotten meanwhile.
fn answered(watch: &mut Watch, number: usize, status: u16) {
    if let Some(seen) = watch.seen.iter_mut().find(|seen| seen.number == number) {
        seen.status = status;
    }
}

/// Note a request and what is wrong with its form; gives its number.
fn arrive(shared: &Shared, method: &Method, uri: &hyper::Uri, headers: &HeaderMap, body: Vec<u8>) -> usize {
    let (user, credential, admin) = whose(shared, method, uri, headers);
    let api = uri.path().starts_with(API);
    let body = if api { body } else { fields_of(&body) };
    let mut seen = Seen {
        number: 0,
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: without_secrets(uri.query().unwrap_or_default()),
        status: 0,
        credential,
        left: false,
        has_authorization: headers.contains_key("authorization"),
        user,
        x_request_id: text(headers, "x-request-id").map(str::to_owned),
        trace: ["traceparent", "tracestate"].map(|name| text(headers, name).map(str::to_owned)),
        body,
    };
    let sudo = shared.sudo && admin;
    let wrong = faults_of_form(&seen, headers.contains_key("sudo"), sudo, &query(uri));
    let mut watch = held(&shared.watch);
    watch.violations.extend(wrong);
    watch.arrived += 1;
    seen.number = watch.arrived;
    watch.seen.push(seen);
    watch.arrived
}

/// Login behind a request, its kind of credential, and whether it is a site admin's.
fn whose(
    shared: &Shared,
    method: &Method,
    uri: &hyper::Uri,
    headers: &HeaderMap,
) -> (Option<String>, Credential, bool) {
    let world = held(&shared.world);
    let oauth = held(&shared.oauth);
    let header = text(headers, "authorization");
    let found = presented(header, &world, &oauth);
    let visit = Visit::new(method, uri, headers, b"", &shared.root, shared.version);
    let session = visit.session().and_then(|id| oauth.signed_in(id));
    let credential = match found {
        Presented::Token(_) => Credential::Pat,
        Presented::Grant(_) => Credential::OAuth,
        Presented::Password(_) => Credential::Basic,
        Presented::Unknown if header.is_some_and(|header| basic(header).is_some()) => Credential::Basic,
        Presented::Unknown => Credential::Unknown,
        Presented::Nothing if session.is_some() => Credential::Session,
        Presented::Nothing => Credential::None,
    };
    let account = found.user(&world).or(session).map(|id| world.account_by_id(id));
    (account.map(|account| account.login.clone()), credential, account.is_some_and(|account| account.admin))
}

fn call(shared: &Shared, method: &Method, uri: &hyper::Uri, headers: &HeaderMap, body: Vec<u8>) -> Call {
    let below = uri.path().strip_prefix(API).unwrap_or_default();
    let mut segments: Vec<String> = below
        .split('/')
        .map(|segment| decoded(segment, false).unwrap_or_else(|| segment.to_owned()))
        .collect();
    // Gitea's router does not mind a slash at the end.
    if segments.last().is_some_and(String::is_empty) {
        segments.pop();
    }
    let head_is_get = method == Method::HEAD && shared.version == Version::V1_27;
    Call {
        method: if head_is_get { Method::GET } else { method.clone() },
        target: uri.path_and_query().map_or_else(String::new, ToString::to_string),
        segments,
        query: query(uri),
        body,
        body_is_json: text(headers, "content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().contains("json")),
        viewer: None,
        token: None,
        scopes: None,
        by_admin: false,
        by_password: false,
        root: shared.root.clone(),
        version: shared.version,
        seeding: Seeding(shared.canary),
    }
}

fn answer(shared: &Shared, call: &mut Call, path: &str, headers: &HeaderMap) -> Answer {
    let mut world = held(&shared.world);
    let mut oauth = held(&shared.oauth);
    let found = presented(text(headers, "authorization"), &world, &oauth);
    call.viewer = found.user(&world);
    match found {
        Presented::Nothing => {}
        Presented::Unknown => return call.refuse(401, "invalid username, password or token"),
        Presented::Password(_) => call.by_password = true,
        Presented::Grant(bearer) => call.scopes = Some(bearer.scopes),
        Presented::Token(at) => {
            call.token = Some(at);
            call.scopes = world.tokens.get(at).map(|token| token.scopes.clone());
        }
    }
    if call.viewer.is_some_and(|id| world.account_by_id(id).disabled) {
        let message = "This account is prohibited from signing in, please contact your site administrator.";
        return Answer::json(403, &json!({ "message": message }));
    }
    if let Some(refusal) = sudo(call, &world, text(headers, "sudo")) {
        return refusal;
    }
    call.by_admin = call.viewer.is_some_and(|id| world.account_by_id(id).admin);
    routes::answer(call, &mut world, &mut oauth)
        .unwrap_or_else(|| unplanned(shared, call.method.as_str(), path))
}

/// Answer a request outside the API.
fn answer_page(shared: &Shared, visit: &Visit) -> Answer {
    let world = held(&shared.world);
    let found = oauth::answer(visit, &world, &mut held(&shared.oauth));
    found.unwrap_or_else(|| unplanned(shared, visit.method(), visit.path()))
}

fn unplanned(shared: &Shared, method: &str, path: &str) -> Answer {
    held(&shared.watch).violations.push(format!("{method} {path}: unplanned request"));
    Answer::no_route()
}

/// Why a request may not act yet; none where it may, or where no audit file is watched.
fn missing_intent(shared: &Shared, path: &str, headers: &HeaderMap) -> Option<String> {
    let intents = shared.intents.as_ref()?;
    if !path.starts_with(API) || matches!(path, "/api/v1/version" | "/api/v1/settings/api") {
        return None;
    }
    // What sets a test up with a password is nothing that the product could send: it has none.
    let preparing = path.starts_with("/api/v1/user/applications/oauth2") || path.ends_with("/tokens");
    if preparing && text(headers, "authorization").is_some_and(|header| basic(header).is_some()) {
        return None;
    }
    let Some(ticket) = text(headers, "x-request-id").filter(|id| !id.is_empty()) else {
        return Some("no X-Request-ID names the ticket".to_owned());
    };
    let held = held(intents).holds(ticket);
    (!held).then(|| format!("the audit file holds no pending line for ticket {ticket}"))
}

fn query(uri: &hyper::Uri) -> Vec<(String, String)> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let text = |part: &str| decoded(part, true).unwrap_or_default();
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(n, v)| (text(n), text(v))).collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A text with the token that a request came with, as it is and with a hidden character in its middle.
fn told(headers: &HeaderMap) -> String {
    let token = text(headers, "authorization").and_then(|header| header.split(' ').next_back());
    let token = token.unwrap_or_default();
    let (first, second) = token.split_at(token.len() / 2);
    format!("it came with <{token}>, which is <{first}\u{200b}{second}>")
}

/// A JSON object with some of its fields replaced or left out; anything else as it is.
fn patched(body: &[u8], changes: &Value) -> Vec<u8> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else { return body.to_vec() };
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    format!("{}\n", Value::Object(fields)).into_bytes()
}

fn frame(mut answer: Answer, fault: Option<FaultKind>) -> io::Result<Response<Wire>> {
    if fault == Some(FaultKind::Close) {
        return Err(io::Error::other("closed as asked"));
    }
    if fault == Some(FaultKind::BadJson) {
        answer.body = b"{\"id\": 1, \"title\": \"cut".to_vec();
    }
    if let Some(FaultKind::Oversize(spaces)) = fault {
        answer.body.resize(answer.body.len() + spaces, b' ');
    }
    if let Some(FaultKind::Patch(changes)) = &fault {
        answer.body = patched(&answer.body, changes);
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = Bytes::from(answer.body);
    let size = body.len() as u64;
    let whole = |body| Wire { left: Some(body), declared: None, repeats: 0, drip: None, then: Then::End };
    let wire = match fault {
        Some(FaultKind::CloseMidBody) => Wire { then: Then::Flush, ..whole(body.slice(..body.len() / 2)) },
        Some(FaultKind::WrongLength) => Wire { declared: Some(size + 100), ..whole(body) },
        Some(FaultKind::Stall) => Wire { then: Then::Stall, ..whole(body.slice(..1)) },
        Some(FaultKind::Drip) => Wire { drip: Some(second()), ..whole(body) },
        Some(FaultKind::Gigabyte) => Wire { repeats: 1 << 14, ..whole(Bytes::from_static(&[b' '; 1 << 16])) },
        _ => Wire { declared: (body.len() <= CHUNKED_ABOVE).then_some(size), ..whole(body) },
    };
    response.body(wire).map_err(io::Error::other)
}

/// A body that is sent in one piece, or in the same piece again and again; with or without a length.
struct Wire {
    left: Option<Bytes>,
    declared: Option<u64>,
    repeats: usize,
    /// The pause before each byte.
    drip: Option<Pin<Box<Sleep>>>,
    then: Then,
}

/// What follows the last piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The end.
    End,
    /// Nothing, ever.
    Stall,
    /// What was sent leaves, and then the connection breaks. hyper sends what it has when the body pauses; without a
    /// pause the break would come first.
    Flush,
    /// The connection breaks.
    Break,
}

/// Only a fault takes time, and whoever asks for one has given up long before its end.
fn second() -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(Duration::from_secs(1)))
}

impl Body for Wire {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(pause) = &mut self.drip {
            ready!(pause.as_mut().poll(task));
            *pause = second();
            if let Some(byte) = self.left.as_mut().filter(|left| left.len() > 1).map(|left| left.split_to(1))
            {
                return Poll::Ready(Some(Ok(Frame::data(byte))));
            }
        }
        if let Some(bytes) = self.left.take().filter(|bytes| !bytes.is_empty()) {
            if self.repeats > 1 {
                self.repeats -= 1;
                self.left = Some(bytes.clone());
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Stall => Poll::Pending,
            Then::Flush => {
                self.then = Then::Break;
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Then::Break => Poll::Ready(Some(Err(io::Error::other("broken as asked")))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    fn is_end_stream(&self) -> bool {
        self.then == Then::End && self.left.as_ref().is_none_or(Bytes::is_empty)
    }
}
