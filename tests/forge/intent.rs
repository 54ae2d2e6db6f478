//! Intent before action: the audit file must already hold, on disk, the pending line of the ticket that a request
//! names. Reads the file from where it stopped last; follows a rotation; never writes.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What was read of an audit file so far.
#[derive(Debug)]
pub struct Intents {
    path: PathBuf,
    open: Option<(File, u64)>,
    unfinished: Vec<u8>,
    pending: HashSet<String>,
}

impl Intents {
    /// Watch a file, which need not exist yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, open: None, unfinished: Vec::new(), pending: HashSet::new() }
    }

    /// Whether the file holds an intent for this ticket by now.
    pub fn holds(&mut self, ticket: &str) -> bool {
        self.pending.contains(ticket) || {
            self.read_on();
            self.pending.contains(ticket)
        }
    }

    fn read_on(&mut self) {
        // What the old file got before it was renamed away belongs to it: finish it first.
        if let Some((file, _)) = &mut self.open {
            let mut more = Vec::new();
            if file.read_to_end(&mut more).is_ok() {
                self.take(&more);
            }
        }
        let Ok(now) = std::fs::metadata(&self.path) else { return };
        let read = self.open.as_mut().map(|(file, inode)| (*inode, file.stream_position().unwrap_or(0)));
        let same = read.is_some_and(|(inode, position)| inode == now.ino() && position <= now.len());
        if same {
            return;
        }
        self.unfinished.clear();
        self.open = File::open(&self.path).ok().map(|file| (file, now.ino()));
        if let Some((file, _)) = &mut self.open {
            let mut all = Vec::new();
            if file.seek(SeekFrom::Start(0)).is_ok() && file.read_to_end(&mut all).is_ok() {
                self.take(&all);
            }
        }
    }

    /// Only a line that ended was written whole.
    fn take(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let whole = serde_json::from_str::<serde_json::Value>(&line).is_ok();
            if whole && line.contains("\"status\":\"pending\"") {
                let ticket = line.split_once("\"ticket\":\"").and_then(|(_, rest)| rest.split_once('"'));
                self.pending.extend(ticket.map(|(ticket, _)| ticket.to_owned()));
            }
        }
    }
}
