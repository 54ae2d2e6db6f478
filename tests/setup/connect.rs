//! `aegis-mcp connect`: what is printed works as it stands, and nothing but it is on standard output.

use aegis_tests::http::send;
use aegis_tests::server::free_port;
use serde_json::Value;

use crate::stage::{Serving, Stage};

#[tokio::test]
async fn what_is_printed_for_a_key_opens_the_server() {
    let stage = Stage::new().await;
    stage.solo().await;
    let server = Serving::start(&stage.folder).await;
    let ran = stage.run(&["connect", "generic", "--env-file", ".env"], "").await;
    let paste: Value = serde_json::from_str(&ran.says(0, &[]).out).unwrap();
    let entry = &paste["mcpServers"]["aegis-gitea"];
    assert_eq!(entry["url"], format!("{}/mcp", server.url));
    let authorization = entry["headers"]["Authorization"].as_str().unwrap();
    let message = br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
    let headers = [
        ("authorization", authorization),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    let answer = send(&server.url, "POST", "/mcp", &headers, message).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    let ran = stage.run(&["connect", "claude-code", "--env-file", ".env"], "").await;
    let line = format!(
        "claude mcp add --transport http aegis-gitea {}/mcp --header \"Authorization: {authorization}\"\n",
        server.url
    );
    assert_eq!(ran.says(0, &[]).out, line);
    let key = authorization.trim_start_matches("Bearer ");
    stage
        .run(&["connect", "vscode", "--env-file", ".env"], "")
        .await
        .says(0, &["promptString", "laptop"])
        .hides(&[key]);
    stage.run(&["connect", "chatgpt", "--env-file", ".env"], "").await.says(1, &["setup team"]).hides(&[key]);
    stage.run(&["connect", "claude", "--env-file", ".env"], "").await.says(1, &["--stdio"]).hides(&[key]);
    let ran = stage.run(&["connect", "generic", "--key", "phone", "--env-file", ".env"], "").await;
    ran.says(2, &["no key named \"phone\"", "laptop", "generate-key --name phone"]).hides(&[key]);
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn a_client_that_is_not_let_in_yet_is_told_with_the_lines_that_let_it_in() {
    let stage = Stage::new().await;
    let token = stage.token("one-time", &["write:user"]).await;
    let (url, public) = (stage.forge.url(), format!("http://127.0.0.1:{}", free_port()));
    let arguments = ["setup", "team", "--gitea-url", &url, "--public-url", &public, "--admin-token-stdin"];
    stage.run(&arguments, &token).await.says(0, &[]);
    let connect = async |client: &str| stage.run(&["connect", client, "--env-file", ".env"], "").await;
    let line = format!("claude mcp add --transport http aegis-gitea {public}/mcp\n");
    assert_eq!(connect("claude-code").await.says(0, &[]).out, line);
    let vscode = connect("vscode").await;
    vscode.says(
        0,
        &[
            "CIMD_ALLOWED_HOSTS=claude.ai,claude.com,vscode.dev",
            "OAUTH_REDIRECT_ALLOWLIST=https://vscode.dev/redirect,https://insiders.vscode.dev/redirect",
        ],
    );
    let paste: Value = serde_json::from_str(&vscode.out).unwrap();
    assert_eq!(paste["servers"]["aegis-gitea"]["url"], format!("{public}/mcp"));
    connect("cursor")
        .await
        .says(0, &["OAUTH_REDIRECT_ALLOWLIST=cursor://anysphere.cursor-mcp/oauth/callback"]);
    for hosted in ["claude", "chatgpt"] {
        let ran = connect(hosted).await;
        assert_eq!(ran.says(0, &["it cannot reach this server"]).out, format!("{public}/mcp\n"));
    }
    stage
        .run(&["connect", "generic", "--key", "x", "--env-file", ".env"], "")
        .await
        .says(2, &["people sign in"]);
}

#[tokio::test]
async fn what_is_printed_for_pipes_starts_a_server() {
    use tokio::io::AsyncWriteExt as _;
    let stage = Stage::new().await;
    stage.solo().await;
    let ran = stage.run(&["connect", "generic", "--stdio", "--env-file", ".env"], "").await;
    let paste: Value = serde_json::from_str(&ran.says(0, &[]).out).unwrap();
    let entry = &paste["mcpServers"]["aegis-gitea"];
    let arguments: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    // A client starts it from anywhere, with hardly any environment.
    let mut started = tokio::process::Command::new(entry["command"].as_str().unwrap());
    started.args(arguments).env_clear().current_dir("/");
    started
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut child = started.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["id"], &answer["result"]), (&serde_json::json!(1), &serde_json::json!({})));
    let ran = stage.run(&["connect", "claude-code", "--stdio", "--env-file", ".env"], "").await;
    assert!(
        ran.out.starts_with("claude mcp add aegis-gitea -- /") && ran.out.ends_with("/.env\n"),
        "{}",
        ran.out
    );
}

#[tokio::test]
async fn without_settings_it_says_how_they_are_made() {
    let stage = Stage::new().await;
    let ran = stage.run(&["connect", "claude-code"], "").await;
    assert_eq!(ran.says(64, &["GITEA_URL is required", "aegis-mcp setup"]).out, "");
    let ran = stage.run(&["connect", "generic", "--stdio", "--env-file", ".env"], "").await;
    ran.says(1, &["cannot be found", "aegis-mcp setup solo"]);
}

#[tokio::test]
async fn a_line_that_could_not_start_is_not_printed() {
    let stage = Stage::new().await;
    stage.solo().await;
    let token = stage.setting("GITEA_TOKEN").unwrap();
    std::fs::write(stage.path(".env"), stage.env().replace(&format!("GITEA_TOKEN={token}"), "")).unwrap();
    let ran = stage.run(&["connect", "claude-code", "--stdio", "--env-file", ".env"], "").await;
    ran.says(1, &["GITEA_TOKEN is not set", "aegis-mcp setup solo"]);
    assert_eq!(ran.out, "");
}
