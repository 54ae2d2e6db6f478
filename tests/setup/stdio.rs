//! `aegis-mcp stdio`: the protocol over pipes in both eras, what is refused, what is on record, and how it ends.

use std::collections::BTreeMap;
use std::process::Stdio;

use aegis_tests::forge::world::{READONLY_TOKEN, SVC_TOKEN};
use aegis_tests::server::of_event;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::stage::{Stage, audit, command, run};

/// A client of the program.
struct Pipes {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Pipes {
    fn open(stage: &Stage, more: &[(&str, &str)]) -> Self {
        let url = stage.forge.url();
        let mut variables = BTreeMap::from([
            ("GITEA_URL", url.as_str()),
            ("GITEA_TOKEN", READONLY_TOKEN),
            ("AUDIT_LOG_PATH", "audit/audit.log"),
        ]);
        variables.extend(more.iter().copied());
        let mut command = command(&stage.folder);
        command.arg("stdio").envs(variables);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("`make build` has built aegis-mcp");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), output, child }
    }

    async fn says(&mut self, line: &str) {
        let input = self.input.as_mut().expect("still open");
        input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line, which is always one message.
    async fn hears(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap().expect("a line");
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        message
    }

    async fn asks(&mut self, message: &Value) -> Value {
        self.says(&message.to_string()).await;
        self.hears().await
    }

    /// Close standard input and wait: exit code, what else came out, standard error.
    async fn ends(mut self) -> (i32, String, String) {
        drop(self.input.take());
        let mut rest = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            rest.push(line);
        }
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        (self.child.wait().await.unwrap().code().unwrap_or(-1), rest.join("\n"), log)
    }
}

fn legacy(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn modern(id: &str, method: &str, mut params: Value) -> Value {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

fn repository() -> Value {
    json!({ "name": "get_repository_info", "arguments": { "owner": "alice", "repo": "demo" } })
}

#[tokio::test]
async fn a_legacy_client_opens_lists_calls_and_leaves() {
    let stage = Stage::new().await;
    let mut pipes = Pipes::open(&stage, &[]);
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let opened = pipes.asks(&legacy(1, "initialize", hello)).await;
    assert_eq!(opened["result"]["protocolVersion"], "2025-11-25");
    pipes.says(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    let tools = pipes.asks(&legacy(2, "tools/list", json!({}))).await;
    // Those that read: writes are off.
    assert_eq!((&tools["id"], tools["result"]["tools"].as_array().unwrap().len()), (&json!(2), 28));
    let called = pipes.asks(&legacy(3, "tools/call", repository())).await;
    assert_eq!(called["result"]["structuredContent"]["repository"]["full_name"], "alice/demo", "{called}");
    let (code, rest, log) = pipes.ends().await;
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    assert!(!log.contains(READONLY_TOKEN));

    let lines = audit(&stage.path("audit/stdio-1/audit.log"));
    let calls = of_event(&lines, "tool_invocation");
    assert_eq!(calls.len(), 2, "intent and outcome: {lines:#?}");
    assert!(calls.iter().all(|line| line.to_string().contains("stdio-uid-")), "{calls:#?}");
    let path = stage.path("audit/stdio-1").display().to_string();
    run(&stage.folder, &["audit", "verify", &path], "").await.says(0, &[]);
    assert_eq!(stage.forge.violations(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_person_confirms_a_change_over_pipes_in_both_eras() {
    let stage = Stage::new().await;
    std::fs::write(stage.path("policy.yaml"), "defaults: {read: allow, write: allow}\n").unwrap();
    let policy = stage.path("policy.yaml").display().to_string();
    let mut pipes = Pipes::open(
        &stage,
        &[
            ("GITEA_TOKEN", SVC_TOKEN),
            ("WRITE_MODE", "true"),
            ("WRITE_REPOSITORY_WHITELIST", "alice/demo"),
            ("WRITE_CONFIRMATION", "elicit"),
            ("POLICY_FILE_PATH", &policy),
        ],
    );
    let wanted = json!({ "name": "create_issue", "arguments": { "owner": "alice", "repo": "demo", "title": "By hand" } });
    let yes = json!({ "action": "accept", "content": { "confirm": true } });

    let question = pipes.asks(&legacy(1, "tools/call", wanted.clone())).await;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    let reply = json!({ "jsonrpc": "2.0", "id": question["id"], "result": yes });
    let made = pipes.asks(&reply).await;
    assert_eq!(
        (&made["id"], &made["result"]["structuredContent"]["issue"]["title"]),
        (&json!(1), &json!("By hand"))
    );

    let mut params = wanted;
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    let message =
        |params: &Value| json!({ "jsonrpc": "2.0", "id": "m", "method": "tools/call", "params": params });
    let asked = pipes.asks(&message(&params)).await;
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    params["inputResponses"] = json!({ "confirm": yes });
    params["requestState"] = asked["result"]["requestState"].clone();
    let made = pipes.asks(&message(&params)).await;
    assert_eq!(made["result"]["structuredContent"]["issue"]["title"], "By hand", "{made}");
    let (code, rest, log) = pipes.ends().await;
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    assert_eq!(stage.forge.violations(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_modern_client_needs_no_opening_and_hears_progress() {
    let stage = Stage::new().await;
    let mut pipes = Pipes::open(&stage, &[]);
    let found = pipes.asks(&modern("a", "server/discover", json!({}))).await;
    assert_eq!((&found["id"], found["error"].is_null()), (&json!("a"), true), "{found}");
    let called = pipes.asks(&modern("b", "tools/call", repository())).await;
    assert_eq!(called["result"]["resultType"], "complete", "{called}");
    let mut with_progress = repository();
    with_progress["_meta"] = json!({ "progressToken": "p" });
    pipes.says(&modern("c", "tools/call", with_progress).to_string()).await;
    let mut last = pipes.hears().await;
    while last["method"] == "notifications/progress" {
        assert_eq!(last["params"]["progressToken"], "p");
        last = pipes.hears().await;
    }
    assert_eq!((&last["id"], last["error"].is_null()), (&json!("c"), true), "{last}");
    // A revision that is not served is refused as over HTTP.
    let mut odd = modern("d", "tools/list", json!({}));
    odd["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2031-01-01".into();
    assert_eq!(pipes.asks(&odd).await["error"]["code"], -32022);
    let (code, rest, log) = pipes.ends().await;
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
}

#[tokio::test]
async fn what_is_no_message_gets_its_error_and_the_next_one_its_answer() {
    let stage = Stage::new().await;
    let mut pipes = Pipes::open(&stage, &[("MAX_REQUEST_BYTES", "2048")]);
    let long =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"{}\"}}", "y".repeat(5_000));
    for (line, code) in [
        ("not json", -32700),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, -32700),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
        ("{}", -32600),
        (long.as_str(), -32600),
    ] {
        pipes.says(line).await;
        let refused = pipes.hears().await;
        assert_eq!(
            (&refused["id"], &refused["error"]["code"]),
            (&Value::Null, &json!(code)),
            "{line:.60}: {refused}"
        );
    }
    assert_eq!(pipes.asks(&legacy(7, "no/such", json!({}))).await["error"]["code"], -32601);
    pipes.says("").await;
    assert_eq!(pipes.asks(&legacy(8, "ping", json!({}))).await["result"], json!({}));
    let (code, rest, log) = pipes.ends().await;
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    assert_eq!(stage.asked(), [] as [&str; 0]);
}

#[tokio::test]
async fn the_gates_are_those_of_the_server() {
    let stage = Stage::new().await;
    let mut pipes = Pipes::open(&stage, &[]);
    let write =
        json!({ "name": "create_issue", "arguments": { "owner": "alice", "repo": "demo", "title": "x" } });
    let refused = pipes.asks(&legacy(1, "tools/call", write)).await;
    assert!(refused["error"].is_object() || refused["result"]["isError"] == true, "{refused}");
    assert_eq!(pipes.ends().await.0, 0);
    assert_eq!(stage.asked(), [] as [&str; 0]);
    let lines = audit(&stage.path("audit/stdio-1/audit.log"));
    assert_eq!(of_event(&lines, "access_denied").len(), 1, "{lines:#?}");
}

#[tokio::test]
async fn what_was_asked_is_answered_before_the_end() {
    let stage = Stage::new().await;
    let mut pipes = Pipes::open(&stage, &[]);
    for id in 0..20 {
        pipes.says(&legacy(id, "tools/call", repository()).to_string()).await;
    }
    let (code, rest, log) = pipes.ends().await;
    let mut ids: Vec<u64> = rest
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .inspect(|answer| assert!(answer["error"].is_null(), "{answer}"))
        .filter_map(|answer| answer["id"].as_u64())
        .collect();
    ids.sort_unstable();
    assert_eq!((code, ids), (0, (0..20).collect::<Vec<_>>()), "{log}");
}

#[tokio::test]
async fn a_call_that_is_taken_back_is_given_up() {
    use aegis_tests::forge::{Fault, FaultKind};
    let stage = Stage::new().await;
    stage.forge.every_fault(Fault::on("/repos/alice/demo", FaultKind::Hang));
    let mut pipes = Pipes::open(&stage, &[]);
    pipes.says(&legacy(1, "tools/call", repository()).to_string()).await;
    // It has arrived at Gitea, or the next line would not matter.
    while stage.asked().is_empty() {
        tokio::task::yield_now().await;
    }
    pipes.says(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    assert_eq!(pipes.asks(&legacy(2, "ping", json!({}))).await["id"], 2);
    let (code, rest, log) = pipes.ends().await;
    assert_eq!((code, rest.as_str()), (0, ""), "{log}");
    let lines = audit(&stage.path("audit/stdio-1/audit.log"));
    assert_eq!(of_event(&lines, "tool_invocation").len(), 2, "{lines:#?}");
}

#[tokio::test]
async fn two_clients_have_a_log_each_and_a_signal_ends_well() {
    let stage = Stage::new().await;
    let mut first = Pipes::open(&stage, &[]);
    assert_eq!(first.asks(&legacy(1, "tools/call", repository())).await["id"], 1);
    let mut second = Pipes::open(&stage, &[]);
    assert_eq!(second.asks(&legacy(1, "tools/call", repository())).await["id"], 1);
    for number in 1..=2 {
        let lines = audit(&stage.path(&format!("audit/stdio-{number}/audit.log")));
        assert_eq!(of_event(&lines, "tool_invocation").len(), 2, "{number}");
    }
    let pid = first.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().await.unwrap().success());
    assert_eq!(first.child.wait().await.unwrap().code(), Some(0));
    assert_eq!(second.ends().await.0, 0);
}

#[tokio::test]
async fn without_settings_nothing_is_on_standard_output() {
    let stage = Stage::new().await;
    let ran = stage.run(&["stdio"], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await;
    assert_eq!(
        ran.says(64, &["GITEA_URL is required", "GITEA_TOKEN is required", "aegis-mcp setup solo"]).out,
        ""
    );
}
