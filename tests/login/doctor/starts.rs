//! What the server itself does about Gitea before it starts.

use aegis_tests::forge::{Fault, FaultKind, Options, Version};
use aegis_tests::server::Setup;
use aegis_tests::sign_in::{Client, call};
use serde_json::json;

use crate::scene::{Scene, password};

#[tokio::test]
async fn a_server_does_not_start_over_a_gitea_at_which_nobody_can_sign_in() {
    let hint = "STARTUP_VALIDATE_GITEA=false";
    let scene = Scene::new().await;
    let refused = async |setup: Setup, words: &str| {
        let (code, text) = setup.refused().await;
        assert_eq!(code, 1, "{text}");
        assert!(text.contains(words) && text.contains(hint), "{words}: {text}");
        assert!(!text.contains("gto_"), "{text}");
    };
    refused(scene.setup().set("GITEA_OAUTH_CLIENT_SECRET", "gto_wrong"), "check the client id and secret")
        .await;
    refused(
        scene.setup().set("PUBLIC_BASE_URL", "https://mcp.example.com"),
        "PUBLIC_BASE_URL/oauth/callback",
    )
    .await;
    let version =
        |text: &str| Fault::on("/api/v1/version", FaultKind::Instead(200, json!({"version": text})));
    for (text, least) in [
        ("1.26.1", None),
        ("1.24.7", None),
        ("1.27.0", Some("1.27.1")),
        ("11.0.1+gitea-1.22.0", None),
        ("development", None),
    ] {
        scene.forge.every_fault(version(text));
        let setup =
            least.into_iter().fold(scene.setup(), |setup, least| setup.set("MIN_GITEA_VERSION", least));
        refused(setup, "update to 1.27.0 or newer").await;
        scene.forge.mend();
    }
    for (text, least) in [("1.24.7", "1.24"), ("11.0.1+gitea-1.22.0", "1.22.0"), ("development", "0.0.0")] {
        scene.forge.every_fault(version(text));
        let server = scene.setup().set("MIN_GITEA_VERSION", least).start().await;
        assert_eq!(server.stop().await.code, 0, "the operator takes {least}");
        scene.forge.mend();
    }
    let setup = scene.setup().set("GITEA_OAUTH_CLIENT_SECRET", "gto_wrong");
    let server = setup.set("STARTUP_VALIDATE_GITEA", "false").start().await;
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_gitea_that_is_away_at_the_start_is_waited_for() {
    for kind in [FaultKind::Close, FaultKind::Status(502), FaultKind::RetryAfter(429, "60")] {
        let scene = Scene::new().await;
        scene.forge.every_fault(Fault::on("/", kind));
        let server = scene.start().await;
        let ready = async || {
            let answer = server.stranger("GET", "/ready", &[], b"").await;
            (answer.status, answer.json()["reasons"].clone())
        };
        assert_eq!(ready().await, (503, json!(["gitea_unreachable"])));
        scene.forge.mend();
        // As often as it takes: the server asks again by itself.
        while ready().await.0 != 200 {
            tokio::task::yield_now().await;
        }
        let client = Client::register(&server.url).await;
        let tokens = client.tokens("alice", &password("alice"), false).await;
        assert!(!tokens.access.is_empty());
        let stopped = server.stop().await;
        assert_eq!(stopped.code, 0);
        let warned =
            stopped.log.lines().filter(|line| line.contains("\"event\":\"gitea_unreachable\"")).count();
        assert_eq!(warned, 1, "{}", stopped.log);
    }
}

#[tokio::test]
async fn a_gitea_of_1_24_signs_people_in_where_the_operator_takes_it() {
    let scene = Scene::with(Options { version: Version::V1_24, ..Options::default() }).await;
    let server = scene.setup().set("MIN_GITEA_VERSION", "1.24").start().await;
    let client = Client::register(&server.url).await;
    let tokens = client.tokens("alice", &password("alice"), false).await;
    let at = json!({"owner": "alice", "repo": "demo"});
    assert_eq!(call(&server.url, &tokens.access, "get_repository_info", &at).await.status, 200);
    assert_eq!(scene.forge.violations(), [] as [String; 0]);
    assert_eq!(server.stop().await.code, 0);
}
