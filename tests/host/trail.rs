//! An audit log that cannot be written: nothing is done, everything says so, and it heals by itself. A log that
//! somebody else holds or changed is not continued.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::Answer;
use aegis_tests::server::{KEY, Server, Setup, of_event};
use serde_json::json;

use crate::scene::{READ, Scene, WRITE, call, events, until};

async fn read(server: &Server) -> Answer {
    call(&server.url, KEY, READ).await.expect("no panic").expect("an answer")
}

async fn write(server: &Server) -> Answer {
    call(&server.url, KEY, WRITE).await.expect("no panic").expect("an answer")
}

fn reason(answer: &Answer) -> String {
    answer.reason().unwrap_or_default()
}

/// Refused with nothing sent to Gitea, not ready, and alive.
async fn refuses(scene: &Scene, server: &Server) {
    let before = scene.forge.requests().len();
    let answer = read(server).await;
    assert_eq!((answer.status, reason(&answer).as_str()), (503, "audit_unavailable"), "{}", answer.text());
    assert_eq!(scene.forge.requests().len(), before, "nothing is asked of Gitea without a record");
    let ready = server.stranger("GET", "/ready", &[], b"").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], serde_json::json!(["audit_unavailable"]));
    assert_eq!(server.stranger("GET", "/health", &[], b"").await.status, 200);
    assert!(server.metric("aegis_audit_writable").await < 0.5);
}

/// Healed without a restart: ready again, serving again.
async fn heals(scene: &Scene, server: &Server) {
    until("it is ready again", async || server.stranger("GET", "/ready", &[], b"").await.status == 200).await;
    assert_eq!(read(server).await.status, 200);
    assert!(server.metric("aegis_audit_writable").await > 0.5);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

async fn verified(scene: &Scene, server: Server, event: &str) {
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(of_event(&stopped.audit, event).len(), 1, "{:#?}", events(&stopped.audit));
    let (code, said) = scene.verify().await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn a_log_that_was_moved_away_stops_all_calls_until_it_is_put_back() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    let aside = scene.folder.0.join("aside.log");
    std::fs::rename(&scene.audit, &aside).expect("moved");
    refuses(&scene, &server).await;
    // As logrotate would: another file under the name of the log.
    std::fs::write(&scene.audit, b"").expect("written");
    refuses(&scene, &server).await;
    assert_eq!(std::fs::read(&scene.audit).expect("there"), b"", "the foreign file is not written to");
    std::fs::rename(&aside, &scene.audit).expect("put back");
    heals(&scene, &server).await;
    verified(&scene, server, "recovery").await;
}

#[tokio::test]
async fn bytes_that_somebody_else_appended_stop_all_calls_until_they_are_gone() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    let length = std::fs::metadata(&scene.audit).expect("there").len();
    let mut file = std::fs::OpenOptions::new().append(true).open(&scene.audit).expect("the log");
    file.write_all(b"{\"event\":\"forged\"}\n").expect("appended");
    refuses(&scene, &server).await;
    file.set_len(length).expect("cut");
    heals(&scene, &server).await;
    verified(&scene, server, "recovery").await;
}

#[tokio::test]
async fn a_log_that_was_emptied_in_place_stops_all_calls_and_does_not_verify() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    let whole = std::fs::read(&scene.audit).expect("there");
    // As `copytruncate` would.
    let file = std::fs::OpenOptions::new().write(true).open(&scene.audit).expect("the log");
    file.set_len(0).expect("emptied");
    refuses(&scene, &server).await;
    std::fs::write(&scene.audit, &whole).expect("restored");
    heals(&scene, &server).await;
    verified(&scene, server, "recovery").await;
}

/// As a volume that is not mounted: the directory is a link to one that is not there.
#[tokio::test]
async fn a_log_whose_place_is_missing_at_the_start_is_said_once_refuses_all_calls_and_heals() {
    let scene = Scene::new().await;
    let (place, volume) = (scene.audit.parent().expect("a folder"), scene.folder.0.join("volume"));
    std::os::unix::fs::symlink(&volume, place).expect("linked");
    let server = scene.setup().start().await;
    refuses(&scene, &server).await;
    refuses(&scene, &server).await;
    let log = server.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("audit_unavailable")).collect();
    let [said] = said.as_slice() else { panic!("one line: {log}") };
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&scene.folder.0).expect("there"));
    let command = format!("run sudo install -d -m 700 -o {uid}");
    assert!(said.contains(&command) && said.contains(&place.display().to_string()), "{said}");
    std::fs::create_dir(&volume).expect("made");
    heals(&scene, &server).await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(events(&stopped.audit).first().copied(), Some("log_open"), "{:#?}", stopped.audit);
    let refused = of_event(&stopped.audit, "tool_invocation");
    let refused = refused.iter().filter(|line| line["reason"] == "audit_unavailable").count();
    assert_eq!(refused, 2, "what was refused is told of afterwards: {:#?}", stopped.audit);
    let (code, said) = scene.verify().await;
    assert_eq!(code, 0, "{said}");
}

/// A small filesystem of its own under a folder, unmounted with it. None where that is not permitted.
struct Small(PathBuf);

impl Small {
    /// Four megabytes: room for the log's reserve, and of these a twentieth part is to be free.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Write until nothing more fits.
    fn fill(&self) -> PathBuf {
        self.fill_with(usize::MAX)
    }

    /// Write so many bytes, or as many as fit.
    fn fill_with(&self, bytes: usize) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).expect("created");
        let mut left = bytes;
        while left > 0 && file.write_all(&[0; 512]).is_ok() {
            left = left.saturating_sub(512);
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Needs the right to mount; without it the three tests above cover the same refusals by other causes, and the
/// writer's own tests cover the full disk.
#[tokio::test]
async fn a_full_disk_stops_all_calls_until_there_is_room_again() {
    let scene = Scene::new().await;
    let Some(disk) = Small::mount(scene.audit.parent().expect("a folder")) else { return };
    let server = scene.setup().start().await;
    assert_eq!(read(&server).await.status, 200);
    for _ in 0..3 {
        let filler = disk.fill();
        // What is left of the last page takes a few lines more.
        let mut last = read(&server).await;
        for _ in 0..50 {
            if last.status != 200 {
                break;
            }
            last = read(&server).await;
        }
        // Either the intent found no room, or the outcome of a call that was made; nothing else may be said.
        let named = match last.json()["error"].clone() {
            serde_json::Value::String(by_the_host) => by_the_host == "outcome_not_recorded",
            _ => reason(&last) == "audit_unavailable",
        };
        assert!(last.status == 503 && named, "{} {}", last.status, last.text());
        refuses(&scene, &server).await;
        std::fs::remove_file(filler).expect("removed");
        heals(&scene, &server).await;
    }
    let stopped = server.stop().await;
    assert_eq!(of_event(&stopped.audit, "audit_disk_full").len(), 3, "{:#?}", events(&stopped.audit));
    assert_eq!(scene.verify().await.0, 0);
    drop(disk);
}

/// Needs the right to mount; without it the writer's own tests cover when a volume counts as nearly full.
#[tokio::test]
async fn on_a_nearly_full_volume_reads_go_on_and_changes_wait() {
    let scene = Scene::new().await;
    let Some(disk) = Small::mount(scene.audit.parent().expect("a folder")) else { return };
    let server = scene
        .setup()
        .set("WRITE_MODE", "true")
        .set("WRITE_REPOSITORY_WHITELIST", "alice/demo")
        .policy("defaults:\n  read: allow\n  write: allow\n")
        .start()
        .await;
    assert_eq!(write(&server).await.status, 200);
    // The reserve and the log are there: a tenth of a megabyte is left.
    let filler = disk.fill_with(4 * 1024 * 1024 - 1024 * 1024 - 160 * 1024);
    until("it is noticed", async || {
        read(&server).await;
        let warnings = server.stranger("GET", "/ready", &[], b"").await.json()["warnings"].clone();
        warnings.as_array().is_some_and(|all| all.contains(&"audit_space_low".into()))
    })
    .await;
    let seen = scene.forge.requests().len();
    let refused = write(&server).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (503, "audit_space_low"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert_eq!(scene.forge.requests().len(), seen, "nothing was asked of Gitea");
    assert_eq!(read(&server).await.status, 200);
    assert!(server.metric("aegis_audit_free_bytes").await < 200.0 * 1024.0);
    std::fs::remove_file(filler).expect("removed");
    until("changes are made again", async || write(&server).await.status == 200).await;
    let stopped = server.stop().await;
    let denied = of_event(&stopped.audit, "access_denied");
    assert!(
        !denied.is_empty() && denied.iter().all(|line| line["reason"] == "audit_space_low"),
        "{denied:?}"
    );
    let told: Vec<_> =
        of_event(&stopped.audit, "audit_space").iter().map(|line| line["state"].clone()).collect();
    assert_eq!(told, ["low", "enough"]);
    let (code, said) = scene.verify().await;
    assert_eq!(code, 0, "{said}");
    drop(disk);
}

#[tokio::test]
async fn a_second_server_on_the_same_log_does_not_start() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let (code, said) = scene.setup().refused().await;
    assert_eq!(code, 75, "{said}");
    let path = scene.audit.display().to_string();
    assert!(said.contains(&path) && said.contains("in use by another process"), "{said}");
    assert_eq!(read(&server).await.status, 200, "the first goes on");
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.setup().start().await.stop().await.code, 0, "and its log is free after it");
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_path_that_can_never_hold_a_log_is_named_with_its_setting() {
    let scene = Scene::new().await;
    let file = scene.folder.0.join("a-file");
    std::fs::write(&file, b"").expect("written");
    let below = file.join("audit.log").display().to_string();
    let folder = scene.folder.0.display().to_string();
    let (pipe, link) = (scene.folder.0.join("pipe.log"), scene.folder.0.join("link.log"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo is there").success());
    std::os::unix::fs::symlink(scene.folder.0.join("nowhere.log"), &link).expect("linked");
    let (pipe, link) = (pipe.display().to_string(), link.display().to_string());
    for path in [below.as_str(), folder.as_str(), pipe.as_str(), link.as_str()] {
        let setup = Setup::new(&scene.forge.url(), SVC_TOKEN).set("AUDIT_LOG_PATH", path);
        let (code, said) = setup.refused().await;
        assert_eq!(code, 1, "{path}: {said}");
        assert!(said.contains("AUDIT_LOG_PATH") && said.contains(path), "{path}: {said}");
    }
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn a_log_that_was_changed_between_two_runs_is_not_continued() {
    let scene = Scene::new().await;
    scene.setup().start().await.stop().await;
    let good = std::fs::read_to_string(&scene.audit).expect("there");
    let changed = [
        ("a line was added", format!("{good}{{\"event\":\"forged\"}}\n")),
        ("a word was changed", good.replacen("log_open", "log_oden", 1)),
        ("a line was taken out", good.lines().skip(1).map(|line| format!("{line}\n")).collect()),
        ("the lines were swapped", good.lines().rev().map(|line| format!("{line}\n")).collect()),
    ];
    for (what, text) in changed {
        std::fs::write(&scene.audit, &text).expect("written");
        assert_eq!(scene.verify().await.0, 1, "{what}");
        let (code, said) = scene.setup().refused().await;
        assert_eq!(code, 1, "{what}: {said}");
        assert!(
            said.contains("changed outside this program") && said.contains("audit verify"),
            "{what}: {said}"
        );
        let after = std::fs::read_to_string(&scene.audit).expect("there");
        assert_eq!(after, text, "{what}: evidence is left as it is");
    }
    std::fs::write(&scene.audit, good).expect("restored");
    assert_eq!(scene.setup().start().await.stop().await.code, 0);
}

#[tokio::test]
async fn a_write_whose_outcome_finds_no_log_is_not_answered_and_its_outcome_is_written_late() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    scene.forge.next_fault(Fault {
        method: Some(hyper::Method::POST),
        path: "/issues".to_owned(),
        kind: FaultKind::Hold,
    });
    let writing = call(&server.url, KEY, WRITE);
    scene.seen("POST", 1).await;
    let aside = scene.folder.0.join("aside.log");
    std::fs::rename(&scene.audit, &aside).expect("moved");
    scene.forge.release(1);
    let answer = writing.await.expect("no panic").expect("an answer");
    assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("outcome_not_recorded")));
    assert!(answer.text().contains("it may have been made"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), None, "nobody is invited to write twice");
    assert!(!answer.text().contains("From a test"), "the result is withheld: {}", answer.text());
    std::fs::rename(&aside, &scene.audit).expect("put back");
    heals(&scene, &server).await;
    let posts: Vec<_> = scene.forge.requests().into_iter().filter(|seen| seen.method == "POST").collect();
    let ticket = posts[0].x_request_id.clone().expect("the ticket's id");
    assert_eq!(posts.len(), 1, "sent once");
    assert!(
        server.log().contains("audit_outcome_late") && server.log().contains(&ticket),
        "{}",
        server.log()
    );
    let lines = server.stop().await.audit;
    let late: Vec<_> =
        lines.iter().filter(|line| line["ticket"] == ticket.as_str() && line["late"] == true).collect();
    assert_eq!(late.len(), 1, "{:#?}", events(&lines));
    let sent = late[0]["calls"].as_array().and_then(|calls| calls.last()).expect("calls");
    assert_eq!((&late[0]["status"], &sent["status"]), (&"success".into(), &201.into()));
    let lines = scene.setup().start().await.stop().await.audit;
    assert!(of_event(&lines, "outcome_unknown").is_empty(), "its outcome is known: {:#?}", events(&lines));
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_flood_of_refusals_is_counted_and_a_flood_of_calls_is_written_whole() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    for _ in 0..140 {
        let answer = server.get("/nowhere").await;
        assert_eq!(answer.status, 404);
    }
    for _ in 0..70 {
        let repository = json!({"owner": "alice", "repo": "demo"});
        assert_eq!(server.tool("get_repository_info", repository).await.status, 200);
    }
    let lines = server.stop().await.audit;
    let refused: Vec<_> = of_event(&lines, "access_denied")
        .into_iter()
        .filter(|line| line["reason"] == "no_such_path")
        .collect();
    let (counted, written): (Vec<_>, Vec<_>) =
        refused.into_iter().partition(|line| line["suppressed"].is_u64());
    assert_eq!((written.len(), counted.len()), (100, 1));
    assert_eq!(counted[0]["suppressed"], 40);
    let calls =
        of_event(&lines, "tool_invocation").into_iter().filter(|line| line["status"] == "success").count();
    assert_eq!(calls, 70);
}
