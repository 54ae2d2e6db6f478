//! The `.env` file as it is and as it will be: what is in force counts with the environment, which wins.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ask::say;
use super::{Done, Stop};
use crate::command::private_file::{self, Reserved};
use crate::settings::{Environment, Problem, Process, Secret, Settings, env_edit};

/// What stands before the lines that are added.
const HEADING: &str = "# Written by `aegis-mcp setup`; docs/configuration.md explains every setting.";
/// Bytes taken from the disk beyond what is known to be written: client ids and secrets that Gitea is yet to make.
const ROOM: usize = 4_096;

/// The file and what is to be changed in it.
pub(in crate::command) struct Draft {
    /// Absolute.
    pub(in crate::command) path: PathBuf,
    before: Zeroizing<String>,
    values: env_edit::Values,
    changes: Vec<(String, Zeroizing<String>)>,
}

impl Draft {
    /// Read the file; one that is not there is empty.
    pub(in crate::command) fn read(path: &Path) -> Done<Self> {
        let path = std::path::absolute(path)
            .map_err(|error| Stop::usage(format!("{} names no file: {error}", path.display())))?;
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
            Err(error) => {
                return Err(Stop::failed(format!(
                    "{} cannot be read: {error}; run this as its owner, or name another file by --env-file",
                    path.display()
                )));
            }
        };
        let values = env_edit::values(&before).map_err(|errors| {
            let name = path.display();
            let lines: Vec<String> = errors.iter().map(|error| format!("{name} {error}")).collect();
            Stop::settings(format!("{}\nMend that by hand; nothing was changed.", lines.join("\n")))
        })?;
        Ok(Self { path, before, values, changes: Vec::new() })
    }

    /// The directory of the file.
    pub(in crate::command) fn directory(&self) -> &Path {
        private_file::directory(&self.path)
    }

    /// What is in force for a setting, by the environment or else by the file as it will be.
    pub(in crate::command) fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        let from_process = Process.variable(name).and_then(|value| value.into_string().ok());
        let changed = self.changes.iter().rev().find(|(changed, _)| changed == name).map(|(_, value)| value);
        let in_file =
            || changed.or_else(|| self.values.iter().find(|(set, _)| set == name).map(|(_, value)| value));
        from_process
            .map(Zeroizing::new)
            .filter(|value| !value.trim().is_empty())
            .or_else(|| in_file().cloned())
            .map(|value| Zeroizing::new(value.trim().to_owned()))
            .filter(|value| !value.is_empty())
    }

    /// A secret that is in force, from its setting or from the file that `NAME_FILE` names.
    pub(in crate::command) fn secret(&self, name: &str) -> Option<Secret> {
        let direct = self.get(name).map(|text| Secret::new(text.to_string()));
        direct.or_else(|| {
            let text =
                Zeroizing::new(std::fs::read_to_string(self.get(&format!("{name}_FILE"))?.as_str()).ok()?);
            (!text.trim().is_empty()).then(|| Secret::new(text.trim().to_owned()))
        })
    }

    /// Whether anything sets it.
    pub(in crate::command) fn has(&self, name: &str) -> bool {
        self.get(name).is_some() || self.get(&format!("{name}_FILE")).is_some()
    }

    /// Have a setting changed. The environment would win over it, and a secret cannot stand in two places: both are told.
    pub(in crate::command) fn set(&mut self, name: &str, value: &str) -> Done<()> {
        let file = format!("{name}_FILE");
        if !value.is_empty() && self.get(&file).is_some() {
            return Err(Stop::settings(format!(
                "{name} comes from the file that {file} names: put the new value there, or take {file} out and run this again"
            )));
        }
        let outside = Process.variable(name).is_some_and(|set| !set.is_empty() && set != value);
        if outside && !self.changes.iter().any(|(changed, _)| changed == name) {
            say(&format!(
                "note  {name} is also set in the environment, and the environment wins over the file"
            ));
        }
        self.changes.retain(|(changed, _)| changed != name);
        self.changes.push((name.to_owned(), Zeroizing::new(value.to_owned())));
        Ok(())
    }

    /// The same draft, to try something on.
    pub(in crate::command) fn copy(&self) -> Self {
        Self {
            path: self.path.clone(),
            before: self.before.clone(),
            values: self.values.clone(),
            changes: self.changes.clone(),
        }
    }

    /// [`Draft::set`] for a trial that is never written.
    pub(in crate::command) fn set_quietly(&mut self, name: &str, value: &str) {
        self.changes.retain(|(changed, _)| changed != name);
        self.changes.push((name.to_owned(), Zeroizing::new(value.to_owned())));
    }

    /// Set it unless anything does already.
    pub(in crate::command) fn set_if_missing(&mut self, name: &str, value: &str) -> Done<()> {
        if self.has(name) { Ok(()) } else { self.set(name, value) }
    }

    /// The whole text as it will be.
    fn text(&self) -> Done<Zeroizing<String>> {
        let changes: Vec<(&str, &str)> =
            self.changes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        env_edit::with(&self.before, HEADING, &changes)
            .map_err(|why| Stop::settings(format!("a value {why}")))
    }

    /// The settings as they will be in force.
    ///
    /// # Errors
    /// Every problem with them.
    pub(in crate::command) fn settings(&self) -> Done<Settings> {
        let text = self.text()?;
        let drafted = Drafted { path: &self.path, text: &text };
        Settings::load(&drafted, Some(&self.path)).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
            Stop::settings(format!("{}\nNothing was written.", lines.join("\n")))
        })
    }

    /// Take the room that the file will need, so that a full disk is met before anything is made at Gitea.
    pub(in crate::command) fn reserve(&self) -> Done<Reservation> {
        let unwritable = |error: io::Error| {
            Stop::failed(format!(
                "{} cannot be written: {error}; nothing was changed. Name a file in a directory of yours by --env-file, or free some space",
                self.path.display()
            ))
        };
        let lock = private_file::lock(self.directory()).map_err(unwritable)?;
        let room = self.text()?.len().saturating_add(ROOM);
        let file = private_file::reserve(&self.path, room).map_err(unwritable)?;
        Ok(Reservation { file, _lock: lock })
    }

    /// Put the file in place. Whether anything in it is new.
    pub(in crate::command) fn write(&self, reserved: Reservation) -> Done<bool> {
        let text = self.text()?;
        if *text == *self.before && self.path.exists() && is_private(&self.path) {
            return Ok(false);
        }
        reserved.file.put(text.as_bytes()).map_err(|error| {
            Stop::failed(format!("{} cannot be written: {error}; it is as it was", self.path.display()))
        })?;
        Ok(true)
    }
}

/// Whether nobody but the owner may read it.
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 == 0)
}

/// Room on the disk, and nobody else changes the file meanwhile.
pub(in crate::command) struct Reservation {
    file: Reserved,
    _lock: std::fs::File,
}

/// The environment with the file as it will be.
struct Drafted<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Environment for Drafted<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        Process.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == self.path { Ok(self.text.as_bytes().to_vec()) } else { Process.file(path) }
    }
}
