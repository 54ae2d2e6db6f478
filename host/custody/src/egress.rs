//! What may be sent to Gitea at all, and the one way to spell it.
//!
//! Both hosts of a guest (the native program and the portable adapter) turn a guest's request into a request
//! target through [`target`]. The guest names a path by template and gives plain values; it cannot choose an
//! origin, smuggle a second path segment or a query parameter into a value, act as somebody else, or send what is
//! not in [`READ_ROWS`] or [`WRITE_ROWS`]. This module must not send anything and must not know a credential.
//!
//! Gitea decodes a path once after splitting it, so every segment is percent-encoded exactly once, and what was
//! built is parsed again and compared with what was meant before it is handed out.

mod question;
mod rows;

use std::fmt::Write as _;

pub use question::{PROBE, Question, probe};
pub use rows::{READ_ROWS, Touches, WRITE_ROWS};

/// Methods that a guest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// A read.
    Get,
    /// Creates something.
    Post,
    /// Changes something.
    Patch,
    /// Removes something.
    Delete,
}

impl Method {
    /// The method as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Query names that change who acts or carry a credential. Gitea reads them on every call.
const FORBIDDEN_QUERY: [&str; 3] = ["sudo", "token", "access_token"];

/// Longest request target in bytes; common proxies in front of Gitea refuse more than 8 KiB.
const MAX_TARGET: usize = 8000;

/// Longest owner, organisation or repository name that Gitea accepts, in bytes.
const MAX_NAME: usize = 100;

/// Why a request is not sent. The text names the rule and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A template that is not in [`READ_ROWS`], or for another method than GET not in [`WRITE_ROWS`].
    #[error("{method} {template} is not in the list of requests this server may send to Gitea")]
    NotListed {
        /// Method as asked.
        method: &'static str,
        /// Template as asked.
        template: String,
    },
    /// A listed change while writes are off.
    #[error("writes are off: WRITE_MODE must be true before a change is sent to Gitea")]
    WritesOff,
    /// The template itself is malformed or leads to the administration API.
    #[error("path template refused: {0}")]
    Template(&'static str),
    /// The number of values differs from the number of placeholders.
    #[error("the path template has {placeholders} placeholders and {values} values were given")]
    Count {
        /// Placeholders in the template.
        placeholders: usize,
        /// Values given.
        values: usize,
    },
    /// A value for a placeholder cannot be one path segment.
    #[error("value for {{{placeholder}}} refused: {rule}")]
    Segment {
        /// Name of the placeholder.
        placeholder: String,
        /// What is wrong with the value. The value itself is not repeated.
        rule: &'static str,
    },
    /// A query parameter is not allowed.
    #[error("query parameter refused: {0}")]
    Query(&'static str),
    /// The whole target is too long.
    #[error("the request target would be longer than {MAX_TARGET} bytes")]
    TooLong,
    /// What was built does not parse back to what was meant.
    #[error("the request target does not parse back to the intended path and query")]
    Mismatch,
}

/// Build the path and query below `/api/v1` for one request to Gitea.
///
/// In `template`, `{name}` takes one segment (with an optional literal ending, `{index}.diff`) and a last
/// `{name...}` takes the rest of a path. `segments` are the plain values in order, `query` plain pairs; both are
/// encoded here, once. `writes_enabled` is the operator's `WRITE_MODE`.
///
/// A slash inside a one-segment value is encoded (`feature/x` becomes `feature%2Fx`), and no piece between
/// slashes may be empty, `.` or `..` even so. Owners, organisations, users and repositories are held to Gitea's
/// own alphabet, whatever the placeholder is called.
///
/// # Errors
/// [`Refused`] says which rule stopped it. Nothing may be sent then.
pub fn target(
    method: Method,
    template: &str,
    segments: &[impl AsRef<str>],
    query: &[(impl AsRef<str>, impl AsRef<str>)],
    writes_enabled: bool,
) -> Result<String, Refused> {
    permit(method, template, writes_enabled)?;
    build(template, segments, query)
}

/// Spell a template with its values; whether it may be sent is decided before.
fn build(
    template: &str,
    segments: &[impl AsRef<str>],
    query: &[(impl AsRef<str>, impl AsRef<str>)],
) -> Result<String, Refused> {
    let intended = expand(template, segments)?;
    check_position(&intended)?;

    let mut built = String::new();
    for segment in &intended {
        built.push('/');
        encode(segment, &mut built);
    }
    for (nth, (name, value)) in query.iter().enumerate() {
        check_query_name(name.as_ref())?;
        built.push(if nth == 0 { '?' } else { '&' });
        encode(name.as_ref(), &mut built);
        built.push('=');
        encode(value.as_ref(), &mut built);
    }
    if built.len() > MAX_TARGET {
        return Err(Refused::TooLong);
    }
    let same = parse(&built).is_some_and(|(path, pairs)| {
        path == intended
            && pairs.len() == query.len()
            && pairs
                .iter()
                .zip(query)
                .all(|(got, (name, value))| got.0 == name.as_ref() && got.1 == value.as_ref())
    });
    if same { Ok(built) } else { Err(Refused::Mismatch) }
}

/// Everything must be listed; a change must be allowed by the operator besides.
fn permit(method: Method, template: &str, writes_enabled: bool) -> Result<(), Refused> {
    rows::row(method, template)?;
    if method == Method::Get || writes_enabled { Ok(()) } else { Err(Refused::WritesOff) }
}

/// One piece of a template between slashes.
enum Piece<'a> {
    Literal(&'a str),
    One { name: &'a str, ending: &'a str },
    Rest { name: &'a str },
}

fn piece(text: &str) -> Result<Piece<'_>, Refused> {
    let literal = |part: &str| part.bytes().all(is_unreserved);
    let Some(inner) = text.strip_prefix('{') else {
        return match text {
            "" => Err(Refused::Template("it must not hold an empty segment")),
            "." | ".." => Err(Refused::Template("it must not hold a dot segment")),
            _ if literal(text) => Ok(Piece::Literal(text)),
            _ => Err(Refused::Template("literal segments are letters, digits, '.', '_', '~' and '-'")),
        };
    };
    let (name, ending) =
        inner.split_once('}').ok_or(Refused::Template("a placeholder is not closed by a brace"))?;
    let (name, rest) = name.strip_suffix("...").map_or((name, false), |name| (name, true));
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
        return Err(Refused::Template("a placeholder is named by lower-case letters"));
    }
    match (rest, ending) {
        (true, "") => Ok(Piece::Rest { name }),
        (true, _) => Err(Refused::Template("nothing may follow the rest of a path")),
        (false, ending) if literal(ending) => Ok(Piece::One { name, ending }),
        (false, _) => Err(Refused::Template("after a placeholder only a plain ending may follow")),
    }
}

/// The intended path, segment by segment, not encoded.
fn expand(template: &str, values: &[impl AsRef<str>]) -> Result<Vec<String>, Refused> {
    let body = template.strip_prefix('/').ok_or(Refused::Template("it must begin with a slash"))?;
    let pieces = body.split('/').map(piece).collect::<Result<Vec<_>, _>>()?;
    let placeholders = pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_))).count();
    if placeholders != values.len() {
        return Err(Refused::Count { placeholders, values: values.len() });
    }
    let last = pieces.len();
    let mut values = values.iter().map(AsRef::as_ref);
    let mut path = Vec::with_capacity(last);
    for (nth, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Literal(text) => path.push(text.to_owned()),
            Piece::One { name, ending } => {
                let value = values.next().unwrap_or_default();
                check_value(name, value)?;
                path.push(format!("{value}{ending}"));
            }
            Piece::Rest { name } => {
                if nth + 1 != last {
                    return Err(Refused::Template("the rest of a path must come last"));
                }
                let value = values.next().unwrap_or_default();
                check_value(name, value)?;
                path.extend(value.split('/').map(str::to_owned));
            }
        }
    }
    Ok(path)
}

/// Rules for every value, whichever kind of placeholder it fills.
fn check_value(placeholder: &str, value: &str) -> Result<(), Refused> {
    let refuse = |rule| Err(Refused::Segment { placeholder: placeholder.to_owned(), rule });
    if value.chars().any(char::is_control) {
        return refuse("control characters are not allowed");
    }
    if value.contains('\\') {
        return refuse("a backslash is not allowed");
    }
    for part in value.split('/') {
        match part {
            "" => return refuse("it must not be empty, begin or end with a slash, or hold two in a row"),
            "." | ".." => return refuse("'.' and '..' are not allowed as a segment"),
            _ => {}
        }
    }
    if placeholder == "index" && (value.len() > 18 || !value.bytes().all(|byte| byte.is_ascii_digit())) {
        return refuse("it must be a decimal number");
    }
    Ok(())
}

/// Rules that follow from where a segment stands, so that renaming a placeholder does not avoid them.
fn check_position(path: &[String]) -> Result<(), Refused> {
    let slashed = path.iter().take(3).any(|segment| segment.contains('/'));
    let mut path = path.iter().map(String::as_str);
    match path.next() {
        Some("admin") => Err(Refused::Template("the administration API is never called")),
        Some("repos") => {
            path.next().map_or(Ok(()), |owner| check_name("owner", owner))?;
            path.next().map_or(Ok(()), check_repository)
        }
        Some("orgs") => path.next().map_or(Ok(()), |org| check_name("org", org)),
        Some("users") => path.next().map_or(Ok(()), |user| check_name("username", user)),
        // A proxy in front of Gitea may decode %2F: what then reads as a room of the API must be one segment here too.
        _ if slashed => Err(Refused::Template("the first three segments hold no slash")),
        _ => Ok(()),
    }
}

/// Gitea's alphabet for owners and repositories.
fn check_name(placeholder: &str, name: &str) -> Result<(), Refused> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Refused::Segment {
        placeholder: placeholder.to_owned(),
        rule: "a name is 1 to 100 letters, digits, '.', '_' or '-'",
    })
}

/// Gitea keeps these endings for itself: `demo.git` must not be a second name for `demo`.
fn check_repository(name: &str) -> Result<(), Refused> {
    check_name("repo", name)?;
    let lower = name.to_ascii_lowercase();
    if [".git", ".wiki", ".rss", ".atom"].iter().any(|ending| lower.ends_with(ending)) {
        return Err(Refused::Segment {
            placeholder: "repo".to_owned(),
            rule: "a repository name does not end in .git, .wiki, .rss or .atom",
        });
    }
    Ok(())
}

fn check_query_name(name: &str) -> Result<(), Refused> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(Refused::Query("a name is 1 to 64 letters, digits, '_' or '-'"));
    }
    if FORBIDDEN_QUERY.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
        return Err(Refused::Query("sudo, token and access_token are never sent"));
    }
    Ok(())
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail; if it ever did, the check of the built target would.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A path and a query, decoded.
type Parsed = (Vec<String>, Vec<(String, String)>);

/// Read a request target the way Gitea does: split first, decode each part once.
fn parse(built: &str) -> Option<Parsed> {
    let (path, query) = built.split_once('?').map_or((built, None), |(path, query)| (path, Some(query)));
    let path = path.strip_prefix('/')?.split('/').map(decode).collect::<Option<Vec<_>>>()?;
    let mut pairs = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (name, value) = pair.split_once('=')?;
        pairs.push((decode(name)?, decode(value)?));
    }
    Some((path, pairs))
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            out.push(u8::try_from(high * 16 + low).ok()?);
        } else if is_unreserved(byte) {
            out.push(byte);
        } else {
            return None;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
