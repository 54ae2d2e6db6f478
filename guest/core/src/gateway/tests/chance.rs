//! Requests put together by chance: whatever is in them, refusals and audit lines go together.

use std::collections::BTreeSet;

use super::{Answer, FEW, Gateway, PING, Reader, World, body, handle, request};
use crate::mcp::fake::dice::Dice;

const METHODS: &[&str] = &["POST", "POST", "POST", "GET", "DELETE", "OPTIONS", "PATCH"];
const TARGETS: &[&str] = &[
    "/mcp",
    "/mcp",
    "/mcp/sse",
    "/mcp/tool/call",
    "/",
    "/mcp/tools",
    "/nowhere",
    "/mcp?token=1",
    "http://evil.example/mcp",
];
const HEADERS: &[(&str, &str)] = &[
    ("authorization", "Bearer bad"),
    ("origin", "http://localhost:1"),
    ("origin", "null"),
    ("accept", "application/json, text/event-stream"),
    ("accept", "image/png"),
    ("content-encoding", "gzip"),
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-protocol-version", "2025-11-25"),
    ("mcp-method", "tools/call"),
    ("mcp-name", "greet"),
    ("x-forwarded-host", "evil.example"),
];
const BODIES: &[&str] = &[
    PING,
    "{",
    "[]",
    r#"{"tool":"greet"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"greet","_meta":{"progressToken":1}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
];

fn pick<'a, T>(dice: &mut Dice, list: &'a [T]) -> &'a T {
    &list[dice.below(list.len())]
}

#[test]
fn every_refusal_leaves_one_line_and_every_success_none() {
    let mut seen = BTreeSet::new();
    for seed in 0..6_000 {
        let mut dice = Dice::new(seed);
        let world = World::new();
        let mut headers = Vec::new();
        if dice.below(4) > 0 {
            headers.push(super::KEY);
        }
        if dice.below(4) > 0 {
            headers.push(super::JSON);
        }
        headers.extend((0..dice.below(3)).map(|_| *pick(&mut dice, HEADERS)));
        let (method, target, text) =
            (pick(&mut dice, METHODS), pick(&mut dice, TARGETS), pick(&mut dice, BODIES));
        let told = format!("seed {seed}: {method} {target} {headers:?} {text}");

        let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
        let mut reader = Reader::default();
        let refused = match handle(&gateway, request(method, target, &headers, text), &mut reader) {
            // A stream that stays open has no answer yet.
            Answer::Streamed => {
                reader.events().last().is_some_and(|last| !last["result"]["isError"].eq(&false))
            }
            Answer::Whole(response) => {
                seen.insert(response.status().as_u16());
                assert_eq!(response.headers()["cache-control"], "no-store", "{told}");
                let said = if response.body().is_empty() { ().into() } else { body(&response) };
                response.status().as_u16() >= 400
                    || !said["error"].is_null()
                    || said["result"]["isError"] == true
            }
        };
        assert_eq!(world.notes.borrow().len(), usize::from(refused), "{told}");
        assert_eq!(world.routes.borrow().len(), 1, "{told}");
        let (intents, outcomes) = (world.trail.intents.borrow().len(), world.trail.outcomes.borrow().len());
        assert_eq!(intents, outcomes, "every ticket is closed: {told}");
        assert!(intents == 0 || !refused, "nothing is done for a refused request: {told}");
    }
    let all = [200, 202, 204, 400, 401, 403, 404, 405, 406, 415, 421];
    assert!(all.iter().all(|status| seen.contains(status)), "the dice met {seen:?}");
}
