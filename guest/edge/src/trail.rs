//! The audit log: chained lines in `audit.log`, in the format of the native host (`docs/audit-format.md`), so that
//! `aegis-mcp audit verify` reads it.
//!
//! Instances share it by a journal beside it (`aegis_custody::journal`). A line counts when it stands in the journal,
//! durable and at a place in the log that nobody else can have; then it is written to the log. An instance that is
//! killed in between leaves that to the next one, which writes the same bytes to the same place. This module must not
//! repair, cut or skip anything that is not in the journal.

use aegis_custody::Timestamp;
use aegis_custody::audit::{Chain, Event, Line, MAX_LINE};
use aegis_custody::journal::Journal;
use serde_json::{Map, Value};

use crate::directory::{Directory, OpenFile, draft};
use crate::{environment, settings};

/// Name of the log.
const LOG: &str = "audit.log";

/// Name of the journal's directory.
const JOURNAL: &str = "audit";

/// How often a line is begun again because another instance was first.
const TRIES: u32 = 200;

/// Append one line to the audit log in the state directory.
///
/// # Errors
/// What is wrong, and what the operator can do. Nothing counts as recorded then.
pub(crate) fn record(event: Event, members: &Map<String, Value>) -> Result<(), String> {
    let (directory, _) = Directory::within(JOURNAL)?;
    let log = Directory::state()?.file(LOG)?;
    let journal = Journal::new(directory);
    for _ in 0..TRIES {
        let draft = draft();
        let standing = journal.read(&draft).map_err(|fault| fault.to_string())?;
        let mut place = Place::of(&standing.whole, &standing.entries, &log)?;
        let entry = place.extended(environment::now(), event, members, opening);
        if !journal.append(&standing, &entry, &draft).map_err(|fault| fault.to_string())? {
            continue;
        }
        log.write(&place.written, place.begins)?;
        if standing.is_due() {
            log.sync()?;
            if let Err(fault) = journal.fold(&standing, place.whole().as_bytes(), &draft) {
                // The line is durable, and the next one tries again.
                environment::warn("audit_journal_not_folded", &fault.to_string());
            }
        }
        return Ok(());
    }
    Err("other instances were always faster; try again".to_owned())
}

/// Where the log stands by what is in the journal.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// Where in the log the first line is that may not be in it yet.
    begins: u64,
    /// All lines from there on.
    written: Vec<u8>,
    chain: Chain,
}

impl Place {
    fn of(whole: &[u8], entries: &[Vec<u8>], log: &OpenFile) -> Result<Self, String> {
        let size = log.size()?;
        if whole.is_empty() && entries.is_empty() {
            return Ok(Self { begins: size, written: Vec::new(), chain: chain_at(log, size)? });
        }
        let place = Self::recorded(whole, entries)
            .ok_or_else(|| format!("the journal in {JOURNAL} says what no version of this program writes"))?;
        if size < place.begins {
            return Err(format!(
                "{LOG} has {size} bytes and had {}: it was cut or moved. Put it back, or move the directory {JOURNAL} \
                 away with it to begin a new one",
                place.begins
            ));
        }
        Ok(place)
    }

    /// By the journal alone.
    fn recorded(whole: &[u8], entries: &[Vec<u8>]) -> Option<Self> {
        let mut place = match whole {
            b"" => Self { begins: entry(entries.first()?)?.0, written: Vec::new(), chain: Chain::EMPTY },
            whole => {
                let members: Map<String, Value> = serde_json::from_slice(whole).ok()?;
                let last = members.get("last")?.as_str()?;
                let line = Line::parse(last.as_bytes()).ok()?;
                let begins = members.get("size")?.as_u64()?;
                Self { begins, written: Vec::new(), chain: Chain::after(line.seq(), line.hash()) }
            }
        };
        for entry_bytes in entries {
            let (at, lines) = entry(entry_bytes)?;
            if at != place.ends() {
                return None;
            }
            place.written.extend_from_slice(lines);
            let line = Line::parse(last_line(lines)?).ok()?;
            place.chain = Chain::after(line.seq(), line.hash());
        }
        Some(place)
    }

    /// Where the next line goes.
    fn ends(&self) -> u64 {
        self.begins.saturating_add(self.written.len() as u64)
    }

    /// Add a line, after the line that opens a log where this is a new one; the entry for the journal.
    fn extended(
        &mut self,
        now: Timestamp,
        event: Event,
        members: &Map<String, Value>,
        opening: impl FnOnce() -> Map<String, Value>,
    ) -> Vec<u8> {
        let at = self.ends();
        let before = self.written.len();
        if self.chain == Chain::EMPTY {
            self.chain.seal(&mut self.written, now, Event::LogOpen, &opening());
        }
        self.chain.seal(&mut self.written, now, event, members);
        let lines = self.written.get(before..).unwrap_or_default();
        [at.to_string().as_bytes(), b"\n", lines].concat()
    }

    /// What a whole state of the journal says: how long the log is and which line is the last.
    fn whole(&self) -> String {
        let last = last_line(&self.written).map(String::from_utf8_lossy).unwrap_or_default();
        Value::from_iter([("size", Value::from(self.ends())), ("last", Value::from(last))]).to_string()
    }
}

/// What a new log says about itself in its first line.
fn opening() -> Map<String, Value> {
    Map::from_iter([
        ("log_id".to_owned(), environment::random_id().into()),
        ("version".to_owned(), env!("CARGO_PKG_VERSION").into()),
        ("host".to_owned(), "edge".into()),
        ("policy_digest".to_owned(), settings::policy_digest_hex().into()),
    ])
}

/// An entry: where its lines begin in the log, and the lines.
fn entry(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (at, lines) = bytes.split_at_checked(end)?;
    Some((str::from_utf8(at).ok()?.parse().ok()?, lines.get(1..)?))
}

/// The last of whole lines, without its end.
fn last_line(lines: &[u8]) -> Option<&[u8]> {
    let lines = lines.strip_suffix(b"\n")?;
    match lines.iter().rposition(|byte| *byte == b'\n') {
        Some(before) => lines.get(before + 1..),
        None => Some(lines),
    }
}

/// Where the chain stands at the end of a log that has no journal yet.
fn chain_at(log: &OpenFile, size: u64) -> Result<Chain, String> {
    if size == 0 {
        return Ok(Chain::EMPTY);
    }
    let window = size.min(MAX_LINE as u64);
    let tail = log.read(window, size - window)?;
    if tail.len() as u64 != window {
        return Err(format!("{LOG} could not be read to its end"));
    }
    let damaged = |what: &str| {
        format!(
            "{LOG} {what}; keep it, check it with `aegis-mcp audit verify`, and move it away to begin a new one"
        )
    };
    let last = last_line(&tail).ok_or_else(|| damaged("ends within a line"))?;
    let line = Line::parse(last).map_err(|fault| damaged(&format!("ends with a bad line ({fault})")))?;
    Ok(Chain::after(line.seq(), line.hash()))
}

#[cfg(test)]
mod tests {
    use aegis_custody::Timestamp;
    use aegis_custody::audit::{Chain, Event, Line};
    use serde_json::{Map, Value};

    use super::Place;

    fn members(reason: &str) -> Map<String, Value> {
        Map::from_iter([("reason".to_owned(), Value::from(reason))])
    }

    fn opening() -> Map<String, Value> {
        Map::from_iter([("log_id".to_owned(), Value::from("0".repeat(32)))])
    }

    fn add(place: &mut Place, reason: &str) -> Vec<u8> {
        let now = Timestamp::from_unix_millis(5);
        place.extended(now, Event::AccessDenied, &members(reason), opening)
    }

    fn new() -> Place {
        Place { begins: 0, written: Vec::new(), chain: Chain::EMPTY }
    }

    #[test]
    fn whoever_reads_the_journal_goes_on_where_the_last_one_stopped() {
        let mut whole = new();
        let mut entries = Vec::new();
        for reason in ["one", "two", "three"] {
            let mut place = if entries.is_empty() { new() } else { Place::recorded(b"", &entries).unwrap() };
            entries.push(add(&mut place, reason));
            add(&mut whole, reason);
            assert_eq!(place, whole, "another instance would have written something else");
        }
        let text = String::from_utf8(whole.written.clone()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| Line::parse(line.as_bytes()).unwrap()).collect();
        assert_eq!(lines.iter().map(Line::seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(lines[0].event(), Some(Event::LogOpen));
        for pair in lines.windows(2) {
            assert_eq!(pair[1].prev(), pair[0].hash());
        }
    }

    #[test]
    fn a_whole_state_stands_for_all_lines_before_it() {
        let mut before = new();
        add(&mut before, "one");
        let whole = before.whole();
        let mut after = Place::recorded(whole.as_bytes(), &[]).unwrap();
        assert_eq!((after.begins, after.chain), (before.ends(), before.chain));
        let entry = add(&mut after, "two");
        add(&mut before, "two");
        assert_eq!(
            [&before.written[..usize::try_from(after.begins).unwrap()], &after.written].concat(),
            before.written
        );
        assert_eq!(Place::recorded(whole.as_bytes(), &[entry]), Some(after));
    }

    #[test]
    fn a_journal_that_does_not_fit_together_is_none() {
        let mut place = new();
        let (one, two) = (add(&mut place, "one"), add(&mut place, "two"));
        assert!(Place::recorded(b"", &[one.clone(), two.clone()]).is_some());
        for bad in [
            &[two.clone(), one.clone()][..],
            &[one.clone(), one.clone()],
            &[b"hello".to_vec()],
            &[b"0\n".to_vec()],
        ] {
            assert_eq!(Place::recorded(b"", bad), None);
        }
        for whole in [&b"{}"[..], b"x", b"{\"size\":1,\"last\":\"x\"}"] {
            assert_eq!(Place::recorded(whole, &[one.clone()]), None);
        }
    }
}
