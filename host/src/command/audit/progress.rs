//! How far a long verification is, on standard error: how many bytes of the files were read. It holds nobody up and decides
//! nothing.

use std::io::{self, IsTerminal as _, Read, Write as _};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::files::Listed;

/// How often it is told at most.
const PAUSE: Duration = Duration::from_millis(300);

/// What is told to somebody who waits.
pub(super) struct Progress {
    /// Bytes of all files, as they lie on the disk.
    all: u64,
    /// A line of a terminal is written over; elsewhere each has its own.
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    read: u64,
    told: Instant,
    shown: bool,
}

impl Progress {
    /// Progress for these files, where it is asked for or somebody watches.
    pub(super) fn of(files: &[Listed], asked: bool) -> Option<Self> {
        let terminal = io::stderr().is_terminal();
        (asked || terminal).then(|| Self {
            all: files.iter().filter_map(|listed| Some(std::fs::metadata(&listed.path).ok()?.len())).sum(),
            terminal,
            state: Mutex::new(State { read: 0, told: Instant::now(), shown: false }),
        })
    }

    fn add(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.read = state.read.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if state.told.elapsed() >= PAUSE {
            (state.told, state.shown) = (Instant::now(), true);
            let begin = if self.terminal { "\r" } else { "" };
            let end = if self.terminal { "" } else { "\n" };
            self.write(&format!("{begin}{}{end}", self.text(state.read)));
        }
    }

    /// The end: a terminal's line is cleared for what comes, elsewhere the last word is how much was read.
    pub(super) fn end(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.terminal, state.shown) {
            (true, true) => self.write("\r\x1b[K"),
            (true, false) => {}
            (false, _) => self.write(&format!("{}\n", self.text(state.read))),
        }
    }

    fn text(&self, read: u64) -> String {
        // A log that is written grows meanwhile.
        let all = self.all.max(read);
        let percent = read.saturating_mul(100).checked_div(all).unwrap_or(100);
        format!("{read} of {all} bytes read ({percent} %)")
    }

    fn write(&self, text: &str) {
        // Whoever closed standard error does not want to know.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

/// A file whose bytes are counted as they are read.
pub(super) struct Counted<'a> {
    file: Box<dyn Read>,
    progress: Option<&'a Progress>,
}

impl<'a> Counted<'a> {
    pub(super) fn new(file: Box<dyn Read>, progress: Option<&'a Progress>) -> Self {
        Self { file, progress }
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        if let Some(progress) = self.progress {
            progress.add(read);
        }
        Ok(read)
    }
}
