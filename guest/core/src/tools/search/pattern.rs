//! What is looked for, in one line at a time: no match runs over a line end, `^` and `$` are the ends of the line, and
//! neither the line break nor the carriage return before it is part of it. The engine finds one match in time linear in
//! the length of the text whatever the expression, and of each line only the first match is asked for: so a file takes
//! time linear in its length, where all matches in a text at once may take the square of it.

use regex::bytes::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use crate::tools::kit::Error;

/// Most bytes that a compiled expression may take.
const COMPILED_BYTES: usize = 256 * 1024;
/// Most bytes of the cache of its automaton.
const AUTOMATON_BYTES: usize = 1024 * 1024;
/// How deep groups may be nested.
const NESTED: u32 = 20;

/// A compiled query.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    is_regex: bool,
    id: String,
}

impl Pattern {
    /// A text in any case, or an expression as it is.
    pub(super) fn new(query: &str, is_regex: bool) -> Result<Self, Error> {
        let expression = if is_regex { query.to_owned() } else { regex::escape(query) };
        let built = RegexBuilder::new(&expression)
            .case_insensitive(!is_regex)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(AUTOMATON_BYTES)
            .nest_limit(NESTED)
            .build();
        let regex = built.map_err(|error| refused(&error))?;
        if regex.is_match(b"") {
            return Err(Error::Unprocessable {
                reason: "query_matches_everything",
                message: "`query` matches an empty line, and so every line. Ask for something distinctive."
                    .to_owned(),
            });
        }
        let digest = Sha256::digest(format!("{is_regex}\n{query}"));
        Ok(Self { regex, is_regex, id: digest.iter().map(|byte| format!("{byte:02x}")).collect() })
    }

    /// Begin and end of the first match in a line.
    pub(super) fn find(&self, line: &[u8]) -> Option<(usize, usize)> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.regex.find(line).map(|found| (found.start(), found.end()))
    }

    /// Whether no line of a text can match, where that is quick to see. An expression may mean something else by the
    /// ends of a text than by those of a line, so only plain words are looked for in the whole.
    pub(super) fn is_nowhere_in(&self, text: &[u8]) -> bool {
        !self.is_regex && !self.regex.is_match(text)
    }

    /// The same query has the same id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

fn refused(error: &regex::Error) -> Error {
    let message = if matches!(error, regex::Error::CompiledTooBig(_)) {
        "`query` is too large when compiled: make repetitions and classes smaller.".to_owned()
    } else {
        // The last line of the engine's message is the reason; those before it draw the place.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`query` is not a regular expression that is understood here: {reason}.")
    };
    Error::Unprocessable { reason: "bad_expression", message }
}
