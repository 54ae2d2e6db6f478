//! Progress on the POST that asked for it: server-sent events, then the answer as the last event.
//!
//! The stream begins with the second report: the first says only that work starts, and until then the answer
//! can still be one JSON object with a status that says what happened (a missing scope, no audit trail).
//! Only reads stream: the answer to a write is held as a whole until it is known what became of the write.
//! Results never leave here before the audit trail has the outcome, because `call` returns only then.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::call::Progress;

/// The client went away: nothing more can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The way out for an answer that is sent in pieces.
pub trait Outgoing {
    /// Sends status and headers.
    ///
    /// # Errors
    /// The client went away.
    fn begin(&mut self, head: Response<()>) -> Result<(), Gone>;
    /// Sends a piece of the body at once.
    ///
    /// # Errors
    /// The client went away.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone>;
}

/// Server-sent events for one request.
pub(super) struct Stream<'a> {
    out: &'a mut dyn Outgoing,
    /// None where the client did not ask for progress or cannot read events, or the tool writes.
    token: Option<Value>,
    state: State,
    last: Option<u32>,
}

#[derive(PartialEq)]
enum State {
    /// Nothing sent; holds the first report.
    Waiting(Option<Value>),
    Open,
    Gone,
}

impl<'a> Stream<'a> {
    pub(super) fn new(out: &'a mut dyn Outgoing, token: Option<Value>) -> Self {
        Self { out, token, state: State::Waiting(None), last: None }
    }

    /// Ends a stream that has begun with the answer; gives the answer back where none has.
    pub(super) fn finish(mut self, answer: Value) -> Option<Value> {
        if matches!(self.state, State::Waiting(_)) {
            return Some(answer);
        }
        self.event(&answer);
        None
    }

    fn event(&mut self, message: &Value) {
        if self.state == State::Open && self.out.write(frame(message).as_bytes()).is_err() {
            self.state = State::Gone;
        }
    }

    fn begin(&mut self) {
        let mut head = Response::new(());
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // Reverse proxies that gather a body before passing it on would turn progress into silence.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        let begun = self.out.begin(head).and_then(|()| self.out.write(b": progress follows\n\n"));
        self.state = if begun.is_ok() { State::Open } else { State::Gone };
    }
}

impl Progress for Stream<'_> {
    fn report(&mut self, done: u32, total: Option<u32>, message: &str) {
        let Some(token) = self.token.clone() else { return };
        // Progress must increase with each report.
        if self.last.is_some_and(|last| done <= last) {
            return;
        }
        self.last = Some(done);
        let mut params = json!({ "progressToken": token, "progress": done, "message": message });
        if let (Some(total), Some(params)) = (total, params.as_object_mut()) {
            params.insert("total".to_owned(), total.into());
        }
        let report = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
        match &mut self.state {
            State::Waiting(first @ None) => *first = Some(report),
            State::Waiting(Some(first)) => {
                let first = first.take();
                self.begin();
                self.event(&first);
                self.event(&report);
            }
            State::Open => self.event(&report),
            State::Gone => {}
        }
    }
}

/// JSON has no raw line breaks, so one message is always one `data` line.
fn frame(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

#[cfg(test)]
mod tests;
