//! The last checkpoint, kept once more away from the log: on the registry's volume, beside the signing key. A log that was
//! put back to an older state, cut, or replaced by another one does not fit it, and is not continued.
//!
//! It is written after the checkpoint is durable beside the log, so a crash between the two leaves it behind and never
//! ahead. While a new log has no checkpoint yet, the last one of the log before it stays in front of an empty one of its own.
//! It does not help against somebody who can write to both volumes: checkpoints that others keep do.

use std::io;
use std::path::{Path, PathBuf};

use aegis_custody::Timestamp;
use aegis_custody::audit::{Checkpoint, MAX_NOTE, Note, Tree, TreeHash};

use super::fs::LogFs;
use super::signer::Signer;
use super::start::{OpenError, unwritable};

/// The file, and what it says.
pub(super) struct HighWater {
    /// None where there is no place for it.
    path: Option<PathBuf>,
    /// What was in it at the start: the checkpoint of the log that is to be there.
    pub(super) found: Option<Checkpoint>,
    /// The last note of the log before that one, while that one has no checkpoint.
    before: Option<Note>,
    /// The last attempt to write it failed.
    pub(super) failed: bool,
}

impl HighWater {
    /// Read it.
    ///
    /// # Errors
    /// It is there and cannot be read, or holds something else than one checkpoint.
    pub(super) fn read(fs: &dyn LogFs, path: Option<&Path>) -> Result<Self, OpenError> {
        let mut this = Self { path: path.map(Path::to_owned), found: None, before: None, failed: false };
        let Some(path) = path else { return Ok(this) };
        let other = || OpenError::Checkpoints(path.to_owned());
        let bytes = match fs.content(path, 2 * MAX_NOTE as u64) {
            Ok(bytes) => bytes,
            // A file where the registry's directory should be.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => None,
            Err(error) if is_no_note(&error) => return Err(other()),
            Err(error) => return Err(unwritable(path)(error)),
        };
        let Some(bytes) = bytes else { return Ok(this) };
        let (notes, read) = Note::parse_all(&bytes).map_err(|_| other())?;
        let mut notes = notes.into_iter();
        let (first, second) = (notes.next().ok_or_else(other)?, notes.next());
        if read != bytes.len() || notes.next().is_some() {
            return Err(other());
        }
        match second {
            Some(second) if second.checkpoint.number == 0 => {
                (this.found, this.before) = (Some(second.checkpoint), Some(first));
            }
            Some(_) => return Err(other()),
            None => {
                this.found = Some(first.checkpoint.clone());
                this.before = Some(first);
            }
        }
        Ok(this)
    }

    /// Why a log is not the one that this was kept for; none where it is, or where there is nothing to compare.
    ///
    /// `log_id` and `signed` (the number of the last checkpoint beside the log) are what the log says; a log without a line
    /// has neither and is a new one. `root_at` finds no root where the lines up to there are not at hand any more, such as in
    /// compressed segments; then `is_ours` decides: what this server signed later is of the same log.
    pub(super) fn refuses(
        &self,
        log_id: Option<&str>,
        signed: Option<u64>,
        root_at: impl FnOnce(u64) -> Result<Option<TreeHash>, OpenError>,
        is_ours: impl FnOnce() -> bool,
    ) -> Result<Option<String>, OpenError> {
        let (Some(path), Some(kept)) = (&self.path, &self.found) else { return Ok(None) };
        let path = path.display();
        let Some(log_id) = log_id else { return Ok(None) };
        if log_id != kept.log_id {
            return Ok(Some(format!("is the log {log_id}, and {path} was kept for the log {}", kept.log_id)));
        }
        if signed.unwrap_or_default() < kept.number {
            let (number, size) = (kept.number, kept.size);
            return Ok(Some(format!(
                "is older than checkpoint {number} for {size} lines, which {path} holds"
            )));
        }
        let fits = kept.number == 0 || root_at(kept.size)?.map_or_else(is_ours, |root| root == kept.root);
        let number = kept.number;
        Ok((!fits).then(|| format!("is not the log that checkpoint {number} in {path} was signed for")))
    }

    /// Begin a new log under a name that nobody had: also for the time until its first checkpoint, no other log may be put in
    /// its place. Returns the last checkpoint of the log that it follows.
    ///
    /// # Errors
    /// The name cannot be kept, and another log's is: the next start would refuse the new log.
    pub(super) fn begin(
        &mut self,
        fs: &dyn LogFs,
        signer: &Signer,
        log_id: &str,
        now: Timestamp,
    ) -> Result<Option<Checkpoint>, OpenError> {
        let (Some(path), Some(before)) = (&self.path, &self.before) else { return Ok(None) };
        let nothing = Tree::default();
        let (size, root) = (nothing.size(), nothing.root());
        let empty = Checkpoint { log_id: log_id.to_owned(), size, root, number: 0, time: now };
        let Some(signature) = signer.sign_as(None, &empty.text()) else { return Ok(None) };
        let own = Note::signed(empty, &signer.public(log_id), &signature);
        replace(fs, path, format!("{before}{own}").as_bytes()).map_err(unwritable(path))?;
        let before = before.checkpoint.clone();
        tracing::warn!(event = "audit_log_follows", log_id = %before.log_id, number = before.number, lines = before.size, "the directory of the audit log is empty, so a new log begins after the one whose last checkpoint was kept");
        Ok(Some(before))
    }

    /// Keep a checkpoint that is durable beside the log. A volume that cannot be written holds up nothing: it is told of, and
    /// tried again with the next one.
    pub(super) fn keep(&mut self, fs: &dyn LogFs, note: &str) {
        let Some(path) = &self.path else { return };
        let done = replace(fs, path, note.as_bytes());
        match &done {
            Err(error) if !self.failed => {
                tracing::warn!(event = "audit_high_water_failed", path = %path.display(), %error, "the last checkpoint of the audit log cannot be kept beside the registry: until it can, an older log put in place of this one is not found out at the start");
            }
            Ok(()) if self.failed => {
                tracing::info!(event = "audit_high_water_kept", path = %path.display(), "the last checkpoint of the audit log is kept again");
            }
            Ok(()) | Err(_) => {}
        }
        self.failed = done.is_err();
    }
}

/// Whether what is there is none of ours, as opposed to a volume that cannot be read now.
fn is_no_note(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidInput, IsADirectory};
    matches!(error.kind(), FileTooLarge | InvalidInput | IsADirectory)
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// The file holds what it held or the whole of what it should hold, whenever the power goes.
fn replace(fs: &dyn LogFs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let fresh = path.with_extension("new");
    if fs.stat(&fresh)?.is_some() {
        fs.remove(&fresh)?;
    }
    let mut file = match fs.create(&fresh) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs.create_dir(dir)?;
            fs.create(&fresh)?
        }
        created => created?,
    };
    file.append(bytes)?;
    file.sync()?;
    fs.rename(&fresh, path)?;
    fs.sync_dir(dir)
}
