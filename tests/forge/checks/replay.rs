//! Every recorded exchange is sent to the forge and the answers compared: status, headers, and for bodies the keys,
//! types and nulls, in both directions. Values may differ; shapes may not.

use std::collections::BTreeSet;
use std::path::PathBuf;

use aegis_tests::forge::world::{ALICE_TOKEN, BOB_TOKEN};
use aegis_tests::forge::{Forge, Options, Version};
use aegis_tests::http::{Answer, send};
use serde_json::Value;

/// Headers whose presence must agree.
const HEADERS: &[&str] = &[
    "access-control-expose-headers",
    "link",
    "location",
    "x-hasmore",
    "x-page",
    "x-pagecount",
    "x-perpage",
    "x-total-count",
];

/// Recorded names and numbers that are others in the forge's world.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // The two labels of one name live in their own repository here.
    ("issues_labels_one_unknown", "/repos/alice/demo/", "/repos/acme/site/"),
    // Recorded on an issue made a moment before.
    ("create_comment", "/issues/44/", "/issues/40/"),
    ("add_labels", "/issues/44/", "/issues/40/"),
    ("edit_release", "/releases/3", "/releases/2"),
    ("update_label", "/labels/7", "/labels/1"),
    ("update_label", "/labels/6", "/labels/1"),
    ("assign", "/issues/44/", "/issues/40/"),
    ("remove_label", "/issues/44/", "/issues/40/"),
    ("update_issue", "/issues/44", "/issues/40"),
    ("write_unknown_milestone", "/issues/44", "/issues/40"),
    // Recorded with two open pull requests, and with a branch made a moment before.
    ("pulls", "/repos/alice/demo/", "/repos/mallory/notes/"),
    ("create_pull", "rec-311846", "b1"),
    ("create_pull", "rec-311848", "b1"),
];

/// What was done to the issue before the recorded request.
const BEFORE: &[(&str, &str, &str)] = &[
    ("update_issue", "PATCH /issues/40", r#"{"milestone":1,"assignees":["bob"]}"#),
    ("update_issue", "POST /issues/40/labels", r#"{"labels":["bug"]}"#),
    ("assign", "PATCH /issues/40", r#"{"milestone":1,"assignees":["bob"],"state":"closed"}"#),
    ("assign", "POST /issues/40/labels", r#"{"labels":["bug"]}"#),
];

fn folder(version: Version) -> PathBuf {
    let name = match version {
        Version::V1_27 => "gitea-1.27",
        Version::V1_26 => "gitea-1.26",
        Version::V1_24 => panic!("nothing was recorded from Gitea 1.24"),
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("forge/recorded").join(name)
}

fn recorded(version: Version) -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder(version)).expect("the recorded answers");
    let mut all: Vec<(String, Value)> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON"))
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The recorded method, target and body, with what differs between the worlds put in its place.
fn request(forge: &Forge, name: &str, exchange: &Value) -> (String, String, String) {
    let line = exchange["request"].as_str().expect("a request line");
    let (method, rest) = line.split_once(' ').expect("method and target");
    let (target, body) = rest.split_once(' ').unwrap_or((rest, ""));
    let (mut target, mut body) = (target.to_owned(), body.to_owned());
    for (file, from, to) in ELSEWHERE {
        if *file == name {
            target = target.replace(from, to);
            body = body.replace(from, to);
        }
    }
    let head = forge.commit("alice/demo", "main").expect("a commit");
    let shas: Vec<String> = target
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit()))
        // All zeros are meant: no commit has this id.
        .filter(|word| word.bytes().any(|b| b != b'0'))
        .map(str::to_owned)
        .collect();
    for sha in shas {
        target = target.replace(&sha, &head);
    }
    (method.to_owned(), target, body)
}

async fn replay(forge: &Forge, name: &str, exchange: &Value) -> Answer {
    let (method, target, body) = request(forge, name, exchange);
    let token = if name.starts_with("empty_repo") { BOB_TOKEN } else { ALICE_TOKEN };
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    for (_, line, body) in BEFORE.iter().filter(|(file, ..)| *file == name) {
        let (method, path) = line.split_once(' ').expect("method and path");
        let target = format!("/api/v1/repos/alice/demo{path}");
        let done = send(&forge.url(), method, &target, &headers, body.as_bytes()).await.expect("an answer");
        assert!(done.status < 300, "{name}: {line} answers {}", done.status);
    }
    send(&forge.url(), &method, &target, &headers, body.as_bytes()).await.expect("an answer")
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "absent",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(_)) => "number",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "array",
        Some(Value::Object(_)) => "object",
    }
}

/// Compare all values that stand at one position. Elements of a list stand at the same position; where either
/// side's list is empty there is nothing to compare below it.
fn compare(at: &str, real: &[Option<&Value>], ours: &[Option<&Value>], differences: &mut Vec<String>) {
    let kinds = |all: &[Option<&Value>]| all.iter().map(|value| kind(*value)).collect::<BTreeSet<_>>();
    let (real_kinds, our_kinds) = (kinds(real), kinds(ours));
    if real_kinds != our_kinds {
        differences.push(format!("{at}: Gitea sends {real_kinds:?}, the forge {our_kinds:?}"));
    }
    let objects = |all: &[Option<&Value>]| -> Vec<serde_json::Map<String, Value>> {
        all.iter().filter_map(|value| value.and_then(Value::as_object).cloned()).collect()
    };
    let (real_objects, our_objects) = (objects(real), objects(ours));
    if !real_objects.is_empty() && !our_objects.is_empty() {
        let keys: BTreeSet<&String> =
            real_objects.iter().chain(&our_objects).flat_map(|object| object.keys()).collect();
        for key in keys {
            let below = |all: &[serde_json::Map<String, Value>]| {
                all.iter().map(|o| o.get(key).cloned()).collect::<Vec<_>>()
            };
            let (real, ours) = (below(&real_objects), below(&our_objects));
            let real: Vec<Option<&Value>> = real.iter().map(Option::as_ref).collect();
            let ours: Vec<Option<&Value>> = ours.iter().map(Option::as_ref).collect();
            compare(&format!("{at}/{key}"), &real, &ours, differences);
        }
    }
    let elements = |all: &[Option<&Value>]| -> Vec<Value> {
        all.iter().filter_map(|value| value.and_then(Value::as_array)).flatten().cloned().collect()
    };
    let (real_elements, our_elements) = (elements(real), elements(ours));
    if !real_elements.is_empty() && !our_elements.is_empty() {
        let real: Vec<Option<&Value>> = real_elements.iter().map(Some).collect();
        let ours: Vec<Option<&Value>> = our_elements.iter().map(Some).collect();
        compare(&format!("{at}[]"), &real, &ours, differences);
    }
}

/// The JSON values of a body: one, or one a line where Gitea wrote twice.
fn values(text: &str) -> Option<Vec<Value>> {
    text.lines().map(|line| serde_json::from_str(line).ok()).collect()
}

/// How the lines of a diff begin: their words up to the first that holds a number or a path.
fn kinds_of_lines(diff: &str) -> BTreeSet<String> {
    let kind = |line: &str| {
        let first: String = line.chars().take(1).collect();
        if "+- \\".contains(&first) && !line.starts_with("+++ ") && !line.starts_with("--- ") {
            return first;
        }
        let plain = |word: &&str| !word.contains(|c: char| c.is_ascii_digit() || "/.".contains(c));
        line.split(' ').take_while(plain).collect::<Vec<_>>().join(" ")
    };
    diff.lines().map(kind).collect()
}

/// The same of all recorded diffs. They are of other commits than the forge's, so only their form counts.
fn recorded_kinds_of_lines() -> BTreeSet<String> {
    let all = [Version::V1_27, Version::V1_26].into_iter().flat_map(recorded);
    let texts = all.filter_map(|(_, exchange)| Some(exchange.get("text")?.as_str()?.to_owned()));
    texts.filter(|text| text.starts_with("diff --git ")).flat_map(|text| kinds_of_lines(&text)).collect()
}

fn differences(exchange: &Value, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    if exchange["status"] != answer.status {
        found.push(format!(
            "status: Gitea sends {}, the forge {}: {}",
            exchange["status"],
            answer.status,
            answer.text()
        ));
    }
    let real = exchange["headers"].as_object().expect("headers");
    let real =
        |name: &str| real.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v.as_str());
    for name in HEADERS {
        if real(name).is_some() != answer.header(name).is_some() {
            found.push(format!("{name}: Gitea sends {:?}, the forge {:?}", real(name), answer.header(name)));
        }
    }
    if real("content-type") != answer.header("content-type") {
        found.push(format!(
            "content-type: Gitea sends {:?}, the forge {:?}",
            real("content-type"),
            answer.header("content-type")
        ));
    }
    match (exchange.get("body"), exchange.get("text").and_then(Value::as_str)) {
        (Some(body), _) => compare("", &[Some(body)], &[Some(&answer.json())], &mut found),
        (None, Some(text)) => match (values(text), values(&answer.text())) {
            (Some(real), Some(ours)) if real.len() == ours.len() => {
                for (real, ours) in real.iter().zip(&ours) {
                    compare("", &[Some(real)], &[Some(ours)], &mut found);
                }
            }
            _ if text == answer.text() => {}
            _ if text.starts_with("diff --git ") => found.extend(
                kinds_of_lines(&answer.text())
                    .difference(&recorded_kinds_of_lines())
                    .map(|kind| format!("text: no recorded diff holds a line that begins with {kind:?}")),
            ),
            _ => found.push(format!("text: Gitea sends {text:?}, the forge {:?}", answer.text())),
        },
        (None, None) => found.push("the recorded file holds no body".to_owned()),
    }
    found
}

async fn every_answer_agrees(version: Version) {
    let mut wrong = Vec::new();
    let exchanges = recorded(version);
    assert!(!exchanges.is_empty(), "no recorded answers");
    for (name, exchange) in exchanges {
        let forge = Forge::start(Options { version, ..Options::default() }).await;
        let answer = replay(&forge, &name, &exchange).await;
        wrong.extend(
            differences(&exchange, &answer).into_iter().map(|difference| format!("{name} {difference}")),
        );
        wrong.extend(forge.violations().into_iter().map(|violation| format!("{name} {violation}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn answers_as_gitea_1_27_was_recorded() {
    every_answer_agrees(Version::V1_27).await;
}

#[tokio::test]
async fn answers_as_gitea_1_26_was_recorded() {
    every_answer_agrees(Version::V1_26).await;
}

#[test]
fn the_comparison_sees_a_missing_key_a_new_key_another_type_and_a_null() {
    let real =
        serde_json::json!({ "kept": 1, "lost": 1, "typed": "1", "nulled": 1, "list": [{ "deep": 1 }] });
    let ours =
        serde_json::json!({ "kept": 2, "new": 1, "typed": 1, "nulled": null, "list": [{ "deep": "1" }] });
    let mut found = Vec::new();
    compare("", &[Some(&real)], &[Some(&ours)], &mut found);
    let places: Vec<&str> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(places, ["/list[]/deep", "/lost", "/new", "/nulled", "/typed"]);
}

#[tokio::test]
async fn the_list_of_routes_that_are_not_built_is_exact() {
    let list =
        std::fs::read_to_string(folder(Version::V1_27).with_file_name("not-yet.txt")).expect("the list");
    let forge = super::forge().await;
    let mut unbuilt = BTreeSet::new();
    for line in list.lines() {
        let (name, request) = line.split_once(' ').expect("a name and a request line");
        let exchange = serde_json::json!({ "request": request });
        forge.forget();
        replay(&forge, name, &exchange).await;
        let unplanned = forge.violations().iter().any(|violation| violation.ends_with("unplanned request"));
        assert!(
            unplanned,
            "{name} is served now: copy its recorded answers and delete its line from not-yet.txt"
        );
        unbuilt.insert(name.to_owned());
    }
    for version in [Version::V1_27, Version::V1_26] {
        for (name, _) in recorded(version) {
            assert!(!unbuilt.contains(&name), "{name} is recorded and listed as not built");
        }
    }
    let names = |version| recorded(version).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(Version::V1_27), names(Version::V1_26), "both versions are recorded alike");
}
