//! Operators' commands against a running server, and against what it left behind.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use aegis_tests::browser::Browser;
use aegis_tests::http::send;
use aegis_tests::server::{STATE_SECRET, Server, of_event, program};
use aegis_tests::sign_in::{Client, REDIRECT, Tokens, VERIFIER, call, form, parameter};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

/// The program as an operator runs it for a server of this scene.
pub async fn aegis(scene: &Scene, arguments: &[&str]) -> (i32, String, String) {
    let storage = storage(scene).display().to_string();
    let trail = trail(scene).display().to_string();
    let keyring = keyring(scene).display().to_string();
    let variables = [
        ("DCR_STORAGE_PATH", storage.as_str()),
        ("AUDIT_LOG_PATH", trail.as_str()),
        ("OAUTH_KEYRING_FILE", keyring.as_str()),
        ("OAUTH_STATE_SECRET", STATE_SECRET),
    ];
    let (code, out, err) = program(arguments, &variables).await;
    assert!(!out.contains(STATE_SECRET) && !err.contains(STATE_SECRET));
    (code, out, err)
}

/// As above, for a command that must succeed, as JSON.
pub async fn answered(scene: &Scene, arguments: &[&str]) -> Value {
    let (code, out, err) = aegis(scene, &[arguments, &["--json"]].concat()).await;
    assert_eq!(code, 0, "{arguments:?}: {err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

fn storage(scene: &Scene) -> PathBuf {
    scene.folder().join("registry").join("dcr_clients.json")
}

fn trail(scene: &Scene) -> PathBuf {
    scene.folder().join("trail").join("audit.log")
}

pub fn socket(scene: &Scene) -> PathBuf {
    scene.folder().join("registry").join("admin.sock")
}

fn keyring(scene: &Scene) -> PathBuf {
    scene.folder().join("keyring")
}

pub async fn works(server: &Server, access: &str) -> u16 {
    call(&server.url, access, "get_repository_info", &json!({"owner": "alice", "repo": "demo"})).await.status
}

/// The line about an operator's command, once it is on disk.
pub async fn recorded(server: &Server, reason: &str, stage: &str) -> Value {
    let is_it = |line: &Value| line["reason"] == reason && line["detail"]["stage"] == stage;
    let lines = server.audit_when(|lines| lines.iter().any(is_it)).await;
    let line = of_event(&lines, "security_event").into_iter().find(|line| is_it(line)).cloned().unwrap();
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(line["detail"]["peer_uid"], own);
    line
}

/// Which root key made an access token.
fn kid(access: &str) -> String {
    let sealed = access.strip_prefix("aegis_at_").unwrap();
    let first = BASE64_URL_SAFE_NO_PAD.decode(&sealed[..8]).unwrap();
    first[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_revoked_person_is_out_at_the_next_call_and_others_are_not() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let alice = client.tokens("alice", &password("alice"), false).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    assert_eq!(works(&server, &alice.access).await, 200);
    let before = scene.forge.upstream().len();

    let users = answered(&scene, &["users", "list"]).await;
    let logins: Vec<&str> =
        users["users"].as_array().unwrap().iter().filter_map(|u| u["login"].as_str()).collect();
    assert_eq!(
        (logins.len(), logins.contains(&"alice"), logins.contains(&"bob")),
        (2, true, true),
        "{users}"
    );
    let answer = answered(&scene, &["users", "revoke", "ALICE"]).await;
    assert_eq!(answer["ended"], json!({"sessions": 1, "approvals": 1, "grants": 1, "codes": 0}));
    assert_eq!(answer["durable"], true);

    assert_eq!(works(&server, &alice.access).await, 401);
    let refreshed = client.refresh(&alice.refresh, &[]).await;
    assert_eq!((refreshed.status, refreshed.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(scene.forge.upstream().len(), before, "revoking asked Gitea for something");
    assert_eq!(works(&server, &bob.access).await, 200);

    let line = recorded(&server, "operator_revoked_user", "done").await;
    assert_eq!((&line["detail"]["login"], &line["detail"]["sessions"]), (&json!("ALICE"), &json!(1)));
    let shown = answered(&scene, &["users", "show", "alice"]).await;
    assert_eq!((&shown["users"][0]["sessions"], &shown["users"][0]["approved"]), (&json!(0), &json!([])));
    let (code, _, err) = aegis(&scene, &["users", "revoke", "nobody"]).await;
    assert!(code == 1 && err.contains("users list"), "{code}: {err}");

    // Revoked is not shut out: the same person may sign in anew.
    let again = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(&server, &again.access).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_revoked_client_is_refused_everywhere_until_it_is_allowed() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let (_, table, _) = aegis(&scene, &["clients", "list"]).await;
    assert!(table.contains("A test") && table.trim_end().ends_with(&client.id), "{table}");

    let answer = answered(&scene, &["clients", "revoke", &client.id]).await;
    assert_eq!((&answer["known"], &answer["ended"]["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(works(&server, &tokens.access).await, 401);
    let refreshed = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((refreshed.status, refreshed.json()["error"].as_str()), (401, Some("invalid_client")));
    let page = Browser::new().get(&client.authorize_url(&[])).await;
    assert_eq!(page.status(), 400, "{}", page.text());
    recorded(&server, "operator_revoked_client", "done").await;
    let listed = answered(&scene, &["clients", "list"]).await;
    assert!(listed["clients"][0]["revoked_at"].is_string(), "{listed}");

    let answer = answered(&scene, &["clients", "allow", &client.id]).await;
    assert_eq!(answer["was_revoked"], true);
    recorded(&server, "operator_allowed_client", "asked").await;
    recorded(&server, "operator_allowed_client", "done").await;
    assert_eq!(works(&server, &tokens.access).await, 401, "what it had stays ended");
    let again = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(&server, &again.access).await, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_backup_taken_while_serving_brings_a_fresh_server_the_same_people() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let copy = scene.folder().join("copy.redb");
    let file = copy.display().to_string();
    answered(&scene, &["registry", "backup", &file]).await;
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    recorded(&server, "operator_backed_up_registry", "done").await;
    let trail = server.audit_path().display().to_string();
    let (code, _, err) = aegis(&scene, &["registry", "backup", &trail]).await;
    assert!(code == 1 && err.contains("is not a backup"), "{code}: {err}");
    assert_eq!(server.stop().await.code, 0);

    std::fs::remove_dir_all(scene.folder().join("registry")).unwrap();
    let server = scene.start().await;
    assert_eq!(works(&server, &tokens.access).await, 401);
    let (code, _, err) = aegis(&scene, &["registry", "restore", &file]).await;
    assert!(code == 1 && err.contains("--yes"), "{code}: {err}");
    assert_eq!(works(&server, &tokens.access).await, 401);
    let answer = answered(&scene, &["registry", "restore", &file, "--yes"]).await;
    assert_eq!((&answer["unreadable"], &answer["durable"]), (&json!(0), &json!(true)));
    assert_eq!(works(&server, &tokens.access).await, 200);
    recorded(&server, "operator_restored_registry", "asked").await;
    recorded(&server, "operator_restored_registry", "done").await;
    let _ = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    server.stop().await;
}

#[tokio::test]
async fn rotating_keys_signs_nobody_out_and_new_tokens_bear_the_new_key() {
    let scene = Scene::new().await;
    let file = keyring(&scene).display().to_string();
    let server = scene.setup().set("OAUTH_KEYRING_FILE", &file).start().await;
    let client = Client::register(&server.url).await;
    let old = client.tokens("alice", &password("alice"), false).await;
    let before = answered(&scene, &["keys", "list"]).await;
    assert_eq!(before["kids"], json!([kid(&old.access)]));

    let rotated = answered(&scene, &["keys", "rotate"]).await;
    let newest = rotated["kids"][0].as_str().unwrap().to_owned();
    assert_eq!((&rotated["kids"][1], rotated["kids"].as_array().unwrap().len()), (&before["kids"][0], 2));
    assert_eq!(std::fs::metadata(keyring(&scene)).unwrap().permissions().mode() & 0o777, 0o600);
    let line = recorded(&server, "operator_reloaded_keys", "done").await;
    assert_eq!(line["detail"]["kids"], rotated["kids"]);

    assert_eq!(works(&server, &old.access).await, 200);
    let next = Tokens::of(&client.refresh(&old.refresh, &[]).await);
    assert_eq!(kid(&next.access), newest);
    assert_eq!(works(&server, &next.access).await, 200);
    // Its id and its remembered approval are of the old key, and good.
    let other = client.tokens("bob", &password("bob"), false).await;
    assert_eq!(kid(&other.access), newest);
    assert_eq!(server.stop().await.code, 0);

    let server = scene.setup().set("OAUTH_KEYRING_FILE", &file).start().await;
    for access in [&old.access, &next.access, &other.access] {
        assert_eq!(works(&server, access).await, 200);
    }
    let secrets = std::fs::read_to_string(keyring(&scene)).unwrap();
    let stopped = server.stop().await;
    for root in secrets.lines().filter(|line| !line.starts_with('#')) {
        assert!(
            !stopped.log.contains(root) && !stopped.audit.iter().any(|line| line.to_string().contains(root))
        );
    }
}

#[tokio::test]
async fn a_server_that_reads_another_keyring_is_not_taken_to_use_the_new_key() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (code, _, err) = aegis(&scene, &["keys", "rotate"]).await;
    assert!(code == 1 && err.contains("another keyring file"), "{code}: {err}");
    server.stop().await;
    // Without a server the file is all there is to it; and it holds no more than it may.
    let mut codes = Vec::new();
    for _ in 0..7 {
        codes.push(aegis(&scene, &["keys", "rotate"]).await.0);
    }
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(answered(&scene, &["keys", "list"]).await["kids"].as_array().unwrap().len(), 8);
    let (code, _, err) = program(&["keys", "rotate"], &[("OAUTH_STATE_SECRET", STATE_SECRET)]).await;
    assert!(code == 64 && err.contains("OAUTH_KEYRING_FILE"), "{code}: {err}");
}

#[tokio::test]
async fn with_the_server_stopped_a_command_works_on_the_file_and_says_so() {
    let scene = Scene::new().await;
    let (code, _, err) = aegis(&scene, &["users", "list"]).await;
    assert!(code == 1 && err.contains("no registry"), "{code}: {err}");
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let alice = client.tokens("alice", &password("alice"), false).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    assert!(std::fs::metadata(socket(&scene)).unwrap().file_type().is_socket());
    assert_eq!(server.stop().await.code, 0);
    assert!(!socket(&scene).exists(), "a server that stops takes its socket along");

    let (code, out, err) = aegis(&scene, &["users", "revoke", "alice"]).await;
    assert!(code == 0 && out.contains("1 sessions"), "{code}: {out}{err}");
    assert!(err.contains("No server answers at") && err.contains("audit log"), "{err}");
    let (_, out, _) = aegis(&scene, &["registry", "info"]).await;
    assert!(out.contains("none runs") && out.contains("durable"), "{out}");
    let server = scene.start().await;
    assert_eq!(works(&server, &alice.access).await, 401);
    assert_eq!(works(&server, &bob.access).await, 200);

    // A server that was killed leaves its socket; that is no server, and the next one takes its place.
    server.signal("KILL").await;
    server.wait().await;
    assert!(socket(&scene).exists());
    let (code, _, err) = aegis(&scene, &["users", "revoke", "bob"]).await;
    assert!(code == 0 && err.contains("No server answers at"), "{code}: {err}");
    let server = scene.start().await;
    assert_eq!(works(&server, &bob.access).await, 401);
    let (code, out, err) = aegis(&scene, &["registry", "info"]).await;
    assert!(code == 0 && err.is_empty() && out.contains(&server.url), "{out}{err}");
    server.stop().await;
}

#[tokio::test]
async fn two_servers_are_asked_each_by_its_own_socket_and_cannot_share_one() {
    let (one, other) = (Scene::new().await, Scene::new().await);
    let (first, second) = (one.start().await, other.start().await);
    let client = Client::register(&first.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let answer = answered(&other, &["users", "list"]).await;
    assert_eq!(answer["users"], json!([]));
    assert_eq!(aegis(&other, &["users", "revoke", "alice"]).await.0, 1);
    assert_eq!(works(&first, &tokens.access).await, 200);
    let own = second.folder().join("audit.log").display().to_string();
    let third = one.setup().set("MCP_PORT", "0").set("AUDIT_LOG_PATH", &own);
    assert_eq!(third.refused().await.0, 75);
    let status = answered(&one, &["registry", "info"]).await;
    assert_eq!(status["status"]["pid"], first.pid());
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_client_that_the_operator_adds_signs_people_in_with_its_secret() {
    let scene = Scene::new().await;
    let made = answered(
        &scene,
        &["clients", "add", "--name", "Build server", "--redirect-uri", REDIRECT, "--secret"],
    )
    .await;
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let file = scene.folder().join("clients.json");
    std::fs::write(&file, json!([made["entry"]]).to_string()).unwrap();
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&secret));
    let server = scene.setup().set("OAUTH_CLIENTS_FILE", &file.display().to_string()).start().await;
    let id = made["entry"]["client_id"].as_str().unwrap().to_owned();
    let client = Client { server: server.url.clone(), id, redirect: REDIRECT.to_owned() };
    let url = client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
    let code = parameter(&url, "code").unwrap();
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{secret}", client.id)));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", basic.as_str())];
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let answer = send(&server.url, "POST", "/oauth/token", &headers, form(&fields).as_bytes()).await.unwrap();
    assert_eq!(works(&server, &Tokens::of(&answer).access).await, 200);
    server.stop().await;
    let (code, _, err) =
        aegis(&scene, &["clients", "add", "--name", "x", "--redirect-uri", "http://a.example/cb"]).await;
    assert!(code == 64 && err.contains("plain http"), "{code}: {err}");
}
