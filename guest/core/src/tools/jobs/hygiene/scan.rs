//! One look through a commit: which files are read, what is kept of them, and how manifests are held against lock files.

use std::collections::BTreeSet;

use super::read::{self, Ecosystem};
use super::rule::Rule;
use super::sheet::{Malformed, Need, Sheet, Workspace};
use crate::access::Reader;
use crate::settings::Search;
use crate::tools::search::{Look, Next};

/// Files of one run.
const FILES: usize = 500;
/// Findings of one run.
const FINDINGS: usize = 200;
/// Files that are named for not having been read.
const SKIPPED: usize = 50;
/// Names of packages that are kept of all files together.
const NAMES: usize = 60_000;
/// Dependencies that one finding about a lock file names.
const NAMED: usize = 5;

/// What was found, in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::tools::jobs) struct Finding {
    pub(in crate::tools::jobs) rule: Rule,
    pub(in crate::tools::jobs) path: String,
    pub(in crate::tools::jobs) line: Option<u64>,
    /// The piece of the file that it is about: masked, one line, no back-quote in it.
    pub(in crate::tools::jobs) what: String,
}

/// What came of a run.
#[derive(Debug, Default)]
pub(in crate::tools::jobs) struct Found {
    pub(in crate::tools::jobs) findings: Vec<Finding>,
    /// Files that were read.
    pub(in crate::tools::jobs) files: u64,
    /// Files that would have been, and that the policy does not show.
    pub(in crate::tools::jobs) hidden: u64,
    /// Paths and why they were not read.
    pub(in crate::tools::jobs) skipped: Vec<(String, String)>,
    pub(in crate::tools::jobs) incomplete: Vec<String>,
}

/// A manifest whose dependencies have to be locked, or that speaks for others.
struct Manifest {
    path: String,
    ecosystem: Ecosystem,
    needs: Vec<Need>,
    lock: Option<&'static str>,
    workspace: Option<Workspace>,
    partly: bool,
}

/// A lock file; without names where it was not read.
struct Lock {
    folder: String,
    ecosystem: Ecosystem,
    names: Option<BTreeSet<String>>,
}

/// A run under way.
pub(super) struct Scan<'a> {
    reader: &'a Reader<'a>,
    bounds: Search,
    until: u64,
    found: Found,
    manifests: Vec<Manifest>,
    locks: Vec<Lock>,
    wanted: usize,
    names: usize,
    more: u64,
    unread: u64,
    unnamed: u64,
}

impl<'a> Scan<'a> {
    pub(super) fn start(reader: &'a Reader<'a>) -> Self {
        let bounds = reader.config().search;
        let time = u64::from(bounds.seconds).saturating_mul(1_000_000);
        Self {
            reader,
            bounds,
            until: reader.microseconds().saturating_add(time),
            found: Found::default(),
            manifests: Vec::new(),
            locks: Vec::new(),
            wanted: 0,
            names: 0,
            more: 0,
            unread: 0,
            unnamed: 0,
        }
    }

    pub(super) fn finish(mut self) -> Found {
        for nth in 0..self.manifests.len() {
            self.compare(nth);
        }
        self.found.findings.sort();
        self.found.findings.dedup();
        let over = self.found.findings.len().saturating_sub(FINDINGS);
        self.found.findings.truncate(FINDINGS);
        let more = self.more.saturating_add(u64::try_from(over).unwrap_or(u64::MAX));
        for (count, what) in [
            (more, "findings are not listed: one run lists 200, and 50 of one file"),
            (self.unread, "more files were not read"),
            (self.unnamed, "files have names that cannot be read for sure, and were not looked at"),
        ] {
            if count > 0 {
                self.found.incomplete.push(format!("{count} {what}"));
            }
        }
        if !self.found.skipped.is_empty() {
            self.found.incomplete.push("files named in `skipped` were not read".to_owned());
        }
        self.found
    }

    fn skip(&mut self, path: &str, why: String) {
        if self.found.skipped.len() < SKIPPED {
            self.found.skipped.push((path.to_owned(), why));
        } else {
            self.unread = self.unread.saturating_add(1);
        }
    }

    fn take(&mut self, path: &str, ecosystem: Ecosystem, is_lock: bool, mut sheet: Sheet) {
        self.more = self.more.saturating_add(sheet.more);
        let findings = std::mem::take(&mut sheet.findings);
        for (rule, line, what) in findings {
            self.keep(Finding { rule, path: path.to_owned(), line, what });
        }
        let names = sheet.needs.len().saturating_add(sheet.locked.as_ref().map_or(0, BTreeSet::len));
        self.names = self.names.saturating_add(names);
        if self.names > NAMES {
            self.names = self.names.saturating_sub(names);
            self.skip(path, "the files before it name as many packages as one run compares".to_owned());
            return;
        }
        if is_lock {
            let folder = folder(path);
            let names = sheet.locked.filter(|_| !sheet.partly);
            let here = |lock: &&mut Lock| {
                lock.folder == folder && lock.ecosystem == ecosystem && lock.names.is_none()
            };
            if let Some(lock) = self.locks.iter_mut().rev().find(here) {
                lock.names = names;
            }
        } else if sheet.lock.is_some() || sheet.workspace.is_some() {
            self.manifests.push(Manifest {
                path: path.to_owned(),
                ecosystem,
                needs: sheet.needs,
                lock: sheet.lock,
                workspace: sheet.workspace,
                partly: sheet.partly,
            });
        }
    }

    fn keep(&mut self, finding: Finding) {
        // Twice as many as are told, since the order is not known yet.
        if self.found.findings.len() < FINDINGS.saturating_mul(2) {
            self.found.findings.push(finding);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Hold one manifest against its lock file.
    fn compare(&mut self, nth: usize) {
        let Some(manifest) = self.manifests.get(nth) else { return };
        let Some(expected) = manifest.lock else { return };
        let mut place = folder(&manifest.path);
        let finding = loop {
            let locks: Vec<&Lock> = self
                .locks
                .iter()
                .filter(|lock| lock.ecosystem == manifest.ecosystem && lock.folder == place)
                .collect();
            let own = place == folder(&manifest.path);
            if !locks.is_empty() && (own || self.speaks_for(place, manifest)) {
                break self.outdated(manifest, &locks);
            }
            // Whether there is one that the policy does not show is nobody's business.
            let names = manifest.ecosystem.locks();
            if names.iter().any(|name| !self.reader.path_visible(&join(place, name), false)) {
                break None;
            }
            // A workspace of its own has its own lock file.
            let alone = own && manifest.workspace.is_some() && manifest.ecosystem == Ecosystem::Cargo;
            if place.is_empty() || alone {
                break Some((Rule::MissingLock, None, expected.to_owned()));
            }
            place = folder(place);
        };
        if let Some((rule, line, what)) = finding {
            let path = manifest.path.clone();
            self.keep(Finding { rule, path, line, what });
        }
    }

    /// Whether a folder's manifest speaks for one below it. One that is not shown is believed to.
    fn speaks_for(&self, place: &str, below: &Manifest) -> bool {
        let mut here = self
            .manifests
            .iter()
            .filter(|one| one.ecosystem == below.ecosystem && folder(&one.path) == place)
            .peekable();
        if here.peek().is_none() {
            let manifest = match below.ecosystem {
                Ecosystem::Cargo => "Cargo.toml",
                Ecosystem::Npm => "package.json",
                Ecosystem::Python => "pyproject.toml",
                Ecosystem::Go | Ecosystem::Ruby | Ecosystem::Php | Ecosystem::None => return false,
            };
            return !self.reader.path_visible(&join(place, manifest), false);
        }
        here.filter_map(|one| one.workspace.as_ref()).any(|workspace| {
            !workspace.excluded.iter().any(|excluded| {
                let excluded = join(place, excluded.trim_start_matches("./").trim_end_matches('/'));
                folder(&below.path) == excluded || below.path.starts_with(&format!("{excluded}/"))
            })
        })
    }

    /// Dependencies that none of the lock files names. One that could not be read says nothing.
    fn outdated(&self, manifest: &Manifest, locks: &[&Lock]) -> Option<(Rule, Option<u64>, String)> {
        let names: Option<Vec<&BTreeSet<String>>> = locks.iter().map(|lock| lock.names.as_ref()).collect();
        let names = names.filter(|_| !manifest.partly)?;
        let absent: Vec<&Need> = manifest
            .needs
            .iter()
            .filter(|need| {
                let name = if need.inherited { self.real_name(manifest, &need.name) } else { &need.name };
                !names.iter().any(|known| known.contains(name))
            })
            .collect();
        let first = absent.first()?;
        let mut named: Vec<&str> = absent.iter().take(NAMED).map(|need| need.name.as_str()).collect();
        named.dedup();
        let more = absent.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let what = super::sheet::shown(
            &format!("not locked: {}{more}", named.join(", ")),
            self.reader.config().secret_detection_mode,
        );
        Some((Rule::OutdatedLock, first.line, what))
    }

    /// The name of a package that the workspace describes, perhaps under another one.
    fn real_name<'m>(&'m self, manifest: &'m Manifest, name: &'m str) -> &'m str {
        let mut place = folder(&manifest.path);
        loop {
            let here = self
                .manifests
                .iter()
                .filter(|one| one.ecosystem == manifest.ecosystem && folder(&one.path) == place);
            if let Some(workspace) = here.filter_map(|one| one.workspace.as_ref()).next() {
                return workspace.renamed.get(name).map_or(name, String::as_str);
            }
            if place.is_empty() {
                return name;
            }
            place = folder(place);
        }
    }
}

impl Look for Scan<'_> {
    fn bounds(&self) -> Search {
        self.bounds
    }

    fn again(&mut self) {
        let until = self.until;
        *self = Self { until, ..Self::start(self.reader) };
    }

    fn wants(&mut self, path: &str, bytes: u64) -> bool {
        let Some(known) = read::known(path) else { return false };
        if !self.reader.path_visible(path, false) {
            if self.reader.has_path_rules() {
                self.found.hidden = self.found.hidden.saturating_add(1);
            } else {
                self.unnamed();
            }
            return false;
        }
        if self.wanted >= FILES {
            self.unread = self.unread.saturating_add(1);
            return false;
        }
        self.wanted = self.wanted.saturating_add(1);
        if known.is_lock {
            self.locks.push(Lock {
                folder: folder(path).to_owned(),
                ecosystem: known.ecosystem,
                names: None,
            });
        }
        let most = self.bounds.file_bytes;
        if known.read.is_some() && bytes > most {
            self.skip(path, format!("it is larger than {most} bytes (SEARCH_MAX_FILE_BYTES)"));
            return false;
        }
        known.read.is_some()
    }

    fn file(&mut self, path: &str, content: &[u8]) -> Next {
        let Some(known) = read::known(path) else { return self.time() };
        let Some(read) = known.read else { return self.time() };
        self.reader.step("reading a manifest");
        let mut sheet = Sheet::new(self.reader.config().secret_detection_mode);
        let result = match std::str::from_utf8(content) {
            Ok(text) => read(text.strip_prefix('\u{feff}').unwrap_or(text), &mut sheet),
            Err(_) => Err(Malformed("it is not UTF-8".to_owned())),
        };
        match result {
            Ok(()) => {
                self.found.files = self.found.files.saturating_add(1);
                self.take(path, known.ecosystem, known.is_lock, sheet);
            }
            Err(Malformed(why)) => self.skip(path, why),
        }
        self.time()
    }

    fn missing(&mut self) {
        self.unread = self.unread.saturating_add(1);
    }

    fn unnamed(&mut self) {
        self.unnamed = self.unnamed.saturating_add(1);
    }

    fn time(&mut self) -> Next {
        if self.reader.microseconds() < self.until {
            return Next::GoOn;
        }
        let most = self.bounds.seconds;
        self.stop(format!("the run took more than {most} s (SEARCH_MAX_SECONDS), so files are left"));
        Next::Enough
    }

    fn stop(&mut self, why: String) {
        self.found.incomplete.push(why);
    }
}

/// The folder that a path is in; none is the root.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
