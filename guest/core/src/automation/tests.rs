//! Deliveries and jobs in a world whose Gitea is in memory.

use http::HeaderMap;
use serde_json::{Value, json};

use super::{Desk, Failed, Refused, run, webhook};
use crate::ports::{Class, Method, Status};
use crate::settings::{Automation, Config};
use crate::tools::fake::{OPEN_POLICY, Route, World, claims};
use crate::tools::jobs::JOBS;

/// Three months before the world's now.
const LONG_AGO: &str = "2026-06-21T10:00:00Z";
const YESTERDAY: &str = "2026-09-20T10:00:00Z";
const BOTH: &[&str] = &["read:repository", "write:repository"];

fn issue(number: u64, updated: &str, labels: &[&str]) -> Value {
    let labels: Vec<Value> = labels.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "number": number, "title": format!("Issue {number}"), "state": "open", "updated_at": updated,
        "user": { "login": "ada" }, "labels": labels, "html_url": format!("https://git.example.test/{number}"),
    })
}

/// A repository with issues, the label, and room for changes.
fn repository(world: World) -> World {
    let list = json!([
        issue(1, LONG_AGO, &["bug"]),
        issue(2, YESTERDAY, &[]),
        issue(3, LONG_AGO, &["Stale"]),
        issue(4, "2026-08-21T23:59:59Z", &[]),
    ]);
    let marked = json!([{ "name": "bug" }, { "name": "stale" }]);
    world
        .on("GET /repos/acme/site", json!({ "name": "site" }))
        .on("GET /repos/acme/site/issues", list)
        .on("GET /repos/acme/site/labels", json!([{ "id": 9, "name": "stale" }]))
        .on("POST /repos/acme/site/issues/1/labels", marked.clone())
        .on("POST /repos/acme/site/issues/4/labels", marked)
        .route(Route::new("POST /repos/acme/site/issues/1/comments", 201, json!({ "id": 1 })))
        .route(Route::new("POST /repos/acme/site/issues/4/comments", 201, json!({ "id": 2 })))
}

fn asked(body: &Value) -> run::Asked {
    run::Asked::read(body.to_string().as_bytes()).unwrap()
}

fn stale(apply: bool) -> run::Asked {
    asked(&json!({ "job": "stale_issue_detection", "owner": "acme", "repo": "site", "apply": apply }))
}

fn go(world: &World, asked: &run::Asked, scopes: &[&str]) -> Result<Result<Value, Failed>, Refused> {
    let config = world.config();
    let desk = Desk { ports: world.ports(), config: &config, request_id: "req-1" };
    let ran = run::run(&desk, world, &claims(scopes), asked)?;
    Ok(ran.map(|ran| ran.report.structured))
}

/// Why a run came to nothing, by name.
fn reason(world: &World, asked: &run::Asked) -> String {
    go(world, asked, BOTH).unwrap().unwrap_err().error.reason().to_owned()
}

#[test]
fn a_report_names_what_is_stale_and_changes_nothing() {
    let world = repository(World::open());
    let report = go(&world, &stale(false), BOTH).unwrap().unwrap();
    let numbers: Vec<&Value> = report["stale"].as_array().unwrap().iter().map(|row| &row["number"]).collect();
    assert_eq!(numbers, [1, 3, 4]);
    assert_eq!(
        (&report["complete"], &report["untouched_since"]),
        (&json!(true), &json!("2026-08-22T00:00:00Z"))
    );
    let text = report["text"].as_str().unwrap();
    assert!(text.starts_with("acme/site: 3 open issues untouched for 30 days.\n#1 Issue 1 (last"), "{text}");
    assert!(world.written().is_empty());
    let state = world.state.borrow();
    let (intent, outcome) = (&state.events[0], &state.outcomes[0]);
    assert_eq!((intent.tool.as_str(), intent.class), ("automation_stale_issue_detection", Class::Read));
    assert_eq!((intent.owner.as_deref(), outcome.status), (Some("acme"), Status::Success));
    assert_eq!(state.order.first(), Some(&"intent"), "nothing is asked before the intent is on record");
}

#[test]
fn the_age_is_the_operators_to_say() {
    let world = repository(World::with(OPEN_POLICY, &[("AUTOMATION_STALE_DAYS", "60")]));
    let report = go(&world, &stale(false), BOTH).unwrap().unwrap();
    assert_eq!(report["stale"].as_array().unwrap().len(), 2, "{report}");
}

#[test]
fn marking_labels_first_comments_then_and_leaves_alone_what_bears_the_label() {
    let world = repository(World::open());
    let report = go(&world, &stale(true), BOTH).unwrap().unwrap();
    let marked: Vec<&Value> = report["marked"].as_array().unwrap().iter().map(|row| &row["number"]).collect();
    assert_eq!((marked, &report["waiting"]), (vec![&json!(1), &json!(4)], &json!(0)));
    let written = world.written();
    let lines: Vec<(Method, String)> =
        written.iter().map(|request| (request.method, request.segments.join("/"))).collect();
    let each = |number: &str| (Method::Post, format!("acme/site/{number}"));
    assert_eq!(lines, [each("1"), each("1"), each("4"), each("4")]);
    let body = |nth: usize| String::from_utf8(written[nth].body.clone().unwrap()).unwrap();
    assert_eq!(body(0), r#"{"labels":[9]}"#);
    assert!(body(1).contains("30 days") && body(1).contains("aegis: stale_issue_detection"), "{}", body(1));
}

#[test]
fn one_run_marks_so_many_and_says_how_many_wait() {
    let list: Vec<Value> = (1..=11).map(|number| issue(number, LONG_AGO, &[])).collect();
    let mut world = World::open()
        .on("GET /repos/acme/site", json!({ "name": "site" }))
        .on("GET /repos/acme/site/issues", json!(list))
        .on("GET /repos/acme/site/labels", json!([{ "id": 9, "name": "stale" }]));
    for number in 1..=11 {
        let at = format!("POST /repos/acme/site/issues/{number}");
        world = world.on(&format!("{at}/labels"), json!([{ "name": "stale" }]));
        world = world.route(Route::new(&format!("{at}/comments"), 201, json!({ "id": 1 })));
    }
    let report = go(&world, &stale(true), BOTH).unwrap().unwrap();
    assert_eq!((report["marked"].as_array().unwrap().len(), &report["waiting"]), (8, &json!(3)));
    assert!(world.state.borrow().requests.len() <= 32, "a ticket is good for 32 requests");
}

#[test]
fn without_the_label_nothing_is_changed() {
    let world = repository(World::open().on("GET /repos/acme/site/labels", json!([])));
    assert_eq!(reason(&world, &stale(true)), "unknown_label");
    assert!(world.written().is_empty());
    let archived = World::open().on("GET /repos/acme/site", json!({ "archived": true }));
    assert_eq!(reason(&repository(archived), &stale(true)), "repository_archived");
}

#[test]
fn two_runs_that_change_something_are_never_under_way_at_once() {
    let world = repository(World::open());
    world.state.borrow_mut().no_room = true;
    assert_eq!(reason(&world, &stale(true)), "jobs_busy");
    assert!(world.asked().is_empty());
    assert!(go(&world, &stale(false), BOTH).unwrap().is_ok(), "a report needs no room");
}

#[test]
fn write_mode_list_policy_and_confirmation_hold_for_jobs_as_for_everybody() {
    let off = ("WRITE_MODE", "false");
    let listed: &[_] =
        &[("WRITE_ALLOW_ALL_TOKEN_REPOS", "false"), ("WRITE_REPOSITORY_WHITELIST", "acme/other")];
    let denies = "defaults: {read: allow, write: allow}\ntools: {deny: [automation_stale_issue_detection]}\n";
    let elicit = ("WRITE_CONFIRMATION", "elicit");
    for (policy, settings, expected) in [
        (OPEN_POLICY, &[off][..], "write_mode_disabled"),
        (OPEN_POLICY, listed, "repository_not_writable"),
        ("defaults: {read: allow, write: deny}\n", &[], "policy_denied"),
        (denies, &[], "policy_denied"),
        (OPEN_POLICY, &[elicit], "client_cannot_be_asked"),
    ] {
        let world = repository(World::with(policy, settings));
        assert_eq!(reason(&world, &stale(true)), expected);
        assert!(world.asked().is_empty(), "{expected}");
        assert_eq!(world.state.borrow().remarks.len(), 1, "{expected}: one line");
        let reads = go(&world, &stale(false), BOTH).unwrap();
        assert_eq!(reads.is_ok(), policy != denies, "{expected}");
    }
}

#[test]
fn where_nobody_waits_a_job_acts_where_it_may_and_reports_elsewhere() {
    let anywhere = asked(&json!({
        "job": "stale_issue_detection", "owner": "acme", "repo": "site", "apply": "where_allowed",
    }));
    let reads = "defaults: {read: allow, write: deny}\n";
    for (policy, settings, acts) in [
        (OPEN_POLICY, &[][..], true),
        (OPEN_POLICY, &[("WRITE_MODE", "false")], false),
        (OPEN_POLICY, &[("WRITE_CONFIRMATION", "elicit")], false),
        (reads, &[], false),
    ] {
        let archived = World::with(policy, settings).on("GET /repos/acme/site", json!({ "archived": true }));
        let world = repository(archived);
        match go(&world, &anywhere, BOTH).unwrap() {
            // It got as far as looking whether the repository can be changed.
            Err(failed) => {
                assert!(acts && failed.error.reason() == "repository_archived", "{policy} {settings:?}")
            }
            Ok(report) => assert!(!acts && report.get("marked").is_none(), "{policy} {settings:?}"),
        }
        assert!(world.written().is_empty());
    }
    for wrong in [json!("yes"), json!(1), json!(null), json!("WHERE_ALLOWED")] {
        let body = json!({ "job": "stale_issue_detection", "owner": "acme", "repo": "site", "apply": wrong });
        assert!(run::Asked::read(body.to_string().as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn every_job_has_a_setting_for_its_schedule_and_no_schedule_is_of_another() {
    let settings = include_str!("../../../../settings.toml");
    let scheduled = settings.lines().filter_map(|line| {
        let name = line.strip_prefix("name = \"AUTOMATION_SCHEDULE_")?;
        Some(name.trim_end_matches('"').to_lowercase())
    });
    let mut scheduled: Vec<String> = scheduled.collect();
    let mut jobs: Vec<String> = JOBS.iter().map(|job| job.name.to_owned()).collect();
    scheduled.sort_unstable();
    jobs.sort_unstable();
    assert_eq!(scheduled, jobs, "settings.toml needs AUTOMATION_SCHEDULE_<JOB> for each job");
}

#[test]
fn what_clients_are_offered_does_not_decide_on_jobs() {
    let world = repository(World::with(OPEN_POLICY, &[("TOOLSETS", "files")]));
    assert!(go(&world, &stale(false), BOTH).unwrap().is_ok());
}

#[test]
fn who_may_not_write_starts_no_job_and_nobody_starts_what_is_off() {
    let world = repository(World::open());
    let failed = go(&world, &stale(false), &["read:repository"]).unwrap().unwrap_err();
    assert_eq!((failed.error.reason(), failed.correlation_id.as_str()), ("insufficient_scope", "req-1"));
    assert_eq!(world.state.borrow().remarks[0].reason, "insufficient_scope");
    let unknown = asked(&json!({ "job": "make_coffee", "owner": "acme", "repo": "site" }));
    assert_eq!(go(&world, &unknown, BOTH), Err(Refused::UnknownJob));
    let off = repository(World::with(OPEN_POLICY, &[("AUTOMATION_JOBS", "none")]));
    assert_eq!(go(&off, &stale(false), BOTH), Err(Refused::JobOff));
    assert!(world.asked().is_empty() && off.asked().is_empty());
}

#[test]
fn a_request_for_a_job_is_three_names_and_a_flag() {
    for (body, word) in [
        ("{", "JSON"),
        ("[]", "object"),
        ("{}", "required"),
        (r#"{"job":1,"owner":"a","repo":"b"}"#, "required"),
        (r#"{"job":"x","owner":"a","repo":"b","apply":"yes"}"#, "apply"),
        (r#"{"job":"x","owner":"a","repo":"b","as":"root"}"#, "nothing else"),
        (r#"{"job":"x","job":"y","owner":"a","repo":"b"}"#, ""),
    ] {
        let said = run::Asked::read(body.as_bytes()).unwrap_err();
        assert!(said.contains(word), "{body}: {said}");
    }
    let bad = asked(&json!({ "job": "stale_issue_detection", "owner": "../x", "repo": "site" }));
    assert_eq!(reason(&World::open(), &bad), "invalid_arguments");
}

#[test]
fn names_that_are_no_job_are_told_before_anything_is_served() {
    let of = |jobs: &str| Automation::of(&[("AUTOMATION_JOBS".to_owned(), jobs.to_owned())]);
    for good in ["", "none", "stale_issue_detection", "NONE"] {
        assert_eq!(super::unknown_jobs(&of(good)), None, "{good}");
    }
    for both in ["STALE_ISSUE_DETECTION,none", "none,none", "None,stale_issue_detection"] {
        assert!(super::unknown_jobs(&of(both)).unwrap().to_string().contains("write none alone"), "{both}");
    }
    let told = super::unknown_jobs(&of("stale_issue_detection,stale_isues")).unwrap().to_string();
    assert!(
        told.contains("AUTOMATION_JOBS has an entry 2") && told.contains("stale_issue_detection"),
        "{told}"
    );
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

fn delivered(event: &str) -> HeaderMap {
    headers(&[("x-gitea-signature", "good"), ("x-gitea-delivery", "d-1"), ("x-gitea-event", event)])
}

fn payload(action: &str) -> Vec<u8> {
    let repository = json!({ "name": "site", "owner": { "login": "acme" }, "full_name": "x/y" });
    json!({ "action": action, "repository": repository }).to_string().into_bytes()
}

/// Take a delivery and work on it; the reason where it is not taken.
fn deliver(world: &World, config: &Config, headers: &HeaderMap, body: &[u8]) -> Result<(), String> {
    let desk = Desk { ports: world.ports(), config, request_id: "req-1" };
    let named = |refused: Refused| refused.line().reason.to_owned();
    let verified = webhook::verify(&desk, headers, body).map_err(named)?;
    let accepted = webhook::accept(&desk, verified).map_err(named)?;
    let accepted = accepted.map_err(|failed| failed.error.reason().to_owned())?;
    webhook::hand_over(&desk, &accepted);
    Ok(())
}

#[test]
fn a_delivery_on_record_hands_over_its_job_with_the_pause() {
    let world = repository(World::open());
    let config = world.config();
    assert_eq!(deliver(&world, &config, &delivered("issues"), &payload("opened")), Ok(()));
    let state = world.state.borrow();
    let tools: Vec<&str> = state.events.iter().map(|event| event.tool.as_str()).collect();
    assert_eq!((tools, state.requests.len()), (vec!["automation_webhook"], 0));
    assert_eq!(state.handed, [("stale_issue_detection".to_owned(), 3_600)]);
}

#[test]
fn a_job_that_only_reports_cannot_be_told_to_act_and_none_runs_twice_at_once() {
    let world = repository(World::with(OPEN_POLICY, &[("AUTOMATION_JOBS", "dependency_hygiene_scan")]));
    let scan = |apply: Value| {
        asked(&json!({ "job": "dependency_hygiene_scan", "owner": "acme", "repo": "site", "apply": apply }))
    };
    assert_eq!(go(&world, &scan(json!(true)), BOTH), Err(Refused::ChangesNothing));
    world.state.borrow_mut().running.push("dependency_hygiene_scan".to_owned());
    for apply in [json!(false), json!("where_allowed")] {
        assert_eq!(go(&world, &scan(apply), BOTH), Err(Refused::JobRunning));
    }
    assert!(world.asked().is_empty() && world.state.borrow().events.is_empty());
}

#[test]
fn a_delivery_that_starts_nothing_is_on_record_all_the_same() {
    let world = repository(World::open());
    let config = world.config();
    for (event, action) in [("push", "opened"), ("issues", "label_updated"), ("issue_comment", "created")] {
        assert_eq!(deliver(&world, &config, &delivered(event), &payload(action)), Ok(()), "{event}");
    }
    let off = Config { automation: Automation { jobs: Vec::new(), ..config.automation.clone() }, ..config };
    assert_eq!(deliver(&world, &off, &delivered("issues"), &payload("opened")), Ok(()));
    assert_eq!((world.state.borrow().events.len(), world.asked().len()), (4, 0));
    assert!(world.state.borrow().handed.is_empty());
}

#[test]
fn a_delivery_is_proved_before_anything_in_it_is_read() {
    let world = repository(World::open());
    let config = world.config();
    let refuse = |headers: &HeaderMap, body: &[u8]| deliver(&world, &config, headers, body).unwrap_err();
    let unsigned = headers(&[("x-gitea-delivery", "d-1"), ("x-gitea-event", "issues")]);
    assert_eq!(refuse(&unsigned, b"{"), "webhook_unsigned");
    let mut twice = delivered("issues");
    twice.append("x-gitea-signature", "good".parse().unwrap());
    assert_eq!(refuse(&twice, &payload("opened")), "webhook_unsigned");
    for (signature, expected) in
        [("", "webhook_unsigned"), ("bad", "webhook_forged"), ("old", "webhook_replayed")]
    {
        let mut headers = delivered("issues");
        headers.insert("x-gitea-signature", signature.parse().unwrap());
        assert_eq!(refuse(&headers, b"not json"), expected);
    }
    for (name, value) in [("x-gitea-delivery", ""), ("x-gitea-event", "a b"), ("x-gitea-event", "é")] {
        let mut headers = delivered("issues");
        headers.insert(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        assert_eq!(refuse(&headers, &payload("opened")), "webhook_malformed", "{name}");
    }
    for body in ["not json", "[]", "{}", r#"{"repository":{"name":"site"}}"#, r#"{"a":1,"a":2}"#] {
        assert_eq!(refuse(&delivered("issues"), body.as_bytes()), "webhook_malformed", "{body}");
    }
    let evil = json!({ "repository": { "name": "..", "owner": { "login": "acme" } } }).to_string();
    assert_eq!(refuse(&delivered("issues"), evil.as_bytes()), "invalid_arguments");
    assert!(world.asked().is_empty() && world.state.borrow().events.is_empty());
}

#[test]
fn a_policy_keeps_deliveries_of_a_repository_out() {
    let denies = "defaults: {read: allow, write: allow}\ntools: {deny: [automation_webhook]}\n";
    let world = repository(World::with(denies, &[]));
    let config = world.config();
    assert_eq!(
        deliver(&world, &config, &delivered("issues"), &payload("opened")),
        Err("policy_denied".to_owned())
    );
    assert_eq!((world.asked().len(), world.state.borrow().remarks.len()), (0, 1));
}

#[test]
fn nothing_is_accepted_that_cannot_be_recorded() {
    let world = repository(World::open());
    world.state.borrow_mut().no_intents = true;
    let config = world.config();
    let refused = deliver(&world, &config, &delivered("issues"), &payload("opened"));
    assert_eq!(refused, Err("audit_unavailable".to_owned()));
    assert!(world.asked().is_empty());
}
