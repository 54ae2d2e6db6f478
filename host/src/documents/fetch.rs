//! One fetch of a document over https: no redirects, no cookies, no compression, and an end to everything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HOST,
};
use http::{HeaderMap, Request, StatusCode, header::USER_AGENT};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::network::{Network, connect};
use super::parse::{Document, document};
use super::url::Location;
use super::{Failure, MAX_AGE, MIN_AGE};

/// The longest document, in bytes.
const BODY_MAX: usize = 5 * 1024;

/// How long a document is kept that says nothing about it.
const DEFAULT_AGE: Duration = Duration::from_secs(300);

/// What a fetch needs.
pub(super) struct Way {
    pub(super) network: Arc<dyn Network>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) allow_private: bool,
}

/// A document and for how long it may be kept.
///
/// # Errors
/// See [`Failure`].
pub(super) async fn fetch(
    way: &Way,
    url: &str,
    location: &Location,
) -> Result<(Document, Duration), Failure> {
    let stream = connect(way.network.as_ref(), &location.host, location.port, way.allow_private).await?;
    let name =
        ServerName::try_from(location.host.clone()).map_err(|error| Failure::Tls(error.to_string()))?;
    let stream = TlsConnector::from(Arc::clone(&way.tls))
        .connect(name, stream)
        .await
        .map_err(|error| Failure::Tls(error.to_string()))?;
    let broken = |error: hyper::Error| Failure::Unreachable(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(16 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let _driver = Driver(tokio::spawn(connection));
    let request = Request::get(&location.target)
        .header(HOST, location.host_header())
        .header(ACCEPT, "application/json")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .header(USER_AGENT, concat!("aegis-mcp/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| Failure::Invalid(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let (head, body) = response.into_parts();
    check_head(head.status, &head.headers)?;
    let bytes = read(body).await?;
    Ok((document(url, &bytes)?, age(&head.headers)))
}

/// Ends the connection when the fetch ends, however it does.
struct Driver(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    if status.is_redirection() {
        return Err(Failure::Redirect(status.as_u16()));
    }
    if status != StatusCode::OK {
        return Err(Failure::Status(status.as_u16()));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let kind = types.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !is_json || types.next().is_some() {
        return Err(Failure::ContentType);
    }
    // Nothing but identity was asked for, so nothing needs to be unpacked.
    match headers.get(CONTENT_ENCODING) {
        Some(value) if value != "identity" => Err(Failure::Encoded),
        _ => Ok(()),
    }
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, Failure> {
    if body.size_hint().lower() > BODY_MAX as u64 {
        return Err(Failure::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Unreachable(error.to_string()))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > BODY_MAX {
                return Err(Failure::TooLarge);
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// `max-age` (RFC 9111 section 5.2.2.1), the smallest one, within our bounds; refusals to be stored count as 0.
fn age(headers: &HeaderMap) -> Duration {
    let directives = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let ages = directives.flat_map(|value| value.split(',')).filter_map(|directive| {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return Some(0);
        }
        let seconds = directive.strip_prefix("max-age=")?.trim_matches('"');
        // RFC 9111 section 1.2.2: too large a number is a large number, and what is none makes it stale.
        let is_number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
        Some(if is_number { seconds.parse().unwrap_or(u64::MAX) } else { 0 })
    });
    ages.min().map_or(DEFAULT_AGE, Duration::from_secs).clamp(MIN_AGE, MAX_AGE)
}
