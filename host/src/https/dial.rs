//! How a connection comes about: TCP to the server or, through a proxy, a tunnel to it; then TLS; all of it in a bounded
//! time, so that a peer that takes a connection and says nothing counts as one that cannot be connected to.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::Proxy;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Under<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Dial {
    secured: HttpsConnector<Line>,
    limit: Duration,
}

/// The connection below TLS.
#[derive(Clone)]
enum Line {
    Straight(HttpConnector),
    /// By CONNECT (RFC 9110 section 9.3.6): the proxy learns the name of the server and nothing of what is said.
    Tunnel(Tunnel<HttpConnector>),
}

impl Dial {
    pub(super) fn new(tls: rustls::ClientConfig, limit: Duration, proxy: Option<&Proxy>) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        http.set_connect_timeout(Some(limit));
        let line = match proxy {
            None => Line::Straight(http),
            Some(proxy) => Line::Tunnel(proxy.tunnel(http)),
        };
        let secured = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(line);
        Self { secured, limit }
    }
}

impl Service<Uri> for Dial {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Failure;
    type Future = Under<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        self.secured.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialling = tokio::time::timeout(self.limit, self.secured.call(uri));
        Box::pin(async move {
            let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
            dialling.await.unwrap_or_else(late)
        })
    }
}

impl Service<Uri> for Line {
    type Response = TokioIo<TcpStream>;
    type Error = Failure;
    type Future = Under<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        match self {
            Self::Straight(http) => http.poll_ready(context).map_err(Into::into),
            Self::Tunnel(tunnel) => tunnel.poll_ready(context).map_err(Into::into),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Straight(http) => {
                let dialling = http.call(uri);
                Box::pin(async move { dialling.await.map_err(Into::into) })
            }
            Self::Tunnel(tunnel) => {
                let dialling = tunnel.call(uri);
                Box::pin(async move { dialling.await.map_err(Into::into) })
            }
        }
    }
}
