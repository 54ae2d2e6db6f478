//! The one way an HTTP client is made: HTTP/1.1, TLS by rustls with ring, the system's trust store.
//!
//! It follows no redirects and knows no credentials. Deadlines of a whole request are its users' concern.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

/// A pooled client for `http` and `https`.
pub(crate) type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client for the server at `url`. A connection is given up after half of
/// `timeout`, at most 10 seconds, so that whoever waits hears which of the two it was. Where `url` is
/// plain `http`, nothing is trusted for `https`: no request of such a client can leave over TLS.
///
/// # Errors
/// `url` is `https` and the system's certificates cannot be read.
pub(crate) fn client(url: &str, timeout: Duration) -> Result<HttpsClient, std::io::Error> {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some((timeout / 2).min(Duration::from_secs(10))));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    let tls = if url.starts_with("https:") {
        tls.with_native_roots()?.with_no_client_auth()
    } else {
        tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    };
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(64)
        .build(connector))
}

/// What went wrong under way, with its causes and without the URL, which may hold what should not be logged twice.
pub(crate) fn reason(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
