//! The bounds of a search in the files of a commit.

use super::{
    Reading, search_matches_per_file, search_max_archive_bytes, search_max_entries, search_max_expansion,
    search_max_file_bytes, search_max_matches, search_max_repository_kib, search_max_seconds,
    search_max_unpacked_bytes,
};

/// The bounds of `search_code`. A search that reaches one ends with what it found and says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// `SEARCH_MAX_REPOSITORY_KIB`: by the size that Gitea names.
    pub repository_kib: u64,
    /// `SEARCH_MAX_ARCHIVE_BYTES`: compressed.
    pub archive_bytes: u64,
    /// `SEARCH_MAX_UNPACKED_BYTES`.
    pub unpacked_bytes: u64,
    /// `SEARCH_MAX_EXPANSION`: unpacked bytes for each compressed one.
    pub expansion: u64,
    /// `SEARCH_MAX_ENTRIES`.
    pub entries: u32,
    /// `SEARCH_MAX_FILE_BYTES`.
    pub file_bytes: u64,
    /// `SEARCH_MAX_SECONDS`.
    pub seconds: u32,
    /// `SEARCH_MAX_MATCHES`.
    pub matches: usize,
    /// `SEARCH_MATCHES_PER_FILE`.
    pub matches_per_file: usize,
}

impl Search {
    pub(super) fn read(from: &mut Reading<'_>) -> Option<Self> {
        let (kib, archive) = (search_max_repository_kib(from), search_max_archive_bytes(from));
        let (unpacked, expansion) = (search_max_unpacked_bytes(from), search_max_expansion(from));
        let (entries, file) = (search_max_entries(from), search_max_file_bytes(from));
        let (seconds, matches) = (search_max_seconds(from), search_max_matches(from));
        let per_file = search_matches_per_file(from);
        Some(Self {
            repository_kib: kib?,
            archive_bytes: archive?,
            unpacked_bytes: unpacked?,
            expansion: u64::from(expansion?),
            entries: entries?,
            file_bytes: file?,
            seconds: seconds?,
            matches: usize::try_from(matches?).unwrap_or(usize::MAX),
            matches_per_file: usize::try_from(per_file?).unwrap_or(usize::MAX),
        })
    }
}
