//! The document and the code say the same.

use serde_json::json;

use super::{at, members, verify};
use crate::audit::{Chain, End, Event, HIDDEN, Line};

const DOCUMENT: &str = include_str!("../../../../../docs/audit-format.md");

/// The log that the document shows.
fn example() -> String {
    let (mut chain, mut bytes) = (Chain::EMPTY, Vec::new());
    let common = json!({
        "request_id": "6f1d2c3b4a59687786950a1b2c3d4e5f", "address": "192.0.2.7", "principal": "laptop",
        "client": "assistant", "scopes": ["read:repository"],
        "component": "9f86d081884c7d65", "policy": "60303ae22b998861", "ticket": "b2c3d4e5f60718293a4b5c6d7e8f9012",
        "tool": "list_issues",
    });
    let with = |more: serde_json::Value| {
        let mut entry = members(common.clone());
        entry.extend(members(more));
        entry
    };
    let open = json!({
        "log_id": "00112233445566778899aabbccddeeff", "version": "0.1.0",
        "policy_digest": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "component_digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    });
    chain.seal(&mut bytes, at(0), Event::LogOpen, &members(open));
    let intent = with(json!({
        "status": "pending", "class": "read", "owner": "acme", "repo": "site", "paths": [],
        "arguments": {"state": "open", "query": {"bytes": 5, "sha256":
            "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},
    }));
    chain.seal(&mut bytes, at(1_250), Event::ToolInvocation, &intent);
    let outcome = with(json!({
        "status": "success",
        "calls": [{"method": "GET", "template": "/repos/{owner}/{repo}/issues", "status": 200}],
    }));
    chain.seal(&mut bytes, at(1_391), Event::ToolInvocation, &outcome);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_example_of_the_document_is_what_the_code_writes() {
    let example = example();
    assert_eq!(verify(example.as_bytes()).end, End::Whole);
    let shown = format!("```json\n{example}```\n");
    assert!(DOCUMENT.contains(&shown), "docs/audit-format.md must show exactly:\n{shown}");
    for line in example.lines() {
        let hash = Line::parse(line.as_bytes()).unwrap().hash();
        assert!(
            DOCUMENT.contains(&format!("\n{hash}  -\n")),
            "docs/audit-format.md must show the hash {hash}"
        );
    }
}

#[test]
fn the_document_lists_the_hidden_characters_and_the_events_of_the_code() {
    let mut ranges = Vec::new();
    for (first, last) in HIDDEN {
        ranges.push(if first == last { format!("{first:04X}") } else { format!("{first:04X}-{last:04X}") });
    }
    let shown = format!("```text\n{}\n```", ranges.join(" "));
    assert!(DOCUMENT.contains(&shown), "docs/audit-format.md must list exactly:\n{shown}");
    for event in Event::ALL {
        assert!(DOCUMENT.contains(&format!("| `{}` |", event.name())), "{}", event.name());
    }
}
