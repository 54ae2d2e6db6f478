//! Redirect URIs as Gitea compares them, and how it adds parameters to them.

use std::net::IpAddr;

use crate::forge::call::decoded;

/// Whether a redirect is one of an application's: whole, any ASCII case, one slash at the end ignored. A public
/// application may also use any port of a literal loopback address.
pub(super) fn registered(all: &[String], confidential: bool, asked: &str) -> bool {
    let plain = |uri: &str| {
        let lower = uri.to_ascii_lowercase();
        lower.strip_suffix('/').map(str::to_owned).unwrap_or(lower)
    };
    let without_port = if confidential { None } else { loopback_without_port(asked) };
    let asked = plain(asked);
    let other = without_port.map(|uri| plain(&uri));
    all.iter().map(|known| plain(known)).any(|known| known == asked || other.as_ref() == Some(&known))
}

/// `http://127.0.0.1:8080/cb` without the port; none for anything but http, a literal loopback address and a port.
/// Gitea loses the brackets of `[::1]` here, so that such a redirect needs its port registered.
fn loopback_without_port(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = authority.rsplit_once(':')?;
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let address: IpAddr = host.parse().ok()?;
    address.is_loopback().then(|| format!("http://{host}{path}"))
}

/// A redirect with parameters set in its query, sorted by name as Go writes them.
pub(super) fn with_query(uri: &str, more: &[(&str, &str)]) -> String {
    let (uri, fragment) = uri.split_once('#').map_or((uri, None), |(uri, fragment)| (uri, Some(fragment)));
    let (base, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut pairs = pairs(query);
    pairs.retain(|(name, _)| more.iter().all(|(new, _)| new != name));
    pairs.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    let query: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    let fragment = fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default();
    format!("{base}?{}{fragment}", query.join("&"))
}

/// The parts of a form or a query, in order.
pub(crate) fn pairs(text: &str) -> Vec<(String, String)> {
    let plain = |part: &str| decoded(part, true).unwrap_or_default();
    let parts = text.split('&').filter(|pair| !pair.is_empty());
    parts
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

/// As Go's `url.QueryEscape`.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else if byte == b' ' {
            out.push('+');
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
