//! The token endpoint: what tokens hold, and each way to be refused.

use aegis_tests::forge::{Forge, Options, Settings, Version};
use aegis_tests::http::send;
use serde_json::{Value, json};

use super::{App, CALLBACK, Place, READING, basic, parts, refusal, text};

fn is(answer: &aegis_tests::http::Answer, error: &str, why: &str) {
    assert_eq!(refusal(answer), (error.to_owned(), why.to_owned()));
}

#[tokio::test]
async fn an_access_token_says_neither_for_whom_nor_for_what() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, &format!("{READING} email groups"), "alice").await;
        let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let mut names = keys(&tokens);
        names.sort();
        assert_eq!(names, ["access_token", "expires_in", "id_token", "refresh_token", "token_type"]);
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("bearer"), &json!(3600)));
        for (name, kind) in [("access_token", 0), ("refresh_token", 1)] {
            let (header, claims) = parts(&text(&tokens, name));
            let mut names = keys(&claims);
            names.sort();
            assert_eq!(names, ["exp", "gnt", "iat", "tt"]);
            assert_eq!(claims["tt"], kind);
            assert!(header["kid"].is_string() && header["typ"] == "JWT");
        }
        let (header, claims) = parts(&text(&tokens, "id_token"));
        let discovery =
            send(&place.url, "GET", "/.well-known/openid-configuration", &[], b"").await.expect("it");
        let keys = send(&place.url, "GET", "/login/oauth/keys", &[], b"").await.expect("keys").json();
        assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
        assert_eq!((&keys["keys"][0]["kid"], &keys["keys"][0]["alg"]), (&header["kid"], &header["alg"]));
        assert_eq!(discovery.json()["issuer"], claims["iss"]);
        assert_eq!(claims["aud"], json!([app.client_id]));
        assert!(claims["sub"].is_string(), "the user's id as text");
        assert_eq!(
            (&claims["nonce"], &claims["preferred_username"]),
            (&json!("a-nonce"), &json!(place.login_of("alice")))
        );
        assert!(claims["email"].as_str().is_some_and(|mail| mail.contains('@')));
        let org = format!("acme{}", place.suffix);
        assert_eq!(claims["groups"], json!([org, format!("{org}:owners")]));
    }
}

#[tokio::test]
async fn an_id_token_comes_only_with_openid() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        assert_eq!(place.sign_in(&app, "read:user", "bob").await["id_token"], Value::Null);
    }
}

#[tokio::test]
async fn a_code_is_good_once_and_only_as_it_was_asked_for() {
    for place in Place::all().await {
        let (app, other) = (place.app(CALLBACK, true).await, place.app(CALLBACK, true).await);
        let code = place.code(&app, READING, "bob").await;
        let asked = async |changes: &[(&str, &str)]| place.exchange(&app, &code, changes).await;
        is(
            &asked(&[("code_verifier", "another")]).await,
            "unauthorized_client",
            "failed PKCE code challenge",
        );
        is(&asked(&[("code_verifier", "")]).await, "unauthorized_client", "failed PKCE code challenge");
        is(&asked(&[("client_secret", "wrong")]).await, "unauthorized_client", "invalid client secret");
        is(&asked(&[("client_secret", "")]).await, "unauthorized_client", "invalid empty client secret");
        is(&asked(&[("code", "gta_unknown")]).await, "unauthorized_client", "client is not authorized");
        is(
            &asked(&[("redirect_uri", "http://x.example/")]).await,
            "unauthorized_client",
            "unexpected redirect URI",
        );
        let differs = "redirect_uri differs from the original authorization request";
        is(&asked(&[("redirect_uri", "http://127.0.0.1:9/cb/")]).await, "invalid_grant", differs);
        is(&asked(&[("client_id", "q")]).await, "invalid_client", "cannot load client with client id: 'q'");
        let only = "Only refresh_token or authorization_code grant type is supported";
        is(&asked(&[("grant_type", "password")]).await, "unsupported_grant_type", only);
        is(&place.exchange(&other, &code, &[]).await, "invalid_grant", "invalid grant");
        assert_eq!(asked(&[]).await.status, 200);
        is(&asked(&[]).await, "unauthorized_client", "client is not authorized");
    }
}

#[tokio::test]
async fn takes_plain_pkce_and_none_at_all_from_a_confidential_application() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = aegis_tests::browser::Browser::new();
        let plain = [("code_challenge_method", "plain"), ("code_challenge", "the-plain-verifier")];
        let none = [("code_challenge_method", ""), ("code_challenge", "")];
        // The first visit leaves a grant behind, so that the second is asked for its challenge by the request itself.
        for (changes, verifier) in [(none, ""), (plain, "the-plain-verifier")] {
            let url = place.authorize(&app, READING, &changes);
            let to = place.walk(&mut browser, &url, "bob").await.stopped().expect("a redirect");
            let code = super::parameter(&to, "code").expect("a code");
            let answer = place.exchange(&app, &code, &[("code_verifier", verifier)]).await;
            assert_eq!(answer.status, 200, "{changes:?} {}", answer.text());
        }
    }
}

#[tokio::test]
async fn takes_form_and_json_body_and_basic_and_refuses_contradictions() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "bob").await;
        let refresh = text(&tokens, "refresh_token");
        let (good, dead) = (basic(&app.client_id, &app.secret), "Bearer a.b.c");
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        assert_eq!(place.token(&fields, Some(&good)).await.status, 200);
        let live = super::bearer(&tokens);
        is(&place.token(&fields, Some(&live)).await, "invalid_request", "cannot parse basic auth header");
        let refused = place.token(&fields, Some(dead)).await;
        assert_eq!((refused.status, refused.text().as_str()), (401, "Failed to authenticate user\n"));
        let contradiction = [fields[0], fields[1], ("client_id", "other")];
        let why = "client_id in request body inconsistent with Authorization header";
        is(&place.token(&contradiction, Some(&good)).await, "invalid_request", why);
        let body = json!({
            "grant_type": "refresh_token", "refresh_token": refresh, "client_id": app.client_id,
            "client_secret": app.secret,
        });
        let headers = [("content-type", "application/json")];
        let target = "/login/oauth/access_token";
        let answer =
            send(&place.url, "POST", target, &headers, body.to_string().as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

#[tokio::test]
async fn refreshes_again_and_again_by_one_token_unless_told_to_invalidate() {
    for place in Place::all().await {
        let (app, other) = (place.app(CALLBACK, true).await, place.app(CALLBACK, true).await);
        let tokens = place.sign_in(&app, READING, "bob").await;
        let refresh = text(&tokens, "refresh_token");
        let first = place.refresh(&app, &refresh).await;
        assert_eq!((first.status, place.refresh(&app, &refresh).await.status), (200, 200));
        let next = place.refresh(&app, &text(&first.json(), "refresh_token")).await;
        assert_eq!(next.status, 200);
        assert_eq!(
            place.api("GET", "/user", &super::bearer(&tokens), None).await.status,
            200,
            "the first still works"
        );
        is(
            &place.refresh(&other, &refresh).await,
            "invalid_grant",
            "refresh token belongs to a different client",
        );
        is(&place.refresh(&app, "junk").await, "unauthorized_client", "unable to parse refresh token");
        let wrong = App { secret: "wrong".to_owned(), ..app.clone() };
        is(&place.refresh(&wrong, &refresh).await, "invalid_client", "invalid client secret");
    }
}

#[tokio::test]
async fn told_to_invalidate_every_issue_kills_the_refresh_tokens_before_it() {
    let settings = Settings { invalidate_refresh_tokens: true, ..Settings::default() };
    let forge = Forge::start(Options { oauth: settings, ..Options::default() }).await;
    let mut place = Place::forge(Version::V1_27).await;
    (place.url, place.forge) = (forge.url(), Some(forge));
    let app = place.app(CALLBACK, true).await;
    let one = place.sign_in(&app, READING, "bob").await;
    assert_eq!(parts(&text(&one, "refresh_token")).1["cnt"], 1);
    let two = place.refresh(&app, &text(&one, "refresh_token")).await.json();
    is(
        &place.refresh(&app, &text(&one, "refresh_token")).await,
        "unauthorized_client",
        "token was already used",
    );
    // Another device of the same person at the same application.
    place.sign_in(&app, READING, "bob").await;
    is(
        &place.refresh(&app, &text(&two, "refresh_token")).await,
        "unauthorized_client",
        "token was already used",
    );
    is(
        &place.refresh(&app, &text(&two, "access_token")).await,
        "unauthorized_client",
        "token was already used",
    );
    assert_eq!(
        place.api("GET", "/user", &super::bearer(&one), None).await.status,
        200,
        "access is not affected"
    );
    let forge = place.forge.as_ref().expect("a forge");
    assert_eq!(forge.grants()[0].counter, 3);
}
