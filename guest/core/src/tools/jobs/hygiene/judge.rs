//! Judgements that are the same in all ecosystems: whether a word names one revision, any version, a plain address.

use super::rule::Rule;
use super::sheet::Sheet;

/// Fewest digits of a commit that is written short.
const SHORT_COMMIT: usize = 7;
/// Tags of images that are moved to whatever is newest.
const MOVING_TAGS: &[&str] = &["latest", "edge", "nightly", "main", "master", "dev", "stable"];

/// Whether a word names one revision: a commit, or a tag of a version.
pub(super) fn is_revision(word: &str) -> bool {
    let commit = word.len() >= SHORT_COMMIT && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit || is_version(word.rsplit(['/', '@']).next().unwrap_or(word))
}

/// `1.2`, `v4`, `release-1.0`.
fn is_version(word: &str) -> bool {
    let word = word.strip_prefix("release-").unwrap_or(word);
    let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
    word.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether a range lets in every version.
pub(super) fn is_any_version(range: &str) -> bool {
    let plain: String = range.chars().filter(|c| !c.is_whitespace()).collect();
    let plain = plain.trim_matches(['"', '\'']).to_ascii_lowercase();
    matches!(
        plain.as_str(),
        "" | "*"
            | "x"
            | "latest"
            | "==*"
            | ">=0"
            | ">=0.0"
            | ">=0.0.0"
            | "*.*"
            | "*.*.*"
            | "x.x"
            | "x.x.x"
            | "@dev"
            | "*@dev"
    )
}

/// Whether code comes over an address that anybody on the way can answer for.
pub(super) fn is_plain(address: &str) -> bool {
    let address = address.trim();
    let address =
        address.strip_prefix("git+").or_else(|| address.strip_prefix("registry+")).unwrap_or(address);
    let address = address.strip_prefix("sparse+").unwrap_or(address);
    let rest = ["http://", "git://"].iter().find_map(|scheme| {
        let head = address.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| address.get(scheme.len()..)).flatten()
    });
    let Some(rest) = rest else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or(host) };
    !matches!(host, "localhost" | "127.0.0.1") && !host.starts_with("[::1]")
}

/// The image that a container runs, as a finding where its tag is moved.
pub(super) fn image(sheet: &mut Sheet, line: Option<u64>, image: &str) {
    let image = image.trim();
    let (name, digest) = image.split_once('@').unwrap_or((image, ""));
    let fixed = digest.starts_with("sha256:") || digest.starts_with("sha512:");
    // What a variable decides is not known here.
    if image.is_empty() || image == "scratch" || image.contains('$') || image.contains("{{") || fixed {
        return;
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    let moving = match last.split_once(':') {
        None => true,
        Some((_, tag)) => MOVING_TAGS.iter().any(|moving| tag.eq_ignore_ascii_case(moving)),
    };
    if moving {
        sheet.tell(Rule::FloatingImage, line, image);
    }
}

/// An address in git: plain, or without a revision, or neither.
pub(super) fn git(sheet: &mut Sheet, line: Option<u64>, what: &str, address: &str, revision: Option<&str>) {
    if is_plain(address) {
        sheet.tell(Rule::PlainHttp, line, what);
    }
    if !revision.is_some_and(is_revision) {
        sheet.tell(Rule::GitWithoutRevision, line, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_commit_or_a_tag_of_a_version() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for word in [commit, "0123abc", "v1", "v4.2.0", "1.2.3", "release-2.0", "pkg@1.0.0", "refs/tags/v1.0"]
        {
            assert!(is_revision(word), "{word}");
        }
        for word in ["", "main", "master", "feature/x", "abc123", "vnext", "HEAD", "deadbee/main"] {
            assert!(!is_revision(word), "{word}");
        }
    }

    #[test]
    fn plain_is_what_others_can_answer_for() {
        for address in [
            "http://a.example/x",
            "HTTP://A",
            "git+http://a",
            "git://a/b",
            "registry+http://a",
            "http://u@a/",
            "http://localhost.evil/",
        ] {
            assert!(is_plain(address), "{address}");
        }
        for address in [
            "https://a",
            "ssh://a",
            "git@a:b",
            "http://localhost:3000/x",
            "http://127.0.0.1/",
            "http://[::1]:1/",
            "httpx://a",
            "",
        ] {
            assert!(!is_plain(address), "{address}");
        }
    }

    #[test]
    fn an_image_is_fixed_by_a_digest_or_a_version() {
        for (name, floats) in [
            ("node", true),
            ("node:latest", true),
            ("registry.example:5000/app", true),
            ("ghcr.io/a/b:Nightly", true),
            ("node:22", false),
            ("registry.example:5000/app:1.2", false),
            ("node@sha256:0123", false),
            ("node:latest@sha256:0123", false),
            ("node@main", true),
            ("scratch", false),
            ("$BASE", false),
            ("app:${TAG}", false),
            ("", false),
        ] {
            let mut sheet = Sheet::new(aegis_redaction::Mode::Mask);
            image(&mut sheet, None, name);
            assert_eq!(!sheet.findings.is_empty(), floats, "{name}");
        }
    }
}
