//! Secrets and hostile characters taken out of text that leaves AegisGitea-MCP.
//!
//! Pure: text in, text out; tables are constants made when the crate is built, and time is linear in the
//! length of the text. It must not learn anything about tools, callers or policy, and it keeps nothing.

mod class;
mod config;
mod context;
mod encoded;
mod escaped;
mod hostile;
mod invisible;
mod key_block;
mod matching;
mod scan;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use scan::{Found, Hit, scan};

/// How often masking may be repeated until nothing is found. Masking changes what stands next to what, so a
/// second look may find more; texts that need so many are not text, and are replaced whole.
const PASSES: usize = 6;

/// What happens to secrets. The values of `SECRET_DETECTION_MODE`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Only the product's own tokens and keys are masked.
    Off,
    /// Each secret becomes `[redacted:<rule>]`.
    Mask,
    /// A text that holds a secret becomes `[blocked: contains <rule>]`.
    Block,
}

/// A word that is not a mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownMode;

impl fmt::Display for UnknownMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("secret detection is one of `off`, `mask` and `block`")
    }
}

impl std::error::Error for UnknownMode {}

impl FromStr for Mode {
    type Err = UnknownMode;

    /// Exactly `off`, `mask` or `block`; anything else is refused.
    fn from_str(word: &str) -> Result<Self, UnknownMode> {
        match word {
            "off" => Ok(Self::Off),
            "mask" => Ok(Self::Mask),
            "block" => Ok(Self::Block),
            _ => Err(UnknownMode),
        }
    }
}

/// Cleans texts, all in one mode.
#[derive(Clone, Copy, Debug)]
pub struct Redactor {
    mode: Mode,
}

/// A text that may leave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cleaned<'t> {
    /// The text, borrowed where nothing had to change.
    pub text: Cow<'t, str>,
    /// How many secrets were found.
    pub secrets: u32,
    /// How many hostile characters were removed; a terminal sequence counts once.
    pub hostile: u32,
}

impl Redactor {
    /// A redactor in this mode.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self { mode }
    }

    /// Take hostile characters and secrets out of `text`, in this order, so that an invisible character cannot
    /// split a secret. Cleaning a clean text changes nothing. Clean whole texts and `bound` them afterwards: a
    /// secret that was cut is not recognised.
    #[must_use]
    pub fn clean<'t>(&self, text: &'t str) -> Cleaned<'t> {
        match self.passes(text, Breaks::Drop) {
            Ok(cleaned) => cleaned,
            Err(Withheld { rule, secrets, hostile }) => Cleaned { text: blocked(rule), secrets, hostile },
        }
    }

    /// As [`Self::clean`], but every line break of `text` stays, also those within a secret, so that line `n` of the
    /// result is what may be told of line `n` of `text`. Nothing where none of it may be told.
    #[must_use]
    pub fn clean_lines<'t>(&self, text: &'t str) -> Option<Cleaned<'t>> {
        self.passes(text, Breaks::Keep).ok()
    }

    fn passes<'t>(&self, text: &'t str, breaks: Breaks) -> Result<Cleaned<'t>, Withheld> {
        let (mut text, hostile) = hostile::strip(text);
        let mut secrets = 0_u32;
        let mut first = None;
        for _ in 0..PASSES {
            let Found { hits, .. } = scan(&text, self.mode == Mode::Off);
            let Some(hit) = hits.first() else {
                return Ok(Cleaned { text, secrets, hostile });
            };
            let rule = *first.get_or_insert(hit.rule);
            secrets = secrets.saturating_add(u32::try_from(hits.len()).unwrap_or(u32::MAX));
            if self.mode == Mode::Block {
                return Err(Withheld { rule, secrets, hostile });
            }
            text = Cow::Owned(masked(&text, &hits, breaks).ok_or(Withheld { rule, secrets, hostile })?);
        }
        Err(Withheld { rule: first.unwrap_or_default(), secrets, hostile })
    }
}

/// What becomes of line breaks within a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Drop,
    Keep,
}

/// A text of which nothing may be told, and the rule that says so.
struct Withheld {
    rule: u16,
    secrets: u32,
    hostile: u32,
}

fn name(rule: u16) -> &'static str {
    table::RULES.get(usize::from(rule)).map_or("secret", |rule| rule.name)
}

fn blocked(rule: u16) -> Cow<'static, str> {
    Cow::Owned(format!("[blocked: contains {}]", name(rule)))
}

/// `text` with each hit replaced; nothing if a hit is not a range of the text, which no rule can ask for.
fn masked(text: &str, hits: &[Hit], breaks: Breaks) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for hit in hits {
        out.push_str(text.get(kept..hit.start)?);
        out.push_str("[redacted:");
        out.push_str(name(hit.rule));
        out.push(']');
        if breaks == Breaks::Keep {
            out.extend(text.get(hit.start..hit.end)?.chars().filter(|c| *c == '\n'));
        }
        kept = hit.end;
    }
    out.push_str(text.get(kept..)?);
    Some(out)
}

/// The first `max_chars` characters of `text`, if it has more than that.
#[must_use]
pub fn bound(text: &str, max_chars: usize) -> Option<&str> {
    // A text of so few bytes cannot have more characters.
    if text.len() <= max_chars {
        return None;
    }
    let (end, _) = text.char_indices().nth(max_chars)?;
    text.get(..end)
}

/// The name of every rule, as it stands in masks.
pub fn rules() -> impl Iterator<Item = &'static str> {
    table::RULES.iter().map(|rule| rule.name)
}

#[cfg(test)]
mod tests;
