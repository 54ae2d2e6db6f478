//! A request before its guest: its id, its source, its host, its body; and after it: the id in the answer, the
//! count in the metrics.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::answer::Body;
use super::places::Place;
use super::refusal::Refusal;
use super::{Server, answer, probes};
use crate::instance::Bound;
use crate::own::outlet::Outlet;
use crate::ports::identity::Credential;
use crate::trace::{Below, Kind, Trace};

/// Where clients, and not callers, prove themselves.
const CLIENT_ENDPOINTS: [&str; 3] = ["/oauth/token", "/token", "/oauth/revoke"];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request came from.
pub(crate) struct From {
    /// The other end of the connection.
    pub(crate) peer: IpAddr,
    /// Told to end the connection, whatever is under way on it.
    pub(crate) hang_up: Arc<Notify>,
}

/// Answer one request.
pub(crate) async fn answer(server: &Arc<Server>, request: Request<Incoming>, from: &From) -> Response<Body> {
    let began = Instant::now();
    let method = request.method().clone();
    let request_id = request_id(request.headers());
    let ends = is_the_last(request.headers());
    let route = Arc::new(std::sync::OnceLock::new());
    let (path, mut response) = match probes::answer(server, &method, request.uri().path(), &request_id) {
        Some((path, response)) => (path, response),
        None => {
            let trace = server.shared.tracing.begin(request.headers(), &server.shared.own);
            let on_its_way = Way { request_id: &request_id, route: route.clone(), trace: trace.clone() };
            let outcome = through_guest(server, request, from, on_its_way).await;
            let response = outcome.unwrap_or_else(|refusal| {
                tracing::info!(event = "refused", reason = refusal.reason(), request_id = %request_id);
                trace.refused(refusal.reason());
                refusal.answer(&server.shared.metrics, &request_id)
            });
            let route = route.get().map_or("none", String::as_str);
            trace.answered(&method, route, response.status().as_u16());
            (route, response)
        }
    };
    server.shared.metrics.http_request(&method, path, response.status().as_u16(), began.elapsed());
    let id = HeaderValue::from_str(&request_id).unwrap_or(HeaderValue::from_static("unknown"));
    response.headers_mut().insert(REQUEST_ID, id);
    if ends {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether the connection ends with the answer: what follows chunks is not judged ([`super::heads`]), and what follows
/// an offer of another protocol may be meant for that one.
fn is_the_last(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) || headers.contains_key(UPGRADE)
}

/// Answer one request of those who observe: nothing here reaches a guest. None where the server has ended.
pub(crate) fn observe(server: &Weak<Server>, request: &Request<Incoming>) -> Option<Response<Body>> {
    let began = Instant::now();
    let server = server.upgrade()?;
    let request_id = request_id(request.headers());
    let found = probes::observed(&server, request.method(), request.uri().path(), &request_id);
    let (path, mut response) =
        found.unwrap_or_else(|| ("none", Refusal::NotFound.answer(&server.shared.metrics, &request_id)));
    let (method, status) = (request.method(), response.status().as_u16());
    server.shared.metrics.http_request(method, path, status, began.elapsed());
    let id = HeaderValue::from_str(&request_id).unwrap_or(HeaderValue::from_static("unknown"));
    response.headers_mut().insert(REQUEST_ID, id);
    Some(response)
}

/// What is known of a request before anything of it is read.
struct Way<'a> {
    request_id: &'a str,
    route: Arc<std::sync::OnceLock<String>>,
    trace: Trace,
}

async fn through_guest(
    server: &Arc<Server>,
    request: Request<Incoming>,
    from: &From,
    Way { request_id, route, trace }: Way<'_>,
) -> Result<Response<Body>, Refusal> {
    let mut admission = trace.open(Below::Request, Kind::Internal, || Cow::Borrowed("admission"));
    let admitted = admit(server, request, from).await;
    if let Err(refusal) = &admitted {
        admission.fail(refusal.reason());
    }
    drop(admission);
    let Admitted { mut parts, body, address, places } = admitted?;
    let credentials = take_credentials(&mut parts.headers, parts.uri.path());
    parts.headers.remove(TRANSFER_ENCODING);
    let id = HeaderValue::from_str(request_id).map_err(|_| Refusal::BodyBroken)?;
    parts.headers.insert(REQUEST_ID, id);
    let mut bound = own_request(server, request_id.to_owned(), address);
    bound.credentials = credentials;
    bound.route = route;
    bound.trace = trace;
    bound.hang_up = from.hang_up.clone();
    let (permit, _room, _place) = places;
    answer::from_guest(server, Request::from_parts(parts, Full::new(body)), bound, permit).await
}

/// A request that is whole and has its places: an instance, room for its body, and one of sign-in where it needs that.
struct Admitted {
    parts: Parts,
    body: Bytes,
    address: IpAddr,
    places: (OwnedSemaphorePermit, OwnedSemaphorePermit, Option<Place>),
}

async fn admit(server: &Server, request: Request<Incoming>, from: &From) -> Result<Admitted, Refusal> {
    check_host(&request)?;
    check_framing(request.headers())?;
    let (parts, body) = request.into_parts();
    let (body, room) = read_body(server, &parts.headers, body).await?;
    let address = server.trusted.source(from.peer, &parts.headers);
    // The permit is taken only now: a slow sender holds a connection, never a place.
    let place = server.places.enter(parts.uri.path(), address).map_err(|_| Refusal::Busy)?;
    let permit = server.permits.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
    Ok(Admitted { parts, body, address, places: (permit, room, place) })
}

/// What is bound to a request that nobody has presented anything with.
pub(crate) fn own_request(server: &Server, request_id: String, address: IpAddr) -> Bound {
    let force = server.shared.in_force.now();
    Bound {
        outlet: Outlet::new(&request_id, address, force.guest.clone()),
        request_id,
        address,
        credentials: Vec::new(),
        principal: None,
        presented: None,
        remembered: None,
        answered: None,
        trace: Trace::default(),
        tickets: Arc::default(),
        remarks: 0,
        route: Arc::default(),
        policy: force.policy,
        guest: force.guest,
        writes: server.shared.writes.are_on(),
        keep: Arc::default(),
        delivers: Arc::default(),
        delivery: None,
        hang_up: Arc::default(),
    }
}

/// The client's id where it is fit to be logged and sent on, else one of ours.
fn request_id(headers: &HeaderMap) -> String {
    let fits = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(fits);
    given.map_or_else(crate::shared::random_name, str::to_owned)
}

/// One Host, and the same as in an absolute target (RFC 9112 section 3.2).
fn check_host(request: &Request<Incoming>) -> Result<(), Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Refusal::BadHost) };
    let host = host.to_str().map_err(|_| Refusal::BadHost)?;
    let named = host.parse::<http::uri::Authority>().map_err(|_| Refusal::BadHost)?;
    let port_is_odd = named.port().is_some() && named.port_u16().is_none();
    if named.as_str().contains('@') || port_is_odd {
        return Err(Refusal::BadHost);
    }
    match request.uri().authority() {
        Some(target) if !target.as_str().eq_ignore_ascii_case(named.as_str()) => Err(Refusal::BadHost),
        _ => Ok(()),
    }
}

/// Chunks alone (RFC 9112 section 6.1): what other codings mean, two parsers may see differently. A head that says
/// more than one thing of its body does not come this far ([`super::framing`]).
fn check_framing(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::BadFraming),
    }
}

/// The whole body, bounded in bytes and time, and its share of the room that all bodies have. The room is taken
/// before a byte is read, since nobody has shown a key yet.
async fn read_body(
    server: &Server,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
    let most = server.limits.body_bytes;
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) {
        return Err(Refusal::BodyTooLarge);
    }
    let expected = if body.is_end_stream() { 0 } else { announced.unwrap_or(most) };
    let kibibytes = u32::try_from(expected.div_ceil(1 << 10)).unwrap_or(u32::MAX);
    let room = server.bodies.clone().try_acquire_many_owned(kibibytes).map_err(|_| Refusal::Busy)?;
    match tokio::time::timeout(server.limits.body, Limited::new(body, most).collect()).await {
        Err(_) => Err(Refusal::BodyTooSlow),
        Ok(Ok(whole)) => Ok((whole.to_bytes(), room)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLarge),
        Ok(Err(_)) => Err(Refusal::BodyBroken),
    }
}

/// Put a handle in the place of each `Authorization` value.
///
/// At the endpoints where clients prove themselves (RFC 6749 section 2.3.1), Basic is theirs and stays: it is what the
/// form may hold as well, and passes through this one instance.
fn take_credentials(headers: &mut HeaderMap, path: &str) -> Vec<Credential> {
    let values: Vec<HeaderValue> = headers.get_all(AUTHORIZATION).iter().cloned().collect();
    headers.remove(AUTHORIZATION);
    let stays = |value: &HeaderValue| {
        CLIENT_ENDPOINTS.contains(&path)
            && value.as_bytes().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
    };
    let mut credentials = Vec::new();
    for value in &values {
        if stays(value) {
            headers.append(AUTHORIZATION, value.clone());
        } else {
            let (credential, handle) = Credential::exchange(value);
            headers.append(AUTHORIZATION, handle);
            credentials.push(credential);
        }
    }
    credentials
}
