//! The one way an HTTP client is made: HTTP/1.1, TLS by rustls with ring, the system's trust store and the authorities
//! of `GITEA_CA_FILE`, straight or through a proxy.
//!
//! It follows no redirects and knows no credentials but the proxy's. Deadlines of a whole request are its users' concern.

mod dial;
mod proxy;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use dial::Dial;
pub(crate) use proxy::Proxy;

/// A pooled client for `http` and `https`.
pub(crate) type HttpsClient = Client<Dial, Full<Bytes>>;

/// The longest that a connection may take to come about.
const LONGEST_DIAL: Duration = Duration::from_secs(10);

/// Why a client cannot be made at start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoClient {
    /// The system's trust store is needed for https and cannot be read.
    #[error(
        "GITEA_URL is https and the system's certificates cannot be read: {0}; install ca-certificates, or set \
         SSL_CERT_FILE or GITEA_CA_FILE"
    )]
    Certificates(std::io::Error),
    /// The file of further authorities cannot be used.
    #[error("GITEA_CA_FILE {path} cannot be used: {why}; it must hold certificates in PEM form")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
    /// The proxy cannot be used. Never holds the setting's value, which may bear a password.
    #[error("GITEA_PROXY {0}")]
    Proxy(&'static str),
}

/// A client for the server at `url`. A connection, TLS included, is given up after half of `timeout`, at most 10
/// seconds, so that whoever waits hears which of the two it was. Where `url` is plain `http`, nothing is trusted for
/// `https`: no request of such a client can leave over TLS.
///
/// # Errors
/// `url` is `https` and there is nothing to trust; see [`NoClient`].
pub(crate) fn client(
    url: &str,
    timeout: Duration,
    authorities: Option<&Path>,
    proxy: Option<&Proxy>,
) -> Result<HttpsClient, NoClient> {
    let tls = if url.starts_with("https:") {
        tls(authorities)?
    } else {
        // Said at once where it is wrong, also while nothing needs it.
        authorities.map(certificates).transpose()?;
        trusting(rustls::RootCertStore::empty())?
    };
    let limit = (timeout / 2).min(LONGEST_DIAL);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(64)
        .build(Dial::new(tls, limit, proxy)))
}

/// TLS that trusts the system's authorities and those of a file. Where there is a file, the system may have none.
///
/// # Errors
/// There is nothing to trust, or the file cannot be used.
pub(crate) fn tls(authorities: Option<&Path>) -> Result<rustls::ClientConfig, NoClient> {
    let Some(path) = authorities else {
        return Ok(builder()?.with_native_roots().map_err(NoClient::Certificates)?.with_no_client_auth());
    };
    let mut roots = rustls::RootCertStore::empty();
    // What the system has and rustls cannot read is left out, as without a file.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(path, error))?;
    }
    trusting(roots)
}

fn builder() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, NoClient> {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(NoClient::Tls)
}

fn trusting(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig, NoClient> {
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// The certificates of a PEM file: at least one, all of them readable.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, NoClient> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unusable(path, error))?;
    if found.is_empty() {
        return Err(unusable(path, "there is no certificate in it"));
    }
    Ok(found)
}

fn unusable(path: &Path, why: impl std::fmt::Display) -> NoClient {
    NoClient::Authorities { path: path.to_owned(), why: why.to_string() }
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
