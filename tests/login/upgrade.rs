//! Another version on the same volumes, and back: whoever was signed in stays so, and the log goes on. `make upgrade-test` builds
//! the other version and names its folder in `AEGIS_TEST_OTHER_DIST`.

use std::path::{Path, PathBuf};

use aegis_tests::server::{Server, dist, of_event, program_of};
use aegis_tests::sign_in::{Client, Tokens, call};
use serde_json::json;

use crate::scene::{Scene, password};

async fn works(server: &Server, tokens: &Tokens) {
    let demo = json!({"owner": "alice", "repo": "demo"});
    let answer = call(&server.url, &tokens.access, "get_repository_info", &demo).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// Whether both versions find the log whole.
async fn verified(builds: &[&Path], log: &Path) {
    let folder = log.parent().expect("a folder").display().to_string();
    for build in builds {
        let (code, out, err) = program_of(build, &["audit", "verify", &folder], &[]).await;
        assert_eq!(code, 0, "{}: {out}{err}", build.display());
    }
}

#[tokio::test]
#[ignore = "it needs another version's build: make upgrade-test FROM=REVISION"]
async fn another_version_goes_on_where_this_one_stopped_and_back_again() {
    let other = std::env::var_os("AEGIS_TEST_OTHER_DIST").map(PathBuf::from);
    let other = other.expect("AEGIS_TEST_OTHER_DIST names the folder of the other version's build");
    let own = dist();
    let scene = Scene::new().await;
    let start = async |build: &Path| {
        let setup = scene.setup().writes("alice/demo");
        if build == own { setup.start().await } else { setup.built_in(build).start().await }
    };

    let server = start(&other).await;
    let client = Client::register(&server.url).await;
    let mut tokens = client.tokens("alice", &password("alice"), false).await;
    works(&server, &tokens).await;
    assert_eq!(server.stop().await.code, 0);
    let mut calls = 1;

    // Stopped in good order, then killed: there and back each time.
    for (turn, signal) in ["TERM", "TERM", "KILL", "KILL", "TERM", "TERM"].into_iter().enumerate() {
        let build = if turn % 2 == 0 { &own } else { &other };
        let server = start(build).await;
        works(&server, &tokens).await;
        tokens = Tokens::of(&client.refresh(&tokens.refresh, &[]).await);
        works(&server, &tokens).await;
        // Who comes now can sign in, and whoever was revoked stays so.
        let gone = client.tokens("bob", &password("bob"), false).await;
        works(&server, &gone).await;
        let audit = server.audit_path().display().to_string();
        let registry = scene.folder().join("registry").join("dcr_clients.json").display().to_string();
        let settings = [("AUDIT_LOG_PATH", audit.as_str()), ("DCR_STORAGE_PATH", &registry)];
        let (code, out, err) = program_of(build, &["users", "revoke", "bob"], &settings).await;
        assert_eq!(code, 0, "{out}{err}");
        let answer = call(&server.url, &gone.access, "list_repositories", &json!({})).await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        calls += 3;
        let log = server.audit_path().to_owned();
        server.signal(signal).await;
        let stopped = server.wait().await;
        assert_eq!(stopped.code, if signal == "KILL" { 128 + 9 } else { 0 }, "{}", stopped.log);
        let done = of_event(&stopped.audit, "tool_invocation");
        let done = done.iter().filter(|line| line["status"] == "success").count();
        assert_eq!(done, calls, "each answered call has its outcome on record");
        if signal == "TERM" {
            verified(&[&own, &other], &log).await;
        }
    }
}
