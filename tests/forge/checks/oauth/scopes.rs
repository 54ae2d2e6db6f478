//! What a token may do, by the scope string of its grant: the table to fear.

use super::{CALLBACK, Place, READING, bearer, text};
use serde_json::json;

#[tokio::test]
async fn names_the_missing_scope_of_an_oauth_token() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, "openid profile read:user read:repository", "bob").await;
        let demo = format!("/repos/{}/demo", place.login_of("alice"));
        let get = async |path: &str| place.api("GET", path, &bearer(&tokens), None).await;
        assert_eq!((get("/user").await.status, get(&demo).await.status), (200, 200));
        let issues = get(&format!("{demo}/issues")).await;
        let expected = "token does not have at least one of required scope(s), required=[read:issue], \
            token scope=read:repository,read:user";
        assert_eq!((issues.status, text(&issues.json(), "message").as_str()), (403, expected));
        let body = json!({ "title": "x" });
        let write = place.api("POST", &format!("{demo}/issues"), &bearer(&tokens), Some(&body)).await;
        assert_eq!(write.status, 403);
        assert!(text(&write.json(), "message").contains("required=[write:issue]"));
        let by_token = format!("token {}", text(&tokens, "access_token"));
        assert_eq!(place.api("GET", "/user", &by_token, None).await.status, 200);
        let in_basic = super::basic("anything", &text(&tokens, "access_token"));
        assert_eq!(place.api("GET", "/user", &in_basic, None).await.status, 200);
        place.nothing_unplanned();
    }
}

#[tokio::test]
async fn gives_everything_where_the_string_is_empty_unknown_or_openid_alone() {
    let open = [
        "",
        "openid",
        "openid profile email groups",
        "openid read:repository offline_access",
        "read:repositry",
        "repo",
    ];
    for place in Place::all().await {
        for scope in open {
            let app = place.app(CALLBACK, true).await;
            let tokens = place.sign_in(&app, scope, "bob").await;
            let path = format!("/repos/{}/demo/issues", place.login_of("alice"));
            let body = json!({ "title": format!("written under {scope:?}") });
            let write = place.api("POST", &path, &bearer(&tokens), Some(&body)).await;
            assert_eq!(write.status, 201, "{scope:?}: {}", write.text());
            let seen = place.introspect(&app, &text(&tokens, "access_token")).await.json();
            let expected = if scope.is_empty() { serde_json::Value::Null } else { json!(scope) };
            assert_eq!(seen["scope"], expected, "{scope:?}");
        }
    }
}

#[tokio::test]
async fn gives_what_was_asked_for_and_no_more() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "bob").await;
        let demo = format!("/repos/{}/demo", place.login_of("alice"));
        for path in ["/user", "/user/repos", &demo, &format!("{demo}/issues")] {
            assert_eq!(place.api("GET", path, &bearer(&tokens), None).await.status, 200, "{path}");
        }
        let body = json!({ "name": "x", "redirect_uris": ["http://x.example/"] });
        let app_by_token =
            place.api("POST", "/user/applications/oauth2", &bearer(&tokens), Some(&body)).await;
        assert_eq!(app_by_token.status, 403, "{}", app_by_token.text());
    }
}

#[tokio::test]
async fn a_token_for_public_things_alone_sees_no_private_repository() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, "public-only read:repository", "alice").await;
        let of = |name: &str| format!("/repos/{}/{name}", place.login_of("alice"));
        assert_eq!(place.api("GET", &of("demo"), &bearer(&tokens), None).await.status, 200);
        let hidden = place.api("GET", &of("private"), &bearer(&tokens), None).await;
        assert!(matches!(hidden.status, 403 | 404), "{}", hidden.text());
        let alone = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&alone, "public-only", "alice").await;
        assert_eq!(
            place.api("GET", &of("demo"), &bearer(&tokens), None).await.status,
            403,
            "no category at all"
        );
    }
}
