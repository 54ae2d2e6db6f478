//! Redirect URIs as attackers write them, one row each.

use super::*;
use crate::mcp::fake::World;

use BadRedirect as Bad;
use Place::{Loopback, Scheme, Site};

/// URIs and what [`judge_form`] says.
const TABLE: &[(&str, Result<Place<'_>, Bad>)] = &include!("table.rs");

fn config(allowlist: &str) -> Config {
    let world = World::new();
    world.set("OAUTH_REDIRECT_ALLOWLIST", allowlist);
    Config::load(&world).unwrap()
}

#[test]
fn every_row_of_the_table_is_judged_as_it_says() {
    for (uri, judged) in TABLE {
        assert_eq!(judge_form(uri), *judged, "{uri:?}");
    }
    let refused = TABLE.iter().filter(|(_, judged)| judged.is_err()).count();
    assert!(TABLE.len() >= 160 && refused >= 130, "{} rows, {refused} refused", TABLE.len());
}

#[test]
fn no_row_appears_twice() {
    let mut uris: Vec<&str> = TABLE.iter().map(|(uri, _)| *uri).collect();
    uris.sort_unstable();
    let all = uris.len();
    uris.dedup();
    assert_eq!(uris.len(), all);
}

#[test]
fn a_single_byte_put_anywhere_into_claudes_callback_is_no_longer_registrable() {
    let config = config("");
    for at in 0..=CLAUDE[0].len() {
        for byte in 0..=255_u8 {
            let mut bytes = CLAUDE[0].as_bytes().to_vec();
            bytes.insert(at, byte);
            let uri = String::from_utf8_lossy(&bytes);
            assert!(judge_registration(&config, &uri).is_err(), "{uri:?}");
        }
    }
}

#[test]
fn a_stranger_may_register_claudes_callbacks_loopback_and_what_is_listed() {
    let config = config("cursor://anysphere.cursor-mcp/oauth/callback, https://vscode.dev/redirect");
    for (uri, place) in [
        ("https://claude.ai/api/mcp/auth_callback", Site("claude.ai")),
        ("https://claude.com/api/mcp/auth_callback", Site("claude.com")),
        ("http://127.0.0.1:49152/callback", Loopback("127.0.0.1:49152")),
        ("http://localhost/callback", Loopback("localhost")),
        ("http://[::1]:8080/", Loopback("[::1]:8080")),
        ("https://vscode.dev/redirect", Site("vscode.dev")),
        ("cursor://anysphere.cursor-mcp/oauth/callback", Scheme("cursor")),
    ] {
        assert_eq!(judge_registration(&config, uri), Ok(place), "{uri}");
    }
    for (uri, bad) in [
        ("https://claude.ai/api/mcp/auth_callback/", Bad::NotListed),
        ("https://claude.ai/api/mcp/auth_callback?x=1", Bad::NotListed),
        ("https://claude.ai/api/mcp/Auth_callback", Bad::NotListed),
        ("https://claude.ai:8443/api/mcp/auth_callback", Bad::NotListed),
        ("https://claude.ai.evil.example/api/mcp/auth_callback", Bad::NotListed),
        ("https://evil.example/cb", Bad::NotListed),
        ("https://localhost/cb", Bad::NotListed),
        ("https://localhost.evil.example/cb", Bad::NotListed),
        ("https://vscode.dev/redirect/", Bad::NotListed),
        ("https://xn--clude-8nf.ai/api/mcp/auth_callback", Bad::NotListed),
        ("cursor://anysphere.cursor-mcp/oauth/callback/", Bad::Scheme),
        ("cursor://anysphere.cursor-mcp/oauth", Bad::Scheme),
        ("Cursor://anysphere.cursor-mcp/oauth/callback", Bad::Scheme),
        ("other://x", Bad::Scheme),
    ] {
        assert_eq!(judge_registration(&config, uri), Err(bad), "{uri}");
        assert!(!bad.why().is_empty());
    }
}

#[test]
fn the_list_opens_neither_plain_http_to_other_computers_nor_a_crooked_spelling() {
    let listed = "http://192.168.1.5/cb,http://intranet/cb,HTTPS://app.example/cb,https://a.example/x/../y";
    let config = config(listed);
    for (uri, bad) in [
        ("http://192.168.1.5/cb", Bad::Address),
        ("http://intranet/cb", Bad::PlainHttp),
        ("HTTPS://app.example/cb", Bad::Scheme),
        ("https://a.example/x/../y", Bad::Path),
    ] {
        for kind in [ClientKind::Registered, ClientKind::Document, ClientKind::Preregistered] {
            assert_eq!(judge_request(&config, kind, uri), Err(bad), "{uri}");
        }
    }
}

#[test]
fn the_settings_refuse_to_list_schemes_that_a_browser_runs() {
    for uri in ["javascript:alert(1)", "DATA:text/html,x", "file:///etc/passwd", "blob:x", "vbscript:x"] {
        let world = World::new();
        world.set("OAUTH_REDIRECT_ALLOWLIST", uri);
        assert_eq!(Config::load(&world).unwrap_err().name, "OAUTH_REDIRECT_ALLOWLIST", "{uri}");
    }
}

#[test]
fn documents_and_the_operators_clients_are_judged_by_form_and_strangers_by_the_list() {
    let config = config("app.one:/cb");
    let of = |kind, uri| judge_request(&config, kind, uri);
    for kind in [ClientKind::Document, ClientKind::Preregistered] {
        assert_eq!(of(kind, "https://app.example/cb"), Ok(Site("app.example")));
        assert_eq!(of(kind, "http://127.0.0.1:1/cb"), Ok(Loopback("127.0.0.1:1")));
        assert_eq!(of(kind, "app.one:/cb"), Ok(Scheme("app.one")));
        assert_eq!(of(kind, "app.two:/cb"), Err(Bad::Scheme));
    }
    assert_eq!(of(ClientKind::Registered, "https://app.example/cb"), Err(Bad::NotListed));
}
