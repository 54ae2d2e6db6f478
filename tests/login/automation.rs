//! Jobs that people start where they sign in: a job acts as the service account, and reaches no further than the person
//! who started it.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Credential, Forge};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{Server, Setup, of_event, program};
use aegis_tests::sign_in::{Client, Tokens};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

const SECRET: &str = "a-webhook-secret-of-more-than-32-characters";

fn setup(scene: &Scene) -> Setup {
    scene
        .setup()
        .set("GITEA_TOKEN", SVC_TOKEN)
        .set("AUTOMATION_ENABLED", "true")
        .set("WEBHOOK_SECRET", SECRET)
        .writes("alice/demo")
}

async fn run(server: &Server, tokens: &Tokens, owner: &str, repo: &str) -> Answer {
    let bearer = format!("Bearer {}", tokens.access);
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let body = json!({"job": "stale_issue_detection", "owner": owner, "repo": repo}).to_string();
    send(&server.url, "POST", "/automation/jobs/run", &headers, body.as_bytes()).await.expect("an answer")
}

/// Who asked for what, by which credential.
fn story(forge: &Forge) -> Vec<(String, String, Credential)> {
    let told = |seen: aegis_tests::forge::Seen| (seen.path, seen.user.unwrap_or_default(), seen.credential);
    forge.requests().into_iter().map(told).collect()
}

#[tokio::test]
async fn a_job_of_a_person_is_the_accounts_work_after_the_person_was_asked_about() {
    let scene = Scene::new().await;
    let server = setup(&scene).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), true).await;
    scene.forge.forget();
    let answer = run(&server, &bob, "alice", "demo").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = story(&scene.forge);
    let (first, last) = (told.first().expect("asked"), told.last().expect("asked"));
    assert_eq!((first.1.as_str(), first.2), ("bob", Credential::OAuth), "{told:?}");
    assert_eq!((last.1.as_str(), last.2), ("svc", Credential::Pat), "{told:?}");
    let lines = server.audit();
    let of_job: Vec<&Value> = of_event(&lines, "tool_invocation")
        .into_iter()
        .filter(|line| line["tool"] == "automation_stale_issue_detection")
        .collect();
    assert_eq!(of_job.len(), 2, "{of_job:#?}");
    let bob_is = |line: &&Value| line["principal"] == "automation" && line["login"] == "bob";
    assert!(of_job.iter().all(bob_is), "{of_job:#?}");
    assert!(
        of_job.iter().all(|line| line["started_by"].as_str().is_some_and(|who| who.starts_with("gitea-")))
    );
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn a_job_shows_nobody_what_they_may_not_see_also_after_somebody_who_may() {
    let scene = Scene::new().await;
    let server = setup(&scene).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), true).await;
    let carol = client.tokens("carol", &password("carol"), true).await;
    // What Gitea said of bob is remembered for bob.
    assert_eq!(run(&server, &bob, "acme", "vault").await.status, 200);
    scene.forge.forget();
    let answer = run(&server, &carol, "acme", "vault").await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (403, Some("repository_permission_denied")),
        "{}",
        answer.text()
    );
    let told = story(&scene.forge);
    assert!(told.iter().all(|(_, who, by)| who != "svc" || *by != Credential::Pat), "{told:?}");
    let reasons: Vec<Value> = server.audit().iter().map(|line| line["reason"].clone()).collect();
    assert!(reasons.contains(&json!("repository_permission_denied")), "{reasons:?}");
}

#[tokio::test]
async fn an_operator_runs_a_job_where_people_sign_in_as_the_service_account() {
    let scene = Scene::new().await;
    let server = setup(&scene).start().await;
    scene.forge.forget();
    let audit = server.audit_path().display().to_string();
    let storage = scene.folder().join("registry").join("dcr_clients.json").display().to_string();
    let places = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", storage.as_str())];
    let arguments = ["jobs", "run", "stale_issue_detection", "--repo", "alice/demo"];
    let (code, out, err) = program(&arguments, &places).await;
    assert!(code == 0 && out.starts_with("alice/demo: "), "{code} {out} {err}");
    let told = story(&scene.forge);
    assert!(
        !told.is_empty() && told.iter().all(|(_, who, by)| who == "svc" && *by == Credential::Pat),
        "{told:?}"
    );
    let lines = server.audit();
    let of_job = of_event(&lines, "tool_invocation");
    assert_eq!(of_job.len(), 2, "{of_job:#?}");
    let automatic = |line: &&Value| {
        line["principal"] == "automation" && line["started_by"] == "command" && line.get("login").is_none()
    };
    assert!(of_job.iter().all(automatic), "{of_job:#?}");
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn who_was_granted_reading_alone_starts_no_job() {
    let scene = Scene::new().await;
    let server = setup(&scene).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    scene.forge.forget();
    let answer = run(&server, &bob, "alice", "demo").await;
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (403, Some("insufficient_scope")),
        "{}",
        answer.text()
    );
    assert!(answer.header("www-authenticate").is_some_and(|text| text.contains("write:repository")));
    assert!(scene.forge.requests().is_empty());
}
