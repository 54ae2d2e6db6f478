//! The files of a commit asked for by name, some at a time: slower than the archive and only for a small
//! repository, or for a part of a larger one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::look::{Look, Next};
use super::{BATCH, TREE};
use crate::access::Reader;
use crate::tools::args::Repo;
use crate::tools::kit::Error;
use crate::tools::lookup;

/// Most files that are read this way.
const FILES: usize = 500;
/// Most bytes of them together.
const BYTES: u64 = 16 * 1024 * 1024;
/// Files that Gitea gives at once.
const AT_ONCE: usize = 30;
/// Bytes of paths in one request: they stand in its URL, encoded.
const PATHS_BYTES: usize = 1800;
/// Bytes of file contents in one request.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Entries of the tree for each request.
const TREE_PAGE: u32 = 1000;
/// Requests for the tree.
const TREE_PAGES: u32 = 20;

struct Wanted {
    path: String,
    bytes: u64,
}

pub(super) fn read(
    reader: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    look: &mut dyn Look,
    why: &str,
) -> Result<(), Error> {
    let wanted = files(reader, repo, commit, look, why)?;
    let mut rest = wanted.as_slice();
    let mut read = 0_u64;
    while !rest.is_empty() {
        let size = batch(rest);
        let (now, later) = rest.split_at(size.min(rest.len()));
        let bytes: u64 = now.iter().map(|file| file.bytes).sum();
        read = read.saturating_add(bytes);
        if read > BYTES {
            look.stop(format!("{why}, and files asked for one by one are read up to {BYTES} bytes in all"));
            return Ok(());
        }
        if contents(reader, repo, commit, now, bytes, look)? == Next::Enough {
            return Ok(());
        }
        rest = later;
    }
    Ok(())
}

/// The files worth reading, in the order of their paths.
fn files(
    reader: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    look: &mut dyn Look,
    why: &str,
) -> Result<Vec<Wanted>, Error> {
    let mut wanted: Vec<Wanted> = Vec::new();
    for page in 1..=TREE_PAGES {
        let request = lookup::call(repo, TREE)
            .segment(commit)
            .query("recursive", true)
            .query("page", page)
            .query("per_page", TREE_PAGE);
        let answer = reader.get(request)?;
        let rows = answer.body.get("tree").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        wanted.extend(rows.iter().filter_map(|row| file(row, look)));
        let more = answer.body.get("truncated").and_then(Value::as_bool).unwrap_or(false);
        if wanted.len() > FILES {
            wanted.truncate(FILES);
            look.stop(format!("{why}, and of files asked for one by one only {FILES} are read"));
            break;
        }
        if !more {
            break;
        }
        if page == TREE_PAGES {
            let entries = TREE_PAGE.saturating_mul(TREE_PAGES);
            look.stop(format!(
                "{why}, and of files asked for one by one only the first {entries} entries count"
            ));
        }
    }
    Ok(wanted)
}

fn file(row: &Value, look: &mut dyn Look) -> Option<Wanted> {
    let (path, bytes) = (text(row, "path")?, row.get("size")?.as_u64()?);
    let regular = text(row, "type") == Some("blob") && text(row, "mode") != Some("120000");
    // Gitea writes U+FFFD for what is not UTF-8: by such a name no file can be asked for.
    if regular && path.contains(char::REPLACEMENT_CHARACTER) {
        look.unnamed();
        return None;
    }
    (regular && look.wants(path, bytes)).then(|| Wanted { path: path.to_owned(), bytes })
}

fn text<'r>(row: &'r Value, name: &str) -> Option<&'r str> {
    row.get(name).and_then(Value::as_str)
}

/// How many of the next files go into one request; at least one.
fn batch(files: &[Wanted]) -> usize {
    let (mut paths, mut bytes, mut count) = (0_usize, 0_u64, 0_usize);
    for file in files.iter().take(AT_ONCE) {
        paths = paths.saturating_add(file.path.len()).saturating_add(3);
        bytes = bytes.saturating_add(file.bytes);
        if count > 0 && (paths > PATHS_BYTES || bytes > BATCH_BYTES) {
            break;
        }
        count = count.saturating_add(1);
    }
    count.max(1)
}

fn contents(
    reader: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    files: &[Wanted],
    bytes: u64,
    look: &mut dyn Look,
) -> Result<Next, Error> {
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let request = lookup::call(repo, BATCH)
        .query("ref", commit)
        .query("body", json!({ "files": paths }))
        .at_most(bytes.div_ceil(3).saturating_mul(4).saturating_add(256 * 1024));
    let answer = reader.get(request)?;
    let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
    for (nth, file) in files.iter().enumerate() {
        // Gitea answers in the order of the question. A row without content is a link, a submodule, or a file that
        // Gitea finds too large; a file that it does not find is null.
        let row = rows.get(nth).filter(|row| text(row, "path") == Some(&file.path));
        let Some(content) = row.and_then(|row| STANDARD.decode(text(row, "content")?).ok()) else {
            look.missing();
            continue;
        };
        if look.file(&file.path, &content) == Next::Enough {
            return Ok(Next::Enough);
        }
    }
    Ok(look.time())
}
