//! The way to a document's host: names are resolved here, every address is judged before any is connected to,
//! and the connection goes to an address that was judged, whatever the name resolves to a moment later.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Failure;
use super::address::{Reach, reach};

/// The most addresses that are tried.
const TRIES: usize = 3;

/// The longest wait for one of them.
const TRY: Duration = Duration::from_millis(1_500);

/// What a network answers, later.
pub(super) type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Name resolution and connections, so that tests have their own.
pub(super) trait Network: Send + Sync {
    /// All addresses of a host name.
    fn resolve<'a>(&'a self, host: &'a str) -> Later<'a, Vec<IpAddr>>;
    /// A connection to exactly this address.
    fn connect(&self, to: SocketAddr) -> Later<'_, TcpStream>;
}

/// The machine's network, without proxies.
pub(super) struct System;

impl Network for System {
    fn resolve<'a>(&'a self, host: &'a str) -> Later<'a, Vec<IpAddr>> {
        Box::pin(
            async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) },
        )
    }

    fn connect(&self, to: SocketAddr) -> Later<'_, TcpStream> {
        Box::pin(TcpStream::connect(to))
    }
}

/// Connect to a host whose every address may be connected to.
///
/// # Errors
/// [`Failure::Unresolved`], [`Failure::ForbiddenAddress`], [`Failure::Unreachable`].
pub(super) async fn connect(
    network: &dyn Network,
    host: &str,
    port: u16,
    allow_private: bool,
) -> Result<TcpStream, Failure> {
    let mut addresses =
        network.resolve(host).await.map_err(|error| Failure::Unresolved(error.to_string()))?;
    if addresses.is_empty() {
        return Err(Failure::Unresolved("the name has no address".to_owned()));
    }
    let is_fit = |address: &IpAddr| match reach(*address) {
        Reach::Public => true,
        Reach::Private => allow_private,
        Reach::Never => false,
    };
    // One bad address spoils the name: whoever controls it could choose which one is tried.
    if !addresses.iter().all(is_fit) {
        return Err(Failure::ForbiddenAddress);
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    let mut last = String::new();
    for address in addresses.into_iter().take(TRIES) {
        match tokio::time::timeout(TRY, network.connect(SocketAddr::new(address, port))).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = "no answer in 1.5 seconds".to_owned(),
        }
    }
    Err(Failure::Unreachable(last))
}
