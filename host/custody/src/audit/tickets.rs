//! Which tool calls were begun and never came to an outcome, from the lines alone.
//!
//! A segment begins with what the segments before it left open, so the last segment alone answers this. In
//! doubt a ticket counts as open: a call too many is looked into, a call too few is forgotten.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Event, Line};

/// Most open tickets that are known by name; more are counted, so that no log can fill the memory.
const NAMED: usize = 16 * 1024;

/// Most open tickets that one line names. A line has room for them with the longest tool names.
const PER_LINE: usize = 48;

/// Most that `segment_open` names, beside the tree, which has up to 64 hashes.
const FIRST_LINE: usize = 16;

/// Most open tickets that the lines at the beginning of a segment name.
pub const CARRIED: usize = 256;

/// Reason of an outcome that stands for a call refused because its intent could not be recorded: its intent
/// may be missing.
const NOT_RECORDED: &str = "audit_unavailable";

/// Status of an intent.
const PENDING: &str = "pending";

/// An intent without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTicket {
    /// Line of the intent.
    pub seq: u64,
    /// The ticket's id.
    pub ticket: String,
    /// The tool that was called, where the line says so.
    pub tool: Option<String>,
}

impl OpenTicket {
    /// The ticket as the log names it: `ticket`, `intent_seq` and `tool`.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({"ticket": self.ticket, "intent_seq": self.seq, "tool": self.tool})
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(Self {
            seq: value.get("intent_seq")?.as_u64()?,
            ticket: value.get("ticket")?.as_str()?.to_owned(),
            tool: value.get("tool").and_then(Value::as_str).map(str::to_owned),
        })
    }
}

/// The open tickets after the lines seen so far.
#[derive(Clone, Debug, Default)]
pub struct Tickets {
    named: HashMap<String, OpenTicket>,
    /// Open tickets whose ids are not known here.
    unnamed: u64,
    /// A line was seen: what a segment says of the segments before it is known better already.
    begun: bool,
}

/// What a line that was read apart says of tickets, see [`super::Piece`].
#[derive(Debug)]
pub struct Told(Option<Box<Said<'static>>>);

impl Told {
    /// Of a line that says nothing of tickets, or is observed whole.
    pub(super) const NOTHING: Self = Self(None);

    pub(super) fn of(line: &Line<'_>) -> Self {
        let tells = matches!(line.event(), Some(Event::ToolInvocation | Event::OutcomeUnknown));
        Self(line.event().filter(|_| tells).map(|event| Box::new(Said::of(line, event).kept())))
    }
}

/// What a line says of a ticket.
#[derive(Debug)]
struct Said<'a> {
    seq: u64,
    event: Event,
    ticket: Option<Cow<'a, str>>,
    tool: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    reason: Option<Cow<'a, str>>,
    late: bool,
    count: u64,
}

impl<'a> Said<'a> {
    fn of(line: &Line<'a>, event: Event) -> Self {
        Self {
            seq: line.seq(),
            event,
            ticket: line.text("ticket"),
            tool: line.text("tool"),
            status: line.text("status"),
            reason: line.text("reason"),
            late: line.value("late") == Some(Value::Bool(true)),
            count: line.number("count").unwrap_or(0),
        }
    }

    fn kept(self) -> Said<'static> {
        let kept = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        let Self { seq, event, ticket, tool, status, reason, late, count } = self;
        // Only an intent is remembered with its tool.
        let tool = tool.filter(|_| status.as_deref() == Some(PENDING));
        let status = if status.as_deref() == Some(PENDING) { Some(Cow::Borrowed(PENDING)) } else { None };
        let reason =
            if reason.as_deref() == Some(NOT_RECORDED) { Some(Cow::Borrowed(NOT_RECORDED)) } else { None };
        Said { seq, event, ticket: kept(ticket), tool: kept(tool), status, reason, late, count }
    }
}

impl Tickets {
    /// Take notice of the next line of a log.
    pub fn observe(&mut self, line: &Line<'_>) {
        let begun = std::mem::replace(&mut self.begun, true);
        let Some(event) = line.event() else { return };
        if matches!(event, Event::SegmentOpen | Event::OpenTickets) {
            if !begun {
                self.unnamed = line.number("open_count").unwrap_or(0);
            }
            return self.name(line.value("open"));
        }
        self.take(Said::of(line, event));
    }

    /// Take notice of the next line of a log, which was read apart; not for `segment_open` and `open_tickets`, which are
    /// [observed](Self::observe) whole.
    pub fn hear(&mut self, told: Told) {
        self.begun = true;
        if let Some(said) = told.0 {
            self.take(*said);
        }
    }

    /// Take notice of an entry that became the line of that number; for a writer, which need not read back
    /// what it wrote. It is not for `segment_open` and `open_tickets`, which the writer makes from this.
    pub fn record(&mut self, seq: u64, event: Event, members: &Map<String, Value>) {
        self.begun = true;
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(Cow::Borrowed);
        self.take(Said {
            seq,
            event,
            ticket: text("ticket"),
            tool: text("tool"),
            status: text("status"),
            reason: text("reason"),
            late: members.get("late") == Some(&Value::Bool(true)),
            count: members.get("count").and_then(Value::as_u64).unwrap_or(0),
        });
    }

    /// How many are open, by name or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.unnamed.saturating_add(u64::try_from(self.named.len()).unwrap_or(u64::MAX))
    }

    /// How many of them are counted only.
    #[must_use]
    pub fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// Those known by name, in the order of the intents.
    #[must_use]
    pub fn named(&self) -> Vec<&OpenTicket> {
        let mut named: Vec<&OpenTicket> = self.named.values().collect();
        named.sort_by(|a, b| (a.seq, &a.ticket).cmp(&(b.seq, &b.ticket)));
        named
    }

    /// What a new segment says of what is open: the lists for `open`, the first of which goes into
    /// `segment_open` and each further one into a line `open_tickets` of its own. At most [`CARRIED`] tickets
    /// are named; [`Self::count`] covers the rest.
    #[must_use]
    pub fn carried(&self) -> Vec<Value> {
        let named: Vec<Value> = self.named().into_iter().take(CARRIED).map(OpenTicket::json).collect();
        let (first, more) = named.split_at(named.len().min(FIRST_LINE));
        let lists = (!first.is_empty()).then_some(first).into_iter().chain(more.chunks(PER_LINE));
        lists.map(|some| Value::from(some.to_vec())).collect()
    }

    /// Learn names of tickets that were only counted before.
    fn name(&mut self, list: Option<Value>) {
        let Some(Value::Array(items)) = list else { return };
        for open in items.iter().filter_map(OpenTicket::from_json) {
            if self.unnamed > 0 && self.named.len() < NAMED && !self.named.contains_key(&open.ticket) {
                self.unnamed -= 1;
                self.named.insert(open.ticket.clone(), open);
            }
        }
    }

    fn take(&mut self, said: Said<'_>) {
        let pending = said.status.as_deref() == Some(PENDING);
        match (said.event, &said.ticket) {
            (Event::ToolInvocation, Some(ticket)) if pending => {
                let ticket = ticket.clone().into_owned();
                if self.named.len() >= NAMED && !self.named.contains_key(&ticket) {
                    self.unnamed = self.unnamed.saturating_add(1);
                } else {
                    let tool = said.tool.map(Cow::into_owned);
                    self.named.insert(ticket.clone(), OpenTicket { seq: said.seq, ticket, tool });
                }
            }
            (Event::ToolInvocation, Some(ticket)) => {
                // An outcome of one that was only counted, unless it may be the second of its ticket or one
                // whose intent never came to the disk.
                let sure = !said.late && said.reason.as_deref() != Some(NOT_RECORDED);
                if self.named.remove(ticket.as_ref()).is_none() && sure {
                    self.unnamed = self.unnamed.saturating_sub(1);
                }
            }
            (Event::OutcomeUnknown, Some(ticket)) => {
                self.named.remove(ticket.as_ref());
            }
            (Event::OutcomeUnknown, None) => self.unnamed = self.unnamed.saturating_sub(said.count),
            _ => {}
        }
    }
}
