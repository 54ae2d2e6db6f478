//! Opening the log: take the lock, verify what is there, recover from an interrupted write, say so, begin.
//! It refuses rather than guesses: only bytes that were never acknowledged are ever cut off.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aegis_custody::audit::{
    Chain, Checkpoint, Claims, End, Event, Fault, Mark, PublicKey, Segment, Tickets, TreeHash, Verifier,
};
use aegis_custody::{Clock, Random, Timestamp};
use serde_json::json;
use tokio::sync::watch;

use super::checkpoints::{self, Checkpoints};
use super::fs::{LockError, LogFile, LogFs, Tail};
use super::high_water::HighWater;
use super::live::Live;
use super::names::{ClosedName, Place};
use super::own::{Previous, signed};
use super::recover::{Torn, recover};
use super::signer::Signer;
use super::writer::{Active, Bounds, Found, Need, Writer, object};
use super::{Entry, Opening};

/// Why the log was not opened. Every message names the path.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process writes this log. A caller exits with 75.
    #[error("{} is in use by another process: each server needs an audit log of its own", .0.display())]
    Locked(PathBuf),
    /// The path cannot be read or written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// The file or directory concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The path names no file.
    #[error("{} is not the path of a file", .0.display())]
    Path(PathBuf),
    /// The log does not verify, and no interrupted write explains it.
    #[error(
        "{} line {line}: {fault}. The log was changed outside this program, so it is not continued: examine it with `aegis-mcp audit verify`, keep it as evidence, and move it away to begin a new log",
        path.display()
    )]
    Damaged {
        /// The file concerned.
        path: PathBuf,
        /// Line in the file, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// What the last process wrote cannot be made durable. The next try would be told that all is well.
    #[error("{} holds lines that could not be made durable: {source}. Check the disk, then start again", path.display())]
    Unsynced {
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The last closed segment is not what its name says.
    #[error("{} does not end with the line that its name states", .0.display())]
    Segment(PathBuf),
    /// A file of checkpoints holds something else.
    #[error("{} holds something else than signed checkpoints: keep it as evidence, and see docs/audit.md for what to do", .0.display())]
    Checkpoints(PathBuf),
    /// Checkpoints were signed for another log than this one.
    #[error(
        "{} {what}. Lines or checkpoints were removed or replaced, so the log is not continued: examine it with `aegis-mcp audit verify`, keep all its files as evidence, and move them away together to begin a new log",
        path.display()
    )]
    Signed {
        /// The active file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
}

impl OpenError {
    /// What cannot be written now and may be later, without anybody changing a setting: a volume that is missing, full,
    /// read-only or somebody else's. Everything else is a mistake or evidence, and no server starts over it.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unwritable { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::InvalidInput
            ),
            Self::Locked(_)
            | Self::Path(_)
            | Self::Damaged { .. }
            | Self::Unsynced { .. }
            | Self::Segment(_)
            | Self::Checkpoints(_)
            | Self::Signed { .. } => false,
        }
    }
}

/// Everything that opening needs from outside.
#[derive(Clone)]
pub(super) struct World {
    pub(super) fs: Arc<dyn LogFs>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) bounds: Bounds,
    pub(super) latest: watch::Sender<Option<Arc<str>>>,
    /// A sync of what was found failed in this process, and is not tried again.
    pub(super) unsynced: Arc<AtomicBool>,
    pub(super) live: Live,
}

/// What is learnt from the lines while they are verified.
#[derive(Default)]
struct Learnt {
    verifier: Verifier,
    tickets: Tickets,
    claims: Claims,
}

impl Learnt {
    fn scan(&mut self, file: &dyn LogFile, path: &Path, last_seq: Option<u64>) -> Result<Segment, OpenError> {
        let mut reader = BufReader::with_capacity(256 * 1024, Tail { file, offset: 0 });
        let Self { verifier, tickets, claims } = self;
        let segment = verifier.segment(&mut reader, last_seq, &mut |line| {
            tickets.observe(line);
            claims.observe(line);
        });
        let segment = segment.map_err(unwritable(path))?;
        match segment.end {
            End::Bad { line, fault } => Err(OpenError::Damaged { path: path.to_path_buf(), line, fault }),
            End::Whole | End::Torn { .. } => Ok(segment),
        }
    }
}

/// Open the log; the lines about the opening are still to be written, before any other.
pub(super) fn start(opening: &Opening, world: World) -> Result<(Writer, Vec<Entry>), OpenError> {
    let World { fs, clock, random, bounds, latest, unsynced, live } = world;
    let place = Place::new(&opening.path).ok_or_else(|| OpenError::Path(opening.path.clone()))?;
    fs.create_dir(&place.dir).map_err(unwritable(&place.dir))?;
    let lock = fs.lock(&place.lock()).map_err(|error| match error {
        LockError::Held => OpenError::Locked(place.active.clone()),
        LockError::Io(source) => OpenError::Unwritable { path: place.lock(), source },
    })?;

    let high_water = HighWater::read(fs.as_ref(), opening.high_water.as_deref())?;
    let mut notes = checkpoints::find(fs.as_ref(), &place, high_water)?;
    let last = notes.last.as_ref().map(|last| &last.checkpoint);
    let sizes = last.into_iter().chain(&notes.high_water.found).map(|signed| signed.size);
    let mut learnt = Learnt { verifier: Verifier::with_roots_at(sizes), ..Learnt::default() };
    let mut file = fs.open(&place.active).map_err(unwritable(&place.active))?;
    let mut segment = None;
    if let Some(file) = file.as_deref() {
        segment = Some(learnt.scan(file, &place.active, None)?);
    }
    let before = match &segment {
        Some(segment) if segment.lines > 0 => None,
        _ => scan_last_closed(fs.as_ref(), &place, &mut learnt)?,
    };
    fits(fs.as_ref(), &place, &learnt, &notes, &opening.signer)?;
    let Learnt { verifier, tickets, claims } = learnt;
    let log = verifier.log();
    let torn = match (&mut file, &segment) {
        (Some(file), Some(segment)) => recover(fs.as_ref(), &place, file.as_mut(), segment, log.chain())?,
        _ => None,
    };
    if let Some(file) = &mut file {
        settle(&unsynced, &place.active, || file.sync())?;
    }
    settle(&unsynced, &place.checkpoints(), || notes.settle())?;
    if file.is_some() || notes.last.is_some() {
        settle(&unsynced, &place.dir, || fs.sync_dir(&place.dir))?;
    }

    let last = segment.as_ref().and_then(|segment| segment.last).or(before.as_ref().map(|(_, mark)| *mark));
    let signer = Arc::clone(&opening.signer);
    let (log_id, follows) = match verifier.log_id() {
        Some(log_id) => (log_id.to_owned(), None),
        None => {
            let log_id = new_log_id(random.as_ref());
            let follows = notes.high_water.begin(fs.as_ref(), &signer, &log_id, clock.now())?;
            (log_id, follows)
        }
    };
    // One is due at once, whenever the last one was signed.
    let since = clock.now().unix_millis().saturating_sub_unsigned(bounds.note_age);
    let since = Timestamp::from_unix_millis(since);
    let found = Found {
        number: verifier.number() + u64::from(before.is_some() || last.is_none()),
        checkpoints: Checkpoints::new(signer, log_id.clone(), notes, since, latest),
        log_id,
        key: claims.key().cloned(),
        last_ts: last.map_or_else(Timestamp::default, |mark| mark.ts),
        active: match file {
            Some(file) => Some(active(file, &place, segment.as_ref(), log.chain(), clock.now())?),
            None => None,
        },
        log,
        previous: before.map(|(closed, _)| Previous { name: closed.name, reason: "recovery" }),
        tickets,
    };
    let entries = opening_lines(opening, &found, torn, follows.as_ref());
    Ok((Writer::new(fs, clock, place, (bounds, live), found, lock), entries))
}

/// Whether the last checkpoint was signed for these lines, and the one that another volume keeps: no two that contradict each
/// other may ever be signed.
fn fits(
    fs: &dyn LogFs,
    place: &Place,
    learnt: &Learnt,
    notes: &checkpoints::Found,
    signer: &Signer,
) -> Result<(), OpenError> {
    let root_at = |size| match learnt.verifier.roots().get(&size) {
        Some(root) => Ok(Some(*root)),
        None => root_at(fs, place, size),
    };
    let wrong = match fits_notes(learnt, notes, root_at)? {
        None => {
            let signed = notes.last.as_ref().map(|last| last.checkpoint.number);
            let is_ours = || notes.last.as_ref().is_some_and(|last| signer.has_signed(last));
            notes.high_water.refuses(learnt.verifier.log_id(), signed, root_at, is_ours)?
        }
        wrong => wrong,
    };
    wrong.map_or(Ok(()), |what| Err(OpenError::Signed { path: place.active.clone(), what }))
}

/// What does not fit between the lines and the checkpoints beside them.
fn fits_notes(
    learnt: &Learnt,
    notes: &checkpoints::Found,
    root_at: impl FnOnce(u64) -> Result<Option<TreeHash>, OpenError>,
) -> Result<Option<String>, OpenError> {
    let lines = learnt.verifier.log().tree().size();
    let told = learnt.claims.signed().map(|(number, _)| number);
    let Some(last) = notes.last.as_ref().map(|last| &last.checkpoint) else {
        return Ok(told.map(|number| format!("tells of checkpoint {number}, and there is none")));
    };
    Ok(if let Some(number) = told.filter(|number| *number > last.number) {
        Some(format!("tells of checkpoint {number}, and the last one kept is {}", last.number))
    } else if last.size > lines {
        Some(format!("has {lines} lines, and {} were signed", last.size))
    } else if learnt.verifier.log_id() != Some(last.log_id.as_str()) {
        Some(format!("is not the log {} that its checkpoints were signed for", last.log_id))
    } else if root_at(last.size)? != Some(last.root) {
        let (number, size) = (last.number, last.size);
        Some(format!("is not the log that checkpoint {number} for {size} lines was signed for"))
    } else {
        None
    })
}

/// The root at a size that lies before the segment that was read.
fn root_at(fs: &dyn LogFs, place: &Place, size: u64) -> Result<Option<TreeHash>, OpenError> {
    let mut learnt = Learnt { verifier: Verifier::with_roots_at([size]), ..Learnt::default() };
    let names = fs.list(&place.dir).map_err(unwritable(&place.dir))?;
    for closed in place.closed_among(names).into_iter().filter(|closed| closed.last >= size) {
        let path = place.closed(&closed.name);
        let file = fs.open(&path).map_err(unwritable(&path))?;
        learnt.scan(
            file.ok_or_else(|| OpenError::Segment(path.clone()))?.as_ref(),
            &path,
            Some(closed.last),
        )?;
        if let Some(root) = learnt.verifier.roots().get(&size) {
            return Ok(Some(*root));
        }
    }
    Ok(None)
}

/// Make durable what the last process wrote and may not have lived to sync: the log goes on from there, and closed segments
/// are never synced again. It is tried once in the life of a process, see [`LogFile::sync`].
fn settle(
    unsynced: &AtomicBool,
    path: &Path,
    sync: impl FnOnce() -> io::Result<()>,
) -> Result<(), OpenError> {
    let done = if unsynced.load(Ordering::Acquire) {
        Err(io::Error::other("its sync failed before"))
    } else {
        sync()
    };
    done.map_err(|source| {
        unsynced.store(true, Ordering::Release);
        OpenError::Unsynced { path: path.to_path_buf(), source }
    })
}

pub(super) fn unwritable(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Unwritable { path: path.to_path_buf(), source }
}

fn new_log_id(random: &dyn Random) -> String {
    let mut bytes = [0_u8; 16];
    random.fill(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// Where the active file holds no line, the chain goes on from the last closed segment, if there is one.
fn scan_last_closed(
    fs: &dyn LogFs,
    place: &Place,
    learnt: &mut Learnt,
) -> Result<Option<(ClosedName, Mark)>, OpenError> {
    let names = fs.list(&place.dir).map_err(unwritable(&place.dir))?;
    let Some(closed) = place.closed_among(names).pop() else { return Ok(None) };
    let path = place.closed(&closed.name);
    let Some(file) = fs.open(&path).map_err(unwritable(&path))? else {
        return Err(OpenError::Segment(path));
    };
    let segment = learnt.scan(file.as_ref(), &path, Some(closed.last))?;
    match (segment.first, segment.last) {
        (Some(first), Some(last)) if first.seq == closed.first && last.seq == closed.last => {
            Ok(Some((closed, last)))
        }
        _ => Err(OpenError::Segment(path)),
    }
}

fn active(
    file: Box<dyn LogFile>,
    place: &Place,
    segment: Option<&Segment>,
    chain: Chain,
    now: Timestamp,
) -> Result<Active, OpenError> {
    let stat = file.stat().map_err(unwritable(&place.active))?;
    let first = segment.and_then(|segment| segment.first);
    let closed =
        segment.and_then(|segment| segment.last).and_then(|mark| mark.event) == Some(Event::SegmentClose);
    Ok(Active {
        id: stat.id,
        file,
        len: segment.map_or(0, |segment| segment.bytes),
        first_seq: first.map_or(chain.last_seq().saturating_add(1), |mark| mark.seq),
        first_ts: first.map_or(now, |mark| mark.ts),
        need: if closed { Need::Close } else { Need::Nothing },
    })
}

fn opening_lines(
    opening: &Opening,
    found: &Found,
    torn: Option<Torn>,
    follows: Option<&Checkpoint>,
) -> Vec<Entry> {
    let key = opening.signer.public(&found.log_id);
    let mut entries = Vec::new();
    if let Some(before) = found.key.as_ref().filter(|before| **before != key) {
        entries.push(handover(&opening.signer, before));
    }
    let mut members = object(json!({
        "log_id": found.log_id,
        "version": opening.version,
        "policy_digest": opening.policy_digest,
        "component_digest": opening.component_digest,
        "key": key.to_string(),
        "signed": signed(found.checkpoints.last()),
    }));
    if let Some(last) = follows {
        let of = json!({"log_id": last.log_id, "number": last.number, "size": last.size});
        members.insert("follows".to_owned(), of);
    }
    entries.push(Entry { event: Event::LogOpen, members });
    if let Some(torn) = torn {
        let copy = torn.copy.file_name().map(|name| name.to_string_lossy());
        entries.push(Entry {
            event: Event::Recovery,
            members: object(json!({
                "cause": "torn_tail", "bytes": torn.bytes, "sha256": torn.sha256,
                "after_seq": torn.after_seq, "copy": copy,
            })),
        });
    }
    let unknown = |members| Entry { event: Event::OutcomeUnknown, members: object(members) };
    entries.extend(found.tickets.named().into_iter().map(|open| unknown(open.json())));
    if found.tickets.unnamed() > 0 {
        entries.push(unknown(json!({"count": found.tickets.unnamed()})));
    }
    entries
}

/// The line by which another key takes over from the one in force.
pub(super) fn handover(signer: &Signer, before: &PublicKey) -> Entry {
    let signature = signer.handed_over(before);
    if signature.is_none() {
        tracing::warn!(event = "audit_key_changed", key = %before, "the key that signed the audit log is not among those given, so nothing proves that the new one follows it");
    }
    let key = signer.public(before.log_id());
    let members = json!({"key": key.to_string(), "before": before.to_string(), "signature": signature});
    Entry { event: Event::KeyHandover, members: object(members) }
}
