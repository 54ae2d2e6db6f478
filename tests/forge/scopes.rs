//! Scopes of tokens as Gitea normalises them, and what it makes of the scope string of a grant. The rule to fear:
//! a grant whose string names no API scope, or one that Gitea does not know, may do everything.

/// In the order in which Gitea writes them.
const CATEGORIES: [&str; 9] = [
    "activitypub",
    "admin",
    "misc",
    "notification",
    "organization",
    "package",
    "issue",
    "repository",
    "user",
];

/// Words of OpenID Connect: no scopes of the API.
const OPENID: [&str; 4] = ["openid", "profile", "email", "groups"];

/// Scopes without duplicates, in Gitea's order; a write scope includes its read scope, all write scopes are `all`.
///
/// # Errors
/// The first word that is no scope.
pub fn normalised<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let (mut read, mut write, mut public_only) = ([false; 9], [false; 9], false);
    for word in words.into_iter().filter(|word| !word.is_empty()) {
        let place = |name: &str| CATEGORIES.iter().position(|category| *category == name);
        let (level, name) = word.split_once(':').unwrap_or((word, ""));
        match (level, place(name)) {
            ("all", _) if name.is_empty() => write = [true; 9],
            ("public-only", _) if name.is_empty() => public_only = true,
            ("read", Some(at)) => read[at] = true,
            ("write", Some(at)) => write[at] = true,
            _ => return Err(word.to_owned()),
        }
    }
    let mut scopes = Vec::new();
    if public_only {
        scopes.push("public-only".to_owned());
    }
    if write == [true; 9] {
        scopes.push("all".to_owned());
        return Ok(scopes);
    }
    for (at, category) in CATEGORIES.iter().enumerate() {
        if write[at] {
            scopes.push(format!("write:{category}"));
        } else if read[at] {
            scopes.push(format!("read:{category}"));
        }
    }
    Ok(scopes)
}

/// What a token of a grant may do.
#[must_use]
pub fn of_grant(raw: &str) -> Vec<String> {
    let words: Vec<&str> = raw.split(' ').filter(|word| !word.is_empty() && !OPENID.contains(word)).collect();
    let everything = || vec!["all".to_owned()];
    if words.is_empty() {
        return everything();
    }
    // Gitea joins the words with commas before it reads them, so a comma inside a word divides it too.
    normalised(words.iter().flat_map(|word| word.split(','))).unwrap_or_else(|_| everything())
}
