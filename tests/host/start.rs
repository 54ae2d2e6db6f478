//! Every reason not to start: exit code 64, each mistake named with what to do, no secret repeated, nothing
//! begun.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::server::{KEY, Setup, program};

use crate::scene::Scene;

/// Refused for these reasons, each a part of what is said; nothing was begun.
async fn refused(scene: &Scene, setup: Setup, reasons: &[&str]) -> String {
    let (code, said) = setup.refused().await;
    assert_eq!(code, 64, "{said}");
    for reason in reasons {
        assert!(said.contains(reason), "{reason:?} is not in: {said}");
    }
    assert!(!said.contains(KEY) && !said.contains(SVC_TOKEN), "a secret is in: {said}");
    assert!(scene.forge.requests().is_empty());
    said
}

#[tokio::test]
async fn without_settings_every_required_one_is_named_at_once() {
    let (code, out, err) = program(&["serve"], &[]).await;
    assert_eq!((code, out.as_str()), (64, ""), "{err}");
    for line in ["GITEA_URL is required", "GITEA_TOKEN is required", "MCP_API_KEYS is required"] {
        assert!(err.contains(line), "{line:?} is not in: {err}");
    }
    assert!(err.contains("GITEA_TOKEN_FILE") && err.contains("aegis-mcp generate-key"), "{err}");
    assert!(err.contains("Nothing was started"), "{err}");
}

#[tokio::test]
async fn all_mistakes_are_told_together() {
    let scene = Scene::new().await;
    let setup = scene
        .setup()
        .unset("GITEA_URL")
        .set("MCP_API_KEYS", "laptop=short-but-secret")
        .set("MCP_PORT", "banana")
        .set("RATE_LIMIT_PER_MINUTE", "0")
        .set("MAX_REQUEST_BYTES", "99999999999")
        .set("MCP_HOST", "0.0.0.0")
        .set("SECRET_DETECTION_MODE", "maybe")
        .set("WRITE_MODE", "true")
        .set("OAUTH_MODE", "true")
        .set("TRUSTED_PROXIES", "10.0.0.1/8")
        .set("TOTAL_TIMEOUT_SECONDS", "1");
    let reasons = [
        "GITEA_URL is required",
        "MCP_API_KEYS has an entry 1 that must have a key of 32 to 512 characters",
        "MCP_PORT=\"banana\"",
        "RATE_LIMIT_PER_MINUTE=\"0\"",
        "MAX_REQUEST_BYTES=\"99999999999\"",
        "MCP_HOST=\"0.0.0.0\" listens on every interface",
        "ALLOW_INSECURE_BIND=true",
        "SECRET_DETECTION_MODE=\"maybe\"",
        "WRITE_MODE=\"true\" needs to know where: list repositories in WRITE_REPOSITORY_WHITELIST",
        "OAUTH_STATE_SECRET is required with OAUTH_MODE=true",
        "GITEA_OAUTH_CLIENT_ID is required with OAUTH_MODE=true",
        "GITEA_OAUTH_CLIENT_SECRET is required with OAUTH_MODE=true",
        "PUBLIC_BASE_URL is required with OAUTH_MODE=true",
        "TRUSTED_PROXIES=\"10.0.0.1/8\"",
        "TOTAL_TIMEOUT_SECONDS=\"1\" must be at least ANSWER_TIMEOUT_SECONDS",
    ];
    let audit = scene.audit.clone();
    let said = refused(&scene, setup, &reasons).await;
    assert!(!said.contains("short-but-secret"), "{said}");
    assert!(!audit.exists(), "nothing was begun");
}

#[tokio::test]
async fn sets_and_tools_that_do_not_exist_are_told_with_those_that_do() {
    let scene = Scene::new().await;
    let setup = scene.setup().set("TOOLSETS", "files,isues").set("TOOLS_DENY", "create_isue");
    let reasons = [
        "TOOLSETS",
        "has an entry 2 that is no set of tools; there are: all, repositories, organizations, files, search,",
        "TOOLS_DENY",
        "has an entry 1 that is no tool; there are: list_repositories,",
    ];
    refused(&scene, setup, &reasons).await;
}

#[tokio::test]
async fn no_authentication_is_for_this_machine_alone() {
    let scene = Scene::new().await;
    for host in ["0.0.0.0", "192.0.2.1", "::", "::ffff:0.0.0.0"] {
        let setup = scene.setup().set("AUTH_ENABLED", "false").set("MCP_HOST", host);
        let setup = setup.set("ALLOW_INSECURE_BIND", "true");
        refused(&scene, setup, &["AUTH_ENABLED=\"false\" is accepted only on a loopback address"]).await;
    }
    let server = scene.setup().set("AUTH_ENABLED", "false").unset("MCP_API_KEYS").start().await;
    assert_eq!(server.stranger("GET", "/health", &[], b"").await.status, 200);
}

#[tokio::test]
async fn listening_everywhere_has_to_be_meant() {
    let scene = Scene::new().await;
    for host in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
        refused(&scene, scene.setup().set("MCP_HOST", host), &["MCP_HOST", "ALLOW_INSECURE_BIND=true"]).await;
    }
    let server = scene.setup().set("MCP_HOST", "0.0.0.0").set("ALLOW_INSECURE_BIND", "true").start().await;
    assert!(server.url.starts_with("http://0.0.0.0:"), "{}", server.url);
}

#[tokio::test]
async fn a_weak_secret_for_sign_in_is_refused() {
    let scene = Scene::new().await;
    let setup =
        scene.setup().set("OAUTH_MODE", "true").set("OAUTH_STATE_SECRET", "only-thirty-one-characters-long");
    let said = refused(&scene, setup, &["OAUTH_STATE_SECRET", "at least 32 characters"]).await;
    assert!(!said.contains("only-thirty-one"), "{said}");
}

#[tokio::test]
async fn a_policy_that_is_not_there_is_named_with_its_setting() {
    let scene = Scene::new().await;
    let missing = scene.folder.0.join("none.yaml").display().to_string();
    refused(&scene, scene.setup().set("POLICY_FILE_PATH", &missing), &["POLICY_FILE_PATH", &missing]).await;
}

#[tokio::test]
async fn a_mistake_in_the_policy_is_told_with_its_place() {
    let scene = Scene::new().await;
    let cases = [
        ("defaults:\n  read: maybe\n", ":2:9: "),
        ("defaults: {read: allow}\ntools:\n  deny:\n    - drop_database\n", ":4:"),
        ("repositories:\n  acme/*:\n    paths: {deny: [x]}\n  acme/*:\n    paths: {deny: [y]}\n", ":4:3: "),
        ("- a\n- b\n", ":1:1: "),
    ];
    for (yaml, place) in cases {
        let setup = scene.setup().policy(yaml);
        let path = setup.folder().join("policy.yaml").display().to_string();
        let said = refused(&scene, setup, &[&format!("{path}{place}")]).await;
        let message = said.lines().find(|line| line.starts_with(&path)).expect("a line for a person");
        assert!(message.len() > path.len() + place.len() + 10, "it says what is wrong: {message}");
    }
}

#[tokio::test]
async fn an_unknown_tool_in_the_policy_is_named() {
    let scene = Scene::new().await;
    let setup = scene.setup().policy("tools:\n  deny:\n    - get_repositry_info\n");
    let said = refused(&scene, setup, &["get_repositry_info"]).await;
    assert!(said.contains("policy.yaml:3:"), "{said}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_its_settings() {
    let scene = Scene::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let (code, said) = scene.setup().set("MCP_PORT", &port).refused().await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&port) && said.contains("MCP_PORT"), "{said}");
}

#[tokio::test]
async fn a_secret_that_is_set_twice_or_has_no_file_is_refused_without_being_shown() {
    let scene = Scene::new().await;
    let token = scene.folder.0.join("token");
    std::fs::write(&token, SVC_TOKEN).expect("written");
    let token = token.display().to_string();
    refused(&scene, scene.setup().set("GITEA_TOKEN_FILE", &token), &["GITEA_TOKEN and GITEA_TOKEN_FILE"])
        .await;
    // A secret put into the wrong variable would end up in the log if the path were repeated.
    let wrong = scene.setup().unset("GITEA_TOKEN").set("GITEA_TOKEN_FILE", SVC_TOKEN);
    refused(&scene, wrong, &["GITEA_TOKEN_FILE names a file that cannot be read"]).await;
}
