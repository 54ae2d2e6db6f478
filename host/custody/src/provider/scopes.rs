//! What is asked of Gitea, and what a grant that came back is worth.
//!
//! Gitea fixes the scope of a grant at the first consent, takes a list with one unknown word for full access, and
//! full access too what holds no API scope at all. So the lists here are constant, nothing that a client says is
//! ever put into them, and a grant is judged by its words before it is kept.

/// Always asked for: what the read tools need. <https://docs.gitea.com/development/oauth2-provider#scopes>
pub const READ_SET: [&str; 4] = ["read:user", "read:repository", "read:issue", "read:organization"];

/// Asked for besides where writes are on: what the write tools need.
pub const WRITE_SET: [&str; 2] = ["write:repository", "write:issue"];

/// Words of OpenID Connect: Gitea takes them out before it reads the rest as API scopes.
const OPENID: [&str; 4] = ["openid", "profile", "email", "groups"];

/// What a grant allows, in our terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The whole read set, and not both write scopes: good for a read token.
    Read,
    /// The whole read set and both write scopes.
    ReadWrite,
    /// Words of the read set that the grant lacks. The login is refused: some read tools would fail.
    TooNarrow(Vec<&'static str>),
    /// The words that nobody asked for; none where the grant names no API scope, which Gitea reads as all of
    /// them. The login is refused: the grant may do everything that its user may.
    TooWide(Vec<String>),
}

/// Judges the scope words of a grant as introspection tells them. A write scope holds its read scope.
///
/// Too wide wins over too narrow: one unknown word makes the rest meaningless.
pub fn judge<'a>(words: impl IntoIterator<Item = &'a str>) -> Judgement {
    let api: Vec<&str> = words.into_iter().filter(|word| !OPENID.contains(word)).collect();
    let known = |word: &&str| READ_SET.contains(word) || WRITE_SET.contains(word);
    let unknown: Vec<String> = api.iter().filter(|word| !known(word)).map(|word| word.to_string()).collect();
    if api.is_empty() || !unknown.is_empty() {
        return Judgement::TooWide(unknown);
    }
    let holds = |wanted: &str| {
        let written = wanted.strip_prefix("read:").map(|category| format!("write:{category}"));
        api.iter().any(|word| *word == wanted || written.as_deref() == Some(*word))
    };
    let missing: Vec<&'static str> = READ_SET.into_iter().filter(|wanted| !holds(wanted)).collect();
    if !missing.is_empty() {
        return Judgement::TooNarrow(missing);
    }
    if WRITE_SET.into_iter().all(holds) { Judgement::ReadWrite } else { Judgement::Read }
}

#[cfg(test)]
mod tests {
    use super::{Judgement, judge};

    fn of(scope: &str) -> Judgement {
        judge(scope.split_ascii_whitespace())
    }

    fn wide(words: &[&str]) -> Judgement {
        Judgement::TooWide(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn every_grant_seen_at_gitea_is_worth_what_it_can_do_there() {
        let read = "openid profile read:user read:repository read:issue read:organization";
        for (scope, judgement) in [
            (read.to_owned(), Judgement::Read),
            (format!("{read} write:repository write:issue"), Judgement::ReadWrite),
            ("read:user read:organization write:repository write:issue".to_owned(), Judgement::ReadWrite),
            // One of the two write scopes is not enough for every write tool.
            (format!("{read} write:issue"), Judgement::Read),
            ("read:user read:organization read:issue write:repository".to_owned(), Judgement::Read),
            (format!("{read} {read}"), Judgement::Read),
            // Full access at Gitea, each of them.
            ("openid profile email".to_owned(), wide(&[])),
            ("openid profile email groups".to_owned(), wide(&[])),
            (String::new(), wide(&[])),
            ("openid read:repository offline_access".to_owned(), wide(&["offline_access"])),
            ("openid read:repositry".to_owned(), wide(&["read:repositry"])),
            (format!("{read} repo"), wide(&["repo"])),
            (format!("{read} all"), wide(&["all"])),
            (format!("{read} Read:issue"), wide(&["Read:issue"])),
            (format!("{read} read:user,read:issue"), wide(&["read:user,read:issue"])),
            // Real scopes that nobody asked for.
            (format!("{read} write:user"), wide(&["write:user"])),
            (format!("{read} write:admin public-only"), wide(&["write:admin", "public-only"])),
            ("openid public-only".to_owned(), wide(&["public-only"])),
            (
                "openid read:repository".to_owned(),
                Judgement::TooNarrow(vec!["read:user", "read:issue", "read:organization"]),
            ),
            (
                "write:repository write:issue".to_owned(),
                Judgement::TooNarrow(vec!["read:user", "read:organization"]),
            ),
        ] {
            assert_eq!(of(&scope), judgement, "{scope:?}");
        }
    }
}
