//! What was revoked, a second time: one JSON line for each change, in a small file beside the registry that is only
//! ever appended to or replaced whole. Where the registry is damaged and set aside, this is what is left. It knows which
//! rows these are, and nothing of what they mean.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use aegis_custody::Timestamp;
use aegis_custody::oauth::registry::is_revocation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::open::{Place, set_aside};
use super::row::{Change, Row, Table};
use super::volume::Volume;
use super::{Name, Note};

/// Version of a line.
const VERSION: u32 = 1;
/// So many lines more than it says anything with make the file be written anew.
const SPARE: usize = 4_096;

/// One change. A row that is gone has no value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u32,
    key: String,
    value: Option<Value>,
}

/// The file.
pub(super) struct Revocations {
    file: PathBuf,
    fresh: PathBuf,
    directory: PathBuf,
    /// Whether it was read, or is not there: otherwise it may hold more than is known here.
    is_read: bool,
    /// Whether it can be appended to: it ends in a whole line, and nothing of `waiting` may stand in it by half.
    is_whole: bool,
    lines: usize,
    /// What the file says.
    standing: BTreeMap<String, Value>,
    /// Changes that are not in the file yet.
    waiting: Vec<(String, Option<Value>)>,
}

impl Revocations {
    /// Read the file, and write it anew where it holds more than it has to. Lines that cannot be read are told, and
    /// the file that holds them is kept. `known` says whether the registry itself could be read.
    pub(super) fn find(
        volume: &dyn Volume,
        place: &Place,
        now: Timestamp,
        known: bool,
        notes: &mut Vec<Note>,
    ) -> (Self, Vec<Row>) {
        let mut found = Self::none(place);
        let shown = found.file.display().to_string();
        match found.read(volume) {
            Ok(unreadable) if unreadable.is_empty() => {}
            Ok(unreadable) => {
                let aside = match set_aside(volume, place, &found.file, "unreadable", now) {
                    Ok(to) => format!("it is kept as {}", to.display()),
                    Err(error) => {
                        // What cannot be read here is not written over either.
                        found.is_read = false;
                        format!("it cannot be set aside ({error})")
                    }
                };
                let numbers: Vec<String> = unreadable.iter().take(8).map(usize::to_string).collect();
                let text = format!(
                    "{} lines of {shown} cannot be read (line {}{}); {aside}, and what they revoked may be good again: \
                     compare it with the audit log, and revoke again",
                    unreadable.len(),
                    numbers.join(", "),
                    if unreadable.len() > numbers.len() { " and others" } else { "" },
                );
                notes.push(Note::new(Name::RevocationsUnreadable, text));
            }
            // Where nothing at all can be read, that was said of the registry, and it is the same volume.
            Err(_) if !known && notes.iter().any(|note| note.name == Name::Volatile) => {}
            Err(error) => {
                let text = format!(
                    "{shown} cannot be read ({error}): what was revoked counts as far as the registry itself says so; \
                     make it readable and restart"
                );
                notes.push(Note::new(Name::RevocationsUnreadable, text));
            }
        }
        let rows = found.standing.iter().map(|(key, value)| Row {
            table: Table::Meta,
            key: key.clone().into_bytes(),
            value: value.to_string().into_bytes(),
        });
        let rows = rows.collect();
        if found.is_read && (!found.is_whole || found.lines > found.standing.len()) {
            // On a volume that cannot be written it stays as it is; the next change tries again.
            let _ = found.rewrite(volume);
        }
        (found, rows)
    }

    /// Not read yet; for whoever has no right to the registry it stays so.
    pub(super) fn none(place: &Place) -> Self {
        Self {
            file: place.directory.join("registry.revoked"),
            fresh: place.directory.join("registry.revoked.new"),
            directory: place.directory.clone(),
            is_read: false,
            is_whole: false,
            lines: 0,
            standing: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    /// Note what of these changes is a revocation, or the end of one; [`Revocations::keep`] writes it.
    pub(super) fn note<'a>(&mut self, changes: impl Iterator<Item = &'a Change>) {
        for change in changes.filter(|change| concerns(change)) {
            let Ok(key) = str::from_utf8(&change.key) else { continue };
            let value =
                change.value.as_ref().map(|value| serde_json::from_slice(value).unwrap_or(Value::Null));
            let value = value
                .map(|value| if value.is_null() { Value::Object(serde_json::Map::new()) } else { value });
            self.waiting.push((key.to_owned(), value));
        }
    }

    /// Whether something waits to be written.
    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Write what waits, durably.
    ///
    /// # Errors
    /// The volume's; then it waits on.
    pub(super) fn keep(&mut self, volume: &dyn Volume) -> io::Result<()> {
        if !self.is_behind() {
            return Ok(());
        }
        if !self.is_read && !self.read(volume)?.is_empty() {
            self.is_read = false;
            let text = "it holds lines that cannot be read; a restart sets it aside";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let waiting = self.waiting.clone();
        let before = self.standing.clone();
        for (key, value) in &waiting {
            match value {
                Some(value) => self.standing.insert(key.clone(), value.clone()),
                None => self.standing.remove(key),
            };
        }
        let crowded = self.lines > self.standing.len().saturating_add(SPARE);
        let done =
            if self.is_whole && !crowded { self.append(volume, &waiting) } else { self.rewrite(volume) };
        match &done {
            Ok(()) => self.waiting.clear(),
            Err(_) => {
                // What part of it is in the file is not known: it is written anew next time.
                (self.standing, self.is_whole) = (before, false);
            }
        }
        done
    }

    /// Take in what the file says; the numbers of lines that cannot be read.
    fn read(&mut self, volume: &dyn Volume) -> io::Result<Vec<usize>> {
        let bytes = volume.read(&self.file)?;
        let is_there = bytes.is_some();
        let bytes = bytes.unwrap_or_default();
        let mut unreadable = Vec::new();
        self.standing.clear();
        self.lines = 0;
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            self.lines = self.lines.saturating_add(1);
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.v == VERSION && is_revocation(line.key.as_bytes()) => {
                    match line.value {
                        Some(value) => self.standing.insert(line.key, value),
                        None => self.standing.remove(&line.key),
                    };
                }
                Ok(_) | Err(_) => unreadable.push(at.saturating_add(1)),
            }
        }
        self.is_read = true;
        self.is_whole = is_there && unreadable.is_empty() && bytes.last().is_none_or(|byte| *byte == b'\n');
        Ok(unreadable)
    }

    fn append(&mut self, volume: &dyn Volume, changes: &[(String, Option<Value>)]) -> io::Result<()> {
        let file = volume.open(&self.file)?.ok_or(io::ErrorKind::NotFound)?;
        let text = text(changes.iter().map(|(key, value)| (key, value.as_ref())))?;
        file.write(file.len()?, &text)?;
        file.sync_data()?;
        self.lines = self.lines.saturating_add(changes.len());
        Ok(())
    }

    /// Write the file anew with what stands, whole or not at all.
    fn rewrite(&mut self, volume: &dyn Volume) -> io::Result<()> {
        if self.standing.is_empty() && volume.len(&self.file)?.is_none() {
            return Ok(());
        }
        let text = text(self.standing.iter().map(|(key, value)| (key, Some(value))))?;
        volume.remove(&self.fresh)?;
        let file = volume.create(&self.fresh)?;
        file.write(0, &text)?;
        file.sync_data()?;
        volume.rename(&self.fresh, &self.file)?;
        volume.sync_dir(&self.directory)?;
        (self.lines, self.is_whole) = (self.standing.len(), true);
        Ok(())
    }
}

/// Whether a change revokes somebody, or takes that back.
pub(super) fn concerns(change: &Change) -> bool {
    change.table == Table::Meta && is_revocation(&change.key)
}

fn text<'a>(lines: impl Iterator<Item = (&'a String, Option<&'a Value>)>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for (key, value) in lines {
        let line = Line { v: VERSION, key: key.clone(), value: value.cloned() };
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// For people: that revocations are kept once only.
pub(super) fn volatile(directory: &Path, why: &str) -> Note {
    let text = format!(
        "registry.revoked in {} cannot be written ({why}): what is revoked is not kept a second time until it can, \
         which is tried again all the time: make the directory writable",
        directory.display()
    );
    Note::new(Name::RevocationsVolatile, text)
}

/// For people: that they are kept twice again.
pub(super) fn durable(directory: &Path) -> Note {
    let text =
        format!("registry.revoked in {} is written again and holds all that is revoked", directory.display());
    Note::new(Name::RevocationsDurable, text)
}
