//! What somebody probably meant who wrote a name that does not exist.

/// Names longer than this are not compared, in bytes: the cost grows with the product of the lengths.
const COMPARED: usize = 64;

/// The one of `names` that is a typing error or two away from `unknown`, in any letter case; none where nothing is near.
#[must_use]
pub fn nearest<'n>(unknown: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if unknown.len() > COMPARED {
        return None;
    }
    let unknown = unknown.to_lowercase();
    let most = unknown.chars().count().div_euclid(3).clamp(1, 4);
    let far = |name: &str| strsim::osa_distance(&unknown, &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (far(name), name))
        .filter(|(far, name)| *far <= most && *far < name.chars().count())
        .min()
        .map(|(_, name)| name)
}

/// ` (did you mean "name"?)`, or nothing.
pub(crate) fn hint<'n>(unknown: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    nearest(unknown, names).map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_typing_error_is_recognised_and_another_word_is_not() {
        let names = ["read", "write", "repositories", "get_issue"];
        for (unknown, meant) in [
            ("raed", Some("read")),
            ("Read", Some("read")),
            ("writes", Some("write")),
            ("repository", Some("repositories")),
            ("get_isue", Some("get_issue")),
            ("getissue", Some("get_issue")),
            ("delete", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(nearest(unknown, names), meant, "{unknown}");
        }
        assert_eq!(nearest(&"a".repeat(65), ["a"]), None);
    }
}
