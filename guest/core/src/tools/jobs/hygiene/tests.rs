//! Every case of `cases/` through the whole job, and what hostile and hidden files come to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::rule::Rule;
use crate::tools::fake::{Route, World};
use crate::tools::jobs::packed::{archived, run};

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    /// `rule path:line what`.
    findings: Vec<String>,
    /// `path reason`.
    #[serde(default)]
    skipped: Vec<String>,
}

const CASES: [&str; 4] = [
    include_str!("cases/cargo.toml"),
    include_str!("cases/npm.toml"),
    include_str!("cases/python.toml"),
    include_str!("cases/others.toml"),
];
const JOB: &str = "dependency_hygiene_scan";

fn scanned(world: &World) -> Value {
    run(world, JOB, false).unwrap()
}

fn holding(files: &[(&str, &[u8])]) -> World {
    archived(World::open(), files)
}

fn told(report: &Value) -> Vec<String> {
    let rows = report["findings"].as_array().unwrap().iter();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    rows.map(|row| {
        let line = row.get("line").map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} {}{line} {}", text(row, "rule"), text(row, "path"), text(row, "what"))
    })
    .collect()
}

fn skipped(report: &Value) -> Vec<String> {
    let rows = report["skipped"].as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["path"].as_str().unwrap(), row["reason"].as_str().unwrap())).collect()
}

#[test]
fn every_case_is_found_as_it_says() {
    let mut rules = BTreeSet::new();
    for case in CASES.iter().flat_map(|text| toml::from_str::<Cases>(text).unwrap().case) {
        let files: Vec<(&str, &[u8])> =
            case.files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
        // TOML takes away the line break behind the opening quotes: the lines of the cases count it.
        let files: Vec<(&str, Vec<u8>)> = files
            .into_iter()
            .map(|(path, text)| {
                (path, if text.ends_with(b"\n") { [b"\n", text].concat() } else { text.to_vec() })
            })
            .collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_slice())).collect();
        let report = scanned(&holding(&files));
        let (mut found, mut expected) = (told(&report), case.findings.clone());
        rules.extend(found.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)));
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{}", case.name);
        assert_eq!(skipped(&report), case.skipped, "{}", case.name);
        assert_eq!(report["complete"], case.skipped.is_empty(), "{}", case.name);
    }
    let all: BTreeSet<String> = Rule::ALL.iter().map(|rule| rule.name().to_owned()).collect();
    assert_eq!(rules, all, "every rule has a case");
}

#[test]
fn the_report_reads_well_and_what_matters_most_comes_first() {
    let world =
        holding(&[("a/Dockerfile", b"FROM node\n"), ("z/Dockerfile", b"FROM a:1\nADD http://h/x /x\n")]);
    let report = scanned(&world);
    let text = report["text"].as_str().unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "acme/Site: 2 findings (1 high) in 2 files.");
    assert!(
        lines[1].starts_with("[high] plain_http_source z/Dockerfile:2: ADD http://h/x /x - Use https"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("[medium] floating_image_tag a/Dockerfile:1: node - Name a version"),
        "{text}"
    );
    assert_eq!((&report["files_read"], &report["commit"]), (&json!(2), &json!("9".repeat(40))));
    assert!(world.written().is_empty());
}

#[test]
fn what_the_policy_hides_is_neither_read_nor_named_nor_missed() {
    let policy = "repositories:\n  acme/site:\n    paths: {deny: [\"hidden/**\", \"**/Cargo.lock\", \"Cargo.lock\"]}\n";
    let files: &[(&str, &[u8])] = &[
        ("hidden/Dockerfile", b"FROM node\n"),
        ("Cargo.toml", b"[dependencies]\na = \"1\"\n"),
        ("Cargo.lock", b"version = 4\n"),
        ("x/Cargo.toml", b"[dependencies]\na = \"1\"\n"),
    ];
    let report = scanned(&archived(World::with(policy, &[]), files));
    assert_eq!((told(&report), &report["hidden_by_policy"]), (Vec::new(), &json!(2)));
    assert!(
        !report.to_string().contains("hidden/") && !report.to_string().contains("Cargo.lock"),
        "{report}"
    );
}

#[test]
fn a_hostile_file_is_skipped_by_name_and_the_others_are_read() {
    let deep_json = format!("{{\"dependencies\": {}", "[".repeat(100_000));
    let deep_toml = format!("a = {}", "[".repeat(50_000));
    let tall_toml = format!("a = {}", "[".repeat(30_000));
    let marks = format!("a = [{}]", "1,".repeat(45_000));
    let long = format!("{{\"a\": \"{}\"}}", "x".repeat(200_000));
    let bomb: String =
        (1..60).map(|nth| format!("a{nth}: &a{nth} [*a{}, *a{}]\n", nth - 1, nth - 1)).collect();
    let bomb = format!("a0: &a0 x\n{bomb}services: {{x: {{image: node}}}}\n");
    let entities: String =
        (1..30).map(|nth| format!("<!ENTITY e{nth} \"&e{};&e{};\">", nth - 1, nth - 1)).collect();
    let entities =
        format!("<!DOCTYPE project [<!ENTITY e0 \"x\">{entities}]><project><a>&e29;</a></project>");
    let tower = "<a>".repeat(10_000);
    let long_line = "x".repeat(900_000);
    let report = scanned(&holding(&[
        ("a/package.json", deep_json.as_bytes()),
        ("b/Cargo.toml", deep_toml.as_bytes()),
        ("c/Cargo.toml", marks.as_bytes()),
        ("d/package.json", long.as_bytes()),
        ("e/compose.yml", bomb.as_bytes()),
        ("f/pom.xml", entities.as_bytes()),
        ("g/pom.xml", tower.as_bytes()),
        ("h/go.mod", long_line.as_bytes()),
        ("i/package.json", b"\xff\xfe"),
        ("j/Dockerfile", &[b'a'; 2_000_000]),
        ("k/Dockerfile", b"FROM node"),
        ("l/Cargo.toml", tall_toml.as_bytes()),
    ]));
    assert_eq!(
        told(&report),
        ["floating_image_tag e/compose.yml:61 node", "floating_image_tag k/Dockerfile:1 node"],
        "{report}"
    );
    let names: Vec<String> =
        skipped(&report).iter().map(|line| line.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "g", "h", "i", "j", "l"], "{report}");
    assert_eq!(report["complete"], false);
}

#[test]
fn secrets_in_addresses_are_not_told() {
    let token = ["gh", "p_aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA1bC2"].concat();
    let manifest = format!("[dependencies]\na = {{ git = \"https://bob:hunter2@h.example/{token}\" }}\n");
    let world = World::with(crate::tools::fake::OPEN_POLICY, &[("SECRET_DETECTION_MODE", "off")]);
    let report = scanned(&archived(world, &[("Cargo.toml", manifest.as_bytes())]));
    assert_eq!(told(&report).len(), 2, "{report}");
    assert!(!report.to_string().contains("hunter2") && !report.to_string().contains(&token), "{report}");
}

#[test]
fn a_run_is_bounded_in_files_findings_and_time_and_says_so() {
    let many: Vec<(String, Vec<u8>)> =
        (0..520).map(|nth| (format!("d{nth:03}/Dockerfile"), b"FROM node\n".to_vec())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let report = scanned(&holding(&many));
    assert_eq!((report["files_read"].as_u64(), report["complete"].as_bool()), (Some(500), Some(false)));
    let why = report["incomplete"].as_str().unwrap();
    assert!(why.contains("300 findings are not listed") && why.contains("20 more files"), "{why}");
    let slow = World::with(crate::tools::fake::OPEN_POLICY, &[("SEARCH_MAX_SECONDS", "1")]);
    let slow = archived(slow, &many[..9]);
    slow.state.borrow_mut().tick = 300_000;
    let report = scanned(&slow);
    assert!(report["files_read"].as_u64().unwrap() < 9);
    assert!(report["incomplete"].as_str().unwrap().contains("SEARCH_MAX_SECONDS"), "{report}");
}

#[test]
fn without_room_or_archive_it_says_so_or_asks_for_the_files_by_name() {
    let world = holding(&[]);
    world.state.borrow_mut().no_room = true;
    assert_eq!(run(&world, JOB, false).unwrap_err(), "jobs_busy");
    assert!(world.asked().is_empty());
    let tree = json!({ "tree": [
        { "path": "Dockerfile", "type": "blob", "mode": "100644", "size": 10 },
        { "path": "link/Dockerfile", "type": "blob", "mode": "120000", "size": 10 },
        { "path": "other.txt", "type": "blob", "mode": "100644", "size": 10 },
    ], "truncated": false });
    let world = archived(World::open(), &[]);
    world.state.borrow_mut().routes.retain(|route| !route.is_for("/archive/"));
    let at = format!("GET /repos/acme/Site/git/trees/{}?recursive=true", "9".repeat(40));
    world.state.borrow_mut().routes.insert(0, Route::new(&at, 200, tree));
    let content = json!([{ "path": "Dockerfile", "content": "RlJPTSBub2RlCg==" }]);
    let world = world.on("GET /repos/acme/Site/file-contents", content);
    assert_eq!(told(&scanned(&world)), ["floating_image_tag Dockerfile:1 node"]);
    let asked = world.asked().join("\n");
    assert!(!asked.contains("other.txt") && !asked.contains("link/"), "{asked}");
}

#[test]
fn a_repository_that_is_too_large_or_empty_is_refused_as_for_search() {
    let world =
        archived(World::with(crate::tools::fake::OPEN_POLICY, &[("SEARCH_MAX_REPOSITORY_KIB", "99")]), &[]);
    assert_eq!(run(&world, JOB, false).unwrap_err(), "repository_too_large");
    let refused = World::open().on("GET /repos/acme/Site", json!({ "id": 7 })).route(Route::new(
        "GET /repos/acme/Site/commits",
        409,
        json!({ "message": "Git Repository is empty." }),
    ));
    assert_eq!(run(&refused, JOB, false).unwrap_err(), "repository_empty");
}
