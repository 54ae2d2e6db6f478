//! Reading the audit log as a reviewer would: the lines of one call, and whether they tell what Gitea saw.

use aegis_tests::forge::Seen;
use aegis_tests::server::{Server, of_event};
use serde_json::Value;

/// The lines of one ticket, in order.
pub fn of_ticket(lines: &[Value], ticket: &str) -> Vec<Value> {
    of_event(lines, "tool_invocation").into_iter().filter(|line| line["ticket"] == ticket).cloned().collect()
}

/// The line of a refusal, which joins the next batch and may come after the answer.
pub async fn denied(server: &Server, request_id: &str) -> Value {
    let mine = |line: &Value| line["event"] == "access_denied" && line["request_id"] == request_id;
    let lines = server.audit_when(|lines| lines.iter().any(mine)).await;
    let mut found = lines.into_iter().filter(mine);
    let line = found.next().expect("a line");
    assert_eq!(found.next(), None, "one refusal, one line");
    line
}

/// The calls of an outcome.
pub fn calls(outcome: &Value) -> Vec<Value> {
    outcome["calls"].as_array().cloned().unwrap_or_default()
}

/// Hold the recorded calls against the requests that arrived: each request is recorded with its method,
/// template and status, and nothing is recorded that did not arrive, but for calls that got no answer.
pub fn agree(calls: &[Value], seen: &[Seen]) {
    let mut left: Vec<&Value> = calls.iter().collect();
    // Calls that got no answer fit any request of theirs, so they are taken only for what nothing else fits.
    let mut unmatched: Vec<&Seen> = Vec::new();
    for request in seen {
        match left.iter().position(|call| same(call, request) && call["status"] == request.status) {
            Some(at) => drop(left.swap_remove(at)),
            None => unmatched.push(request),
        }
    }
    for request in unmatched {
        let at = left.iter().position(|call| same(call, request) && call["status"].is_null());
        assert!(at.is_some(), "{} {} {} is not in {calls:#?}", request.method, request.path, request.status);
        if let Some(at) = at {
            left.swap_remove(at);
        }
    }
    assert!(
        left.iter().all(|call| call["status"].is_null()),
        "recorded, but never asked: {left:?} {seen:#?}"
    );
}

fn same(call: &Value, request: &Seen) -> bool {
    call["method"] == request.method.as_str()
        && fits(call["template"].as_str().unwrap_or_default(), &request.path)
}

fn fits(template: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix("/api/v1/") else { return false };
    let mut parts = path.split('/');
    for wanted in template.trim_start_matches('/').split('/') {
        if wanted.ends_with("...}") {
            return parts.next().is_some();
        }
        let Some(part) = parts.next() else { return false };
        if part != wanted && !wanted.starts_with('{') {
            return false;
        }
    }
    parts.next().is_none()
}
