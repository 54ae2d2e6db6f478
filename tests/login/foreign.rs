//! Gitea's own tokens as bearer (`ACCEPT_GITEA_TOKENS`): off unless the operator wants them, and then only those made
//! for an accepted application, alive, for access, and good for something.

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::forge::{Credential, Fault, FaultKind, Options, TEA_CLIENT_ID, Version};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::call;
use serde_json::{Value, json};

use crate::admin::{aegis, answered, recorded};
use crate::grants::{READ, WRITE};
use crate::scene::Scene;
use crate::stepup::summaries;

const INTROSPECT: &str = "POST /login/oauth/introspect";
const LIST: &str = "GET /api/v1/user/repos";

async fn list(server: &Server, token: &str) -> Answer {
    call(&server.url, token, "list_repositories", &json!({})).await
}

async fn servers(server: &Server) -> Value {
    let path = "/.well-known/oauth-protected-resource/mcp";
    send(&server.url, "GET", path, &[], b"").await.unwrap().json()["authorization_servers"].clone()
}

async fn accepting(scene: &Scene) -> Server {
    scene.setup().set("ACCEPT_GITEA_TOKENS", "true").set("MAX_AUTH_FAILURES", "1000").start().await
}

/// Turned away as somebody who proves nothing, with nothing done at Gitea's API.
async fn refused(scene: &Scene, server: &Server, token: &str, what: &str, asked: &[&str]) {
    scene.forge.forget();
    let answer = list(server, token).await;
    assert_eq!(answer.status, 401, "{what}: {}", answer.text());
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.contains("resource_metadata=") && challenge.contains("invalid_token"),
        "{what}: {challenge}"
    );
    assert!(!answer.text().contains(token), "{what}");
    assert_eq!(scene.forge.upstream(), asked, "{what}");
}

#[tokio::test]
async fn by_default_a_token_of_gitea_is_worth_nothing_here_and_gitea_is_not_asked() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MAX_AUTH_FAILURES", "1000").start().await;
    assert_eq!(servers(&server).await, json!([server.url]));
    let good = scene.forge.mint("alice", &scene.client_id, READ);
    for (what, token) in [("access", &good.access_token), ("refresh", &good.refresh_token)] {
        refused(&scene, &server, token, what, &[]).await;
    }
    refused(&scene, &server, ALICE_TOKEN, "a personal token", &[]).await;
    let invalid =
        |lines: &[Value]| lines.iter().filter(|line| line["reason"] == "invalid_credential").count();
    let lines = server.audit_when(|lines| invalid(lines) == 3).await;
    assert!(of_event(&lines, "tool_invocation").is_empty());
    let all = format!("{lines:?}{}", server.log());
    assert!(!all.contains(&good.access_token) && !all.contains(ALICE_TOKEN));
}

#[tokio::test]
async fn a_good_token_of_our_application_acts_as_its_user_and_gitea_is_listed() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    assert_eq!(servers(&server).await, json!([server.url, scene.forge.url()]));
    let good = scene.forge.mint("bob", &scene.client_id, READ);
    scene.forge.forget();
    assert_eq!(list(&server, &good.access_token).await.status, 200);
    // Discovery and keys are known since the start.
    assert_eq!(scene.forge.upstream(), [INTROSPECT, LIST]);
    let call_seen = scene.forge.requests().pop().unwrap();
    assert_eq!((call_seen.user.as_deref(), call_seen.credential), (Some("bob"), Credential::OAuth));
    // A good answer is kept for a minute.
    scene.forge.forget();
    assert_eq!(list(&server, &good.access_token).await.status, 200);
    assert_eq!(scene.forge.upstream(), [LIST]);
    let line = summaries(&server, 2).await.pop().unwrap();
    assert_eq!(
        (&line["token_type"], &line["api_probe"], &line["login"]),
        (&json!("jwt"), &json!("pass"), &json!("bob"))
    );
    assert_eq!(
        (&line["scopes_observed"], &line["scopes_effective"]),
        (&json!(READ), &json!("read:repository"))
    );
    // It is no way around the scope of writes.
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "No"});
    assert_eq!(call(&server.url, &good.access_token, "create_issue", &arguments).await.status, 403);
    // Revoked or disabled, it ends at the next call, whatever is kept here.
    scene.forge.disable("bob", true);
    assert_eq!(list(&server, &good.access_token).await.status, 401);
    scene.forge.disable("bob", false);
    assert!(scene.forge.revoke("bob", &scene.client_id));
    let answer = list(&server, &good.access_token).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("signed_out_in_gitea")));
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
    assert!(!server.log().contains(&good.access_token));
}

#[tokio::test]
async fn a_token_with_write_scopes_writes_where_writes_are_on() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").set("ACCEPT_GITEA_TOKENS", "true").start().await;
    let good = scene.forge.mint("alice", &scene.client_id, WRITE);
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "By a token of Gitea"});
    let answer = call(&server.url, &good.access_token, "create_issue", &arguments).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let post = scene.forge.requests().into_iter().find(|seen| seen.path.ends_with("/issues")).unwrap();
    assert_eq!((post.method.as_str(), post.user.as_deref()), ("POST", Some("alice")));
}

#[tokio::test]
async fn whatever_is_not_a_live_access_token_of_ours_is_refused() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    let other = scene.forge.register("mallory", "a trap", &["https://trap.example/cb"], true);
    let good = scene.forge.mint("alice", &scene.client_id, READ);
    assert_eq!(list(&server, &good.access_token).await.status, 200);

    let for_other = scene.forge.mint("alice", &other.client_id, READ).access_token;
    refused(&scene, &server, &for_other, "of another application", &[INTROSPECT]).await;
    let for_tea = scene.forge.mint("alice", TEA_CLIENT_ID, READ).access_token;
    refused(&scene, &server, &for_tea, "of tea", &[INTROSPECT]).await;
    // Their own text gives these away: nothing is asked.
    refused(&scene, &server, &good.refresh_token, "a refresh token", &[]).await;
    refused(&scene, &server, good.id_token.as_deref().unwrap(), "an ID token", &[]).await;
    let (signed, _) = good.access_token.rsplit_once('.').unwrap();
    refused(&scene, &server, &format!("{signed}.AAAA"), "a forged signature", &[]).await;
    refused(&scene, &server, &format!("{signed}."), "no signature", &[]).await;
    // Opaque ones, personal tokens among them, have to be introspected.
    refused(&scene, &server, ALICE_TOKEN, "a personal token", &[INTROSPECT]).await;
    refused(&scene, &server, "gto_nobody", "an unknown word", &[INTROSPECT]).await;

    let dead = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    assert!(scene.forge.revoke("bob", &scene.client_id));
    refused(&scene, &server, &dead, "of a revoked grant", &[INTROSPECT]).await;
    let disabled = scene.forge.mint("carol", &scene.client_id, READ).access_token;
    scene.forge.disable("carol", true);
    refused(&scene, &server, &disabled, "of a disabled user", &[INTROSPECT]).await;
    scene.forge.configure(|oauth| oauth.access_token_seconds = -10);
    let expired = scene.forge.mint("alice", &scene.client_id, READ).access_token;
    refused(&scene, &server, &expired, "an expired one", &[]).await;
    assert_eq!(list(&server, &good.access_token).await.status, 200, "the good one is as good as before");
}

#[tokio::test]
async fn gitea_1_26_tells_of_every_token_and_only_accepted_applications_count() {
    let scene = Scene::with(Options { version: Version::V1_26, ..Options::default() }).await;
    let other = scene.forge.register("root", "a program of ours", &["https://other.example/cb"], true);
    let trap = scene.forge.register("mallory", "a trap", &["https://trap.example/cb"], true);
    let token = scene.forge.mint("alice", &other.client_id, READ).access_token;
    let trapped = scene.forge.mint("alice", &trap.client_id, READ).access_token;
    let server = accepting(&scene).await;
    let ours = scene.forge.mint("alice", &scene.client_id, READ).access_token;
    assert_eq!(list(&server, &ours).await.status, 200);
    refused(&scene, &server, &token, "of another application", &[INTROSPECT]).await;
    let log = server.stop().await.log;
    assert!(log.contains("gitea_token_other_application"), "{log}");

    let server = scene
        .setup()
        .set("ACCEPT_GITEA_TOKENS", "true")
        .set("OAUTH_EXPECTED_AUDIENCE", &other.client_id)
        .start()
        .await;
    for token in [&ours, &token] {
        assert_eq!(list(&server, token).await.status, 200);
    }
    refused(&scene, &server, &trapped, "of a third application", &[INTROSPECT]).await;
}

#[tokio::test]
async fn a_token_without_api_scope_is_told_to_be_authorized_again() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    for scope in ["openid profile email", "openid read:user", "openid read:repositry", ""] {
        let token = scene.forge.mint("alice", &scene.client_id, scope).access_token;
        scene.forge.forget();
        let answer = list(&server, &token).await;
        assert_eq!(answer.status, 403, "{scope:?}: {}", answer.text());
        assert_eq!(
            answer.reason().as_deref(),
            Some("oauth_token_lacks_api_scope"),
            "{scope:?}: {}",
            answer.text()
        );
        assert!(scene.forge.upstream().iter().all(|asked| !asked.contains("/api/")), "{scope:?}");
        assert!(scene.forge.revoke("alice", &scene.client_id));
    }
    let line = summaries(&server, 4).await.pop().unwrap();
    assert_eq!((&line["api_probe"], &line["scopes_effective"]), (&json!("fail:403"), &json!("")));
    let log = server.log();
    assert!(log.contains("oauth_token_lacks_api_scope") && log.contains("\"status\":403"), "{log}");
}

#[tokio::test]
async fn what_cannot_be_checked_does_not_get_in() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    let ours = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    assert_eq!(list(&server, &ours).await.status, 200, "discovery and keys are known");
    let token = scene.forge.mint("alice", &scene.client_id, READ).access_token;
    for kind in [
        FaultKind::Status(500),
        FaultKind::Status(503),
        FaultKind::Close,
        FaultKind::Html,
        FaultKind::BadJson,
        FaultKind::Redirect("http://127.0.0.1:1/".to_owned()),
        FaultKind::Patch(json!({"aud": null})),
        FaultKind::Patch(json!({"active": "yes"})),
        FaultKind::Patch(json!({"sub": "1 or 2"})),
    ] {
        scene.forge.every_fault(Fault::on("/login/oauth/introspect", kind.clone()));
        scene.forge.forget();
        let answer = list(&server, &token).await;
        assert!(matches!(answer.status, 401 | 503), "{kind:?}: {} {}", answer.status, answer.text());
        assert_eq!(scene.forge.upstream(), [INTROSPECT], "{kind:?}: no call is made");
        scene.forge.mend();
    }
    scene
        .forge
        .every_fault(Fault::on("/login/oauth/introspect", FaultKind::Patch(json!({"aud": ["another"]}))));
    refused(&scene, &server, &token, "made for somebody else", &[INTROSPECT]).await;
    scene.forge.mend();
    assert_eq!(list(&server, &token).await.status, 200, "nothing of that was kept");
}

#[tokio::test]
async fn who_may_enter_is_asked_of_tokens_too() {
    let scene = Scene::new().await;
    let server = scene
        .setup()
        .set("ACCEPT_GITEA_TOKENS", "true")
        .set("SIGNIN_ALLOW", "carol,team:acme/dev")
        .set("MAX_AUTH_FAILURES", "1000")
        .start()
        .await;
    for (login, status) in [("carol", 200), ("bob", 200), ("alice", 401)] {
        let token = scene.forge.mint(login, &scene.client_id, READ).access_token;
        let answer = list(&server, &token).await;
        assert_eq!(answer.status, status, "{login}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_person_who_is_revoked_loses_tokens_of_gitea_from_before_and_opaque_ones_until_allowed() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    let before = scene.forge.mint("alice", &scene.client_id, READ).access_token;
    let others = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    assert_eq!(list(&server, &before).await.status, 200);
    assert_eq!(list(&server, &others).await.status, 200);
    let alice = summary_subject(&server, "alice").await;

    let answer = answered(&scene, &["users", "revoke", "alice"]).await;
    assert_eq!(answer["users"], json!([alice]), "whoever presents a token is known by name");
    // The good answer that is kept for a minute counts no more, and Gitea's word neither.
    refused(&scene, &server, &before, "issued before, kept", &[]).await;
    let log = server.log();
    assert!(log.contains("user_revoked") && !log.contains(&before), "{log}");
    assert_eq!(list(&server, &others).await.status, 200, "others are as they were");
    // Signed in anew at Gitea: issued after the revocation.
    scene.forge.pass(2);
    let after = scene.forge.mint("alice", &scene.client_id, READ).access_token;
    assert_eq!(list(&server, &after).await.status, 200);
    let opaque = |subject: &str, login: &str| {
        let aud = [&scene.client_id];
        let active = json!({"active": true, "aud": aud, "sub": subject, "username": login, "scope": READ});
        scene.forge.every_fault(Fault::on("/login/oauth/introspect", FaultKind::Instead(200, active)));
        let info = json!({"sub": subject, "preferred_username": login});
        scene.forge.every_fault(Fault::on("/login/oauth/userinfo", FaultKind::Instead(200, info)));
    };
    opaque(&alice.to_string(), "alice");
    assert_eq!(list(&server, ALICE_TOKEN).await.status, 401, "it does not say when it was issued");

    let shown = answered(&scene, &["users", "show", "alice"]).await;
    assert!(shown["users"][0]["revoked_at"].is_string(), "{shown}");
    assert_eq!(answered(&scene, &["users", "allow", "ALICE"]).await["users"], json!([alice]));
    recorded(&server, "operator_allowed_user", "asked").await;
    recorded(&server, "operator_allowed_user", "done").await;
    assert_eq!(list(&server, ALICE_TOKEN).await.status, 200);
    scene.forge.mend();
    assert_eq!(list(&server, &before).await.status, 200);
    let (code, out, _) = aegis(&scene, &["users", "allow", "alice"]).await;
    assert!(code == 0 && out.contains("nothing was changed"), "{code}: {out}");

    // It is a fact of the registry, not of the process.
    answered(&scene, &["users", "revoke", "alice"]).await;
    server.stop().await;
    let server = accepting(&scene).await;
    refused(&scene, &server, &before, "after a restart", &[INTROSPECT]).await;
    server.stop().await;
}

#[tokio::test]
async fn somebody_who_was_never_here_is_revoked_by_their_number_at_gitea() {
    let scene = Scene::new().await;
    let server = accepting(&scene).await;
    let token = scene.forge.mint("carol", &scene.client_id, READ).access_token;
    let others = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    let (code, _, err) = aegis(&scene, &["users", "revoke", "carol"]).await;
    assert!(code == 1 && err.contains("users revoke id:N") && err.contains("/api/v1/users/LOGIN"), "{err}");
    // Asked at Gitea itself, so that this server has still never heard of carol.
    let credential = format!("Bearer {token}");
    let headers = [("authorization", credential.as_str())];
    let carol = send(&scene.forge.url(), "GET", "/login/oauth/userinfo", &headers, b"").await.unwrap().json();
    let id: i64 = carol["sub"].as_str().and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{carol}"));

    let answer = answered(&scene, &["users", "revoke", &format!("id:{id}")]).await;
    let said = (&answer["users"], &answer["known"], &answer["durable"]);
    assert_eq!(said, (&json!([id]), &json!(false), &json!(true)), "{answer}");
    let line = recorded(&server, "operator_revoked_user", "done").await;
    assert_eq!(line["detail"]["known"], false, "{line}");
    refused(&scene, &server, &token, "revoked before they ever came", &[INTROSPECT]).await;
    assert_eq!(list(&server, &others).await.status, 200, "others are as they were");
    let listed = answered(&scene, &["users", "list"]).await;
    let rows: Vec<&Value> =
        listed["users"].as_array().unwrap().iter().filter(|row| row["id"] == id).collect();
    assert!(rows.len() == 1 && rows[0]["revoked_at"].is_string(), "{listed}");

    assert_eq!(answered(&scene, &["users", "allow", &format!("id:{id}")]).await["users"], json!([id]));
    assert_eq!(list(&server, &token).await.status, 200);
    server.stop().await;
}

/// The id at Gitea of somebody whom the server knows.
async fn summary_subject(server: &Server, login: &str) -> i64 {
    let lines = server.audit_when(|lines| lines.iter().any(|line| line["login"] == login)).await;
    let line = lines.iter().find(|line| line["login"] == login).unwrap();
    let principal = line["principal"].as_str().unwrap_or_default();
    principal.strip_prefix("gitea-").and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("{line}"))
}
