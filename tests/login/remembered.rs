//! Approvals that a browser remembers: for whom, toward where, and how much they spare.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::sign_in::{Client, REDIRECT, Tokens, parameter, register};
use serde_json::{Value, json};

use crate::refusals::{Desk, WHOLE_EXCHANGE, page_headers};
use crate::scene::password;

const SITE: &str = "https://claude.ai/api/mcp/auth_callback";

/// Approve for a client on a web site, to the end.
async fn approve_once(desk: &Desk, client: &Client, browser: &mut Browser, write: bool) {
    client.approve(browser, write).await;
    let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
    assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    let left = browser.follow_until(|url| url.starts_with(SITE)).await;
    assert!(left.stopped().is_some_and(|url| parameter(&url, "code").is_some()));
    desk.scene.forge.forget();
}

async fn of_a_site(desk: &Desk) -> Client {
    let body = json!({"client_name": "Claude", "redirect_uris": [SITE, REDIRECT], "token_endpoint_auth_method": "none"});
    let made = register(&desk.server.url, &body).await;
    let id = made.json()["client_id"].as_str().expect("an id").to_owned();
    Client { server: desk.server.url.clone(), id, redirect: SITE.to_owned() }
}

#[tokio::test]
async fn a_remembered_approval_stands_toward_the_same_client_and_site_alone() {
    let desk = Desk::new().await;
    let client = of_a_site(&desk).await;
    let mut browser = Browser::new();
    approve_once(&desk, &client, &mut browser, false).await;
    let gitea = desk.scene.forge.url();

    // The same again: no page, and the way to Gitea with a cookie of its own, on record.
    let again = browser.get(&client.authorize_url(&[])).await;
    assert_eq!(again.status(), 303, "{}", again.text());
    assert!(again.redirect().is_some_and(|to| to.starts_with(&gitea)));
    let id = again.answer.header("x-request-id").unwrap_or_default().to_owned();
    let of_it = |line: &&Value| line["request_id"] == id.as_str();
    let lines = desk.server.audit_when(|lines| lines.iter().any(|line| of_it(&line))).await;
    let reasons: Vec<&Value> = lines.iter().filter(of_it).map(|line| &line["reason"]).collect();
    assert_eq!(reasons, ["consent_remembered"]);
    let left = browser.follow_until(|url| url.starts_with(SITE)).await;
    assert!(left.stopped().is_some_and(|url| parameter(&url, "code").is_some()));

    // Asked to show itself, toward a program on this computer, for another client, in another browser: the page.
    let other = of_a_site(&desk).await;
    let loopback = Client { redirect: REDIRECT.to_owned(), ..client.clone() };
    for url in [
        client.authorize_url(&[("prompt", "consent")]),
        client.authorize_url(&[("prompt", "login")]),
        loopback.authorize_url(&[]),
        other.authorize_url(&[]),
    ] {
        let page = browser.get(&url).await;
        assert_eq!(page.status(), 200, "{url}: {}", page.text());
        page_headers(&page.answer);
        assert!(page.form("decision").value("request").is_some());
    }
    let page = Browser::new().get(&client.authorize_url(&[])).await;
    assert_eq!(page.status(), 200);
    // And prompt=none is answered to the client, remembered or not.
    let told = browser.get(&client.authorize_url(&[("prompt", "none")])).await;
    assert!(told.redirect().is_some_and(|to| to.starts_with(&format!("{SITE}?error=interaction_required"))));
    desk.end().await;
}

#[tokio::test]
async fn a_remembered_approval_of_reading_never_hides_the_choice_of_writes() {
    let desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let client = of_a_site(&desk).await;
    let mut browser = Browser::new();
    approve_once(&desk, &client, &mut browser, false).await;
    for scope in ["read:repository", "read:repository write:repository"] {
        let page = browser.get(&client.authorize_url(&[("scope", scope)])).await;
        assert_eq!(page.status(), 200, "{scope}");
        let text = page.text();
        assert!(
            text.contains("name=\"access\" value=\"write\"")
                && text.contains("name=\"access\" value=\"read\"")
        );
        assert!(text.contains("reading was approved before as"), "{text}");
    }
    // Nor are writes ever granted without a click, remembered or not: a link from anywhere begins no such sign-in.
    approve_once(&desk, &client, &mut browser, true).await;
    let again = browser.get(&client.authorize_url(&[])).await;
    assert_eq!(again.status(), 200, "{}", again.text());
    assert!(again.answer.header("set-cookie").is_none());
    assert!(desk.scene.forge.requests().is_empty(), "Gitea hears nothing of it");
    desk.end().await;
}

#[tokio::test]
async fn a_remembered_approval_is_for_the_person_who_gave_it() {
    let mut desk = Desk::new().await;
    let client = of_a_site(&desk).await;
    let mut browser = Browser::new();
    approve_once(&desk, &client, &mut browser, false).await;
    // Somebody else signs in to Gitea in the same browser.
    let gitea = desk.scene.forge.url();
    let (login, secret) = ("bob", password("bob"));
    browser.get(&format!("{gitea}/user/logout")).await;
    let skipped = browser.get(&client.authorize_url(&[])).await;
    assert_eq!(skipped.status(), 303, "{}", skipped.text());
    let arrived = browser.sign_in_at_gitea(login, &secret).await;
    assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    desk.scene.forge.forget();
    let page = browser.follow().await.expect("our callback");
    let lines = [("access_denied", "login_refused"), ("security_event", "sign_in_other_person")];
    desk.page(&page, 403, &lines, WHOLE_EXCHANGE).await;
    // It is forgotten, and so the next time the page asks.
    let again = browser.get(&client.authorize_url(&[])).await;
    assert_eq!(again.status(), 200, "{}", again.text());
    desk.end().await;
}

#[tokio::test]
async fn a_remembered_approval_with_writes_gives_reading_where_writes_were_turned_off() {
    let desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let client = of_a_site(&desk).await;
    let mut browser = Browser::new();
    approve_once(&desk, &client, &mut browser, true).await;
    let desk = desk.restarted(|setup| setup).await;
    let again = browser.get(&client.authorize_url(&[])).await;
    assert_eq!(again.status(), 303, "{}", again.text());
    let mut left = browser.sign_in_at_gitea("alice", &password("alice")).await;
    if matches!(&left, Arrived::Stopped(url) if !url.starts_with(SITE)) {
        left = browser.follow_until(|url| url.starts_with(SITE)).await;
    }
    let code = parameter(&left.stopped().expect("the redirect"), "code").expect("a code");
    let tokens = Tokens::of(&client.redeem(&code, &[]).await);
    assert_eq!(tokens.answer["scope"], "read:repository");
    desk.end().await;
}

#[tokio::test]
async fn whoever_signs_in_on_anothers_remembered_approval_keeps_their_own_sessions() {
    for invalidate in [false, true] {
        let mut desk = Desk::new().await;
        // Each call renews at Gitea, so that a grant that is lost shows at once.
        desk.scene.forge.configure(|oauth| {
            (oauth.access_token_seconds, oauth.invalidate_refresh_tokens) = (30, invalidate);
        });
        let bobs = desk.tokens("bob", false).await;
        let client = of_a_site(&desk).await;
        let mut browser = Browser::new();
        approve_once(&desk, &client, &mut browser, false).await;
        browser.get(&format!("{}/user/logout", desk.scene.forge.url())).await;
        assert_eq!(browser.get(&client.authorize_url(&[])).await.status(), 303);
        let arrived = browser.sign_in_at_gitea("bob", &password("bob")).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
        desk.scene.forge.forget();
        let page = browser.follow().await.expect("our callback");
        let lines = [("access_denied", "login_refused"), ("security_event", "sign_in_other_person")];
        desk.page(&page, 403, &lines, WHOLE_EXCHANGE).await;
        // Gitea has given bob another grant meanwhile, and his client goes on with that.
        let list = json!({});
        for _ in 0..2 {
            let answer =
                aegis_tests::sign_in::call(&desk.server.url, &bobs.access, "list_repositories", &list).await;
            assert_eq!(answer.status, 200, "{invalidate}: {}", answer.text());
        }
        assert!(desk.scene.forge.times("POST", "/login/oauth/access_token") >= 1, "it was renewed");
        let next = desk.client.refresh(&bobs.refresh, &[]).await;
        assert_eq!(next.status, 200, "{invalidate}: {}", next.text());
        desk.end().await;
    }
}
