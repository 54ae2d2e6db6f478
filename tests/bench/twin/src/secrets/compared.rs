//! The same files by both, line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aegis_redaction::{Mode, Redactor};
use serde_json::{Value, json};

use crate::Result;

/// Folders in one run of Kingfisher: its words would not fit a command line otherwise.
const FOLDERS: usize = 400;

/// What both found, and what one alone did, by kind.
#[derive(Default)]
pub struct Side {
    pub files: u64,
    pub bytes: u64,
    pub both: u64,
    pub ours: BTreeMap<String, u64>,
    pub theirs: BTreeMap<String, u64>,
}

impl Side {
    pub fn told(&self) -> Value {
        json!({ "files": self.files, "bytes": self.bytes, "both": self.both, "only_ours": self.ours,
            "only_kingfisher": self.theirs })
    }
}

/// What we found in one file.
struct Ours {
    /// Lines that are told otherwise than they stand there, from 1: a key block changes many, and is one find.
    changed: BTreeSet<usize>,
    /// The lines with a mask, and its kind.
    masks: Vec<(usize, String)>,
}

/// A find of theirs: its first line and its last, and their name of it.
struct Theirs {
    first: usize,
    last: usize,
    rule: String,
}

/// Look through `folders` twice.
pub fn sides(folders: &[PathBuf], kingfisher: &Path, work: &Path) -> Result<Side> {
    let mut theirs = findings(folders, kingfisher, work)?;
    let mut side = Side::default();
    let mut files = Vec::new();
    folders.iter().for_each(|folder| collect(folder, &mut files));
    for path in files {
        // What is no text is in no answer as text.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        side.files += 1;
        side.bytes += text.len() as u64;
        let ours = looked(&text);
        let found = theirs.remove(&path).unwrap_or_default();
        for (line, kind) in &ours.masks {
            if found.iter().any(|found| (found.first..=found.last).contains(line)) {
                side.both += 1;
            } else {
                *side.ours.entry(kind.clone()).or_default() += 1;
            }
        }
        for found in found {
            if !(found.first..=found.last).any(|line| ours.changed.contains(&line)) {
                *side.theirs.entry(found.rule).or_default() += 1;
            }
        }
    }
    Ok(side)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

fn looked(text: &str) -> Ours {
    let mut ours = Ours { changed: BTreeSet::new(), masks: Vec::new() };
    let Some(told) = Redactor::new(Mode::Mask).clean_lines(text) else { return ours };
    if told.secrets == 0 {
        return ours;
    }
    for (number, (raw, told)) in text.split('\n').zip(told.text.split('\n')).enumerate() {
        let number = number + 1;
        if raw != told {
            ours.changed.insert(number);
            let kinds = told.split("[redacted:").skip(1).filter_map(|rest| rest.split(']').next());
            ours.masks.extend(kinds.map(|kind| (number, kind.to_owned())));
        }
    }
    ours
}

fn findings(folders: &[PathBuf], kingfisher: &Path, work: &Path) -> Result<BTreeMap<PathBuf, Vec<Theirs>>> {
    fs::create_dir_all(work)?;
    let mut found: BTreeMap<PathBuf, Vec<Theirs>> = BTreeMap::new();
    for (part, folders) in folders.chunks(FOLDERS).enumerate() {
        let output = work.join(format!("kingfisher-{part}.json"));
        // Its end code says whether it found something.
        Command::new(kingfisher)
            .env("HOME", work)
            .env("KF_RULE_CACHE_DIR", work.join("rules"))
            .args(["scan", "--no-validate", "--no-update-check", "--confidence", "low", "--no-dedup"])
            .args(["--git-history", "none", "--no-extract-archives", "--format", "json", "--output"])
            .arg(&output)
            .args(folders)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        let said = fs::read_to_string(&output)?;
        for document in serde_json::Deserializer::from_str(&said).into_iter::<Value>() {
            for finding in document?["findings"].as_array().into_iter().flatten() {
                let text = |place: &str| finding.pointer(place).and_then(Value::as_str).unwrap_or_default();
                let first = finding.pointer("/finding/line").and_then(Value::as_u64).unwrap_or_default();
                let first = usize::try_from(first)?;
                let last = first + text("/finding/snippet").trim_end().matches('\n').count();
                let find = Theirs { first, last, rule: text("/rule/id").to_owned() };
                found.entry(PathBuf::from(text("/finding/path"))).or_default().push(find);
            }
        }
    }
    Ok(found)
}
