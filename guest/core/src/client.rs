//! The client of a request while it waits: what it is told before the answer, and what it can be asked.
//!
//! Nothing here knows how any of it looks on the wire, or in which era.

use serde_json::{Map, Value, json};

use crate::ports::Level;

/// Whoever waits for an answer.
pub trait Client {
    /// `done` steps of `total` are over, counted from 0; `message` says what happens next and holds no data of the
    /// call.
    fn progress(&self, done: u32, total: Option<u32>, message: &str);

    /// Something that a person who looks for a mistake may want to know; no data of the call.
    fn log(&self, level: Level, message: &str);

    /// Put questions, all at once; the replies in their order, each of the form that its question asks for.
    ///
    /// # Errors
    /// There are no replies, or not yet. Whoever asked gives up and passes this on.
    fn ask(&self, questions: &[Question]) -> Result<Vec<Value>, Unasked>;
}

/// A client that hears nothing and cannot be asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Client for Silent {
    fn progress(&self, _done: u32, _total: Option<u32>, _message: &str) {}

    fn log(&self, _level: Level, _message: &str) {}

    fn ask(&self, _questions: &[Question]) -> Result<Vec<Value>, Unasked> {
        Err(Unasked::Unreachable)
    }
}

/// A question to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What the reply is known by, unique within the call.
    pub key: &'static str,
    /// What is asked.
    pub input: Input,
    /// A reply counts only together with the sealed state that the question was put with. Where something depends on
    /// the question having been put, and put by this server, it is bound.
    pub bound: bool,
}

/// What a client can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Its person fills in a form.
    Elicitation {
        /// What they are asked.
        message: String,
        /// The fields: a flat JSON schema of type object.
        schema: Value,
    },
    /// Its model writes something: the parameters of `sampling/createMessage`.
    Sampling(Value),
    /// Which folders it works in.
    Roots,
}

impl Input {
    /// The method of the protocol.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Self::Elicitation { .. } => "elicitation/create",
            Self::Sampling(_) => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }

    /// The capability that a client declares if it takes this.
    #[must_use]
    pub fn capability(&self) -> &'static str {
        match self {
            Self::Elicitation { .. } => "elicitation",
            Self::Sampling(_) => "sampling",
            Self::Roots => "roots",
        }
    }

    /// Whether a client has declared that it takes this. A client that fills in forms says so by `form`, or by nothing in
    /// particular, as before there was anything else.
    #[must_use]
    pub fn is_declared(&self, capabilities: &Map<String, Value>) -> bool {
        let declared = capabilities.get(self.capability()).and_then(Value::as_object);
        declared.is_some_and(|more| match self {
            Self::Elicitation { .. } => more.is_empty() || more.get("form").is_some_and(Value::is_object),
            Self::Sampling(_) | Self::Roots => true,
        })
    }

    /// Its parameters.
    #[must_use]
    pub fn params(&self) -> Value {
        match self {
            Self::Elicitation { message, schema } => json!({ "message": message, "requestedSchema": schema }),
            Self::Sampling(params) => params.clone(),
            Self::Roots => json!({}),
        }
    }

    /// Whether something has the form of a reply. What it says is for whoever asked.
    #[must_use]
    pub fn fits(&self, reply: &Value) -> bool {
        let is = |name: &str, fits: fn(&Value) -> bool| reply.get(name).is_some_and(fits);
        match self {
            Self::Elicitation { .. } => match reply.get("action").and_then(Value::as_str) {
                Some("accept") => is("content", Value::is_object),
                Some("decline" | "cancel") => true,
                Some(_) | None => false,
            },
            Self::Sampling(_) => {
                is("role", Value::is_string)
                    && is("content", |content| content.is_object() || content.is_array())
            }
            Self::Roots => is("roots", Value::is_array),
        }
    }
}

/// Why there are no replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// The answer to this request puts the questions: the client comes again with the replies.
    Deferred,
    /// The client has not declared this capability.
    Undeclared(&'static str),
    /// Over this connection nobody can be asked.
    Unreachable,
    /// It waits for as many replies as it may; seconds.
    Busy(u32),
    /// Nobody replied in time.
    NoReply,
    /// The client replied with an error, or with something else than was asked for.
    Refused,
    /// What the client came back with was made for another call or caller, is too old, or was used.
    Stale,
}
