//! The registry's volume in every bad state there is: people sign in all the same, nothing answers with a 500, and
//! whoever has to know is told. With a good volume, nobody has to sign in again after a restart.

mod kills;
mod operators;
mod restarts;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aegis_tests::browser::Browser;
use aegis_tests::http::Answer;
use aegis_tests::server::{Folder, Server, Setup, of_event};
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

/// For root every directory is writable; a process of root without root's privileges is like everybody else's.
fn unprivileged(setup: Setup) -> Setup {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if root { setup.wrapped_in(&["setpriv", "--inh-caps=-all", "--bounding-set=-all"]) } else { setup }
}

/// No file can grow beyond so many KiB, as on a volume that is full.
fn full_from(setup: Setup, kibibytes: u32) -> Setup {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kibibytes * 2);
    setup.wrapped_in(&["sh", "-c", &script])
}

/// The registry's directory of a scene; its server is started by hand.
fn registry(scene: &Scene) -> PathBuf {
    scene.folder().join("registry")
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
}

/// Whether an answer is a proper one: nobody ever sees a fault of the server's.
fn proper(answer: &Answer) -> bool {
    (200..500).contains(&answer.status)
}

async fn works(server: &Server, tokens: &Tokens) -> Answer {
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert!(proper(&answer), "{}: {}", answer.status, answer.text());
    answer
}

/// From nothing to a call and a renewal, with every answer on the way looked at.
async fn signs_in(server: &Server) -> (Client, Tokens) {
    let client = Client::register(&server.url).await;
    let mut browser = Browser::new();
    let url = client.sign_in(&mut browser, "alice", &password("alice"), false).await;
    for hop in browser.trail() {
        assert!((200..400).contains(&hop.status), "{hop:?}");
    }
    let code = parameter(&url, "code").expect("a code");
    let tokens = Tokens::of(&client.redeem(&code, &[]).await);
    assert_eq!(works(server, &tokens).await.status, 200);
    let next = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert_eq!(works(server, &next).await.status, 200);
    // Wrong ones are refused like everywhere else.
    let again = client.redeem(&code, &[]).await;
    assert_eq!((again.status, again.reason().as_deref()), (400, Some("invalid_grant")));
    let tokens = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(server, &tokens).await.status, 200);
    (client, tokens)
}

async fn warnings(server: &Server) -> Value {
    let ready = server.stranger("GET", "/ready", &[], b"").await;
    assert_eq!(ready.status, 200, "tools can be called: {}", ready.text());
    ready.json()["warnings"].clone()
}

/// Texts of the security events of one name.
fn told(lines: &[Value], name: &str) -> Vec<String> {
    let events = of_event(lines, "security_event").into_iter().filter(|line| line["reason"] == name);
    events.map(|line| line["detail"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A server whose registry cannot be written serves people; after a restart they sign in again.
async fn lives_in_memory(scene: &Scene, setup: impl Fn() -> Setup) {
    let server = setup().start().await;
    let (client, tokens) = signs_in(&server).await;
    // What the log keeps there is small, and may find room where the registry does not.
    let warned = warnings(&server).await;
    let both = json!(["registry_volatile", "audit_high_water"]);
    assert!([json!(["registry_volatile"]), both].contains(&warned), "{warned}");
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    let texts = told(&stopped.audit, "registry_volatile");
    assert_eq!(texts.len(), 1, "{texts:?}");
    let mends = ["run sudo ", "mount a writable volume", "name another place", "check the permissions"];
    assert!(texts[0].contains("cannot be written"), "{texts:?}");
    assert!(mends.iter().any(|mend| texts[0].contains(mend)), "it says what to do: {texts:?}");
    assert!(stopped.log.contains("registry_volatile"), "{}", stopped.log);
    let server = setup().start().await;
    let answer = works(&server, &tokens).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.contains("resource_metadata="), "the client is sent to sign in: {challenge}");
    let answer = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("invalid_grant")));
    // The client's own id does not depend on a volume.
    let tokens = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(&server, &tokens).await.status, 200);
    assert_eq!(server.stop().await.code, 0);
    assert!(scene.forge.requests().iter().all(|request| request.status < 500), "Gitea was asked right");
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_costs_nobody_the_sign_in() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    std::fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o555);
    lives_in_memory(&scene, || unprivileged(scene.setup())).await;
    assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
    set_mode(&directory, 0o755);
    let server = unprivileged(scene.setup()).start().await;
    assert_eq!(warnings(&server).await, json!([]), "a volume that can be written again is used");
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_costs_nobody_the_sign_in() {
    let scene = Scene::new().await;
    let above = scene.folder().join("above");
    std::fs::create_dir(&above).unwrap();
    set_mode(&above, 0o555);
    let storage = above.join("registry").join("dcr_clients.json").display().to_string();
    lives_in_memory(&scene, || unprivileged(scene.setup().set("DCR_STORAGE_PATH", &storage))).await;
    assert_eq!(std::fs::read_dir(&above).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_where_the_directory_should_be_costs_nobody_the_sign_in() {
    let scene = Scene::new().await;
    std::fs::write(registry(&scene), "somebody else's").unwrap();
    lives_in_memory(&scene, || scene.setup()).await;
    assert_eq!(std::fs::read_to_string(registry(&scene)).unwrap(), "somebody else's");
}

#[tokio::test]
async fn a_volume_that_is_full_costs_nobody_the_sign_in() {
    let scene = Scene::new().await;
    // Enough for the audit log of this test, too little for a registry.
    lives_in_memory(&scene, || full_from(scene.setup(), 128)).await;
    let left: Vec<_> =
        std::fs::read_dir(registry(&scene)).unwrap().flatten().map(|f| f.file_name()).collect();
    assert!(!left.iter().any(|name| name == "registry.redb"), "no half of a registry stays: {left:?}");
    let server = scene.start().await;
    assert_eq!(warnings(&server).await, json!([]), "there is room again");
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_registry_that_is_none_is_set_aside_and_a_new_one_begun() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("registry.redb"), "not a registry at all").unwrap();
    let server = scene.start().await;
    let (client, tokens) = signs_in(&server).await;
    assert_eq!(warnings(&server).await, json!([]));
    let stopped = server.stop().await;
    let texts = told(&stopped.audit, "registry_corrupt");
    assert_eq!(texts.len(), 1, "{texts:?}");
    let kept = std::fs::read_dir(&directory).unwrap().flatten();
    let kept = kept.map(|file| file.path()).find(|path| path.display().to_string().contains("corrupt-"));
    let kept = kept.expect("it is kept");
    assert!(texts[0].contains(&kept.display().to_string()), "{texts:?}");
    assert_eq!(std::fs::read_to_string(kept).unwrap(), "not a registry at all");
    let server = scene.start().await;
    assert_eq!(works(&server, &tokens).await.status, 200, "the new one is a good one");
    let _ = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
    assert_eq!(told(&server.stop().await.audit, "registry_corrupt").len(), 1, "told once");
}

#[tokio::test]
async fn a_registry_damaged_beyond_use_on_a_volume_that_cannot_be_written_costs_nobody_the_sign_in() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("registry.redb");
    std::fs::write(&file, [7_u8; 9_000]).unwrap();
    set_mode(&file, 0o444);
    set_mode(&directory, 0o555);
    lives_in_memory(&scene, || unprivileged(scene.setup())).await;
    assert_eq!(std::fs::read(&file).unwrap(), [7_u8; 9_000]);
    set_mode(&directory, 0o755);
}

#[tokio::test]
async fn a_second_server_on_the_same_registry_does_not_start_and_says_why() {
    let scene = Scene::new().await;
    let first = scene.start().await;
    let (_, tokens) = signs_in(&first).await;
    let place = Folder::new();
    let audit = place.0.join("audit.log").display().to_string();
    let second = scene.setup().set("AUDIT_LOG_PATH", &audit).set("MCP_PORT", "0");
    let (code, text) = second.refused().await;
    assert_eq!(code, 75, "{text}");
    for told in ["registry", "in use by another process", "DCR_STORAGE_PATH"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(works(&first, &tokens).await.status, 200, "the first one has lost nothing");
    assert_eq!(warnings(&first).await, json!([]));
    assert_eq!(first.stop().await.code, 0);
}

#[tokio::test]
async fn only_an_audit_log_that_cannot_be_written_keeps_the_server_from_starting() {
    let scene = Scene::new().await;
    let blocked = scene.folder().join("blocked");
    std::fs::write(&blocked, "a file").unwrap();
    let audit = blocked.join("audit.log").display().to_string();
    let (code, text) = scene.setup().set("AUDIT_LOG_PATH", &audit).refused().await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("AUDIT_LOG_PATH"), "{text}");
}

#[tokio::test]
async fn a_file_of_the_original_product_is_left_as_it_is_and_mentioned_once() {
    let scene = Scene::new().await;
    let directory = registry(&scene);
    std::fs::create_dir(&directory).unwrap();
    let original = directory.join("dcr_clients.json");
    let content = "{\n  \"clients\": {\"abc\": {\"client_secret\": \"of-the-original\"}}\n}\n";
    std::fs::write(&original, content).unwrap();
    set_mode(&original, 0o640);
    let server = scene.start().await;
    signs_in(&server).await;
    let stopped = server.stop().await;
    let texts = told(&stopped.audit, "registry_original");
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("dcr_clients.json") && texts[0].contains("left alone"), "{texts:?}");
    assert_eq!(std::fs::read_to_string(&original).unwrap(), content);
    assert_eq!(std::fs::metadata(&original).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!stopped.log.contains("of-the-original"), "nobody read what is in it");
}
