//! Lines of a log as rows: intent and outcome of a call are one row, joined by their ticket. What waits for its other half
//! is bounded, so that a log of any size can be read. It decides nothing about which rows are shown.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;

use aegis_custody::Timestamp;
use aegis_custody::audit::{Event, Line};
use serde_json::Value;

use super::said;

/// Most calls that wait for their outcome; the oldest is given up for a further one. No server has as many under way.
const WAITING: usize = 4096;
/// How many tickets are remembered after their outcome, for an outcome may stand there twice.
const CLOSED: usize = 4096;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call that was begun.
    Call,
    /// A refusal before that.
    Refusal,
    /// Anything else.
    Event,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Outcome {
    /// It did what was asked.
    Success,
    /// It failed, mostly at Gitea.
    Error,
    /// It was refused.
    Denied,
    /// It ended without an answer: the client left, a deadline passed, the guest failed.
    Aborted,
    /// The server ended before an outcome was recorded.
    Unknown,
    /// No outcome is among the lines: it is under way, or its outcome stands in lines that were not given.
    Open,
}

impl Outcome {
    /// All of them, the good one first.
    pub(super) const ALL: [Self; 6] =
        [Self::Success, Self::Error, Self::Denied, Self::Aborted, Self::Unknown, Self::Open];

    /// The word for it, as it is typed and shown.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Denied => "denied",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
            Self::Open => "open",
        }
    }

    fn of(status: &str) -> Option<Self> {
        match status {
            "success" => Some(Self::Success),
            "error" => Some(Self::Error),
            "denied" => Some(Self::Denied),
            "aborted" => Some(Self::Aborted),
            "pending" => Some(Self::Open),
            _ => None,
        }
    }
}

/// A call, a refusal, or an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The line that it begins with.
    pub(super) seq: u64,
    /// When that was written.
    pub(super) time: Timestamp,
    /// When its intent was written, where that is among the lines.
    pub(super) began: Option<Timestamp>,
    pub(super) kind: Kind,
    /// The event's name, also where this program does not know it.
    pub(super) event: String,
    pub(super) user: Option<String>,
    pub(super) client: Option<String>,
    pub(super) started_by: Option<String>,
    pub(super) tool: Option<String>,
    /// `read` or `write`; a refusal does not say.
    pub(super) class: Option<String>,
    /// `owner/repo`, or one of the two where only one is known.
    pub(super) repository: Option<String>,
    /// What in the repository: paths, numbers, branches.
    pub(super) target: Option<String>,
    pub(super) outcome: Option<Outcome>,
    pub(super) reason: Option<String>,
    /// When its outcome was written.
    pub(super) ended: Option<Timestamp>,
    pub(super) request_id: Option<String>,
    pub(super) ticket: Option<String>,
    pub(super) address: Option<String>,
    /// Requests that were sent to Gitea.
    pub(super) requests: Option<u64>,
    /// How many more of the same kind were counted and not written.
    pub(super) suppressed: u64,
    /// What an event says, in words.
    pub(super) note: Option<String>,
}

impl Row {
    /// A line by itself.
    pub(super) fn of(line: &Line<'_>) -> Self {
        let owned = |name: &str| line.text(name).map(std::borrow::Cow::into_owned);
        let kind = match line.event() {
            Some(Event::ToolInvocation) => Kind::Call,
            Some(Event::AccessDenied) => Kind::Refusal,
            Some(_) | None => Kind::Event,
        };
        let outcome = match kind {
            Kind::Call => line.text("status").and_then(|status| Outcome::of(&status)),
            Kind::Refusal => Some(Outcome::Denied),
            Kind::Event => None,
        };
        let began = (outcome == Some(Outcome::Open)).then(|| line.ts());
        let ended = (kind == Kind::Call && outcome != Some(Outcome::Open)).then(|| line.ts());
        Self {
            seq: line.seq(),
            time: line.ts(),
            began,
            kind,
            event: line.event_name().to_owned(),
            user: owned("principal"),
            client: owned("client"),
            started_by: owned("started_by"),
            tool: owned("tool"),
            class: owned("class"),
            repository: repository(owned("owner"), owned("repo")),
            target: said::target(line),
            outcome,
            reason: owned("reason"),
            ended,
            request_id: owned("request_id"),
            ticket: owned("ticket"),
            address: owned("address"),
            requests: line.value("calls").and_then(|calls| u64::try_from(calls.as_array()?.len()).ok()),
            suppressed: line.number("suppressed").unwrap_or(0),
            note: if kind == Kind::Call { None } else { said::note(line) },
        }
    }

    /// How many it stands for.
    pub(super) fn count(&self) -> u64 {
        self.suppressed.max(1)
    }

    /// From the intent to the outcome, in milliseconds. Clocks may step back: then nothing is known.
    pub(super) fn millis(&self) -> Option<u64> {
        u64::try_from(self.ended?.unix_millis().checked_sub(self.began?.unix_millis())?).ok()
    }

    /// Whether it is one that may change something.
    pub(super) fn writes(&self) -> bool {
        self.class.as_deref() == Some("write")
    }

    /// Take over what the outcome of the call says.
    fn end(&mut self, outcome: Self) {
        self.outcome = outcome.outcome;
        self.reason = outcome.reason;
        self.ended = outcome.ended;
        self.requests = outcome.requests;
    }
}

fn repository(owner: Option<String>, repo: Option<String>) -> Option<String> {
    match (owner, repo) {
        (Some(owner), Some(repo)) => Some(format!("{owner}/{repo}")),
        (owner, repo) => owner.or(repo),
    }
}

/// Where rows go; it says whether more are wanted.
pub(super) type Emit<'a> = dyn FnMut(Row) -> ControlFlow<()> + 'a;

/// Calls whose outcome has not been read yet.
#[derive(Default)]
pub(super) struct Joined {
    /// By the line of the intent.
    waiting: BTreeMap<u64, Row>,
    seqs: HashMap<String, u64>,
    closed: VecDeque<String>,
    /// Outcomes whose intents were not among the lines.
    pub(super) without_intent: u64,
}

impl Joined {
    /// Take the next line; rows that are whole by it go to `emit`.
    pub(super) fn observe(&mut self, line: &Line<'_>, emit: &mut Emit<'_>) -> ControlFlow<()> {
        let row = Row::of(line);
        match (line.event(), row.ticket.as_deref(), row.outcome) {
            (Some(Event::ToolInvocation), Some(ticket), Some(Outcome::Open)) => {
                let ticket = ticket.to_owned();
                self.begin(ticket, row, emit)
            }
            (Some(Event::ToolInvocation), Some(ticket), Some(_)) => {
                let ticket = ticket.to_owned();
                self.end(&ticket, row, emit)
            }
            (Some(Event::OutcomeUnknown), Some(ticket), _) => match self.take(&ticket.to_owned()) {
                Some(mut begun) => {
                    begun.outcome = Some(Outcome::Unknown);
                    emit(begun)
                }
                None => emit(row),
            },
            _ => emit(row),
        }
    }

    /// Give out what has no outcome among the lines.
    pub(super) fn finish(&mut self, emit: &mut Emit<'_>) -> ControlFlow<()> {
        self.seqs.clear();
        std::mem::take(&mut self.waiting).into_values().try_for_each(emit)
    }

    fn begin(&mut self, ticket: String, row: Row, emit: &mut Emit<'_>) -> ControlFlow<()> {
        if let Some(before) = self.seqs.insert(ticket, row.seq)
            && let Some(before) = self.waiting.remove(&before)
        {
            emit(before)?;
        }
        // Lines of two logs may have the same number.
        if let Some(other) = self.waiting.insert(row.seq, row) {
            self.forget(&other);
            emit(other)?;
        }
        if self.waiting.len() > WAITING
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            self.forget(&oldest);
            emit(oldest)?;
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, ticket: &String, row: Row, emit: &mut Emit<'_>) -> ControlFlow<()> {
        if let Some(mut begun) = self.take(ticket) {
            begun.end(row);
            return emit(begun);
        }
        if self.closed.contains(ticket) {
            return ControlFlow::Continue(());
        }
        self.close(ticket.clone());
        self.without_intent = self.without_intent.saturating_add(1);
        emit(row)
    }

    fn take(&mut self, ticket: &String) -> Option<Row> {
        let seq = self.seqs.remove(ticket)?;
        self.close(ticket.clone());
        self.waiting.remove(&seq)
    }

    fn close(&mut self, ticket: String) {
        if self.closed.len() >= CLOSED {
            self.closed.pop_front();
        }
        self.closed.push_back(ticket);
    }

    fn forget(&mut self, row: &Row) {
        if let Some(ticket) = &row.ticket
            && self.seqs.get(ticket) == Some(&row.seq)
        {
            self.seqs.remove(ticket);
        }
    }
}

/// Calls that were begun, for lines that are shown one by one: an outcome says no more than its ticket.
#[derive(Default)]
pub(super) struct Begun {
    rows: HashMap<String, Row>,
    order: VecDeque<String>,
}

impl Begun {
    /// A line by itself; an outcome with what its intent said.
    pub(super) fn row(&mut self, line: &Line<'_>) -> Row {
        let row = Row::of(line);
        let Some(ticket) = row.ticket.clone().filter(|_| row.kind == Kind::Call) else { return row };
        if row.outcome == Some(Outcome::Open) {
            if self.order.len() >= WAITING
                && let Some(oldest) = self.order.pop_front()
            {
                self.rows.remove(&oldest);
            }
            self.rows.insert(ticket.clone(), row.clone());
            self.order.push_back(ticket);
            return row;
        }
        match self.rows.get(&ticket) {
            Some(begun) => {
                let mut both = Row { seq: row.seq, time: row.time, ..begun.clone() };
                both.end(row);
                both
            }
            None => row,
        }
    }
}

/// A row as JSON. Names are those of the columns of CSV.
pub(super) fn json(row: &Row) -> Value {
    let kind = match row.kind {
        Kind::Call => "call",
        Kind::Refusal => "refusal",
        Kind::Event => "event",
    };
    serde_json::json!({
        "time": row.time.to_string(), "seq": row.seq, "kind": kind, "event": row.event,
        "user": row.user, "client": row.client, "started_by": row.started_by, "tool": row.tool, "class": row.class,
        "repository": row.repository, "target": row.target, "outcome": row.outcome.map(Outcome::name),
        "reason": row.reason, "duration_ms": row.millis(), "request_id": row.request_id, "ticket": row.ticket,
        "address": row.address, "requests": row.requests, "count": row.count(), "note": row.note,
    })
}
