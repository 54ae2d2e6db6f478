//! Other hands on the real file: everything is refused until the log is as it was left.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::super::fs::RealFs;
use super::{Bounds, LogFs, OpenError, Writer, clock, entry, events, verified, world};
use crate::metrics::{SYNCS, Timed};

fn open(path: &Path) -> Result<Writer, OpenError> {
    let world = world(
        &(Arc::new(RealFs::new(Arc::new(Timed::new(SYNCS)))) as Arc<dyn LogFs>),
        &clock(),
        Bounds::default(),
    );
    super::begin(path, world)
}

/// A log with one entry, in a directory that the log made itself.
fn begun() -> (tempfile::TempDir, std::path::PathBuf, Writer) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log").join("audit.log");
    let mut writer = open(&path).unwrap();
    writer.commit(&[entry("before")], 0).unwrap();
    (dir, path, writer)
}

fn append(path: &Path, bytes: &[u8]) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// The file verifies and ends with this entry.
fn ends_with(path: &Path, reason: &str) {
    let lines = verified(&[(None, fs::read(path).unwrap())]);
    assert_eq!(lines.last().unwrap()["reason"], reason, "{:?}", events(&lines));
}

#[test]
fn directory_and_files_belong_to_the_owner_alone() {
    let (_dir, path, _writer) = begun();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_file_name("audit.log.lock")), 0o600);
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let (_dir, path, writer) = begun();
    assert!(matches!(open(&path), Err(OpenError::Locked(named)) if named == path));
    drop(writer);
    open(&path).unwrap().commit(&[entry("after")], 0).unwrap();
    ends_with(&path, "after");
}

#[test]
fn a_foreign_append_fails_closed_until_it_is_taken_back() {
    let (_dir, path, mut writer) = begun();
    let before = fs::metadata(&path).unwrap().len();
    append(&path, b"{\"v\":1}\n");
    writer.commit(&[entry("refused")], 0).unwrap_err();
    writer.commit(&[entry("refused")], 0).unwrap_err();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(before).unwrap();
    writer.commit(&[entry("after")], 0).unwrap();
    ends_with(&path, "after");
}

#[test]
fn a_foreign_line_at_the_end_is_not_continued_by_a_restart() {
    let (_dir, path, writer) = begun();
    drop(writer);
    append(&path, b"{\"v\":1}\n");
    assert!(matches!(open(&path), Err(OpenError::Damaged { line: 3, .. })));
}

#[test]
fn a_copy_and_truncate_fails_closed_and_writes_nothing() {
    let (_dir, path, mut writer) = begun();
    let copy = fs::read(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    writer.commit(&[entry("refused")], 0).unwrap_err();
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    append(&path, &copy);
    writer.commit(&[entry("after")], 0).unwrap();
    ends_with(&path, "after");
}

#[test]
fn a_rename_fails_closed_until_the_file_is_back() {
    let (_dir, path, mut writer) = begun();
    let aside = path.with_file_name("audit.log.1");
    fs::rename(&path, &aside).unwrap();
    let error = writer.commit(&[entry("refused")], 0).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    fs::write(&path, b"").unwrap();
    writer.commit(&[entry("refused")], 0).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::rename(&aside, &path).unwrap();
    writer.commit(&[entry("after")], 0).unwrap();
    ends_with(&path, "after");
}

#[test]
fn a_path_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("no").join("such").join("audit.log"), dir.path().to_path_buf()] {
        fs::create_dir_all(dir.path().join("audit.log.lock")).unwrap();
        let message = open(&path).err().unwrap().to_string();
        assert!(message.contains(dir.path().to_str().unwrap()), "{message}");
    }
    assert!(matches!(open(Path::new("/")), Err(OpenError::Path(_))));
}

#[test]
fn a_closed_segment_in_the_way_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.log");
    let bounds = Bounds { size: 1, age: i64::MAX, note_lines: 4096, note_age: 60_000, min_free: 0 };
    let world =
        world(&(Arc::new(RealFs::new(Arc::new(Timed::new(SYNCS)))) as Arc<dyn LogFs>), &clock(), bounds);
    let mut writer = super::begin(&path, world).unwrap();
    let closed = dir.path().join("audit-000000000001-000000000002.jsonl");
    fs::write(&closed, b"evidence").unwrap();
    writer.commit(&[entry("refused")], 0).unwrap_err();
    assert_eq!(fs::read(&closed).unwrap(), b"evidence");
    fs::remove_file(&closed).unwrap();
    writer.commit(&[entry("after")], 0).unwrap();
    assert!(closed.exists());
}
