//! Which redirect URIs clients may register and ask for.
//!
//! A code travels in the redirect, so whoever gets to choose it signs in as somebody else. URIs are judged by
//! their bytes before they are taken apart, and taken apart only in the one spelling that every URL parser reads
//! in the same way; nothing is decoded, normalised or repaired. Whether a URI belongs to a client is not decided
//! here but by the host, which compares bytes.
//!
//! Three rules, by where the client comes from:
//! - A client that registers itself is a stranger. It may go to Claude's two callbacks, to a program on the
//!   person's own computer (loopback), and where `OAUTH_REDIRECT_ALLOWLIST` says.
//! - The document of a client stands on a host that the operator allows, and a pre-registered client was written
//!   down by the operator: their https and loopback URIs are judged by form alone.
//! - A scheme of its own (`cursor://…`) is for nobody unless the operator lists that very URI.

use crate::ports::ClientKind;
use crate::settings::Config;

/// Most bytes of a redirect URI.
pub const LONGEST: usize = 512;

/// Callbacks that a client may register on every server.
const CLAUDE: [&str; 2] =
    ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// The names that an answer adds to the query: a redirect URI that has them already would say them twice
/// (RFC 6749 section 4.1.2, RFC 9207).
const OURS: [&[u8]; 7] =
    [b"code", b"state", b"iss", b"error", b"error_description", b"error_uri", b"response"];

/// Where a redirect URI leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A web site: its host, with the port where one is written.
    Site(&'a str),
    /// A program on the person's computer: the host with its port.
    Loopback(&'a str),
    /// The program that opens this scheme on the person's computer.
    Scheme(&'a str),
}

/// Why a redirect URI is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRedirect {
    /// Longer than [`LONGEST`] bytes, or empty.
    Length,
    /// Something that is not visible ASCII, or a quote, backslash, `#` and the like.
    Character,
    /// Not `https://` or `http://` in lower case.
    Scheme,
    /// `http` to another computer.
    PlainHttp,
    /// A user name or password, or what looks like one.
    UserInfo,
    /// Not a host name in its one plain spelling.
    Host,
    /// An IP address in any spelling, other than the two of loopback.
    Address,
    /// Not a port, or the scheme's own spelled out.
    Port,
    /// Dot segments, empty segments, or escapes that hide them.
    Path,
    /// A query with escapes that are none, or with a name that the answer adds.
    Query,
    /// Well-formed, but a client that registers itself may not use it here.
    NotListed,
}

impl BadRedirect {
    /// What is wrong, for a developer. It does not repeat the URI.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Length => "It has more than 512 bytes, or none.",
            Self::Character => {
                "It holds a character that no redirect URI needs: only visible ASCII is accepted, without quotes, \
                 backslashes, brackets, `*` or `#`."
            }
            Self::Scheme => {
                "It must begin with https:// (or http:// on loopback) in lower case. Another scheme must be listed \
                 in OAUTH_REDIRECT_ALLOWLIST."
            }
            Self::PlainHttp => {
                "Plain http is accepted only for 127.0.0.1, [::1] and localhost: elsewhere others could read the \
                 code."
            }
            Self::UserInfo => "It holds an `@` before the path, so that it looks like another host.",
            Self::Host => "Its host is not a name of lower-case letters, digits, hyphens and single dots.",
            Self::Address => "Its host is an IP address; only 127.0.0.1 and [::1] are accepted, with http.",
            Self::Port => "Its port is not a number from 1 to 65535, or is the usual one spelled out.",
            Self::Path => "Its path holds `.`, `..`, empty segments or escapes that could hide them.",
            Self::Query => {
                "Its query is not properly encoded, or uses a name that the answer adds, such as code or state."
            }
            Self::NotListed => {
                "A client that registers itself may use Claude's callbacks, loopback addresses and what the operator \
                 lists in OAUTH_REDIRECT_ALLOWLIST."
            }
        }
    }
}

/// Judges an `https` or loopback URI by its form alone.
///
/// # Errors
/// It has not the one plain spelling, or is neither.
pub fn judge_form(uri: &str) -> Result<Place<'_>, BadRedirect> {
    check_bytes(uri)?;
    let (secure, rest) = match (uri.strip_prefix("https://"), uri.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err(BadRedirect::Scheme),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).ok_or(BadRedirect::Host)?;
    let place = check_authority(authority, secure)?;
    let (path, query) = tail.split_once('?').map_or((tail, None), |(path, query)| (path, Some(query)));
    check_path(path)?;
    query.map_or(Ok(()), check_query)?;
    Ok(place)
}

/// Judges a URI that a client registers by itself (RFC 7591).
///
/// # Errors
/// Its form is not accepted, or it is not one of those that a stranger may use.
pub fn judge_registration<'a>(config: &Config, uri: &'a str) -> Result<Place<'a>, BadRedirect> {
    let place = judge_listed(config, uri)?;
    let free = CLAUDE.contains(&uri)
        || (matches!(place, Place::Loopback(_)) && uri.starts_with("http://"))
        || listed(config, uri);
    if free { Ok(place) } else { Err(BadRedirect::NotListed) }
}

/// Judges the URI of an authorization request, by where its client comes from.
///
/// # Errors
/// As the two others.
pub fn judge_request<'a>(config: &Config, kind: ClientKind, uri: &'a str) -> Result<Place<'a>, BadRedirect> {
    match kind {
        // Judged again: the operator may have taken it off the list since it was registered.
        ClientKind::Registered => judge_registration(config, uri),
        ClientKind::Document | ClientKind::Preregistered => judge_listed(config, uri),
    }
}

/// `https` and loopback by form; other schemes only when the operator lists that very URI.
fn judge_listed<'a>(config: &Config, uri: &'a str) -> Result<Place<'a>, BadRedirect> {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    if web || !listed(config, uri) {
        return judge_form(uri);
    }
    check_bytes(uri)?;
    Ok(Place::Scheme(scheme))
}

/// The setting's own rule has refused schemes that a browser runs or opens by itself.
fn listed(config: &Config, uri: &str) -> bool {
    config.redirect_allowlist.iter().any(|listed| listed == uri)
}

fn check_bytes(uri: &str) -> Result<(), BadRedirect> {
    if uri.is_empty() || uri.len() > LONGEST {
        return Err(BadRedirect::Length);
    }
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\^{|}#*".contains(&byte);
    if uri.bytes().all(fits) { Ok(()) } else { Err(BadRedirect::Character) }
}

fn check_authority(authority: &str, secure: bool) -> Result<Place<'_>, BadRedirect> {
    if authority.contains('@') {
        return Err(BadRedirect::UserInfo);
    }
    let (host, port) = match authority.strip_prefix("[::1]") {
        Some("") => ("[::1]", None),
        Some(rest) => ("[::1]", Some(rest.strip_prefix(':').ok_or(BadRedirect::Host)?)),
        None if authority.starts_with('[') => return Err(BadRedirect::Address),
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    if let Some(port) = port {
        check_port(port, secure)?;
    }
    match (host, secure) {
        ("localhost", _) | ("127.0.0.1" | "[::1]", false) => Ok(Place::Loopback(authority)),
        ("127.0.0.1" | "[::1]", true) => Err(BadRedirect::Address),
        _ => {
            check_host(host)?;
            if secure { Ok(Place::Site(authority)) } else { Err(BadRedirect::PlainHttp) }
        }
    }
}

fn check_port(port: &str, secure: bool) -> Result<(), BadRedirect> {
    let plain = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    let own = if secure { 443 } else { 80 };
    match port.parse::<u16>() {
        Ok(number) if plain && number != own => Ok(()),
        Ok(_) | Err(_) => Err(BadRedirect::Port),
    }
}

/// A DNS name of letters, digits and hyphens (RFC 1123 section 2.1), in lower case, without a dot at the end.
/// Other scripts come as punycode, which no page here turns back into letters.
fn check_host(host: &str) -> Result<(), BadRedirect> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if host.len() > 253 || !host.split('.').all(label) {
        return Err(BadRedirect::Host);
    }
    // A last label that reads as a number makes a browser read the whole host as an IPv4 address, also in
    // decimal, octal, hexadecimal and short forms (WHATWG URL, "ends in a number").
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number =
        last.bytes().all(|byte| byte.is_ascii_digit()) || last.strip_prefix("0x").is_some_and(hexadecimal);
    if number { Err(BadRedirect::Address) } else { Ok(()) }
}

fn check_path(path: &str) -> Result<(), BadRedirect> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let inner = segments.peek().is_some();
        if segment == "." || segment == ".." || (segment.is_empty() && inner) {
            return Err(BadRedirect::Path);
        }
    }
    // An escaped dot, slash, backslash or percent sign is read by some and not by others.
    let hides = |byte: u8| matches!(byte, b'.' | b'/' | b'\\' | b'%' | b';') || byte.is_ascii_control();
    let brackets = path.contains(['[', ']']);
    match escapes(path) {
        Some(bytes) if !brackets && !bytes.iter().any(|byte| hides(*byte)) => Ok(()),
        Some(_) | None => Err(BadRedirect::Path),
    }
}

fn check_query(query: &str) -> Result<(), BadRedirect> {
    let taken = query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        OURS.contains(&decoded(name).to_ascii_lowercase().as_slice())
    });
    match escapes(query) {
        Some(bytes) if !taken && !bytes.iter().any(u8::is_ascii_control) => Ok(()),
        Some(_) | None => Err(BadRedirect::Query),
    }
}

/// The bytes that are written as escapes; none where a `%` is not followed by two hexadecimal digits.
fn escapes(text: &str) -> Option<Vec<u8>> {
    text.split('%').skip(1).map(escape).collect()
}

/// The byte that the first two digits of `text` stand for.
fn escape(text: &str) -> Option<u8> {
    let digits = text.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// `text` with its escapes read once. Only for looking: what is looked at is refused or stays as it was written.
fn decoded(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match escape(part) {
            Some(byte) => {
                out.push(byte);
                out.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => out.extend_from_slice(part.as_bytes()),
        }
    }
    out
}

#[cfg(test)]
mod tests;
