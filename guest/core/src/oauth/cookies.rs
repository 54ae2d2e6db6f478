//! The header `Cookie` (RFC 6265 section 5.4), as the browser wrote it.
//!
//! A site cannot tell what else its neighbours set, so what does not read as a cookie is passed over. Which of
//! them means anything is the host's to say.

use http::header::{COOKIE, HeaderMap};

/// Most cookies that are looked at.
const MAX_COOKIES: usize = 64;

/// Names and values, in the order of the header. A name that is there twice stays there twice.
#[must_use]
pub fn read(headers: &HeaderMap) -> Vec<(String, String)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    pairs.filter(|(name, _)| !name.is_empty()).take(MAX_COOKIES).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_cookies_from_every_line_and_passes_over_what_is_none() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-b=x=y;junk; =z;c="));
        headers.append(COOKIE, HeaderValue::from_bytes(b"d=\xff").unwrap());
        headers.append(COOKIE, HeaderValue::from_static("a=2"));
        let found = read(&headers);
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("a", "1"), ("__Host-b", "x=y"), ("c", ""), ("a", "2")]);
        let many = vec!["a=1"; MAX_COOKIES + 1].join(";");
        headers.insert(COOKIE, HeaderValue::from_str(&many).unwrap());
        assert_eq!(read(&headers).len(), MAX_COOKIES);
    }
}
