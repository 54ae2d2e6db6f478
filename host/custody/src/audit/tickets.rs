//! Which tool calls were begun and never came to an outcome, from the lines alone.

use std::collections::{BTreeMap, HashMap};

use super::{Event, Line};

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

/// The open tickets of the lines seen so far.
#[derive(Clone, Debug, Default)]
pub struct Tickets {
    open: BTreeMap<u64, OpenTicket>,
    seq: HashMap<String, u64>,
}

impl Tickets {
    /// Take notice of the next line.
    pub fn observe(&mut self, line: &Line<'_>) {
        let closes = match line.event() {
            Some(Event::ToolInvocation) => line.text("status").as_deref() != Some("pending"),
            Some(Event::OutcomeUnknown) => true,
            _ => return,
        };
        let Some(ticket) = line.text("ticket").map(String::from) else { return };
        if let Some(seq) = self.seq.remove(&ticket) {
            self.open.remove(&seq);
        }
        if !closes {
            self.seq.insert(ticket.clone(), line.seq());
            let tool = line.text("tool").map(String::from);
            self.open.insert(line.seq(), OpenTicket { seq: line.seq(), ticket, tool });
        }
    }

    /// What is still open, in the order of the intents.
    pub fn into_open(self) -> impl Iterator<Item = OpenTicket> {
        self.open.into_values()
    }
}
