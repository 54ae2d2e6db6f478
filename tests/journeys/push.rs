//! Files pushed to a real Gitea by its own API; a sample one has `Forge::push`.

use aegis_tests::http::send;
use base64::Engine as _;
use serde_json::json;

/// Put files into the branch `main` of a repository (`owner/name`), each by a commit, as whoever this header is of.
pub async fn push(url: &str, authorization: &str, repo: &str, files: &[(&str, &str)]) {
    let headers = [("authorization", authorization), ("content-type", "application/json")];
    for (path, text) in files {
        let at = format!("/api/v1/repos/{repo}/contents/{path}");
        let present = send(url, "GET", &at, &headers, b"").await.expect("an answer");
        let mut body = json!({
            "message": "Change", "branch": "main",
            "content": base64::engine::general_purpose::STANDARD.encode(text),
        });
        if present.status == 200 {
            body["sha"] = present.json()["sha"].clone();
        }
        let method = if present.status == 200 { "PUT" } else { "POST" };
        let answer = send(url, method, &at, &headers, body.to_string().as_bytes()).await.expect("an answer");
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    }
}
