//! The server's own secrets leave it in no answer, whatever Gitea holds and however a guest unpacks it, and go into no
//! request to Gitea; in every mode of secret detection.

use std::collections::BTreeMap;

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Blob, Node};
use aegis_tests::http::Answer;
use aegis_tests::server::{KEY, Server, Setup, of_event};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::jobs::{SECRET as HOOK, jobs, on};
use crate::scene::Scene;

/// A key that no pattern knows for one.
const ODD: &str = "kitchen-window/left.of~the+door=9";

fn with_keys(setup: Setup) -> Setup {
    on(setup).set("MCP_API_KEYS", &format!("laptop={KEY},odd={ODD}"))
}

/// Everything that is not to be seen, in a file, in an archive, in an issue: as it is, with a hidden character in it,
/// and in Base64.
fn planted(scene: &Scene) {
    let text = format!("the bot: {SVC_TOKEN}\nneedle {ODD} and {HOOK} end\n");
    let files = BTreeMap::from([("leak.txt".to_owned(), Node::File(Blob::new(text.into_bytes())))]);
    let hidden = |text: &str| format!("{}\u{200b}{}", &text[..9], &text[9..]);
    let coded = |text: &str| STANDARD.encode(format!("x{text}"));
    let all = [SVC_TOKEN, ODD, HOOK];
    scene.forge.change(|world| {
        world.clock += 60;
        let time = world.clock;
        let repo = world.repos.iter_mut().find(|repo| repo.name == "demo").expect("the sample has it");
        repo.git.commit("main", &files, ("Alice", "alice@example.test"), "Change", time);
        let issue = repo.issues.iter_mut().find(|issue| issue.number == 1).expect("the sample has it");
        issue.title = format!("about {HOOK} here");
        issue.updated = 1_577_836_800;
        issue.body = all.map(|text| format!("- {} {}", hidden(text), coded(text))).join("\n");
    });
}

/// No part of a secret that is worth having.
fn assert_clean(text: &str) {
    for secret in [SVC_TOKEN, ODD, HOOK] {
        assert!(!text.contains(secret), "{text}");
        let coded = STANDARD.encode(format!("x{secret}"));
        assert!(!text.contains(&coded[3..coded.len() - 4]), "in Base64: {text}");
    }
}

async fn streamed(server: &Server, tool: &str, arguments: &Value) -> Answer {
    let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}});
    server.legacy(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})).await
}

fn masked(lines: &[Value]) -> Vec<&Value> {
    of_event(lines, "security_event")
        .into_iter()
        .filter(|line| line["reason"] == "own_secret_masked")
        .collect()
}

async fn nothing_leaves(mode: &str) {
    let scene = Scene::new().await;
    planted(&scene);
    let server = with_keys(scene.setup()).set("SECRET_DETECTION_MODE", mode).start().await;
    let file = json!({"owner": "alice", "repo": "demo", "filepath": "leak.txt"});
    let search = json!({"owner": "alice", "repo": "demo", "query": "needle"});
    let issue = json!({"owner": "alice", "repo": "demo", "issue_number": 1});
    let calls = [("get_file_contents", file), ("search_code", search), ("get_issue", issue)];
    for (tool, arguments) in &calls {
        let direct = server.tool(tool, arguments.clone()).await;
        let stream = streamed(&server, tool, arguments).await;
        let kind = stream.header("content-type").unwrap_or_default().to_owned();
        assert!(kind.starts_with("text/event-stream") || *tool != "search_code", "{kind}");
        for answer in [direct, stream] {
            assert_eq!((answer.status, answer.complete), (200, true), "{}", answer.text());
            assert_clean(&answer.text());
            assert!(answer.text().contains(&"*".repeat(ODD.len())), "{mode} {tool}: {}", answer.text());
        }
    }
    let (code, out, err) =
        jobs(&server, &["run", "stale_issue_detection", "--repo", "alice/demo", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("about ***"), "the report is of that issue: {out}");
    assert_clean(&out);
    let count = server.metric("aegis_own_secrets_total{outcome=\"masked\"}").await;
    assert!(count >= 7.0, "{count}");

    let stopped = server.stop().await;
    assert_clean(&stopped.log);
    stopped.audit.iter().for_each(|line| assert_clean(&line.to_string()));
    let lines = masked(&stopped.audit);
    let requests: std::collections::BTreeSet<&str> =
        lines.iter().filter_map(|line| line["request_id"].as_str()).collect();
    assert_eq!((lines.len(), requests.len()), (7, 7), "one line for each request: {lines:#?}");
    assert_eq!(lines.iter().filter(|line| line["principal"] == "laptop").count(), 6, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line["principal"] == "command").count(), 1, "{lines:#?}");
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn no_answer_holds_an_own_secret_with_detection_off() {
    nothing_leaves("off").await;
}

#[tokio::test]
async fn no_answer_holds_an_own_secret_with_detection_on() {
    nothing_leaves("mask").await;
}

#[tokio::test]
async fn no_answer_holds_an_own_secret_where_detection_blocks() {
    nothing_leaves("block").await;
}

#[tokio::test]
async fn a_request_to_gitea_with_an_own_secret_in_it_is_not_sent() {
    let scene = Scene::new().await;
    let server =
        with_keys(scene.setup()).writes("alice/demo").set("SECRET_DETECTION_MODE", "off").start().await;
    let issue = |title: &str, body: String| {
        let arguments = json!({"owner": "alice", "repo": "demo", "title": title, "body": body});
        ("create_issue", arguments)
    };
    let path = json!({"owner": "alice", "repo": "demo", "filepath": ODD});
    let tries = [
        issue("plain", format!("it is {ODD}.")),
        issue("coded", format!("it is {}.", STANDARD.encode(format!("u:{HOOK}")))),
        issue(&format!("in the title: {SVC_TOKEN}"), "x".to_owned()),
        ("get_file_contents", path),
    ];
    for (tool, arguments) in &tries {
        let answer = server.tool(tool, arguments.clone()).await;
        assert_eq!(answer.reason().as_deref(), Some("gitea_request_not_sent"), "{}", answer.text());
        assert!(answer.text().contains("a key or token of this server stands in it"), "{}", answer.text());
        assert_clean(&answer.text());
    }
    // Before it changes anything, `create_issue` looks at the repository.
    let seen = scene.forge.upstream();
    assert!(seen.iter().all(|seen| seen.starts_with("GET ") && !seen.contains("contents")), "{seen:#?}");
    let (tool, arguments) = issue("nothing of ours", "in it".to_owned());
    assert_eq!(server.tool(tool, arguments).await.status, 200);
    assert_eq!(scene.forge.requests().iter().filter(|seen| seen.method == "POST").count(), 1);
    assert!((server.metric("aegis_own_secrets_total{outcome=\"refused\"}").await - 4.0).abs() < 0.1);

    let stopped = server.stop().await;
    let refused = of_event(&stopped.audit, "access_denied");
    assert_eq!(refused.len(), tries.len(), "{refused:#?}");
    for (line, (tool, _)) in refused.iter().zip(&tries) {
        assert_eq!((&line["reason"], &line["tool"]), (&json!("own_secret_refused"), &json!(tool)), "{line}");
        let outcome =
            stopped.audit.iter().rfind(|other| other["ticket"] == line["ticket"]).expect("an outcome");
        assert_eq!(outcome["status"], "error", "{outcome}");
        let calls = outcome["calls"].as_array().expect("a list");
        assert!(
            calls
                .iter()
                .all(|call| call["method"] == "GET" && !call["template"].to_string().contains("contents")),
            "{outcome}"
        );
    }
    stopped.audit.iter().for_each(|line| assert_clean(&line.to_string()));
    assert_clean(&stopped.log);
}
