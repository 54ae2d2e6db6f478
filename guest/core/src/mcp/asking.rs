//! Questions to the client, as its era has them.
//!
//! Modern clients get the questions as the answer and come again with the replies; what was put, and what was replied
//! so far, travels with them, sealed: bound to the caller, the client, the method and its arguments, over in five
//! minutes, and good once. Legacy clients get the questions on the stream of their request and post the replies while
//! it waits. Nothing here judges a reply beyond its form.

use core::cell::{OnceCell, RefCell};

use serde_json::{Map, Value, json};

use super::era;
use super::error::Fault;
use crate::audit;
use crate::client::{Question, Unasked};
use crate::ports::{Caller, Purpose, Seal};

/// How long a modern client may take, and how long sealed replies are good, in seconds.
const STATE_SECONDS: u32 = 300;
/// How long a legacy client may take, in seconds.
const REPLY_SECONDS: u32 = 120;

/// How the client of a request is asked.
pub(super) enum Asking<'a> {
    /// It comes again.
    Again(Again<'a>),
    /// On the stream of its request.
    Meanwhile(&'a dyn Caller),
}

impl<'a> Asking<'a> {
    /// A modern client's request of this method.
    ///
    /// # Errors
    /// What it came back with is not of the form that it must have.
    pub(super) fn again(
        seal: &'a dyn Seal,
        client: Option<&str>,
        method: &str,
        params: &Map<String, Value>,
    ) -> Result<Self, Fault> {
        Ok(Self::Again(Again {
            seal,
            context: context(client, method, params),
            capabilities: era::client_capabilities(params).cloned().unwrap_or_default(),
            replies: replies(params)?,
            state: state(params)?,
            opened: OnceCell::new(),
            known: RefCell::default(),
            deferred: RefCell::default(),
        }))
    }

    /// The replies to all questions; `send` puts a request on the stream and says whether the client reads it.
    pub(super) fn ask(
        &self,
        questions: &[Question],
        send: &mut dyn FnMut(&Value) -> bool,
    ) -> Result<Vec<Value>, Unasked> {
        match self {
            Self::Again(again) => again.ask(questions),
            Self::Meanwhile(caller) => {
                questions.iter().map(|question| meanwhile(*caller, question, send)).collect()
            }
        }
    }

    /// The questions that the answer puts: `inputRequests` and `requestState`.
    pub(super) fn deferred(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Again(again) => again.deferred.borrow_mut().take(),
            Self::Meanwhile(_) => None,
        }
    }
}

/// A request that may be the second one of its kind.
pub(super) struct Again<'a> {
    seal: &'a dyn Seal,
    /// What the replies are for.
    context: String,
    capabilities: Map<String, Value>,
    /// Replies in this request.
    replies: Map<String, Value>,
    /// What was handed out with the questions.
    state: Option<String>,
    /// The same, opened: the replies of earlier rounds, or nothing where there were no questions.
    opened: OnceCell<Result<Option<Map<String, Value>>, Unasked>>,
    /// Replies that have been used.
    known: RefCell<Map<String, Value>>,
    deferred: RefCell<Option<Map<String, Value>>>,
}

impl Again<'_> {
    fn ask(&self, questions: &[Question]) -> Result<Vec<Value>, Unasked> {
        let earlier = self.opened.get_or_init(|| self.open()).clone()?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for question in questions {
            match self.reply(question, earlier.as_ref()) {
                Some(reply) => found.push(reply),
                None => missing.push(question),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(self.defer(&missing)) }
    }

    /// The reply to a question, from this request or from an earlier round.
    fn reply(&self, question: &Question, earlier: Option<&Map<String, Value>>) -> Option<Value> {
        let told = self.replies.get(question.key).filter(|_| earlier.is_some() || !question.bound);
        let reply = told.or_else(|| earlier?.get(question.key)).filter(|reply| question.input.fits(reply))?;
        self.known.borrow_mut().insert(question.key.to_owned(), reply.clone());
        Some(reply.clone())
    }

    fn open(&self) -> Result<Option<Map<String, Value>>, Unasked> {
        let Some(state) = &self.state else { return Ok(None) };
        let opened = self.seal.open(Purpose::Confirmation, state).map_err(|_| Unasked::Stale)?;
        let Ok(Value::Object(mut carried)) = serde_json::from_slice(&opened) else {
            return Err(Unasked::Stale);
        };
        match (carried.remove("for"), carried.remove("replies")) {
            (Some(Value::String(context)), Some(Value::Object(replies))) if context == self.context => {
                Ok(Some(replies))
            }
            _ => Err(Unasked::Stale),
        }
    }

    /// Make an answer of the questions that are left.
    fn defer(&self, missing: &[&Question]) -> Unasked {
        let undeclared = missing.iter().find(|question| !question.input.is_declared(&self.capabilities));
        if let Some(question) = undeclared {
            return Unasked::Undeclared(question.input.capability());
        }
        let carried = json!({ "for": self.context, "replies": *self.known.borrow() }).to_string();
        let Some(state) = self.seal.seal(Purpose::Confirmation, carried.as_bytes(), STATE_SECONDS) else {
            return Unasked::Unreachable;
        };
        let requests = missing.iter().map(|question| {
            let request = json!({ "method": question.input.method(), "params": question.input.params() });
            (question.key.to_owned(), request)
        });
        let mut deferred = Map::new();
        deferred.insert("inputRequests".to_owned(), requests.collect::<Map<_, _>>().into());
        deferred.insert("requestState".to_owned(), state.into());
        *self.deferred.borrow_mut() = Some(deferred);
        Unasked::Deferred
    }
}

/// What replies are for: who asks, for what. Another argument makes another call.
fn context(client: Option<&str>, method: &str, params: &Map<String, Value>) -> String {
    let named = ["name", "uri", "arguments"].map(|key| params.get(key));
    audit::digest(json!([client, method, named]).to_string().as_bytes())
}

fn replies(params: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    match params.get("inputResponses") {
        None => Ok(Map::new()),
        Some(Value::Object(replies)) => Ok(replies.clone()),
        Some(_) => Err(Fault::InvalidParams("params.inputResponses is an object.".to_owned())),
    }
}

fn state(params: &Map<String, Value>) -> Result<Option<String>, Fault> {
    match params.get("requestState") {
        None => Ok(None),
        Some(Value::String(state)) => Ok(Some(state.clone())),
        Some(_) => Err(Fault::InvalidParams("params.requestState is a string.".to_owned())),
    }
}

/// Ask on the stream of the request, and wait.
fn meanwhile(
    caller: &dyn Caller,
    question: &Question,
    send: &mut dyn FnMut(&Value) -> bool,
) -> Result<Value, Unasked> {
    let pending = caller.ask(REPLY_SECONDS).map_err(Unasked::Busy)?;
    let request = json!({
        "jsonrpc": "2.0",
        "id": pending.id(),
        "method": question.input.method(),
        "params": question.input.params(),
    });
    if !send(&request) {
        return Err(Unasked::Unreachable);
    }
    let reply = pending.reply().ok_or(Unasked::NoReply)?;
    let mut reply: Value = super::json::parse(&reply).map_err(|_| Unasked::Refused)?;
    if reply.get("error").is_some() {
        return Err(Unasked::Refused);
    }
    let result = reply.get_mut("result").map(Value::take).ok_or(Unasked::Refused)?;
    if question.input.fits(&result) { Ok(result) } else { Err(Unasked::Refused) }
}

#[cfg(test)]
mod tests;
