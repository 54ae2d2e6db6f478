//! The form of the tables that build.rs makes from rules/*.toml. Constants only: nothing is built at run time.

use crate::class::Class;

/// One rule: what a mask calls it.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Masked even where redaction is off: the product's own credentials.
    pub(crate) always: bool,
}

/// A literal whose appearance starts a closer look.
pub(crate) struct Anchor {
    /// The first three bytes, each with bit 0x20 set.
    pub(crate) key: u32,
    pub(crate) literal: &'static str,
    /// Whether the literal is compared without regard to ASCII case.
    pub(crate) fold: bool,
    /// Index into `RULES`.
    pub(crate) rule: u16,
    pub(crate) look: Look,
}

/// What to look for around an anchor.
#[derive(Clone, Copy)]
pub(crate) enum Look {
    Token(&'static Token),
    Near(&'static Near),
    Pem,
    PemEnd,
    Putty,
    Netrc,
    DockerAuth,
    Connection,
    Authorization,
    Userinfo,
    Assignment,
    /// A mask that was put in earlier: opaque.
    Placeholder,
}

pub(crate) enum Step {
    Literal(&'static str),
    Run { class: Class, min: usize, max: usize },
}

pub(crate) struct Token {
    pub(crate) behind: Option<(Class, usize, usize)>,
    pub(crate) steps: &'static [Step],
    pub(crate) needs: &'static [Class],
    pub(crate) keep: bool,
    pub(crate) free: bool,
    /// Whether a dash before the start begins a new word. Never where a run of the token may hold a dash, so
    /// that one long run cannot be entered at each of its dashes.
    pub(crate) dash: bool,
}

pub(crate) struct Near {
    pub(crate) window: usize,
    pub(crate) steps: &'static [Step],
    pub(crate) needs: &'static [Class],
    pub(crate) unless: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// Whether any anchor may begin with these three (folded) bytes.
pub(crate) fn filter(key: u32) -> bool {
    let bit = slot(key);
    FILTER.get(bit >> 6).is_some_and(|word| word >> (bit & 63) & 1 == 1)
}

/// Where in the filter a key stands; build.rs has the same function.
const fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B1) >> 20) as usize
}

/// The anchors that begin with these three (folded) bytes.
pub(crate) fn anchors(key: u32) -> impl Iterator<Item = &'static Anchor> {
    let first = ANCHORS.partition_point(|anchor| anchor.key < key);
    ANCHORS.iter().skip(first).take_while(move |anchor| anchor.key == key)
}

/// Every anchor, for tests that make text from the tables.
#[cfg(test)]
pub(crate) fn every() -> &'static [Anchor] {
    ANCHORS
}
