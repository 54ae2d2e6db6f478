//! Values that only the host reads, from their text. What is wrong with one continues a sentence that begins with its name.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use crate::upstream::Number;

/// An address, or a network in CIDR form.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let found = single.or_else(|_| text.parse::<IpNet>());
    let found = found.map_err(|_| "must be an IP address or a network such as 10.0.0.0/8".to_owned())?;
    if found != found.trunc() {
        return Err(format!("has address bits beyond its prefix; write {}", found.trunc()));
    }
    Ok(found)
}

pub(super) fn version(text: &str) -> Result<Number, String> {
    Number::of_setting(text).ok_or_else(|| "must be a version such as 1.26.2".to_owned())
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.chars().any(char::is_control) {
        return Err("must be a path without control characters".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// An address with a port to listen on.
pub(super) fn socket(text: &str) -> Result<SocketAddr, String> {
    let wrong = || "must be an IP address with a port, such as 127.0.0.1:9090 or [::1]:9090".to_owned();
    let number = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
    number.as_deref().unwrap_or(text).parse().map_err(|_| wrong())
}
