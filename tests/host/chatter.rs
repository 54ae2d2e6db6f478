//! A guest that logs without end: its first lines are kept, the rest become one number, and nobody else is affected.

use aegis_tests::server::Server;
use serde_json::Value;

use crate::scene::{Scene, until};

/// Log lines that one request may write.
const MOST: usize = 64;
/// What the hostile guest tries.
const TRIED: usize = 1_000;

/// The log's lines of one request and event.
fn lines(server: &Server, id: &str, event: &str) -> Vec<Value> {
    let parsed = |line: &str| serde_json::from_str::<Value>(line).ok();
    let log = server.log();
    let all = log.lines().filter_map(parsed);
    all.filter(|line| line["event"] == event && line["request_id"] == id).collect()
}

#[tokio::test]
async fn a_request_writes_so_many_log_lines_and_says_once_how_many_more_it_tried() {
    let scene = Scene::new().await;
    let server = scene.setup().guest("hostile.wasm").start().await;
    for (attempt, status) in [("/chatter", 200), ("/chatter-then-trap", 500), ("/chatter", 200)] {
        let answer = server.get(attempt).await;
        assert_eq!(answer.status, status, "{attempt}: {}", answer.text());
        let id = answer.header("x-request-id").expect("every answer bears an id").to_owned();
        until("the request's end is told", async || !lines(&server, &id, "log_lines_dropped").is_empty())
            .await;
        assert_eq!(lines(&server, &id, "chatter").len(), MOST, "{attempt}");
        let told = lines(&server, &id, "log_lines_dropped");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0]["written"], &told[0]["dropped"]), (&MOST.into(), &(TRIED - MOST).into()));
    }
    let quiet = server.get("/fine").await;
    let id = quiet.header("x-request-id").expect("every answer bears an id").to_owned();
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    let of_quiet = stopped.log.lines().filter(|line| line.contains(&id) && line.contains("dropped")).count();
    assert_eq!(of_quiet, 0, "nothing was kept back of a request that logs nothing");
}
