//! The pages as the build packed them, and finding one of them.

use std::io::{self, Read as _};

use flate2::read::GzDecoder;

use crate::settings::nearest;

/// Made by `build/manual.rs`.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/manual.gz"));
/// The page that lists the others.
const INDEX: &str = "README";
/// Most names that are suggested.
const SUGGESTED: usize = 5;

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path below `docs`, without `.md`.
    pub(super) name: String,
    pub(super) text: String,
}

/// What the index says of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed<'a> {
    /// The heading that it stands under.
    pub(super) section: &'a str,
    /// The path below `docs`, without `.md`.
    pub(super) name: &'a str,
    pub(super) says: &'a str,
}

/// All of them.
pub(super) struct Manual {
    index: String,
    pages: Vec<Page>,
}

impl Manual {
    /// Unpack what is in the program.
    ///
    /// # Errors
    /// It is not what the build packs.
    pub(super) fn open() -> io::Result<Self> {
        let mut whole = String::new();
        GzDecoder::new(PACKED).read_to_string(&mut whole)?;
        let mut pages = Vec::new();
        let mut rest = whole.as_str();
        while !rest.is_empty() {
            let (page, after) = Page::next(rest).ok_or(io::ErrorKind::InvalidData)?;
            pages.push(page);
            rest = after;
        }
        let at = pages.iter().position(|page| page.name == INDEX).ok_or(io::ErrorKind::InvalidData)?;
        let index = pages.remove(at).text;
        Ok(Self { index, pages })
    }

    /// What the index lists, in its order.
    pub(super) fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let mut section = "";
        self.index.lines().filter_map(move |line| {
            if let Some(heading) = line.strip_prefix("## ") {
                section = heading;
            }
            let (_, linked) = line.strip_prefix("| [")?.split_once("](")?;
            let (file, says) = linked.split_once(") | ")?;
            Some(Listed { section, name: file.strip_suffix(".md")?, says: says.strip_suffix(" |")? })
        })
    }

    /// The page of a name as people write it: with or without folder and ending, in any case.
    pub(super) fn find(&self, wanted: &str) -> Option<&Page> {
        let wanted = plain(wanted);
        self.pages.iter().find(|page| page.name == wanted || page.short() == wanted)
    }

    /// Names that may have been meant.
    pub(super) fn near(&self, wanted: &str) -> Vec<&str> {
        let wanted = plain(wanted);
        let typed = nearest(&wanted, self.pages.iter().map(Page::short));
        let part = |name: &str| wanted.len() > 2 && (name.contains(&wanted) || wanted.contains(name));
        let meant = |page: &&Page| Some(page.short()) == typed || part(page.short());
        self.pages.iter().filter(meant).map(Page::short).take(SUGGESTED).collect()
    }

    /// The pages in which a word stands most often.
    pub(super) fn mention(&self, word: &str) -> Vec<&str> {
        let word = word.to_lowercase();
        if word.trim().len() < 3 {
            return Vec::new();
        }
        let mut found: Vec<(usize, &str)> = self
            .pages
            .iter()
            .map(|page| (page.text.to_lowercase().matches(&word).count(), page.short()))
            .filter(|(count, _)| *count > 0)
            .collect();
        found.sort_by(|(one, _), (other, _)| other.cmp(one));
        found.into_iter().map(|(_, name)| name).take(SUGGESTED).collect()
    }

    /// Every page but the index.
    #[cfg(test)]
    pub(super) fn pages(&self) -> &[Page] {
        &self.pages
    }
}

impl Page {
    /// The first page of what is left, and what comes behind it.
    fn next(rest: &str) -> Option<(Self, &str)> {
        let (name, rest) = rest.split_once('\n')?;
        let (length, rest) = rest.split_once('\n')?;
        let (text, rest) = rest.split_at_checked(length.parse().ok()?)?;
        Some((Self { name: name.to_owned(), text: text.to_owned() }, rest))
    }

    /// Its name without the folder.
    pub(super) fn short(&self) -> &str {
        self.name.rsplit_once('/').map_or(self.name.as_str(), |(_, short)| short)
    }
}

/// A name without what people put around it.
fn plain(wanted: &str) -> String {
    let wanted = wanted.to_lowercase().replace([' ', '_'], "-");
    let wanted = wanted.strip_prefix("docs/").unwrap_or(&wanted);
    wanted.strip_suffix(".md").unwrap_or(wanted).to_owned()
}
