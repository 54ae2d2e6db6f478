//! The two directories that the server writes to, and the modes of files that hold secrets. What it writes to find out
//! is one empty file, removed at once.

use std::fs::{Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::report::{Finding, Verdict, fail, pass, warn};
use crate::settings::Settings;

/// Below this a log cannot be trusted to have room for today, in bytes.
const ROOM_NEEDED: u64 = 16 << 20;
/// Below this somebody should look soon.
const ROOM_WANTED: u64 = 512 << 20;

/// A directory that the server writes to.
struct Volume<'a> {
    check: &'static str,
    /// The setting that names a file in it.
    setting: &'static str,
    directory: PathBuf,
    files: &'a [&'a str],
    /// How bad it is when it cannot be written, and what happens then.
    unwritable: (Verdict, &'static str),
    /// Whether the server makes directories above it too.
    makes_parents: bool,
}

/// What there is to say about both.
pub(super) fn look(settings: &Settings, registry: bool) -> Vec<Finding> {
    let log = settings.audit_log_path();
    let name = log.file_name().and_then(|name| name.to_str()).unwrap_or("audit.log");
    let mut findings = Volume {
        check: "audit_volume",
        setting: "AUDIT_LOG_PATH",
        directory: directory_of(log),
        files: &[name],
        unwritable: (Verdict::Fail, "no tool call is served without its audit line"),
        makes_parents: false,
    }
    .look();
    if registry {
        findings.extend(
            Volume {
                check: "registry_volume",
                setting: "DCR_STORAGE_PATH",
                directory: directory_of(settings.dcr_storage_path()),
                files: &["registry.redb", "admin.sock"],
                unwritable: (Verdict::Warn, "sign-ins live in memory, and a restart signs everybody out"),
                makes_parents: true,
            }
            .look(),
        );
    }
    findings
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

impl Volume<'_> {
    fn look(&self) -> Vec<Finding> {
        let shown = self.directory.display();
        let found = match std::fs::metadata(&self.directory) {
            Ok(found) if found.is_dir() => found,
            Ok(_) => return vec![self.unwritable(&format!("{shown} is not a directory"))],
            Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![self.missing()],
            Err(error) => return vec![self.unwritable(&format!("{shown} cannot be looked at: {error}"))],
        };
        let mut findings = vec![match try_to_write(&self.directory) {
            Ok(()) => pass(self.check, format!("{shown} can be written by {}", user())),
            Err(error) => self.unwritable(&format!("{shown} cannot be written by {}: {error}", user())),
        }];
        findings.extend(self.room());
        findings.extend(self.owner(&found));
        findings.extend(self.files.iter().filter_map(|name| self.file(&self.directory.join(name))));
        findings
    }

    fn unwritable(&self, what: &str) -> Finding {
        let (verdict, so) = self.unwritable;
        let says = format!(
            "{what}; {so}: make it a writable directory of the server's user, or set {}",
            self.setting
        );
        Finding::new(self.check, verdict, says)
    }

    /// The server makes its directory when it starts, where it may.
    fn missing(&self) -> Finding {
        let shown = self.directory.display();
        let mut above = self.directory.parent();
        if self.makes_parents {
            while let Some(parent) = above.filter(|parent| !parent.exists()) {
                above = parent.parent();
            }
        }
        let above = above.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        match try_to_write(above) {
            Ok(()) => {
                pass(self.check, format!("{shown} is not there yet; the server makes it when it starts"))
            }
            Err(error) => {
                let what = format!("{shown} is not there and cannot be made in {}: {error}", above.display());
                self.unwritable(&what)
            }
        }
    }

    fn room(&self) -> Option<Finding> {
        let stat = rustix::fs::statvfs(&self.directory).ok()?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let (shown, mebibytes) = (self.directory.display(), free >> 20);
        Some(match free {
            0..ROOM_NEEDED => Finding::new(
                self.check,
                self.unwritable.0,
                format!("{shown} has {mebibytes} MiB left; make room now"),
            ),
            ROOM_NEEDED..ROOM_WANTED => warn(
                self.check,
                format!("{shown} has {mebibytes} MiB left; make room, or give it a larger volume"),
            ),
            ROOM_WANTED.. => pass(self.check, format!("{shown} has {} free", size(free))),
        })
    }

    fn owner(&self, found: &Metadata) -> Option<Finding> {
        let shown = self.directory.display();
        if found.mode() & 0o022 != 0 {
            let says = format!(
                "{shown} can be written by others (mode {:04o}), who could replace what is in it; run chmod go-w {shown}",
                found.mode() & 0o7777
            );
            return Some(warn(self.check, says));
        }
        let own = rustix::process::geteuid().as_raw();
        (own != 0 && found.uid() != own).then(|| {
            let says = format!(
                "run the doctor as the server's user; if that is {}: {}",
                user(),
                crate::mend::writable(&self.directory.join("file"))
            );
            warn(self.check, says)
        })
    }

    fn file(&self, path: &Path) -> Option<Finding> {
        let mode = std::fs::symlink_metadata(path).ok()?.mode();
        let path = path.display();
        let says = format!(
            "{path} can be read or written by others (mode {:04o}); run chmod 600 {path}",
            mode & 0o7777
        );
        (mode & 0o077 != 0).then(|| warn(self.check, says))
    }
}

fn user() -> String {
    format!("uid {}", rustix::process::geteuid().as_raw())
}

fn size(bytes: u64) -> String {
    if bytes >= 10 << 30 { format!("{} GiB", bytes >> 30) } else { format!("{} MiB", bytes >> 20) }
}

/// Whether a file can be made in a directory.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let path = directory.join(format!(".doctor-{}", crate::shared::random_name()));
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)
}

/// A finding about a file with secrets that others may read; none where nobody else may, or there is no file.
pub(super) fn exposed(check: &'static str, what: &str, path: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(path).ok()?.mode();
    let path = path.display();
    let says = |who, advice| {
        format!(
            "{what} {path} can be {who} by others (mode {:04o}); run chmod {advice} {path}",
            mode & 0o7777
        )
    };
    if mode & 0o022 != 0 {
        return Some(fail(check, says("changed", "600")));
    }
    (mode & 0o044 != 0).then(|| warn(check, says("read", "600")))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn volume(directory: &Path) -> Volume<'static> {
        Volume {
            check: "audit_volume",
            setting: "AUDIT_LOG_PATH",
            directory: directory.to_owned(),
            files: &["audit.log"],
            unwritable: (Verdict::Fail, "nothing works"),
            makes_parents: false,
        }
    }

    fn worst(findings: &[Finding]) -> Verdict {
        let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
        [Verdict::Fail, Verdict::Warn].into_iter().find(|verdict| has(*verdict)).unwrap_or(Verdict::Pass)
    }

    #[test]
    fn a_directory_of_ones_own_passes_and_nothing_stays_in_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let found = volume(folder.path()).look();
        assert!(
            found.iter().any(|f| f.verdict == Verdict::Pass && f.says.contains("can be written")),
            "{found:?}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_others_may_write_or_read_is_told_with_the_command() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let log = folder.path().join("audit.log");
        std::fs::write(&log, "").unwrap();
        std::fs::set_permissions(&log, Permissions::from_mode(0o644)).unwrap();
        let found = volume(folder.path()).look();
        for command in ["chmod go-w", "chmod 600"] {
            assert!(
                found.iter().any(|f| f.verdict == Verdict::Warn && f.says.contains(command)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_missing_directory_passes_where_it_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("new");
        assert_eq!(worst(&volume(&inside).look()), Verdict::Pass);
        let deep = inside.join("deeper");
        assert_eq!(worst(&volume(&deep).look()), Verdict::Fail);
        let made = Volume { makes_parents: true, ..volume(&deep) };
        assert_eq!(worst(&made.look()), Verdict::Pass);
        assert!(!inside.exists());
    }

    #[test]
    fn a_file_in_its_place_fails_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let found = volume(&file).look();
        assert_eq!(worst(&found), Verdict::Fail);
        assert!(found[0].says.contains("AUDIT_LOG_PATH"), "{found:?}");
    }

    #[test]
    fn secrets_that_others_can_change_fail_and_those_they_can_read_warn() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keyring");
        std::fs::write(&file, "").unwrap();
        for (mode, verdict) in [(0o600, None), (0o640, Some(Verdict::Warn)), (0o666, Some(Verdict::Fail))] {
            std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            assert_eq!(exposed("keys", "the keyring", &file).map(|f| f.verdict), verdict, "{mode:o}");
        }
        assert_eq!(exposed("keys", "the keyring", &folder.path().join("none")), None);
    }
}
