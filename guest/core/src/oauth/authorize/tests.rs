//! Authorization requests as clients send and attackers bend them, and what people choose.

use super::*;
use crate::oauth::page::fake::{
    CHALLENGE, CLAUDE, CLIENT, ORIGIN, Stage, UPSTREAM, asking, cookies, elements, header, person, query,
    text,
};
use crate::ports::{ClientKind, NotBegun, UnknownClient};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("origin", ORIGIN);

/// The sealed request of a consent page.
fn sealed(page: &Response<Vec<u8>>) -> String {
    let (_, after) = text(page).split_once("name=\"request\" value=\"").expect("a sealed request");
    after.split('"').next().unwrap().to_owned()
}

fn approve(stage: &Stage, access: &str) -> Response<Vec<u8>> {
    let request = sealed(&stage.show(&asking(&[])));
    stage.reasons();
    stage.decide(&[FORM, OURS], &query(&[("request", &request), ("decision", "approve"), ("access", access)]))
}

/// A refusal on our page: nothing is begun, no cookie, no way to anywhere, one line on record.
fn on_our_page(stage: &Stage, response: &Response<Vec<u8>>, status: u16, reason: &str) {
    assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (status, reason));
    assert!(cookies(response).is_empty() && header(response, "location").is_empty(), "{reason}");
    assert!(stage.script.begun.borrow().is_empty(), "{reason}");
    elements(text(response));
}

#[test]
fn a_good_request_shows_the_page_and_nothing_else_happens() {
    let stage = Stage::new();
    let page = stage.show(&asking(&[]));
    assert_eq!(page.status(), 200);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "referrer-policy"), "same-origin", "else the form says Origin: null");
    assert_eq!(header(&page, "cache-control"), "no-store");
    assert_eq!(header(&page, "x-frame-options"), "DENY");
    assert!(cookies(&page).is_empty() && stage.reasons().is_empty());
    assert!(stage.script.begun.borrow().is_empty() && stage.script.opened.borrow().is_empty());
    let page = text(&page);
    for part in [
        "<h1>Connect <bdi>Claude</bdi> to Gitea?</h1>",
        "<span class=\"host\">claude.ai</span>",
        "git.example.com",
        "https://git.example.com/user/settings/applications",
        "method=\"post\" action=\"/oauth/authorize\"",
        "value=\"approve\"",
        "value=\"deny\"",
        "Changes are switched off",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("type=\"radio\"") && !page.contains("warning\">"), "no writes, no warning");
}

#[test]
fn the_choice_is_the_persons_whatever_the_client_asks_for() {
    let stage = Stage::writing();
    for (scope, chosen) in [
        ("", "read"),
        ("read:repository", "read"),
        ("openid profile email offline_access", "read"),
        ("write:repository", "write"),
        ("read:repository write:repository offline_access", "write"),
    ] {
        let page = stage.show(&asking(&[("scope", scope)]));
        let page = text(&page);
        for value in ["read", "write"] {
            let checked = if value == chosen { " checked=\"\"" } else { "" };
            assert!(page.contains(&format!("name=\"access\" value=\"{value}\"{checked}>")), "{scope}");
        }
        let seen = elements(page);
        assert!(seen.contains(&"fieldset".to_owned()) && seen.contains(&"legend".to_owned()));
        assert_eq!(seen.iter().filter(|name| *name == "label").count(), 2);
    }
}

#[test]
fn the_stylesheet_is_the_one_that_the_policy_allows() {
    use base64::Engine;
    use sha2::Digest;
    let page = Stage::writing().show(&asking(&[]));
    let style = text(&page).split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style.as_bytes()));
    let policy = header(&page, "content-security-policy");
    assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
    assert!(!style.contains(['<', '@']) || !style.contains("@import"), "loads nothing");
    assert!(!style.contains("url(") && !text(&page).contains("style=\""));
}

#[test]
fn the_form_may_lead_to_gitea_and_to_the_client_and_nowhere_else() {
    let stage = Stage::new();
    stage.world.set("OAUTH_REDIRECT_ALLOWLIST", "cursor://x/cb");
    for (gitea, redirect, sources) in [
        ("https://git.example.com", CLAUDE, "'self' https:"),
        ("http://gitea.lan:3000", CLAUDE, "'self' https: http://gitea.lan:3000"),
        ("https://git.example.com", "http://127.0.0.1:49152/cb", "'self' https: http://127.0.0.1:49152"),
        ("https://git.example.com", "http://[::1]:9/cb", "'self' https: http:"),
        ("https://git.example.com", "cursor://x/cb", "'self' https: cursor:"),
    ] {
        stage.world.set("GITEA_URL", gitea);
        stage.client(ClientKind::Document, CLIENT, None, redirect);
        let page = stage.show(&asking(&[("redirect_uri", redirect)]));
        let policy = header(&page, "content-security-policy");
        let expected = format!("; form-action {sources}; frame-ancestors 'none'; base-uri 'none'");
        assert!(policy.starts_with("default-src 'none'; ") && policy.ends_with(&expected), "{policy}");
    }
}

#[test]
fn programs_on_the_persons_computer_are_warned_about() {
    let stage = Stage::new();
    stage.world.set("OAUTH_REDIRECT_ALLOWLIST", "cursor://x/cb");
    for (redirect, says) in [
        ("http://127.0.0.1:49152/cb", "listens at 127.0.0.1:49152"),
        ("http://[::1]/cb", "listens at [::1]"),
        ("http://localhost:1/cb", "listens at localhost:1"),
        ("cursor://x/cb", "opens cursor: links"),
    ] {
        for kind in [ClientKind::Document, ClientKind::Registered, ClientKind::Preregistered] {
            stage.client(kind, "c1", Some("Tool"), redirect);
            let page = stage.show(&asking(&[("client_id", "c1"), ("redirect_uri", redirect)]));
            assert!(text(&page).contains(says) && text(&page).contains("class=\"warning\""), "{redirect}");
        }
    }
}

#[test]
fn the_page_says_how_much_the_name_is_worth() {
    let stage = Stage::new();
    for (kind, says) in [
        (ClientKind::Document, "address verified"),
        (ClientKind::Registered, "name not checked"),
        (ClientKind::Preregistered, "set up by the operator"),
    ] {
        stage.client(kind, CLIENT, Some("Claude"), CLAUDE);
        assert!(text(&stage.show(&asking(&[]))).contains(says), "{kind:?}");
    }
}

#[test]
fn names_are_shown_without_what_deceives_and_cut() {
    let stage = Stage::new();
    let long = "x".repeat(65);
    for (name, shown) in [
        ("Cl\u{202e}au\u{200b}de\u{0}\u{7}", "Connect “<bdi>Claude</bdi>” to Gitea?"),
        ("a\r\nb\tc  d", "<bdi>a b c d</bdi>"),
        ("<img src=x onerror=alert(1)>", "<bdi>&lt;img src=x onerror=alert(1)&gt;</bdi>"),
        ("\"'&", "<bdi>&quot;&#39;&amp;</bdi>"),
        ("\u{200b}\u{2066}", "<h1>Connect a program to Gitea?</h1>"),
        ("   ", "<h1>Connect a program to Gitea?</h1>"),
        (long.as_str(), &format!("<bdi>{}…</bdi>", "x".repeat(64))),
    ] {
        stage.client(ClientKind::Registered, "c1", Some(name), CLAUDE);
        let page = stage.show(&asking(&[("client_id", "c1")]));
        assert!(text(&page).contains(shown), "{name:?} gives no {shown}");
        elements(text(&page));
    }
}

#[test]
fn before_client_and_redirect_are_proved_everything_stays_on_our_page() {
    let stage = Stage::new();
    let long = "c".repeat(4097);
    for (changes, reason) in [
        (&[("-client_id", "")][..], "client_id_missing"),
        (&[("client_id", "")], "client_id_missing"),
        (&[("client_id", long.as_str())], "client_id_missing"),
        (&[("client_id", "a b")], "client_id_missing"),
        (&[("client_id", "other")], "client_unknown"),
        (&[("-redirect_uri", "")], "redirect_uri_missing"),
        (&[("redirect_uri", "https://claude.ai@evil.example/cb")], "redirect_uri_refused"),
        (&[("redirect_uri", "javascript:alert(1)")], "redirect_uri_refused"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/auth_callback/")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/AUTH_callback")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/auth_callback?x")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai:443/api/mcp/auth_callback")], "redirect_uri_refused"),
        // However wrong the rest is, an unproved address hears nothing of it.
        (&[("client_id", "other"), ("response_type", "token"), ("-code_challenge", "")], "client_unknown"),
    ] {
        on_our_page(&stage, &stage.show(&asking(changes)), 400, reason);
    }
}

#[test]
fn repeated_and_unreadable_parameters_stay_on_our_page() {
    let stage = Stage::new();
    for name in
        ["client_id", "redirect_uri", "state", "scope", "resource", "code_challenge", "prompt", "unknown"]
    {
        let twice = format!("{}&{name}=1&{name}=2", asking(&[(&format!("-{name}"), "")]));
        on_our_page(&stage, &stage.show(&twice), 400, "authorize_repeated_parameter");
    }
    let many = vec!["a"; 40].join("&");
    let long = "x".repeat(16 * 1024 + 1);
    for query in ["client_id=%", "client_id=%ff", &many, &long] {
        on_our_page(&stage, &stage.show(query), 400, "authorize_malformed");
    }
}

#[test]
fn every_reason_why_there_is_no_client_has_its_page() {
    let stage = Stage::new();
    for (unknown, reason) in [
        (UnknownClient::NotFound, "client_unknown"),
        (UnknownClient::Revoked, "client_revoked"),
        (UnknownClient::HostNotAllowed, "client_host_not_allowed"),
        (UnknownClient::Document("It is not <JSON>.".to_owned()), "client_document_unusable"),
    ] {
        *stage.script.unknown.borrow_mut() = Some(unknown);
        on_our_page(&stage, &stage.show(&asking(&[])), 400, reason);
    }
}

#[test]
fn afterwards_the_client_is_told_by_redirect() {
    let stage = Stage::new();
    let (short, long) = (&CHALLENGE[..42], format!("{CHALLENGE}A"));
    let odd = format!("{}=", &CHALLENGE[..42]);
    for (changes, error, reason) in [
        (&[("-response_type", "")][..], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "code id_token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_mode", "fragment")], "invalid_request", "response_mode_unsupported"),
        (&[("response_mode", "form_post")], "invalid_request", "response_mode_unsupported"),
        (&[("request", "e30.e30.")], "request_not_supported", "request_object_unsupported"),
        (&[("request_uri", "https://a.example/r")], "request_uri_not_supported", "request_uri_unsupported"),
        (&[("-code_challenge", "")], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", short)], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", &long)], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", &odd)], "invalid_request", "code_challenge_invalid"),
        (&[("-code_challenge_method", "")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "plain")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "s256")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "S512")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("resource", "https://other.example/mcp")], "invalid_target", "resource_invalid"),
        (&[("resource", "https://mcp.example.com.evil.example")], "invalid_target", "resource_invalid"),
        (&[("scope", "admin")], "invalid_scope", "scope_invalid"),
        (&[("scope", "read:repository sudo")], "invalid_scope", "scope_invalid"),
        (&[("prompt", "none")], "interaction_required", "prompt_none"),
    ] {
        let response = stage.show(&asking(changes));
        assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (303, reason));
        let to = header(&response, "location");
        assert!(to.starts_with(&format!("{CLAUDE}?error={error}&error_description=")), "{to}");
        assert!(to.ends_with("&state=a%20b%26c%3Dd&iss=https%3A%2F%2Fmcp.example.com"), "{to}");
        assert!(cookies(&response).is_empty() && stage.script.begun.borrow().is_empty());
    }
}

#[test]
fn a_state_that_is_too_long_or_holds_controls_is_refused_and_not_sent_back() {
    let stage = Stage::new();
    for state in ["x".repeat(2049), "a\r\nb".to_owned(), "\0".to_owned(), "a\u{85}".to_owned()] {
        let response = stage.show(&asking(&[("state", &state)]));
        let to = header(&response, "location");
        assert!(
            to.starts_with(&format!("{CLAUDE}?error=invalid_request&")) && !to.contains("state="),
            "{to}"
        );
        assert_eq!(stage.reasons(), ["state_malformed"]);
    }
    let longest = "\u{e9}".repeat(1024);
    assert_eq!(stage.show(&asking(&[("state", &longest)])).status(), 200);
    assert_eq!(stage.show(&asking(&[("-state", "")])).status(), 200);
}

#[test]
fn this_server_is_a_resource_under_each_of_its_names() {
    let stage = Stage::new();
    for path in ["", "/", "/mcp", "/mcp/", "/mcp/sse"] {
        let resource = format!("{ORIGIN}{path}");
        assert_eq!(stage.show(&asking(&[("resource", &resource), ("response_mode", "query")])).status(), 200);
    }
}

#[test]
fn without_a_seal_no_page_is_shown() {
    let stage = Stage::new();
    stage.script.seals.set(false);
    on_our_page(&stage, &stage.show(&asking(&[])), 503, "sign_in_unavailable");
}

#[test]
fn approving_begins_the_flow_with_what_was_asked_and_chosen() {
    let stage = Stage::writing();
    for (access, write) in [("read", false), ("write", true)] {
        let response = approve(&stage, access);
        assert_eq!((response.status().as_u16(), header(&response, "location")), (303, UPSTREAM));
        let cookie = "__Host-aegis-flow=f1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600";
        assert_eq!(cookies(&response), [cookie]);
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        let begun = stage.script.begun.borrow_mut().pop().unwrap();
        assert_eq!((begun.redirect_uri.as_str(), begun.code_challenge.as_str()), (CLAUDE, CHALLENGE));
        assert_eq!((begun.state.as_deref(), begun.write), (Some("a b&c=d"), write));
        let notes = stage.world.notes.borrow().clone();
        assert_eq!(stage.reasons(), ["consent_approved"]);
        let of = |name: &str| notes[0].detail.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!(
            (of("client").as_str(), of("redirect_uri").as_str(), of("access").as_str()),
            (CLIENT, CLAUDE, access)
        );
    }
}

#[test]
fn on_plain_http_the_cookie_is_not_secure_unless_its_name_demands_it() {
    let stage = Stage::new();
    stage.world.set("PUBLIC_BASE_URL", "http://127.0.0.1:8080");
    for (name, secure) in [("aegis-flow", ""), ("__Host-aegis-flow", " Secure;")] {
        *stage.script.flow_cookie.borrow_mut() = (name.to_owned(), "v".to_owned());
        let request = sealed(&stage.show(&asking(&[])));
        let form = query(&[("request", &request), ("decision", "approve")]);
        let response = stage.decide(&[FORM, ("origin", "http://127.0.0.1:8080")], &form);
        let cookie = format!("{name}=v; Path=/;{secure} HttpOnly; SameSite=Lax; Max-Age=600");
        assert_eq!(cookies(&response), [cookie]);
        assert_eq!(header(&response, "strict-transport-security"), "");
    }
}

#[test]
fn denying_tells_the_client_and_begins_nothing() {
    let stage = Stage::writing();
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("access", "write"), ("decision", "deny")]);
    let response = stage.decide(&[FORM, OURS], &form);
    let to = header(&response, "location");
    assert_eq!(response.status(), 303);
    assert!(
        to.starts_with(&format!("{CLAUDE}?error=access_denied&")) && to.contains("&state=a%20b%26c%3Dd&iss=")
    );
    assert!(cookies(&response).is_empty() && stage.script.begun.borrow().is_empty());
    assert_eq!(stage.reasons(), ["consent_denied"]);
}

#[test]
fn only_our_own_page_may_approve() {
    let stage = Stage::new();
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("decision", "approve")]);
    for headers in [
        &[FORM][..],
        &[FORM, ("origin", "null")],
        &[FORM, ("origin", "https://evil.example")],
        &[FORM, ("origin", "https://mcp.example.com.evil.example")],
        &[FORM, ("origin", "http://mcp.example.com")],
        &[FORM, ("origin", "https://mcp.example.com:8443")],
        &[FORM, ("origin", "")],
        &[FORM, OURS, OURS],
        &[FORM, ("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[FORM, ("sec-fetch-site", "same-site")],
        &[FORM, ("sec-fetch-site", "cross-site")],
        &[FORM, ("sec-fetch-site", "none")],
        &[FORM, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ] {
        on_our_page(&stage, &stage.decide(headers, &form), 403, "consent_foreign");
    }
    for headers in [&[FORM, OURS][..], &[FORM, ("sec-fetch-site", "same-origin")]] {
        assert_eq!(stage.decide(headers, &form).status(), 303);
    }
}

#[test]
fn an_approval_that_is_not_whole_begins_nothing() {
    let stage = Stage::writing();
    let request = sealed(&stage.show(&asking(&[])));
    let good = query(&[("request", &request), ("decision", "approve")]);
    let long = format!("{good}&x={}", "x".repeat(16 * 1024));
    for form in [
        String::new(),
        query(&[("decision", "approve")]),
        query(&[("request", &request)]),
        query(&[("request", &request), ("decision", "yes")]),
        query(&[("request", &request), ("decision", "approve"), ("access", "admin")]),
        format!("{good}&decision=deny"),
        format!("{good}&access=read&access=write"),
        format!("{good}&x=%"),
        long,
    ] {
        on_our_page(&stage, &stage.decide(&[FORM, OURS], &form), 400, "consent_malformed");
    }
    for media in ["application/json", "text/plain", "multipart/form-data", ""] {
        let response = stage.decide(&[("content-type", media), OURS], &good);
        on_our_page(&stage, &response, 400, "consent_malformed");
    }
    let charset = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(stage.decide(&[charset, OURS], &good).status(), 303);
}

#[test]
fn a_request_that_was_not_sealed_here_or_long_ago_begins_nothing() {
    let stage = Stage::new();
    let send =
        |request: &str| stage.decide(&[FORM, OURS], &query(&[("request", request), ("decision", "approve")]));
    let other_form: String = "2\nc\nhttps://a.example".bytes().map(|byte| format!("{byte:02x}")).collect();
    for request in ["x", "sealed.zz", "sealed.ff", &format!("sealed.{other_form}")] {
        on_our_page(&stage, &send(request), 403, "consent_forged");
    }
    let request = sealed(&stage.show(&asking(&[])));
    for (broken, status, reason) in
        [(Broken::Forged, 403, "consent_forged"), (Broken::Expired, 400, "consent_expired")]
    {
        stage.script.broken.set(Some(broken));
        on_our_page(&stage, &send(&request), status, reason);
    }
}

#[test]
fn what_changed_since_the_page_was_shown_counts() {
    let stage = Stage::writing();
    stage.client(ClientKind::Registered, CLIENT, None, CLAUDE);
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("decision", "approve"), ("access", "write")]);
    let send = || stage.decide(&[FORM, OURS], &form);
    stage.world.set("WRITE_MODE", "false");
    on_our_page(&stage, &send(), 403, "consent_writes_off");
    stage.script.permitted.borrow_mut().clear();
    on_our_page(&stage, &send(), 400, "redirect_uri_not_registered");
    *stage.script.unknown.borrow_mut() = Some(UnknownClient::Revoked);
    on_our_page(&stage, &send(), 400, "client_revoked");
}

#[test]
fn where_the_host_does_not_begin_the_person_is_told_why() {
    let stage = Stage::writing();
    for (not_begun, status, reason) in [
        (NotBegun::RedirectNotPermitted, 400, "redirect_uri_not_registered"),
        (NotBegun::Malformed, 400, "consent_malformed"),
        (NotBegun::WritesOff, 403, "consent_writes_off"),
    ] {
        stage.script.not_begun.set(Some(not_begun));
        let response = approve(&stage, "write");
        assert_eq!(stage.reasons(), ["consent_approved", reason]);
        assert_eq!((response.status().as_u16(), cookies(&response).len()), (status, 0));
    }
}

#[test]
fn what_no_browser_may_get_is_not_sent() {
    for upstream in ["https://git.example.com/\r\nSet-Cookie: x=1", "https://git.example.com/\u{e9}"] {
        let stage = Stage::new();
        upstream.clone_into(&mut stage.script.upstream.borrow_mut());
        let response = approve(&stage, "read");
        assert_eq!(response.status(), 503);
        assert_eq!(stage.reasons(), ["consent_approved", "sign_in_unavailable"]);
    }
}

#[test]
fn a_remembered_approval_skips_the_page_only_where_it_hides_nothing() {
    const READ: &[&str] = &["read:repository"];
    const BOTH: &[&str] = &["read:repository", "write:repository"];
    for (writes, remembered, changes, skipped) in [
        (false, READ, &[][..], Some(false)),
        (false, BOTH, &[], Some(false)),
        (true, BOTH, &[], Some(true)),
        (true, BOTH, &[("scope", "read:repository")], Some(true)),
        (true, READ, &[], None),
        (true, READ, &[("scope", "read:repository")], None),
        (true, BOTH, &[("prompt", "consent")], None),
        (true, BOTH, &[("prompt", "login consent")], None),
        (true, BOTH, &[("prompt", "select_account")], None),
    ] {
        let stage = if writes { Stage::writing() } else { Stage::new() };
        *stage.script.remembered.borrow_mut() = Some(person(remembered, false));
        let response = stage.show(&asking(changes));
        let begun = stage.script.begun.borrow().first().map(|approved| approved.write);
        assert_eq!(begun, skipped, "{remembered:?} {changes:?}");
        if skipped.is_some() {
            assert_eq!((response.status().as_u16(), header(&response, "location")), (303, UPSTREAM));
            assert_eq!(
                (cookies(&response).len(), stage.reasons()),
                (1, vec!["consent_remembered".to_owned()])
            );
        } else {
            assert_eq!((response.status().as_u16(), cookies(&response).len()), (200, 0));
            assert!(text(&response).contains("approved before as <bdi>ada</bdi>"));
        }
    }
}

#[test]
fn a_program_on_the_persons_computer_is_always_asked_about() {
    for redirect in ["http://127.0.0.1:1/cb", "http://localhost/cb", "https://localhost/cb", "cursor://x/cb"]
    {
        let stage = Stage::new();
        stage.world.set("OAUTH_REDIRECT_ALLOWLIST", "cursor://x/cb");
        stage.client(ClientKind::Document, CLIENT, None, redirect);
        *stage.script.remembered.borrow_mut() = Some(person(&["read:repository", "write:repository"], false));
        let response = stage.show(&asking(&[("redirect_uri", redirect)]));
        assert_eq!((response.status().as_u16(), stage.script.begun.borrow().len()), (200, 0), "{redirect}");
    }
}

#[test]
fn a_request_survives_its_seal_and_no_other_bytes_are_one() {
    let asking = Asking {
        client_id: "c".repeat(CLIENT_ID_BYTES),
        redirect_uri: "r".repeat(redirect::LONGEST),
        code_challenge: CHALLENGE.to_owned(),
        write: true,
        state: Some("\\\"".repeat(STATE_BYTES / 2)),
    };
    let bytes = asking.to_bytes();
    assert!(bytes.len() <= 8192, "the seal takes no more");
    assert_eq!(Asking::from_bytes(&bytes), Some(asking));
    for bytes in [
        &b""[..],
        b"1",
        b"1\na\nb\nc\nread",
        b"1\na\nb\nc\nread\ns\nx",
        b"2\na\nb\nc\nread\ns",
        b"1\na\nb\nc\nall\ns",
        b"1\na\nb\nc\nread\n\xff",
    ] {
        assert_eq!(Asking::from_bytes(bytes), None);
    }
}

#[test]
fn nothing_hostile_comes_back_unescaped_from_any_parameter() {
    const HOSTILE: [&str; 12] = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "'><svg/onload=alert(1)>",
        "</title><script>x</script>",
        "</style><script>x</script>",
        "--><script>x</script>",
        "javascript:alert(1)",
        "a\r\nSet-Cookie: x=1",
        "\0<b>",
        "&lt;script&gt;<script>",
        "\u{202e}<script>\u{2028}",
        "{{7*7}}${7*7}<%= 7 %>",
    ];
    let names = [
        "client_id",
        "redirect_uri",
        "state",
        "scope",
        "resource",
        "response_type",
        "response_mode",
        "prompt",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
        "nonce",
        "<x>",
    ];
    for kind in [ClientKind::Document, ClientKind::Registered, ClientKind::Preregistered] {
        for hostile in HOSTILE {
            let stage = Stage::writing();
            stage.client(kind, CLIENT, Some(hostile), CLAUDE);
            *stage.script.remembered.borrow_mut() =
                Some(Person { login: hostile.to_owned(), scopes: Vec::new(), narrowed: false });
            for name in names {
                let response = stage.show(&asking(&[(name, hostile)]));
                let location = header(&response, "location");
                let safe = |byte: u8| byte.is_ascii_alphanumeric() || b":/?&=%._~-".contains(&byte);
                assert!(location.bytes().all(safe), "{location}");
                assert!(cookies(&response).is_empty());
                if !response.body().is_empty() {
                    let seen = elements(text(&response));
                    let foreign = ["script", "img", "svg", "b", "x"];
                    assert!(
                        !seen.iter().any(|element| foreign.contains(&element.as_str())),
                        "{name} {hostile}"
                    );
                    assert!(
                        !text(&response).contains(['\0', '\r', '\u{202e}', '\u{2028}']),
                        "{name} {hostile:?}"
                    );
                }
            }
        }
    }
}
