//! One call of every tool in one world, whose Gitea answers what a real one was recorded to answer.
//!
//! What the tools make of it is on file (`tests/examples`) and shown in `docs/tools.md`; `size` holds it against
//! what Gitea said. `BLESS=1` writes the files anew.

#![expect(clippy::disallowed_methods, reason = "the recorded answers and what is made of them are files")]

mod calls;
mod size;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::CATALOGUE;
use super::fake::Route;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// A recorded exchange, on a server of another name.
fn exchange(name: &str) -> Value {
    let file = root().join("../../tests/forge/recorded/gitea-1.27").join(format!("{name}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text.replace("http://127.0.0.1:3000", "https://git.example.test")).expect("JSON")
}

/// Its JSON body.
fn body(name: &str) -> Value {
    exchange(name)["body"].take()
}

/// What was asked: `GET /repos/alice/demo`, without its query.
fn asked(exchange: &Value) -> String {
    let mut words = exchange["request"].as_str().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    format!("{method} {}", path.trim_start_matches("/api/v1").replace("%2F", "/"))
}

/// The same answer to this request line.
fn answering(line: &str, exchange: &Value) -> Route {
    let status = exchange["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
    let route = match exchange["text"].as_str() {
        Some("") => Route::empty(line, status),
        Some(text) => Route::bytes(line, "text/plain", text.as_bytes()),
        None => Route::new(line, status, exchange["body"].clone()),
    };
    let headers = exchange["headers"].as_object().into_iter().flatten();
    headers
        .filter(|(name, _)| ["Link", "X-Total-Count"].contains(&name.as_str()))
        .fold(route, |route, (name, value)| {
            route.header(&name.to_lowercase(), value.as_str().unwrap_or_default())
        })
}

/// The file holds exactly this text; with `BLESS=1` it is made to.
fn golden(path: &Path, text: &str) {
    if std::env::var("BLESS").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().expect("a directory")).expect("the directory can be made");
        fs::write(path, text).expect("the file can be written");
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "{} is out of date: run `make bless` and review the change", path.display());
}

#[test]
fn one_answer_of_every_tool_is_on_file() {
    let mut wrong = Vec::new();
    let mut called = BTreeSet::new();
    for (tool, arguments) in calls::calls() {
        called.insert(tool);
        let world = calls::world(tool);
        match world.call(tool, arguments.clone()) {
            Ok(finished) => {
                let example = json!({ "arguments": arguments, "answer": finished.structured });
                let text = serde_json::to_string_pretty(&example).expect("JSON") + "\n";
                golden(&root().join("tests/examples").join(format!("{tool}.json")), &text);
            }
            Err(stopped) => wrong.push(format!("{tool}: {stopped:?} after {:#?}", world.asked())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<&str> = CATALOGUE.tools().map(|tool| tool.name()).collect();
    assert_eq!(called, all, "every tool has its line in calls.rs");
}

#[test]
fn no_example_of_a_write_was_left_half_done() {
    for (tool, arguments) in calls::calls() {
        let answer = calls::world(tool).answer(tool, arguments);
        let left = answer.get("not_applied").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(left, 0, "{tool}: {answer}");
    }
}
