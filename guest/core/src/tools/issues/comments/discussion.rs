//! All comments of an issue, read as they arrive. Gitea sends them at once and they may be many megabytes, so only
//! what one page shows is kept: the others are counted and forgotten while they pass. Nothing here cuts a text, since
//! a secret that was cut is not recognised: a body is kept whole or left out.

use std::fmt;
use std::io::{self, BufReader, Read};

use serde::de::{Deserializer as _, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Reader;
use crate::gitea::{Body, Call, Error};

/// Most bytes read of all comments of one issue: some eight thousand short ones.
pub(super) const ALL_BYTES: u64 = 8 * 1024 * 1024;
/// So many more may be on their way when reading stops. The host counts pieces as they come from the network, and where
/// it stops differs from call to call; an answer must not.
const ON_THE_WAY: u64 = 1024 * 1024;
/// Most bytes of a body that is kept ...
pub(super) const BODY_BYTES: usize = 512 * 1024;
/// ... and of all bodies of a page together: with what is made of them on their way out, less than an instance has.
const PAGE_BYTES: usize = 1024 * 1024;

/// One page of a discussion.
#[derive(Debug)]
pub(super) struct Discussion {
    page: Window,
    cut: bool,
}

/// One comment of the page.
#[derive(Debug)]
pub(super) struct Row {
    /// Gitea's comment, with the fields that leave.
    pub(super) comment: Value,
    /// Its body was too long to keep.
    pub(super) too_long: bool,
}

impl Discussion {
    /// Read the comments that `call` asks for, keeping those of this page.
    ///
    /// # Errors
    /// No answer came, it broke off, or it is not a list of comments. That it is longer than is read is none.
    pub(super) fn read(reader: &Reader<'_>, call: Call, page: u32, limit: u32) -> Result<Self, Error> {
        let mut source =
            Source::new(reader.start(call.at_most(ALL_BYTES.saturating_add(ON_THE_WAY)))?.body()?);
        let mut page = Window::of(page, limit);
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(&mut source));
        let read = json.deserialize_any(&mut page).and_then(|()| json.end());
        match (read, source.failure) {
            (_, Some(Error::TooLarge)) => Ok(Self { page, cut: true }),
            (_, Some(failure)) => Err(failure),
            (Err(_), None) => Err(Error::NotJson),
            (Ok(()), None) => Ok(Self { page, cut: false }),
        }
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.page.rows
    }

    /// How many were read.
    pub(super) fn seen(&self) -> u64 {
        self.page.seen
    }

    /// Whether there are more than were read.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether nothing of the page can be told, since reading ended before it.
    pub(super) fn ends_before_page(&self) -> bool {
        self.cut && self.page.rows.is_empty()
    }

    pub(super) fn has_next(&self) -> bool {
        let after = self.page.skip.saturating_add(self.page.take);
        !self.page.rows.is_empty() && (self.page.seen > after || self.cut)
    }

    /// All comments, where all were read.
    pub(super) fn total(&self) -> Option<u64> {
        if self.cut { None } else { Some(self.page.seen) }
    }
}

/// Which comments are kept, and those that were.
#[derive(Debug)]
struct Window {
    skip: u64,
    take: u64,
    seen: u64,
    bytes: usize,
    rows: Vec<Row>,
}

impl Window {
    fn of(page: u32, limit: u32) -> Self {
        let take = u64::from(limit);
        Self {
            skip: u64::from(page.saturating_sub(1)).saturating_mul(take),
            take,
            seen: 0,
            bytes: 0,
            rows: Vec::new(),
        }
    }

    fn holds_next(&self) -> bool {
        self.seen >= self.skip && self.seen < self.skip.saturating_add(self.take)
    }

    fn keep(&mut self, mut comment: Comment) -> Result<(), serde_json::Error> {
        let mut too_long = false;
        if let Some(body) = &comment.body {
            let bytes = self.bytes.saturating_add(body.0.as_ref().map_or(0, String::len));
            too_long = body.0.is_none() || bytes > PAGE_BYTES;
            if too_long {
                comment.body = None;
            } else {
                self.bytes = bytes;
            }
        }
        self.rows.push(Row { comment: serde_json::to_value(comment)?, too_long });
        Ok(())
    }
}

impl<'de> Visitor<'de> for &mut Window {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of comments")
    }

    /// No comments may be null instead of an empty list.
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        loop {
            let more = if self.holds_next() {
                let comment = list.next_element::<Comment>()?;
                let kept = comment.map(|comment| self.keep(comment).map_err(A::Error::custom));
                kept.transpose()?.is_some()
            } else {
                list.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            self.seen = self.seen.saturating_add(1);
        }
    }
}

/// The fields of a comment that leave or tell whose it is; whatever else Gitea sends is not kept for a moment.
#[derive(Deserialize, Serialize)]
struct Comment {
    id: Option<u64>,
    user: Option<Login>,
    body: Option<Bounded>,
    created_at: Option<String>,
    updated_at: Option<String>,
    html_url: Option<String>,
    assets: Option<Vec<Asset>>,
    original_author: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Login {
    id: Option<i64>,
    login: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Asset {
    name: Option<String>,
    size: Option<u64>,
}

/// A text of at most [`BODY_BYTES`], or none.
#[derive(Serialize)]
struct Bounded(Option<String>);

impl<'de> Deserialize<'de> for Bounded {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bounded;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Bounded, E> {
                Ok(Bounded(if text.len() <= BODY_BYTES { Some(text.to_owned()) } else { None }))
            }
        }
        from.deserialize_str(Text)
    }
}

/// The body of the answer up to [`ALL_BYTES`], and how it failed.
struct Source {
    body: Body,
    left: u64,
    piece: io::Cursor<Vec<u8>>,
    failure: Option<Error>,
}

impl Source {
    fn new(body: Body) -> Self {
        Self { body, left: ALL_BYTES, piece: io::Cursor::default(), failure: None }
    }
}

impl Read for Source {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.piece.read(out)?;
        if read > 0 || out.is_empty() {
            return Ok(read);
        }
        match self.body.next_piece() {
            Ok(None) => Ok(0),
            Ok(Some(_)) if self.left == 0 => {
                self.failure = Some(Error::TooLarge);
                Err(io::ErrorKind::Other.into())
            }
            Ok(Some(mut piece)) => {
                piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left = self.left.saturating_sub(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                self.piece = io::Cursor::new(piece);
                self.piece.read(out)
            }
            Err(failure) => {
                self.failure = Some(failure);
                Err(io::ErrorKind::Other.into())
            }
        }
    }
}
