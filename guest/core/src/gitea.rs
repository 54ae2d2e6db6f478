//! Requests to Gitea and what its answers mean.
//!
//! A [`Call`] names a path by template and its values apart, so no value can change the shape of a request.
//! Answers are read within bounds and given back as JSON. Nothing here chooses a credential, follows a
//! redirect or tries twice, and nothing here knows which tool asks.

mod body;
mod error;
mod location;
mod writes;

#[cfg(test)]
mod tests;

use core::fmt::Display;

use serde_json::Value;

use crate::ports::{Exchange, Failure, Head, Media, Method, Request, Ticket};

pub use body::{Body, End, Text};
pub use error::Error;
pub use writes::{
    ADD_ASSIGNEES, ADD_LABELS, CREATE_BRANCH, CREATE_COMMENT, CREATE_ISSUE, CREATE_LABEL, CREATE_MILESTONE,
    CREATE_PULL, CREATE_RELEASE, EDIT_COMMENT, EDIT_ISSUE, EDIT_LABEL, EDIT_RELEASE, REMOVE_LABEL, WRITES,
    Write,
};

/// Most bytes read from an answer unless the call says otherwise: a page of fifty long issues.
const ANSWER_BYTES: u64 = 8 * 1024 * 1024;
/// Most bytes read of an answer that is a refusal.
const REFUSAL_BYTES: usize = 16 * 1024;
/// Most bytes asked for in one piece.
const PIECE_BYTES: u32 = 64 * 1024;

/// One request, not yet sent.
#[derive(Clone, Debug)]
pub struct Call {
    template: &'static str,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    accept: Media,
    max_bytes: u64,
}

impl Call {
    /// A call to a path template below `/api/v1`.
    #[must_use]
    pub fn to(template: &'static str) -> Self {
        Self {
            template,
            segments: Vec::new(),
            query: Vec::new(),
            accept: Media::Json,
            max_bytes: ANSWER_BYTES,
        }
    }

    /// The path template.
    #[must_use]
    pub fn template(&self) -> &'static str {
        self.template
    }

    /// The value of the next placeholder, not encoded.
    #[must_use]
    pub fn segment(mut self, value: impl Display) -> Self {
        self.segments.push(value.to_string());
        self
    }

    /// A query parameter, not encoded.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Read at most this many bytes of the answer.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Ask for another kind of body than JSON; read it with [`Started::body`].
    #[must_use]
    pub fn accept(mut self, media: Media) -> Self {
        self.accept = media;
        self
    }

    fn request(self, method: Method, body: Option<Vec<u8>>) -> Request {
        Request {
            method,
            template: self.template,
            segments: self.segments,
            query: self.query,
            body,
            accept: self.accept,
            max_bytes: self.max_bytes,
        }
    }
}

/// A request under way. Several run at once; dropping a read cancels it.
#[must_use = "a request that nobody waits for is cancelled"]
pub struct Started {
    exchange: Box<dyn Exchange>,
    max_bytes: u64,
    writes: bool,
}

/// What Gitea answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON body; null where there was none.
    pub body: Value,
    total: Option<u64>,
    link: Option<String>,
}

impl Answer {
    /// How many there are over all pages, where Gitea says so.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether a page follows. `Link` is believed first: the server may have used a smaller page than asked
    /// for. Some lists carry no `Link`, there the total decides.
    #[must_use]
    pub fn has_next(&self, page: u32, limit: u32) -> bool {
        match (&self.link, self.total) {
            (Some(link), _) => link.contains("rel=\"next\""),
            (None, Some(total)) => u64::from(page).saturating_mul(u64::from(limit)) < total,
            (None, None) => false,
        }
    }
}

/// Send a GET.
///
/// # Errors
/// The host did not send it.
pub fn get(ticket: &dyn Ticket, call: Call) -> Result<Started, Error> {
    start(ticket, &call.request(Method::Get, None), false)
}

/// Send one of the fixed writes, once. `segments` fill the placeholders of its template, not encoded.
///
/// # Errors
/// The host did not send it.
pub fn write(
    ticket: &dyn Ticket,
    row: &'static Write,
    segments: Vec<String>,
    body: &Value,
) -> Result<Started, Error> {
    let call = Call { segments, ..Call::to(row.template()) };
    start(ticket, &call.request(row.method(), Some(body.to_string().into_bytes())), true)
}

fn start(ticket: &dyn Ticket, request: &Request, writes: bool) -> Result<Started, Error> {
    let exchange = ticket.start(request).map_err(|failure| Error::of_failure(failure, false))?;
    Ok(Started { exchange, max_bytes: request.max_bytes, writes })
}

impl Started {
    /// Wait for the answer.
    ///
    /// # Errors
    /// No answer came, it is not a success, or it cannot be read.
    pub fn finish(self) -> Result<Answer, Error> {
        let head = self.success()?;
        let bytes = self.read(&head)?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| Error::NotJson.after(self.writes))?
        };
        let total = head.header("x-total-count").and_then(|value| value.trim().parse().ok());
        Ok(Answer { body, total, link: head.header("link").map(str::to_owned) })
    }

    /// Wait for a success, and read its body piece by piece.
    ///
    /// # Errors
    /// No answer came, or it is not a success.
    pub fn body(self) -> Result<Body, Error> {
        let head = self.success()?;
        Ok(Body::new(self.exchange, &head))
    }

    fn success(&self) -> Result<Head, Error> {
        let head = self.exchange.head().map_err(|failure| Error::of_failure(failure, self.writes))?;
        if matches!(head.status, 200 | 201 | 204) {
            return Ok(head);
        }
        let said = if head.status < 400 { String::new() } else { self.said() };
        Err(Error::of_status(&head, said, self.writes))
    }

    fn read(&self, head: &Head) -> Result<Vec<u8>, Error> {
        let announced = head.header("content-length").and_then(|value| value.trim().parse::<u64>().ok());
        if announced.is_some_and(|bytes| bytes > self.max_bytes) {
            return Err(Error::TooLarge.after(self.writes));
        }
        let most = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let piece =
                self.exchange.read(PIECE_BYTES).map_err(|failure| Error::of_failure(failure, self.writes))?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            let whole = bytes.len().saturating_add(piece.len());
            if whole > most {
                return Err(Error::TooLarge.after(self.writes));
            }
            if whole > bytes.capacity() {
                // Never more room than the answer may take: doubling beyond it would not fit into an instance.
                let room = bytes.capacity().saturating_mul(2).clamp(whole, most);
                bytes.reserve_exact(room.saturating_sub(bytes.len()));
            }
            bytes.extend_from_slice(&piece);
        }
    }

    /// Gitea's own words in a refusal, where they can be read whole. Some refusals are empty, some carry a
    /// second JSON value after the first.
    fn said(&self) -> String {
        let mut bytes = Vec::new();
        while bytes.len() < REFUSAL_BYTES {
            let piece: Result<Vec<u8>, Failure> = self.exchange.read(PIECE_BYTES);
            match piece {
                Ok(piece) if !piece.is_empty() => bytes.extend_from_slice(&piece),
                Ok(_) | Err(_) => break,
            }
        }
        if bytes.len() > REFUSAL_BYTES {
            return String::new();
        }
        let first = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>().next();
        let message =
            first.and_then(Result::ok).and_then(|body| Some(body.get("message")?.as_str()?.to_owned()));
        message.unwrap_or_default()
    }
}
