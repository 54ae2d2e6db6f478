//! Each authenticated request: the line about it, whose token it carries to Gitea, and the way to a wider one.

use aegis_tests::browser::Browser;
use aegis_tests::forge::Credential;
use aegis_tests::http::send;
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::{Value, json};

use crate::grants::{READ, WRITE, line_with};
use crate::scene::{Scene, password};

/// The lines `oauth_auth_summary` of the log, once there are so many.
pub async fn summaries(server: &Server, count: usize) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let found: Vec<Value> = lines.filter(|line| line["event"] == "oauth_auth_summary").collect();
        if found.len() >= count {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{log}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_authenticated_request_is_summed_up_in_the_log_and_nothing_is_sent_for_that() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    scene.forge.forget();
    let bearer = format!("Bearer {}", tokens.access);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    for _ in 0..3 {
        let answer = send(&server.url, "POST", "/mcp", &headers, message.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.upstream());
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let nobody = call(&server.url, "aegis_at_nothing", "list_repositories", &json!({})).await;
    assert_eq!(nobody.status, 401);
    let found = summaries(&server, 4).await;
    assert_eq!(found.len(), 4, "one for each, none for a request that proves nobody: {found:#?}");
    for line in &found {
        assert_eq!(line["token_type"], "opaque", "{line}");
        assert_eq!(line["scopes_observed"], READ, "{line}");
        assert_eq!(line["scopes_effective"], "read:repository", "{line}");
        assert_eq!(line["api_probe"], "skip:cached", "{line}");
        assert_eq!(line["login"], "alice", "{line}");
        assert!(line["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
    }
    let log = server.stop().await.log;
    for secret in [&tokens.access, &tokens.refresh] {
        assert!(!log.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn each_call_carries_the_token_of_the_person_behind_it() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    let mut people = Vec::new();
    for login in ["alice", "bob", "carol"] {
        people.push((login, client.tokens(login, &password(login), false).await));
    }
    scene.forge.forget();
    for (login, tokens) in people.iter().chain(people.iter().rev()) {
        let arguments = json!({"owner": "acme", "repo": "vault"});
        let answer = call(&server.url, &tokens.access, "get_repository_info", &arguments).await;
        // A private repository of acme: alice and bob are in its teams.
        assert_eq!(answer.status, if *login == "carol" { 404 } else { 200 }, "{login}: {}", answer.text());
    }
    let seen: Vec<_> =
        scene.forge.requests().into_iter().map(|s| (s.user.unwrap_or_default(), s.credential)).collect();
    let expected: Vec<_> = ["alice", "bob", "carol", "carol", "bob", "alice"]
        .map(|login| (login.to_owned(), Credential::OAuth))
        .into();
    assert_eq!(seen, expected);
    let lines = server.audit_when(|lines| of_event(lines, "tool_invocation").len() == 12).await;
    assert_eq!(
        of_event(&lines, "tool_invocation")[0]["principal"],
        of_event(&lines, "tool_invocation")[11]["principal"]
    );
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn a_read_token_at_a_write_tool_is_told_which_scopes_to_ask_for_and_the_next_sign_in_gives_them() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let mut browser = Browser::new();
    let back = client.sign_in(&mut browser, "alice", &password("alice"), false).await;
    let reader = Tokens::of(&client.redeem(&parameter(&back, "code").unwrap(), &[]).await);
    assert_eq!(reader.answer["scope"], "read:repository");
    scene.forge.forget();
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "Stepped up"});
    let answer = call(&server.url, &reader.access, "create_issue", &arguments).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("insufficient_scope")));
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    let document = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", server.url);
    for part in
        ["error=\"insufficient_scope\"", "scope=\"read:repository write:repository\"", document.as_str()]
    {
        assert!(challenge.contains(part), "{challenge}");
    }
    assert!(scene.forge.requests().is_empty(), "nothing is tried: {:?}", scene.forge.upstream());
    line_with(&server, "access_denied", "insufficient_scope").await;

    // The same browser: the remembered approval for reading does not hide the choice to add writes.
    let page = browser.get(&client.authorize_url(&[("scope", "read:repository write:repository")])).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let sent = browser.submit(&page.form("decision"), &[("decision", "approve"), ("access", "write")]).await;
    assert_eq!(sent.status(), 303, "{}", sent.text());
    let redirect = client.redirect.clone();
    let back = browser.follow_until(|url| url.starts_with(&redirect)).await.stopped().unwrap();
    let writer = Tokens::of(&client.redeem(&parameter(&back, "code").unwrap(), &[]).await);
    assert_eq!(writer.answer["scope"], "read:repository write:repository");
    scene.forge.forget();
    let answer = call(&server.url, &writer.access, "create_issue", &arguments).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = scene.forge.requests();
    let post = seen.iter().find(|seen| seen.method == "POST").unwrap();
    assert_eq!(
        (post.path.as_str(), post.user.as_deref()),
        ("/api/v1/repos/alice/demo/issues", Some("alice"))
    );
    let last = summaries(&server, 2).await.pop().unwrap();
    assert_eq!((&last["scopes_observed"], &last["login"]), (&json!(WRITE), &json!("alice")));
    assert_eq!(last["scopes_effective"], "read:repository write:repository");
    // The reader's token goes on as it was.
    let answer = call(&server.url, &reader.access, "create_issue", &arguments).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("insufficient_scope")));
}

#[tokio::test]
async fn each_mcp_path_asks_for_more_with_its_own_document() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let bearer = format!("Bearer {}", tokens.access);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "create_issue", "arguments": {"owner": "alice", "repo": "demo", "title": "No"},
    }});
    for path in ["/mcp", "/mcp/sse"] {
        let answer = send(&server.url, "POST", path, &headers, message.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        let document =
            format!("resource_metadata=\"{}/.well-known/oauth-protected-resource{path}\"", server.url);
        assert!(challenge.contains(&document), "{challenge}");
        assert!(challenge.contains("scope=\"read:repository write:repository\""), "{challenge}");
    }
    // Write mode turned off later: the same token writes nothing, and nobody is sent round to ask for writes.
    assert_eq!(server.stop().await.code, 0);
    let server = scene.start().await;
    scene.forge.forget();
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "No"});
    let answer = call(&server.url, &tokens.access, "create_issue", &arguments).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(scene.forge.requests().is_empty(), "{:?}", scene.forge.upstream());
}
