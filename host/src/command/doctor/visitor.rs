//! One request as a client far away would make it: name, connection, TLS, HTTP, each a step that can fail by itself.
//! No redirect is followed, nothing is retried, and what goes wrong is told with what to do about it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

use super::certificate::{self, Validity};
use crate::https::{self, NoClient, Proxy};
use crate::settings::Secret;

#[cfg(test)]
mod tests;

/// The longest answer that is read, in bytes.
const MOST: usize = 4 << 20;
const HOSTED: &str = "serve the whole chain, or use a certificate that clients trust; hosted clients know public authorities alone";
const OF_GITEA: &str = "name the file of its authority in GITEA_CA_FILE (`aegis-mcp setup` takes it as --gitea-ca-file \
     FILE), or have it serve the whole chain";

/// Makes requests, each on a connection of its own.
pub(in crate::command) struct Visitor {
    tls: Result<Arc<rustls::ClientConfig>, String>,
    /// Where the way leads through one.
    proxy: Option<Proxy>,
    limit: Duration,
    /// What to do about a certificate of an unknown authority.
    stranger: &'static str,
}

/// What is asked.
pub(in crate::command) struct Asked<'a> {
    pub(in crate::command) method: Method,
    /// Whole, with scheme and host.
    pub(in crate::command) url: &'a str,
    pub(in crate::command) headers: &'a [(&'a str, &'a str)],
    pub(in crate::command) body: &'a [u8],
}

/// What came back.
#[derive(Debug)]
pub(in crate::command) struct Answer {
    pub(in crate::command) status: u16,
    pub(in crate::command) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When the server's certificate is good; none over plain http.
    pub(super) validity: Option<Validity>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub(in crate::command) enum Trouble {
    /// The URL is none.
    #[error("{0} is no address of a web server; correct the setting")]
    Url(String),
    /// The name is unknown.
    #[error("the name {0} is not known here ({1}); add it to DNS, or correct the setting")]
    Name(String, String),
    /// Nobody listens, or the way is blocked.
    #[error("no connection to {0} ({1})")]
    Connect(SocketAddr, String),
    /// The certificate is not to be believed.
    #[error("TLS with {0} fails: {1}; {2}")]
    Tls(String, String, &'static str),
    /// No HTTP, or half an answer.
    #[error("{0} answers no proper HTTP: {1}")]
    Http(String, String),
    /// No whole answer in time.
    #[error("{0} did not answer within {1} seconds")]
    Slow(String, u64),
}

impl Trouble {
    /// Whether nobody is there at all, which may be meant.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Connect(..))
    }
}

impl Answer {
    /// A header as text; empty where there is none.
    pub(in crate::command) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON, also of an answer that is one event of a stream; null where it is neither.
    pub(in crate::command) fn json(&self) -> Value {
        if let Ok(value) = serde_json::from_slice(&self.body) {
            return value;
        }
        let text = String::from_utf8_lossy(&self.body);
        let last = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
        last.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
    }
}

impl Visitor {
    /// As clients come: straight, trusting what the system trusts. Gives up each request after `limit`.
    pub(in crate::command) fn new(limit: Duration) -> Self {
        let tls = https::tls(None).map(Arc::new).map_err(|error| error.to_string());
        Self { tls, proxy: None, limit, stranger: HOSTED }
    }

    /// As the server goes to Gitea: by its proxy, trusting its authorities too.
    ///
    /// # Errors
    /// The settings of either cannot be used.
    pub(in crate::command) fn of_gitea(
        limit: Duration,
        authorities: Option<&Path>,
        proxy: Option<&Secret>,
    ) -> Result<Self, NoClient> {
        let proxy = proxy.map(|text| Proxy::parse(text.expose())).transpose()?;
        let tls = match authorities {
            // Whoever names a file means it: there is no going on without it.
            Some(file) => Ok(https::tls(Some(file))?),
            None => https::tls(None).map_err(|error| error.to_string()),
        };
        Ok(Self { tls: tls.map(Arc::new), proxy, limit, stranger: OF_GITEA })
    }

    /// GET.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub(in crate::command) async fn get(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Trouble> {
        self.send(&Asked { method: Method::GET, url, headers, body: b"" }).await
    }

    /// POST.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub(super) async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, Trouble> {
        self.send(&Asked { method: Method::POST, url, headers, body }).await
    }

    /// Any request.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub(in crate::command) async fn send(&self, asked: &Asked<'_>) -> Result<Answer, Trouble> {
        let slow = || Trouble::Slow(asked.url.to_owned(), self.limit.as_secs());
        tokio::time::timeout(self.limit, self.visit(asked)).await.unwrap_or_else(|_| Err(slow()))
    }

    async fn visit(&self, asked: &Asked<'_>) -> Result<Answer, Trouble> {
        let no_url = || Trouble::Url(asked.url.to_owned());
        let uri: Uri = asked.url.parse().map_err(|_| no_url())?;
        let authority = uri.authority().cloned().ok_or_else(no_url)?;
        let is_https = uri.scheme_str() == Some("https");
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let stream = match &self.proxy {
            None => connect(&host, port).await?,
            Some(proxy) => through(proxy, &uri).await?,
        };
        let request = request(asked, &uri, authority.as_str()).ok_or_else(no_url)?;
        if !is_https {
            return talk(stream, request, asked.url).await;
        }
        let trust = "install ca-certificates, or set SSL_CERT_FILE to your own authority";
        let tls = self.tls.clone().map_err(|why| Trouble::Tls(host.clone(), why, trust))?;
        let name = ServerName::try_from(host.clone()).map_err(|_| no_url())?;
        let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(|error| {
            let text = error.to_string();
            let advice = advice(&text).unwrap_or(self.stranger);
            Trouble::Tls(host, text, advice)
        })?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let validity = shown.and_then(|der| certificate::validity(der));
        let answer = talk(stream, request, asked.url).await?;
        Ok(Answer { validity, ..answer })
    }
}

/// The first address of a name that takes a connection.
async fn connect(host: &str, port: u16) -> Result<TcpStream, Trouble> {
    let unknown = |why: String| Trouble::Name(host.to_owned(), why);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| unknown(error.to_string()))?;
    let mut last = unknown("it has no address".to_owned());
    for address in found {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Trouble::Connect(address, error.to_string()),
        }
    }
    Err(last)
}

/// A tunnel to the server of this address.
async fn through(proxy: &Proxy, uri: &Uri) -> Result<TcpStream, Trouble> {
    let made = proxy.tunnel(HttpConnector::new()).call(uri.clone()).await;
    made.map(TokioIo::into_inner).map_err(|error| Trouble::Http("GITEA_PROXY".to_owned(), error.to_string()))
}

fn request(asked: &Asked<'_>, uri: &Uri, authority: &str) -> Option<Request<Full<Bytes>>> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut request = Request::builder()
        .method(asked.method.clone())
        .uri(target)
        .header(HOST, authority)
        .header(CONNECTION, "close");
    if asked.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case(USER_AGENT.as_str())) {
        request = request.header(USER_AGENT, concat!("aegis-mcp-doctor/", env!("CARGO_PKG_VERSION")));
    }
    let request = asked.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Full::from(Bytes::copy_from_slice(asked.body))).ok()
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    url: &str,
) -> Result<Answer, Trouble> {
    let broken = |why: String| Trouble::Http(url.to_owned(), why);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(error.to_string()))?;
    let _driver = Driver(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MOST).collect().await.map_err(|error| broken(error.to_string()))?;
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes(), validity: None })
}

/// Ends the connection with the request.
struct Driver(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What to do about the words of rustls; none where the authority is unknown: that depends on who asks.
fn advice(error: &str) -> Option<&'static str> {
    if error.contains("NotValidForName") || error.contains("not valid for name") {
        Some("get a certificate for this name, or set the address to a name in the certificate")
    } else if error.contains("Expired") || error.contains("expired") {
        Some("renew the certificate")
    } else if error.contains("UnknownIssuer") {
        None
    } else {
        Some("check that the proxy serves TLS on this port")
    }
}
