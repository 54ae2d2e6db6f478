//! Bodies that are not JSON: diffs and archives, which may be of any length. They are read piece by piece and
//! given up, without a failure, where the reader has enough.

use super::{Error, PIECE_BYTES};
use crate::ports::{Exchange, Head};

/// A body that is read piece by piece. Dropping it cancels the rest.
#[must_use = "a body that nobody reads is cancelled"]
pub struct Body {
    exchange: Box<dyn Exchange>,
    content_type: String,
}

/// The beginning of a text, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What was read. What is not UTF-8 in it is replaced.
    pub text: String,
    /// Whether that is all of it.
    pub end: End,
}

/// How the reading of a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it was read.
    Whole,
    /// There is more; reading stopped at the limit.
    Limit,
    /// The answer broke off: Gitea cannot take back the success that it announced before it failed.
    Broken,
}

impl Body {
    pub(super) fn new(exchange: Box<dyn Exchange>, head: &Head) -> Self {
        let kind = head.header("content-type").unwrap_or_default();
        let content_type = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Self { exchange, content_type }
    }

    /// The media type, in lower case and without parameters; empty where Gitea names none.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// The body broke off, took too long or grew larger than the call allows.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let piece = self.exchange.read(PIECE_BYTES).map_err(|failure| Error::of_failure(failure, false))?;
        Ok(if piece.is_empty() { None } else { Some(piece) })
    }

    /// Read text up to `most` bytes. A text that breaks off after its first byte is told as far as it came.
    ///
    /// # Errors
    /// Nothing of it came.
    pub fn text(mut self, most: usize) -> Result<Text, Error> {
        let mut bytes: Vec<u8> = Vec::new();
        let end = loop {
            match self.next_piece() {
                Ok(None) => break End::Whole,
                Ok(Some(piece)) => {
                    let room = most.saturating_sub(bytes.len());
                    bytes.extend(piece.iter().take(room));
                    if piece.len() > room {
                        break End::Limit;
                    }
                }
                Err(error) if bytes.is_empty() => return Err(error),
                Err(_) => break End::Broken,
            }
        };
        Ok(Text { text: String::from_utf8_lossy(&bytes).into_owned(), end })
    }
}
