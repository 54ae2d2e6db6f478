//! What operators can do while the registry's volume cannot be written, and what of it stays when the registry is lost.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aegis_tests::browser::Browser;
use aegis_tests::server::{STATE_SECRET, of_event, program};
use aegis_tests::sign_in::Client;
use serde_json::Value;

use super::{registry, set_mode, told, unprivileged, warnings};
use crate::admin::{aegis, answered, recorded, socket, works};
use crate::scene::{Scene, password};

/// The socket beside the audit log.
fn stand_in(scene: &Scene) -> PathBuf {
    scene.folder().join("trail").join("audit.log.admin.sock")
}

/// Until this is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn somebody_is_revoked_while_the_registry_cannot_be_written() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    std::fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o555);
    let server = unprivileged(scene.setup()).start().await;
    assert_eq!(warnings(&server).await, serde_json::json!(["registry_volatile", "audit_high_water"]));
    let client = Client::register(&server.url).await;
    let alice = client.tokens("alice", &password("alice"), false).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    assert!(!socket(&scene).exists());
    let found = std::fs::metadata(stand_in(&scene)).unwrap();
    assert!(found.file_type().is_socket() && found.permissions().mode() & 0o777 == 0o600);

    assert_eq!(works(&server, &alice.access).await, 200);
    let (code, out, err) = aegis(&scene, &["users", "revoke", "alice"]).await;
    assert!(code == 0 && out.contains("forgotten when the server stops"), "{code}: {out}{err}");
    assert_eq!(works(&server, &alice.access).await, 401);
    assert_eq!(client.refresh(&alice.refresh, &[]).await.status, 400);
    assert_eq!(works(&server, &bob.access).await, 200);
    recorded(&server, "operator_revoked_user", "done").await;
    let status = answered(&scene, &["registry", "info"]).await;
    assert_eq!((&status["status"]["running"], &status["status"]["durable"]), (&true.into(), &false.into()));

    // The volume is mended: the socket goes back to where the registry is.
    set_mode(&directory, 0o755);
    until("the socket is beside the registry", || socket(&scene).exists() && !stand_in(&scene).exists())
        .await;
    answered(&scene, &["clients", "revoke", &client.id]).await;
    assert_eq!(works(&server, &bob.access).await, 401);
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(stopped.log.matches("admin_socket_elsewhere").count(), 1, "{}", stopped.log);
    assert!(!socket(&scene).exists() && !stand_in(&scene).exists(), "it takes its socket along");
    let revoked: Vec<&Value> = of_event(&stopped.audit, "security_event");
    assert!(revoked.iter().any(|line| line["reason"] == "operator_revoked_client"));
}

#[tokio::test]
async fn where_the_registry_has_no_directory_operators_are_answered_beside_the_audit_log() {
    let scene = Scene::new().await;
    let blocked = scene.folder().join("registry");
    std::fs::write(&blocked, "").unwrap();
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(&server, &tokens.access).await, 200);
    let users = answered(&scene, &["users", "list"]).await;
    assert_eq!(users["users"][0]["login"], "alice");
    answered(&scene, &["clients", "revoke", &client.id]).await;
    assert_eq!(works(&server, &tokens.access).await, 401);
    assert_eq!(server.stop().await.code, 0);
    // Nobody answers any more, and what was tried is told.
    let (code, _, err) = aegis(&scene, &["users", "list"]).await;
    let shown = |path: &Path| path.display().to_string();
    assert_eq!(code, 1);
    for told in [shown(&socket(&scene)), shown(&stand_in(&scene)), "AUDIT_LOG_PATH".to_owned()] {
        assert!(err.contains(&told), "{told}: {err}");
    }
}

#[tokio::test]
async fn a_command_that_names_another_log_is_told_what_to_do() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    let server = scene.start().await;
    assert_eq!(server.stop().await.code, 0);
    let file = directory.join("registry.redb");
    set_mode(&file, 0o444);
    set_mode(&directory, 0o555);
    let server = unprivileged(scene.setup()).start().await;
    let storage = directory.join("dcr_clients.json").display().to_string();
    let elsewhere = scene.folder().join("another.log").display().to_string();
    let variables = [
        ("DCR_STORAGE_PATH", storage.as_str()),
        ("AUDIT_LOG_PATH", &elsewhere),
        ("OAUTH_STATE_SECRET", STATE_SECRET),
    ];
    let (code, out, err) = program(&["users", "revoke", "alice"], &variables).await;
    assert_eq!(code, 1, "{out}{err}");
    assert!(err.contains("has") && err.contains("open") && err.contains("AUDIT_LOG_PATH"), "{err}");
    set_mode(&directory, 0o755);
    server.stop().await;
}

#[tokio::test]
async fn what_was_revoked_stays_so_when_the_registry_is_damaged_and_set_aside() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let other = Client::register(&server.url).await;
    client.tokens("alice", &password("alice"), false).await;
    let tokens = other.tokens("bob", &password("bob"), false).await;
    let backup = scene.folder().join("backup.redb").display().to_string();
    answered(&scene, &["registry", "backup", &backup]).await;
    answered(&scene, &["clients", "revoke", &client.id]).await;
    answered(&scene, &["clients", "revoke", &other.id]).await;
    answered(&scene, &["clients", "allow", &other.id]).await;
    answered(&scene, &["users", "revoke", "bob"]).await;
    assert_eq!(server.stop().await.code, 0);
    let beside = registry(&scene).join("registry.revoked");
    assert_eq!(std::fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);

    std::fs::write(registry(&scene).join("registry.redb"), [7_u8; 9_000]).unwrap();
    let server = scene.start().await;
    assert_eq!(
        told(&server.audit_when(|l| !told(l, "registry_corrupt").is_empty()).await, "registry_corrupt").len(),
        1
    );
    let page = Browser::new().get(&client.authorize_url(&[])).await;
    assert_eq!(page.status(), 400, "{}", page.text());
    let listed = answered(&scene, &["clients", "list"]).await;
    let revoked: Vec<&Value> =
        listed["clients"].as_array().unwrap().iter().filter(|row| row["revoked_at"].is_string()).collect();
    assert!(revoked.len() == 1 && revoked[0]["id"] == client.id.as_str(), "{listed}");
    let shown = answered(&scene, &["users", "show", "bob"]).await;
    assert!(shown["users"][0]["revoked_at"].is_string(), "{shown}");
    other.tokens("carol", &password("carol"), false).await;

    // A backup from before knows nothing of it, and both count.
    answered(&scene, &["registry", "restore", &backup, "--yes"]).await;
    assert_eq!(Browser::new().get(&client.authorize_url(&[])).await.status(), 400);
    assert_eq!(server.stop().await.code, 0);

    // So does the old copy put in place by hand: what was ended since does not come back.
    std::fs::copy(&backup, registry(&scene).join("registry.redb")).unwrap();
    let server = scene.start().await;
    assert_eq!(works(&server, &tokens.access).await, 401);
    assert_eq!(Browser::new().get(&client.authorize_url(&[])).await.status(), 400);
    assert_eq!(server.stop().await.code, 0);

    // A line that cannot be read is told, and the others count.
    let mut text = std::fs::read_to_string(&beside).unwrap();
    text.push_str("{\"v\":1,\"key\":\"refused/to");
    std::fs::write(&beside, text).unwrap();
    let server = scene.start().await;
    assert_eq!(Browser::new().get(&client.authorize_url(&[])).await.status(), 400);
    let stopped = server.stop().await;
    let texts = told(&stopped.audit, "revocations_unreadable");
    assert!(texts.len() == 1 && texts[0].contains("registry.revoked"), "{texts:?}");
}

#[tokio::test]
async fn a_revocation_that_is_kept_once_is_said_so_and_is_kept_twice_as_soon_as_it_can_be() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    let beside = directory.join("registry.revoked");
    let server = unprivileged(scene.setup()).start().await;
    let client = Client::register(&server.url).await;
    let alice = client.tokens("alice", &password("alice"), false).await;
    // The registry's file can be written, and no file can be made beside it.
    set_mode(&directory, 0o555);
    let (code, out, err) = aegis(&scene, &["users", "revoke", "alice"]).await;
    assert!(code == 0 && out.contains("registry.revoked beside it cannot be written"), "{code}: {out}{err}");
    assert_eq!(works(&server, &alice.access).await, 401);
    let line = recorded(&server, "operator_revoked_user", "done").await;
    let kept = (&line["detail"]["durable"], &line["detail"]["kept_once"]);
    assert_eq!(kept, (&false.into(), &true.into()), "{line}");
    // A checkpoint of the log that falls due meanwhile cannot be kept there either.
    let warned = warnings(&server).await;
    let either = [&["revocations_volatile"][..], &["revocations_volatile", "audit_high_water"]];
    assert!(either.map(|names| serde_json::json!(names)).contains(&warned), "{warned}");
    let status = answered(&scene, &["registry", "info"]).await;
    assert!(status["status"]["durable"] == true && status["status"]["revocations"].is_string(), "{status}");
    let stopped = server.stop().await;
    assert_eq!(told(&stopped.audit, "revocations_volatile").len(), 1);

    // A start finds that the file lacks it and cannot write it; a stop right after that tells it too.
    let stopped = unprivileged(scene.setup()).start().await.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    assert!(stopped.log.contains("revocations_volatile"), "{}", stopped.log);
    assert!(!beside.exists());

    let server = unprivileged(scene.setup()).start().await;
    // Looked for in a thread of its own: only what was found missing is told to be there again.
    until("it is found that it cannot be kept twice", || server.log().contains("revocations_volatile")).await;
    set_mode(&directory, 0o755);
    until("the file and the socket are beside the registry", || {
        beside.exists() && !stand_in(&scene).exists()
    })
    .await;
    assert_eq!(works(&server, &alice.access).await, 401);
    let answer = answered(&scene, &["clients", "revoke", &client.id]).await;
    assert_eq!((&answer["durable"], &answer["kept_once"]), (&true.into(), &false.into()), "{answer}");
    // The last checkpoint of the log is kept there again with the next one.
    let left = warnings(&server).await;
    assert!([serde_json::json!([]), serde_json::json!(["audit_high_water"])].contains(&left), "{left}");
    let stopped = server.stop().await;
    assert_eq!(told(&stopped.audit, "revocations_durable").len(), 1);
    let text = std::fs::read_to_string(&beside).unwrap();
    assert!(text.contains("revoked-user/") && text.contains(&client.id), "{text}");
}
