//! Redirect URIs: every spelling that is not the registered one.

use super::super::redirect::{is_loopback, matches, without_loopback_port};
use super::runner;

const HOSTED: &str = "https://claude.ai/api/mcp/auth_callback";

#[test]
fn a_hosted_redirect_matches_itself() {
    for uri in
        [HOSTED, "https://app.example:8443/cb?tenant=1", "cursor://anysphere.cursor/cb", "https://a.example"]
    {
        assert!(matches(uri, uri) && !is_loopback(uri), "{uri}");
    }
}

#[test]
fn no_other_spelling_of_a_hosted_redirect_matches() {
    for presented in [
        "",
        "https://claude.ai",
        "https://claude.ai/",
        "https://claude.ai/api/mcp/auth_callbac",
        "https://claude.ai/api/mcp/auth_callback/",
        "https://claude.ai/api/mcp/auth_callback?",
        "https://claude.ai/api/mcp/auth_callback?x=1",
        "https://claude.ai/api/mcp/auth_callback#",
        "https://claude.ai/api/mcp/auth_callback#x",
        "https://claude.ai/api/mcp/Auth_callback",
        "https://claude.ai/api/mcp/auth%5Fcallback",
        "https://claude.ai/api/mcp/%2e%2e/auth_callback",
        "https://claude.ai/api/mcp/../mcp/auth_callback",
        "https://claude.ai/api/mcp/./auth_callback",
        "https://claude.ai/api//mcp/auth_callback",
        "https://claude.ai//api/mcp/auth_callback",
        "https://claude.ai:443/api/mcp/auth_callback",
        "https://claude.ai:/api/mcp/auth_callback",
        "https://claude.ai./api/mcp/auth_callback",
        "https://Claude.ai/api/mcp/auth_callback",
        "HTTPS://claude.ai/api/mcp/auth_callback",
        "http://claude.ai/api/mcp/auth_callback",
        "https:/claude.ai/api/mcp/auth_callback",
        "https:\\\\claude.ai/api/mcp/auth_callback",
        "https://claude.ai\\api/mcp/auth_callback",
        "//claude.ai/api/mcp/auth_callback",
        "https://claude.ai@evil/api/mcp/auth_callback",
        "https://user@claude.ai/api/mcp/auth_callback",
        "https://claude.ai.evil/api/mcp/auth_callback",
        "https://claude.ai%40evil/api/mcp/auth_callback",
        "https://evil#claude.ai/api/mcp/auth_callback",
        "https://evil/https://claude.ai/api/mcp/auth_callback",
        "https://xn--cude-xyz.ai/api/mcp/auth_callback",
        "https://clаude.ai/api/mcp/auth_callback",
        "https://claude．ai/api/mcp/auth_callback",
        "https://claude。ai/api/mcp/auth_callback",
        " https://claude.ai/api/mcp/auth_callback",
        "https://claude.ai/api/mcp/auth_callback ",
        "https://claude.ai/api/mcp/auth_callback\n",
        "https://claude.ai/api/mcp/auth_callback\0",
        "https://claude.ai/api/\tmcp/auth_callback",
        "javascript:alert(1)",
        "data:text/html,x",
    ] {
        assert!(!matches(HOSTED, presented), "{presented:?}");
        assert!(!matches(presented, HOSTED), "{presented:?}");
    }
}

#[test]
fn the_port_of_a_loopback_redirect_is_free() {
    for origin in ["http://127.0.0.1", "http://[::1]", "http://localhost"] {
        for rest in ["/cb", "", "/", "/cb?x=1", "?x=1"] {
            let ports = ["", ":1", ":80", ":8080", ":65535"].map(|port| format!("{origin}{port}{rest}"));
            for registered in &ports {
                assert!(is_loopback(registered), "{registered}");
                for presented in &ports {
                    assert!(matches(registered, presented), "{registered} {presented}");
                }
            }
        }
    }
}

#[test]
fn the_three_loopback_hosts_do_not_stand_for_each_other() {
    let hosts = ["http://127.0.0.1:1/cb", "http://[::1]:1/cb", "http://localhost:1/cb"];
    for registered in hosts {
        for presented in hosts {
            assert_eq!(matches(registered, presented), registered == presented, "{registered} {presented}");
        }
    }
}

#[test]
fn no_other_spelling_of_a_loopback_redirect_matches() {
    for presented in [
        "http://127.0.0.1:8080",
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080/cb/",
        "http://127.0.0.1:8080/CB",
        "http://127.0.0.1:8080//cb",
        "http://127.0.0.1:8080/./cb",
        "http://127.0.0.1:8080/%63b",
        "http://127.0.0.1:8080/cb?",
        "http://127.0.0.1:8080/cb?x=1",
        "http://127.0.0.1:8080/cb#",
        "http://127.0.0.1:8080/cb#x",
        "http://127.0.0.1:8080\\cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:080/cb",
        "http://127.0.0.1:65536/cb",
        "http://127.0.0.1:99999999999999999999/cb",
        "http://127.0.0.1:+80/cb",
        "http://127.0.0.1:-80/cb",
        "http://127.0.0.1: 80/cb",
        "http://127.0.0.1:８０/cb",
        "http://127.0.0.1:80:80/cb",
        "http://127.0.0.1:80a/cb",
        "http://127.0.0.1:80@evil/cb",
        "http://127.0.0.1@evil/cb",
        "http://user@127.0.0.1:80/cb",
        "http://127.0.0.1.evil/cb",
        "http://127.0.0.1.:80/cb",
        "http://127.0.0.10:80/cb",
        "http://127.0.0.2:80/cb",
        "http://127.1:80/cb",
        "http://127.0.0.01:80/cb",
        "http://2130706433:80/cb",
        "http://0x7f.0.0.1:80/cb",
        "http://0177.0.0.1:80/cb",
        "http://0.0.0.0:80/cb",
        "http://[::ffff:127.0.0.1]:80/cb",
        "http://[0:0:0:0:0:0:0:1]:80/cb",
        "http://localhost.:80/cb",
        "http://localhost.evil:80/cb",
        "http://LOCALHOST:80/cb",
        "https://127.0.0.1:80/cb",
        "HTTP://127.0.0.1:80/cb",
        "http:/127.0.0.1:80/cb",
        "http://127.0.0.1\t:80/cb",
        "http://127.0.0.1:80/cb\n",
    ] {
        for registered in
            ["http://127.0.0.1/cb", "http://127.0.0.1:8080/cb", "http://localhost/cb", "http://[::1]/cb"]
        {
            assert!(!matches(registered, presented), "{registered} {presented:?}");
            assert!(!matches(presented, registered), "{registered} {presented:?}");
        }
    }
}

#[test]
fn hosts_that_only_begin_like_loopback_are_not_loopback() {
    for uri in [
        "http://127.0.0.1.evil/cb",
        "http://127.0.0.1:80@evil/cb",
        "http://localhost.evil/cb",
        "http://localhost.",
        "http://localhost:",
        "http://localhost#",
        "http://[::1]x/",
        "https://localhost/cb",
    ] {
        assert!(!is_loopback(uri), "{uri}");
        assert!(matches(uri, uri), "{uri}");
    }
}

#[test]
fn two_texts_match_only_when_they_are_equal_or_loopback_and_equal_but_for_the_port() {
    let pieces =
        "(http://|https://)?(127\\.0\\.0\\.1|\\[::1\\]|localhost|a\\.b)(:[0-9]{0,6})?([/?#@.a]{0,3})";
    runner()
        .run(&(pieces, pieces), |(one, two)| {
            let bare = |uri: &str| without_loopback_port(uri).into_owned();
            assert_eq!(matches(&one, &two), matches(&two, &one));
            assert!(matches(&one, &one));
            assert_eq!(bare(&bare(&one)), bare(&one));
            if !(is_loopback(&one) && is_loopback(&two)) {
                assert_eq!(matches(&one, &two), one == two);
            }
            if is_loopback(&one) {
                let after = bare(&one).split_once("//").map(|(_, rest)| rest.to_owned()).unwrap();
                assert!(
                    ["127.0.0.1", "[::1]", "localhost"].iter().any(|host| after.starts_with(host)),
                    "{one}"
                );
            }
            Ok(())
        })
        .unwrap();
}
