//! Every endpoint that exists, and paths beside them that do not.

use serde_json::{Value, json};

use crate::ground::Ground;

/// Method, path, status with a good key, status without one.
const TABLE: &[(&str, &str, u16, u16)] = &[
    ("GET", "/", 200, 200),
    ("HEAD", "/", 200, 200),
    ("POST", "/", 405, 405),
    ("DELETE", "/", 405, 405),
    ("GET", "/health", 200, 200),
    ("HEAD", "/health", 200, 200),
    ("GET", "/ready", 200, 200),
    ("HEAD", "/ready", 200, 200),
    ("GET", "/metrics", 200, 200),
    ("GET", "/mcp/tools", 200, 200),
    ("HEAD", "/mcp/tools", 200, 200),
    ("GET", "/mcp/tools?owner=alice", 200, 200),
    ("POST", "/mcp/tools", 405, 405),
    ("GET", "/mcp", 406, 401),
    ("DELETE", "/mcp", 405, 401),
    ("PUT", "/mcp", 405, 401),
    ("HEAD", "/mcp", 405, 401),
    ("GET", "/mcp/", 406, 401),
    ("DELETE", "/mcp/", 405, 401),
    ("GET", "/mcp/sse", 406, 401),
    ("DELETE", "/mcp/sse", 405, 401),
    ("GET", "/mcp/tool/call", 405, 401),
    // Sign-in through Gitea is off in key mode: nothing may look as if it were on.
    ("GET", "/.well-known/oauth-protected-resource", 404, 404),
    ("GET", "/.well-known/oauth-protected-resource/mcp", 404, 404),
    ("GET", "/.well-known/oauth-authorization-server", 404, 404),
    ("GET", "/.well-known/openid-configuration", 404, 404),
    ("POST", "/register", 404, 404),
    ("GET", "/authorize", 404, 404),
    ("GET", "/oauth/authorize", 404, 404),
    ("GET", "/oauth/callback?code=x&state=y", 404, 404),
    ("POST", "/oauth/token", 404, 404),
    ("POST", "/token", 404, 404),
    // So is automation, which says so.
    ("POST", "/automation/webhook", 403, 403),
    ("POST", "/automation/jobs/run", 403, 403),
    ("POST", "/automation/jobs", 404, 404),
    // Paths are compared byte by byte.
    ("POST", "/MCP", 404, 404),
    ("POST", "//mcp", 404, 404),
    ("POST", "/mcp//", 404, 404),
    ("POST", "/%6dcp", 404, 404),
    ("POST", "/mcp/../mcp", 404, 404),
    ("POST", "/mcp;v=1", 404, 404),
    ("GET", "/mcp/tools/", 404, 404),
    ("GET", "/health/", 404, 404),
    ("GET", "/.env", 404, 404),
    ("GET", "/api/v1/user", 404, 404),
];

#[tokio::test]
async fn every_path_and_method_has_its_one_status_with_and_without_a_key() {
    let ground = Ground::new().await;
    for (method, path, with_key, without) in TABLE {
        let known = ground.server.ask(method, path, &[], b"").await;
        let stranger = ground.server.stranger(method, path, &[], b"").await;
        assert_eq!((known.status, stranger.status), (*with_key, *without), "{method} {path}");
        for answer in [known, stranger] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {path}");
            let reason = match answer.status {
                200 => continue,
                401 => "missing_credential",
                403 => "automation_disabled",
                404 => "no_such_path",
                405 => "method_not_allowed",
                406 => "events_not_accepted",
                other => panic!("{other} is in no row"),
            };
            if answer.status == 401 {
                assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
            }
            if answer.status == 405 {
                let allow = match *path {
                    "/" | "/mcp/tools" => "GET, HEAD",
                    "/mcp/tool/call" => "POST",
                    _ => "GET, POST",
                };
                assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
            }
            if *method == "HEAD" {
                assert_eq!(answer.body, b"");
                assert_eq!(ground.only_line(&answer).await["reason"], reason);
            } else {
                ground.refused(&answer, answer.status, "access_denied", reason).await;
            }
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn what_the_guest_answers_is_dressed_against_browsers_and_caches() {
    let ground = Ground::new().await;
    for (method, path) in [("GET", "/"), ("GET", "/nothing"), ("GET", "/mcp/tools"), ("GET", "/mcp")] {
        let answer = ground.server.stranger(method, path, &[], b"").await;
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("vary", "Origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        for absent in
            ["server", "x-powered-by", "mcp-session-id", "set-cookie", "access-control-allow-origin"]
        {
            assert_eq!(answer.header(absent), None, "{path}: {absent}");
        }
    }
}

#[tokio::test]
async fn the_root_names_the_product_and_its_endpoints() {
    let ground = Ground::new().await;
    let root = ground.server.stranger("GET", "/", &[], b"").await.json();
    assert_eq!(root["name"], "AegisGitea-MCP");
    let endpoints =
        json!({"mcp": "/mcp", "tools": "/mcp/tools", "tool_call": "/mcp/tool/call", "health": "/health"});
    assert_eq!(root["endpoints"], endpoints);
    let health = ground.server.stranger("GET", "/health", &[], b"").await.json();
    assert_eq!(health, json!({"status": "healthy", "version": root["version"]}));
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn ready_says_which_component_and_policy_are_in_force() {
    let ground = Ground::new().await;
    let ready = ground.server.stranger("GET", "/ready", &[], b"").await.json();
    assert_eq!((&ready["status"], &ready["reasons"]), (&json!("ready"), &json!([])));
    for digest in ["component", "policy"] {
        let text = ready[digest].as_str().unwrap_or_default();
        assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()), "{digest}: {text}");
    }
}

#[tokio::test]
async fn the_public_list_of_tools_is_the_one_of_both_eras_where_nothing_narrows_it() {
    let ground = Ground::with(|setup| setup.writes("alice/demo")).await;
    let public = ground.server.stranger("GET", "/mcp/tools", &[], b"").await.json();
    let names: Vec<&str> = public["tools"]
        .as_array()
        .map_or(vec![], |all| all.iter().filter_map(|t| t["name"].as_str()).collect());
    assert!(names.contains(&"get_issue") && names.contains(&"create_issue"), "{names:?}");
    let legacy = ground.server.legacy(&crate::ground::legacy(json!(1), "tools/list", json!({}))).await.json();
    let modern = ground.server.modern("tools/list", json!({})).await.json();
    assert_eq!(legacy["result"]["tools"], public["tools"]);
    assert_eq!(modern["result"]["tools"], public["tools"]);
    let again = ground.server.stranger("GET", "/mcp/tools", &[], b"").await;
    assert_eq!(again.json(), public, "the order is the same each time");
}

#[tokio::test]
async fn every_name_of_the_endpoint_takes_the_same_messages() {
    let ground = Ground::new().await;
    let ping = json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}).to_string();
    let mut said: Vec<Value> = Vec::new();
    for path in ["/mcp", "/mcp/", "/mcp/sse"] {
        let answer = ground.post(path, &[], ping.as_bytes()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        said.push(answer.json());
    }
    assert_eq!(said, vec![json!({"jsonrpc": "2.0", "id": "p", "result": {}}); 3]);
}

#[tokio::test]
async fn the_host_answers_its_own_paths_to_get_alone() {
    let ground = Ground::new().await;
    for path in ["/health", "/ready", "/metrics"] {
        for method in ["POST", "DELETE", "OPTIONS", "PUT"] {
            let answer = ground.server.ask(method, path, &[], b"").await;
            ground.refused_by_host(&answer, 405, "method_not_allowed").await;
            assert_eq!(answer.header("allow"), Some("GET"), "{method} {path}");
        }
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn metrics_that_are_switched_off_are_not_found() {
    let ground = Ground::with(|setup| setup.set("METRICS_ENABLED", "false")).await;
    for method in ["GET", "POST"] {
        let answer = ground.server.ask(method, "/metrics", &[], b"").await;
        assert_eq!((answer.status, &answer.json()["error"]), (404, &json!("not_found")), "{method}");
        assert!(!answer.text().contains("aegis_"), "{}", answer.text());
    }
    assert_eq!(ground.server.stranger("GET", "/health", &[], b"").await.status, 200);
}
