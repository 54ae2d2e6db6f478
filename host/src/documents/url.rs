//! Which URLs may name a client metadata document. One spelling for each, and nothing that two parsers could
//! read differently.

/// The longest URL, in bytes.
const URL_MAX: usize = 512;

/// A URL taken apart. It is sent as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    /// In lower case.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query.
    pub(super) target: String,
}

/// A host that documents may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allowed {
    host: String,
    port: u16,
}

impl Allowed {
    /// `name` or `name:port`.
    pub(super) fn parse(entry: &str) -> Option<Self> {
        let (host, port) = authority(entry)?;
        Some(Self { host, port })
    }

    pub(super) fn covers(&self, location: &Location) -> bool {
        self.host == location.host && self.port == location.port
    }
}

impl Location {
    /// Take a URL apart.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > URL_MAX {
            return Err("it is longer than 512 bytes");
        }
        // RFC 3986 section 2, without the fragment: everything else must be percent-encoded.
        if !url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%#".contains(&byte))
        {
            return Err("it holds characters that a URL must not hold");
        }
        if url.contains('#') {
            return Err("it has a fragment");
        }
        let rest = url.strip_prefix("https://").ok_or("it does not begin with https://")?;
        let at = rest.find(['/', '?']).ok_or("it has no path")?;
        let (before, target) = rest.split_at_checked(at).ok_or("it has no path")?;
        if before.contains('@') {
            return Err("it holds a user name");
        }
        let (host, port) = authority(before).ok_or("its host is not a plain name with an optional port")?;
        let path = target.split('?').next().unwrap_or_default();
        if path.is_empty() || path == "/" {
            return Err("it has no path");
        }
        check_path(path)?;
        Ok(Self { host, port, target: target.to_owned() })
    }

    /// The value of the `Host` header.
    pub(super) fn host_header(&self) -> String {
        if self.port == 443 { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Host and port of an authority. Addresses are refused: documents come from names, and 443 is not spelled out.
fn authority(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.split_once(':') {
        None => (text, 443),
        Some((host, port)) => {
            let number: u16 = port.parse().ok()?;
            let is_plain = number.to_string() == port && number != 0 && number != 443;
            (host, is_plain.then_some(number)?)
        }
    };
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A last label that begins with a digit makes an IPv4 address, in some parsers also in hex (127.1, 0x7f.1).
    let last = host.rsplit('.').next()?;
    let is_name = host.len() <= 253
        && host.split('.').all(is_label)
        && !last.starts_with(|first: char| first.is_ascii_digit());
    is_name.then(|| (host.to_ascii_lowercase(), port))
}

/// No dot segments, also encoded ones, and no encoded character that changes what a path means.
fn check_path(path: &str) -> Result<(), &'static str> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err("its percent-encoding is broken");
        };
        let byte = u8::try_from(high << 4 | low).unwrap_or_default();
        if byte.is_ascii_control() || byte == b'\\' || byte == b'/' {
            return Err("it encodes a control character, a slash or a backslash");
        }
        decoded.push(byte);
    }
    if decoded.split(|byte| *byte == b'/').any(|segment| segment == b"." || segment == b"..") {
        return Err("it has dot segments");
    }
    Ok(())
}
