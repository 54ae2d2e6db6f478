//! The file of signed checkpoints beside the log, and when the next one is due. A checkpoint is signed only for lines that
//! are durable, only ever for a larger log than the one before, and shown to nobody before it is durable itself.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use aegis_custody::Timestamp;
use aegis_custody::audit::{Checkpoint, Note, PublicKey, Tree};
use tokio::sync::watch;

use super::failure::{Failure, doing};
use super::fs::{LogFile, LogFs, Tail};
use super::high_water::HighWater;
use super::names::Place;
use super::signer::Signer;
use super::start::{OpenError, unwritable};
use super::writer::{Bounds, Need};

/// Longest file of checkpoints that is read at the start, in bytes: 24 hours at one a minute have half a megabyte.
const MOST: u64 = 16 * 1024 * 1024;

/// From this length on, a file of checkpoints is closed together with a segment.
const ENOUGH: u64 = 256 * 1024;

/// Checkpoints that are overdue by this factor stop the log: nobody keeps them from being signed unnoticed.
const PATIENCE: u64 = 5;

/// The last checkpoint as a signed note, for whoever keeps it elsewhere.
pub(crate) type Latest = watch::Receiver<Option<Arc<str>>>;

/// The file that is written.
struct Kept {
    file: Box<dyn LogFile>,
    id: (u64, u64),
    /// Length of the durable notes.
    len: u64,
    /// Number of the first note in it.
    first: u64,
    need: Need,
}

/// What is on disk at the start.
pub(super) struct Found {
    kept: Option<Kept>,
    /// The last checkpoint with its signature.
    pub(super) last: Option<Note>,
    /// The last checkpoint, as another volume has it.
    pub(super) high_water: HighWater,
}

impl Found {
    /// Make the notes durable that were found: the process that wrote them may have ended before it could.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.kept.as_mut().map_or(Ok(()), |kept| kept.file.sync())
    }
}

/// The checkpoints of a log.
pub(super) struct Checkpoints {
    pub(super) signer: Arc<Signer>,
    log_id: String,
    kept: Option<Kept>,
    last: Option<Checkpoint>,
    pub(super) high_water: HighWater,
    /// When a checkpoint was last signed.
    since: Timestamp,
    latest: watch::Sender<Option<Arc<str>>>,
    /// The last attempt failed.
    pub(super) failed: bool,
}

impl Checkpoints {
    pub(super) fn new(
        signer: Arc<Signer>,
        log_id: String,
        found: Found,
        since: Timestamp,
        latest: watch::Sender<Option<Arc<str>>>,
    ) -> Self {
        let Found { kept, last, high_water } = found;
        let last = last.map(|note| note.checkpoint);
        Self { signer, log_id, kept, last, high_water, since, latest, failed: false }
    }

    /// The last one that is durable.
    pub(super) fn last(&self) -> Option<&Checkpoint> {
        self.last.as_ref()
    }

    /// Whether one is to be signed for a log of that size now.
    pub(super) fn due(&self, size: u64, now: Timestamp, bounds: &Bounds) -> bool {
        let Some(last) = &self.last else { return size > 0 };
        size.saturating_sub(last.size) >= bounds.note_lines || self.age(now) >= bounds.note_age
    }

    /// Whether one should have been signed so long ago that nothing may go on without it.
    pub(super) fn overdue(&self, size: u64, now: Timestamp, bounds: &Bounds) -> bool {
        let unsigned = size.saturating_sub(self.last.as_ref().map_or(0, |last| last.size));
        self.failed
            && (unsigned >= bounds.note_lines.saturating_mul(PATIENCE)
                || self.age(now) >= bounds.note_age.saturating_mul(PATIENCE))
    }

    /// Milliseconds since the last one. A clock that was set back does not put the next one off.
    fn age(&self, now: Timestamp) -> u64 {
        now.unix_millis().abs_diff(self.since.unix_millis())
    }

    /// Sign one for these lines, which are durable, with the key that they name last, and make it durable.
    pub(super) fn sign(
        &mut self,
        fs: &dyn LogFs,
        place: &Place,
        tree: &Tree,
        key: Option<&PublicKey>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let done = self.try_sign(fs, place, tree, key, now);
        if let Err(failure) = &done
            && !self.failed
        {
            tracing::error!(event = "audit_checkpoint_failed", error = %failure, "no checkpoint could be signed: it is tried again, and tool calls are refused unless it succeeds soon");
        }
        self.failed = done.is_err();
        done
    }

    fn try_sign(
        &mut self,
        fs: &dyn LogFs,
        place: &Place,
        tree: &Tree,
        key: Option<&PublicKey>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let number = self.last.as_ref().map_or(0, |last| last.number).saturating_add(1);
        let checkpoint = Checkpoint {
            log_id: self.log_id.clone(),
            size: tree.size(),
            root: tree.root(),
            number,
            time: now,
        };
        let Some(signature) = self.signer.sign_as(key, &checkpoint.text()) else {
            return Err(Failure::Foreign("the key that signs these lines is not at hand".to_owned()));
        };
        let key = key.cloned().unwrap_or_else(|| self.signer.public(&self.log_id));
        let text = Note::signed(checkpoint.clone(), &key, &signature).to_string();
        self.append(fs, place, number, &text)?;
        self.high_water.keep(fs, &text);
        self.since = now;
        self.last = Some(checkpoint);
        self.latest.send_replace(Some(text.into()));
        Ok(())
    }

    fn append(&mut self, fs: &dyn LogFs, place: &Place, number: u64, text: &str) -> Result<(), Failure> {
        self.repair(fs, place)?;
        let fresh = self.kept.is_none();
        let kept = match &mut self.kept {
            Some(kept) => kept,
            none => none.insert(create(fs, &place.checkpoints(), number)?),
        };
        if let Err(source) = kept.file.append(text.as_bytes()) {
            kept.need = Need::Cut;
            return Err(Failure::Io { doing: "write a checkpoint", source });
        }
        if let Err(source) = kept.file.sync() {
            kept.need = Need::Retire;
            return Err(Failure::Io { doing: "sync the checkpoints", source });
        }
        if fresh && let Err(source) = fs.sync_dir(&place.dir) {
            kept.need = Need::Retire;
            return Err(Failure::Io { doing: "sync the directory of the checkpoints", source });
        }
        kept.len = kept.len.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Bring the file into a state in which it can be written.
    fn repair(&mut self, fs: &dyn LogFs, place: &Place) -> Result<(), Failure> {
        let path = place.checkpoints();
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let found = fs.stat(&path).map_err(doing("look at the checkpoints"))?;
        let own = |len| len == kept.len || (kept.need != Need::Nothing && len > kept.len);
        if found.is_none_or(|found| found.id != kept.id || !own(found.len)) {
            return Err(Failure::Foreign(format!(
                "{} was moved or changed by somebody else: put it back",
                path.display()
            )));
        }
        match kept.need {
            Need::Nothing => Ok(()),
            Need::Cut => {
                kept.file.cut(kept.len).map_err(doing("cut off an unfinished checkpoint"))?;
                // As with lines: see `Writer::cut`.
                if let Err(source) = kept.file.sync() {
                    kept.need = Need::Retire;
                    return Err(Failure::Io { doing: "sync the checkpoints after a cut", source });
                }
                kept.need = Need::Nothing;
                Ok(())
            }
            Need::Retire | Need::Close => self.put_aside(fs, place),
        }
    }

    /// Close the file together with a segment, where it is long enough.
    pub(super) fn segment_closed(&mut self, fs: &dyn LogFs, place: &Place) -> Result<(), Failure> {
        match &self.kept {
            Some(kept) if kept.len >= ENOUGH && kept.need == Need::Nothing => self.put_aside(fs, place),
            _ => Ok(()),
        }
    }

    /// Give the file its closed name, or remove it where it holds no durable note.
    fn put_aside(&mut self, fs: &dyn LogFs, place: &Place) -> Result<(), Failure> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let path = place.checkpoints();
        if kept.len == 0 {
            fs.remove(&path).map_err(doing("remove checkpoints that could not be synced"))?;
        } else {
            // Where even this fails, what follows is a note cut short, or one that was signed for durable lines.
            let _ = kept.file.cut(kept.len);
            let last = self.last.as_ref().map_or(kept.first, |last| last.number);
            let closed = place.closed_checkpoints(kept.first, last);
            if fs.stat(&closed).map_err(doing("look at closed checkpoints"))?.is_some() {
                return Err(Failure::Foreign(format!("{} exists already: move it away", closed.display())));
            }
            fs.rename(&path, &closed).map_err(doing("rename closed checkpoints"))?;
        }
        self.kept = None;
        fs.sync_dir(&place.dir).map_err(doing("sync the directory of the checkpoints"))
    }
}

fn create(fs: &dyn LogFs, path: &Path, first: u64) -> Result<Kept, Failure> {
    let file = match fs.create(path) {
        // An empty one was left by an attempt that failed half way.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if fs.stat(path).map_err(doing("look at the checkpoints"))?.is_none_or(|found| found.len > 0) {
                return Err(Failure::Foreign(format!("{} exists already: move it away", path.display())));
            }
            fs.remove(path).and_then(|()| fs.create(path))
        }
        done => done,
    };
    let file = file.map_err(doing("create the file of checkpoints"))?;
    let id = file.stat().map_err(doing("look at the new checkpoints"))?.id;
    Ok(Kept { file, id, len: 0, first, need: Need::Nothing })
}

/// Read the last checkpoint, and cut off one that was interrupted.
///
/// # Errors
/// A file cannot be read, or holds something else than checkpoints.
pub(super) fn find(fs: &dyn LogFs, place: &Place, high_water: HighWater) -> Result<Found, OpenError> {
    let path = place.checkpoints();
    let mut kept = None;
    if let Some(mut file) = fs.open(&path).map_err(unwritable(&path))? {
        let (notes, len, whole) = read(file.as_ref(), &path)?;
        if !whole {
            file.cut(len).map_err(unwritable(&path))?;
        }
        let stat = file.stat().map_err(unwritable(&path))?;
        match (notes.first(), notes.last()) {
            (Some(first), Some(last)) => {
                let last = Some(last.clone());
                let first = first.checkpoint.number;
                kept = Some(Kept { file, id: stat.id, len, first, need: Need::Nothing });
                return Ok(Found { kept, last, high_water });
            }
            // Made anew with the first note, so that its name is durable before anybody is told of one.
            _ => fs.remove(&path).map_err(unwritable(&path))?,
        }
    }
    let names = fs.list(&place.dir).map_err(unwritable(&place.dir))?;
    let mut last = None;
    if let Some(path) = place.checkpoints_among(names).pop()
        && let Some(file) = fs.open(&path).map_err(unwritable(&path))?
    {
        // What stands behind the last one that the name states was never synced.
        let stated = place.last_checkpoint(&path);
        let mut notes = read(file.as_ref(), &path)?.0.into_iter().rev();
        last = notes.find(|note| Some(note.checkpoint.number) <= stated);
    }
    Ok(Found { kept, last, high_water })
}

/// The notes of a file, their length, and whether nothing follows them.
fn read(file: &dyn LogFile, path: &Path) -> Result<(Vec<Note>, u64, bool), OpenError> {
    let mut bytes = Vec::new();
    let read = Tail { file, offset: 0 }.take(MOST).read_to_end(&mut bytes);
    let read = u64::try_from(read.map_err(unwritable(path))?).unwrap_or(u64::MAX);
    let (notes, len) = Note::parse_all(&bytes).map_err(|_| OpenError::Checkpoints(path.to_owned()))?;
    if read >= MOST {
        return Err(OpenError::Checkpoints(path.to_owned()));
    }
    let len = u64::try_from(len).unwrap_or(u64::MAX);
    Ok((notes, len, len == read))
}
