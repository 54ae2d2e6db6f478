//! The names of the files that make up a log. It touches no file.

use std::path::{Path, PathBuf};

/// A closed segment: `audit-<first>-<last>.jsonl`, with the numbers of its first and last line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClosedName {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) name: String,
}

/// What the name of a closed segment says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The stem of the active file's name.
    pub(crate) stem: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// Where the log lives: the directory, and the file names that follow from the active file's name.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) active: PathBuf,
    pub(crate) dir: PathBuf,
    stem: String,
}

impl Place {
    /// The place of a log with this active file, such as `/var/log/aegis-mcp/audit.log`. None where the path
    /// does not end in a file name of UTF-8.
    pub(crate) fn new(active: &Path) -> Option<Self> {
        let stem = active.file_stem()?.to_str()?.to_owned();
        let dir = match active.parent() {
            Some(dir) if dir.as_os_str().is_empty() => PathBuf::from("."),
            Some(dir) => dir.to_path_buf(),
            None => return None,
        };
        Some(Self { active: active.to_path_buf(), dir, stem })
    }

    pub(crate) fn lock(&self) -> PathBuf {
        let mut name = self.active.clone().into_os_string();
        name.push(".lock");
        name.into()
    }

    /// Room that is given up when the volume is full.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.dir.join(format!("{}.reserve", self.stem))
    }

    /// The signed checkpoints of the log.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.dir.join(format!("{}.checkpoints", self.stem))
    }

    /// A file of checkpoints that is not written any more, with the numbers of its first and last one.
    pub(crate) fn closed_checkpoints(&self, first: u64, last: u64) -> PathBuf {
        self.dir.join(format!("{}-{first:012}-{last:012}.checkpoints", self.stem))
    }

    /// The closed files of checkpoints among file names, in the order of their numbers.
    pub(crate) fn checkpoints_among(&self, names: impl IntoIterator<Item = String>) -> Vec<PathBuf> {
        let numbered = |name: &String| numbers(&self.stem, name, ".checkpoints");
        let mut closed: Vec<_> =
            names.into_iter().filter_map(|name| Some((numbered(&name)?, self.dir.join(name)))).collect();
        closed.sort();
        closed.into_iter().map(|(_, path)| path).collect()
    }

    /// Number of the last checkpoint in a closed file of them, as its name states it.
    pub(crate) fn last_checkpoint(&self, path: &Path) -> Option<u64> {
        numbers(&self.stem, path.file_name()?.to_str()?, ".checkpoints").map(|(_, last)| last)
    }

    /// Numbers are padded, so that a shell lists segments in their order.
    pub(crate) fn closed_name(&self, first: u64, last: u64) -> String {
        format!("{}-{first:012}-{last:012}.jsonl", self.stem)
    }

    pub(crate) fn closed(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Where to put bytes cut off before line `seq`; `attempt` counts from 1.
    pub(crate) fn torn(&self, seq: u64, attempt: u32) -> PathBuf {
        match attempt {
            0 | 1 => self.dir.join(format!("{}.torn.{seq}", self.stem)),
            more => self.dir.join(format!("{}.torn.{seq}.{more}", self.stem)),
        }
    }

    /// What the name of a closed segment of any log says, compressed or not; none for another file.
    pub(crate) fn of_segment(path: &Path) -> Option<Segment> {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name);
        let stem = name.strip_suffix(".jsonl")?.rsplitn(3, '-').nth(2)?.to_owned();
        let (first, last) = numbers(&stem, name, ".jsonl")?;
        Some(Segment { stem, first, last })
    }

    /// The closed segments among file names, in the order of their lines.
    pub(crate) fn closed_among(&self, names: impl IntoIterator<Item = String>) -> Vec<ClosedName> {
        let mut closed: Vec<ClosedName> = names.into_iter().filter_map(|name| self.parse(name)).collect();
        closed.sort();
        closed
    }

    fn parse(&self, name: String) -> Option<ClosedName> {
        let (first, last) = numbers(&self.stem, &name, ".jsonl")?;
        Some(ClosedName { first, last, name })
    }
}

/// The two numbers in `<stem>-<first>-<last><suffix>`, each written as the log writes it: with at least 12 digits, and no more
/// zeros in front than that takes.
fn numbers(stem: &str, name: &str, suffix: &str) -> Option<(u64, u64)> {
    let (first, last) = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(suffix)?.split_once('-')?;
    let number = |text: &str| text.parse().ok().filter(|number: &u64| format!("{number:012}") == text);
    Some((number(first)?, number(last)?))
}
