//! Checkpoints in a file that somebody kept. Nobody keeps such a file as carefully as the log: it may be what a cron job
//! collected, the server's log with what a container's or the system's log puts around each line, or a mail. So a note is found
//! by its first line, wherever that stands, written as it is or within JSON.

use aegis_custody::audit::{MAX_NOTE, Note};

/// What a note begins with.
const NAME: &str = "aegis-audit/";
/// Hex digits of a log's id, behind that.
const ID: usize = 32;
/// How often JSON may be within JSON.
const DEEP: usize = 3;

/// The notes in order, and how many beginnings of one there are that give none.
pub(super) fn found(bytes: &[u8]) -> (Vec<Note>, usize) {
    let text = String::from_utf8_lossy(bytes);
    let (mut notes, mut broken) = (Vec::new(), 0_usize);
    for (at, _) in text.match_indices(NAME) {
        let from = text.get(at..).unwrap_or_default();
        let behind = from.get(NAME.len().saturating_add(ID)..).unwrap_or_default();
        // The name stands in the signature too, and there more follows in the same line.
        if !behind.trim_start_matches([' ', '\t']).starts_with(['\n', '\r', '\\']) {
            continue;
        }
        match note(from) {
            Some(note) => notes.push(note),
            None => broken = broken.saturating_add(1),
        }
    }
    (notes, broken)
}

/// The note that a text begins with.
fn note(text: &str) -> Option<Note> {
    let text = if text.get(NAME.len().saturating_add(ID)..)?.starts_with('\\') {
        unescaped(text)?
    } else {
        text.get(..end(text, MAX_NOTE)).unwrap_or_default().to_owned()
    };
    let mut lines = text.lines().map(str::trim_end);
    let mut whole = String::new();
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        whole.push_str(line);
        whole.push('\n');
    }
    whole.push('\n');
    for line in lines.take_while(|line| line.starts_with("\u{2014} ")) {
        whole.push_str(line);
        whole.push('\n');
    }
    Note::parse(&whole).ok()
}

/// What stands in a JSON string up to its end. Neither a quote nor a backslash is ever in a note.
fn unescaped(text: &str) -> Option<String> {
    let most = text.get(..end(text, 8 * MAX_NOTE))?;
    let mut inner = most.split('"').next()?.trim_end_matches('\\').to_owned();
    for _ in 0..DEEP {
        inner = serde_json::from_str(&format!("\"{inner}\"")).ok()?;
        if !inner.contains('\\') {
            return Some(inner);
        }
    }
    None
}

/// The last boundary of a character up to so many bytes.
fn end(text: &str, most: usize) -> usize {
    text.floor_char_boundary(most)
}
