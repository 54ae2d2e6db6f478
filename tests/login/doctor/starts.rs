//! What the server itself does about Gitea before it starts.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::Setup;
use serde_json::json;

use crate::scene::Scene;

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
    scene
        .forge
        .every_fault(Fault::on("/api/v1/version", FaultKind::Instead(200, json!({"version": "1.26.1"}))));
    refused(scene.setup(), "update to 1.27.0 or newer").await;
    scene.forge.mend();
    refused(scene.setup().set("GITEA_URL", "http://127.0.0.1:1"), "check that Gitea runs").await;
    for setup in [
        scene.setup().set("GITEA_URL", "http://127.0.0.1:1"),
        scene.setup().set("GITEA_OAUTH_CLIENT_SECRET", "gto_wrong"),
    ] {
        let server = setup.set("STARTUP_VALIDATE_GITEA", "false").start().await;
        assert_eq!(server.stop().await.code, 0);
    }
}
