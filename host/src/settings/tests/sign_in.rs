//! What the settings of sign-in need of each other.

use super::{load, problem};

/// What sign-in needs, and the given ones.
fn signing_in<'a>(given: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let needed = [
        ("OAUTH_MODE", "true"),
        ("GITEA_TOKEN", ""),
        ("MCP_API_KEYS", ""),
        ("GITEA_OAUTH_CLIENT_ID", "0b9c1c1e-7d0d-4a0b-8f3e-0d9a4b6f9b4e"),
        ("GITEA_OAUTH_CLIENT_SECRET", "gto_abcdefghijklmnopqrstuvwxyz234567"),
        ("OAUTH_STATE_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    needed.into_iter().chain(given.iter().copied()).collect()
}

#[test]
fn sign_in_needs_an_application_and_a_secret_and_neither_token_nor_keys() {
    let settings = load(&signing_in(&[])).unwrap();
    assert!(settings.oauth_mode() && settings.gitea_token().is_none());
    assert!(!format!("{settings:?}").contains("gto_"));
    for name in ["GITEA_OAUTH_CLIENT_ID", "GITEA_OAUTH_CLIENT_SECRET", "OAUTH_STATE_SECRET"] {
        assert!(problem(&signing_in(&[(name, "")])).starts_with(&format!("{name} is required")), "{name}");
    }
    let short = "0123456789abcdef0123456789abcde";
    let told = problem(&signing_in(&[("OAUTH_STATE_SECRET", short)]));
    assert!(told.starts_with("OAUTH_STATE_SECRET must have at least 32 characters") && !told.contains(short));
    assert!(problem(&[("GITEA_TOKEN", "")]).starts_with("GITEA_TOKEN is required"));
    let half = problem(&signing_in(&[("GITEA_OAUTH_WRITE_CLIENT_ID", "x")]));
    assert!(half.contains("belong together"), "{half}");
}

#[test]
fn sign_in_needs_an_address_for_clients_that_cookies_are_safe_at() {
    assert!(problem(&signing_in(&[("MCP_HOST", "192.0.2.7")])).starts_with("PUBLIC_BASE_URL is required"));
    for good in [
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "http://localhost:9000",
        "http://127.0.0.1:9000",
    ] {
        let settings = load(&signing_in(&[("PUBLIC_BASE_URL", good)])).unwrap();
        assert_eq!(settings.public_base_url(), Some(good.trim_end_matches('/')), "{good}");
    }
    for bad in ["http://mcp.example.com", "http://192.0.2.7:8080", "http://localhost.example"] {
        let told = problem(&signing_in(&[("PUBLIC_BASE_URL", bad)]));
        assert!(told.contains("https"), "{told}");
    }
    assert!(
        problem(&signing_in(&[("PUBLIC_BASE_URL", "https://mcp.example.com/mcp")]))
            .contains("without a path")
    );
}
