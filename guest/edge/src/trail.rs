//! The audit log as a file: chained lines appended to `audit.log` in one preopened directory, each synced before
//! its append returns. Whatever is not right with the file stops every append: this module must not repair, cut or
//! skip anything. The format is that of the native host (`docs/audit-format.md`), so `aegis-mcp audit verify` reads
//! it.
//!
//! Runtimes may run many instances beside each other and WASI 0.2 has no file lock, so a lock file taken by
//! exclusive creation makes reading the last line and writing the next one a single step.

use aegis_custody::Timestamp;
use aegis_custody::audit::{Chain, Event, Line, MAX_LINE};
use serde_json::{Map, Value};

/// Name of the log in its directory.
pub(crate) const LOG: &str = "audit.log";

/// Name of the lock file.
pub(crate) const LOCK: &str = "audit.lock";

/// The open log, held by nobody else while this lives.
pub(crate) trait LogFile {
    /// Length in bytes.
    fn size(&self) -> Result<u64, String>;
    /// `length` bytes from `offset`, fewer only at the end.
    fn read(&self, length: u64, offset: u64) -> Result<Vec<u8>, String>;
    /// Write all bytes at `offset`.
    fn write(&self, bytes: &[u8], offset: u64) -> Result<(), String>;
    /// Make what was written durable.
    fn sync(&self) -> Result<(), String>;
}

/// What a new log says about itself in its first line.
pub(crate) struct Genesis {
    pub(crate) log_id: String,
    pub(crate) policy: String,
}

/// Append one line and make it durable; a log without a line is begun first.
///
/// # Errors
/// What is wrong, and what the operator can do. Nothing counts as recorded then.
pub(crate) fn append(
    file: &dyn LogFile,
    now: Timestamp,
    event: Event,
    members: &Map<String, Value>,
    genesis: impl FnOnce() -> Genesis,
) -> Result<(), String> {
    let size = file.size()?;
    let mut chain = chain_at(file, size)?;
    let mut lines = Vec::with_capacity(1024);
    if chain == Chain::EMPTY {
        let Genesis { log_id, policy } = genesis();
        let opening = Map::from_iter([
            ("log_id".to_owned(), log_id.into()),
            ("version".to_owned(), env!("CARGO_PKG_VERSION").into()),
            ("host".to_owned(), "edge".into()),
            ("policy_digest".to_owned(), policy.into()),
        ]);
        chain.seal(&mut lines, now, Event::LogOpen, &opening);
    }
    chain.seal(&mut lines, now, event, members);
    file.write(&lines, size)?;
    file.sync()
}

/// Where the chain stands at the end of the file.
fn chain_at(file: &dyn LogFile, size: u64) -> Result<Chain, String> {
    if size == 0 {
        return Ok(Chain::EMPTY);
    }
    let window = size.min(MAX_LINE as u64);
    let tail = file.read(window, size - window)?;
    if tail.len() as u64 != window {
        return Err(format!("{LOG} could not be read to its end"));
    }
    let damaged = |what: &str| {
        format!(
            "{LOG} {what}; keep it, check it with `aegis-mcp audit verify`, and move it away to begin a new one"
        )
    };
    let lines = tail.strip_suffix(b"\n").ok_or_else(|| damaged("ends within a line"))?;
    let whole = window == size;
    let last = match lines.iter().rposition(|byte| *byte == b'\n') {
        Some(before) => lines.get(before + 1..).unwrap_or_default(),
        None if whole => lines,
        None => return Err(damaged("ends with a line that is too long")),
    };
    let line = Line::parse(last).map_err(|fault| damaged(&format!("ends with a bad line ({fault})")))?;
    Ok(Chain::after(line.seq(), line.hash()))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use aegis_custody::Timestamp;
    use aegis_custody::audit::{Event, Line};
    use serde_json::{Map, Value};

    use super::{Genesis, LogFile, append};

    #[derive(Default)]
    struct Memory {
        bytes: RefCell<Vec<u8>>,
        synced: Cell<usize>,
        fail_write: Cell<bool>,
        fail_sync: Cell<bool>,
    }

    impl LogFile for Memory {
        fn size(&self) -> Result<u64, String> {
            Ok(self.bytes.borrow().len() as u64)
        }
        fn read(&self, length: u64, offset: u64) -> Result<Vec<u8>, String> {
            let (from, length) = (usize::try_from(offset).unwrap(), usize::try_from(length).unwrap());
            Ok(self.bytes.borrow()[from..from + length].to_vec())
        }
        fn write(&self, bytes: &[u8], offset: u64) -> Result<(), String> {
            if self.fail_write.get() {
                return Err("no space".to_owned());
            }
            assert_eq!(offset, self.size()?, "a line was overwritten");
            self.bytes.borrow_mut().extend_from_slice(bytes);
            Ok(())
        }
        fn sync(&self) -> Result<(), String> {
            if self.fail_sync.get() {
                return Err("input/output error".to_owned());
            }
            self.synced.set(self.bytes.borrow().len());
            Ok(())
        }
    }

    fn record(file: &Memory, reason: &str) -> Result<(), String> {
        let members = Map::from_iter([("reason".to_owned(), Value::from(reason))]);
        let genesis = || Genesis { log_id: "0".repeat(32), policy: "p".to_owned() };
        append(file, Timestamp::from_unix_millis(5), Event::AccessDenied, &members, genesis)
    }

    fn holding(bytes: &[u8]) -> Memory {
        Memory { bytes: RefCell::new(bytes.to_vec()), ..Memory::default() }
    }

    #[test]
    fn every_append_is_synced_and_carries_the_chain_on() {
        let file = Memory::default();
        let long = "x".repeat(600);
        for reason in ["one", &long, "three"] {
            assert_eq!(record(&file, reason), Ok(()));
            assert_eq!(file.synced.get(), file.bytes.borrow().len());
        }
        let bytes = file.bytes.borrow().clone();
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let lines: Vec<_> = lines.iter().map(|line| Line::parse(&line[..line.len() - 1]).unwrap()).collect();
        assert_eq!(lines.iter().map(Line::seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(lines[0].event(), Some(Event::LogOpen));
        for pair in lines.windows(2) {
            assert_eq!(pair[1].prev(), pair[0].hash());
        }
    }

    #[test]
    fn a_log_longer_than_one_line_is_continued_from_its_last_line() {
        let file = Memory::default();
        for nth in 0..200 {
            record(&file, &nth.to_string()).unwrap();
        }
        let bytes = file.bytes.borrow().clone();
        assert!(bytes.len() > super::MAX_LINE);
        let last = bytes[..bytes.len() - 1].rsplit(|byte| *byte == b'\n').next().unwrap();
        assert_eq!(Line::parse(last).unwrap().seq(), 201);
    }

    #[test]
    fn a_torn_or_changed_end_stops_every_append_and_is_left_as_it_is() {
        let good = Memory::default();
        record(&good, "one").unwrap();
        let good = good.bytes.borrow().clone();
        let mut changed = good.clone();
        let at = changed.len() - 10;
        changed[at] ^= 1;
        let mut foreign = good.clone();
        foreign.extend_from_slice(b"hello\n");
        let no_line_feed = vec![b'x'; 3 * super::MAX_LINE];
        for bytes in
            [&good[..good.len() - 1], &good[..good.len() - 40], &changed, &foreign, b"\n", &no_line_feed]
        {
            let file = holding(bytes);
            assert!(record(&file, "two").is_err_and(|problem| problem.contains("audit verify")));
            assert_eq!(*file.bytes.borrow(), bytes);
        }
    }

    #[test]
    fn a_failed_write_or_sync_is_a_failed_append() {
        let file = Memory::default();
        file.fail_write.set(true);
        assert_eq!(record(&file, "one"), Err("no space".to_owned()));
        file.fail_write.set(false);
        file.fail_sync.set(true);
        assert_eq!(record(&file, "one"), Err("input/output error".to_owned()));
        assert_eq!(file.synced.get(), 0);
    }
}
