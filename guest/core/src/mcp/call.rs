//! The path of every tool call, from its name to an answer that may leave.
//!
//! Nothing is asked of Gitea before the intent is durable, and no result leaves before its outcome is. This
//! module speaks neither JSON-RPC nor HTTP: it must not know how an answer or a refusal looks on the wire.

mod confirm;
mod error;
#[cfg(test)]
mod tests;
pub(super) mod withheld;

use serde_json::{Map, Value};

use crate::access::{self, Asked, Ground, Permit, Target};
use crate::audit;
use crate::client::{Client, Unasked};
use crate::offer::Offer;
use crate::ports::{Caller, Cause, Claims, Outcome, Ports, Status, Ticket};
use crate::reply::Screen;
use crate::selection::{LeftOut, Selection};
use crate::settings::Config;
use crate::tools::kit::{Entry, Prepared};

pub use crate::reply::Finished;
pub use error::CallError;

/// Everything a tool call of one request stands on.
pub struct Session<'a> {
    /// What the world offers.
    pub ports: Ports<'a>,
    /// The settings in force.
    pub config: &'a Config,
    /// What there is.
    pub offer: &'a Offer,
    /// What the client wants of it.
    pub selection: Selection,
    /// Who calls.
    pub caller: &'a dyn Caller,
    /// What is known about them.
    pub claims: &'a Claims,
    /// The id of the HTTP request.
    pub request_id: &'a str,
}

/// What came of a call.
pub struct Called {
    /// Joins the answer, the audit lines and the requests sent to Gitea: the ticket's id where a ticket was
    /// given, else the request id.
    pub correlation_id: String,
    /// An answer that may leave, or why there is none.
    pub result: Result<Finished, CallError>,
}

/// Run one tool call. Every audit line and the metric of the call are written here.
pub fn call(session: &Session<'_>, tool: &str, arguments: Option<Value>, client: &dyn Client) -> Called {
    let clock = session.ports.clock;
    let started = clock.monotonic_microseconds();
    let mut correlation_id = session.request_id.to_owned();
    let known = session.offer.tools.find(tool);
    let result = match known {
        None => Err(unknown_tool(session, tool)),
        Some(entry) => journey(session, entry, arguments, client, &mut correlation_id),
    };
    let elapsed = clock.monotonic_microseconds().saturating_sub(started);
    // A name that a client made up must not become a label: it could be anything.
    session.ports.telemetry.tool_call(known.map_or("unknown", Entry::name), label(&result), elapsed);
    Called { correlation_id, result }
}

fn journey(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    arguments: Option<Value>,
    client: &dyn Client,
    correlation_id: &mut String,
) -> Result<Finished, CallError> {
    selected(session, entry)?;
    let effect = confirm::effect(session, entry, arguments.as_ref());
    let (arguments, show_withheld) =
        withheld::asked(session.config, entry, arguments).map_err(|error| invalid(session, entry, &error))?;
    let mut prepared = parse(session, entry, arguments)?;
    let touched = prepared.target().recorded();
    let mut permit = permit_for(session, entry, &prepared.target())?;

    let mut recorded = prepared.recorded();
    recorded.extend(show_withheld.then(withheld::recorded));
    if let Some(confirmed) = confirm::ask(session, entry, effect, &touched, client)? {
        recorded.push(confirmed);
        // Somebody took their time: what is in force now decides.
        permit = permit_for(session, entry, &prepared.target())?;
    }
    prepared.inquire(client).map_err(|unasked| unasked_for(session, entry, unasked, &touched))?;

    let event = audit::event(entry.name(), entry.class(), &touched, recorded);
    let ticket = session.caller.intent(&event).map_err(|unavailable| match unavailable.cause {
        Cause::NotWritten => CallError::AuditUnavailable,
        Cause::SpaceLow => CallError::AuditSpaceLow,
    })?;
    *correlation_id = ticket.id();

    let answer = run(session, prepared, permit, &*ticket, client, show_withheld);

    let closed = ticket.close(&outcome(&answer));
    match closed {
        Ok(()) => answer,
        // What is not on record must not be known: even a refusal by Gitea tells something.
        Err(_) => Err(CallError::OutcomeNotRecorded { class: entry.class(), correlation_id: ticket.id() }),
    }
}

/// Why settings or the client's own headers leave a tool out, if they do.
pub(super) fn left_out(session: &Session<'_>, entry: &dyn Entry) -> Option<LeftOut> {
    session.selection.left_out(&session.config.tools, session.offer.tools, entry)
}

fn selected(session: &Session<'_>, entry: &dyn Entry) -> Result<(), CallError> {
    let Some(left_out) = left_out(session, entry) else { return Ok(()) };
    let note = audit::denied(left_out.reason(), Some(entry.name()), None, &[left_out.detail()]);
    session.ports.audit.note(&note);
    let message = Screen::new(session.config).message(&left_out.message(entry.name()));
    Err(CallError::Denied { reason: left_out.reason(), message })
}

fn parse(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    arguments: Option<Value>,
) -> Result<Box<dyn Prepared>, CallError> {
    let map = match arguments {
        None => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(invalid(session, entry, "`arguments` must be a JSON object")),
    };
    entry.parse(map).map_err(|error| invalid(session, entry, &error.to_string()))
}

/// The refusal of arguments, on record.
fn invalid(session: &Session<'_>, entry: &dyn Entry, message: &str) -> CallError {
    let message = Screen::new(session.config).message(message);
    let detail = [("argument".to_owned(), message.clone())];
    session.ports.audit.note(&audit::denied("invalid_arguments", Some(entry.name()), None, &detail));
    CallError::InvalidArguments { message }
}

fn permit_for(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    target: &Target<'_>,
) -> Result<Permit, CallError> {
    let asked = Asked { tool: entry.name(), class: entry.class(), target };
    access::decide(session.ports.settings, session.config, session.claims, &asked).map_err(|refused| {
        let note =
            audit::denied(refused.reason(), Some(entry.name()), Some(&target.recorded()), &refused.detail());
        session.ports.audit.note(&note);
        CallError::refused(&refused, &Screen::new(session.config))
    })
}

fn run(
    session: &Session<'_>,
    prepared: Box<dyn Prepared>,
    permit: Permit,
    ticket: &dyn Ticket,
    client: &dyn Client,
    show_withheld: bool,
) -> Result<Finished, CallError> {
    let screen = Screen::new(session.config);
    let ground = Ground {
        settings: session.ports.settings,
        cache: session.ports.cache,
        limits: session.ports.limits,
        clock: session.ports.clock,
        client,
        telemetry: session.ports.telemetry,
        config: session.config,
        login: session.claims.login.as_deref(),
        show_withheld,
    };
    match prepared.run(permit.open(ticket, ground)) {
        Ok(reply) => Ok(screen.finish(reply)),
        Err(error) => Err(CallError::failed(&error, &screen).under(&ticket.id())),
    }
}

/// The client could not be asked. That it is to come again is no refusal.
fn unasked_for(
    session: &Session<'_>,
    entry: &'static dyn Entry,
    unasked: Unasked,
    touched: &audit::Touched,
) -> CallError {
    let error = CallError::unasked(unasked);
    if !matches!(error, CallError::Deferred) {
        session.ports.audit.note(&audit::denied(error.reason(), Some(entry.name()), Some(touched), &[]));
    }
    error
}

fn unknown_tool(session: &Session<'_>, tool: &str) -> CallError {
    let name = Screen::new(session.config).message(tool);
    session.ports.audit.note(&audit::denied("unknown_tool", Some(&name), None, &[]));
    CallError::UnknownTool { name }
}

fn outcome(answer: &Result<Finished, CallError>) -> Outcome {
    match answer {
        Ok(_) => Outcome { status: Status::Success, reason: None },
        Err(error) => Outcome { status: error.status(), reason: Some(error.reason().to_owned()) },
    }
}

fn label(result: &Result<Finished, CallError>) -> &'static str {
    match result.as_ref().map_err(CallError::status) {
        Ok(_) | Err(Status::Success) => "success",
        Err(Status::Denied) => "denied",
        Err(Status::Error) => "error",
    }
}
