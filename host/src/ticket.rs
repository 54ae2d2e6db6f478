//! Tickets as the host sees them: what one tool call may do, what it did, and its outcome line.
//!
//! The guest says what a call is for; what is sent on its ticket must fit that, and is noted here as it was sent.
//! A ticket that is dropped open is closed as `aborted` by a task of its own, which also waits for a write that is
//! still on its way. No outcome is given up: one that cannot be written at once is left with the trail.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::audit::{Entry, Event};
use crate::early::{Early, Leave};
use crate::own::outlet::Outlet;
use crate::ports::identity::Principal;
use crate::ports::telemetry::cut;
use crate::shared::Shared;
use crate::trace::{Below, Kind, Open, Trace};

/// Most requests to Gitea on one ticket: more would not fit into its outcome line.
const MAX_CALLS: usize = 32;
/// Most reads on one ticket that are sent again. They take no room from others.
const MAX_REPEATED: usize = 4;
/// The path that tells whose writes a ticket sends.
const WRITER: &str = "/user";
/// Longest template kept of one request, in bytes.
const MAX_TEMPLATE: usize = 128;

/// The tickets of one request, as the host sees them from outside the sandbox.
#[derive(Default)]
pub(crate) struct Tickets {
    open: AtomicUsize,
    /// A guest left one open. Never unset: the line that closes it must not let the answer go after all.
    left: AtomicBool,
    /// An outcome could not be written.
    lost: AtomicBool,
    /// A change was sent to Gitea.
    wrote: AtomicBool,
    /// It is known what became of a job that this request has run.
    job: AtomicBool,
    /// What has left of this request while one was open.
    early: Early,
}

impl Tickets {
    /// One more is about to be open.
    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    /// One is closed, or never was opened.
    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether the guest closed every ticket and each has its durable outcome.
    pub(crate) fn all_closed(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0 && !self.left.load(Ordering::Acquire)
    }

    /// What becomes of a piece of an answer, or of an event for another stream, now.
    pub(crate) fn judge(&self, piece: &[u8]) -> Leave {
        if self.all_closed() { Leave::Now } else { self.early.judge(piece) }
    }

    /// Whether an outcome is missing because the trail could not take it.
    pub(crate) fn outcome_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// What became of a job is known.
    pub(crate) fn tell_of_job(&self) {
        self.job.store(true, Ordering::Release);
    }

    /// Whether it is known what became of a job.
    pub(crate) fn told_of_job(&self) -> bool {
        self.job.load(Ordering::Acquire)
    }

    /// Whether a change was sent, so that whoever gets no answer must be told.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }
}

/// The request that a ticket is part of.
pub(crate) struct Within {
    /// All its tickets.
    pub(crate) tickets: Arc<Tickets>,
    /// What it sends to Gitea goes through this.
    pub(crate) outlet: Arc<Outlet>,
    /// What is told of it to a collector.
    pub(crate) trace: Trace,
}

/// What the intent line says of a call, and so what its ticket is good for.
pub(crate) struct Purpose {
    /// Whether changes may be sent.
    pub(crate) writes: bool,
    /// The repository that is named, if one is.
    pub(crate) repository: Option<(String, String)>,
}

/// Why a request does not fit its ticket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// A change on the ticket of a read.
    #[error("the ticket is for a read, and this is a change")]
    ReadOnly,
    /// Another repository than the intent names.
    #[error("the request is for another repository than the intent names")]
    OtherRepository,
    /// The ticket is used up.
    #[error("a tool call may send at most {MAX_CALLS} requests")]
    UsedUp,
}

/// One request sent to Gitea, as the outcome line tells it.
struct Call {
    method: &'static str,
    template: String,
    status: Option<u16>,
    /// It was not sent after all.
    taken_back: bool,
}

/// The requests of one ticket.
#[derive(Default)]
struct Calls {
    /// All of them, in order.
    sent: Vec<Call>,
    /// How many of them were sent again.
    repeated: usize,
}

/// One ticket: what is known of its tool call.
pub(crate) struct Record {
    /// Joins the audit lines, the answer and the requests to Gitea.
    pub(crate) id: String,
    shared: Arc<Shared>,
    within: Within,
    common: Map<String, Value>,
    principal: Arc<Principal>,
    purpose: Purpose,
    open: AtomicBool,
    calls: Mutex<Calls>,
    /// Writes on their way.
    writes: watch::Sender<usize>,
}

impl Calls {
    fn note(&mut self, method: &'static str, template: &str) -> usize {
        self.sent.push(Call {
            method,
            template: cut(template, MAX_TEMPLATE).to_owned(),
            status: None,
            taken_back: false,
        });
        self.sent.len().saturating_sub(1)
    }
}

impl Record {
    /// The record of a call whose intent is durable. `common` is what all its lines hold.
    pub(crate) fn new(
        id: String,
        shared: Arc<Shared>,
        within: Within,
        common: Map<String, Value>,
        principal: Arc<Principal>,
        purpose: Purpose,
    ) -> Self {
        let (open, calls, writes) = (AtomicBool::new(true), Mutex::default(), watch::Sender::new(0));
        Self { id, shared, within, common, principal, purpose, open, calls, writes }
    }

    /// Whose call it is.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// What the request sends goes through this.
    pub(crate) fn outlet(&self) -> &Outlet {
        &self.within.outlet
    }

    /// A request to Gitea begins on it: a part of what is told to a collector.
    pub(crate) fn traced(&self, method: &'static str, template: &str) -> Open {
        let name = || Cow::Owned(format!("{method} {}", cut(template, MAX_TEMPLATE)));
        let mut open = self.within.trace.open(Below::Guest, Kind::Client, name);
        open.set("http.request.method", method);
        open.set("url.template", cut(template, MAX_TEMPLATE));
        open.set("aegis.ticket", self.id.as_str());
        open
    }

    /// Whether the call is to change something.
    pub(crate) fn writes(&self) -> bool {
        self.purpose.writes
    }

    /// The repository that a path below `/api/v1` is about: the announced one, or none. Who writes in it is about it too.
    pub(crate) fn repository_of(&self, path: &str) -> Option<(String, String)> {
        (path.starts_with("/repos/") || path == WRITER).then(|| self.purpose.repository.clone()).flatten()
    }

    /// Record that the caller may not do this, for a reason that only the host knows.
    pub(crate) fn deny(&self, reason: &str, detail: &[(&str, &str)]) {
        let mut members = self.common.clone();
        members.insert("reason".into(), reason.into());
        let detail: Map<String, Value> =
            detail.iter().map(|(name, value)| ((*name).to_owned(), cut(value, 256).into())).collect();
        members.insert("detail".into(), detail.into());
        self.shared.trail.push(Entry { event: Event::AccessDenied, members });
    }

    /// Whether Gitea may still be called on this ticket.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Note a request that is about to be sent, `path` being its target without the query; its place takes the
    /// status later.
    ///
    /// # Errors
    /// It is not what the ticket is for.
    pub(crate) fn call(&self, method: &'static str, template: &str, path: &str) -> Result<usize, Unfit> {
        self.fits(method != "GET", path)?;
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.sent.len() >= MAX_CALLS.saturating_add(calls.repeated) {
            return Err(Unfit::UsedUp);
        }
        let place = calls.note(method, template);
        if method != "GET" {
            self.within.tickets.wrote.store(true, Ordering::Release);
        }
        Ok(place)
    }

    /// The request in this place is not sent after all.
    pub(crate) fn take_back(&self, place: usize) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.sent.get_mut(place) {
            call.taken_back = true;
        }
    }

    /// Note that a read of this ticket is about to be sent again; none where it may not be.
    pub(crate) fn again(&self, method: &'static str, template: &str) -> Option<usize> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if method != "GET" || calls.repeated >= MAX_REPEATED {
            return None;
        }
        calls.repeated = calls.repeated.saturating_add(1);
        Some(calls.note(method, template))
    }

    /// What is asked of a repository is asked of the one that was announced, and a change must be announced too.
    /// The path itself is not recorded: it may hold what only the guest can mask.
    fn fits(&self, change: bool, path: &str) -> Result<(), Unfit> {
        if change && !self.purpose.writes {
            return Err(Unfit::ReadOnly);
        }
        let mut segments = path.split('/').skip(1);
        match (segments.next(), segments.next(), segments.next()) {
            (Some("repos"), Some(owner), Some(repo)) => match &self.purpose.repository {
                Some((told, named))
                    if told.eq_ignore_ascii_case(owner) && named.eq_ignore_ascii_case(repo) =>
                {
                    Ok(())
                }
                _ => Err(Unfit::OtherRepository),
            },
            // The ticket would not be there if the principal might not be in its repository.
            (Some("user"), None, None) if !change && self.purpose.repository.is_some() => Ok(()),
            _ if change || !self.principal.may_be_in(None) => Err(Unfit::OtherRepository),
            _ => Ok(()),
        }
    }

    /// Gitea answered the request in this place.
    pub(crate) fn answered(&self, place: usize, status: u16) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.sent.get_mut(place) {
            call.status = Some(status);
        }
    }

    /// Hold this while a write is on its way; the outcome waits for it.
    pub(crate) fn write_under_way(self: &Arc<Self>) -> WriteUnderWay {
        self.writes.send_modify(|count| *count = count.saturating_add(1));
        WriteUnderWay(self.clone())
    }

    /// Close it for the guest; `false` if it was closed before.
    pub(crate) fn shut(&self) -> bool {
        self.open.swap(false, Ordering::AcqRel)
    }

    /// Write the outcome line, once. Runs in a task of its own, so that a request that is cut off meanwhile
    /// cannot lose the line.
    ///
    /// # Errors
    /// The trail cannot take it now; it is left there, marked as late.
    pub(crate) async fn finish(
        self: Arc<Self>,
        status: &'static str,
        reason: Option<String>,
    ) -> Result<(), String> {
        let mut writes = self.writes.subscribe();
        // The sender is in `self`, so this ends only when the count is zero; each write is bounded in time.
        let _ = writes.wait_for(|count| *count == 0).await;
        self.note_job(status, reason.as_deref());
        let outcome = || {
            let mut members = self.common.clone();
            members.insert("status".into(), status.into());
            if let Some(reason) = &reason {
                members.insert("reason".into(), cut(reason, 128).into());
            }
            members.insert("calls".into(), self.calls_json());
            Entry { event: Event::ToolInvocation, members }
        };
        let mut traced =
            self.within.trace.open(Below::Guest, Kind::Internal, || Cow::Borrowed("audit outcome"));
        traced.set("aegis.ticket", self.id.as_str());
        traced.set("aegis.status", status);
        let written = self.shared.trail.append(outcome()).await;
        if written.is_err() {
            traced.fail("audit_unavailable");
        }
        drop(traced);
        let Err(error) = written else {
            self.within.tickets.closed();
            return Ok(());
        };
        self.within.tickets.lost.store(true, Ordering::Release);
        tracing::error!(event = "audit_outcome_late", ticket = %self.id, status, %error);
        let mut late = outcome();
        late.members.insert("late".into(), true.into());
        self.shared.trail.push(late);
        Err(error.to_string())
    }

    /// Where this was a job's call, what became of it.
    fn note_job(&self, status: &'static str, reason: Option<&str>) {
        let tool = self.common.get("tool").and_then(Value::as_str).unwrap_or_default();
        let place = self.purpose.repository.as_ref().map(|(owner, repo)| (owner.as_str(), repo.as_str()));
        if crate::jobs::ended(&self.shared, &self.principal, tool, place, status, reason) {
            self.within.tickets.tell_of_job();
        }
    }

    fn calls_json(&self) -> Value {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let told =
            |call: &Call| json!({"method": call.method, "template": call.template, "status": call.status});
        calls.sent.iter().filter(|call| !call.taken_back).map(told).collect()
    }

    /// Close from outside the guest.
    fn abort(self: Arc<Self>) {
        if self.shut() {
            self.within.tickets.left.store(true, Ordering::Release);
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
