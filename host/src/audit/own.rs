//! What the log says of itself before the next entries: a new segment, a clock that stepped, an outage that
//! is over, entries that were lost. It writes nothing.

use aegis_custody::Timestamp;
use aegis_custody::audit::{Checkpoint, Event};
use serde_json::{Map, Value, json};

use super::writer::{Writer, object};

/// The segment before the one that comes next, for its `segment_open`.
pub(super) struct Previous {
    pub(super) name: String,
    pub(super) reason: &'static str,
}

/// Batches failed since the last one that was written.
pub(super) struct Outage {
    pub(super) since: Timestamp,
    pub(super) error: String,
    pub(super) full: bool,
    /// The log has said that the volume is full.
    pub(super) told: bool,
    pub(super) attempts: u64,
}

impl Writer {
    /// The lines that the log itself has to say before the next entries; `fresh` where nothing stands in the
    /// active file yet.
    pub(super) fn own_lines(
        &self,
        now: Timestamp,
        fresh: bool,
        lost: u64,
    ) -> Vec<(Event, Map<String, Value>)> {
        let mut own = Vec::new();
        if let (true, Some(previous)) = (fresh, &self.previous) {
            self.open_segment(previous, &mut own);
        }
        if now < self.last_ts {
            let members = json!({"before": self.last_ts.to_string(), "after": now.to_string()});
            own.push((Event::ClockStep, object(members)));
        }
        if let Some(outage) = &self.outage {
            let event = if outage.full && !outage.told { Event::AuditDiskFull } else { Event::Recovery };
            own.push((
                event,
                object(json!({
                    "cause": "write_failed", "error": outage.error,
                    "since": outage.since.to_string(), "attempts": outage.attempts,
                })),
            ));
        }
        if self.begun() && self.room.low != self.room.told {
            let state = if self.room.low { "low" } else { "enough" };
            own.push((Event::AuditSpace, object(json!({"state": state, "free": self.room.free}))));
        }
        if lost > 0 {
            own.push((Event::LinesLost, object(json!({"count": lost}))));
        }
        own
    }

    /// The beginning of a segment names what came before it: the tree, the key and the last checkpoint, and what is open,
    /// so that a later start need not read the segments before.
    fn open_segment(&self, previous: &Previous, own: &mut Vec<(Event, Map<String, Value>)>) {
        let tree = self.log.tree();
        let members = json!({
            "log_id": self.log_id, "number": self.number, "previous": previous.name,
            "last_seq": tree.size(), "reason": previous.reason,
            "tree": tree.peaks().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "key": self.key.as_ref().map(ToString::to_string),
            "signed": signed(self.checkpoints.last()),
            "open_count": self.tickets.count(),
        });
        let (mut members, mut lists) = (object(members), self.tickets.carried().into_iter());
        if let Some(list) = lists.next() {
            members.insert("open".to_owned(), list);
        }
        own.push((Event::SegmentOpen, members));
        own.extend(lists.map(|list| (Event::OpenTickets, object(json!({"open": list})))));
    }
}

/// How a line tells of the last checkpoint.
pub(super) fn signed(last: Option<&Checkpoint>) -> Value {
    last.map_or(Value::Null, |last| json!({"number": last.number, "size": last.size}))
}
