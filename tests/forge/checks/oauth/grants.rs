//! One grant a user and application, its scope fixed for life, and the end of it.

use aegis_tests::browser::Browser;
use aegis_tests::forge::world::password;

use super::{App, CALLBACK, Place, READING, bearer, parameter, text};

const WIDER: &str =
    "openid profile read:user read:repository read:issue read:organization write:repository write:issue";

async fn scope_of(place: &Place, app: &App, tokens: &serde_json::Value) -> String {
    text(&place.introspect(app, &text(tokens, "access_token")).await.json(), "scope")
}

#[tokio::test]
async fn a_confidential_application_with_a_grant_gets_a_code_at_once_and_the_old_scope_without_a_word() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        place.sign_in(&app, READING, "bob").await;
        let mut browser = Browser::new();
        browser.get(&format!("{}/user/login", place.url)).await;
        browser.sign_in_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let again = browser.get(&place.authorize(&app, WIDER, &[])).await;
        let to = again.redirect().expect("no consent page");
        let code = parameter(&to, "code").expect("a code");
        let tokens = place.exchange(&app, &code, &[]).await.json();
        assert_eq!(scope_of(&place, &app, &tokens).await, READING);
        let body = serde_json::json!({ "title": "x" });
        let path = format!("/repos/{}/demo/issues", place.login_of("alice"));
        assert_eq!(place.api("POST", &path, &bearer(&tokens), Some(&body)).await.status, 403);
    }
}

#[tokio::test]
async fn a_public_application_asks_every_time_and_may_not_ask_for_another_scope() {
    for place in Place::all().await {
        let app = place.app("http://127.0.0.1/cb", false).await;
        let any_port = [("redirect_uri", "http://127.0.0.1:5555/cb")];
        let url = place.authorize(&app, "openid read:user", &any_port);
        let mut browser = Browser::new();
        let first = place.walk(&mut browser, &url, "bob").await.stopped().expect("a redirect");
        assert!(first.starts_with("http://127.0.0.1:5555/cb?code=gta_"), "{first}");
        let asked = browser.trail().len();
        let again = place.walk(&mut browser, &url, "bob").await.stopped().expect("a redirect");
        assert!(again.contains("code=gta_"));
        assert_eq!(browser.trail().len(), asked + 2, "the consent page, and the consent");
        let other = place.authorize(&app, "openid read:user read:issue", &any_port);
        let refused = place.walk(&mut browser, &other, "bob").await.stopped().expect("a redirect");
        assert_eq!(parameter(&refused, "error").as_deref(), Some("server_error"));
        let why = parameter(&refused, "error_description");
        assert_eq!(why.as_deref(), Some("a grant exists with different scope"));
        let elsewhere =
            place.authorize(&app, "openid read:user", &[("redirect_uri", "http://localhost:5555/cb")]);
        assert_eq!(browser.get(&elsewhere).await.status(), 400, "localhost is no literal address");
    }
}

#[tokio::test]
async fn revoking_a_grant_kills_all_its_tokens_at_once() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "bob").await;
        assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 200);
        let mut browser = Browser::new();
        browser.get(&format!("{}/user/login", place.url)).await;
        browser.sign_in_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let settings = browser.get(&format!("{}/user/settings/applications", place.url)).await;
        let here = format!("/user/settings/applications/oauth2/{}/revoke/", app.id);
        let source = settings.text();
        let grant: String = source
            .split_once(&here)
            .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect())
            .expect("the grant is listed");
        let url = format!("{}{here}{grant}", place.url);
        let revoked = browser.post(&url, &[]).await;
        assert_eq!(
            (revoked.status(), text(&revoked.answer.json(), "redirect").as_str()),
            (200, "/user/settings/applications")
        );
        assert_eq!(browser.post(&url, &[]).await.status(), 200, "once more changes nothing");
        let dead = place.api("GET", "/user", &bearer(&tokens), None).await;
        assert_eq!(
            (dead.status, text(&dead.json(), "message").as_str()),
            (401, "invalid username, password or token")
        );
        assert_eq!(place.userinfo(&bearer(&tokens)).await.status, 401);
        let inactive = place.introspect(&app, &text(&tokens, "access_token")).await;
        assert_eq!((inactive.status, inactive.text().as_str()), (401, "Failed to authenticate user\n"));
        assert_eq!(inactive.header("content-type"), Some("text/plain; charset=utf-8"));
        let refused = super::refusal(&place.refresh(&app, &text(&tokens, "refresh_token")).await);
        assert_eq!(refused, ("invalid_grant".to_owned(), "grant does not exist".to_owned()));
        // Now the scope can be another one.
        let anew = place.sign_in(&app, WIDER, "bob").await;
        assert_eq!(scope_of(&place, &app, &anew).await, WIDER);
        place.nothing_unplanned();
    }
}

#[tokio::test]
async fn a_public_application_that_skips_the_second_consent_asks_once() {
    for place in Place::all().await {
        let body = serde_json::json!({
            "name": "skipping", "redirect_uris": [CALLBACK], "skip_secondary_authorization": true,
        });
        let alice = place.password_of("alice");
        let made = place.api("POST", "/user/applications/oauth2", &alice, Some(&body)).await.json();
        let (client_id, secret) = (text(&made, "client_id"), String::new());
        let app = App { id: 0, client_id, secret, redirect: CALLBACK };
        let url = place.authorize(&app, READING, &[]);
        let mut browser = Browser::new();
        place.walk(&mut browser, &url, "bob").await.stopped().expect("a redirect");
        let again = browser.get(&url).await.redirect().expect("no consent page");
        let code = parameter(&again, "code").expect("a code");
        let tokens = place.exchange(&app, &code, &[]).await;
        assert_eq!(tokens.status, 200, "a public application needs no secret: {}", tokens.text());
    }
}

#[tokio::test]
async fn two_people_and_two_applications_have_four_grants() {
    let place = Place::forge(aegis_tests::forge::Version::V1_27).await;
    let (one, two) = (place.app(CALLBACK, true).await, place.app(CALLBACK, true).await);
    for (app, person) in [(&one, "alice"), (&one, "bob"), (&two, "alice"), (&two, "bob"), (&one, "bob")] {
        place.sign_in(app, READING, person).await;
    }
    let grants = place.forge.as_ref().expect("a forge").grants();
    let mut known: Vec<(String, String)> = grants.into_iter().map(|g| (g.login, g.client_id)).collect();
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 4);
}
