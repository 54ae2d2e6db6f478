//! Sign-in and consent, page by page.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::forge::world::password;
use aegis_tests::http::send;

use super::{CALLBACK, Place, READING, parameter};

#[tokio::test]
async fn sends_a_stranger_to_sign_in_and_back_to_the_consent_page() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = Browser::new();
        let first = browser.get(&place.authorize(&app, READING, &[])).await;
        let to = first.redirect().expect("a redirect");
        assert_eq!(first.status(), 303);
        assert!(
            to.starts_with(&format!("{}/user/login?redirect_to=%2Flogin%2Foauth%2Fauthorize", place.url)),
            "{to}"
        );
        let login = browser.follow().await.expect("a page");
        assert_eq!(login.status(), 200);
        let form = login.form("/user/login");
        let wrong = browser
            .submit(&form, &[("user_name", &place.login_of("bob")), ("password", "wrong-password")])
            .await;
        assert_eq!(wrong.status(), 200);
        assert!(wrong.text().contains("Username or password is incorrect."));
        let fields = [("user_name", place.login_of("bob")), ("password", password("bob"))];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let right = browser.submit(&wrong.form("/user/login"), &fields).await;
        assert_eq!(right.status(), 303);
        let Arrived::Page(consent) = browser.follow_until(|_| false).await else { panic!("a page") };
        let form = consent.form("/login/oauth/grant");
        assert_eq!(form.value("client_id"), Some(app.client_id.as_str()));
        assert_eq!((form.value("scope"), form.value("state")), (Some(READING), Some("a-state")));
        assert_eq!((form.value("nonce"), form.value("redirect_uri")), (Some("a-nonce"), Some(CALLBACK)));
        let done = browser.submit(&form, &[("granted", "true")]).await;
        let to = done.redirect().expect("a redirect");
        assert!(
            to.starts_with(CALLBACK) && parameter(&to, "code").is_some_and(|code| code.starts_with("gta_")),
            "{to}"
        );
        assert_eq!(parameter(&to, "state").as_deref(), Some("a-state"));
        place.nothing_unplanned();
    }
}

#[tokio::test]
async fn tells_the_application_that_a_person_said_no() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = Browser::new();
        browser.get(&place.authorize(&app, READING, &[])).await;
        let left = browser.refuse_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let to = left.stopped().expect("a redirect");
        assert_eq!(parameter(&to, "error").as_deref(), Some("access_denied"));
        assert_eq!(parameter(&to, "error_description").as_deref(), Some("the request is denied"));
        assert_eq!(parameter(&to, "state").as_deref(), Some("a-state"));
        assert_eq!(parameter(&to, "code"), None);
    }
}

#[tokio::test]
async fn refuses_on_a_page_of_its_own_what_names_no_registered_redirect() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = Browser::new();
        place.walk(&mut browser, &place.authorize(&app, READING, &[]), "bob").await;
        let cases = [
            [("client_id", "unknown")],
            [("client_id", "")],
            [("redirect_uri", "http://evil.example/cb")],
            [("redirect_uri", "http://127.0.0.1:9/cb/more")],
            [("redirect_uri", "http://127.0.0.1:9/cb?more=1")],
            [("redirect_uri", "http://127.0.0.1:10/cb")],
            [("redirect_uri", "")],
        ];
        for change in cases {
            let page = browser.get(&place.authorize(&app, READING, &change)).await;
            assert_eq!((page.status(), page.redirect()), (400, None), "{change:?}");
            assert_eq!(page.answer.header("content-type"), Some("text/html; charset=utf-8"), "{change:?}");
        }
        for same in ["http://127.0.0.1:9/cb/", "HTTP://127.0.0.1:9/CB"] {
            let page = browser.get(&place.authorize(&app, READING, &[("redirect_uri", same)])).await;
            let to = page.answer.header("location").unwrap_or_default().to_owned();
            assert!(page.status() == 303 && to.to_lowercase().starts_with(CALLBACK), "{same}: {to}");
        }
    }
}

#[tokio::test]
async fn tells_the_application_what_is_wrong_with_its_request() {
    for place in Place::all().await {
        let (app, public) = (place.app(CALLBACK, true).await, place.app(CALLBACK, false).await);
        let mut browser = Browser::new();
        place.walk(&mut browser, &place.authorize(&app, READING, &[]), "bob").await;
        let none = [("code_challenge", ""), ("code_challenge_method", "")];
        let cases = [
            (
                &app,
                vec![("response_type", "token")],
                "unsupported_response_type",
                "Only code response type is supported.",
            ),
            (
                &app,
                vec![("code_challenge_method", "S512")],
                "invalid_request",
                "unsupported code challenge method",
            ),
            (&public, none.to_vec(), "invalid_request", "PKCE is required for public clients"),
        ];
        for (app, changes, error, why) in cases {
            let page = browser.get(&place.authorize(app, READING, &changes)).await;
            let to = page.redirect().expect("a redirect");
            assert_eq!((page.status(), parameter(&to, "error").as_deref()), (303, Some(error)), "{to}");
            assert_eq!(parameter(&to, "error_description").as_deref(), Some(why), "{to}");
            assert_eq!(parameter(&to, "state").as_deref(), Some("a-state"));
        }
        let ignored = [("prompt", "login"), ("max_age", "0"), ("resource", "http://x.example/mcp")];
        let page = browser.get(&place.authorize(&app, READING, &ignored)).await;
        assert!(
            page.redirect().is_some_and(|to| to.contains("code=gta_")),
            "unknown parameters change nothing"
        );
    }
}

#[tokio::test]
async fn grants_only_what_the_consent_page_of_this_session_showed() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = Browser::new();
        browser.get(&format!("{}/user/login", place.url)).await;
        browser.sign_in_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let consent = browser.get(&place.authorize(&app, READING, &[])).await.form("/login/oauth/grant");
        for change in [("state", "other"), ("client_id", "other"), ("redirect_uri", "http://evil.example/")] {
            let page = browser.submit(&consent, &[change, ("granted", "true")]).await;
            assert_eq!((page.status(), page.text().as_str()), (400, "Bad Request\n"), "{change:?}");
        }
        // Another authorization takes the place of the first.
        browser.get(&place.authorize(&app, READING, &[("state", "newer")])).await;
        assert_eq!(browser.submit(&consent, &[("granted", "true")]).await.status(), 400);
        let stranger = Browser::new().get(&place.authorize(&app, READING, &[])).await;
        assert!(stranger.redirect().is_some_and(|to| to.contains("/user/login")));
    }
}

#[tokio::test]
async fn refuses_a_consent_that_another_site_sends() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let mut browser = Browser::new();
        browser.get(&format!("{}/user/login", place.url)).await;
        browser.sign_in_at_gitea(&place.login_of("bob"), &password("bob")).await;
        let page = browser.get(&place.authorize(&app, READING, &[])).await;
        let session = browser.cookie(&place.url, "i_like_gitea").expect("a session");
        let consent = page.form("/login/oauth/grant");
        let mut fields: Vec<(&str, &str)> =
            consent.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        fields.push(("granted", "true"));
        let body = super::form(&fields);
        let cookie = format!("i_like_gitea={session}");
        let post = async |extra: &[(&str, &str)]| {
            let mut headers =
                vec![("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
            headers.extend(extra);
            send(&place.url, "POST", "/login/oauth/grant", &headers, body.as_bytes())
                .await
                .expect("an answer")
                .status
        };
        assert_eq!(post(&[("origin", "http://evil.example")]).await, 403);
        assert_eq!(post(&[("origin", "null")]).await, 403);
        assert_eq!(post(&[("origin", &place.url), ("sec-fetch-site", "same-site")]).await, 403);
        assert_eq!(post(&[("sec-fetch-site", "cross-site")]).await, 403);
        assert_eq!(post(&[("origin", "null"), ("sec-fetch-site", "same-origin")]).await, 303);
        assert_eq!(post(&[("origin", &place.url)]).await, 303);
        assert_eq!(post(&[]).await, 303, "a program that sends neither header is no browser");
    }
}

#[tokio::test]
async fn has_no_metadata_of_rfc_8414_and_no_get_where_it_wants_a_post() {
    for place in Place::all().await {
        let ask = async |path: &str| send(&place.url, "GET", path, &[], b"").await.expect("an answer").status;
        assert_eq!(ask("/.well-known/oauth-authorization-server").await, 404);
        assert_eq!(ask("/login/oauth/access_token").await, 405);
        assert_eq!(ask("/login/oauth/introspect").await, 405);
        place.nothing_unplanned();
    }
}
