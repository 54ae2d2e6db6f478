//! The client of one request, on the wire: progress and messages where it asked for them, questions as its era has them.
//!
//! Nothing said here is data of a call.

use core::cell::{Cell, RefCell};

use serde_json::{Map, Value, json};

use super::asking::Asking;
use super::era;
use super::error::Fault;
use super::levels;
use super::stream::{Outgoing, Stream};
use crate::client::{Client, Question, Unasked};
use crate::ports::Level;

/// What the client of one request has asked to hear, and how it can be reached.
pub(super) struct Conversation<'a> {
    stream: RefCell<Stream<'a>>,
    /// Whether it can read events.
    reads_events: bool,
    /// Where progress is told under this token.
    token: Option<Value>,
    /// Nothing but questions comes before the answer.
    only_questions: bool,
    /// The last progress that was told.
    last: Cell<Option<u32>>,
    /// Messages of this level and above are told.
    least: Option<Level>,
    asking: Asking<'a>,
}

impl<'a> Conversation<'a> {
    /// With the client of a request that a tool, a resource or a prompt answers.
    ///
    /// # Errors
    /// What the request says of progress, levels or replies is not of the form that it must have.
    pub(super) fn new(
        asking: Asking<'a>,
        least: Option<Level>,
        params: &Map<String, Value>,
        reads_events: bool,
        out: &'a mut dyn Outgoing,
    ) -> Result<Self, Fault> {
        let token = progress_token(params)?;
        let stream = RefCell::new(Stream::new(out));
        Ok(Self { stream, reads_events, token, only_questions: false, last: Cell::new(None), least, asking })
    }

    /// The same without progress and messages: nothing but questions comes before the answer.
    pub(super) fn only_questions(self) -> Self {
        Self { token: None, least: None, only_questions: true, ..self }
    }

    /// The questions that the answer puts, where the client comes again with the replies.
    pub(super) fn deferred(&self) -> Option<Map<String, Value>> {
        self.asking.deferred()
    }

    /// Ends a stream that has begun with the answer; gives the answer back where none has.
    pub(super) fn finish(&self, answer: Value) -> Option<Value> {
        self.stream.borrow_mut().finish(answer)
    }
}

impl Client for Conversation<'_> {
    fn progress(&self, done: u32, total: Option<u32>, message: &str) {
        if !self.only_questions {
            self.stream.borrow_mut().under_way();
        }
        let Some(token) = self.token.as_ref().filter(|_| self.reads_events) else { return };
        // Progress must increase with each report.
        if self.last.get().is_some_and(|last| done <= last) {
            return;
        }
        self.last.set(Some(done));
        let mut params = Map::new();
        params.insert("progressToken".to_owned(), token.clone());
        params.insert("progress".to_owned(), done.into());
        if let Some(total) = total {
            params.insert("total".to_owned(), total.into());
        }
        if !message.is_empty() {
            params.insert("message".to_owned(), message.into());
        }
        let report = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
        self.stream.borrow_mut().hold(report);
    }

    fn log(&self, level: Level, message: &str) {
        if self.reads_events && self.least.is_some_and(|least| levels::rank(level) >= levels::rank(least)) {
            let params =
                json!({ "level": levels::name(level), "logger": "aegis-gitea-mcp", "data": message });
            let told = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params });
            self.stream.borrow_mut().send(&told);
        }
    }

    fn ask(&self, questions: &[Question]) -> Result<Vec<Value>, Unasked> {
        self.asking.ask(questions, &mut |request| {
            if self.reads_events {
                self.stream.borrow_mut().send(request);
            }
            self.reads_events
        })
    }
}

/// Longest token, as JSON: reports with a longer one would not be let out before the answer.
const LONGEST_TOKEN: usize = 256;

/// `params._meta.progressToken`, a string or an integer.
fn progress_token(params: &Map<String, Value>) -> Result<Option<Value>, Fault> {
    match era::meta(params).and_then(|meta| meta.get("progressToken")) {
        None => Ok(None),
        Some(token) if token.to_string().len() > LONGEST_TOKEN => {
            Err(Fault::InvalidParams("_meta.progressToken is at most 256 bytes long, as JSON.".to_owned()))
        }
        Some(token) if token.is_string() || token.is_i64() || token.is_u64() => Ok(Some(token.clone())),
        Some(_) => Err(Fault::InvalidParams("_meta.progressToken is a string or an integer.".to_owned())),
    }
}

#[cfg(test)]
mod tests;
