//! What is found where the registry should be, and what is done about it. Finding never fails: what cannot be
//! used is set aside or left alone, and the notes say so.

use std::path::{Path, PathBuf};

use aegis_custody::Timestamp;

use super::file::{Broken, Registry};
use super::row::Row;
use super::volume::{NoLock, Volume};
use super::{Name, Note};

/// How many files that were set aside are kept, the newest ones.
const KEPT: usize = 5;

/// Where the registry and its neighbours are.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) directory: PathBuf,
    pub(super) file: PathBuf,
    fresh: PathBuf,
    lock: PathBuf,
}

impl Place {
    /// In the directory of `storage`, the value of `DCR_STORAGE_PATH`.
    pub(super) fn beside(storage: &Path) -> Self {
        let directory = match storage.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        Self {
            file: directory.join("registry.redb"),
            fresh: directory.join("registry.redb.new"),
            lock: directory.join("registry.lock"),
            directory,
        }
    }

    /// The file whose lock says whose registry it is.
    pub(super) fn lock_file(&self) -> &Path {
        &self.lock
    }
}

/// Whether the volume can be used.
pub(super) enum Footing {
    /// What is committed is on the volume.
    Durable(Registry),
    /// The volume cannot be written, for this reason.
    Volatile(String),
    /// Another process has the registry.
    Locked,
}

/// What was found.
pub(super) struct Found {
    pub(super) footing: Footing,
    /// Held as long as the registry is ours.
    pub(super) lock: Option<Box<dyn Send>>,
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<Note>,
    /// Whether what stands on the volume is known: it was read or made. Where it is not, a file that turns up
    /// later must not be written over.
    pub(super) known: bool,
}

/// Look, and make what is missing.
pub(super) fn find(volume: &dyn Volume, place: &Place, now: Timestamp) -> Found {
    let mut found =
        Found { footing: Footing::Locked, lock: None, rows: Vec::new(), notes: Vec::new(), known: false };
    // On a volume that cannot be written this may fail, and the registry can still be read.
    let made = volume.create_dir(&place.directory);
    match volume.lock(&place.lock) {
        Ok(lock) => found.lock = Some(lock),
        Err(NoLock::Held) => {
            found.notes.push(locked(place));
            return found;
        }
        Err(NoLock::Unusable) => {}
    }
    found.footing = match volume.open(&place.file) {
        Ok(Some(backend)) => match Registry::open(backend) {
            Ok((registry, rows)) => {
                (found.rows, found.known) = (rows, true);
                Footing::Durable(registry)
            }
            Err(Broken::Locked) => {
                found.notes.push(locked(place));
                Footing::Locked
            }
            Err(Broken::Corrupt(why)) => set_aside_and_create(volume, place, now, &why, &mut found),
            Err(Broken::Io(error)) => read_only(volume, place, error.to_string(), &mut found),
        },
        Ok(None) => create(volume, place, &mut found),
        Err(error) => read_only(volume, place, made.err().unwrap_or(error).to_string(), &mut found),
    };
    if let Footing::Volatile(why) = &found.footing {
        found.notes.push(volatile(place, why));
    }
    found
}

/// Read what cannot be written: over a copy in memory, so that an unclean file is repaired there.
fn read_only(volume: &dyn Volume, place: &Place, why: String, found: &mut Found) -> Footing {
    match volume.read(&place.file) {
        Ok(None) => {}
        Ok(Some(bytes)) => match Registry::rows_in(&bytes) {
            Ok(rows) => (found.rows, found.known) = (rows, true),
            Err(error) => found.notes.push(Note::new(
                Name::Corrupt,
                format!(
                    "{} cannot be used ({error}) and cannot be set aside ({why}): everybody has to sign in again; make the volume writable",
                    place.file.display()
                ),
            )),
        },
        Err(_) => {}
    }
    Footing::Volatile(why)
}

fn set_aside_and_create(
    volume: &dyn Volume,
    place: &Place,
    now: Timestamp,
    why: &str,
    found: &mut Found,
) -> Footing {
    let file = place.file.display();
    match set_aside(volume, place, &place.file, "corrupt", now) {
        Ok(to) => {
            found.notes.push(Note::new(
                Name::Corrupt,
                format!(
                    "{file} cannot be used ({why}); it is kept as {} and a new registry is begun: everybody has to sign in again, or restore a backup",
                    to.display()
                ),
            ));
            create(volume, place, found)
        }
        Err(error) => {
            found.notes.push(Note::new(
                Name::Corrupt,
                format!(
                    "{file} cannot be used ({why}) and cannot be set aside ({error}): everybody has to sign in again; make the volume writable"
                ),
            ));
            Footing::Volatile(error.to_string())
        }
    }
}

/// Make a registry under another name and put it in place when it is whole: a kill leaves none or all of it.
fn create(volume: &dyn Volume, place: &Place, found: &mut Found) -> Footing {
    match make(volume, place) {
        Ok(registry) => {
            found.known = true;
            let text = format!("{} is new and empty", place.file.display());
            found.notes.push(Note::new(Name::Created, text));
            Footing::Durable(registry)
        }
        Err(Broken::Locked) => {
            found.notes.push(locked(place));
            Footing::Locked
        }
        Err(error) => {
            // What is left of the attempt is removed by the next one at the latest.
            let _ = volume.remove(&place.fresh);
            Footing::Volatile(error.to_string())
        }
    }
}

fn make(volume: &dyn Volume, place: &Place) -> Result<Registry, Broken> {
    volume.remove(&place.fresh).map_err(Broken::Io)?;
    Registry::create(volume.create(&place.fresh).map_err(Broken::Io)?)?.close()?;
    volume.rename(&place.fresh, &place.file).map_err(Broken::Io)?;
    volume.sync_dir(&place.directory).map_err(Broken::Io)?;
    let backend = volume.open(&place.file).map_err(Broken::Io)?;
    let backend = backend.ok_or_else(|| Broken::Io(std::io::ErrorKind::NotFound.into()))?;
    Registry::open(backend).map(|(registry, _)| registry)
}

/// Rename a file of the registry's to `<its name>.<kind>-<unix seconds>`, over nothing, and keep only a few such files.
///
/// # Errors
/// The volume cannot be written.
pub(super) fn set_aside(
    volume: &dyn Volume,
    place: &Place,
    file: &Path,
    kind: &str,
    now: Timestamp,
) -> std::io::Result<PathBuf> {
    let named = file.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{named}.{kind}-");
    let seconds = |name: &String| name.strip_prefix(&prefix)?.parse::<i64>().ok();
    let mut older: Vec<i64> = volume
        .list(&place.directory)?
        .iter()
        .filter_map(seconds)
        .filter(|second| *second < i64::MAX)
        .collect();
    older.sort_unstable_by(|one, other| other.cmp(one));
    // After all that are there, also where the clock was set back: the order of names is the order of events.
    let next = older.first().map_or(0, |newest| newest.saturating_add(1));
    let second = next.max(now.unix_millis() / 1_000);
    let to = place.directory.join(format!("{prefix}{second}"));
    volume.rename(file, &to)?;
    volume.sync_dir(&place.directory)?;
    for second in older.into_iter().skip(KEPT - 1) {
        // One too many is no harm.
        let _ = volume.remove(&place.directory.join(format!("{prefix}{second}")));
    }
    Ok(to)
}

fn locked(place: &Place) -> Note {
    Note::new(
        Name::Locked,
        format!(
            "another process has {} open: stop the other server, or give this one a directory of its own by DCR_STORAGE_PATH",
            place.file.display()
        ),
    )
}

pub(super) fn volatile(place: &Place, why: &str) -> Note {
    Note::new(
        Name::Volatile,
        format!(
            "{} cannot be written ({why}): sign-ins live in memory and end with this process; {}",
            place.file.display(),
            crate::mend::writable(&place.file)
        ),
    )
}
