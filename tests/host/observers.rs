//! Those who observe the server at an address of their own.

use aegis_tests::http::send;
use aegis_tests::server::{KEY, free_port};
use serde_json::Value;

use crate::scene::{Scene, call};

const APART: [&str; 2] = ["/metrics", "/audit/checkpoint"];
const BOTH: [&str; 2] = ["/health", "/ready"];

#[tokio::test]
async fn what_observers_read_can_have_an_address_of_its_own() {
    let scene = Scene::new().await;
    let place = format!("127.0.0.1:{}", free_port());
    let server = scene.setup().set("ADMIN_BIND", &place).start().await;
    assert!(server.log().contains(&format!("\"observers\":\"{place}\"")), "{}", server.log());
    let url = format!("http://{place}");
    for path in APART.iter().chain(&BOTH) {
        let answer = send(&url, "GET", path, &[], b"").await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.header("x-request-id").is_some(), "{path}");
        let post = send(&url, "POST", path, &[], b"").await.expect("an answer");
        assert_eq!(post.status, 405, "{path}");
    }
    for path in APART {
        let answer = server.stranger("GET", path, &[], b"").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (404, Some("not_found")), "{path}");
    }
    for path in BOTH {
        assert_eq!(server.stranger("GET", path, &[], b"").await.status, 200, "{path}");
    }
    // Nothing of what clients use is there.
    for path in ["/", "/mcp", "/mcp/tools", "/mcp/tool/call", "/.well-known/oauth-protected-resource"] {
        for method in ["GET", "POST"] {
            assert_eq!(send(&url, method, path, &[], b"{}").await.expect("an answer").status, 404, "{path}");
        }
    }
    assert!(
        scene.forge.requests().iter().all(|request| request.path.contains("version")),
        "no call was made"
    );
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn an_address_of_observers_that_is_taken_or_none_stops_the_start() {
    let scene = Scene::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = taken.local_addr().expect("an address").to_string();
    let (code, said) = scene.setup().set("ADMIN_BIND", &place).refused().await;
    assert!(code == 1 && said.contains("ADMIN_BIND") && said.contains(&place), "{code} {said}");
    let (code, said) = scene.setup().set("ADMIN_BIND", "9090").refused().await;
    assert!(code == 64 && said.contains("ADMIN_BIND") && said.contains("127.0.0.1:9090"), "{code} {said}");
}

#[tokio::test]
async fn at_debug_the_log_tells_the_shape_of_what_came_from_gitea_and_nothing_that_stands_in_it() {
    let get_issue = ("get_issue", r#"{"owner":"alice","repo":"demo","issue_number":1}"#);
    for (level, told) in [("DEBUG", true), ("INFO", false)] {
        let scene = Scene::new().await;
        let server = scene.setup().set("LOG_LEVEL", level).start().await;
        let answer = call(&server.url, KEY, get_issue).await.expect("no panic").expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let title = answer.json()["result"]["issue"]["title"].as_str().map(str::to_owned);
        let stopped = server.stop().await;
        let lines: Vec<Value> =
            stopped.log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let events = |name: &str| lines.iter().filter(|line| line["event"] == name).collect::<Vec<_>>();
        assert_eq!(events("get_issue.start").len(), usize::from(told));
        let Some(shape) = events("get_issue.payload_shape").pop() else {
            assert!(!told);
            continue;
        };
        assert_eq!((&shape["level"], &shape["context"]["type"]), (&"DEBUG".into(), &"object".into()));
        assert!(shape["request_id"].is_string() && shape["context"]["members"].is_string(), "{shape}");
        let checked = events("get_issue.field_check");
        assert!(checked.iter().any(|line| line["context"]["field"] == "milestone"), "{checked:?}");
        let title = title.expect("the issue has a title");
        assert!(!stopped.log.contains(&title), "{title} is in the log");
    }
}
