//! Which URLs may name a document.

use super::*;
use crate::documents::url::{Allowed, Location};

#[test]
fn accepts_plain_https_urls_as_they_are() {
    for (given, host, port, target) in [
        ("https://claude.ai/oauth/x", "claude.ai", 443, "/oauth/x"),
        ("https://Claude.AI/x/", "claude.ai", 443, "/x/"),
        ("https://a.test:8443/x?y=1", "a.test", 8443, "/x?y=1"),
        ("https://localhost:9/c.json", "localhost", 9, "/c.json"),
        ("https://a.test/%7Ex/...", "a.test", 443, "/%7Ex/..."),
    ] {
        let expected = Location { host: host.to_owned(), port, target: target.to_owned() };
        assert_eq!(Location::parse(given), Ok(expected), "{given}");
    }
}

#[test]
fn refuses_every_url_that_could_be_read_in_two_ways() {
    let long = format!("https://a.test/{}", "x".repeat(500));
    let refused = [
        "",
        "http://a.test/x",
        "HTTPS://a.test/x",
        "https:/a.test/x",
        "https:///x",
        "https://a.test",
        "https://a.test/",
        "https://a.test?x",
        "https://a.test/?x",
        "https://a.test/x#y",
        "https://u@a.test/x",
        "https://u:p@a.test/x",
        "https://a.test\\@b.test/x",
        "https://a.test/x\\y",
        "https://a.test/x y",
        "https://a.test/x\ty",
        "https://a.test/x\0",
        "https://a.test/\u{fc}",
        "https://\u{ff41}.test/x",
        "https://a.test/../x",
        "https://a.test/x/..",
        "https://a.test/./x",
        "https://a.test/x/.",
        "https://a.test/%2e%2e/x",
        "https://a.test/.%2E/x",
        "https://a.test/x/%2e",
        "https://a.test/%00",
        "https://a.test/%0d%0a",
        "https://a.test/%5c",
        "https://a.test/a%2f..%2fb",
        "https://a.test/%",
        "https://a.test/%4",
        "https://a.test/%zz",
        "https://a.test:/x",
        "https://a.test:0/x",
        "https://a.test:443/x",
        "https://a.test:0443/x",
        "https://a.test:65536/x",
        "https://a.test:+1/x",
        "https://a.test:1:2/x",
        "https://a.test./x",
        "https://.a.test/x",
        "https://a..test/x",
        "https://-a.test/x",
        "https://a%2etest/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0x1/x",
        "https://[::1]/x",
        long.as_str(),
    ];
    for given in refused {
        assert!(Location::parse(given).is_err(), "{given}");
    }
}

#[test]
fn a_host_is_allowed_by_its_whole_name_and_port() {
    let covers =
        |entry: &str, url: &str| Allowed::parse(entry).unwrap().covers(&Location::parse(url).unwrap());
    assert!(covers("claude.ai", "https://CLAUDE.ai/x"));
    assert!(covers("Claude.ai", "https://claude.ai/x"));
    assert!(covers("a.test:8443", "https://a.test:8443/x"));
    for other in [
        "https://www.claude.ai/x",
        "https://claude.ai.evil.test/x",
        "https://evilclaude.ai/x",
        "https://claude.ai:8443/x",
        "https://ai/x",
    ] {
        assert!(!covers("claude.ai", other), "{other}");
    }
    assert!(!covers("a.test:8443", "https://a.test/x"));
}

#[test]
fn says_which_entry_of_the_list_of_hosts_is_none() {
    for entry in ["", "*", "*.claude.ai", "https://claude.ai", "claude.ai/", "10.0.0.1", "a b"] {
        let rules =
            Rules { hosts: vec![entry.to_owned()], allow_private: false, limit: Duration::from_secs(5) };
        let made = Documents::new(rules, Arc::new(Hand(AtomicI64::new(0))));
        let error = made.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("CIMD_ALLOWED_HOSTS") && error.contains(entry), "{entry}: {error}");
    }
}

#[tokio::test]
async fn sends_nothing_for_a_url_or_a_host_that_is_refused() {
    let scene = Scene::new().await;
    for url in ["https://docs.test/a#b", "https://elsewhere.test/a", "https://docs.test:8443/a"] {
        let failure = scene.documents.fetch(url).await.unwrap_err();
        assert!(matches!(failure, Failure::Url(_) | Failure::Host(_)), "{failure}");
    }
    assert!(scene.wire.connected.lock().unwrap().is_empty());
}
