//! Jobs, started by name: what a repository's manifests leave to chance, and the one issue about it.

use aegis_tests::server::Setup;
use serde_json::{Value, json};

use crate::place::{Ground, Who, everything_writable};
use crate::push::push;
use crate::stand::Stand;

/// Where no other journey looks at the files.
const PLACE: &str = "alice/private";
const CARGO: &str = "[dependencies]\nany = \"*\"\n\n[dependencies.x]\ngit = \"https://git.example/@all/x\"\n";
const DOCKER: &str = "FROM node\n";
const FLOW: &str =
    "on: workflow_dispatch\njobs: {a: {runs-on: none, steps: [{uses: actions/checkout@main}]}}\n";

fn automatic(setup: Setup) -> Setup {
    setup
        .set("AUTOMATION_ENABLED", "true")
        .set("WEBHOOK_SECRET", "a-webhook-secret-of-more-than-32-characters")
        .set("AUTOMATION_JOBS", "dependency_hygiene_scan,auto_issue_creation")
}

/// Put files into the default branch, beside what is there.
async fn commit(ground: &Ground, stand: &Stand, files: &[(&str, &str)]) {
    let (owner, name) = PLACE.split_once('/').expect("owner/name");
    let repo = format!("{}/{name}", stand.login(owner));
    match ground {
        Ground::Forge(_) => stand.forge.as_ref().expect("a forge").push(&repo, files),
        Ground::Real(world) => {
            push(&world.url, &format!("Bearer {}", world.tokens[&Who::Alice]), &repo, files).await;
        }
    }
}

async fn run(stand: &Stand, job: &str, apply: bool) -> Value {
    let mut asked = stand.at(PLACE, json!({ "job": job }));
    asked["apply"] = apply.into();
    let kind = [("content-type", "application/json")];
    let answer = stand.server.ask("POST", "/automation/jobs/run", &kind, asked.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{job}: {}", answer.text());
    answer.json()["result"].clone()
}

/// Writes off: both jobs report. Writes on: one issue, found again, brought up to date, left closed, opened again.
pub async fn keeps_one_issue_for_what_it_finds(ground: Ground) {
    let stand = ground.stand(Who::Alice, automatic).await;
    commit(
        &ground,
        &stand,
        &[("Cargo.toml", CARGO), ("Dockerfile", DOCKER), (".gitea/workflows/x.yml", FLOW)],
    )
    .await;
    let report = run(&stand, "dependency_hygiene_scan", false).await;
    let rows = report["findings"].as_array().expect("a list").iter();
    let found: Vec<String> =
        rows.map(|row| format!("{} {}:{}", row["rule"], row["path"], row["line"]).replace('"', "")).collect();
    assert_eq!(
        found,
        [
            "git_without_revision Cargo.toml:4",
            "action_by_branch .gitea/workflows/x.yml:2",
            "floating_image_tag Dockerfile:1",
            "wildcard_version Cargo.toml:2",
            "missing_lock_file Cargo.toml:null",
        ],
        "{report}"
    );
    assert_eq!(run(&stand, "auto_issue_creation", false).await["action"], "open");
    stand.end().await;

    let stand = ground.stand(Who::Alice, |setup| automatic(everything_writable(setup))).await;
    commit(
        &ground,
        &stand,
        &[("Cargo.toml", CARGO), ("Dockerfile", DOCKER), (".gitea/workflows/x.yml", FLOW)],
    )
    .await;
    let opened = run(&stand, "auto_issue_creation", true).await;
    assert_eq!((&opened["action"], &opened["not_applied"]), (&json!("open"), &json!([])), "{opened}");
    let number = opened["issue"]["number"].clone();
    let here = stand.at(PLACE, json!({ "issue_number": number }));
    let issue = stand.read("get_issue", here.clone()).await["issue"].clone();
    assert_eq!(
        (&issue["title"], &issue["author"]),
        (&json!("Dependency hygiene: 5 findings"), &json!(stand.login("alice")))
    );
    assert!(
        issue["body"].as_str().is_some_and(|body| body.contains("`Dockerfile` line 1: `node`")),
        "{issue}"
    );
    assert_eq!(run(&stand, "auto_issue_creation", true).await["action"], "unchanged");

    commit(
        &ground,
        &stand,
        &[("Cargo.toml", CARGO), ("Dockerfile", "FROM node:22\n"), (".gitea/workflows/x.yml", FLOW)],
    )
    .await;
    let updated = run(&stand, "auto_issue_creation", true).await;
    assert_eq!((&updated["action"], &updated["issue"]["number"]), (&json!("update"), &number), "{updated}");
    assert_eq!(
        stand.read("get_issue", here.clone()).await["issue"]["title"],
        "Dependency hygiene: 4 findings"
    );

    let mut close = here.clone();
    close["state"] = "closed".into();
    stand.once(crate::wire::Wire::Legacy, "update_issue", &close).await;
    assert_eq!(run(&stand, "auto_issue_creation", true).await["action"], "left_closed");
    commit(
        &ground,
        &stand,
        &[("Cargo.toml", CARGO), ("Dockerfile", "FROM other\n"), (".gitea/workflows/x.yml", FLOW)],
    )
    .await;
    let again = run(&stand, "auto_issue_creation", true).await;
    assert_eq!((&again["action"], &again["issue"]["state"]), (&json!("reopen"), &json!("open")), "{again}");
    assert_eq!(again["issue"]["number"], number);
    stand.end().await;
}
