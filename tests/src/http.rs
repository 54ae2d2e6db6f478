//! The smallest HTTP client that tests need: one request on one connection, nothing followed, nothing retried,
//! the path sent byte for byte as written, the answer read whole or event by event. It must not grow conveniences that hide what went over the wire.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers in the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; for an answer that broke off, what had arrived by then.
    pub body: Vec<u8>,
    /// Whether the body ended as the framing promised.
    pub complete: bool,
}

impl Answer {
    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The name of a refusal: `error`, or `error.code` where a tool is called directly.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let error = &self.json()["error"];
        error.as_str().or(error["code"].as_str()).map(str::to_owned)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or(serde_json::Value::Null)
    }
}

/// Send one request to `base` (`http://host:port`) and read the whole answer.
///
/// # Errors
/// When the connection fails or closes before a status line.
pub async fn send(
    base: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    open(base, method, target, headers, body).await?.whole().await
}

/// An answer whose body is still coming. Dropped, the connection is closed.
#[derive(Debug)]
pub struct Coming {
    /// Status and headers; the body is empty.
    pub head: Answer,
    incoming: Incoming,
    driver: JoinHandle<hyper::Result<()>>,
    read: String,
}

/// Send one request and wait for the head of its answer alone.
///
/// # Errors
/// When the connection fails or closes before a status line.
pub async fn open(
    base: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Coming> {
    let authority = base.strip_prefix("http://").unwrap_or(base);
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(target).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body))).map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    let (head, incoming) = answer.into_parts();
    let headers = head
        .headers
        .iter()
        .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
        .collect();
    let head = Answer { status: head.status.as_u16(), headers, body: Vec::new(), complete: false };
    Ok(Coming { head, incoming, driver, read: String::new() })
}

impl Coming {
    /// The rest of it.
    ///
    /// # Errors
    /// Never; an answer that breaks off is told as incomplete.
    pub async fn whole(mut self) -> io::Result<Answer> {
        let mut answer = Answer { complete: true, ..self.head.clone() };
        while let Some(frame) = self.incoming.frame().await {
            match frame {
                Ok(frame) => answer.body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Err(_) => {
                    answer.complete = false;
                    break;
                }
            }
        }
        Ok(answer)
    }

    /// The next server-sent event as it stands there, comments left out; none at a clean end.
    ///
    /// # Panics
    /// The connection broke, or nothing came for ten seconds.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                if event.starts_with(':') {
                    continue;
                }
                return Some(event);
            }
            let frame = tokio::time::timeout(Duration::from_secs(10), self.incoming.frame()).await;
            let frame = frame.expect("an event, or the end")?.expect("the connection holds");
            self.read.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| data)));
        }
    }

    /// Read until so many keep-alive comments have come; how many came.
    pub async fn comments(mut self, wanted: usize) -> usize {
        while self.read.matches(": keep-alive\n\n").count() < wanted {
            match self.incoming.frame().await {
                Some(Ok(frame)) => {
                    let data = frame.data_ref().map_or(&[][..], |data| data);
                    self.read.push_str(&String::from_utf8_lossy(data));
                }
                Some(Err(_)) | None => break,
            }
        }
        self.read.matches(": keep-alive\n\n").count()
    }

    /// The JSON of the next event; null at the end.
    ///
    /// # Panics
    /// As [`Coming::event`], or where it is no message.
    pub async fn message(&mut self) -> serde_json::Value {
        let Some(event) = self.event().await else { return serde_json::Value::Null };
        let data = event.strip_prefix("event: message\ndata: ").expect("a message");
        serde_json::from_str(data).expect("JSON")
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
