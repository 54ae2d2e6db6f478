//! Which names of tools, owners and repositories are well formed. Existence is not checked here.

/// Longest tool name, in bytes.
const TOOL_LENGTH: usize = 64;

/// Longest owner or repository name, in bytes; Gitea's own limits are lower.
const NAME_LENGTH: usize = 128;

/// Whether `name` can be a tool: `[a-z0-9_]{1,64}`.
pub(crate) fn is_tool(name: &str) -> bool {
    (1..=TOOL_LENGTH).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether `name` can be an owner or a repository: ASCII letters, digits, `-`, `_` and `.`, as Gitea demands,
/// and not `.` or `..`.
pub(crate) fn is_owner_or_repository(name: &str) -> bool {
    (1..=NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && name != "."
        && name != ".."
}

/// An ending that Gitea gives to no repository: it means the repository as Git serves it, or its wiki. The name before
/// it is probably what was meant.
pub(crate) fn ending_of_none(repo: &str) -> Option<(&str, &'static str)> {
    [".git", ".wiki"].into_iter().find_map(|ending| {
        let (name, rest) = repo.split_at_checked(repo.len().checked_sub(ending.len())?)?;
        (!name.is_empty() && rest.eq_ignore_ascii_case(ending)).then_some((name, ending))
    })
}

/// Whether `key` can stand under `repositories`: `owner/repo` or `owner/*`.
pub(crate) fn is_repository_key(key: &str) -> bool {
    key.split_once('/').is_some_and(|(owner, repo)| {
        is_owner_or_repository(owner) && (repo == "*" || is_owner_or_repository(repo))
    })
}
