//! The cookie jar, as RFC 6265 and its successor have it and Chromium keeps it: by host (a port makes no difference),
//! path, `Secure`, `SameSite`, `Max-Age` and the name prefixes. Time passes only when a test says so.

use super::origin::{host_of, path_of, trustworthy};
use crate::http::Answer;

#[derive(Debug, Clone)]
struct Cookie {
    name: String,
    value: String,
    host: String,
    path: String,
    secure: bool,
    same_site: String,
    ends: Option<i64>,
}

/// All cookies.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
    now: i64,
}

impl Jar {
    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.cookies.retain(|cookie| cookie.ends.is_none_or(|end| end > self.now));
    }

    /// Keep what an answer sets, as far as a browser would.
    pub(super) fn keep(&mut self, url: &str, answer: &Answer) {
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let Some(cookie) = read(url, line, self.now) else { continue };
            let same = |known: &Cookie| {
                (&known.name, &known.host, &known.path) == (&cookie.name, &cookie.host, &cookie.path)
            };
            self.cookies.retain(|known| !same(known));
            if cookie.ends.is_none_or(|end| end > self.now) {
                self.cookies.push(cookie);
            }
        }
    }

    /// Names and values that a navigation to a URL carries, longest path first.
    pub(super) fn sent_to(&self, url: &str, site: &str, method: &str) -> Vec<(String, String)> {
        let (host, path) = (host_of(url), path_of(url));
        let below = |folder: &str| {
            path == folder
                || path
                    .strip_prefix(folder)
                    .is_some_and(|rest| folder.ends_with('/') || rest.starts_with('/'))
        };
        let foreign = site == "cross-site";
        let mut found: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.host == host && below(&cookie.path))
            .filter(|cookie| !cookie.secure || trustworthy(url))
            .filter(|cookie| match cookie.same_site.as_str() {
                "none" => true,
                "strict" => !foreign,
                // Lax is the default: a foreign site may open a page, not send a form.
                _ => !foreign || method == "GET",
            })
            .collect();
        found.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        found.into_iter().map(|cookie| (cookie.name.clone(), cookie.value.clone())).collect()
    }
}

/// A Set-Cookie line; none for a cookie that a browser refuses.
fn read(url: &str, line: &str, now: i64) -> Option<Cookie> {
    let mut parts = line.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let folder = path_of(url).rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned());
    let mut cookie = Cookie {
        name: name.trim().to_owned(),
        value: value.trim().to_owned(),
        host: host_of(url),
        path: if folder.is_empty() { "/".to_owned() } else { folder },
        secure: false,
        same_site: "lax".to_owned(),
        ends: None,
    };
    let (mut domain, mut path_named) = (false, false);
    for attribute in parts {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "path" if value.starts_with('/') => {
                value.clone_into(&mut cookie.path);
                path_named = true;
            }
            "domain" if !value.is_empty() => {
                domain = true;
                if !value.trim_start_matches('.').eq_ignore_ascii_case(&cookie.host) {
                    return None;
                }
            }
            "samesite" => cookie.same_site = value.to_ascii_lowercase(),
            "max-age" => cookie.ends = value.parse().ok().map(|seconds: i64| now + seconds),
            // The one date that servers use to delete a cookie without Max-Age.
            "expires" if value.contains("1970") && cookie.ends.is_none() => cookie.ends = Some(now),
            _ => {}
        }
    }
    let host_only = cookie.secure && !domain && path_named && cookie.path == "/";
    let prefix = cookie.name.to_ascii_lowercase();
    let refused = (cookie.secure && !trustworthy(url))
        || (prefix.starts_with("__host-") && !host_only)
        || (prefix.starts_with("__secure-") && !cookie.secure)
        || (cookie.same_site == "none" && !cookie.secure);
    (!refused).then_some(cookie)
}
