//! Where a request claims to be going and to come from.
//!
//! A page in somebody's browser can make it send requests here, and DNS can make any name point here (DNS
//! rebinding). So the host must be one of ours and a browser's origin must be allowed. What proxies say in
//! `Forwarded` and `X-Forwarded-*` is not looked at.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::header::ORIGIN;
use http::uri::Authority;
use http::{HeaderValue, Request, Uri};

use super::Refusal;
use crate::settings::Config;

/// Checks the host that the request is addressed to.
pub(super) fn host(config: &Config, uri: &Uri) -> Result<(), Refusal> {
    let Some(authority) = uri.authority().filter(|authority| !authority.as_str().contains('@')) else {
        return Err(Refusal::UnknownHost);
    };
    let host = authority.host();
    let ours = is_loopback(host)
        || config.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
        || public_host(config).is_some_and(|public| public.eq_ignore_ascii_case(host));
    if ours { Ok(()) } else { Err(Refusal::UnknownHost) }
}

/// Checks the browser's origin; what is returned may be named in CORS headers. Requests without one do not
/// come from a page.
pub(super) fn origin<B>(config: &Config, request: &Request<B>) -> Result<Option<HeaderValue>, Refusal> {
    let mut values = request.headers().get_all(ORIGIN).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(Refusal::ForeignOrigin),
    };
    let stated = value.to_str().map_err(|_| Refusal::ForeignOrigin)?;
    let here = request.uri().authority().is_some_and(|authority| is_loopback(authority.host()));
    let listed = config.allowed_origins.iter().chain(&config.public_base_url).any(|ours| same(ours, stated));
    if listed || (here && is_loopback_origin(stated)) {
        Ok(Some(value.clone()))
    } else {
        Err(Refusal::ForeignOrigin)
    }
}

/// A credential in a URL ends up in histories, logs and referrers (RFC 9700 section 4.3.2); it is refused, not
/// ignored, so that whoever sends it learns of it.
pub(super) fn credential_in_query(uri: &Uri) -> Result<(), Refusal> {
    let mut names =
        uri.query().unwrap_or("").split(['&', ';']).map(|pair| pair.split('=').next().unwrap_or(""));
    let carries = names.any(|name| {
        let name = decoded(name).to_ascii_lowercase();
        name == b"access_token" || name == b"token"
    });
    if carries { Err(Refusal::TokenInQuery) } else { Ok(()) }
}

fn public_host(config: &Config) -> Option<String> {
    let uri: Uri = config.public_base_url.as_deref()?.parse().ok()?;
    uri.host().map(str::to_owned)
}

/// `localhost`, 127.0.0.0/8 and `[::1]`, each in its plain spelling.
fn is_loopback(host: &str) -> bool {
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match six {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()),
        None => {
            host.eq_ignore_ascii_case("localhost")
                || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    authority
        .and_then(|authority| authority.parse::<Authority>().ok())
        .is_some_and(|authority| !authority.as_str().contains('@') && is_loopback(authority.host()))
}

/// Browsers leave a scheme's own port out (RFC 6454 section 6.2); people who write settings may not.
fn same(ours: &str, stated: &str) -> bool {
    let ours = match ours.split_once("://") {
        Some(("https", _)) => ours.strip_suffix(":443").unwrap_or(ours),
        Some(("http", _)) => ours.strip_suffix(":80").unwrap_or(ours),
        Some(_) | None => ours,
    };
    ours.eq_ignore_ascii_case(stated)
}

/// Percent-decoding, once; what does not decode stays as it is.
fn decoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let coded = after.first_chunk::<2>().filter(|_| first == b'%').and_then(|digits| {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            u8::try_from(high * 16 + low).ok()
        });
        match coded {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}
