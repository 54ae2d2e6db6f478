//! The header `Cookie` (RFC 6265 section 5.4), as the browser wrote it.
//!
//! A site cannot tell what else its neighbours set, so what does not read as a cookie or is not named like ours is
//! passed over. Which of ours means anything is the host's to say.

use http::header::{COOKIE, HeaderMap};

/// How names of ours begin.
const OURS: [&str; 2] = ["__Host-aegis-", "aegis-"];

/// Most cookies that are looked at.
const MAX_COOKIES: usize = 64;

/// Names and values, in the order of the header. A name that is there twice stays there twice.
#[must_use]
pub fn read(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    // Before they are counted: a neighbour's cookies must not push ours out.
    pairs.filter(|(name, _)| OURS.iter().any(|prefix| name.starts_with(prefix))).take(MAX_COOKIES).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_cookies_from_every_line_and_passes_over_what_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("aegis-a=1; __Host-aegis-b=x=y;junk; =z;aegis-c="));
        headers.append(COOKIE, HeaderValue::from_bytes(b"aegis-d=\xff").unwrap());
        headers.append(COOKIE, HeaderValue::from_static("aegis-a=2"));
        let found = read(&headers);
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("aegis-a", "1"), ("__Host-aegis-b", "x=y"), ("aegis-c", ""), ("aegis-a", "2")]);
        let many = vec!["aegis-a=1"; MAX_COOKIES + 1].join(";");
        headers.insert(COOKIE, HeaderValue::from_str(&many).unwrap());
        assert_eq!(read(&headers).len(), MAX_COOKIES);
        let neighbours = vec!["theirs=1"; 500].join(";");
        headers.insert(COOKIE, HeaderValue::from_str(&format!("{neighbours};aegis-flow-1=x")).unwrap());
        assert_eq!(read(&headers), [("aegis-flow-1".to_owned(), "x".to_owned())]);
    }
}
