//! The signed log from outside: checkpoints go to whoever keeps them, the key is made once and changed with a word about it,
//! and a server does not continue a log that is not the one it signed for.

use std::path::Path;

use aegis_tests::http::Answer;
use aegis_tests::server::{KEY, Server, program};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::scene::{READ, Scene, call, events, until};

async fn read(server: &Server) -> Answer {
    call(&server.url, KEY, READ).await.expect("no panic").expect("an answer")
}

async fn checkpoint(server: &Server) -> Answer {
    server.stranger("GET", "/audit/checkpoint", &[], b"").await
}

/// Lines that a checkpoint covers.
fn size(note: &str) -> u64 {
    note.lines().nth(1).and_then(|size| size.parse().ok()).unwrap_or_else(|| panic!("no checkpoint: {note}"))
}

/// Close the active segment, which signs for all of it.
async fn rotate(scene: &Scene) {
    let (code, out, err) = as_operator(scene, &["audit", "rotate"]).await;
    assert!(code == 0 && out.contains("closed"), "{out}{err}");
}

async fn as_operator(scene: &Scene, arguments: &[&str]) -> (i32, String, String) {
    let audit = scene.audit.display().to_string();
    let registry = scene.folder.0.join("registry").join("dcr.json").display().to_string();
    let more = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", registry.as_str())];
    program(arguments, &more).await
}

async fn verify(scene: &Scene, more: &[&str]) -> (i32, String) {
    let folder = scene.audit.parent().expect("a folder").display().to_string();
    let (code, out, err) = program(&[&["audit", "verify", &folder], more].concat(), &[]).await;
    (code, out + &err)
}

fn names(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).expect("it is there");
    let mut names: Vec<String> =
        names.map(|entry| entry.expect("a name").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_checkpoint_is_told_to_whoever_asks_and_to_the_log_of_the_process() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let first = checkpoint(&server).await;
    assert_eq!((first.status, first.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert_eq!(read(&server).await.status, 200);
    rotate(&scene).await;
    let second = checkpoint(&server).await.text();
    assert!(size(&second) > size(&first.text()), "{second}");
    assert!(server.metric("aegis_audit_signed_lines").await > 3.5);
    until("it is in the log", async || server.log().contains("\"event\":\"audit_checkpoint\"")).await;
    let (log, anchor) = (server.log(), scene.folder.0.join("anchor"));
    let segments = names(scene.audit.parent().expect("a folder"));
    assert!(segments.iter().any(|name| name.ends_with(".jsonl")), "{segments:?}");
    assert_eq!(server.stop().await.code, 0);
    for kept in [second, log] {
        std::fs::write(&anchor, kept).expect("written");
        let (code, said) = verify(&scene, &["--anchor", &anchor.display().to_string()]).await;
        assert_eq!(code, 0, "{said}");
    }
}

#[tokio::test]
async fn an_address_gets_each_checkpoint_and_stops_nothing_while_it_takes_none() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/anchor", listener.local_addr().expect("an address"));
    let server = scene.setup().set("AUDIT_ANCHOR_URL", &url).start().await;
    let mut posted = String::new();
    for answer in
        ["HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "HTTP/1.1 204 Yes\r\n\r\n"]
    {
        let (mut peer, _) = listener.accept().await.expect("it asks");
        let mut bytes = vec![0; 4096];
        let mut read = 0;
        while !String::from_utf8_lossy(&bytes[..read]).contains("\u{2014} ")
            || !bytes[..read].ends_with(b"=\n")
        {
            read += peer.read(&mut bytes[read..]).await.expect("a request");
        }
        posted = String::from_utf8_lossy(&bytes[..read]).into_owned();
        assert!(posted.starts_with("POST /anchor HTTP/1.1\r\n"), "{posted}");
        peer.write_all(answer.as_bytes()).await.expect("an answer");
        if answer.contains("500") {
            until("it is told", async || {
                server.stranger("GET", "/ready", &[], b"").await.json()["warnings"]
                    .as_array()
                    .is_some_and(|all| all.contains(&"audit_anchor".into()))
            })
            .await;
            assert_eq!(self::read(&server).await.status, 200);
        }
    }
    until("it is counted", async || server.metric("aegis_audit_anchored_lines").await > 0.5).await;
    let note = posted.split("\r\n\r\n").nth(1).expect("a body").to_owned();
    assert_eq!(server.stop().await.code, 0);
    let anchor = scene.folder.0.join("anchor");
    std::fs::write(&anchor, note).expect("written");
    let (code, said) = verify(&scene, &["--anchor", &anchor.display().to_string()]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_log_that_was_cut_below_its_last_checkpoint_is_not_continued_and_an_anchor_shows_it() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    let folder = scene.audit.parent().expect("a folder").to_owned();
    let notes = folder.join("audit.checkpoints");
    let kept = std::fs::read_to_string(&notes).expect("checkpoints");
    let anchor = scene.folder.0.join("anchor");
    let last = kept.rfind("aegis-audit/").and_then(|end| kept[..end].rfind("aegis-audit/")).expect("a note");
    std::fs::write(&anchor, &kept[last..]).expect("written");

    let whole = std::fs::read_to_string(&scene.audit).expect("a log");
    let cut: String = whole.split_inclusive('\n').take(2).collect();
    std::fs::write(&scene.audit, &cut).expect("cut");
    let (code, said) = scene.setup().refused().await;
    assert!(code == 1 && said.contains("were signed") && said.contains("evidence"), "{code} {said}");
    assert_eq!(verify(&scene, &[]).await.0, 1);

    // Whoever cuts the checkpoints as well is found out by what somebody else keeps.
    let first = kept.find("\u{2014} ").and_then(|sign| kept[sign..].find('\n').map(|end| sign + end + 1));
    std::fs::write(&notes, &kept[..first.expect("a note")]).expect("cut");
    assert_eq!(verify(&scene, &[]).await.0, 0);
    let (code, said) = verify(&scene, &["--anchor", &anchor.display().to_string()]).await;
    assert!(code == 1 && said.contains("lines were cut off"), "{said}");
    assert!(scene.forge.violations().is_empty());
}

#[tokio::test]
async fn a_directory_that_was_put_back_is_not_continued_and_an_emptied_one_says_what_it_follows() {
    let scene = Scene::new().await;
    let folder = scene.audit.parent().expect("a folder").to_owned();
    assert_eq!(scene.setup().start().await.stop().await.code, 0);
    let older: Vec<(String, Vec<u8>)> = names(&folder)
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(folder.join(name)).expect("read")))
        .collect();
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    let log_id = server.stop().await.audit[0]["log_id"].clone();
    let empty =
        || names(&folder).iter().for_each(|name| std::fs::remove_file(folder.join(name)).expect("gone"));

    empty();
    older.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).expect("written"));
    let (code, said) = scene.setup().refused().await;
    assert!(
        code == 1 && said.contains("is older than checkpoint") && said.contains("evidence"),
        "{code} {said}"
    );
    assert_eq!(verify(&scene, &[]).await.0, 0, "nothing beside the log tells");
    let registry = scene.folder.0.join("registry");
    let kept = names(&registry).into_iter().find(|name| name.starts_with("audit-last-")).expect("it is kept");
    let last = registry.join(kept).display().to_string();
    let (code, said) = verify(&scene, &["--anchor", &last]).await;
    assert!(code == 1 && said.contains("lines were cut off"), "{said}");

    empty();
    let server = scene.setup().start().await;
    assert!(server.log().contains("\"event\":\"audit_log_follows\""), "{}", server.log());
    assert_eq!(read(&server).await.status, 200);
    let stopped = server.stop().await;
    assert_eq!(stopped.audit[0]["follows"]["log_id"], log_id);
    assert_eq!(scene.setup().start().await.stop().await.code, 0);
    let (code, said) = verify(&scene, &["--anchor", &last]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn another_key_is_handed_over_to_and_the_public_one_can_be_kept_elsewhere() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let (code, old, err) = as_operator(&scene, &["audit", "key"]).await;
    assert_eq!(code, 0, "{err}");
    let file = scene.folder.0.join("registry").join("audit-signing.key");
    let other = Scene::new().await;
    assert_eq!(other.setup().start().await.stop().await.code, 0);
    let fresh = std::fs::read(other.folder.0.join("registry").join("audit-signing.key")).expect("a key");
    let both = [fresh, std::fs::read(&file).expect("the key")].concat();
    std::fs::write(&file, both).expect("written");
    server.signal("HUP").await;
    until("the log says so", async || events(&server.audit()).contains(&"key_handover")).await;
    assert_eq!(read(&server).await.status, 200);
    let stopped = server.stop().await;
    let handover: Vec<&Value> = stopped.audit.iter().filter(|line| line["event"] == "key_handover").collect();
    assert!(handover.len() == 1 && handover[0]["signature"].is_string(), "{handover:?}");
    let (_, new, _) = as_operator(&scene, &["audit", "key"]).await;
    assert_ne!(old, new);
    for known in [old, new] {
        let (code, said) = verify(&scene, &["--key", known.trim()]).await;
        assert_eq!(code, 0, "{said}");
    }
    let (_, foreign, _) = as_operator(&other, &["audit", "key"]).await;
    assert_eq!(verify(&scene, &["--key", foreign.trim()]).await.0, 1);
}

#[tokio::test]
async fn a_key_beside_the_log_or_one_that_is_none_stops_the_start() {
    let scene = Scene::new().await;
    assert_eq!(scene.setup().start().await.stop().await.code, 0);
    let beside = scene.audit.with_file_name("key.pem");
    std::fs::copy(scene.folder.0.join("registry").join("audit-signing.key"), &beside).expect("copied");
    let none = scene.folder.0.join("none.pem");
    std::fs::write(&none, "secret words").expect("written");
    for (path, why) in [
        (beside, "directory of the audit log"),
        (none, "BEGIN PRIVATE KEY"),
        (scene.folder.0.join("absent.pem"), "cannot be read"),
    ] {
        let setup = scene.setup().set("AUDIT_SIGNING_KEY_FILE", &path.display().to_string());
        let (code, said) = setup.refused().await;
        assert!(code == 64 && said.contains(why) && !said.contains("secret words"), "{code} {said}");
    }
}

#[tokio::test]
async fn the_key_that_is_printed_is_the_one_that_the_settings_name() {
    let (other, scene) = (Scene::new().await, Scene::new().await);
    assert_eq!(other.setup().start().await.stop().await.code, 0);
    let named = scene.folder.0.join("named.pem");
    std::fs::copy(other.folder.0.join("registry").join("audit-signing.key"), &named).expect("copied");
    let named = named.display().to_string();
    let server = scene.setup().set("AUDIT_SIGNING_KEY_FILE", &named).start().await;
    assert_eq!(server.stop().await.code, 0);
    let (audit, registry) =
        (scene.audit.display().to_string(), scene.folder.0.join("registry").join("dcr.json"));
    let variables = [
        ("AUDIT_LOG_PATH", audit.as_str()),
        ("DCR_STORAGE_PATH", &registry.display().to_string()),
        ("AUDIT_SIGNING_KEY_FILE", &named),
    ];
    let (code, key, err) = program(&["audit", "key"], &variables).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(verify(&scene, &["--key", key.trim()]).await.0, 0);
}

#[tokio::test]
async fn pipes_in_the_place_of_files_hold_up_nobody() {
    let scene = Scene::new().await;
    assert_eq!(scene.setup().start().await.stop().await.code, 0);
    let pipe = scene.folder.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let pipe = pipe.display().to_string();
    for arguments in [&["--anchor", pipe.as_str()], &["--key", pipe.as_str()]] {
        let (code, said) = verify(&scene, arguments).await;
        assert!(code == 2 && said.contains("no regular file"), "{code} {said}");
    }
    let (code, said) = scene.setup().set("AUDIT_SIGNING_KEY_FILE", &pipe).refused().await;
    assert!(code == 64 && said.contains("no regular file"), "{code} {said}");

    // The reserve of a log is no way to another file.
    let precious = scene.folder.0.join("precious");
    std::fs::write(&precious, "six by").expect("written");
    let reserve = scene.audit.with_file_name("audit.reserve");
    std::fs::remove_file(&reserve).expect("removed");
    std::os::unix::fs::symlink(&precious, &reserve).expect("linked");
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    assert!(server.log().contains("audit_without_reserve"));
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(std::fs::read_to_string(&precious).expect("there"), "six by");
}
