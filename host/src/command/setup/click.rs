//! What to click in Gitea, where setup cannot do it itself. The addresses and the callback are exact.

use crate::upstream::{READ_SET, WRITE_SET};

/// Where a token is made.
pub(super) fn token_page(gitea: &str) -> String {
    format!("{gitea}/user/settings/applications")
}

/// How the personal token of the solo way is made.
pub(super) fn personal_token(gitea: &str, writes: bool) -> String {
    let level = |category: &str| {
        if writes && WRITE_SET.contains(&format!("write:{category}").as_str()) {
            "Read and Write"
        } else {
            "Read"
        }
    };
    let rows: Vec<String> = READ_SET
        .iter()
        .filter_map(|scope| scope.strip_prefix("read:"))
        .map(|category| format!("     {category:<13} {}", level(category)))
        .collect();
    format!(
        "Make a token in Gitea:\n  1. open {}\n  2. Generate New Token: any name, repository access as you like\n  \
         3. Select permissions, exactly these:\n{}\n  4. Generate Token, and copy it",
        token_page(gitea),
        rows.join("\n")
    )
}

/// How the one-time token of the team way is made.
pub(super) fn one_time_token(gitea: &str) -> String {
    format!(
        "Setup can make the application in Gitea itself, with a token that is used once and not kept:\n  1. open {}\n  \
         2. Generate New Token: any name; Select permissions: user, Read and Write; nothing else\n  \
         3. Generate Token, and copy it. Delete it there when setup is done.",
        token_page(gitea)
    )
}

/// How an application is made by hand.
pub(super) fn application(gitea: &str, name: &str, redirect: &str) -> String {
    format!(
        "Make the application in Gitea by hand:\n  1. open {}\n  2. Manage OAuth2 Applications, Create a new OAuth2 \
         Application\n  3. Application Name   {name}\n     Redirect URIs      {redirect}\n     Confidential Client  checked\n  \
         4. Create Application, and copy client id and client secret",
        token_page(gitea)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scope_that_the_tools_need_is_named_with_its_level() {
        let reads = personal_token("https://git.example.com", false);
        assert!(reads.contains("https://git.example.com/user/settings/applications"));
        for category in ["user", "repository", "issue", "organization"] {
            assert!(reads.contains(&format!("     {category:<13} Read")), "{reads}");
        }
        assert!(!reads.contains("Write"));
        let writes = personal_token("https://git.example.com", true);
        for category in ["repository", "issue"] {
            assert!(writes.contains(&format!("     {category:<13} Read and Write")), "{writes}");
        }
        assert_eq!(writes.matches("Write").count(), 2);
    }

    #[test]
    fn an_application_is_described_with_its_exact_callback() {
        let text = application(
            "https://git.example.com",
            "AegisGitea-MCP",
            "https://mcp.example.com/oauth/callback",
        );
        assert!(
            text.contains("https://mcp.example.com/oauth/callback\n")
                && text.contains("Confidential Client  checked")
        );
    }
}
