//! `aegis:gateway/audit`: no ticket without a durable line, no ticket without an outcome.
//!
//! The guest says what it is about to do; everything that must be true (ids, address, principal, digests) is added
//! here, and each request sent to Gitea by [`crate::ticket`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};
use wasmtime::component::Resource;

use super::identity::{Caller, Principal};
use super::telemetry::{cut, is_name};
use crate::audit::{Entry, Event as AuditEvent};
use crate::component::bindings::aegis::gateway::audit::{
    Argument, ArgumentValue, Cause, Event, Host, HostTicket, Kind, Outcome, Remark, Status, Unavailable,
};
use crate::component::bindings::aegis::gateway::types::Class;
use crate::counters::network_of;
use crate::instance::State;
use crate::shared::Shared;
use crate::sign_in::{READ, WRITE};
use crate::ticket::{Purpose, Record, Ticket, Within};
use crate::trace::{Below, Kind as TraceKind};

/// Longest scalar argument kept, in bytes.
const MAX_SCALAR: usize = 200;
/// Most arguments and paths kept of one call.
const MAX_ITEMS: usize = 50;
/// Longest name, path or ref kept, in bytes.
const MAX_TEXT: usize = 512;
/// Most remarks of one request. An honest guest makes one.
const MAX_REMARKS: u32 = 16;

impl State {
    /// The members that every line of this request carries.
    pub(crate) fn common_members(&self, principal: Option<&Principal>) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("request_id".into(), self.bound.request_id.clone().into());
        members.insert("address".into(), self.bound.address.to_string().into());
        if let Some(principal) = principal {
            members.insert("principal".into(), principal.subject.clone().into());
            put(&mut members, "login", principal.login.as_deref());
            put(&mut members, "client", principal.client.as_deref());
            put(&mut members, "started_by", principal.started_by.as_deref());
            members.insert("scopes".into(), principal.scopes.clone().into());
        }
        members.insert("component".into(), cut(self.bound.guest.digest(), 16).into());
        members.insert("policy".into(), cut(&self.bound.policy.digest, 16).into());
        members
    }

    /// Where a job was refused before it had a ticket, what became of it.
    fn note_job(&self, remark: &Remark) {
        let (Some(principal), Some(tool)) = (self.bound.principal.as_deref(), &remark.tool) else { return };
        let place = remark.owner.as_deref().zip(remark.repo.as_deref());
        if remark.kind == Kind::AccessDenied
            && crate::jobs::ended(&self.shared, principal, tool, place, "refused", Some(&remark.reason))
        {
            self.bound.tickets.tell_of_job();
        }
    }

    /// Whether a line of this reason is written now, or counted as part of a flood from this request's network.
    pub(crate) fn admitted(&self, denial: bool, reason: &str) -> bool {
        let network = Some(network_of(self.bound.address));
        let kind = crate::floods::Kind { denial, reason: reason.to_owned(), network };
        self.shared.floods.admit(kind, Instant::now())
    }
}

impl Host for State {
    async fn intent(
        &mut self,
        caller: Resource<Caller>,
        event: Event,
    ) -> wasmtime::Result<Result<Resource<Ticket>, Unavailable>> {
        let principal = self.table.get(&caller)?.principal.clone();
        let id = crate::shared::random_name();
        let mut common = self.common_members(Some(&principal));
        common.insert("ticket".into(), id.clone().into());
        common.insert("tool".into(), cut(&event.tool, 64).into());
        let mut members = common.clone();
        members.insert("status".into(), "pending".into());
        let purpose = purpose(&event);
        let needed = if purpose.writes { WRITE } else { READ };
        if !principal.scopes.iter().any(|scope| scope == needed) {
            // An honest guest has said so before it asked.
            members.remove("status");
            members.insert("reason".into(), "insufficient_scope".into());
            self.shared.trail.push(Entry { event: AuditEvent::AccessDenied, members });
            return Ok(Err(not_written("the caller does not have the scope")));
        }
        if !principal
            .may_be_in(purpose.repository.as_ref().map(|(owner, repo)| (owner.as_str(), repo.as_str())))
        {
            members.remove("status");
            members.insert("reason".into(), "outside_of_delivery".into());
            self.shared.trail.push(Entry { event: AuditEvent::AccessDenied, members });
            return Ok(Err(not_written("the delivery is about another repository")));
        }
        if purpose.writes && self.shared.trail.space_is_low() {
            members.remove("status");
            members.insert("reason".into(), "audit_space_low".into());
            self.shared.trail.push(Entry { event: AuditEvent::AccessDenied, members });
            let message = "the volume of the audit log is nearly full".into();
            return Ok(Err(Unavailable { cause: Cause::SpaceLow, message }));
        }
        let of_job = crate::jobs::is_run(&principal, &event.tool);
        describe(&mut members, event);
        self.bound.outlet.members(&self.shared, &mut members);
        let shared = self.shared.clone();
        let tickets = self.bound.tickets.clone();
        tickets.opened();
        let trace = self.bound.trace.clone();
        let mut traced = trace.open(Below::Guest, TraceKind::Internal, || Cow::Borrowed("audit intent"));
        traced.set("aegis.ticket", id.as_str());
        let within = Within { tickets: tickets.clone(), outlet: self.bound.outlet.clone(), trace };
        let guard = shared.pending.guard();
        // A task of its own: a client that leaves now must not leave an intent without an outcome.
        let appended = self.shared.runtime.spawn(async move {
            let written = shared.trail.append(Entry { event: AuditEvent::ToolInvocation, members }).await;
            if written.is_err() {
                traced.fail("audit_unavailable");
            }
            drop(traced);
            let answer = match written {
                Ok(_) => {
                    let record = Record::new(id, shared.clone(), within, common, principal, purpose);
                    Ok(Ticket { record: Arc::new(record) })
                }
                Err(error) => {
                    tickets.closed();
                    // The intent may still come to the disk after its caller was refused: say that nothing was done.
                    common.insert("status".into(), "aborted".into());
                    common.insert("reason".into(), "audit_unavailable".into());
                    common.insert("calls".into(), Value::Array(Vec::new()));
                    shared.trail.push(Entry { event: AuditEvent::ToolInvocation, members: common });
                    Err(not_written(error.to_string()))
                }
            };
            drop(guard);
            answer
        });
        match appended.await {
            Ok(Ok(ticket)) => {
                if of_job {
                    // However it ends now, its ticket counts it.
                    self.bound.tickets.tell_of_job();
                }
                if let Some(delivery) = &mut self.bound.delivery {
                    delivery.settle();
                }
                Ok(Ok(self.table.push(ticket)?))
            }
            Ok(Err(unavailable)) => Ok(Err(unavailable)),
            Err(_) => Ok(Err(not_written("the audit task ended"))),
        }
    }

    fn note(&mut self, remark: Remark) -> wasmtime::Result<()> {
        self.bound.remarks = self.bound.remarks.saturating_add(1);
        if self.bound.remarks > MAX_REMARKS {
            tracing::warn!(event = "remark_dropped", request_id = %self.bound.request_id);
            return Ok(());
        }
        self.note_job(&remark);
        if is_name(&remark.reason) {
            self.bound.trace.refused(&remark.reason);
        }
        if !self.admitted(remark.kind == Kind::AccessDenied, cut(&remark.reason, 128)) {
            return Ok(());
        }
        let mut members = self.common_members(self.bound.principal.as_deref());
        members.insert("reason".into(), cut(&remark.reason, 128).into());
        put(&mut members, "tool", remark.tool.as_deref());
        put(&mut members, "owner", remark.owner.as_deref());
        put(&mut members, "repo", remark.repo.as_deref());
        if !remark.paths.is_empty() {
            members.insert("paths".into(), list(&remark.paths));
        }
        let detail: Map<String, Value> = remark
            .detail
            .into_iter()
            .take(MAX_ITEMS)
            .map(|(k, v)| (cut(&k, 64).to_owned(), cut(&v, MAX_SCALAR).into()))
            .collect();
        if !detail.is_empty() {
            members.insert("detail".into(), detail.into());
        }
        self.bound.outlet.members(&self.shared, &mut members);
        let event = match remark.kind {
            Kind::AccessDenied => AuditEvent::AccessDenied,
            Kind::SecurityEvent => AuditEvent::SecurityEvent,
        };
        self.shared.trail.push(Entry { event, members });
        Ok(())
    }
}

impl HostTicket for State {
    fn id(&mut self, ticket: Resource<Ticket>) -> wasmtime::Result<String> {
        Ok(self.table.get(&ticket)?.record.id.clone())
    }

    async fn close(
        &mut self,
        ticket: Resource<Ticket>,
        outcome: Outcome,
    ) -> wasmtime::Result<Result<(), Unavailable>> {
        let record = self.table.get(&ticket)?.record.clone();
        if !record.shut() {
            return Ok(Err(not_written("the ticket is closed already")));
        }
        let status = match outcome.status {
            Status::Success => "success",
            Status::Error => "error",
            Status::Denied => "denied",
        };
        let guard = self.shared.pending.guard();
        let finished = self.shared.runtime.spawn(async move {
            let written = record.finish(status, outcome.reason).await;
            drop(guard);
            written
        });
        let written = finished.await.unwrap_or_else(|_| Err("the audit task ended".to_owned()));
        Ok(written.map_err(not_written))
    }

    fn drop(&mut self, ticket: Resource<Ticket>) -> wasmtime::Result<()> {
        self.table.delete(ticket)?;
        Ok(())
    }
}

/// There is no line, so there is no ticket.
fn not_written(message: impl Into<String>) -> Unavailable {
    Unavailable { cause: Cause::NotWritten, message: message.into() }
}

/// Write down how many remarks were kept back: in windows that are over, or in all.
pub(crate) fn tell_floods(shared: &Shared, now: Option<Instant>) {
    for (kind, suppressed) in shared.floods.over(now) {
        let mut members = Map::new();
        members.insert("reason".into(), kind.reason.into());
        if let Some(network) = kind.network {
            members.insert("address".into(), network.to_string().into());
        }
        members.insert("suppressed".into(), suppressed.into());
        let event = if kind.denial { AuditEvent::AccessDenied } else { AuditEvent::SecurityEvent };
        shared.trail.push(Entry { event, members });
    }
}

/// What the ticket will be good for.
fn purpose(event: &Event) -> Purpose {
    let repository = event.owner.as_ref().zip(event.repo.as_ref());
    Purpose {
        writes: event.class == Class::Write,
        repository: repository.map(|(owner, repo)| (owner.clone(), repo.clone())),
    }
}

/// What the guest says of its call, bounded.
fn describe(members: &mut Map<String, Value>, event: Event) {
    let class = match event.class {
        Class::Read => "read",
        Class::Write => "write",
    };
    members.insert("class".into(), class.into());
    put(members, "owner", event.owner.as_deref());
    put(members, "repo", event.repo.as_deref());
    if !event.paths.is_empty() {
        members.insert("paths".into(), list(&event.paths));
    }
    put(members, "ref", event.ref_.as_deref());
    if !event.arguments.is_empty() {
        let arguments: Map<String, Value> =
            event.arguments.into_iter().take(MAX_ITEMS).map(recorded).collect();
        members.insert("arguments".into(), arguments.into());
    }
}

fn recorded(argument: Argument) -> (String, Value) {
    let value = match argument.value {
        ArgumentValue::Scalar(text) => cut(&text, MAX_SCALAR).into(),
        ArgumentValue::Text(text) => json!({"bytes": text.bytes, "sha256": cut(&text.sha256, 64)}),
    };
    (cut(&argument.name, 64).to_owned(), value)
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        members.insert(name.into(), cut(value, MAX_TEXT).into());
    }
}

fn list(items: &[String]) -> Value {
    items.iter().take(MAX_ITEMS).map(|item| Value::from(cut(item, MAX_TEXT))).collect()
}
