//! Refused at the consent page: approvals that are not this person's on this page, and the person's own no.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{form, parameter};

use super::Desk;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";

/// A form sent to the authorize endpoint with these headers besides.
async fn post(desk: &Desk, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
    all.extend_from_slice(headers);
    send(&desk.server.url, "POST", "/oauth/authorize", &all, body.as_bytes()).await.expect("an answer")
}

fn shown(desk: &Desk, answer: Answer) -> aegis_tests::browser::Page {
    aegis_tests::browser::Page { url: format!("{}/oauth/authorize", desk.server.url), answer }
}

/// The sealed request of a consent page.
async fn sealed(desk: &Desk) -> String {
    let page = Browser::new().get(&desk.client.authorize_url(&[])).await;
    page.form("decision").value("request").expect("the sealed request").to_owned()
}

#[tokio::test]
async fn an_approval_from_another_page_approves_nothing() {
    let mut desk = Desk::new().await;
    let sealed = sealed(&desk).await;
    desk.secret(&sealed);
    let body = form(&[("request", &sealed), ("decision", "approve")]);
    let own = desk.server.url.clone();
    let headers: [&[(&str, &str)]; 5] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "same-origin")],
    ];
    for headers in headers {
        let answer = post(&desk, headers, &body).await;
        desk.page(&shown(&desk, answer), 403, &[(SECURITY, "consent_foreign")], &[]).await;
    }
    // Another origin of this machine may use the server, and still does not approve for the person.
    let answer =
        post(&desk, &[("origin", "http://127.0.0.1:1"), ("sec-fetch-site", "same-origin")], &body).await;
    desk.page(&shown(&desk, answer), 403, &[(SECURITY, "consent_foreign")], &[]).await;
    for origin in ["https://evil.example", "null"] {
        let answer = post(&desk, &[("origin", origin)], &body).await;
        desk.page(&shown(&desk, answer), 403, &[(SECURITY, "consent_foreign")], &[]).await;
    }
    // The same approval from our own page goes on.
    let answer = post(&desk, &[("origin", &own)], &body).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    desk.end().await;
}

#[tokio::test]
async fn an_approval_that_is_no_form_of_ours_is_refused() {
    let mut desk = Desk::new().await;
    let sealed = sealed(&desk).await;
    let own = desk.server.url.clone();
    let from_us = [("origin", own.as_str())];
    let twice = format!("{0}&{0}", form(&[("request", &sealed)]));
    let bodies = [
        String::new(),
        form(&[("decision", "approve")]),
        form(&[("request", &sealed)]),
        form(&[("request", &sealed), ("decision", "yes")]),
        form(&[("request", &sealed), ("decision", "approve"), ("access", "admin")]),
        format!("{}&decision=approve", form(&[("request", &sealed), ("decision", "deny")])),
        format!("{twice}&decision=approve"),
        format!("{}&x=%zz", form(&[("request", &sealed), ("decision", "approve")])),
        form(&[("request", &sealed), ("decision", "approve"), ("x", &"x".repeat(16 * 1024))]),
    ];
    for body in bodies {
        let answer = post(&desk, &from_us, &body).await;
        desk.page(&shown(&desk, answer), 400, &[(DENIED, "consent_malformed")], &[]).await;
    }
    let mut flipped = sealed.clone().into_bytes();
    let last = flipped.len() - 9;
    flipped[last] = if flipped[last] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).expect("text");
    for request in ["x", &flipped, &format!("{sealed}A"), &desk.client.id.clone()] {
        let answer = post(&desk, &from_us, &form(&[("request", request), ("decision", "approve")])).await;
        desk.page(&shown(&desk, answer), 403, &[(SECURITY, "consent_forged")], &[]).await;
    }
    // Changes were not among the choices.
    let body = form(&[("request", &sealed), ("decision", "approve"), ("access", "write")]);
    let answer = post(&desk, &from_us, &body).await;
    desk.page(&shown(&desk, answer), 403, &[(DENIED, "consent_writes_off")], &[]).await;
    // A body of another type gets the same kind of answer in the gateway's words.
    let json = [("origin", own.as_str()), ("content-type", "application/json")];
    let answer = send(&desk.server.url, "POST", "/oauth/authorize", &json, b"{}").await.expect("an answer");
    desk.page(&shown(&desk, answer), 415, &[(DENIED, "unsupported_media_type")], &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn a_person_who_says_no_sends_the_client_away_and_gitea_hears_nothing() {
    let mut desk = Desk::new().await;
    let mut browser = Browser::new();
    let consent = browser.get(&desk.client.authorize_url(&[])).await;
    let said = browser.submit(&consent.form("decision"), &[("decision", "deny")]).await;
    desk.told(&said, "access_denied", &[(DENIED, "consent_denied")], &[]).await;
    assert_eq!(browser.cookies(&desk.server.url), [] as [String; 0]);
    desk.end().await;
}

#[tokio::test]
async fn a_button_that_is_pressed_twice_signs_in_by_whichever_answer_the_browser_follows() {
    let mut desk = Desk::new().await;
    let own = desk.server.url.clone();
    for first in [true, false] {
        let mut browser = Browser::new();
        let consent = browser.get(&desk.client.authorize_url(&[])).await;
        desk.is_logged(&consent.answer);
        let button = consent.form("decision");
        let request = button.value("request").expect("the sealed request").to_owned();
        let body = form(&[("request", &request), ("decision", "approve")]);
        // The press whose answer the browser gives up comes before or after the one that it follows.
        if first {
            assert_eq!(post(&desk, &[("origin", &own)], &body).await.status, 303);
        }
        let sent = browser.submit(&button, &[("decision", "approve")]).await;
        assert_eq!(sent.status(), 303, "{}", sent.text());
        if !first {
            let other = post(&desk, &[("origin", &own)], &body).await;
            assert_eq!(other.status, 303);
            let state = |to: Option<&str>| to.and_then(|to| parameter(to, "state"));
            assert_ne!(state(other.header("location")), state(sent.answer.header("location")));
            assert_ne!(
                other.header("set-cookie"),
                sent.answer.header("set-cookie"),
                "no secret is told twice"
            );
        }
        let arrived = browser.sign_in_at_gitea("alice", &crate::scene::password("alice")).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
        let came = browser.follow().await.expect("our callback");
        assert!(came.redirect().is_some_and(|to| parameter(&to, "code").is_some()), "{}", came.text());
    }
    desk.end().await;
}

#[tokio::test]
async fn a_page_that_was_answered_is_used_up_and_the_next_one_is_fresh() {
    let mut desk = Desk::with(|setup| setup.set("TRUSTED_PROXIES", "127.0.0.1")).await;
    let own = desk.server.url.clone();
    for decision in ["approve", "deny"] {
        let sealed = sealed(&desk).await;
        let body = form(&[("request", &sealed), ("decision", decision)]);
        let first = [("origin", own.as_str()), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(post(&desk, &first, &body).await.status, 303);
        // From another network nobody presses twice.
        let other = [("origin", own.as_str()), ("x-forwarded-for", "192.0.2.2")];
        let answer = post(&desk, &other, &form(&[("request", &sealed), ("decision", "approve")])).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        let page = shown(&desk, answer);
        assert!(page.text().contains("This page is no longer good"), "{}", page.text());
        assert!(page.text().contains("<code>consent_expired</code>"));
        assert_eq!(page.answer.header("set-cookie"), None);
        desk.is_logged(&page.answer);
        // Nor does anybody more than three times.
        for _ in 0..2 {
            assert_eq!(post(&desk, &first, &body).await.status, 303);
        }
        let answer = post(&desk, &first, &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        desk.is_logged(&answer);
    }
    assert!(desk.scene.forge.requests().is_empty(), "Gitea hears nothing of it");
    let trail = desk
        .server
        .audit_when(|lines| lines.iter().filter(|line| line["reason"] == "consent_expired").count() == 4);
    assert!(trail.await.iter().all(|line| line["reason"] != "consent_expired" || line["event"] == DENIED));
    // The same person presses once more, on a page of their own.
    desk.tokens("alice", false).await;
    let log = desk.server.log();
    assert_eq!(log.lines().filter(|line| line.contains("consent_used")).count(), 4, "{log}");
    desk.end().await;
}

#[tokio::test]
async fn the_first_answer_of_a_page_stands_and_another_one_finds_it_used() {
    let mut desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let own = desk.server.url.clone();
    let headers = [("origin", own.as_str())];
    let answers = [("deny", "read"), ("approve", "read"), ("approve", "write")];
    let mut used = 0;
    for first in answers {
        for second in answers {
            let sealed = sealed(&desk).await;
            let body = |(decision, access)| {
                form(&[("request", &sealed), ("decision", decision), ("access", access)])
            };
            let given = post(&desk, &headers, &body(first)).await;
            assert_eq!(given.status, 303, "{first:?}: {}", given.text());
            let answer = post(&desk, &headers, &body(second)).await;
            if first == second {
                assert_eq!(answer.status, 303, "{first:?} twice: {}", answer.text());
                continue;
            }
            used += 1;
            let page = shown(&desk, answer);
            desk.page(&page, 400, &[(DENIED, "consent_expired")], &[]).await;
            assert!(page.text().contains("its answer was sent before"), "{}", page.text());
            // The first one stands all the same.
            let again = post(&desk, &headers, &body(first)).await;
            assert_eq!(again.status, 303, "{first:?}, then {second:?}: {}", again.text());
        }
    }
    let log = desk.server.log();
    assert_eq!(log.lines().filter(|line| line.contains("consent_used")).count(), used, "{log}");
    desk.end().await;
}

#[tokio::test]
async fn of_all_sign_ins_that_one_page_began_one_ends_in_a_code() {
    let mut desk = Desk::new().await;
    let (mut one, mut other) = (Browser::new(), Browser::new());
    let consent = one.get(&desk.client.authorize_url(&[])).await;
    desk.is_logged(&consent.answer);
    let button = consent.form("decision");
    // The other browser stands on a page of ours as well, and sends this one's form.
    other.get(&desk.client.authorize_url(&[])).await;
    for (browser, login) in [(&mut one, "alice"), (&mut other, "bob")] {
        let sent = browser.submit(&button, &[("decision", "approve")]).await;
        assert_eq!(sent.status(), 303, "{}", sent.text());
        let arrived = browser.sign_in_at_gitea(login, &crate::scene::password(login)).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    }
    // Not the first press but the first that comes back.
    let came = other.follow().await.expect("our callback");
    let to = came.redirect().expect("the way on");
    let code = parameter(&to, "code").unwrap_or_else(|| panic!("no code in {to}"));
    desk.secret(&code);
    desk.scene.forge.forget();
    let late = one.follow().await.expect("our callback");
    desk.page(&late, 400, &[(SECURITY, "state_used")], &[]).await;
    assert!(late.text().contains("approved twice"), "{}", late.text());
    let tokens = aegis_tests::sign_in::Tokens::of(&desk.client.redeem(&code, &[]).await);
    desk.secret(&tokens.access);
    desk.end().await;
}
