//! `audit`: intents, outcomes and remarks as lines of the log. A ticket exists only after its intent is on disk, and
//! every way a ticket ends leaves a line.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use aegis_custody::audit::Event as Entry;
use serde_json::{Map, Value};

use crate::bindings::aegis::gateway::types::Class;
use crate::bindings::exports::aegis::gateway::audit::{
    Argument, ArgumentValue, CallerBorrow, Cause, Event, Guest, GuestTicket, Kind, Outcome, Remark, Status,
    Ticket, Unavailable,
};
use crate::bindings::exports::aegis::gateway::telemetry::Level;
use crate::identity::{Access, Proved};
use crate::{Adapter, environment, identity, settings, telemetry, trail};

/// Longest scalar argument that is recorded, in bytes.
const MAX_SCALAR: usize = 200;

/// One request sent to Gitea on a ticket.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) template: String,
    /// Status of the answer; none where no answer came.
    pub(crate) status: Option<u16>,
}

/// The calls of one ticket, shared with the exchanges under way.
pub(crate) type Calls = Rc<RefCell<Vec<Call>>>;

/// An open or closed ticket.
pub(crate) struct Issued {
    id: String,
    tool: String,
    caller: Map<String, Value>,
    access: Access,
    open: Cell<bool>,
    calls: Calls,
}

impl Issued {
    /// Id, whose access it uses, and calls while the ticket is open; none after.
    pub(crate) fn usable(&self) -> Option<(&str, Access, &Calls)> {
        self.open.get().then_some((self.id.as_str(), self.access, &self.calls))
    }

    fn end(&self, status: &str, reason: Option<&str>) -> Result<(), String> {
        self.open.set(false);
        let calls = self.calls.borrow();
        let mut members = common(&self.id);
        members.extend(self.caller.clone());
        members.insert("ticket".to_owned(), self.id.as_str().into());
        members.insert("tool".to_owned(), self.tool.as_str().into());
        members.insert("status".to_owned(), status.into());
        put(&mut members, "reason", reason);
        members.insert("calls".to_owned(), calls.iter().map(call).collect());
        trail::record(Entry::ToolInvocation, &members)
    }
}

impl GuestTicket for Issued {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn close(&self, outcome: Outcome) -> Result<(), Unavailable> {
        if !self.open.get() {
            return Err(Unavailable { cause: Cause::NotWritten, message: "the ticket is closed".to_owned() });
        }
        let status = match outcome.status {
            Status::Success => "success",
            Status::Error => "error",
            Status::Denied => "denied",
        };
        self.end(status, outcome.reason.as_deref()).map_err(unavailable)
    }
}

impl Drop for Issued {
    fn drop(&mut self) {
        if self.open.get()
            && let Err(message) = self.end("aborted", None)
        {
            let _ = unavailable(message);
        }
    }
}

impl Guest for Adapter {
    type Ticket = Issued;

    fn intent(caller: CallerBorrow<'_>, event: Event) -> Result<Ticket, Unavailable> {
        let proved = caller.get::<Proved>();
        let id = environment::random_id();
        let mut members = common(&id);
        let caller = about(proved);
        members.extend(caller.clone());
        members.insert("ticket".to_owned(), id.as_str().into());
        members.insert("status".to_owned(), "pending".into());
        members.insert("tool".to_owned(), event.tool.as_str().into());
        let class = match event.class {
            Class::Read => "read",
            Class::Write => "write",
        };
        members.insert("class".to_owned(), class.into());
        put(&mut members, "owner", event.owner.as_deref());
        put(&mut members, "repo", event.repo.as_deref());
        put(&mut members, "ref", event.ref_.as_deref());
        members.insert("paths".to_owned(), event.paths.into());
        let arguments: Map<String, Value> = event.arguments.into_iter().map(argument).collect();
        members.insert("arguments".to_owned(), arguments.into());

        trail::record(Entry::ToolInvocation, &members).map_err(unavailable)?;
        Ok(Ticket::new(Issued {
            id,
            tool: event.tool,
            caller,
            access: proved.access,
            open: Cell::new(true),
            calls: Calls::default(),
        }))
    }

    fn note(remark: Remark) {
        let mut members = common(&environment::random_id());
        if let Some(who) = identity::current() {
            members.insert("principal".to_owned(), who.subject.into());
            put(&mut members, "client", who.client.as_deref());
        }
        members.insert("reason".to_owned(), remark.reason.as_str().into());
        put(&mut members, "tool", remark.tool.as_deref());
        put(&mut members, "owner", remark.owner.as_deref());
        put(&mut members, "repo", remark.repo.as_deref());
        members.insert("paths".to_owned(), remark.paths.into());
        let detail: Map<String, Value> =
            remark.detail.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        members.insert("detail".to_owned(), detail.into());
        let entry = match remark.kind {
            Kind::AccessDenied => Entry::AccessDenied,
            Kind::SecurityEvent => Entry::SecurityEvent,
        };
        if let Err(message) = trail::record(entry, &members) {
            telemetry::write(Level::Error, "audit_remark_lost", &[("message", message.as_str())]);
        }
    }
}

/// A line about signing in. `detail` holds names and fingerprints, never a token.
pub(crate) fn on_record(entry: Entry, reason: &str, detail: &[(&str, String)]) {
    let mut members = common(&environment::random_id());
    members.insert("reason".to_owned(), reason.into());
    let detail: Map<String, Value> =
        detail.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    members.insert("detail".to_owned(), detail.into());
    if let Err(message) = trail::record(entry, &members) {
        telemetry::write(Level::Error, "audit_remark_lost", &[("message", message.as_str())]);
    }
}

/// What every line says. The source address and the component's digest are not known here.
fn common(request: &str) -> Map<String, Value> {
    Map::from_iter([
        ("request_id".to_owned(), request.into()),
        ("policy".to_owned(), settings::policy_digest_short().into()),
    ])
}

/// What every line about a proved caller says.
fn about(proved: &Proved) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("principal".to_owned(), proved.who.subject.as_str().into());
    put(&mut members, "client", proved.who.client.as_deref());
    members.insert("scopes".to_owned(), proved.scopes.as_slice().into());
    members
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), value.into());
    }
}

fn argument(argument: Argument) -> (String, Value) {
    let value = match argument.value {
        ArgumentValue::Scalar(text) => {
            text.get(..text.floor_char_boundary(MAX_SCALAR)).unwrap_or_default().into()
        }
        ArgumentValue::Text(text) => Map::from_iter([
            ("bytes".to_owned(), Value::from(text.bytes)),
            ("sha256".to_owned(), Value::from(text.sha256)),
        ])
        .into(),
    };
    (argument.name, value)
}

fn call(call: &Call) -> Value {
    Map::from_iter([
        ("method".to_owned(), Value::from(call.method)),
        ("template".to_owned(), Value::from(call.template.as_str())),
        ("status".to_owned(), Value::from(call.status)),
    ])
    .into()
}

/// The trail cannot be written: said on standard error too, where the operator looks first.
fn unavailable(message: String) -> Unavailable {
    telemetry::write(Level::Error, "audit_unavailable", &[("message", message.as_str())]);
    Unavailable { cause: Cause::NotWritten, message }
}
