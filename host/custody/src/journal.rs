//! State that several instances share in one directory, without a lock.
//!
//! Entries are numbered files. An instance reads all of them, works out what comes next, writes that to a file of its
//! own and gives it the next number as a second name. Giving a name that is taken fails, so of two instances that went
//! out from the same state one has to read again. A file is durable before it gets its number, so an instance that is
//! killed leaves a whole entry or none, and never anything that another one waits for.
//!
//! From time to time somebody writes down the whole state as of one entry, and old files go. What is in the entries is
//! the caller's business; nothing here reads a clock, and every file is proved by a digest before it counts.

#[cfg(test)]
mod tests;

use sha2::{Digest as _, Sha256};

/// So many entries after the last whole state, another one is due.
const DUE: usize = 16;

/// So many entries stay behind a whole state. An instance that was held up while as many were written after its own
/// cannot tell any more whether its own counts.
const KEPT: u64 = 256;

/// How often a reader begins again because files went while it read.
const READS: u32 = 64;

/// Seconds after which a file that got no number is waste.
const WASTE: u64 = 3600;

/// The directory, with the few things that are done in it. Errors are for the operator.
pub trait Files {
    /// Names of all files that were there the whole time.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&self) -> Result<Vec<String>, String>;

    /// A whole file; none where there is no such file.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// A new file, durable when this returns.
    ///
    /// # Errors
    /// It is not durable, or it was there.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<(), String>;

    /// Give a file a second name; false where that is taken.
    ///
    /// # Errors
    /// Neither.
    fn link(&self, from: &str, to: &str) -> Result<bool, String>;

    /// Take a name away. One that is not there is no error.
    ///
    /// # Errors
    /// It is still there.
    fn remove(&self, name: &str) -> Result<(), String>;

    /// Make names durable.
    ///
    /// # Errors
    /// They may not be.
    fn sync(&self) -> Result<(), String>;
}

/// Why a journal does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The directory does not do what it is asked.
    #[error("{0}")]
    Files(String),
    /// A file is not what was written.
    #[error("the file {0} is damaged; restore the state directory from a backup, or begin with an empty one")]
    Damaged(String),
    /// Files went faster than they could be read.
    #[error("the state changes faster than it can be read; try again")]
    Restless,
    /// This instance was held up so long that it cannot tell whether its entry counts.
    #[error("this instance was held up while others went on; try again")]
    Overtaken,
}

/// What the journal held when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The whole state as of some entry; empty in a new journal.
    pub whole: Vec<u8>,
    /// The entries after it, the oldest first.
    pub entries: Vec<Vec<u8>>,
    base: u64,
}

impl Standing {
    fn last(&self) -> u64 {
        self.base.saturating_add(self.entries.len() as u64)
    }

    /// Whether the whole state should be written down after an entry that went in on top of this.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.entries.len() >= DUE
    }
}

/// A name that no other instance gives, and when it was given.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Seconds since 1970.
    pub at: u64,
    /// Drawn at random.
    pub name: String,
}

impl Draft {
    fn file(&self) -> String {
        format!("t-{}-{}", self.at, self.name)
    }
}

/// A journal in a directory of its own.
pub struct Journal<F>(F);

impl<F: Files> Journal<F> {
    /// The journal in this directory.
    pub fn new(files: F) -> Self {
        Self(files)
    }

    /// All that stands in the journal now. A new one is begun.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn read(&self, draft: &Draft) -> Result<Standing, Fault> {
        for _ in 0..READS {
            let names = self.0.list().map_err(Fault::Files)?;
            let Some(base) = newest_whole(&names) else {
                // Some names stay whatever is cleared away, so a directory without any is a new one.
                if !names.iter().any(|name| number(name, ENTRY).is_some()) {
                    self.put(&whole_name(0), b"", draft)?;
                }
                continue;
            };
            let Some(whole) = self.take(&whole_name(base))? else { continue };
            let mut standing = Standing { whole, entries: Vec::new(), base };
            while let Some(entry) = self.take(&entry_name(standing.last().saturating_add(1)))? {
                standing.entries.push(entry);
            }
            // Whole states go before the entries that follow them. With this one still the newest none of its entries
            // went, so what was not found was not there.
            if newest_whole(&self.0.list().map_err(Fault::Files)?) == Some(base) {
                return Ok(standing);
            }
        }
        Err(Fault::Restless)
    }

    /// Write the entry that follows a state; false where somebody else has written one.
    ///
    /// # Errors
    /// See [`Fault`]. The entry may count or not.
    pub fn append(&self, standing: &Standing, entry: &[u8], draft: &Draft) -> Result<bool, Fault> {
        let next = standing.last().saturating_add(1);
        if !self.put(&entry_name(next), entry, draft)? {
            return Ok(false);
        }
        // An entry of this number may have been there and gone. Then the newest whole state is far beyond it.
        let newest = newest_whole(&self.0.list().map_err(Fault::Files)?);
        if newest.is_some_and(|newest| next.saturating_add(KEPT) > newest) {
            Ok(true)
        } else {
            Err(Fault::Overtaken)
        }
    }

    /// Write down the whole state after an entry that went in on top of a standing, and clear away what is old. Nothing is
    /// lost where this fails.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn fold(&self, standing: &Standing, whole: &[u8], draft: &Draft) -> Result<(), Fault> {
        let base = standing.last().saturating_add(1);
        self.put(&whole_name(base), whole, draft)?;
        let mut names = self.0.list().map_err(Fault::Files)?;
        names.sort_unstable();
        let older = |name: &&String| number(name, WHOLE).is_some_and(|whole| whole < base);
        let covered =
            |name: &&String| number(name, ENTRY).is_some_and(|entry| entry.saturating_add(KEPT) <= base);
        let waste = |name: &&String| drafted(name).is_some_and(|at| at.saturating_add(WASTE) < draft.at);
        // The order counts: see `read`.
        for name in names.iter().filter(older) {
            self.0.remove(name).map_err(Fault::Files)?;
        }
        for name in names.iter().filter(covered).chain(names.iter().filter(waste)) {
            self.0.remove(name).map_err(Fault::Files)?;
        }
        Ok(())
    }

    /// A file under a name that nobody else gave; false where somebody did.
    fn put(&self, name: &str, content: &[u8], draft: &Draft) -> Result<bool, Fault> {
        let file = draft.file();
        let made = self.0.create(&file, &proved(content)).and_then(|()| self.0.link(&file, name));
        // What cannot be removed is waste, and cleared away later.
        let removed = self.0.remove(&file);
        let linked = made.map_err(Fault::Files)?;
        if linked {
            self.0.sync().map_err(Fault::Files)?;
        }
        removed.map_err(Fault::Files)?;
        Ok(linked)
    }

    fn take(&self, name: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(bytes) = self.0.read(name).map_err(Fault::Files)? else { return Ok(None) };
        let content = bytes.split_first_chunk::<32>().filter(|(digest, content)| {
            let right: [u8; 32] = Sha256::digest(content).into();
            right == **digest
        });
        content.map(|(_, content)| Some(content.to_vec())).ok_or_else(|| Fault::Damaged(name.to_owned()))
    }
}

fn proved(content: &[u8]) -> Vec<u8> {
    let digest: [u8; 32] = Sha256::digest(content).into();
    [digest.as_slice(), content].concat()
}

const ENTRY: &str = "e-";
const WHOLE: &str = "w-";

fn entry_name(number: u64) -> String {
    format!("{ENTRY}{number:020}")
}

fn whole_name(number: u64) -> String {
    format!("{WHOLE}{number:020}")
}

fn number(name: &str, kind: &str) -> Option<u64> {
    let digits = name.strip_prefix(kind)?;
    (digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn newest_whole(names: &[String]) -> Option<u64> {
    names.iter().filter_map(|name| number(name, WHOLE)).max()
}

/// When a file without a number was written.
fn drafted(name: &str) -> Option<u64> {
    name.strip_prefix("t-")?.split_once('-')?.0.parse().ok()
}
