//! What a log is judged against besides itself: its checkpoints, those that somebody else kept, and the key as it is known
//! from elsewhere.

use std::path::Path;

use aegis_custody::audit::{Claims, Evidence, Lines, Note, PublicKey, Verifier};

use super::files::{ACTIVE, names};
use super::{Problem, TAMPERED, UNREADABLE, Verify, anchors, unreadable};
use crate::audit::names::Place;
use crate::audit::signer::checked;

/// Longest file of checkpoints, or of log lines with some, that is read, in bytes.
const MOST: u64 = 256 * 1024 * 1024;

/// Everything that was given.
pub(super) struct Given {
    own: Vec<Note>,
    anchors: Vec<Note>,
    /// Beginnings of anchors that could not be read.
    pub(super) broken: usize,
    key: Option<PublicKey>,
}

impl Given {
    /// Read what lies beside the log and what the command names.
    pub(super) fn read(asked: &Verify) -> Result<Self, Problem> {
        let (mut anchors, mut broken) = (Vec::new(), 0_usize);
        for path in &asked.anchor {
            let (notes, beginnings) = kept_elsewhere(path)?;
            anchors.extend(notes);
            broken = broken.saturating_add(beginnings);
        }
        let key = asked.key.as_deref().map(key).transpose()?;
        Ok(Self { own: own(&asked.path)?, anchors, broken, key })
    }

    /// The sizes at which roots are needed.
    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> {
        self.own.iter().chain(&self.anchors).map(|note| note.checkpoint.size)
    }

    /// Judge the lines that were verified. `to_the_end` where the log's last line is among them: what was signed later says
    /// nothing about a segment that was taken out of the middle.
    pub(super) fn judge(&self, verifier: &Verifier, claims: &Claims, to_the_end: bool) -> Evidence {
        let last = verifier.log().tree().size();
        let of_these = |notes: &[Note]| -> Vec<Note> {
            let within = |note: &&Note| to_the_end || note.checkpoint.size <= last;
            notes.iter().filter(within).cloned().collect()
        };
        let lines = Lines { log_id: verifier.log_id().unwrap_or_default(), last, roots: verifier.roots() };
        let (own, anchors) = (of_these(&self.own), of_these(&self.anchors));
        Evidence::of(lines, claims, &own, &anchors, self.key.as_ref(), &checked)
    }
}

/// Name of the active file of the log that a file is of: by the stem of a closed segment or of another active file.
fn active_beside(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name);
    match Place::of_segment(path) {
        Some(closed) => format!("{}.log", closed.stem),
        None if plain.ends_with(".log") => plain.to_owned(),
        None => ACTIVE.to_owned(),
    }
}

/// The checkpoints beside the log. What follows the last whole one in a file is one that was not finished.
fn own(path: &Path) -> Result<Vec<Note>, Problem> {
    let active = if path.is_dir() { path.join(ACTIVE) } else { path.with_file_name(active_beside(path)) };
    let Some(place) = Place::new(&active) else { return Ok(Vec::new()) };
    let found = names(&place.dir).map_err(|error| unreadable(&place.dir, &error))?;
    let mut files = place.checkpoints_among(found);
    files.extend(Some(place.checkpoints()).filter(|path| path.exists()));
    let mut notes = Vec::new();
    for path in files {
        let bytes = crate::regular::read(&path, MOST).map_err(|error| unreadable(&path, &error))?;
        let (read, _) = Note::parse_all(&bytes).map_err(|error| Problem {
            path: path.clone(),
            line: None,
            what: error.to_string(),
            code: TAMPERED,
        })?;
        notes.extend(read);
    }
    Ok(notes)
}

/// Checkpoints wherever they stand in a file, see [`super::anchors`], and how many have only a beginning.
fn kept_elsewhere(path: &Path) -> Result<(Vec<Note>, usize), Problem> {
    let bytes = crate::regular::read(path, MOST).map_err(|error| unreadable(path, &error))?;
    let (notes, broken) = anchors::found(&bytes);
    if notes.is_empty() {
        let what = "holds no checkpoint: neither a signed note nor a log line with one".to_owned();
        return Err(Problem { path: path.to_owned(), line: None, what, code: UNREADABLE });
    }
    Ok((notes, broken))
}

fn key(given: &str) -> Result<PublicKey, Problem> {
    let text = match given.parse::<PublicKey>() {
        Ok(key) => return Ok(key),
        Err(_) => crate::regular::read(Path::new(given), 4096),
    };
    let wrong = |what: String| Problem { path: given.into(), line: None, what, code: UNREADABLE };
    let text =
        text.map_err(|error| wrong(format!("is neither a key nor a file that can be read: {error}")))?;
    let text = String::from_utf8_lossy(&text);
    text.trim().parse().map_err(|error| wrong(format!("is {error}")))
}
