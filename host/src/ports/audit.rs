//! `aegis:gateway/audit`: no ticket without a durable line, no ticket without an outcome.
//!
//! The guest says what it is about to do; everything that must be true (ids, address, principal, digests, each
//! call sent to Gitea) is added here. A ticket that is dropped open is closed as `aborted` by a task of its own,
//! which also waits for a write that is still on its way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use wasmtime::component::Resource;

use super::identity::{Caller, Principal};
use super::telemetry::cut;
use crate::audit::{Entry, Event as AuditEvent};
use crate::component::bindings::aegis::gateway::audit::{
    Argument, ArgumentValue, Event, Host, HostTicket, Kind, Outcome, Remark, Status, Unavailable,
};
use crate::component::bindings::aegis::gateway::types::Class;
use crate::instance::State;
use crate::shared::Shared;

/// Longest scalar argument kept, in bytes.
const MAX_SCALAR: usize = 200;
/// Most arguments and paths kept of one call.
const MAX_ITEMS: usize = 50;
/// Most remarks of one request: the rest is counted in the last.
const MAX_REMARKS: usize = 16;

/// The tickets of one request, as the host sees them from outside the sandbox.
#[derive(Default)]
pub(crate) struct Tickets {
    open: AtomicUsize,
    remarks: AtomicUsize,
    /// A guest left one open. Never unset: the line that closes it must not let the answer go after all.
    left: AtomicBool,
    /// An outcome could not be written.
    lost: AtomicBool,
}

impl Tickets {
    /// Whether the guest closed every ticket and each has its durable outcome.
    pub(crate) fn all_closed(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0 && !self.left.load(Ordering::Acquire)
    }

    /// Whether an outcome is missing because the trail could not take it.
    pub(crate) fn outcome_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}

/// One call sent to Gitea, as the outcome line tells it.
struct Call {
    method: &'static str,
    template: String,
    status: Option<u16>,
}

/// One ticket: what is known of its tool call.
pub(crate) struct Record {
    /// Joins the audit lines, the answer and the requests to Gitea.
    pub(crate) id: String,
    shared: Arc<Shared>,
    tickets: Arc<Tickets>,
    common: Map<String, Value>,
    open: AtomicBool,
    calls: Mutex<Vec<Call>>,
    /// Writes on their way.
    writes: watch::Sender<usize>,
}

impl Record {
    /// Whether Gitea may still be called on this ticket.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Note a call that is about to be sent; its place takes the status later.
    pub(crate) fn call(&self, method: &'static str, template: &str) -> usize {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push(Call { method, template: cut(template, 128).to_owned(), status: None });
        calls.len().saturating_sub(1)
    }

    /// Gitea answered the call in this place.
    pub(crate) fn answered(&self, place: usize, status: u16) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.get_mut(place) {
            call.status = Some(status);
        }
    }

    /// Hold this while a write is on its way; the outcome waits for it.
    pub(crate) fn write_under_way(self: &Arc<Self>) -> WriteUnderWay {
        self.writes.send_modify(|count| *count = count.saturating_add(1));
        WriteUnderWay(self.clone())
    }

    /// Write the outcome line, once. Runs in a task of its own, so that a request that is cut off meanwhile
    /// cannot lose the line.
    async fn finish(
        self: Arc<Self>,
        status: &'static str,
        reason: Option<String>,
    ) -> Result<(), Unavailable> {
        let mut writes = self.writes.subscribe();
        // The sender is in `self`, so this ends only when the count is zero; each write is bounded in time.
        let _ = writes.wait_for(|count| *count == 0).await;
        let mut members = self.common.clone();
        members.insert("status".into(), status.into());
        if let Some(reason) = reason {
            members.insert("reason".into(), cut(&reason, 128).into());
        }
        members.insert("calls".into(), self.calls_json());
        let written = self.shared.trail.append(Entry { event: AuditEvent::ToolInvocation, members }).await;
        match written {
            Ok(_) => {
                self.tickets.open.fetch_sub(1, Ordering::AcqRel);
                Ok(())
            }
            Err(error) => {
                self.tickets.lost.store(true, Ordering::Release);
                tracing::error!(event = "audit_outcome_lost", ticket = %self.id, status, %error);
                Err(Unavailable { message: error.to_string() })
            }
        }
    }

    fn calls_json(&self) -> Value {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls
            .iter()
            .map(|c| json!({"method": c.method, "template": c.template, "status": c.status}))
            .collect()
    }

    /// Close from outside the guest.
    fn abort(self: Arc<Self>) {
        if self.open.swap(false, Ordering::AcqRel) {
            self.tickets.left.store(true, Ordering::Release);
            let guard = self.shared.pending.guard();
            let runtime = self.shared.runtime.clone();
            runtime.spawn(async move {
                let _ = self.finish("aborted", None).await;
                drop(guard);
            });
        }
    }
}

/// A write on its way to Gitea.
pub(crate) struct WriteUnderWay(Arc<Record>);

impl Drop for WriteUnderWay {
    fn drop(&mut self) {
        self.0.writes.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// What a guest holds. Dropped open, it closes as aborted.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Ticket {
    pub(crate) record: Arc<Record>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.record.clone().abort();
    }
}

impl State {
    /// The members that every line of this request carries.
    pub(crate) fn common_members(&self, principal: Option<&Principal>) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("request_id".into(), self.bound.request_id.clone().into());
        members.insert("address".into(), self.bound.address.to_string().into());
        if let Some(principal) = principal {
            members.insert("principal".into(), principal.subject.clone().into());
            members.insert("scopes".into(), principal.scopes.clone().into());
        }
        members.insert("component".into(), cut(&self.shared.component_digest, 16).into());
        members.insert("policy".into(), cut(&self.shared.policy_digest, 16).into());
        members
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
        describe(&mut members, event);
        let shared = self.shared.clone();
        let tickets = self.bound.tickets.clone();
        tickets.open.fetch_add(1, Ordering::AcqRel);
        let guard = shared.pending.guard();
        // A task of its own: a client that leaves now must not leave an intent without an outcome.
        let appended = self.shared.runtime.spawn(async move {
            let written = shared.trail.append(Entry { event: AuditEvent::ToolInvocation, members }).await;
            let answer = match written {
                Ok(_) => {
                    let record = Record {
                        id,
                        shared: shared.clone(),
                        tickets,
                        common,
                        open: AtomicBool::new(true),
                        calls: Mutex::default(),
                        writes: watch::Sender::new(0),
                    };
                    Ok(Ticket { record: Arc::new(record) })
                }
                Err(error) => {
                    tickets.open.fetch_sub(1, Ordering::AcqRel);
                    // The intent may still come to the disk after its caller was refused: say that nothing was done.
                    common.insert("status".into(), "aborted".into());
                    common.insert("reason".into(), "audit_unavailable".into());
                    common.insert("calls".into(), Value::Array(Vec::new()));
                    shared.trail.push(Entry { event: AuditEvent::ToolInvocation, members: common });
                    Err(Unavailable { message: error.to_string() })
                }
            };
            drop(guard);
            answer
        });
        match appended.await {
            Ok(Ok(ticket)) => Ok(Ok(self.table.push(ticket)?)),
            Ok(Err(unavailable)) => Ok(Err(unavailable)),
            Err(_) => Ok(Err(Unavailable { message: "the audit task ended".into() })),
        }
    }

    fn note(&mut self, remark: Remark) -> wasmtime::Result<()> {
        if self.bound.tickets.remarks.fetch_add(1, Ordering::Relaxed) >= MAX_REMARKS {
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
        let detail: Map<String, Value> =
            remark.detail.into_iter().take(MAX_ITEMS).map(|(k, v)| (k, cut(&v, MAX_SCALAR).into())).collect();
        if !detail.is_empty() {
            members.insert("detail".into(), detail.into());
        }
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
        if !record.open.swap(false, Ordering::AcqRel) {
            return Ok(Err(Unavailable { message: "the ticket is closed already".into() }));
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
        Ok(finished.await.unwrap_or_else(|_| Err(Unavailable { message: "the audit task ended".into() })))
    }

    fn drop(&mut self, ticket: Resource<Ticket>) -> wasmtime::Result<()> {
        self.table.delete(ticket)?;
        Ok(())
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
        members.insert(name.into(), value.into());
    }
}

fn list(items: &[String]) -> Value {
    items.iter().take(MAX_ITEMS).map(|item| Value::from(item.as_str())).collect()
}
