//! Whose credential is whose: userinfo, introspection, personal tokens, applications, acting as others.

use aegis_tests::forge::world::{RITA_TOKEN, ROOT_TOKEN};
use aegis_tests::forge::{Forge, Options, TEA_CLIENT_ID, Version};
use aegis_tests::http::{Answer, send};
use serde_json::{Value, json};

use super::{App, CALLBACK, Place, READING, basic, bearer, text};

#[tokio::test]
async fn userinfo_answers_to_any_token_of_the_person_and_to_nothing_else() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "alice").await;
        let seen = place.userinfo(&bearer(&tokens)).await;
        let info = seen.json();
        let org = format!("acme{}", place.suffix);
        assert_eq!((seen.status, &info["preferred_username"]), (200, &json!(place.login_of("alice"))));
        assert_eq!(info["groups"], json!([org, format!("{org}:owners")]), "whatever was granted");
        assert!(info["email"].as_str().is_some_and(|mail| mail.contains('@')));
        assert_eq!(info["sub"], super::parts(&text(&tokens, "id_token")).1["sub"]);
        let body = json!({ "name": "pat", "scopes": ["read:repository"] });
        let path = format!("/users/{}/tokens", place.login_of("alice"));
        let pat = place.api("POST", &path, &place.password_of("alice"), Some(&body)).await.json();
        assert_eq!(
            place.userinfo(&format!("Bearer {}", text(&pat, "sha1"))).await.json()["sub"],
            info["sub"]
        );
        let dead = place.userinfo("Bearer a.b.c").await;
        assert_eq!((dead.status, dead.text().as_str()), (401, "Failed to authenticate user\n"));
        for nobody in [place.password_of("alice"), "Negotiate x".to_owned()] {
            let refused = place.userinfo(&nobody).await;
            assert_eq!((refused.status, refused.text().as_str()), (401, "no valid authorization"));
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"Gitea OAuth2\""));
            assert_eq!(refused.header("content-type"), Some("text/plain;charset=utf-8"));
        }
    }
}

async fn introspect_json(place: &Place, app: &App, token: &str) -> Answer {
    let basic = basic(&app.client_id, &app.secret);
    let headers = [("authorization", basic.as_str()), ("content-type", "application/json")];
    let body = json!({ "token": token }).to_string();
    send(&place.url, "POST", "/login/oauth/introspect", &headers, body.as_bytes()).await.expect("an answer")
}

#[tokio::test]
async fn introspection_answers_401_to_dead_tokens_in_a_form_and_takes_refresh_tokens_in_json() {
    for place in Place::all().await {
        let (app, other) = (place.app(CALLBACK, true).await, place.app(CALLBACK, true).await);
        let tokens = place.sign_in(&app, READING, "bob").await;
        let access = text(&tokens, "access_token");
        let seen = place.introspect(&app, &access).await.json();
        assert_eq!((&seen["active"], &seen["scope"]), (&json!(true), &json!(READING)));
        assert_eq!(
            (&seen["username"], &seen["aud"]),
            (&json!(place.login_of("bob")), &json!([app.client_id]))
        );
        assert!(seen["sub"].is_string() && seen["iss"].is_string() && seen["exp"].is_null());
        for dead in [text(&tokens, "refresh_token"), "junk".to_owned(), "a.b.c".to_owned()] {
            let answer = place.introspect(&app, &dead).await;
            assert_eq!((answer.status, answer.text().as_str()), (401, "Failed to authenticate user\n"));
            assert_eq!(answer.header("www-authenticate"), None);
        }
        let wrong = App { secret: "wrong".to_owned(), ..app.clone() };
        let answer = place.introspect(&wrong, &access).await;
        assert_eq!((answer.status, answer.text().as_str()), (401, "no valid authorization"));
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"Gitea OAuth2\""));
        // Only a form's token is tried as a credential first.
        assert_eq!(introspect_json(&place, &app, "junk").await.json(), json!({ "active": false }));
        let refresh = introspect_json(&place, &app, &text(&tokens, "refresh_token")).await;
        assert_eq!(refresh.json()["active"], true, "the kind of the token is nobody's question");
        let foreign = place.introspect(&other, &access).await.json();
        if place.is_1_27() {
            assert_eq!(foreign, json!({ "active": false }));
        } else {
            assert_eq!((&foreign["active"], &foreign["aud"]), (&json!(true), &json!([app.client_id])));
        }
    }
}

#[tokio::test]
async fn applications_are_made_changed_and_deleted_by_their_owner_and_public_unless_said_otherwise() {
    for place in Place::all().await {
        let alice = place.password_of("alice");
        let path = "/user/applications/oauth2";
        let body = json!({ "name": "one", "redirect_uris": [CALLBACK] });
        let made = place.api("POST", path, &alice, Some(&body)).await;
        let app = made.json();
        assert_eq!((made.status, &app["confidential_client"]), (201, &json!(false)));
        assert!(text(&app, "client_secret").starts_with("gto_") && text(&app, "client_id").len() == 36);
        let one = format!("{path}/{}", app["id"]);
        assert_eq!(place.api("GET", &one, &alice, None).await.json()["client_secret"], "");
        assert_eq!(place.api("GET", &one, &place.password_of("bob"), None).await.status, 404);
        let listed = place.api("GET", path, &alice, None).await;
        assert_eq!(listed.json()[0]["id"], app["id"], "the newest first");
        assert_eq!(
            listed.header("x-total-count").map(str::to_owned),
            listed.json().as_array().map(|all| all.len().to_string())
        );
        for (body, why) in [
            (json!({ "redirect_uris": [CALLBACK] }), "[Name]: Required"),
            (json!({ "name": "n" }), "[RedirectURIs]: Required"),
        ] {
            let refused = place.api("POST", path, &alice, Some(&body)).await;
            assert_eq!((refused.status, text(&refused.json(), "message").as_str()), (422, why));
        }
        let changed = place.api("PATCH", &one, &alice, Some(&body)).await;
        assert_eq!(changed.status, 200);
        assert_ne!(
            text(&changed.json(), "client_secret"),
            text(&app, "client_secret"),
            "a change makes a new secret"
        );
        assert_eq!(place.api("DELETE", &one, &alice, None).await.status, 204);
        assert_eq!(place.api("DELETE", &one, &alice, None).await.status, 404);
        place.nothing_unplanned();
    }
}

#[tokio::test]
async fn deleting_an_application_kills_its_tokens() {
    for place in Place::all().await {
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "bob").await;
        let one = format!("/user/applications/oauth2/{}", app.id);
        assert_eq!(place.api("DELETE", &one, &place.password_of("alice"), None).await.status, 204);
        assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 401);
    }
}

#[tokio::test]
async fn personal_tokens_need_a_password_a_name_and_known_scopes() {
    for place in Place::all().await {
        let path = format!("/users/{}/tokens", place.login_of("bob"));
        let bob = place.password_of("bob");
        let make = async |by: &str, name: &str, scopes: Value| {
            place.api("POST", &path, by, Some(&json!({ "name": name, "scopes": scopes }))).await
        };
        let made = make(&bob, "first", json!(["read:user", "write:repository", "read:repository"])).await;
        let token = made.json();
        assert_eq!(
            (made.status, &token["scopes"]),
            (201, &json!(["write:repository", "read:user"])),
            "in Gitea's order"
        );
        let secret = text(&token, "sha1");
        assert!(secret.len() == 40 && secret.ends_with(&text(&token, "token_last_eight")));
        let says = async |by: &str, name: &str, scopes: Value| {
            let answer = make(by, name, scopes).await;
            (answer.status, text(&answer.json(), "message"))
        };
        assert_eq!(
            says(&bob, "first", json!(["all"])).await,
            (400, "access token name has been used already".to_owned())
        );
        assert_eq!(says(&bob, "second", json!([])).await, (400, "access token must have a scope".to_owned()));
        let unknown = "invalid access token scope provided: invalid access token scope: read:usr";
        assert_eq!(says(&bob, "second", json!(["read:usr"])).await, (400, unknown.to_owned()));
        let by_token = format!("token {secret}");
        let mighty = text(&make(&bob, "mighty", json!(["all"])).await.json(), "sha1");
        let refused = says(&format!("token {mighty}"), "second", json!(["all"])).await;
        assert_eq!(refused, (401, "auth required".to_owned()), "a token makes no tokens");
        let foreign = "doer should be the site admin or be same as the contextUser";
        assert_eq!(
            says(&place.password_of("alice"), "second", json!(["all"])).await,
            (403, foreign.to_owned())
        );
        let user = place.api("GET", "/user", &by_token, None).await;
        assert_eq!((user.status, text(&user.json(), "login")), (200, place.login_of("bob")));
        let own = place.api("GET", "/token", &bearer(&json!({ "access_token": secret })), None).await;
        assert_eq!(own.status, if place.is_1_27() { 200 } else { 404 });
    }
}

#[tokio::test]
async fn only_a_site_admin_acts_as_somebody_else() {
    for place in Place::all().await {
        let (login, secret) = &place.admin;
        let path = format!("/users/{login}/tokens");
        let body = json!({ "name": format!("sudo{}", place.suffix), "scopes": ["read:user", "write:issue"] });
        let pat = place.api("POST", &path, &basic(login, secret), Some(&body)).await.json();
        let admin = format!("token {}", text(&pat, "sha1"));
        let ask = async |method: &str, path: &str, by: &str, who: &str, body: &str| {
            let headers = [("authorization", by), ("sudo", who), ("content-type", "application/json")];
            send(&place.url, method, &format!("/api/v1{path}"), &headers, body.as_bytes())
                .await
                .expect("an answer")
        };
        let bob = place.login_of("bob");
        assert_eq!(ask("GET", "/user", &admin, &bob, "").await.json()["login"], bob);
        assert_eq!(ask("GET", "/user", &admin, "nobody-of-that-name", "").await.status, 404);
        let issues = format!("/repos/{}/demo/issues", place.login_of("alice"));
        let made = ask("POST", &issues, &admin, &bob, "{\"title\":\"by bob\"}").await;
        assert_eq!((made.status, &made.json()["user"]["login"]), (201, &json!(bob)), "the content is theirs");
        let hidden =
            ask("GET", &format!("/repos/{}/private/issues", place.login_of("alice")), &admin, &bob, "").await;
        assert_eq!(hidden.status, 404, "with their rights, not the admin's");
        let code = ask("GET", &format!("/repos/{}/demo", place.login_of("alice")), &admin, &bob, "").await;
        assert_eq!(code.status, 403, "the token's scopes still bind");
        let refused = ask("GET", "/user", &place.password_of("alice"), &bob, "").await;
        assert_eq!(
            (refused.status, refused.json()),
            (403, json!({ "message": "Only administrators allowed to sudo." }))
        );
    }
}

#[tokio::test]
async fn a_sudo_header_is_a_violation_unless_the_operator_opted_in_and_the_token_is_an_admins() {
    for (sudo, token, expected) in [(false, ROOT_TOKEN, 1), (true, ROOT_TOKEN, 0), (true, RITA_TOKEN, 1)] {
        let forge = Forge::start(Options { sudo, ..Options::default() }).await;
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("sudo", "bob")];
        send(&forge.url(), "GET", "/api/v1/user", &headers, b"").await.expect("an answer");
        assert_eq!(forge.violations().len(), expected, "{sudo} {:?}", forge.violations());
    }
}

#[tokio::test]
async fn the_site_admin_sees_everything_and_a_restricted_user_only_what_is_shared() {
    let forge = super::super::forge().await;
    let status = async |token: &str, path: &str| super::super::get(&forge, token, path).await.status;
    assert_eq!(status(ROOT_TOKEN, "/repos/mallory/secret").await, 200);
    assert_eq!(status(RITA_TOKEN, "/repos/alice/demo").await, 404, "public is not enough");
    forge.change(|world| {
        let rita = world.account("rita").expect("rita").id;
        let alice = world.account("alice").expect("alice").id;
        let at = world.repo(alice, "demo").expect("demo");
        world.repos[at].collaborators.push((rita, aegis_tests::forge::world::Mode::Read));
    });
    assert_eq!(status(RITA_TOKEN, "/repos/alice/demo").await, 200);
    let probe = "/repos/alice/archived/collaborators/rita/permission";
    let probed = super::super::get(&forge, ROOT_TOKEN, probe).await.json();
    assert_eq!((&probed["permission"], &probed["user"]["restricted"]), (&json!("none"), &json!(true)));
    let myself = super::super::get(&forge, ROOT_TOKEN, "/user").await.json();
    assert_eq!(myself["is_admin"], true);
}

#[tokio::test]
async fn a_token_minted_for_another_application_works_in_the_api_like_ours() {
    let place = Place::forge(Version::V1_26).await;
    let app = place.app(CALLBACK, true).await;
    let forge = place.forge.as_ref().expect("a forge");
    let foreign = forge.mint("bob", TEA_CLIENT_ID, READING);
    let by = format!("Bearer {}", foreign.access_token);
    assert_eq!(place.api("GET", "/user", &by, None).await.json()["login"], "bob");
    let seen = place.introspect(&app, &foreign.access_token).await.json();
    assert_eq!(seen["aud"], json!([TEA_CLIENT_ID]), "1.26 tells anybody, so the audience must be looked at");
}
