//! A commit as Gitea packs it: streamed, unpacked piece by piece, never kept.
//!
//! Files that `.gitattributes` leaves out of archives (`export-ignore`) are not in it. Links are never followed and
//! submodules are empty directories there. An archive that breaks off is searched as far as it came.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use serde_json::Value;
use tar::{Archive, EntryType};

use super::hunt::{Hunt, Next};
use super::{ARCHIVE, TREE};
use crate::access::Reader;
use crate::gitea::{self, Body, Started};
use crate::ports::Media;
use crate::tools::args::Repo;
use crate::tools::kit::Error;
use crate::tools::lookup;

/// Bytes that an archive may grow to before its expansion is judged: small files compress well.
const FREE_BYTES: u64 = 8 * 1024 * 1024;
/// Most bytes that the host lets through. Our own bound is lower: it ends a search, it does not fail it.
const HOST_BYTES: u64 = 128 * 1024 * 1024;
/// Entries of the top level that are read to know the name of the folder around everything.
const TOP_ENTRIES: u32 = 1000;

/// How it went.
pub(super) enum Streamed {
    Read,
    /// The files have to be had in another way.
    Unusable(&'static str),
}

pub(super) fn stream(
    reader: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    hunt: &mut Hunt<'_>,
) -> Result<Streamed, Error> {
    let top = reader
        .start(lookup::call(repo, TREE).segment(commit).query("page", 1).query("per_page", TOP_ENTRIES))?;
    let most = hunt.bounds.archive_bytes;
    let packed = reader
        .start(lookup::call(repo, ARCHIVE).segment(commit).accept(Media::Archive).at_most(HOST_BYTES))?;
    let folder = folder(repo);
    if !unmistakable(top, &folder)? {
        return Ok(Streamed::Unusable("a folder of the repository bears the repository's own name"));
    }
    let body = match packed.body() {
        Ok(body) => body,
        Err(
            gitea::Error::NotFound { .. }
            | gitea::Error::Failed { .. }
            | gitea::Error::Redirected { .. }
            | gitea::Error::Forbidden { .. },
        ) => return Ok(Streamed::Unusable("Gitea gives no archive")),
        Err(error) => return Err(error.into()),
    };
    unpack(Source::new(body, most), &folder, hunt);
    Ok(Streamed::Read)
}

/// Gitea puts everything into a folder of the repository's name, unless its operator turned that off.
fn folder(repo: &Repo) -> String {
    format!("{}/", repo.repo.to_lowercase())
}

/// Whether that folder can be told from one that the repository itself has: were it taken for the other, the
/// policy would judge wrong paths.
fn unmistakable(top: Started, folder: &str) -> Result<bool, Error> {
    let answer = top.finish()?;
    let rows = answer.body.get("tree").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let name = folder.trim_end_matches('/');
    let same = |row: &Value| {
        row.get("path").and_then(Value::as_str).is_none_or(|path| path.eq_ignore_ascii_case(name))
    };
    let whole = answer.body.get("truncated").and_then(Value::as_bool) == Some(false);
    Ok(whole && !rows.iter().any(same))
}

fn unpack(source: Source, folder: &str, hunt: &mut Hunt<'_>) {
    let settings = hunt.bounds;
    let unpacked = Unpacked {
        from: GzDecoder::new(source),
        read: 0,
        most: settings.unpacked_bytes,
        expansion: settings.expansion,
    };
    let mut archive = Archive::new(unpacked);
    if let Err(error) = entries(&mut archive, folder, hunt) {
        hunt.stop(format!("the search ended early: {}", why(&error)));
    }
}

fn entries<R: Read>(archive: &mut Archive<R>, folder: &str, hunt: &mut Hunt<'_>) -> io::Result<()> {
    let most = hunt.bounds.entries;
    let mut content = Vec::new();
    for (nth, entry) in (0_u32..).zip(archive.entries()?) {
        let mut entry = entry?;
        if nth >= most {
            return Err(ended(format!("the archive has more than {most} entries (SEARCH_MAX_ENTRIES)")));
        }
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else { continue };
        let Some(path) = clean(&name, folder) else { continue };
        let bytes = entry.size();
        if !hunt.wants(path, bytes) {
            if hunt.time() == Next::Enough {
                return Ok(());
            }
            continue;
        }
        content.clear();
        entry.read_to_end(&mut content)?;
        if hunt.file(path, &content) == Next::Enough {
            return Ok(());
        }
    }
    Ok(())
}

/// The path within the repository. What is not clean is nothing that git would have written.
fn clean<'n>(name: &'n str, folder: &str) -> Option<&'n str> {
    let path = name.strip_prefix(folder).unwrap_or(name);
    let good = !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if good { Some(path) } else { None }
}

/// The compressed bytes, up to a bound.
struct Source {
    body: Body,
    piece: io::Cursor<Vec<u8>>,
    read: u64,
    most: u64,
}

impl Source {
    fn new(body: Body, most: u64) -> Self {
        Self { body, piece: io::Cursor::default(), read: 0, most }
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(out)?;
        if read > 0 || out.is_empty() {
            return Ok(read);
        }
        let piece = self
            .body
            .next_piece()
            .map_err(|error| ended(error.message().trim_end_matches('.').to_owned()))?;
        let Some(piece) = piece else { return Ok(0) };
        self.read = self.read.saturating_add(count(piece.len()));
        if self.read > self.most {
            return Err(ended(format!(
                "the archive has more than {} compressed bytes (SEARCH_MAX_ARCHIVE_BYTES)",
                self.most
            )));
        }
        self.piece = io::Cursor::new(piece);
        self.piece.read(out)
    }
}

/// The unpacked bytes, up to a bound and a ratio.
struct Unpacked {
    from: GzDecoder<Source>,
    read: u64,
    most: u64,
    expansion: u64,
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.read = self.read.saturating_add(count(read));
        let packed = self.from.get_ref().read;
        if self.read > self.most {
            let most = self.most;
            return Err(ended(format!(
                "the archive unpacks to more than {most} bytes (SEARCH_MAX_UNPACKED_BYTES)"
            )));
        }
        if self.read > FREE_BYTES && self.read > packed.saturating_mul(self.expansion) {
            return Err(ended("the archive grows too much when unpacked (SEARCH_MAX_EXPANSION)".to_owned()));
        }
        Ok(read)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// A reason of ours, to be told as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Ended(String);

fn ended(why: String) -> io::Error {
    io::Error::other(Ended(why))
}

/// Our own reason, wherever in the chain of readers it arose; anything else is an archive that cannot be read.
fn why(error: &io::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> =
        error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(ended) = inner.downcast_ref::<Ended>() {
            return ended.0.clone();
        }
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return why(inner);
        }
        cause = inner.source();
    }
    "the archive broke off or is damaged".to_owned()
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_lose_the_folder_and_nothing_else() {
        for (name, expected) in [
            ("site/src/main.rs", Some("src/main.rs")),
            ("src/main.rs", Some("src/main.rs")),
            ("site/site/x", Some("site/x")),
            ("site/", None),
            ("site/../x", None),
            ("site//x", None),
            ("/etc/passwd", None),
            ("./x", None),
        ] {
            assert_eq!(clean(name, "site/"), expected, "{name}");
        }
    }
}
