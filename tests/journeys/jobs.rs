//! The journey of the three jobs: each run by schedule, by command and by a webhook that Gitea delivers, first with writes
//! off and then with writes on, at the sample Gitea and, where `AEGIS_TEST_GITEA_URL` and `AEGIS_TEST_GITEA_ADMIN` name one,
//! at a real one. Of each of these eighteen runs it asserts what it is told to have found, what is on record, and what has
//! become of the issues.
//!
//! A real Gitea must deliver to loopback addresses (`[webhook] ALLOWED_HOST_LIST = loopback`). Its API makes no issue old, so
//! there `AEGIS_TEST_GITEA_SQL` names a shell command that runs what it reads on its standard input on Gitea's database,
//! such as `sqlite3 gitea.db`; without it every way to start the job is walked, and it finds nothing to mark. Nothing is
//! removed afterwards.

mod place;
mod proof;

use aegis_tests::server::{Server, Setup};
use serde_json::{Value, json};

use place::{Issue, Place, SECRET};
use proof::{Way, command, proved};

const STALE: &str = "stale_issue_detection";
const SCAN: &str = "dependency_hygiene_scan";
const ISSUE: &str = "auto_issue_creation";
const JOBS: [&str; 3] = [STALE, SCAN, ISSUE];
/// What the comment of one job and the issue of another are known by.
const MARK_OF_COMMENT: &str = "<!-- aegis: stale_issue_detection";
const MARK_OF_ISSUE: &str = "<!-- aegis: auto_issue_creation";
/// A time that does not come while a test runs.
const SELDOM: &str = "0 0 29 2 *";

/// Files that leave something to chance, and what the scan says of them.
const BEGINNING: [(&str, &str); 2] =
    [("Cargo.toml", "[dependencies]\nany = \"*\"\n"), ("Dockerfile", "FROM node\n")];
const DOCKER: &str = "floating_image_tag Dockerfile";
const WEB: &str = "floating_image_tag web/Dockerfile";
const WILDCARD: &str = "wildcard_version Cargo.toml";
const LOCK: &str = "missing_lock_file Cargo.toml";

/// One way of starting all jobs, and what there is for them to find.
struct Round<'a> {
    way: Way,
    /// The issue that is old and not marked yet.
    stale: u64,
    found: &'a [&'static str],
    /// What becomes of the issue about findings.
    said: &'static str,
}

impl Place {
    /// A server that finds the times of its schedules missed, and makes up for them at once.
    async fn server(&self, writes: bool) -> Server {
        let setup = Setup::new(&self.url, &self.service_token)
            .set("AUTOMATION_ENABLED", "true")
            .set("WEBHOOK_SECRET", SECRET)
            .set("AUTOMATION_JOBS", &JOBS.join(","))
            .set("AUTOMATION_SCHEDULER_ENABLED", "true")
            .set("AUTOMATION_SCHEDULER_RUN_MISSED", "true")
            .set("AUTOMATION_REPOSITORIES", &self.repository());
        let schedule = |job: &str| format!("AUTOMATION_SCHEDULE_{}", job.to_uppercase());
        let setup = JOBS.iter().fold(setup, |setup, job| setup.set(&schedule(job), SELDOM));
        let setup = if writes { setup.writes(&self.repository()) } else { setup };
        let done = json!({"scheduled": {"schedule": SELDOM, "through": "2024-01-01T00:00:00.000Z"}});
        let jobs: Value = JOBS.iter().map(|job| ((*job).to_owned(), done.clone())).collect();
        let kept = json!({"version": 1, "jobs": jobs});
        let file = format!("{}.jobs.json", setup.audit_path().display());
        std::fs::write(file, kept.to_string()).expect("written");
        setup.start().await
    }
}

/// Rules and places of what a scan has found.
fn rules(report: &Value) -> Vec<String> {
    let rows = report["findings"].as_array().expect("a list").iter();
    rows.map(|row| format!("{} {}", row["rule"], row["path"]).replace('"', "")).collect()
}

/// The three runs of a round, each with its lines and its report. How many were shown.
async fn runs(server: &Server, place: &Place, round: &Round<'_>, writes: bool) -> usize {
    let mut held = 0;
    for job in JOBS {
        let printed = match round.way {
            Way::Command => Some(command(server, place, job, writes && job != SCAN).await),
            Way::Schedule | Way::Webhook => None,
        };
        let report = proved(server, place, job, round.way, writes).await;
        if let Some(printed) = printed {
            assert_eq!(printed["correlation_id"], report["correlation_id"], "{printed}");
            assert_eq!(printed["report"]["text"], report["text"]);
        }
        let text = report["text"].as_str().expect("a text");
        if job == STALE {
            let found = usize::from(place.ages());
            let numbers = report["findings"].as_array().expect("a list").iter().map(|row| &row["number"]);
            let expected = vec![json!(round.stale); found];
            assert_eq!(numbers.cloned().collect::<Vec<_>>(), expected, "{:?}: {report}", round.way);
            assert!(text.contains(&format!("{found} open issues untouched for 30 days.")), "{text}");
            assert!(!writes || text.contains(&format!("{found} marked in this run")), "{text}");
            // Where nothing can be made old it was not shown that anything is marked.
            held += usize::from(place.ages() || !writes);
        } else {
            assert_eq!(rules(&report), round.found, "{:?} {job}: {report}", round.way);
            assert!(text.contains(&format!("{} findings (", round.found.len())), "{text}");
            assert!(job == SCAN || text.contains(round.said), "{:?}: {text}", round.way);
            held += 1;
        }
    }
    held
}

/// With writes off each way reports, and nothing in Gitea is another than before.
async fn reports(place: &Place, stale: u64) -> usize {
    let before = place.issues().await;
    let server = place.server(false).await;
    let mut held = 0;
    for way in [Way::Schedule, Way::Command, Way::Webhook] {
        let mut fresh = None;
        if way == Way::Webhook {
            place.hook(&server.url).await;
            fresh = Some(place.open("Opened while writes are off").await);
            place.push(&[("notes.txt", "No manifest.\n")]).await;
        }
        let said = "With writes it would open an issue.";
        let round = Round { way, stale, found: &[DOCKER, WILDCARD, LOCK], said };
        held += runs(&server, place, &round, false).await;
        let mut after = place.issues().await;
        after.retain(|issue| Some(issue.number) != fresh);
        assert_eq!(after, before, "{}: {way:?} changes nothing while writes are off", place.version);
    }
    place.unhook().await;
    ended(server, place).await;
    held
}

/// Every issue that was old bears the label and one comment, and nothing else does; there is one issue about the findings.
async fn assert_done(place: &Place, marked: &[u64], count: usize, known: Option<u64>) -> u64 {
    let issues = place.issues().await;
    for issue in &issues {
        let is_marked = place.ages() && marked.contains(&issue.number);
        let labels: &[&str] = if is_marked { &["stale"] } else { &[] };
        assert_eq!(issue.labels, labels, "{}: {issue:?}", place.version);
        let ours = issue.comments.iter().filter(|text| text.contains(MARK_OF_COMMENT)).count();
        assert_eq!((ours, issue.comments.len()), (labels.len(), labels.len()), "{issue:?}");
    }
    let ours: Vec<&Issue> = issues.iter().filter(|issue| issue.body.contains(MARK_OF_ISSUE)).collect();
    let [issue] = ours.as_slice() else { panic!("one issue, and no second one: {issues:#?}") };
    assert_eq!((&issue.author, issue.state.as_str()), (&place.service, "open"), "{issue:?}");
    assert_eq!(issue.title, format!("Dependency hygiene: {count} findings"));
    assert_eq!(known.unwrap_or(issue.number), issue.number, "it is the same one");
    issue.number
}

/// With writes on each way marks the issue that is old by then, and opens the one issue or brings it up to date.
async fn acts(place: &Place, first: u64) -> usize {
    let server = place.server(true).await;
    let opened = "An issue was opened.";
    let round = Round { way: Way::Schedule, stale: first, found: &[DOCKER, WILDCARD, LOCK], said: opened };
    let mut held = runs(&server, place, &round, true).await;
    let issue = assert_done(place, &[first], 3, None).await;

    let second = place.old("Nor at this").await;
    place.push(&[("Dockerfile", "FROM node:22\n")]).await;
    let updated = "The issue was brought up to date.";
    let round = Round { way: Way::Command, stale: second, found: &[WILDCARD, LOCK], said: updated };
    held += runs(&server, place, &round, true).await;
    assert_done(place, &[first, second], 2, Some(issue)).await;

    let third = place.old("And at this neither").await;
    place.hook(&server.url).await;
    place.open("Opened while writes are on").await;
    place.push(&[("web/Dockerfile", "FROM debian\n")]).await;
    let round = Round { way: Way::Webhook, stale: third, found: &[WEB, WILDCARD, LOCK], said: updated };
    held += runs(&server, place, &round, true).await;
    assert_done(place, &[first, second, third], 3, Some(issue)).await;
    place.unhook().await;

    let again = command(&server, place, ISSUE, true).await;
    assert_eq!(again["report"]["action"], "unchanged", "{again}");
    let again = command(&server, place, STALE, true).await;
    assert_eq!(again["report"]["marked"], json!([]), "{again}");
    assert_done(place, &[first, second, third], 3, Some(issue)).await;
    ended(server, place).await;
    held
}

/// The server ends well, and its log tells no secret.
async fn ended(server: Server, place: &Place) {
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert!(!stopped.log.contains(SECRET) && !stopped.log.contains(&place.service_token));
}

/// How many of the eighteen runs were shown.
async fn walk(place: &Place) -> usize {
    place.by_owner("POST", "/labels", json!({"name": "stale", "color": "#cccccc"})).await;
    place.push(&BEGINNING).await;
    let first = place.old("Nobody has looked at this").await;
    reports(place, first).await + acts(place, first).await
}

#[tokio::test]
async fn every_job_runs_by_schedule_command_and_webhook_at_the_sample_gitea() {
    let place = Place::forge().await;
    assert_eq!(walk(&place).await, 18);
    let forge = place.forge.as_ref().expect("a sample Gitea");
    assert!(forge.violations().is_empty(), "{:?}", forge.violations());
}

#[tokio::test]
async fn every_job_runs_by_schedule_command_and_webhook_at_a_real_gitea() {
    let report = match Place::real().await {
        Some(place) => {
            let held = walk(&place).await;
            json!({ "journey": "jobs", "gitea": place.version, "run": held, "passed": held, "skipped": 18 - held })
        }
        None => json!({ "journey": "jobs", "gitea": null, "run": 0, "passed": 0, "skipped": 1,
            "why": "AEGIS_TEST_GITEA_URL names no real Gitea" }),
    };
    println!("{report}");
}
