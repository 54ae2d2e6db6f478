//! Where Gitea is, read from its address. The guest has no say in it.

use crate::environment;

/// Scheme, authority and path of Gitea.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether TLS is used.
    pub(crate) tls: bool,
    /// Host and optional port.
    pub(crate) authority: String,
    /// Path below which Gitea lives: empty, or a slash and more.
    pub(crate) path: String,
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
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { tls, authority: authority.to_owned(), path })
    }

    /// As this component reaches Gitea: `GITEA_INTERNAL_URL`, else `GITEA_URL`.
    ///
    /// # Errors
    /// As [`Origin::read`], or neither is set.
    pub(crate) fn of_settings() -> Result<Self, &'static str> {
        let address =
            environment::variable("GITEA_INTERNAL_URL").or_else(|| environment::variable("GITEA_URL"));
        Self::read(&address.ok_or("GITEA_URL is not set")?)
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn reads_host_port_and_path() {
        let read = |address| Origin::read(address).map(|o| (o.tls, o.authority, o.path));
        let is = |tls, authority: &str, path: &str| Ok((tls, authority.to_owned(), path.to_owned()));
        assert_eq!(read("https://git.example.com"), is(true, "git.example.com", ""));
        assert_eq!(read("http://[::1]:3000/"), is(false, "[::1]:3000", ""));
        assert_eq!(read("https://example.com/git/"), is(true, "example.com", "/git"));
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
