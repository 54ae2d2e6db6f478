//! Path patterns. `*` is any run of characters, `/` too; `**/` is any number of directories, none too; `?` is
//! one character; everything else is itself. There is no escape and no other special character.
//!
//! Matching follows every possibility at once, one step per character, so its cost is at most pattern length
//! times path length, whatever an operator writes or a caller sends.
//!
//! The two lists differ on purpose, each to the safe side. A *deny* pattern ignores letter case and composition, and
//! covers what lies beneath the directories it matches. An *allow* pattern matches exactly what it says.

use crate::path;
use unicode_normalization::UnicodeNormalization as _;

/// Longest pattern, in characters.
pub(crate) const PATTERN_LENGTH: usize = 256;

/// Characters that mean something in other pattern languages. Read literally they would quietly match nothing.
const FOREIGN: [char; 4] = ['[', ']', '{', '}'];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Literal(char),
    /// Any one character.
    One,
    /// Any run of characters.
    Run,
    /// Begin of `**/`: either skip it (two tokens on) or be within it (one token on).
    Directories,
    /// Inside the directories of a `**/`: stays, and after each `/` may also leave.
    Within,
}

/// Whether `pattern` can stand in a `paths` list.
///
/// # Errors
///
/// What is wrong with it and what to write instead, as the end of a sentence that begins with the pattern.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    if pattern.chars().count() > PATTERN_LENGTH {
        return Err(format!("is longer than {PATTERN_LENGTH} characters"));
    }
    if pattern.starts_with('!') {
        return Err("begins with `!`; there are no exceptions inside a list, deny always wins".to_owned());
    }
    if let Some(foreign) = pattern.chars().find(|c| FOREIGN.contains(c)) {
        return Err(format!(
            "holds `{foreign}`; only `*`, `**/` and `?` are special here: write one pattern for each case, or \
             `?` for the character itself"
        ));
    }
    if let Some(directory) = pattern.strip_suffix('/')
        && !directory.is_empty()
    {
        return Err(format!("ends with `/`; write `{directory}/*` for everything in that directory"));
    }
    path::check(pattern).map_err(str::to_owned)
}

/// A pattern of `paths.deny`.
#[derive(Clone, Debug)]
pub(crate) struct DenyPattern {
    tokens: Vec<Token>,
    /// Whether what the tokens match is denied even where it is a file. Otherwise only as a directory.
    covers_files: bool,
}

impl DenyPattern {
    pub(crate) fn new(pattern: &str) -> Self {
        // `src/*`, `src/**` and `src/**/*` all mean the directory and what is in it. As matching covers what
        // lies beneath a match, `src` says that. Where the last name is itself a pattern (`*/*`), a file of
        // that name (`README.md`) is not meant, since nothing lies in it.
        let short = pattern.strip_suffix("/**/*").or_else(|| pattern.strip_suffix("/**"));
        let (base, covers_files) = match short.or_else(|| pattern.strip_suffix("/*")) {
            Some("**") => ("*", true),
            Some(base) => (base, !base.rsplit('/').next().unwrap_or(base).contains('*')),
            None => (pattern, true),
        };
        // One form for a letter that can be written as one character or as two; paths are read alike.
        let composed: String = base.nfc().collect();
        let tokens = tokens(&composed)
            .into_iter()
            .map(|token| match token {
                Token::Literal(c) => Token::Literal(fold(c)),
                Token::One | Token::Run | Token::Directories | Token::Within => token,
            })
            .collect();
        Self { tokens, covers_files }
    }

    /// Whether `path` or a directory above it is denied, in any letter case and whether its letters are composed or not
    /// (macOS decomposes names). `is_dir`: it is known to be one.
    pub(crate) fn covers(&self, path: &str, is_dir: bool) -> bool {
        if path.is_ascii() { self.finds(path.chars(), is_dir) } else { self.finds(path.nfc(), is_dir) }
    }

    fn finds(&self, path: impl Iterator<Item = char>, is_dir: bool) -> bool {
        let mut walk = Walk::begin(&self.tokens);
        for c in path {
            if c == '/' && walk.complete() {
                return true;
            }
            walk.step(fold(c));
        }
        walk.complete() && (self.covers_files || is_dir)
    }
}

/// A pattern of `paths.allow`.
#[derive(Clone, Debug)]
pub(crate) struct AllowPattern {
    tokens: Vec<Token>,
}

impl AllowPattern {
    pub(crate) fn new(pattern: &str) -> Self {
        Self { tokens: tokens(pattern) }
    }

    /// Whether exactly `path` is allowed.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let mut walk = Walk::begin(&self.tokens);
        path.chars().for_each(|c| walk.step(c));
        walk.complete()
    }

    /// Whether something beneath the directory `path` could be allowed, so that a listing must show the way.
    pub(crate) fn could_match_beneath(&self, path: &str) -> bool {
        let mut walk = Walk::begin(&self.tokens);
        path.chars().chain(['/']).for_each(|c| walk.step(c));
        walk.may_continue()
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(pattern.len());
    let mut segments = pattern.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment == "**" && !last {
            tokens.extend([Token::Directories, Token::Within]);
            continue;
        }
        for c in segment.chars() {
            match c {
                '*' if tokens.last() == Some(&Token::Run) => {}
                '*' => tokens.push(Token::Run),
                '?' => tokens.push(Token::One),
                _ => tokens.push(Token::Literal(c)),
            }
        }
        if !last {
            tokens.push(Token::Literal('/'));
        }
    }
    tokens
}

/// One letter case for comparison, one character for one, so that `?` keeps meaning one character.
fn fold(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { only(only(c, char::to_uppercase), char::to_lowercase) }
}

fn only<I: Iterator<Item = char>>(c: char, map: impl Fn(char) -> I) -> char {
    let mut mapped = map(c);
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// The set of places in a pattern that some reading of the characters so far leads to. Place `i` means that
/// the first `i` tokens are matched, so there is one place more than tokens.
struct Walk<'t> {
    tokens: &'t [Token],
    here: Vec<bool>,
    next: Vec<bool>,
}

impl<'t> Walk<'t> {
    fn begin(tokens: &'t [Token]) -> Self {
        let mut here = vec![false; tokens.len().saturating_add(1)];
        if let Some(first) = here.first_mut() {
            *first = true;
        }
        let next = here.clone();
        let mut walk = Self { tokens, here, next };
        walk.pass_empty();
        walk
    }

    /// Consume one character.
    fn step(&mut self, c: char) {
        let mut enter = false;
        let tokens = self.tokens.iter().map(Some).chain([None]);
        for ((was, token), next) in self.here.iter().zip(tokens).zip(&mut self.next) {
            let mut now = enter;
            enter = false;
            if *was {
                match token {
                    Some(Token::Literal(wanted)) => enter = *wanted == c,
                    Some(Token::One) => enter = true,
                    Some(Token::Run) => now = true,
                    Some(Token::Within) => {
                        now = true;
                        enter = c == '/';
                    }
                    Some(Token::Directories) | None => {}
                }
            }
            *next = now;
        }
        std::mem::swap(&mut self.here, &mut self.next);
        self.pass_empty();
    }

    /// Pass the tokens that may match nothing.
    fn pass_empty(&mut self) {
        let (mut one_on, mut two_on) = (false, false);
        let tokens = self.tokens.iter().map(Some).chain([None]);
        for (place, token) in self.here.iter_mut().zip(tokens) {
            *place |= one_on;
            one_on = two_on;
            two_on = false;
            if *place {
                one_on |= matches!(token, Some(Token::Run | Token::Directories));
                two_on = matches!(token, Some(Token::Directories));
            }
        }
    }

    /// Whether the characters so far are a whole match.
    fn complete(&self) -> bool {
        self.here.last().copied().unwrap_or(false)
    }

    /// Whether the characters so far are the beginning of a longer match.
    fn may_continue(&self) -> bool {
        self.here.iter().zip(self.tokens).any(|(place, _)| *place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denies(pattern: &str, path: &str) -> bool {
        DenyPattern::new(pattern).covers(path, false)
    }

    fn allows(pattern: &str, path: &str) -> bool {
        AllowPattern::new(pattern).matches(path)
    }

    #[test]
    fn a_star_spans_directories_and_a_question_mark_is_one_character() {
        assert!(allows("src/*", "src/a/b/c.rs"));
        assert!(allows("*.rs", "src/a.rs"));
        assert!(allows("s*c/a?c", "sxxc/abc"));
        assert!(!allows("a?c", "ac"));
        assert!(!allows("a?c", "abbc"));
        assert!(!allows("src/*", "source/a"));
        assert!(!allows("src/*", "src"));
    }

    #[test]
    fn two_stars_and_a_slash_are_any_number_of_directories() {
        for path in ["key.pem", "a/key.pem", "a/b/key.pem"] {
            assert!(allows("**/key.pem", path), "{path}");
        }
        assert!(!allows("**/key.pem", "monkey.pem"));
        assert!(allows("a/**/b", "a/b"));
        assert!(allows("a/**/b", "a/x/y/b"));
        assert!(!allows("a/**/b", "ab"));
        assert!(!allows("a/**/b", "a/xb"));
        assert!(allows("**/a/**/b", "a/b"));
        assert!(allows("a/**", "a/b/c"));
    }

    #[test]
    fn a_denied_directory_covers_itself_and_what_lies_beneath_however_it_is_written() {
        for pattern in ["src/secrets", "src/secrets/*", "src/secrets/**", "src/secrets/**/*"] {
            for path in ["src/secrets", "src/secrets/key", "src/secrets/a/b"] {
                assert!(denies(pattern, path), "{pattern} {path}");
            }
            assert!(!denies(pattern, "src/secrets2/key"), "{pattern}");
            assert!(!denies(pattern, "src"), "{pattern}");
        }
    }

    #[test]
    fn a_deny_below_every_directory_spares_files_at_the_top() {
        assert!(!denies("*/*", "README.md"));
        assert!(denies("*/*", "src/main.rs"));
        assert!(DenyPattern::new("*/*").covers("src", true));
        assert!(denies("**/*", "README.md"));
        assert!(denies("**", "README.md"));
        assert!(denies("*", "a/b"));
    }

    #[test]
    fn deny_ignores_letter_case_beyond_ascii_too_and_allow_does_not() {
        assert!(denies("src/Geheim/*", "SRC/gEHEIM/x"));
        assert!(denies("ÄRGER", "ärger/x"));
        assert!(denies("ΣΑΣ", "σας"));
        assert!(denies("\u{212A}ey", "key"));
        assert!(denies("src/?.key", "src/ß.key"));
        assert!(!allows("src/*", "SRC/a"));
    }

    #[test]
    fn a_directory_leads_on_only_where_an_allowed_pattern_continues() {
        let leads = |pattern: &str, path| AllowPattern::new(pattern).could_match_beneath(path);
        assert!(leads("src/api/*", "src"));
        assert!(leads("src/api/*", "src/api"));
        assert!(leads("src/api/*", "src/api/deep"));
        assert!(leads("*.md", "anything"));
        assert!(leads("**/x", "a"));
        assert!(!leads("src/api/*", "docs"));
        assert!(!leads("src/api.rs", "src/api.rs"));
        assert!(!leads("src/a", "sr"));
    }

    /// All well-formed patterns up to a length, those with `?` up to a smaller one.
    fn short_patterns() -> Vec<String> {
        let mut patterns = words(&['a', '/', '*', '?'], 4);
        patterns.extend(words(&['a', '/', '*'], 6));
        patterns.retain(|pattern| check(pattern).is_ok());
        patterns
    }

    #[test]
    fn matching_agrees_with_a_slow_and_obvious_matcher_on_every_short_input() {
        let paths = words(&['a', 'b', '/'], 5);
        let mut matched = 0_u32;
        for pattern in short_patterns() {
            let allow = AllowPattern::new(&pattern);
            for path in &paths {
                let slow = slow(&pattern, path, true);
                assert_eq!(allow.matches(path), slow, "{pattern} {path}");
                matched += u32::from(slow);
            }
        }
        assert!(matched > 1000, "only {matched}");
    }

    #[test]
    fn a_deny_covers_all_that_the_same_allow_matches_and_all_beneath_what_it_covers() {
        let paths: Vec<String> =
            words(&['a', 'b', '/'], 4).into_iter().filter(|p| check(p).is_ok()).collect();
        let mut beneath = 0_u32;
        for pattern in short_patterns() {
            let (allow, deny) = (AllowPattern::new(&pattern), DenyPattern::new(&pattern));
            for path in &paths {
                let covered = deny.covers(path, false);
                assert!(covered || !allow.matches(path), "{pattern} {path}");
                assert!(!covered || deny.covers(path, true), "{pattern} {path}");
                assert!(!covered || deny.covers(&format!("{path}/b"), false), "{pattern} {path}");
                assert_eq!(covered, deny.covers(&path.to_uppercase(), false), "{pattern} {path}");
                beneath += u32::from(covered);
            }
        }
        assert!(beneath > 1000, "only {beneath}");
    }

    /// `begin`: a directory's name begins here.
    fn slow(pattern: &str, path: &str, begin: bool) -> bool {
        if begin && let Some(rest) = pattern.strip_prefix("**/") {
            let starts =
                std::iter::once(path).chain(path.match_indices('/').map(|(at, _)| path.split_at(at + 1).1));
            return starts.into_iter().any(|path| slow(rest, path, true));
        }
        let mut left = pattern.chars();
        let mut right = path.chars();
        match (left.next(), right.next()) {
            (None, None) => true,
            (Some('*'), None) => slow(left.as_str(), path, false),
            (Some('*'), Some(_)) => slow(left.as_str(), path, false) || slow(pattern, right.as_str(), false),
            (Some(p), Some(c)) => (p == '?' || p == c) && slow(left.as_str(), right.as_str(), p == '/'),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn words(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = Vec::new();
        let mut layer = vec![String::new()];
        for _ in 0..longest {
            layer = layer.iter().flat_map(|w| alphabet.iter().map(move |c| format!("{w}{c}"))).collect();
            all.extend(layer.iter().cloned());
        }
        all
    }
}
