//! A guest that tries to be `automation` where nobody made it so: with signatures that it made up, by a delivery that was
//! taken, from a caller who may not, and beyond the repository that it was let into.

use aegis_tests::http::Answer;
use aegis_tests::server::{Server, of_event};
use ring::hmac;
use serde_json::{Value, json};

use crate::jobs::{SECRET, jobs, on};
use crate::scene::Scene;

/// What the guest sends as a delivery.
const BODY: &[u8] = br#"{"repository":{"name":"demo","owner":{"login":"alice"}}}"#;
const OUTSIDE: &str = "the delivery is about another repository";

fn signature() -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), BODY);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn hostile(scene: &Scene) -> Server {
    on(scene.setup()).guest("hostile.wasm").start().await
}

async fn attempt(server: &Server, path: &str) -> Answer {
    let signed = signature();
    server.ask("GET", path, &[("x-gitea-signature", &signed)], b"").await
}

/// How often the host has given this answer.
fn named(told: &str, name: &str) -> usize {
    told.matches(&format!("name: \"{name}\"")).count()
}

#[tokio::test]
async fn without_a_signature_of_gitea_nobody_is_automation() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    let told = attempt(&server, "/automation/forge").await.text();
    assert!(named(&told, "forged") == 6 && !told.contains("VERIFIED"), "{told}");
    let told = attempt(&server, "/automation/another-body").await.text();
    assert!(named(&told, "forged") == 1, "a signature is that of its own body: {told}");
    let told = attempt(&server, "/automation/replay").await.text();
    assert!(told.starts_with("VERIFIED ") && named(&told, "replayed") == 1, "{told}");
    let answer = attempt(&server, "/automation/forged-start").await;
    assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("internal_error")));
    assert!(scene.forge.requests().is_empty());
    let lines = server.stop().await.audit;
    assert!(of_event(&lines, "tool_invocation").is_empty(), "{lines:#?}");
}

#[tokio::test]
async fn where_automation_is_off_there_is_nobody_to_be() {
    let scene = Scene::new().await;
    let server = scene.setup().guest("hostile.wasm").start().await;
    let told = attempt(&server, "/automation/replay").await.text();
    assert!(named(&told, "disabled") == 2 && !told.contains("VERIFIED"), "{told}");
    let told = attempt(&server, "/automation/start").await.text();
    assert!(named(&told, "not-permitted") == 1, "{told}");
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn a_job_starts_no_job_and_nobody_starts_one_without_a_credential() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    assert_eq!(attempt(&server, "/automation/start").await.text(), "STARTED");
    let told = attempt(&server, "/automation/start-again").await.text();
    assert!(named(&told, "not-permitted") == 1, "{told}");
    let told = server.stranger("GET", "/automation/start", &[], b"").await.text();
    assert!(told.contains("unknown"), "{told}");
    let told = server.stranger("GET", "/automation/jobs/run", &[], b"").await.text();
    assert!(told.contains("unknown"), "no request is the command that the host runs: {told}");
    assert!(scene.forge.requests().is_empty());
}

/// What a caller tied to alice/demo came to with all it tried.
fn assert_tied(told: &[&str]) {
    let [elsewhere, nowhere, other, person, here, write] = told else { panic!("{told:?}") };
    assert_eq!((*elsewhere, *nowhere), (OUTSIDE, OUTSIDE), "no ticket: {told:?}");
    for refused in [other, person, write] {
        assert!(!refused.contains("status"), "it was sent: {told:?}");
    }
    assert_eq!(*here, "status 200", "{told:?}");
}

#[tokio::test]
async fn a_delivery_is_good_in_its_repository_and_nowhere_else() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    let told = attempt(&server, "/automation/beyond").await.text();
    assert_tied(&told.split(" | ").collect::<Vec<_>>());
    let sent: Vec<String> = scene.forge.requests().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(sent, ["/api/v1/repos/alice/demo"]);
    let lines = server.stop().await.audit;
    let outside: Vec<&Value> = lines
        .iter()
        .filter(|line| line["reason"] == "outside_of_delivery")
        .map(|line| &line["principal"])
        .collect();
    assert_eq!(outside, [&json!("automation"), &json!("automation")]);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn only_a_delivery_on_record_hands_a_job_to_the_host_and_once() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    let told = attempt(&server, "/automation/hand-over").await.text();
    assert_eq!(told, "[false, false, false, false, true, false]");
}

#[tokio::test]
async fn a_credential_beside_a_delivery_adds_nothing_to_it() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    let told = attempt(&server, "/automation/somebody-else").await.text();
    let expected = format!("automation {OUTSIDE}");
    assert!(named(&told, "not-permitted") == 1 && told.ends_with(&expected), "{told}");
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn a_command_and_what_it_starts_are_good_in_the_named_repository_alone() {
    let scene = Scene::new().await;
    let server = hostile(&scene).await;
    let (code, out, err) = jobs(&server, &["run", "stale_issue_detection", "--repo", "alice/demo"]).await;
    assert_eq!(code, 0, "{err}");
    let told: Vec<&str> = out.lines().next().unwrap_or_default().split(" | ").collect();
    let [command, of_command @ .., job, a, b, c, d, e, f] = told.as_slice() else { panic!("{out}") };
    assert_eq!((*command, *job), ("command", "automation"), "{out}");
    assert_tied(of_command);
    assert_tied(&[a, b, c, d, e, f]);
    let paths: Vec<String> = scene.forge.requests().iter().map(|seen| seen.path.clone()).collect();
    assert_eq!(paths, ["/api/v1/repos/alice/demo", "/api/v1/repos/alice/demo"]);
    let lines = server.stop().await.audit;
    let whose: Vec<(&Value, &Value)> = of_event(&lines, "tool_invocation")
        .into_iter()
        .map(|line| (&line["principal"], &line["started_by"]))
        .collect();
    assert!(whose.contains(&(&json!("automation"), &json!("command"))), "{whose:?}");
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}
