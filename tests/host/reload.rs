//! At SIGHUP and when the file changes: a good policy holds from then on, a bad one changes nothing, and both are on
//! record.

use aegis_tests::server::{KEY, Server, of_event};
use serde_json::{Value, json};

use crate::scene::{READ, Scene, call, until};

const OPEN: &str = "defaults:\n  read: allow\n  write: deny\n";
const SHUT: &str = "defaults:\n  read: deny\n  write: deny\n";

async fn in_force(server: &Server) -> String {
    let ready = server.stranger("GET", "/ready", &[], b"").await.json();
    ready["policy"].as_str().expect("a digest").to_owned()
}

fn write(server: &Server, policy: &str) {
    std::fs::write(server.folder().join("policy.yaml"), policy).expect("written");
}

async fn status(server: &Server) -> u16 {
    call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status
}

fn told(lines: &[Value], reason: &str) -> Vec<Value> {
    let of_it = of_event(lines, "security_event").into_iter().filter(|line| line["reason"] == reason);
    of_it.map(|line| line["detail"].clone()).collect()
}

/// The member `policy` of such lines.
fn policies<'l>(lines: &'l [Value], reason: &str) -> Vec<&'l str> {
    let of_it = of_event(lines, "security_event").into_iter().filter(|line| line["reason"] == reason);
    of_it.map(|line| line["policy"].as_str().expect("a digest")).collect()
}

#[tokio::test]
async fn a_pipe_in_place_of_the_policy_is_a_failed_reload_and_the_next_goes_on() {
    let scene = Scene::new().await;
    let server = scene.setup().policy(OPEN).set("POLICY_WATCH", "false").start().await;
    let before = in_force(&server).await;
    let path = server.folder().join("policy.yaml");
    std::fs::remove_file(&path).expect("removed");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    server.signal("HUP").await;
    let failures = "aegis_policy_reloads_total{outcome=\"failed\"}";
    until("it is counted", async || server.metric(failures).await > 0.5).await;
    assert_eq!((in_force(&server).await, status(&server).await), (before.clone(), 200));
    std::fs::remove_file(&path).expect("removed");
    write(&server, SHUT);
    server.signal("HUP").await;
    until("the other policy is in force", async || in_force(&server).await != before).await;
    assert_eq!(status(&server).await, 403);
    let stopped = server.stop().await;
    let failed = told(&stopped.audit, "policy_reload_failed");
    assert!(
        failed.len() == 1 && failed[0]["problem"].as_str().is_some_and(|why| why.contains("no regular file")),
        "{failed:?}"
    );
    assert_eq!(told(&stopped.audit, "policy_reloaded").len(), 1);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_good_policy_is_in_force_from_then_on() {
    let scene = Scene::new().await;
    let server = scene.setup().policy(OPEN).set("POLICY_WATCH", "false").start().await;
    assert_eq!(status(&server).await, 200);
    let before = in_force(&server).await;
    write(&server, SHUT);
    assert_eq!((status(&server).await, in_force(&server).await), (200, before.clone()), "not read by itself");
    let seen = scene.forge.requests().len();
    server.signal("HUP").await;
    until("the other policy is in force", async || in_force(&server).await != before).await;
    let after = in_force(&server).await;
    assert_eq!(status(&server).await, 403);
    assert_eq!(scene.forge.requests().len(), seen, "what is denied reaches nobody");
    assert!((server.metric(&format!("aegis_policy_info{{digest=\"{after}\"}}")).await - 1.0).abs() < 0.5);
    assert!((server.metric("aegis_policy_reloads_total{outcome=\"done\"}").await - 1.0).abs() < 0.5);
    // The same once more is nothing new.
    server.signal("HUP").await;
    until("it is said", async || server.log().contains("policy_unchanged")).await;
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(
        told(&stopped.audit, "policy_reloaded"),
        [json!({"before": before, "after": after, "by": "signal"})]
    );
    assert_eq!(policies(&stopped.audit, "policy_reloaded"), [&after[..16]]);
    let denied = of_event(&stopped.audit, "access_denied");
    assert!(after.starts_with(denied[0]["policy"].as_str().expect("a digest")), "{denied:?}");
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_policy_with_a_mistake_or_none_at_all_changes_nothing() {
    let scene = Scene::new().await;
    let server = scene.setup().policy(OPEN).set("POLICY_WATCH", "false").start().await;
    let before = in_force(&server).await;
    write(&server, "defaults:\n  read: deny\n  wriet: deny\n");
    server.signal("HUP").await;
    let failures = "aegis_policy_reloads_total{outcome=\"failed\"}";
    until("it is counted", async || server.metric(failures).await > 0.5).await;
    assert_eq!((in_force(&server).await, status(&server).await), (before.clone(), 200));
    assert!(server.log().contains("policy.yaml:3:"), "line and column: {}", server.log());
    std::fs::remove_file(server.folder().join("policy.yaml")).expect("removed");
    server.signal("HUP").await;
    until("it is counted", async || server.metric(failures).await > 1.5).await;
    assert_eq!((in_force(&server).await, status(&server).await), (before.clone(), 200));
    let stopped = server.stop().await;
    let told = told(&stopped.audit, "policy_reload_failed");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|detail| detail["in_force"] == before.as_str()), "{told:?}");
    assert_eq!(policies(&stopped.audit, "policy_reload_failed"), [&before[..16]; 2]);
    assert!(
        told[0]["problem"].as_str().is_some_and(|problem| problem.contains("policy.yaml:3:")),
        "{told:?}"
    );
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn without_a_policy_file_there_is_nothing_to_read_again() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    server.signal("HUP").await;
    until("it is said", async || server.log().contains("policy_not_reloaded")).await;
    assert_eq!(status(&server).await, 200);
    assert_eq!(server.stop().await.code, 0);
}

/// Wait for another policy than this one, and return its digest.
async fn another(server: &Server, than: &str) -> String {
    until("another policy is in force", async || in_force(server).await != than).await;
    in_force(server).await
}

#[tokio::test]
async fn a_file_that_changes_is_read_by_itself_however_it_was_written() {
    let scene = Scene::new().await;
    let server = scene.setup().policy(OPEN).start().await;
    let first = in_force(&server).await;
    // In place, as an editor or `cp` does.
    write(&server, SHUT);
    let second = another(&server, &first).await;
    assert_eq!(status(&server).await, 403);
    // Beside it and renamed.
    let beside = server.folder().join("policy.yaml.new");
    std::fs::write(&beside, OPEN).expect("written");
    std::fs::rename(&beside, server.folder().join("policy.yaml")).expect("renamed");
    assert_eq!(another(&server, &second).await, first);
    assert_eq!(status(&server).await, 200);
    // A mistake changes nothing; what mends it does.
    write(&server, "defaults:\n  raed: deny\n");
    let failures = "aegis_policy_reloads_total{outcome=\"failed\"}";
    until("it is counted", async || server.metric(failures).await > 0.5).await;
    assert_eq!((in_force(&server).await, status(&server).await), (first.clone(), 200));
    write(&server, SHUT);
    assert_eq!(another(&server, &first).await, second);
    let stopped = server.stop().await;
    let by_file = |before: &str, after: &str| json!({"before": before, "after": after, "by": "file"});
    let reloads = [by_file(&first, &second), by_file(&second, &first), by_file(&first, &second)];
    assert_eq!(told(&stopped.audit, "policy_reloaded"), reloads);
    let failed = told(&stopped.audit, "policy_reload_failed");
    assert_eq!((failed.len(), &failed[0]["by"]), (1, &json!("file")), "{failed:?}");
    assert!(
        failed[0]["problem"].as_str().is_some_and(|why| why.contains("did you mean \"read\"?")),
        "{failed:?}"
    );
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_volume_that_is_swapped_by_a_link_and_a_file_that_is_gone_are_noticed() {
    use std::os::unix::fs::symlink;
    let scene = Scene::new().await;
    let mount = scene.folder.0.join("mount");
    for (version, text) in [("v1", OPEN), ("v2", SHUT)] {
        std::fs::create_dir_all(mount.join(version)).expect("a folder");
        std::fs::write(mount.join(version).join("policy.yaml"), text).expect("written");
    }
    symlink("v1", mount.join("..data")).expect("a link");
    symlink("..data/policy.yaml", mount.join("policy.yaml")).expect("a link");
    let path = mount.join("policy.yaml").display().to_string();
    let server = scene.setup().set("POLICY_FILE_PATH", &path).start().await;
    let first = in_force(&server).await;
    assert_eq!(status(&server).await, 200);
    symlink("v2", mount.join("..data_tmp")).expect("a link");
    std::fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("renamed");
    let second = another(&server, &first).await;
    assert_eq!(status(&server).await, 403);
    std::fs::remove_file(mount.join("v2").join("policy.yaml")).expect("removed");
    let failures = "aegis_policy_reloads_total{outcome=\"failed\"}";
    until("it is counted", async || server.metric(failures).await > 0.5).await;
    assert_eq!((in_force(&server).await, status(&server).await), (second, 403));
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}
