//! Keeping a line within its bounds. Whatever is cut is named in the line's `cut` member, beside the content
//! rather than in it, so that no content can imitate the mark.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::text::{written_len, written_member_len};
use super::{MAX_DEPTH, MAX_NAME, MAX_STRING};

/// Names that only the chain writes.
const RESERVED: [&str; 7] = ["v", "seq", "ts", "event", "cut", "prev_hash", "entry_hash"];

/// Longest escape that one byte of a string can become.
const ESCAPED_BYTE: usize = 6;

/// What was cut: JSON pointer (RFC 6901) into the line, and how much there was before: bytes of a string,
/// items of a list, members of an object; 1 for a value that nests too deep and became `null`.
pub(super) type Cuts = BTreeMap<String, u64>;

/// Whether every bound but that of the whole line holds already.
pub(super) fn within(members: &Map<String, Value>) -> bool {
    members
        .iter()
        .all(|(name, value)| name.len() <= MAX_NAME && !RESERVED.contains(&name.as_str()) && fits(value, 1))
}

fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_STRING,
        Value::Array(items) => depth < MAX_DEPTH && items.iter().all(|item| fits(item, depth + 1)),
        Value::Object(members) => {
            depth < MAX_DEPTH
                && members.iter().all(|(name, item)| name.len() <= MAX_NAME && fits(item, depth + 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Bring names, strings and nesting within their bounds.
pub(super) fn cap(members: &Map<String, Value>) -> (Map<String, Value>, Cuts) {
    let mut cuts = Cuts::new();
    let mut kept = members.clone();
    kept.retain(|name, _| !RESERVED.contains(&name.as_str()));
    cap_object(&mut kept, "", 0, &mut cuts);
    if kept.len() < members.len() {
        cuts.insert(String::new(), length(members.len()));
    }
    (kept, cuts)
}

fn cap_value(value: &mut Value, pointer: String, depth: usize, cuts: &mut Cuts) {
    let nested = matches!(value, Value::Array(_) | Value::Object(_));
    if nested && depth >= MAX_DEPTH {
        *value = Value::Null;
        cuts.insert(pointer, 1);
        return;
    }
    match value {
        Value::String(text) => cut_string(text, MAX_STRING, pointer, cuts),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                cap_value(item, format!("{pointer}/{index}"), depth + 1, cuts);
            }
        }
        Value::Object(members) => cap_object(members, &pointer, depth, cuts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cap_object(members: &mut Map<String, Value>, pointer: &str, depth: usize, cuts: &mut Cuts) {
    let before = members.len();
    members.retain(|name, _| name.len() <= MAX_NAME);
    if members.len() < before {
        cuts.insert(pointer.to_owned(), length(before));
    }
    for (name, value) in members.iter_mut() {
        cap_value(value, format!("{pointer}/{}", token(name)), depth + 1, cuts);
    }
}

fn cut_string(text: &mut String, most: usize, pointer: String, cuts: &mut Cuts) {
    if text.len() > most {
        cuts.entry(pointer).or_insert(length(text.len()));
        text.truncate(text.floor_char_boundary(most));
    }
}

/// Take at least `excess` bytes off the written members if that can be done, the largest member first. Marks
/// in `cuts` that point at nothing any more are dropped with what they marked.
pub(super) fn shrink(members: &mut Map<String, Value>, excess: usize, cuts: &mut Cuts) {
    let largest = members
        .iter()
        .map(|(name, value)| (written_member_len(name, value), name.clone()))
        .max_by_key(|(size, _)| *size);
    let Some((_, name)) = largest else { return };
    let mut changed = false;
    if let Some(value) = members.get_mut(&name) {
        let size = written_len(value);
        shorten(value, size.saturating_sub(excess), &format!("/{}", token(&name)), cuts);
        changed = written_len(value) < size;
    }
    let mut whole = Value::Object(std::mem::take(members));
    if !changed {
        // Many small members: keep the first of them, and in any case fewer than there are.
        let size = written_len(&whole);
        shorten(&mut whole, size.saturating_sub(excess.max(3)), "", cuts);
    }
    cuts.retain(|pointer, _| whole.pointer(pointer).is_some());
    if let Value::Object(back) = whole {
        *members = back;
    }
}

/// Keep as much of the front of a value as fits into `most` written bytes.
fn shorten(value: &mut Value, most: usize, pointer: &str, cuts: &mut Cuts) {
    let room = most.saturating_sub(2);
    match value {
        Value::String(text) => cut_string(text, room / ESCAPED_BYTE, pointer.to_owned(), cuts),
        Value::Array(items) => {
            let kept = fitting(items.iter().map(written_len), room);
            if kept < items.len() {
                cuts.entry(pointer.to_owned()).or_insert(length(items.len()));
                items.truncate(kept);
            }
        }
        Value::Object(members) => {
            let kept = fitting(members.iter().map(|(name, item)| written_member_len(name, item)), room);
            if kept < members.len() {
                cuts.entry(pointer.to_owned()).or_insert(length(members.len()));
                *members = std::mem::take(members).into_iter().take(kept).collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How many pieces, each with a comma, fit into `room`.
fn fitting(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    sizes
        .scan(0_usize, |used, size| {
            *used = used.saturating_add(size + 1);
            Some(*used)
        })
        .take_while(|used| *used <= room)
        .count()
}

/// A member name as a JSON pointer token (RFC 6901 section 3).
fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
