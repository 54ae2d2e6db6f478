//! Whether a presented redirect URI is the registered one.
//!
//! Byte for byte, with one exception (RFC 8252 section 7.3): a native client listens on a port of the moment, so the
//! port of a registered loopback URI is free. Nothing is decoded, folded or normalised first. Which URIs may be
//! registered at all is not decided here.

use std::borrow::Cow;

/// How a loopback URI begins, up to its port. The three are not alike: a registered one matches itself alone.
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// Whether `presented` may be redirected to for a client that registered `registered`.
#[must_use]
pub fn matches(registered: &str, presented: &str) -> bool {
    without_loopback_port(registered) == without_loopback_port(presented)
}

/// Whether a redirect goes to a program on the person's own computer, where any program may be listening.
#[must_use]
pub fn is_loopback(uri: &str) -> bool {
    loopback(uri).is_some()
}

/// The form in which redirect URIs are compared: a loopback URI without its port, any other as it stands.
pub(super) fn without_loopback_port(uri: &str) -> Cow<'_, str> {
    match loopback(uri) {
        Some((origin, rest)) => Cow::Owned(format!("{origin}{rest}")),
        None => Cow::Borrowed(uri),
    }
}

/// A loopback URI as its scheme and host, and what follows the port. A port that is not a plain number from 1 to
/// 65535, or a host that goes on after the literal, makes it an ordinary URI, compared whole.
fn loopback(uri: &str) -> Option<(&'static str, &str)> {
    LOOPBACK.into_iter().find_map(|origin| {
        let after = uri.strip_prefix(origin)?;
        let rest = match after.strip_prefix(':') {
            Some(port) => past_port(port)?,
            None => after,
        };
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((origin, rest))
    })
}

fn past_port(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (port, rest) = text.split_at_checked(end)?;
    let plain = !port.starts_with('0') && port.parse::<u16>().is_ok();
    plain.then_some(rest)
}
