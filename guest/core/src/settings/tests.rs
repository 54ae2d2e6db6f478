//! Settings as the product reads them, and the rules that the host shares.

use super::*;

/// A port that answers from a list.
struct Fixed(Vec<(String, String)>);

impl ports::Settings for Fixed {
    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn prepared(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }

    fn policy_digest(&self) -> String {
        String::new()
    }
}

/// GITEA_URL and the given ones, of which a later one wins.
fn values(given: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = given.iter().rev().chain(&[("GITEA_URL", "https://git.example.com")]);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(given: &[(&str, &str)]) -> Result<Config, Invalid> {
    Config::load(&Fixed(values(given)))
}

#[test]
fn defaults_hold_where_nothing_is_set() {
    let config = load(&[("MCP_PORT", ""), ("WRITE_MODE", "  ")]).unwrap();
    assert_eq!((config.bind_host.as_str(), config.bind_port), ("127.0.0.1", 8080));
    assert_eq!((config.rate_limit_per_minute, config.token_rate_limit_per_minute), (60, 120));
    assert_eq!((config.max_auth_failures, config.auth_failure_window), (5, 300));
    assert_eq!(config.max_file_size_bytes, 1_048_576);
    assert_eq!((config.max_tool_response_items, config.max_tool_response_chars), (200, 20_000));
    assert_eq!(config.secret_detection_mode, Mode::Mask);
    assert_eq!((config.write_mode, config.write_allow_all, config.oauth_mode), (false, false, false));
    assert_eq!((config.auth_enabled, config.metrics_enabled), (true, true));
    assert_eq!(
        (config.public_base_url, config.allowed_hosts.len(), config.allowed_origins.len()),
        (None, 0, 0)
    );
}

#[test]
fn written_values_arrive_in_their_normal_form() {
    let config = load(&[
        ("GITEA_URL", "HTTPS://Git.Example.com:443/code/"),
        ("PUBLIC_BASE_URL", "https://MCP.example.com/"),
        ("ALLOWED_HOSTS", "Aegis.lan, [::0:1] ,"),
        ("ALLOWED_ORIGINS", "http://Inspector.lan:80,https://a.example:8443"),
        ("SECRET_DETECTION_MODE", "Block"),
        ("WRITE_MODE", "yes"),
        ("WRITE_REPOSITORY_WHITELIST", "Acme/App, acme/*"),
        ("MCP_HOST", "localhost"),
    ])
    .unwrap();
    assert_eq!(config.gitea_url, "https://git.example.com/code");
    assert_eq!(config.public_base_url.as_deref(), Some("https://mcp.example.com"));
    assert_eq!(config.allowed_hosts, ["aegis.lan", "[::1]"]);
    assert_eq!(config.allowed_origins, ["http://inspector.lan", "https://a.example:8443"]);
    assert_eq!(config.secret_detection_mode, Mode::Block);
    let both = [("acme".to_owned(), "app".to_owned()), ("acme".to_owned(), "*".to_owned())];
    assert_eq!((config.write_mode, config.write_repositories.as_slice()), (true, both.as_slice()));
    assert_eq!(config.bind_host, "127.0.0.1");
}

#[test]
fn a_missing_address_of_gitea_names_the_setting() {
    let refused = Config::load(&Fixed(Vec::new())).unwrap_err();
    assert_eq!(refused.to_string(), "GITEA_URL is required");
}

#[test]
fn check_finds_every_problem_and_ignores_names_that_no_guest_reads() {
    let problems = Config::check(&values(&[
        ("MCP_PORT", "65536"),
        ("AUTH_ENABLED", "maybe"),
        ("WRITE_REPOSITORY_WHITELIST", "acme/app, acme"),
        ("LOG_LEVEL", "loud"),
        ("GITEA_TOKEN", "loud"),
    ]));
    let names: Vec<&str> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["MCP_PORT", "WRITE_REPOSITORY_WHITELIST", "AUTH_ENABLED", "LOG_LEVEL"]);
    assert_eq!(problems[0].1, "must be a whole number from 0 to 65535");
    assert_eq!(problems[1].1, "has an entry 2 that must be owner/repo or owner/*");
    assert_eq!(Config::check(&values(&[])), []);
}

#[test]
fn writes_without_a_place_are_refused() {
    assert_eq!(load(&[("WRITE_MODE", "true")]).unwrap_err().name, "WRITE_MODE");
    assert!(load(&[("WRITE_MODE", "true"), ("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")]).is_ok());
}

#[test]
fn sign_in_needs_to_know_what_clients_call_the_server() {
    let refused = load(&[("OAUTH_MODE", "true")]).unwrap_err();
    assert_eq!(refused.name, "PUBLIC_BASE_URL");
    assert!(load(&[("OAUTH_MODE", "true"), ("PUBLIC_BASE_URL", "https://mcp.example.com/")]).is_ok());
}

#[test]
fn numbers_are_digits_within_their_bounds() {
    for (text, number) in [("1", Some(1)), ("65535", Some(65535)), ("007", Some(7))] {
        assert_eq!(rule::integer::<u16>(text, 1, 65535).ok(), number);
    }
    for text in ["0", "65536", "-1", "+1", "1.0", "0x10", "", "1 ", "99999999999999999999999"] {
        assert_eq!(
            rule::integer::<u16>(text, 1, 65535),
            Err("must be a whole number from 1 to 65535".to_owned())
        );
    }
    assert!(rule::integer::<u16>("70000", 1, 100_000).is_err(), "a number that the type cannot hold");
}

#[test]
fn addresses_of_servers_are_refused_unless_they_are_plain() {
    let refused = [
        ("git.example.com", "an address such as"),
        ("ftp://git.example.com", "https://"),
        ("https://", "name a host"),
        ("https://:3000", "name a host"),
        ("https://user:pass@git.example.com", "user name or password"),
        ("https://git.example.com@evil.example", "user name or password"),
        ("https://git.example.com?x=1", "query"),
        ("https://git.example.com/#top", "fragment"),
        ("https://git.example.com\\@evil.example", "backslashes"),
        ("https://git example.com", "spaces"),
        ("https://git.example.com:0", "port"),
        ("https://git.example.com:99999", "port"),
        ("https://git.example.com:", "port"),
        ("https://256.1.1.1", "name a host"),
        ("https://1.2.3", "name a host"),
        ("https://[::g]", "IPv6"),
        ("https://::1", "without a port"),
        ("https://git..example.com", "name a host"),
        ("https://bücher.example", "punycode"),
        ("https://git.example.com/a/../b", "segments"),
        ("https://git.example.com/%2e%2e", "path of letters"),
    ];
    for (text, why) in refused {
        let error = rule::url(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
        assert!(rule::origin(text).is_err(), "{text}");
    }
    let accepted = [
        ("http://gitea:3000", "http://gitea:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("https://10.0.0.7/git//", "https://10.0.0.7/git"),
        ("https://my_host.lan", "https://my_host.lan"),
    ];
    for (text, normal) in accepted {
        assert_eq!(rule::url(text).as_deref(), Ok(normal));
    }
}

#[test]
fn an_origin_has_no_path_and_is_never_a_wildcard() {
    assert!(rule::origin("https://mcp.example.com/mcp").unwrap_err().contains("without a path"));
    for text in ["*", "null", "https://*", "https://*.example.com"] {
        assert!(rule::origin(text).is_err(), "{text}");
    }
}

#[test]
fn no_error_repeats_the_value() {
    let secret = "hunter2";
    let texts = [
        secret.to_owned(),
        format!("https://u:{secret}@h"),
        format!("https://h:{secret}"),
        format!("a/b/{secret}"),
    ];
    for text in &texts {
        let errors = [
            rule::flag(text).err(),
            rule::integer::<u32>(text, 0, 9).err(),
            rule::choice(text, &[("a", ())]).err(),
            rule::address(text).err(),
            rule::url(text).err(),
            rule::origin(text).err(),
            rule::repository(text).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert!(!error.contains(secret), "{error}");
        }
    }
}

#[test]
fn repositories_are_an_owner_and_a_name_or_a_star() {
    for text in ["acme", "acme/", "/app", "*/*", "*/app", "a/b/c", "acme/..", "./app", "acme/a b", "acme/ap*"]
    {
        assert!(rule::repository(text).is_err(), "{text}");
    }
    assert_eq!(rule::repository("A.b-c/D_e"), Ok(("a.b-c".to_owned(), "d_e".to_owned())));
}
