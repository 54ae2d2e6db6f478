//! `SIGNIN_ALLOW`: who may sign in. Asked when somebody signs in and again at every refresh.

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// Everybody who has an account in Gitea.
    All,
    /// A Gitea login, in lower case: Gitea's logins are the same in any case.
    Login(String),
    /// A group as Gitea's userinfo names it, in lower case: `org` or `org:team`.
    Group(String),
}

/// The list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(Vec<Entry>);

impl Allowed {
    /// From the words of the setting.
    ///
    /// # Errors
    /// A word that is none of `all`, a login, `org:name` and `team:org/name`, by its place.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let entries = words.iter().enumerate().map(|(index, word)| {
            entry(word).ok_or_else(|| {
                format!(
                    "has an entry {} that is not `all`, a login, `org:NAME` or `team:ORG/TEAM`",
                    index.saturating_add(1)
                )
            })
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// Whether somebody with this login and these groups may enter.
    pub fn admits(&self, login: &str, groups: &[String]) -> bool {
        self.0.iter().any(|entry| match entry {
            Entry::All => true,
            Entry::Login(name) => name.eq_ignore_ascii_case(login),
            Entry::Group(name) => groups.iter().any(|group| name.eq_ignore_ascii_case(group)),
        })
    }

    /// Whether groups matter, so that they have to be asked for.
    pub fn names_groups(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry, Entry::Group(_)))
    }
}

fn entry(word: &str) -> Option<Entry> {
    if word.eq_ignore_ascii_case("all") {
        return Some(Entry::All);
    }
    if let Some(org) = word.strip_prefix("org:") {
        return is_name(org).then(|| Entry::Group(org.to_ascii_lowercase()));
    }
    if let Some(team) = word.strip_prefix("team:") {
        let (org, name) = team.split_once('/')?;
        let fits = is_name(org) && is_name(name);
        return fits.then(|| Entry::Group(format!("{org}:{name}").to_ascii_lowercase()));
    }
    is_name(word).then(|| Entry::Login(word.to_ascii_lowercase()))
}

/// What Gitea takes as the name of a user, an organisation or a team.
fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(words: &[&str]) -> Allowed {
        Allowed::parse(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_person_enters_by_login_organisation_or_team() {
        let list = allowed(&["Alice", "org:acme", "team:umbrella/dev"]);
        assert!(list.admits("alice", &[]) && list.admits("ALICE", &[]));
        assert!(list.admits("bob", &groups(&["Acme"])));
        assert!(list.admits("bob", &groups(&["umbrella", "umbrella:Dev"])));
        assert!(!list.admits("bob", &groups(&["umbrella", "umbrella:ops"])));
        assert!(!list.admits("acme", &[]) && !list.admits("bob", &[]));
    }

    #[test]
    fn a_login_that_looks_like_a_group_is_not_one() {
        assert!(!allowed(&["acme"]).admits("bob", &groups(&["acme"])));
        assert!(!allowed(&["team:acme/dev"]).admits("bob", &groups(&["acme"])));
        assert!(!allowed(&["org:acme"]).admits("bob", &groups(&["acme:dev"])));
    }

    #[test]
    fn all_admits_everybody_and_an_empty_list_nobody() {
        assert!(allowed(&["all"]).admits("anybody", &[]));
        assert!(!allowed(&[]).admits("anybody", &[]));
    }

    #[test]
    fn a_word_that_means_nothing_is_refused_by_its_place() {
        for word in ["org:", "team:acme", "team:/dev", "team:acme/", "a b", "group:x", ""] {
            let words = ["all".to_owned(), word.to_owned()];
            assert!(Allowed::parse(&words).unwrap_err().starts_with("has an entry 2 "), "{word:?}");
        }
    }
}
