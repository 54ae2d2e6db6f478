//! What the consent page shows, and when it is skipped.

use super::*;

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
        (
            "Cl\u{202e}au\u{200b}de\u{0}\u{7}",
            "Connect <span class=\"whole\">“<bdi>Claude</bdi>”</span> to Gitea?",
        ),
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
fn a_remembered_approval_skips_the_page_only_where_it_hides_nothing() {
    const READ: &[&str] = &["read:repository"];
    const BOTH: &[&str] = &["read:repository", "write:repository"];
    for (writes, remembered, changes, skipped) in [
        (false, READ, &[][..], Some(false)),
        (false, BOTH, &[], Some(false)),
        // Writes are never granted without a click.
        (true, BOTH, &[], None),
        (true, BOTH, &[("scope", "read:repository")], None),
        (true, READ, &[], None),
        (true, READ, &[("scope", "read:repository")], None),
        (false, READ, &[("prompt", "consent")], None),
        (false, READ, &[("prompt", "login consent")], None),
        (false, READ, &[("prompt", "select_account")], None),
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
