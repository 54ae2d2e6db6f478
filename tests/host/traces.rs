//! Traces as a collector gets them: whose they are, what hangs on what, what Gitea learns, and that nothing of people and
//! repositories is in them.

use std::sync::{Arc, Mutex};

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::server::{KEY, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::scene::{READ, Scene, WRITE, call, until};
use crate::tls::{Flaw, Tls};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// A collector that takes everything, after so many refusals.
struct Collector {
    url: String,
    came: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Collector {
    async fn new(refusals: usize, status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1/traces", listener.local_addr().expect("an address"));
        let came: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let kept = came.clone();
        tokio::spawn(async move {
            let mut refusals = refusals;
            loop {
                let (mut peer, _) = listener.accept().await.expect("it connects");
                let (head, body) = request(&mut peer).await;
                let said = if refusals == 0 { "200 OK" } else { status };
                if refusals == 0 {
                    kept.lock().expect("not poisoned").push((head, body));
                }
                refusals = refusals.saturating_sub(1);
                let answer = format!("HTTP/1.1 {said}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
                peer.write_all(answer.as_bytes()).await.expect("an answer");
            }
        });
        Self { url, came }
    }

    /// The spans of every request so far.
    fn spans(&self) -> Vec<Value> {
        let came = self.came.lock().expect("not poisoned");
        let all = came.iter().flat_map(|(_, body)| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned().unwrap_or_default()
        });
        all.collect()
    }

    fn heads(&self) -> Vec<String> {
        self.came.lock().expect("not poisoned").iter().map(|(head, _)| head.clone()).collect()
    }

    fn text(&self) -> String {
        self.came.lock().expect("not poisoned").iter().map(|(_, body)| body.to_string()).collect()
    }
}

/// One request: its head and its body.
async fn request(peer: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.expect("a length").parse().expect("a number") {
                return (head.to_owned(), serde_json::from_str(body).expect("JSON"));
            }
        }
        let mut more = [0; 4096];
        let count = peer.read(&mut more).await.expect("a request");
        assert!(count > 0, "the request broke off: {text}");
        bytes.extend(&more[..count]);
    }
}

fn attribute(span: &Value, name: &str) -> Value {
    let all = span["attributes"].as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|one| one["key"] == name).unwrap_or_default();
    found["value"].as_object().and_then(|value| value.values().next().cloned()).unwrap_or_default()
}

fn named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name} is not among {spans:#?}"))
}

async fn traced(server: &Server, headers: &[(&str, &str)], call: (&str, &str)) -> u16 {
    let arguments: Value = serde_json::from_str(call.1).expect("JSON");
    let body = json!({"tool": call.0, "arguments": arguments}).to_string();
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    server.ask("POST", "/mcp/tool/call", &all, body.as_bytes()).await.status
}

#[tokio::test]
async fn a_call_is_told_as_one_trace_from_whoever_sent_it_to_gitea() {
    let scene = Scene::new().await;
    let collector = Collector::new(0, "").await;
    let setup = scene.setup().set(ENDPOINT, &collector.url).set("OTEL_SERVICE_NAME", "aegis-west");
    let token = "Bearer%20collector-secret-7d1f";
    let setup = setup.set("OTEL_EXPORTER_OTLP_TRACES_HEADERS", &format!("Authorization={token}"));
    let server = setup.start().await;
    let state = "vendor=abc";
    assert_eq!(traced(&server, &[("traceparent", PARENT), ("tracestate", state)], READ).await, 200);
    until("it is sent", async || server.metric("aegis_trace_spans_total{outcome=\"sent\"}").await > 4.5)
        .await;
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span["traceId"] == TRACE && span["traceState"] == state), "{spans:#?}");
    let root = named(&spans, "POST /mcp/tool/call");
    assert_eq!((&root["parentSpanId"], &root["kind"]), (&json!("b7ad6b7169203331"), &json!(2)));
    assert_eq!(attribute(root, "http.route"), "/mcp/tool/call");
    assert_eq!(attribute(root, "http.response.status_code"), "200");
    assert_eq!(
        (attribute(root, "aegis.tool"), attribute(root, "aegis.status")),
        ("get_repository_info".into(), "success".into())
    );
    let guest = named(&spans, "guest");
    for name in ["admission", "guest"] {
        assert_eq!(named(&spans, name)["parentSpanId"], root["spanId"], "{name}");
    }
    let gitea = named(&spans, "GET /repos/{owner}/{repo}");
    for name in ["audit intent", "audit outcome", "GET /repos/{owner}/{repo}"] {
        assert_eq!(named(&spans, name)["parentSpanId"], guest["spanId"], "{name}");
    }
    assert_eq!((&gitea["kind"], attribute(gitea, "http.response.status_code")), (&json!(3), "200".into()));
    let lines = server.audit();
    let ticket = &lines.iter().find(|line| line["status"] == "success").expect("an outcome")["ticket"];
    assert_eq!(&attribute(gitea, "aegis.ticket"), ticket);
    let seen = scene
        .forge
        .requests()
        .into_iter()
        .find(|seen| seen.path.ends_with("/repos/alice/demo"))
        .expect("a call");
    let id = gitea["spanId"].as_str().expect("an id");
    assert_eq!(seen.trace, [Some(format!("00-{TRACE}-{id}-01")), Some(state.to_owned())]);
    for span in &spans {
        let time = |name: &str| span[name].as_str().expect("a time").parse::<u64>().expect("a number");
        assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"), "{span}");
    }
    let head = collector.heads().remove(0).to_ascii_lowercase();
    assert!(
        head.starts_with("post /v1/traces http/1.1")
            && head.contains("authorization: bearer collector-secret-7d1f")
    );
    let text = collector.text();
    assert!(text.contains("aegis-west"), "{text}");
    let stopped = server.stop().await;
    for secret in [KEY, SVC_TOKEN, "collector-secret-7d1f", "alice", "demo", "laptop", "127.0.0.1"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert!(!stopped.log.contains("collector-secret"), "{}", stopped.log);
}

#[tokio::test]
async fn a_message_of_mcp_may_say_where_it_comes_from_and_a_refusal_says_why() {
    let scene = Scene::new().await;
    let collector = Collector::new(0, "").await;
    let server = scene.setup().set(ENDPOINT, &collector.url).start().await;
    let arguments: Value = serde_json::from_str(READ.1).expect("JSON");
    let meta = json!({"traceparent": OTHER, "tracestate": "a=1"});
    let params = json!({"name": READ.0, "arguments": arguments, "_meta": meta});
    assert_eq!(server.modern("tools/call", params.clone()).await.status, 200);
    assert_eq!(server.modern_with(&[("traceparent", PARENT)], "tools/call", params).await.status, 200);
    // Nobody's word counts who has not shown a key, and a write is refused while writes are off.
    let stranger = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"_meta": meta}}).to_string();
    assert_eq!(server.stranger("POST", "/mcp", &stranger, body.as_bytes()).await.status, 401);
    assert_eq!(traced(&server, &[("traceparent", "00-nonsense-01")], WRITE).await, 403);
    assert_eq!(server.stop().await.code, 0);
    let spans = collector.spans();
    let roots: Vec<&Value> = spans.iter().filter(|span| span["kind"] == 2).collect();
    assert_eq!(roots.len(), 4, "{roots:#?}");
    let of = |trace: &str| roots.iter().filter(|root| root["traceId"] == trace).copied().collect::<Vec<_>>();
    let message = of("4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(message.len(), 1, "{roots:#?}");
    assert_eq!(
        (&message[0]["parentSpanId"], &message[0]["traceState"]),
        (&json!("00f067aa0ba902b7"), &json!("a=1"))
    );
    let headers = of(TRACE);
    assert_eq!(headers[0]["links"][0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736", "{headers:#?}");
    let why = |status: &str| {
        let found = roots.iter().find(|root| attribute(root, "http.response.status_code") == status);
        attribute(found.unwrap_or_else(|| panic!("{status}: {roots:#?}")), "error.type")
    };
    assert_eq!((why("401"), why("403")), ("missing_credential".into(), "write_mode_disabled".into()));
}

#[tokio::test]
async fn without_a_collector_gitea_hears_of_no_trace_and_nothing_is_noted() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    assert_eq!(traced(&server, &[("traceparent", PARENT), ("tracestate", "a=1")], READ).await, 200);
    assert!(scene.forge.requests().iter().all(|seen| seen.trace == [None, None]));
    for outcome in ["sent", "dropped", "refused"] {
        assert!(server.metric(&format!("aegis_trace_spans_total{{outcome=\"{outcome}\"}}")).await < 0.5);
    }
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn what_is_not_sampled_is_not_sent_and_gitea_learns_that_it_is_not() {
    let scene = Scene::new().await;
    let collector = Collector::new(0, "").await;
    let setup = scene.setup().set(ENDPOINT, &collector.url).set("OTEL_TRACES_SAMPLER_ARG", "0");
    let server = setup.start().await;
    assert_eq!(traced(&server, &[], READ).await, 200);
    assert_eq!(traced(&server, &[("traceparent", PARENT)], READ).await, 200);
    assert_eq!(server.stop().await.code, 0);
    assert!(collector.spans().iter().all(|span| span["traceId"] == TRACE));
    assert_eq!(collector.spans().iter().filter(|span| span["kind"] == 2).count(), 1);
    let heard: Vec<bool> = scene
        .forge
        .requests()
        .iter()
        .filter_map(|seen| seen.trace[0].as_ref().map(|parent| parent.ends_with("-01")))
        .collect();
    assert_eq!(heard, [false, true]);
}

#[tokio::test]
async fn a_collector_that_refuses_or_is_away_holds_nothing_up_and_is_told_of() {
    let scene = Scene::new().await;
    let collector = Collector::new(1, "400 No").await;
    let server = scene.setup().set(ENDPOINT, &collector.url).start().await;
    assert_eq!(traced(&server, &[], READ).await, 200);
    until("it is refused", async || {
        server.metric("aegis_trace_spans_total{outcome=\"refused\"}").await > 4.5
    })
    .await;
    assert!(server.log().contains("\"event\":\"traces_unavailable\""));
    assert_eq!(traced(&server, &[], READ).await, 200);
    until("the next is taken", async || {
        server.metric("aegis_trace_spans_total{outcome=\"sent\"}").await > 4.5
    })
    .await;
    assert!(server.log().contains("\"event\":\"traces_available\""));
    assert_eq!(server.stop().await.code, 0);
    let again = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("http://{}/v1/traces", listener.local_addr().expect("an address"));
    drop(listener);
    let server = again.setup().set(ENDPOINT, &nobody).start().await;
    assert_eq!(traced(&server, &[], READ).await, 200);
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(again.verify().await.0, 0);
}

#[tokio::test]
async fn a_setting_of_traces_that_cannot_be_used_stops_the_start_without_showing_a_secret() {
    let scene = Scene::new().await;
    for (name, value, why) in [
        (ENDPOINT, "collector:4318", "http"),
        ("OTEL_TRACES_SAMPLER_ARG", "2", "from 0 to 1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "hidden-9c2e", "name=value"),
    ] {
        let (code, said) = scene.setup().set(name, value).refused().await;
        assert!(code == 64 && said.contains(name) && said.contains(why), "{code} {said}");
        assert!(!said.contains("hidden-9c2e"), "{said}");
    }
}

#[tokio::test]
async fn a_secret_of_this_server_does_not_leave_in_a_state_of_somebody() {
    let scene = Scene::new().await;
    let collector = Collector::new(0, "").await;
    let server = scene.setup().set(ENDPOINT, &collector.url).start().await;
    let state = format!("a={SVC_TOKEN}");
    assert_eq!(traced(&server, &[("traceparent", PARENT), ("tracestate", &state)], READ).await, 200);
    assert!(call(&server.url, KEY, READ).await.expect("no panic").is_some());
    assert_eq!(server.stop().await.code, 0);
    assert!(!collector.spans().is_empty());
    assert!(!collector.text().contains(SVC_TOKEN));
    assert!(scene.forge.requests().iter().all(|seen| seen.trace[1].is_none()));
}

#[tokio::test]
async fn a_collector_behind_tls_is_judged_by_the_named_authority() {
    for (flaw, comes) in [(Flaw::None, true), (Flaw::OtherName, false)] {
        let scene = Scene::new().await;
        let collector = Collector::new(0, "").await;
        let place = collector.url.strip_suffix("/v1/traces").expect("a path");
        let tls = Tls::before(place, flaw).await;
        let authority = scene.folder.0.join("ca.pem");
        std::fs::write(&authority, &tls.pem).expect("written");
        let setup = scene.setup().set(ENDPOINT, &format!("https://{}/v1/traces", tls.authority()));
        let server = setup.set("GITEA_CA_FILE", &authority.display().to_string()).start().await;
        assert_eq!(traced(&server, &[], READ).await, 200);
        if comes {
            let sent = "aegis_trace_spans_total{outcome=\"sent\"}";
            until("it is sent", async || server.metric(sent).await > 4.5).await;
        } else {
            let told = |line: &Value| line["event"] == "traces_unavailable";
            server.log_when(told).await;
        }
        assert_eq!(server.stop().await.code, 0);
        assert_eq!(collector.spans().is_empty(), !comes);
    }
}
