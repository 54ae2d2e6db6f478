//! One commit, what it changed, and what lies between two: the routes that answer with JSON or with a unified diff.
//!
//! The diffs are Git's in form; in substance they are simpler: each file has one hunk from the first line that
//! differs to the last, and a rename is found only where the content is the same to the byte.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Version;
use super::call::{Answer, Call};
use super::commits::render;
use super::git::{Change, Commit, Node, between};
use super::seeding::Seeding;
use super::world::{Mode, Repo, World};

/// Lines around a change.
const CONTEXT: usize = 3;

/// `GET /repos/{owner}/{repo}/git/commits/{sha}` and the same with `.diff`.
pub(super) fn commit(call: &Call, world: &World, repo: &Repo, name: &str) -> Answer {
    let (name, as_diff) = name.strip_suffix(".diff").map_or((name, false), |name| (name, true));
    if name.contains([' ', ':', '^', '~', '?', '*', '[', '\\']) || name.contains("..") {
        return call.refuse(422, &format!("no valid ref or sha: {name}"));
    }
    let Some(commit) = repo.git.resolve(name) else {
        return call.not_found_because(&format!("commit doesn't exist: {name}"), &[]);
    };
    if !as_diff {
        return Answer::json(200, &render(call, world, repo, &commit));
    }
    // A commit without parents is shown as `git show` does: its header comes before the diff.
    let mut text = if commit.parents.is_empty() { header(call.seeding, &commit) } else { String::new() };
    text.push_str(&unified(call.seeding, &repo.git.changes(&commit)));
    sniffed(&text)
}

/// A diff goes out without a type of its own, so Go's server guesses one from the first 512 bytes, and for an empty
/// body says nothing.
fn sniffed(text: &str) -> Answer {
    let odd = |byte: u8| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31);
    if text.is_empty() {
        return Answer::empty(200);
    }
    let binary = text.bytes().take(512).any(odd);
    let kind = if binary { "application/octet-stream" } else { "text/plain; charset=utf-8" };
    Answer::text(200, kind, text)
}

fn header(seeding: Seeding, commit: &Commit) -> String {
    let mut text = format!(
        "commit {}\nAuthor: {} <{}>\nDate:   Sun Nov 1 12:00:00 2026 +0000\n\n",
        commit.sha,
        seeding.text(&commit.author.0),
        commit.author.1
    );
    for line in seeding.text(commit.message.trim_end()).lines() {
        let _ = writeln!(text, "    {line}");
    }
    text.push('\n');
    text
}

/// `GET /repos/{owner}/{repo}/compare/{base}...{head}`: against the common ancestor, or (`..`) directly. What has
/// a colon in it names another repository, and whoever may read that one gets it.
pub(super) fn compare(call: &Call, world: &World, repo: &Repo, range: &str) -> Answer {
    let (ends, direct) = match (range.split_once("..."), range.split_once("..")) {
        (Some(ends), _) => (ends, false),
        (None, Some(ends)) => (ends, true),
        (None, None) => return call.refuse(400, "Invalid base or head: expected base...head"),
    };
    let (Some((_, base)), Some((head_repo, head))) =
        (end(call, world, repo, ends.0), end(call, world, repo, ends.1))
    else {
        return call.not_found();
    };
    let ancestor = if direct { Some(base.clone()) } else { head_repo.git.merge_base(&head, &base) };
    let Some(ancestor) = ancestor else { return call.not_found() };
    if call.version == Version::V1_27 && matches!(call.query("output"), Some("diff" | "patch")) {
        let text = unified(call.seeding, &between(Some(&ancestor.tree), &head.tree));
        return sniffed(&text);
    }
    // Older versions do not know `output` and answer as if it were not there.
    let before: Vec<String> = repo.git.history(&base).iter().map(|commit| commit.sha.clone()).collect();
    let commits: Vec<Value> = head_repo
        .git
        .history(&head)
        .iter()
        .filter(|commit| !before.contains(&commit.sha))
        .map(|commit| render(call, world, head_repo, commit))
        .collect();
    Answer::json(200, &json!({ "total_commits": commits.len(), "commits": commits }))
}

fn end<'a>(
    call: &Call,
    world: &'a World,
    repo: &'a Repo,
    name: &str,
) -> Option<(&'a Repo, std::sync::Arc<Commit>)> {
    let Some((place, name)) = name.split_once(':') else { return Some((repo, repo.git.resolve(name)?)) };
    let (owner, other) = place.split_once('/').unwrap_or((place, &repo.name));
    let other = &world.repos[world.repo(world.account(owner)?.id, other)?];
    if world.rights(other, call.viewer) < Mode::Read {
        return None;
    }
    Some((other, other.git.resolve(name)?))
}

/// All changes, renames found, in the order of the names after.
fn unified(seeding: Seeding, changes: &[Change]) -> String {
    let mut gone: Vec<(&str, &Node)> = changes
        .iter()
        .filter(|(_, _, after)| after.is_none())
        .filter_map(|(path, before, _)| Some((path.as_str(), before.as_ref()?)))
        .collect();
    let mut parts: Vec<(&str, String)> = Vec::new();
    for (path, before, after) in changes {
        let Some(after) = after else { continue };
        let source = gone.iter().position(|(_, old)| before.is_none() && old.sha() == after.sha());
        let text = match source.map(|at| gone.remove(at)) {
            Some((old, _)) => renamed(&seeding.path(old), &seeding.path(path)),
            None => file(&seeding.path(path), before.as_ref(), Some(after)),
        };
        parts.push((path, text));
    }
    parts.extend(gone.into_iter().map(|(path, old)| (path, file(&seeding.path(path), Some(old), None))));
    parts.sort_by(|a, b| a.0.cmp(b.0));
    parts.into_iter().map(|(_, text)| text).collect()
}

fn renamed(old: &str, new: &str) -> String {
    format!(
        "diff --git {} {}\nsimilarity index 100%\nrename from {}\nrename to {}\n",
        quoted("a/", old),
        quoted("b/", new),
        quoted("", old),
        quoted("", new)
    )
}

fn file(path: &str, before: Option<&Node>, after: Option<&Node>) -> String {
    let (a, b) = (quoted("a/", path), quoted("b/", path));
    let mut text = format!("diff --git {a} {b}\n");
    let mode = |node: Option<&Node>| node.map_or("", Node::mode);
    match (before, after) {
        (None, _) => text.push_str(&format!("new file mode {}\n", mode(after))),
        (_, None) => text.push_str(&format!("deleted file mode {}\n", mode(before))),
        _ if mode(before) != mode(after) => {
            text.push_str(&format!("old mode {}\nnew mode {}\n", mode(before), mode(after)));
        }
        _ => {}
    }
    let short = |node: Option<&Node>| node.map_or("0000000", |node| &node.sha()[..7]).to_owned();
    if short(before) == short(after) {
        return text;
    }
    text.push_str(&format!("index {}..{}", short(before), short(after)));
    if before.is_some() && after.is_some() && mode(before) == mode(after) {
        text.push_str(&format!(" {}", mode(after)));
    }
    text.push('\n');
    let side = |name: &str, node: Option<&Node>| match node {
        // A tab ends a name with a blank in it.
        Some(_) => format!("{name}{}", if name.contains(' ') { "\t" } else { "" }),
        None => "/dev/null".to_owned(),
    };
    let (old, new) = (lines(before), lines(after));
    match (old, new) {
        (Some(old), Some(new)) if old.is_empty() && new.is_empty() => {}
        (Some(old), Some(new)) => {
            text.push_str(&format!("--- {}\n+++ {}\n", side(&a, before), side(&b, after)));
            hunk(&mut text, &old, &new);
        }
        _ => {
            let name = |name: &str, node: Option<&Node>| side(name, node).trim_end().to_owned();
            text.push_str(&format!("Binary files {} and {} differ\n", name(&a, before), name(&b, after)));
        }
    }
    text
}

/// The lines of a file, each with its line end; none where it is not text.
fn lines(node: Option<&Node>) -> Option<Vec<String>> {
    let Some(node) = node else { return Some(Vec::new()) };
    let Some(blob) = node.blob() else { return Some(vec![format!("Subproject commit {}\n", node.sha())]) };
    // Git looks for a zero byte at the beginning.
    if blob.bytes.iter().take(8000).any(|byte| *byte == 0) {
        return None;
    }
    Some(String::from_utf8_lossy(&blob.bytes).split_inclusive('\n').map(str::to_owned).collect())
}

fn hunk(text: &mut String, old: &[String], new: &[String]) {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let end = old[start..].iter().rev().zip(new[start..].iter().rev()).take_while(|(a, b)| a == b).count();
    let from = start.saturating_sub(CONTEXT);
    let tail = end.min(CONTEXT);
    let range = |lines: usize, all: usize| {
        let count = lines - end + tail - from;
        let first = if all == 0 { 0 } else { from + 1 };
        if count == 1 { first.to_string() } else { format!("{first},{count}") }
    };
    text.push_str(&format!("@@ -{} +{} @@\n", range(old.len(), old.len()), range(new.len(), new.len())));
    let mut put = |sign: char, lines: &[String]| {
        for line in lines {
            let missing = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            text.push_str(&format!("{sign}{line}{missing}"));
        }
    };
    put(' ', &old[from..start]);
    put('-', &old[start..old.len() - end]);
    put('+', &new[start..new.len() - end]);
    put(' ', &old[old.len() - end..old.len() - end + tail]);
}

/// A name as Git writes it: quoted as in C where it holds a quote, a backslash, a control character or a byte
/// beyond ASCII.
fn quoted(prefix: &str, name: &str) -> String {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if name.bytes().all(plain) {
        return format!("{prefix}{name}");
    }
    let mut out = format!("\"{prefix}");
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            byte if plain(byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}
