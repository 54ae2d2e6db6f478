//! `GITEA_PROXY`: the proxy through which Gitea is reached. Its address may bear a name and a password, so the whole of
//! it is a secret: no error repeats any part of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::NoClient;

/// A proxy that makes tunnels.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// `http://host:port`
    address: Uri,
    /// `Proxy-Authorization`, marked as sensitive.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// `http://[name[:password]@]host[:port]`; name and password in percent encoding, port 80 where there is none.
    ///
    /// # Errors
    /// [`NoClient::Proxy`] says what is wrong with it, and nothing of what it is.
    pub(crate) fn parse(text: &str) -> Result<Self, NoClient> {
        let wrong = NoClient::Proxy;
        let rest = text.strip_prefix("http://").ok_or(wrong("must begin with http://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#']) {
            return Err(wrong("must be an address without a path; write / ? # in a password as %2F %3F %23"));
        }
        let (account, host) = match rest.rsplit_once('@') {
            Some((account, host)) => (Some(account), host),
            None => (None, rest),
        };
        let address: Uri =
            format!("http://{host}").parse().map_err(|_| wrong("names no host and port of a proxy"))?;
        let authority = address.authority().ok_or(wrong("names no host of a proxy"))?;
        let port = authority.as_str().rsplit_once("]").map_or(authority.as_str(), |(_, port)| port);
        if authority.host().is_empty() || (port.contains(':') && authority.port_u16().is_none()) {
            return Err(wrong("names no host and port of a proxy"));
        }
        Ok(Self { address, authorization: account.map(authorization).transpose()? })
    }

    /// What connects through it.
    pub(crate) fn tunnel(&self, http: HttpConnector) -> Tunnel<HttpConnector> {
        let tunnel = Tunnel::new(self.address.clone(), http);
        match &self.authorization {
            Some(authorization) => tunnel.with_auth(authorization.clone()),
            None => tunnel,
        }
    }
}

/// Basic (RFC 7617).
fn authorization(account: &str) -> Result<HeaderValue, NoClient> {
    let (name, password) = account.split_once(':').unwrap_or((account, ""));
    let decoded = |text| Zeroizing::new(percent_decode_str(text).collect::<Vec<u8>>());
    let (name, password) = (decoded(name), decoded(password));
    if name.contains(&b':') {
        return Err(NoClient::Proxy("has a name with a colon, which no proxy can tell from a password"));
    }
    let pair = Zeroizing::new([name.as_slice(), b":", password.as_slice()].concat());
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_slice())));
    let mut header =
        HeaderValue::from_str(&text).map_err(|_| NoClient::Proxy("has an account that cannot be sent"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::Proxy;

    fn parsed(text: &str) -> Option<(String, Option<String>)> {
        let proxy = Proxy::parse(text).ok()?;
        let sent = proxy.authorization.map(|value| value.to_str().unwrap().to_owned());
        Some((proxy.address.to_string(), sent))
    }

    #[test]
    fn addresses_are_read_with_and_without_an_account() {
        let basic = |text: &str| Some(format!("Basic {text}"));
        for (text, address, sent) in [
            ("http://proxy:3128", "http://proxy:3128/", None),
            ("http://proxy.example/", "http://proxy.example/", None),
            ("http://[::1]:3128", "http://[::1]:3128/", None),
            ("http://user:pass@proxy:3128", "http://proxy:3128/", basic("dXNlcjpwYXNz")),
            ("http://user@proxy:3128", "http://proxy:3128/", basic("dXNlcjo=")),
            ("http://us%40er:p%2Fa%3Ass@proxy:1", "http://proxy:1/", basic("dXNAZXI6cC9hOnNz")),
        ] {
            assert_eq!(parsed(text), Some((address.to_owned(), sent)), "{text}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_it() {
        for text in [
            "proxy:3128",
            "https://user:hunter2@proxy:3128",
            "socks5://hunter2:x@proxy:1080",
            "http://user:hunter2@proxy:3128/path",
            "http://user:hunter2@proxy:port",
            "http://user:hunter2@proxy:99999",
            "http://user:hunter2@",
            "http://us%3Aer:hunter2@proxy:3128",
            "",
        ] {
            let Err(error) = Proxy::parse(text) else { panic!("{text} is taken") };
            let said = format!("{error} {error:?}");
            assert!(said.contains("GITEA_PROXY") && !said.contains("hunter2"), "{text}: {said}");
        }
    }
}
