//! Where Gitea is, read from its address. The guest has no say in it.

/// Scheme, authority and path prefix of Gitea's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether TLS is used.
    pub(crate) tls: bool,
    /// Host and optional port.
    pub(crate) authority: String,
    /// Path up to and including `/api/v1`.
    pub(crate) prefix: String,
}

impl Origin {
    /// Read `GITEA_URL`: http or https, a host, perhaps a port and a path.
    ///
    /// # Errors
    /// The rule that the address breaks.
    pub(crate) fn read(address: &str) -> Result<Self, &'static str> {
        let (tls, rest) = address
            .strip_prefix("https://")
            .map(|rest| (true, rest))
            .or_else(|| address.strip_prefix("http://").map(|rest| (false, rest)))
            .ok_or("the address of Gitea begins with http:// or https://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        if authority.is_empty() || !authority.bytes().all(host) {
            return Err("the address of Gitea holds a host and perhaps a port, no user name or password");
        }
        let path = path.trim_end_matches('/');
        let plain = |part: &str| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        };
        if !path.is_empty() && !path.split('/').all(plain) {
            return Err("the address of Gitea has a plain path, no query and no fragment");
        }
        let prefix = if path.is_empty() { "/api/v1".to_owned() } else { format!("/{path}/api/v1") };
        Ok(Self { tls, authority: authority.to_owned(), prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn reads_host_port_and_path() {
        let read = |address| Origin::read(address).map(|o| (o.tls, o.authority, o.prefix));
        let is = |tls, authority: &str, prefix: &str| Ok((tls, authority.to_owned(), prefix.to_owned()));
        assert_eq!(read("https://git.example.com"), is(true, "git.example.com", "/api/v1"));
        assert_eq!(read("http://[::1]:3000/"), is(false, "[::1]:3000", "/api/v1"));
        assert_eq!(read("https://example.com/git/"), is(true, "example.com", "/git/api/v1"));
    }

    #[test]
    fn refuses_addresses_that_could_lead_elsewhere() {
        for address in [
            "",
            "git.example.com",
            "ftp://git",
            "https://",
            "https:///x",
            "https://u:p@git",
            "https://git/?q",
            "https://git/#f",
            "https://git/../x",
            "https://git//x",
            "https://git\\@evil",
            "https://git/ x",
            "HTTPS://git",
            "https://git\r\n",
        ] {
            assert!(Origin::read(address).is_err(), "{address:?}");
        }
    }
}
