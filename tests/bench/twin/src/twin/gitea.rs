//! The twin's way to Gitea: the host's client and the host's rules for targets, awaited by blocking the thread
//! that runs core.

use std::cell::RefCell;
use std::time::Duration;

use aegis_core::ports::{Exchange, Failure, Head, Media, Method, Request};
use aegis_custody::egress;
use bytes::{Buf as _, Bytes};
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::Result;

/// Headers that core is shown, as in the host.
const VISIBLE: &[&str] =
    &["content-length", "content-type", "link", "location", "retry-after", "x-hasmore", "x-total-count"];

/// The client, the origin and the credential.
pub struct Gitea {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    runtime: Handle,
}

impl Gitea {
    /// For an origin and a token; requests run on `runtime`.
    ///
    /// # Errors
    /// The token cannot stand in a header.
    pub fn new(url: &str, token: &str, runtime: Handle) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(64)
            .build(http);
        let authorization = HeaderValue::from_str(&format!("token {token}"))?;
        Ok(Self { client, base: format!("{}/api/v1", url.trim_end_matches('/')), authorization, runtime })
    }

    /// Begin a read; the twin sends no changes.
    ///
    /// # Errors
    /// The rules for targets refuse it.
    pub fn start(&self, ticket: &str, asked: &Request) -> std::result::Result<Box<dyn Exchange>, Failure> {
        let refused = |why: &dyn std::fmt::Display| Failure::Refused(why.to_string());
        if asked.method != Method::Get {
            return Err(refused(&"the twin only reads"));
        }
        let path = egress::target(egress::Method::Get, asked.template, &asked.segments, &asked.query, false)
            .map_err(|e| refused(&e))?;
        let accept = match asked.accept {
            Media::Json => "application/json",
            Media::Text => "text/plain",
            Media::Archive => "application/gzip",
        };
        let request = http::Request::get(format!("{}{path}", self.base))
            .header(ACCEPT, accept)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, "aegis-twin")
            .header("x-request-id", ticket)
            .body(Full::default())
            .map_err(|e| refused(&e))?;
        let sending = self.client.request(request);
        let task = self.runtime.spawn(async move {
            let sent = tokio::time::timeout(Duration::from_secs(30), sending).await;
            sent.map_err(|_| Failure::TimedOut)?.map_err(|e| Failure::Unreachable(e.to_string()))
        });
        let progress = Progress { task: Some(task), answer: None, rest: Bytes::new(), left: asked.max_bytes };
        Ok(Box::new(UnderWay { runtime: self.runtime.clone(), progress: RefCell::new(progress) }))
    }
}

struct UnderWay {
    runtime: Handle,
    progress: RefCell<Progress>,
}

struct Progress {
    task: Option<JoinHandle<std::result::Result<http::Response<Incoming>, Failure>>>,
    answer: Option<(Head, Incoming)>,
    rest: Bytes,
    left: u64,
}

impl Exchange for UnderWay {
    fn head(&self) -> std::result::Result<Head, Failure> {
        let progress = &mut *self.progress.borrow_mut();
        if let Some(task) = progress.task.take() {
            let gone = |_| Failure::Broken("the request was cancelled".to_owned());
            let (parts, body) = self.runtime.block_on(task).map_err(gone)??.into_parts();
            progress.answer = Some((visible(&parts), body));
        }
        progress.answer.as_ref().map(|(head, _)| head.clone()).ok_or(Failure::Broken("it failed".to_owned()))
    }

    fn read(&self, max: u32) -> std::result::Result<Vec<u8>, Failure> {
        self.head()?;
        let progress = &mut *self.progress.borrow_mut();
        while progress.rest.is_empty() {
            let Some((_, body)) = &mut progress.answer else { return Ok(Vec::new()) };
            let Some(frame) = self.runtime.block_on(body.frame()) else { return Ok(Vec::new()) };
            if let Ok(data) = frame.map_err(|e| Failure::Broken(e.to_string()))?.into_data() {
                progress.left = progress.left.checked_sub(data.len() as u64).ok_or(Failure::TooLarge)?;
                progress.rest = data;
            }
        }
        let piece = progress.rest.slice(..progress.rest.len().min(max as usize));
        progress.rest.advance(piece.len());
        Ok(piece.to_vec())
    }
}

fn visible(parts: &http::response::Parts) -> Head {
    let shown = parts.headers.iter().filter(|(name, _)| VISIBLE.contains(&name.as_str()));
    let headers =
        shown.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    Head { status: parts.status.as_u16(), headers: headers.collect() }
}
