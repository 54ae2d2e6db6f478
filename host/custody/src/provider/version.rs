//! Versions of Gitea: how they are read, and which are too old. What depends on one asks here.

use std::fmt;

/// The first version that shows a token to its own application alone (GHSA-vxv2-8j6r-pcpg).
pub const WANTED: Number = Number(1, 27, 0);

/// Major, minor and patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(pub u32, pub u32, pub u32);

/// `MIN_GITEA_VERSION`, and what becomes of an older one.
#[derive(Clone, Copy, Debug)]
pub struct Oldest {
    /// The oldest that is taken.
    pub number: Number,
    /// Whether an older one is refused: where people sign in, since its access tokens reach further than their scopes
    /// say. With keys it is a warning.
    pub refuse: bool,
}

impl Number {
    /// Older than every other.
    pub const NONE: Self = Self(0, 0, 0);

    /// As a setting has it: `1.26.2`, or `1.26` for `1.26.0`.
    pub fn of_setting(text: &str) -> Option<Self> {
        let (number, rest) = Self::leading(text)?;
        rest.is_empty().then_some(number)
    }

    /// As `GET /version` has it: `1.27.0`, `v1.27`, `1.26.3+12-gabc`, `1.28.0-rc0`. A fork that says which Gitea it is
    /// compatible with, as Forgejo does (`11.0.1+gitea-1.22.0`), counts as that. None where there is no number.
    pub fn of_gitea(text: &str) -> Option<Self> {
        if let Some((_, base)) = text.split_once("+gitea-") {
            return Self::loosely(base);
        }
        Self::loosely(text)
    }

    fn loosely(text: &str) -> Option<Self> {
        let text = text.trim();
        let (number, rest) = Self::leading(text.strip_prefix('v').unwrap_or(text))?;
        // `1.2.3.4` and `2026-11-22` are other schemes, whose order is not known.
        (!rest.starts_with('.')).then_some(number)
    }

    /// Two or three numbers with dots between them, and what follows.
    fn leading(text: &str) -> Option<(Self, &str)> {
        let (major, rest) = digits(text)?;
        let (minor, rest) = digits(rest.strip_prefix('.')?)?;
        match rest.strip_prefix('.').and_then(digits) {
            Some((patch, rest)) => Some((Self(major, minor, patch), rest)),
            None => Some((Self(major, minor, 0), rest)),
        }
    }
}

fn digits(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        for (text, read) in [
            ("1.27.0", Some(Number(1, 27, 0))),
            ("1.26.2+rc1", Some(Number(1, 26, 2))),
            ("1.28.0-rc0", Some(Number(1, 28, 0))),
            ("1.27.0+dev-12-gabcdef0", Some(Number(1, 27, 0))),
            ("1.26.2+forgejo-7", Some(Number(1, 26, 2))),
            ("11.0.1+gitea-1.22.0", Some(Number(1, 22, 0))),
            ("12.0.0-dev-99-gabc+gitea-1.22.0", Some(Number(1, 22, 0))),
            ("1.27", Some(Number(1, 27, 0))),
            ("v1.27.0", Some(Number(1, 27, 0))),
            (" 1.26.4\n", Some(Number(1, 26, 4))),
            ("1.27.", None),
            ("1.27.0.1", None),
            ("2026-11-22", None),
            ("11.0.1+gitea-next", None),
            ("99999999999.1.1", None),
            ("1", None),
            ("-1.27.0", None),
            ("main", None),
            ("development", None),
            ("", None),
        ] {
            assert_eq!(Number::of_gitea(text), read, "{text}");
        }
    }

    #[test]
    fn settings_are_read_strictly() {
        for (text, read) in [
            ("1.26.2", Some(Number(1, 26, 2))),
            ("1.26", Some(Number(1, 26, 0))),
            ("0.0.0", Some(Number::NONE)),
            ("v1.26.2", None),
            ("1.26.2+1", None),
            ("1.26.2 ", None),
            ("1.x", None),
            ("1", None),
        ] {
            assert_eq!(Number::of_setting(text), read, "{text}");
        }
    }

    #[test]
    fn they_are_ordered_as_numbers() {
        assert!(Number(1, 9, 9) < Number(1, 26, 2) && Number(1, 26, 2) < Number(1, 26, 10));
        assert!(Number::NONE < Number(0, 0, 1));
    }
}
