//! The new name of a renamed repository, read from the `Location` of a 301. It is told, never followed: the
//! policy has to judge it as its own target.

/// Owner and repository in a location such as `/git/api/v1/repos/acme/new-name/issues?page=2`.
pub(super) fn repository(location: &str) -> Option<(String, String)> {
    let (_, rest) = location.split_once("/api/v1/repos/")?;
    let path = rest.split(['?', '#']).next()?;
    let mut segments = path.split('/');
    let (owner, repo) = (segments.next()?, segments.next()?);
    (is_name(owner) && is_name(repo)).then(|| (owner.to_owned(), repo.to_owned()))
}

fn is_name(name: &str) -> bool {
    (1..=100).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::repository;

    #[test]
    fn reads_the_new_name_with_or_without_host_sub_path_and_query() {
        for location in [
            "/api/v1/repos/alice/new-name",
            "/git/api/v1/repos/alice/new-name/issues?type=issues",
            "https://git.example.test/api/v1/repos/alice/new-name#x",
        ] {
            assert_eq!(repository(location), Some(("alice".into(), "new-name".into())), "{location}");
        }
    }

    #[test]
    fn reads_nothing_from_a_location_that_names_no_repository() {
        for location in
            ["", "/login", "/api/v1/repos/", "/api/v1/repos/a", "/api/v1/repos/../x", "/api/v1/repos/a%2Fb/c"]
        {
            assert_eq!(repository(location), None, "{location}");
        }
    }
}
