//! Refused on the way back from Gitea: a flow that is not this browser's, a person whom Gitea does not vouch for, and
//! grants that are not what was asked for. Nobody gets a code.

use aegis_tests::browser::{Arrived, Browser, Page};
use aegis_tests::server::STATE_SECRET;
use aegis_tests::sign_in::parameter;

use super::causes::Spoiled;
use super::{Desk, WHOLE_EXCHANGE};
use crate::scene::password;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";
const READ_SET: &str = "openid profile read:user read:repository read:issue read:organization";

/// The state in a URL.
fn state(url: &str) -> String {
    parameter(url, "state").unwrap_or_else(|| panic!("no state in {url}"))
}

#[tokio::test]
async fn what_is_no_way_back_is_malformed() {
    let mut desk = Desk::new().await;
    let back = format!("{}/oauth/callback", desk.server.url);
    let long = "s".repeat(8193);
    let queries = [
        String::new(),
        "?code=c".to_owned(),
        "?state=s".to_owned(),
        "?state=&code=c".to_owned(),
        "?state=s&code=c&error=e".to_owned(),
        "?state=s&state=s&code=c".to_owned(),
        "?state=s&code=c&code=d".to_owned(),
        "?state=s&code=two%20words".to_owned(),
        "?state=%zz&code=c".to_owned(),
        format!("?state={long}&code=c"),
    ];
    for query in queries {
        let page = Browser::new().get(&format!("{back}{query}")).await;
        desk.page(&page, 400, &[(DENIED, "callback_malformed")], &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn a_state_opens_once_and_in_the_browser_that_approved_alone() {
    let mut desk = Desk::new().await;
    let mut browser = Browser::new();
    let url = desk.before_return(&mut browser, false).await;
    let sealed = state(&url);
    desk.secret(&sealed);
    desk.secret(&parameter(&url, "code").expect("Gitea's code"));

    // Nobody else comes in with it, and it is not used up by trying.
    let stranger = Browser::new().get(&url).await;
    desk.page(&stranger, 400, &[(SECURITY, "state_other_browser")], &[]).await;
    let mut other = Browser::new();
    // Somebody else's: Gitea keeps one nonce a person, so that two sign-ins of one person at once disturb each other.
    desk.client.approve(&mut other, false).await;
    assert!(matches!(other.sign_in_at_gitea("bob", &password("bob")).await, Arrived::Stopped(_)));
    desk.scene.forge.forget();
    let swapped = other.get(&url).await;
    desk.page(&swapped, 400, &[(SECURITY, "state_other_browser")], &[]).await;

    let tampered = {
        let at = sealed.len() / 2;
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{other}{}", &sealed[..at], &sealed[at + 1..])
    };
    for forged in
        ["x", &sealed[..sealed.len() - 1], &tampered, &format!("{sealed}A"), &desk.client.id.clone()]
    {
        let page =
            browser.get(&format!("{}/oauth/callback?code=gta_x&state={forged}", desk.server.url)).await;
        desk.page(&page, 400, &[(SECURITY, "state_invalid")], &[]).await;
    }

    let came = browser.get(&url).await;
    assert_eq!(came.status(), 303, "{}", came.text());
    assert!(came.redirect().is_some_and(|to| to.starts_with(&desk.client.redirect)));
    desk.scene.forge.forget();
    assert!(desk.server.log().contains("\"reason\":\"state_of_another_browser\""), "{}", desk.server.log());
    // The browser has given its cookie up, and somebody who kept it finds the state used.
    let again = browser.get(&url).await;
    desk.page(&again, 400, &[(SECURITY, "state_other_browser")], &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn a_state_that_was_used_is_used_even_with_its_cookie() {
    let mut desk = Desk::new().await;
    let mut browser = Browser::new();
    let url = desk.before_return(&mut browser, false).await;
    let name =
        browser.cookies(&url).into_iter().find(|name| name.starts_with("aegis-flow-")).expect("its cookie");
    let value = browser.cookie(&url, &name).expect("its value");
    desk.secret(&value);
    let target = url.trim_start_matches(&desk.server.url).to_owned();
    let cookie = format!("{name}={value}");
    let came = desk.server.stranger("GET", &target, &[("cookie", &cookie)], b"").await;
    assert_eq!(came.status, 303, "{}", came.text());
    desk.scene.forge.forget();
    for _ in 0..2 {
        let answer = desk.server.stranger("GET", &target, &[("cookie", &cookie)], b"").await;
        let page = Page { url: url.clone(), answer };
        desk.page(&page, 400, &[(SECURITY, "state_used")], &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn a_flow_does_not_outlive_the_process_or_the_secret_that_began_it() {
    for secret in [STATE_SECRET, "another-secret-of-the-tests-that-is-long-enough"] {
        let mut desk = Desk::new().await;
        let mut browser = Browser::new();
        let url = desk.before_return(&mut browser, false).await;
        desk = desk.restarted(|setup| setup.set("OAUTH_STATE_SECRET", secret)).await;
        let page = browser.get(&url).await;
        desk.page(&page, 400, &[(SECURITY, "state_invalid")], &[]).await;
        desk.end().await;
    }
}

#[tokio::test]
async fn a_person_who_says_no_in_gitea_sends_the_client_away() {
    let mut desk = Desk::new().await;
    let mut browser = Browser::new();
    desk.client.approve(&mut browser, false).await;
    let Arrived::Stopped(url) = browser.refuse_at_gitea("alice", &password("alice")).await else {
        panic!("Gitea leads nowhere")
    };
    desk.scene.forge.forget();
    let told = browser.get(&url).await;
    desk.told(&told, "access_denied", &[(DENIED, "gitea_denied")], &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn another_error_of_gitea_is_a_page_with_its_name_on_record_alone() {
    let mut desk = Desk::new().await;
    for error in ["server_error", "invalid_scope", "%3Cscript%3E"] {
        let mut browser = Browser::new();
        let url = desk.before_return(&mut browser, false).await;
        let url = format!(
            "{}/oauth/callback?error={error}&error_description=hello-there&state={}",
            desk.server.url,
            state(&url)
        );
        let page = browser.get(&url).await;
        desk.page(&page, 502, &[(DENIED, "gitea_error")], &[]).await;
        assert!(!page.text().contains("hello-there"));
        let again = browser.get(&url).await;
        desk.page(&again, 400, &[(SECURITY, "state_other_browser")], &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn a_grant_that_is_not_what_was_asked_for_signs_nobody_in() {
    for (scope, event, reason) in [
        ("openid profile read:repository", DENIED, "grant_too_narrow"),
        ("openid profile email", SECURITY, "grant_too_wide"),
        (
            "openid profile read:user read:repository read:issue read:organization all",
            SECURITY,
            "grant_too_wide",
        ),
    ] {
        let mut desk = Desk::new().await;
        let before = desk.scene.forge.mint("alice", &desk.scene.client_id, scope);
        desk.secret(&before.access_token);
        let expected =
            Spoiled { status: 403, line: (event, reason), cause: reason, upstream: WHOLE_EXCHANGE };
        desk.spoiled(|_| {}, &expected).await;
        desk.end().await;
    }
}

#[tokio::test]
async fn a_person_who_may_not_sign_in_here_gets_no_code() {
    let mut desk = Desk::with(|setup| setup.set("SIGNIN_ALLOW", "bob,org:nobody")).await;
    let expected = Spoiled {
        status: 403,
        line: (DENIED, "sign_in_not_allowed"),
        cause: "not_allowed",
        upstream: WHOLE_EXCHANGE,
    };
    desk.spoiled(|_| {}, &expected).await;
    desk.tokens("bob", false).await;
    desk.end().await;
}

#[tokio::test]
async fn an_older_grant_without_writes_is_told_before_the_client_gets_its_code() {
    let mut desk = Desk::with(|setup| setup.writes("alice/demo")).await;
    let _ = desk.scene.forge.mint("alice", &desk.scene.client_id, READ_SET);
    let mut browser = Browser::new();
    let url = desk.before_return(&mut browser, true).await;
    let page = browser.get(&url).await;
    super::page_headers(&page.answer);
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("Signed in, for reading only") && page.text().contains("write_not_granted"));
    desk.recorded(&page.answer, &[(SECURITY, "signed_in"), (DENIED, "write_not_granted")], WHOLE_EXCHANGE)
        .await;
    let text = page.text().replace("&amp;", "&");
    let to = text.split("href=\"").find(|part| part.starts_with(&desk.client.redirect)).expect("the way on");
    let code = parameter(to.split('"').next().unwrap_or_default(), "code").expect("a code");
    let tokens = aegis_tests::sign_in::Tokens::of(&desk.client.redeem(&code, &[]).await);
    assert_eq!(tokens.answer["scope"], "read:repository");
}
