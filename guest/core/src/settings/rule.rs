//! How the text of a setting becomes a value: one function for each type in `settings.toml`.
//!
//! The host includes this same file, so that it and the guest cannot read one value in two ways. It must stay
//! free of everything but the standard library. Every error says what is allowed and never repeats the value:
//! the value may hold a password in the wrong place, and who prints it decides that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `true` or `false`, also as `1`/`0`, `yes`/`no`, `on`/`off`, in any case.
pub(super) fn flag(value: &str) -> Result<bool, String> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// A decimal number from `min` to `max`, both included; digits only.
pub(super) fn integer<T: TryFrom<u64>>(value: &str, min: u64, max: u64) -> Result<T, String> {
    let number =
        if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse::<u64>().ok() } else { None };
    number
        .filter(|number| (min..=max).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {min} to {max}"))
}

/// One of the listed words, in any case.
pub(super) fn choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    choices
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(value))
        .map(|(_, choice)| *choice)
        .ok_or_else(|| format!("must be one of {}", words(choices)))
}

fn words<T>(choices: &[(&str, T)]) -> String {
    choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
}

/// An IP address to listen on; `localhost` is 127.0.0.1 and brackets around IPv6 are dropped.
pub(super) fn address(value: &str) -> Result<IpAddr, String> {
    if value.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let bare = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(value);
    bare.parse()
        .map_err(|_| "must be an IP address such as 127.0.0.1, ::1 or 0.0.0.0, or localhost".to_owned())
}

/// An `http` or `https` address without user, query and fragment. The answer has scheme and host in lower
/// case, no port where it is the scheme's own, and no slash at the end.
pub(super) fn url(value: &str) -> Result<String, String> {
    let (origin, path) = parts(value)?;
    // Percent-encoding is left to whoever builds on the path: characters that would need it are not taken.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if !path.bytes().all(plain) || path.split('/').any(|segment| segment == "." || segment == "..") {
        return Err(
            "must have a path of letters, digits and -._~ only, without `.` and `..` segments".to_owned()
        );
    }
    Ok(format!("{origin}{}", path.trim_end_matches('/')))
}

/// An `http` or `https` address of scheme, host and perhaps port alone (RFC 6454 section 6.2), in the form in
/// which browsers send it.
pub(super) fn origin(value: &str) -> Result<String, String> {
    let (origin, path) = parts(value)?;
    if path.is_empty() || path == "/" {
        return Ok(origin);
    }
    Err("must be scheme, host and perhaps port alone, without a path".to_owned())
}

/// Splits an address into its normal origin and the path as written.
fn parts(value: &str) -> Result<(String, &str), String> {
    let form = || "must be an address such as https://git.example.com".to_owned();
    if value.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control() || byte == b'\\') {
        return Err("must not hold spaces, control characters or backslashes".to_owned());
    }
    let (scheme, rest) = value.split_once("://").ok_or_else(form)?;
    let scheme = scheme.to_ascii_lowercase();
    let own_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return Err("must begin with https:// or http://".to_owned()),
    };
    if rest.contains(['?', '#']) {
        return Err("must not hold a query (`?`) or a fragment (`#`)".to_owned());
    }
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("must not hold a user name or password".to_owned());
    }
    let (name, port) = match authority.rsplit_once(':') {
        // The last colon of `[::1]` is inside the brackets.
        Some((name, port)) if !port.ends_with(']') => {
            (name, integer::<u16>(port, 1, 65535).map_err(|error| format!("has a port that {error}"))?)
        }
        _ => (authority, own_port),
    };
    let name = host(name)?;
    let origin =
        if port == own_port { format!("{scheme}://{name}") } else { format!("{scheme}://{name}:{port}") };
    Ok((origin, path))
}

/// A host name, an IPv4 address or an IPv6 address in brackets, in lower case and without a port.
pub(super) fn host(value: &str) -> Result<String, String> {
    if let Some(inner) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let parsed: Result<Ipv6Addr, _> = inner.parse();
        return parsed
            .map(|address| format!("[{address}]"))
            .map_err(|_| "has an IPv6 address that cannot be read".to_owned());
    }
    if value.contains(':') {
        return Err("must be a host name or address without a port; IPv6 stands in brackets".to_owned());
    }
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A last label of digits makes the whole an IPv4 address or nothing (WHATWG URL, "ends in a number").
    let numeric = value.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if value.len() > 253 || !value.split('.').all(label) || (numeric && value.parse::<Ipv4Addr>().is_err()) {
        return Err(
            "must name a host by letters, digits, `-`, `_` and dots; other scripts as punycode (xn--)"
                .to_owned(),
        );
    }
    Ok(value.to_ascii_lowercase())
}

/// `owner/repo` or `owner/*`, in lower case since Gitea's names are the same in any case.
pub(super) fn repository(value: &str) -> Result<(String, String), String> {
    let name = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && part != "."
            && part != ".."
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match value.split_once('/') {
        Some((owner, repo)) if name(owner) && (repo == "*" || name(repo)) => {
            Ok((owner.to_ascii_lowercase(), repo.to_ascii_lowercase()))
        }
        _ => Err("must be owner/repo or owner/*".to_owned()),
    }
}

/// The items of a list: separated by commas, spaces around them dropped, empty ones skipped.
pub(super) fn list<T>(value: &str, item: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .enumerate()
        .map(|(index, part)| {
            item(part).map_err(|error| format!("has an entry {} that {error}", index.saturating_add(1)))
        })
        .collect()
}

/// An exact redirect URI, also with a scheme of its own; not one that a browser would run or open locally.
pub(super) fn redirect(value: &str) -> Result<String, String> {
    const NEVER: [&str; 8] =
        ["javascript", "data", "vbscript", "file", "blob", "mailto", "about", "view-source"];
    let form =
        || "must be a whole redirect URI of at most 512 visible ASCII characters, without `#`".to_owned();
    let (scheme, rest) = value.split_once(':').ok_or_else(form)?;
    let mut letters = scheme.bytes();
    let scheme_fits = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"'<>\\^`{|}#,".contains(&byte);
    if !scheme_fits || rest.is_empty() || value.len() > 512 || !rest.bytes().all(fits) {
        return Err(form());
    }
    if NEVER.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err("must not have a scheme that a browser runs or opens by itself".to_owned());
    }
    Ok(value.to_owned())
}

/// One word of visible ASCII without quotes, commas and backslashes.
pub(super) fn word(value: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"',\\".contains(&byte);
    if (1..=255).contains(&value.len()) && value.bytes().all(fits) {
        return Ok(value.to_owned());
    }
    Err("must be one word of at most 255 visible ASCII characters without quotes and commas".to_owned())
}
