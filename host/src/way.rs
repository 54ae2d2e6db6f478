//! The way to Gitea that its API and its OAuth2 endpoints share: one client, one proxy, one breaker. What one of them
//! finds out about Gitea's being away, the other need not find out again.
//!
//! It decides nothing about what is sent, nor about trying again.

mod breaker;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};

use aegis_custody::{Clock, Random};

pub(crate) use breaker::Breaker;
pub(crate) use traffic::Traffic;

use crate::https::{self, HttpsClient, NoClient, Proxy};
use crate::settings::Settings;
use crate::shared::SystemClock;

/// What is said of a request that was kept back.
pub(crate) const LEFT_ALONE: &str = "the last connections failed, so it is left alone for some seconds";

/// The way to one Gitea.
pub(crate) struct Way {
    client: HttpsClient,
    /// Whether Gitea is left alone.
    pub(crate) breaker: Breaker,
    /// What is on it, and how long that took.
    pub(crate) traffic: Traffic,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Lost {
    /// Nothing was sent: Gitea is left alone for the moment.
    LeftAlone,
    /// No connection, or it broke.
    Failed(hyper_util::client::legacy::Error),
}

impl Way {
    /// To Gitea at `url`, as the settings say. `timeout` is what a whole request may take.
    ///
    /// # Errors
    /// See [`NoClient`].
    pub(crate) fn new(url: &str, timeout: Duration, settings: &Settings) -> Result<Arc<Self>, NoClient> {
        let proxy = settings.gitea_proxy().map(|text| Proxy::parse(text.expose())).transpose()?;
        let client = https::client(url, timeout, settings.gitea_ca_file(), proxy.as_ref())?;
        Ok(Self::over(client, Arc::new(SystemClock)))
    }

    /// Over a client, by a clock that the breaker goes by.
    pub(crate) fn over(client: HttpsClient, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { client, breaker: Breaker::new(clock), traffic: Traffic::default() })
    }

    /// Send a request and wait for the head of its answer. That there is a connection is told to the breaker as soon as
    /// there is one: an answer that is slow keeps nobody else out.
    ///
    /// # Errors
    /// See [`Lost`].
    pub(crate) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Lost> {
        let pass = self.breaker.pass().ok_or(Lost::LeftAlone)?;
        let mut passing = self.traffic.enter(request.method());
        let connection = capture_connection(&mut request);
        let sent = self.client.request(request);
        tokio::pin!(sent);
        let ended = tokio::select! {
            ended = &mut sent => Some(ended),
            () = there_is_one(connection) => None,
        };
        match &ended {
            Some(Err(error)) if error.is_connect() => pass.failed(),
            Some(_) | None => pass.reached(),
        }
        let answer = match ended {
            Some(ended) => ended,
            None => sent.await,
        };
        passing.answered(answer.as_ref().ok().map(Response::status));
        answer.map_err(Lost::Failed)
    }
}

/// Waits until there is a connection; for ever where there is none.
async fn there_is_one(mut connection: CaptureConnection) {
    if connection.wait_for_connection_metadata().await.is_none() {
        std::future::pending().await
    }
}

/// A pause between half of `whole` and all of it, so that many who wait do not come back at once.
pub(crate) fn drawn(whole: Duration, random: &dyn Random) -> Duration {
    let mut chance = [0];
    random.fill(&mut chance);
    let [chance] = chance;
    whole / 2 + (whole / 2).saturating_mul(u32::from(chance)) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    use aegis_custody::Timestamp;
    use tokio::net::TcpListener;

    const LONG: Duration = Duration::from_secs(60);

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn way(url: &str) -> (Arc<Way>, Arc<Hand>) {
        let hand = Arc::new(Hand(AtomicI64::new(1_000_000)));
        (Way::over(https::client(url, LONG, None, None).unwrap(), hand.clone()), hand)
    }

    fn open(way: &Way) {
        while !way.breaker.is_open() {
            way.breaker.pass().expect("it goes through").failed();
        }
    }

    fn request(url: &str) -> Request<Full<Bytes>> {
        Request::get(url).body(Full::default()).unwrap()
    }

    #[tokio::test]
    async fn a_connection_lets_others_in_before_there_is_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (way, hand) = way(&url);
        open(&way);
        hand.0.fetch_add(60_000, Ordering::Relaxed);
        let probe = tokio::spawn({
            let (way, url) = (way.clone(), url.clone());
            async move { way.send(request(&url)).await.map(drop) }
        });
        let (silent, _) = listener.accept().await.unwrap();
        while way.breaker.is_open() {
            tokio::task::yield_now().await;
        }
        assert!(!probe.is_finished(), "no answer yet, and others go through");
        drop(silent);
        assert!(matches!(probe.await.unwrap(), Err(Lost::Failed(_))));
        assert!(!way.breaker.is_open(), "a connection that breaks was one");
    }

    #[tokio::test]
    async fn what_is_kept_back_is_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (way, _) = way(&url);
        open(&way);
        assert!(matches!(way.send(request(&url)).await, Err(Lost::LeftAlone)));
        assert_eq!(way.breaker.kept_back(), 1);
    }

    #[tokio::test]
    async fn failures_to_connect_add_up() {
        let (way, _) = way("http://127.0.0.1:1");
        let mut failures = 0;
        while !way.breaker.is_open() {
            assert!(matches!(way.send(request("http://127.0.0.1:1")).await, Err(Lost::Failed(_))));
            failures += 1;
        }
        assert_eq!(failures, 5);
    }
}
