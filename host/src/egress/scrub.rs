//! Our own credentials toward Gitea, taken out of what Gitea answers; what a guest makes of the answer afterwards is
//! [`crate::own`]'s.
//!
//! Gitea has no reason to repeat one, and a guest must not see one whatever Gitea's reasons are: an error text, a proxy's
//! page, a repository that somebody put a leaked token into. Each is replaced by as many stars, also where it is spread
//! over two pieces of an answer.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::own::SHORTEST;

/// The part of an `Authorization` value after its scheme.
pub(super) fn token_of(authorization: &http::HeaderValue) -> Option<&[u8]> {
    let value = authorization.as_bytes();
    value.iter().position(|byte| *byte == b' ').and_then(|at| value.get(at.saturating_add(1)..))
}

/// What is looked for in one answer.
#[derive(Default)]
pub(super) struct Scrub {
    secret: Zeroizing<Vec<u8>>,
    /// The end of what came, which may be the beginning of a secret.
    held: BytesMut,
}

impl Scrub {
    /// For the credential of one `Authorization` value: the part after its scheme.
    pub(super) fn of(authorization: &http::HeaderValue) -> Self {
        let secret =
            token_of(authorization).filter(|token| token.len() >= SHORTEST).unwrap_or_default().to_vec();
        Self { secret: Zeroizing::new(secret), held: BytesMut::new() }
    }

    /// The next piece of an answer: what may be handed on now. Nothing, perhaps.
    pub(super) fn piece(&mut self, piece: Bytes) -> Bytes {
        if self.secret.is_empty() {
            return piece;
        }
        self.held.extend_from_slice(&piece);
        self.clear();
        // One byte less than a secret cannot hold one; it may hold the beginning of one.
        let keep = self.secret.len().saturating_sub(1);
        let ready = self.held.len().saturating_sub(keep);
        self.held.split_to(ready).freeze()
    }

    /// What was kept back, once there is nothing more to come.
    pub(super) fn rest(&mut self) -> Bytes {
        self.clear();
        self.held.split().freeze()
    }

    fn clear(&mut self) {
        // Nothing would be found everywhere, without end.
        if self.secret.is_empty() {
            return;
        }
        let finder = memmem::Finder::new(self.secret.as_slice());
        let mut from = 0;
        while let Some(at) = self.held.get(from..).and_then(|rest| finder.find(rest)) {
            let start = from.saturating_add(at);
            let end = start.saturating_add(self.secret.len());
            if let Some(found) = self.held.get_mut(start..end) {
                found.fill(b'*');
            }
            from = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef01234567";

    fn through(text: &str, size: usize) -> String {
        let mut scrub = Scrub::of(&http::HeaderValue::from_str(&format!("token {SECRET}")).unwrap());
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            out.extend_from_slice(&scrub.piece(Bytes::copy_from_slice(piece)));
        }
        out.extend_from_slice(&scrub.rest());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_credential_is_starred_out_wherever_the_pieces_break() {
        let text = format!("a{SECRET}b{SECRET}{SECRET} and its half {}", SECRET.get(..20).unwrap());
        let stars = "*".repeat(SECRET.len());
        let wanted = format!("a{stars}b{stars}{stars} and its half {}", SECRET.get(..20).unwrap());
        for size in 1..=text.len() {
            assert_eq!(through(&text, size), wanted, "pieces of {size}");
        }
    }

    #[test]
    fn other_text_passes_unchanged() {
        for size in [1, 7, 4096] {
            assert_eq!(through("nothing to see here", size), "nothing to see here");
            assert_eq!(through("", size), "");
        }
    }

    #[test]
    fn a_short_word_is_not_taken_for_a_credential() {
        let mut scrub = Scrub::of(&http::HeaderValue::from_static("token the"));
        assert_eq!(scrub.piece(Bytes::from_static(b"the end")), "the end");
        assert_eq!(scrub.rest(), "");
    }

    #[test]
    fn an_answer_to_a_request_without_a_credential_comes_to_its_end() {
        let mut scrub = Scrub::default();
        assert_eq!(scrub.piece(Bytes::from_static(b"all of it")), "all of it");
        assert_eq!(scrub.rest(), "");
    }
}
