//! A commit as Gitea packs it: streamed, unpacked piece by piece, never kept.
//!
//! Files that `.gitattributes` leaves out of archives (`export-ignore`) are not in it. Links are never followed and
//! submodules are empty directories there. An archive that breaks off is searched as far as it came.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::Archive;

use super::ARCHIVE;
use super::entries::{self, Ended, ended};
use super::folder::{self, Folder};
use super::look::Look;
use crate::access::Reader;
use crate::gitea::{self, Body};
use crate::ports::Media;
use crate::tools::args::Repo;
use crate::tools::kit::Error;
use crate::tools::lookup;

/// Most bytes that the host lets through. Our own bound is lower: it ends a search, it does not fail it.
const HOST_BYTES: u64 = 128 * 1024 * 1024;

/// How it went.
pub(super) enum Streamed {
    Read,
    /// The files have to be had in another way; why.
    Unusable(String),
}

pub(super) fn stream(
    reader: &Reader<'_>,
    repo: &Repo,
    commit: &str,
    look: &mut dyn Look,
) -> Result<Streamed, Error> {
    let top = folder::ask(reader, repo, commit)?;
    let bounds = look.bounds();
    let most = bounds.archive_bytes;
    let packed = reader
        .start(lookup::call(repo, ARCHIVE).segment(commit).accept(Media::Archive).at_most(HOST_BYTES))?;
    let mut folder = match Folder::of(reader, repo, commit, top)? {
        Ok(folder) => folder,
        Err(why) => return Ok(Streamed::Unusable(why)),
    };
    let body = match packed.body() {
        Ok(body) => body,
        Err(
            gitea::Error::NotFound { .. }
            | gitea::Error::Failed { .. }
            | gitea::Error::Redirected { .. }
            | gitea::Error::Forbidden { .. },
        ) => return Ok(Streamed::Unusable("Gitea gives no archive".to_owned())),
        Err(error) => return Err(error.into()),
    };
    let unpacked = Unpacked {
        from: GzDecoder::new(Source::new(body, most)),
        read: 0,
        most: bounds.unpacked_bytes,
        expansion: bounds.expansion,
    };
    match entries::read(&mut Archive::new(unpacked), &mut folder, look) {
        Ok(entries::Read::Enough) => {}
        Ok(entries::Read::Mistakable) => return Ok(Streamed::Unusable(folder.why_mistakable())),
        Err(error) => look.stop(format!("the reading ended early: {}", why(&error))),
    }
    Ok(Streamed::Read)
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
        // An honest repository may hold a large file of zeros: only what is much in all is judged.
        let much = self.read > self.most / 2;
        if much && self.read > packed.saturating_mul(self.expansion) {
            return Err(ended("the archive grows too much when unpacked (SEARCH_MAX_EXPANSION)".to_owned()));
        }
        Ok(read)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Our own reason, wherever in the chain of readers it arose; anything else is an archive that cannot be read.
fn why(error: &io::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> =
        error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    while let Some(inner) = cause {
        if let Some(ended) = inner.downcast_ref::<Ended>() {
            return ended.to_string();
        }
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return why(inner);
        }
        cause = inner.source();
    }
    "the archive broke off or is damaged".to_owned()
}
