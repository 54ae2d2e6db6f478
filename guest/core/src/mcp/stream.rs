//! Server-sent events on the request that they belong to: what is said before the answer, and then the answer as the
//! last event.
//!
//! A stream begins with the second report of progress, or with the first thing that cannot wait: until then the answer
//! can still be one JSON object with a status that says what happened (a missing scope, no audit trail). Results never
//! leave here before the audit trail has the outcome, because `call` returns only then.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

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
    /// Whether this connection can stay open after the answer.
    fn stays(&self) -> bool {
        true
    }
    /// Gitea is about to be asked: whoever only waits to know that the request was taken can be told.
    fn under_way(&mut self) {}
}

/// Server-sent events for one request.
pub(super) struct Stream<'a> {
    out: &'a mut dyn Outgoing,
    state: State,
}

#[derive(PartialEq)]
enum State {
    /// Nothing sent; holds what can wait.
    Waiting(Option<Value>),
    Open,
    Gone,
}

impl<'a> Stream<'a> {
    pub(super) fn new(out: &'a mut dyn Outgoing) -> Self {
        Self { out, state: State::Waiting(None) }
    }

    /// Ends a stream that has begun with the answer; gives the answer back where none has, or nobody heard it.
    pub(super) fn finish(&mut self, answer: Value) -> Option<Value> {
        if !matches!(self.state, State::Waiting(_)) {
            self.write(&answer);
        }
        if self.state == State::Open { None } else { Some(answer) }
    }

    /// See [`Outgoing::under_way`].
    pub(super) fn under_way(&mut self) {
        self.out.under_way();
    }

    /// Sends a message once another one comes.
    pub(super) fn hold(&mut self, message: Value) {
        match &mut self.state {
            State::Waiting(first @ None) => *first = Some(message),
            State::Waiting(Some(_)) | State::Open | State::Gone => self.send(&message),
        }
    }

    /// Sends a message now; begins the stream where it has not begun.
    pub(super) fn send(&mut self, message: &Value) {
        if let State::Waiting(first) = &mut self.state {
            let first = first.take();
            self.begin();
            if let Some(first) = first {
                self.write(&first);
            }
        }
        self.write(message);
    }

    fn write(&mut self, message: &Value) {
        if self.state == State::Open && self.out.write(frame(message).as_bytes()).is_err() {
            self.state = State::Gone;
        }
    }

    fn begin(&mut self) {
        let begun = self.out.begin(head()).and_then(|()| self.out.write(b": messages follow\n\n"));
        self.state = if begun.is_ok() { State::Open } else { State::Gone };
    }
}

/// Status and headers of a stream.
pub(super) fn head() -> Response<()> {
    let mut head = Response::new(());
    let headers = head.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Reverse proxies that gather a body before passing it on would turn progress into silence.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    head
}

/// JSON has no raw line breaks, so one message is always one `data` line.
pub(super) fn frame(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

#[cfg(test)]
mod tests;
