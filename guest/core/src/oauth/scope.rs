//! The two scopes that clients see, and how their words are read (RFC 6749 section 3.3).
//!
//! They have nothing to do with the scopes that are asked of Gitea: no word of a client ever goes there.

use crate::access::{READ_SCOPE, WRITE_SCOPE};

/// Every scope there is, the smallest first.
pub const ALL: [&str; 2] = [READ_SCOPE, WRITE_SCOPE];

/// Words that clients add of themselves. They are not granted and do no harm.
const IGNORED: [&str; 4] = ["offline_access", "openid", "profile", "email"];

/// What a client asks for. Reading is always part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whether it asks to write.
    pub write: bool,
}

/// A word that is not a scope: `invalid_scope`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidScope;

/// Reads `scope` of an authorization request. None, and nothing but ignored words, ask to read.
///
/// # Errors
/// [`InvalidScope`]: a word that is neither a scope nor ignored.
pub fn asked(scope: Option<&str>) -> Result<Asked, InvalidScope> {
    Ok(Asked { write: words(scope)?.contains(&WRITE_SCOPE) })
}

/// Reads `scope` of a refresh: none where it does not narrow anything. Whether all of it was granted is the
/// host's to say.
///
/// # Errors
/// [`InvalidScope`]: a word that is neither a scope nor ignored.
pub fn narrowed(scope: Option<&str>) -> Result<Option<Vec<String>>, InvalidScope> {
    let words = words(scope)?;
    // Writing includes reading, so a token for writes alone does not exist.
    let wanted = ALL
        .into_iter()
        .filter(|known| words.contains(known) || (*known == READ_SCOPE && words.contains(&WRITE_SCOPE)));
    let wanted: Vec<String> = wanted.map(str::to_owned).collect();
    Ok(if wanted.is_empty() { None } else { Some(wanted) })
}

fn words(scope: Option<&str>) -> Result<Vec<&str>, InvalidScope> {
    let words = scope.unwrap_or("").split(' ').filter(|word| !word.is_empty());
    let words: Vec<&str> = words.filter(|word| !IGNORED.contains(word)).collect();
    if words.iter().all(|word| ALL.contains(word)) { Ok(words) } else { Err(InvalidScope) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_to_read_unless_it_says_that_it_writes() {
        for (scope, write) in [
            (None, false),
            (Some(""), false),
            (Some("  "), false),
            (Some("read:repository"), false),
            (Some("openid profile email offline_access"), false),
            (Some("write:repository"), true),
            (Some("read:repository write:repository"), true),
            (Some("write:repository offline_access"), true),
        ] {
            assert_eq!(asked(scope), Ok(Asked { write }), "{scope:?}");
        }
    }

    #[test]
    fn knows_no_other_words() {
        for scope in [
            "read",
            "READ:REPOSITORY",
            "read:issue",
            "all",
            "sudo",
            "read:repository,write:repository",
            "read:repository\twrite:repository",
            "read:repository admin",
            "\u{ff52}ead:repository",
        ] {
            assert_eq!(asked(Some(scope)), Err(InvalidScope), "{scope}");
            assert_eq!(narrowed(Some(scope)), Err(InvalidScope), "{scope}");
        }
    }

    #[test]
    fn narrows_a_refresh_only_where_it_is_told_to() {
        let named =
            |names: &[&str]| Ok(Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()));
        assert_eq!(narrowed(None), Ok(None));
        assert_eq!(narrowed(Some("offline_access")), Ok(None));
        assert_eq!(narrowed(Some("read:repository")), named(&["read:repository"]));
        assert_eq!(narrowed(Some("write:repository")), named(&["read:repository", "write:repository"]));
        assert_eq!(
            narrowed(Some("write:repository read:repository read:repository")),
            named(&["read:repository", "write:repository"])
        );
    }
}
