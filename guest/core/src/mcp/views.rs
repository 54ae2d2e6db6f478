//! Resources, prompts and suggestions on the wire. What they show of Gitea comes from tool calls of the same caller.
//!
//! Nothing here knows a single resource or prompt, and nothing here reaches Gitea but by [`call`].

use serde_json::{Map, Value, json};

use super::call::{self, CallError, Session};
use super::era::Era;
use super::error::Fault;
use super::methods::{CORRELATION_ID, count, kept, object};
use super::shown::Shown;
use crate::client::{Client, Silent, Unasked};
use crate::completion::{self, Completes, Suggested};
use crate::prompts::{Filled, Prompt};
use crate::reply::Removed;
use crate::resources::{Address, Resource, Unread, Variables};
use crate::tools::{Run, Stopped};

/// Why there is no result.
pub(super) enum Failed {
    /// The message is wrong.
    Fault(Fault),
    /// A call that it needed gave no answer.
    Call { error: Box<CallError>, correlation_id: String },
    /// The client has to be asked first, and was not.
    Unasked(Unasked),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Tools for the caller of this request; keeps why the last one gave nothing.
struct Calls<'a> {
    session: &'a Session<'a>,
    /// The call that the answer is known by.
    correlation_id: String,
    /// What was taken out of all their answers.
    removed: Removed,
    failed: Option<CallError>,
}

impl<'a> Calls<'a> {
    fn of(session: &'a Session<'a>) -> Self {
        Self {
            session,
            correlation_id: session.request_id.to_owned(),
            removed: Removed::default(),
            failed: None,
        }
    }

    fn failure(self, otherwise: Fault) -> Failed {
        match self.failed {
            Some(error) => Failed::Call { error: Box::new(error), correlation_id: self.correlation_id },
            None => Failed::Fault(otherwise),
        }
    }
}

impl Run for Calls<'_> {
    fn run(&mut self, tool: &'static str, arguments: Value) -> Result<Value, Stopped> {
        let called = call::call(self.session, tool, Some(arguments), &Silent);
        self.correlation_id = called.correlation_id;
        match called.result {
            Ok(finished) => {
                self.removed = self.removed.and(finished.removed);
                Ok(finished.structured)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(Stopped)
            }
        }
    }
}

/// `resources/read`.
pub(super) fn resources_read(
    session: &Session<'_>,
    era: Era,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let uri = string(params, "uri")?;
    let missing = || Fault::NoSuchResource(uri.to_owned());
    let (resource, at) = resource(session, uri).ok_or_else(missing)?;
    let mut calls = Calls::of(session);
    // Where one of its calls would be refused for want of its tool, none is made.
    if let Some(missing) = resource.tools().iter().find(|tool| is_left_out(session, tool))
        && calls.run(missing, Value::Null).is_err()
    {
        return Err(calls.failure(Fault::NoSuchResource(uri.to_owned())));
    }
    match resource.read(&at, &mut calls) {
        Ok(contents) => {
            let contents: Vec<Value> = contents.iter().map(|content| content.told(uri)).collect();
            let mut meta = object([
                (CORRELATION_ID, calls.correlation_id.into()),
                ("notice", calls.removed.notice().into()),
            ]);
            count(&mut meta, calls.removed);
            Ok(kept(era, 0, object([("contents", contents.into()), ("_meta", meta.into())])))
        }
        Err(Unread::Missing) => Err(Failed::Fault(missing())),
        // What a person may not see and what is not there look the same in Gitea, and here.
        Err(Unread::Stopped) if matches!(calls.failed, Some(CallError::NotFound { .. })) => {
            Err(Failed::Fault(missing()))
        }
        Err(Unread::Stopped) => Err(calls.failure(missing())),
    }
}

fn is_left_out(session: &Session<'_>, tool: &str) -> bool {
    session.offer.tools.find(tool).is_some_and(|tool| call::left_out(session, tool).is_some())
}

fn resource(session: &Session<'_>, uri: &str) -> Option<(&'static dyn Resource, Variables)> {
    let mut found = session.offer.resources.iter().copied();
    found.find_map(|resource| Some((resource, resource.address().matches(uri)?)))
}

/// Legacy `resources/subscribe` and `resources/unsubscribe`: nothing is kept, since a stream announces what it announces
/// to everybody who listens.
pub(super) fn subscription(
    session: &Session<'_>,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let uri = string(params, "uri")?;
    match resource(session, uri) {
        Some((resource, _)) if resource.watched() => Ok(Map::new()),
        Some(_) => Err(invalid("Changes of this resource are not announced.")),
        None => Err(Fault::NoSuchResource(uri.to_owned())),
    }
}

/// `prompts/get`.
pub(super) fn prompts_get(
    session: &Session<'_>,
    params: &Map<String, Value>,
    client: &dyn Client,
) -> Result<Map<String, Value>, Failed> {
    let prompt = prompt(session, string(params, "name")?)?;
    let none = Map::new();
    let arguments = match params.get("arguments") {
        None => &none,
        Some(Value::Object(arguments)) => arguments,
        Some(_) => return Err(invalid("params.arguments is an object.").into()),
    };
    let filled =
        Filled::of(prompt, arguments, session.config.secret_detection_mode).map_err(Fault::InvalidParams)?;
    let messages = prompt.fill(&filled, client).map_err(Failed::Unasked)?;
    Ok(object([("description", prompt.description().into()), ("messages", messages.into())]))
}

/// The prompt of this name, among those that are shown.
fn prompt(session: &Session<'_>, name: &str) -> Result<&'static dyn Prompt, Failed> {
    let shown = Shown::of(session)?;
    shown.prompts().find(|prompt| prompt.name() == name).ok_or_else(|| {
        let known: Vec<&str> = shown.prompts().map(|prompt| prompt.name()).collect();
        Fault::InvalidParams(format!("There is no prompt of this name; there are: {}.", known.join(", ")))
            .into()
    })
}

/// `completion/complete`. What may not be listed suggests nothing, and says no more than that.
pub(super) fn complete(
    session: &Session<'_>,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Failed> {
    let completes = completed(session, params)?;
    let argument = params.get("argument").and_then(Value::as_object);
    let typed = argument.and_then(|argument| argument.get("value")).and_then(Value::as_str);
    let typed = typed.ok_or_else(|| invalid("params.argument.value is a string and required."))?;
    let context = context(params)?;
    let known = |name: &str| context.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut calls = Calls::of(session);
    let found = match completion::suggest(completes, typed, &known, &mut calls) {
        Ok(found) => found,
        Err(Stopped) => match calls.failed {
            // Only signing in again, or waiting, helps here.
            Some(
                CallError::SignedOut { .. }
                | CallError::InsufficientScope { .. }
                | CallError::AuditUnavailable
                | CallError::AuditSpaceLow
                | CallError::OutcomeNotRecorded { .. },
            ) => return Err(calls.failure(invalid("Nothing can be suggested."))),
            Some(_) | None => Suggested::default(),
        },
    };
    let completion = json!({ "values": found.values, "hasMore": found.more });
    let mut meta = object([("notice", calls.removed.notice().into())]);
    count(&mut meta, calls.removed);
    Ok(object([("completion", completion), ("_meta", meta.into())]))
}

/// `params.context.arguments`: what was filled in before, all texts.
fn context(params: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let wrong = || invalid("params.context.arguments is an object of strings.");
    let arguments = match params.get("context") {
        None => return Ok(Map::new()),
        Some(context) => context.as_object().ok_or_else(wrong)?.get("arguments"),
    };
    let arguments = match arguments {
        None => return Ok(Map::new()),
        Some(arguments) => arguments.as_object().ok_or_else(wrong)?,
    };
    if arguments.values().all(Value::is_string) { Ok(arguments.clone()) } else { Err(wrong()) }
}

/// What is being typed.
fn completed(session: &Session<'_>, params: &Map<String, Value>) -> Result<Completes, Failed> {
    let reference = params.get("ref").and_then(Value::as_object);
    let reference = reference.ok_or_else(|| invalid("params.ref is an object and required."))?;
    let name = params.get("argument").and_then(|argument| argument.get("name")).and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("params.argument.name is a string and required."))?;
    let found = match reference.get("type").and_then(Value::as_str) {
        Some("ref/prompt") => {
            let prompt = prompt(session, string(reference, "name")?)?;
            prompt.blanks().iter().find(|blank| blank.name == name).map(|blank| blank.completes)
        }
        Some("ref/resource") => {
            let uri = string(reference, "uri")?;
            let of_template = |resource: &&&dyn Resource| match resource.address() {
                Address::One(known) | Address::Many(known) => known == uri,
            };
            let resource = session.offer.resources.iter().find(of_template);
            let resource = resource.ok_or_else(|| Fault::NoSuchResource(uri.to_owned()))?;
            let listed = resource.completes().iter().find(|(known, _)| *known == name);
            Some(listed.map_or(Completes::Free, |(_, completes)| *completes))
        }
        _ => return Err(invalid("params.ref.type is ref/prompt or ref/resource.").into()),
    };
    found.ok_or_else(|| invalid("The prompt has no argument of this name.").into())
}

fn string<'p>(params: &'p Map<String, Value>, name: &str) -> Result<&'p str, Fault> {
    let text = params.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Fault::InvalidParams(format!("{name} is a string and required.")))
}

fn invalid(message: &str) -> Fault {
    Fault::InvalidParams(message.to_owned())
}

#[cfg(test)]
mod tests;
