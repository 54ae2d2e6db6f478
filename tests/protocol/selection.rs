//! Which tools there are for a client: by the operator's settings, by its own headers, by write mode and policy. What is
//! not listed for one of the first two cannot be called either, whichever way it is tried.

use aegis_tests::http::Answer;
use serde_json::{Value, json};

use crate::ground::{Ground, legacy};
use crate::raw::{exchange, post};

type Headers<'a> = &'a [(&'a str, &'a str)];

/// A request of the legacy era with further headers.
async fn legacy_with(ground: &Ground, more: Headers<'_>, method: &str, params: Value) -> Answer {
    let mut headers = vec![("accept", "application/json"), ("mcp-protocol-version", "2025-11-25")];
    headers.extend_from_slice(more);
    ground.post("/mcp", &headers, legacy(json!(1), method, params).to_string().as_bytes()).await
}

/// The names in one list, which both eras have to show the same.
async fn listed(ground: &Ground, more: Headers<'_>, method: &str, what: &str) -> Vec<String> {
    let old = legacy_with(ground, more, method, json!({})).await.json();
    let new = ground.server.modern_with(more, method, json!({})).await.json();
    assert_eq!(old["result"][what], new["result"][what], "{method}");
    assert_eq!(new["result"]["cacheScope"], "private", "{method}");
    let entries = new["result"][what].as_array().unwrap_or_else(|| panic!("{method}: {new}"));
    entries.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect()
}

async fn tools(ground: &Ground, more: Headers<'_>) -> Vec<String> {
    listed(ground, more, "tools/list", "tools").await
}

#[tokio::test]
async fn lists_show_what_settings_and_headers_leave() {
    let ground = Ground::with(|setup| {
        setup.writes("alice/demo").set("TOOLSETS", "files, Labels,search").set("TOOLS_DENY", "search_code")
    })
    .await;
    let files = ["get_file_tree", "get_file_contents"];
    let all = tools(&ground, &[]).await;
    assert_eq!(all[..2], files);
    assert!(all.contains(&"create_label".to_owned()) && !all.contains(&"search_code".to_owned()), "{all:?}");
    for (headers, expected) in [
        (&[("x-mcp-toolsets", "files")][..], &files[..]),
        (&[("X-MCP-Tools", "get_file_tree, get_issue,search_code")], &files[..1]),
        (&[("x-mcp-toolsets", "issues"), ("x-mcp-tools", "get_file_contents")], &files[1..]),
        (&[("x-mcp-readonly", "true"), ("x-mcp-toolsets", "labels")], &["list_labels"]),
        (&[("x-mcp-toolsets", "no_such_set")], &[]),
    ] {
        assert_eq!(tools(&ground, headers).await, expected, "{headers:?}");
    }
    for nothing in [&[("x-mcp-toolsets", "")][..], &[("x-mcp-toolsets", "all")], &[("x-mcp-readonly", "0")]] {
        assert_eq!(tools(&ground, nothing).await, all, "{nothing:?}");
    }
    let templates = listed(&ground, &[], "resources/templates/list", "resourceTemplates").await;
    assert_eq!(templates, ["readme", "file"]);
    assert_eq!(listed(&ground, &[], "prompts/list", "prompts").await, ["explain_repository"]);
    let tree = [("x-mcp-tools", "get_file_contents")];
    let templates = listed(&ground, &tree, "resources/templates/list", "resourceTemplates").await;
    assert_eq!(templates, ["file"]);
    assert_eq!(listed(&ground, &tree, "prompts/list", "prompts").await, [""; 0]);

    let public =
        ground.server.stranger("GET", "/mcp/tools", &[("x-mcp-tools", "get_issue")], b"").await.json();
    assert_eq!(public["tools"].as_array().map(Vec::len), Some(43), "the catalogue is whole for everybody");
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn lists_show_what_write_mode_and_policy_could_allow_somewhere() {
    let is_write = |name: &String| name.starts_with("create_") || name.starts_with("update_");
    let ground = Ground::new().await;
    let reads = tools(&ground, &[]).await;
    assert_eq!((reads.len(), reads.iter().any(is_write)), (28, false), "WRITE_MODE is off");

    let policy = "defaults: {read: allow, write: deny}\ntools: {deny: [search_code]}\nrepositories:\n\
                  \x20 alice/demo: {tools: {allow: [get_issue, create_issue]}}\n  alice/empty: {tools: {deny: ['*']}}\n";
    let ground = Ground::with(|setup| setup.writes("alice/demo").policy(policy)).await;
    let shown = tools(&ground, &[]).await;
    let expected = |name: &&String| *name != "search_code";
    assert_eq!(shown.iter().filter(|name| !is_write(name)).count(), reads.iter().filter(expected).count());
    assert_eq!(shown.iter().filter(|name| is_write(name)).collect::<Vec<_>>(), ["create_issue"]);
    // What is listed is still decided call by call.
    let there = json!({"owner": "alice", "repo": "empty", "title": "x"});
    assert_eq!(
        ground.server.tool("create_issue", there).await.json()["error"]["code"],
        "repository_not_writable"
    );
    ground.assert_nothing_upstream();
}

/// A call by every way: refused, with the setting or header that left the tool out on record.
async fn refused(ground: &Ground, reason: &str, more: Headers<'_>, tool: &str, left_out_by: (&str, &str)) {
    let (kind, named) = left_out_by;
    let arguments = json!({"owner": "alice", "repo": "demo"});
    let params = json!({"name": tool, "arguments": arguments});
    let mut answers = vec![
        legacy_with(ground, more, "tools/call", params.clone()).await,
        ground.server.modern_with(more, "tools/call", params.clone()).await,
    ];
    let message = legacy(json!(1), "tools/call", params).to_string();
    for path in ["/mcp/", "/mcp/sse"] {
        answers.push(ground.post(path, more, message.as_bytes()).await);
    }
    for answer in &answers {
        let said = answer.json();
        assert_eq!((answer.status, &said["result"]["isError"]), (200, &json!(true)), "{said}");
        assert_eq!(said["result"]["_meta"]["io.aegisgitea/reason"], reason, "{said}");
        let text = said["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains(named) && text.contains(tool), "{text}");
    }
    let body = json!({"tool": tool, "arguments": arguments}).to_string();
    let direct = ground.post("/mcp/tool/call", more, body.as_bytes()).await;
    let code = &direct.json()["error"]["code"];
    assert_eq!((direct.status, code), (403, &json!(reason)), "{}", direct.text());
    for answer in answers.iter().chain([&direct]) {
        let line = ground.only_line(answer).await;
        assert_eq!((&line["event"], &line["reason"]), (&json!("access_denied"), &json!(reason)));
        assert_eq!((&line["tool"], &line["principal"]), (&json!(tool), &json!("laptop")), "{line}");
        assert_eq!(line["detail"][kind], *named, "{line}");
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_tool_that_settings_or_headers_leave_out_cannot_be_called_by_any_way() {
    let ground = Ground::with(|setup| {
        setup.writes("alice/demo").set("TOOLSETS", "repositories,issues").set("TOOLS_DENY", "get_issue")
    })
    .await;
    let reason = "tool_not_selected";
    // Naming it in a header opens nothing that the settings closed.
    let wants = [("x-mcp-toolsets", "all"), ("x-mcp-tools", "get_file_tree,get_issue")];
    refused(&ground, reason, &wants, "get_file_tree", ("setting", "TOOLSETS")).await;
    refused(&ground, reason, &wants, "get_issue", ("setting", "TOOLS_DENY")).await;
    refused(&ground, reason, &[("x-mcp-readonly", "1")], "create_issue", ("header", "X-MCP-Readonly")).await;
    refused(
        &ground,
        reason,
        &[("x-mcp-toolsets", "issues")],
        "get_repository_info",
        ("header", "X-MCP-Toolsets"),
    )
    .await;
    refused(
        &ground,
        reason,
        &[("x-mcp-tools", "list_issues")],
        "get_repository_info",
        ("header", "X-MCP-Tools"),
    )
    .await;
    let both = [("x-mcp-toolsets", "issues"), ("x-mcp-tools", "list_issues")];
    refused(&ground, reason, &both, "get_repository_info", ("header", "X-MCP-Toolsets and X-MCP-Tools"))
        .await;

    let arguments = json!({"name": "get_repository_info", "arguments": {"owner": "alice", "repo": "demo"}});
    let named = [("x-mcp-toolsets", "issues"), ("x-mcp-tools", "get_repository_info")];
    let answer = ground.server.modern_with(&named, "tools/call", arguments).await.json();
    assert_eq!(answer["result"]["structuredContent"]["repository"]["full_name"], "alice/demo", "{answer}");
}

#[tokio::test]
async fn resources_prompts_and_suggestions_do_not_reach_around_it() {
    let ground = Ground::with(|setup| setup.set("TOOLS_DENY", "list_issue_comments,list_repositories")).await;
    for modern in [false, true] {
        let params = json!({"uri": "gitea://alice/demo/issues/2"});
        let answer = match modern {
            false => legacy_with(&ground, &[], "resources/read", params).await,
            true => ground.server.modern("resources/read", params).await,
        };
        let error = answer.json()["error"].clone();
        assert_eq!((&error["code"], &error["data"]["reason"]), (&json!(-32602), &json!("tool_not_selected")));
        let line = ground.only_line(&answer).await;
        assert_eq!(
            (&line["reason"], &line["tool"]),
            (&json!("tool_not_selected"), &json!("list_issue_comments"))
        );

        let params = json!({"ref": {"type": "ref/prompt", "name": "explain_repository"},
            "argument": {"name": "owner", "value": "a"}});
        let answer = match modern {
            false => legacy_with(&ground, &[], "completion/complete", params).await,
            true => ground.server.modern("completion/complete", params).await,
        };
        assert_eq!(answer.json()["result"]["completion"]["values"], json!([]), "{}", answer.text());
        assert_eq!(ground.only_line(&answer).await["reason"], "tool_not_selected");

        let headers = [("x-mcp-toolsets", "releases")];
        let params = json!({"name": "explain_repository", "arguments": {"owner": "alice", "repo": "demo"}});
        let answer = match modern {
            false => legacy_with(&ground, &headers, "prompts/get", params).await,
            true => ground.server.modern_with(&headers, "prompts/get", params).await,
        };
        ground.fault(&answer, if modern { 400 } else { 200 }, -32602, "invalid_params").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_header_that_cannot_be_understood_is_refused_on_every_way_to_a_tool() {
    let ground = Ground::new().await;
    let long = "a,".repeat(1025);
    for (headers, header) in [
        (&[("x-mcp-readonly", "yes")][..], "X-MCP-Readonly"),
        (&[("x-mcp-readonly", "true"), ("x-mcp-readonly", "true")], "X-MCP-Readonly"),
        (&[("x-mcp-toolsets", "files"), ("x-mcp-toolsets", "issues")], "X-MCP-Toolsets"),
        (&[("x-mcp-tools", "get_issue"), ("x-mcp-tools", "")], "X-MCP-Tools"),
        (&[("x-mcp-tools", &long)], "X-MCP-Tools"),
    ] {
        let message = legacy(json!(1), "tools/list", json!({})).to_string();
        let direct = r#"{"tool":"list_repositories"}"#;
        for (path, body) in [
            ("/mcp", message.as_str()),
            ("/mcp/", &message),
            ("/mcp/sse", &message),
            ("/mcp/tool/call", direct),
        ] {
            let answer = ground.post(path, headers, body.as_bytes()).await;
            ground.refused(&answer, 400, "access_denied", "malformed_tool_selection").await;
            assert!(answer.text().contains(header), "{}", answer.text());
            assert_eq!(ground.only_line(&answer).await["detail"]["header"], header);
        }
        let modern = ground.server.modern_with(headers, "tools/list", json!({})).await;
        ground.refused(&modern, 400, "access_denied", "malformed_tool_selection").await;
    }
    // Bytes beyond ASCII, which a client library would not send.
    let message = legacy(json!(1), "tools/list", json!({})).to_string();
    let lines = ["X-MCP-Tools: get_\u{131}ssue", "Connection: close"];
    let pieces = exchange(&ground.server, &post(&ground.server, "/mcp", &lines, &message)).await;
    assert_eq!(pieces.iter().map(|piece| piece.status).collect::<Vec<_>>(), [400], "{pieces:#?}");
    assert!(pieces[0].body.contains("malformed_tool_selection"), "{pieces:#?}");
    ground.assert_nothing_upstream();
}
