//! A client that keeps its connection, and reads or writes through one tool each.

use std::time::{Duration, Instant};

use aegis_tests::forge::Forge;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;

/// A running server and what is behind it.
pub struct Stand<'s> {
    pub forge: &'s Forge,
    pub url: String,
    pub pid: u32,
    /// A principal holds a few places alone, so there are many.
    pub keys: Vec<String>,
}

impl Stand<'_> {
    /// A client with the key of this number.
    pub fn client(&self, number: usize) -> Client {
        let authority = self.url.strip_prefix("http://").unwrap_or(&self.url).to_owned();
        Client { authority, key: self.keys[number % self.keys.len()].clone(), calls: number, sender: None }
    }
}

/// So many keys.
pub fn keys(count: u8) -> Vec<String> {
    (0..count).map(|number| format!("aegis_key_{}", URL_SAFE_NO_PAD.encode([number; 32]))).collect()
}

/// One that asks again and again.
pub struct Client {
    authority: String,
    key: String,
    calls: usize,
    sender: Option<SendRequest<Full<Bytes>>>,
}

/// What came of a call.
pub struct Called {
    /// The status; none where there was no answer.
    pub status: Option<u16>,
    /// The beginning of a body that is no success, or why there was no answer.
    pub said: String,
    /// How long the answer took, connecting included.
    pub took: Duration,
}

impl Client {
    /// Four reads, then a write, and so on.
    pub async fn call(&mut self) -> Called {
        self.calls += 1;
        let is_write = self.calls.is_multiple_of(5);
        let began = Instant::now();
        let answer = self.ask(is_write).await;
        let took = began.elapsed();
        match answer {
            Ok((status, said)) => Called { status: Some(status), said, took },
            Err(error) => {
                self.sender = None;
                Called { status: None, said: error, took }
            }
        }
    }

    async fn ask(&mut self, is_write: bool) -> Result<(u16, String), String> {
        let call = if is_write {
            json!({"tool": "add_labels", "arguments": {"owner": "alice", "repo": "demo", "issue_number": 1, "labels": ["bug"]}})
        } else {
            json!({"tool": "get_issue", "arguments": {"owner": "alice", "repo": "demo", "issue_number": 1}})
        };
        let request = Request::post("/mcp/tool/call")
            .header("host", &self.authority)
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(call.to_string())))
            .map_err(|error| error.to_string())?;
        let answer = self.sender().await?.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let said = if status == 200 {
            String::new()
        } else {
            String::from_utf8_lossy(&body).chars().take(200).collect()
        };
        Ok((status, said))
    }

    /// The connection, made anew where the server has closed it between two requests.
    async fn sender(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, String> {
        let is_open = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !is_open {
            let stream = TcpStream::connect(&self.authority).await.map_err(|error| error.to_string())?;
            let _ = stream.set_nodelay(true);
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        self.sender.as_mut().ok_or_else(|| "no connection".to_owned())
    }
}
