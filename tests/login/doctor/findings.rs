//! Each thing that is wrong with Gitea, volumes, keys, policy and guest, and what the doctor says to do.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{Folder, dist};
use serde_json::json;

use super::Patient;
use crate::scene::Scene;

#[tokio::test]
async fn each_thing_wrong_with_gitea_is_told_with_what_to_do() {
    let scene = Scene::new().await;
    let good = || Patient::of(&scene);
    let chart = good().set("GITEA_OAUTH_CLIENT_SECRET", "gto_not-the-secret").examine().await;
    assert_eq!(chart.code, 1);
    chart.says("gitea_application", "fail", "check the client id and secret");
    let chart = good().set("PUBLIC_BASE_URL", "http://localhost:1").examine().await;
    chart.says("gitea_application", "fail", "register exactly PUBLIC_BASE_URL/oauth/callback");
    scene
        .forge
        .every_fault(Fault::on("/api/v1/version", FaultKind::Instead(200, json!({"version": "1.25.4"}))));
    good().examine().await.says("gitea_version", "fail", "1.27.0 or newer");
    scene.forge.mend();
    let url = "/.well-known/openid-configuration";
    scene.forge.every_fault(Fault::on(url, FaultKind::Patch(json!({"issuer": "http://elsewhere"}))));
    good().examine().await.says("gitea_discovery", "fail", "ROOT_URL");
    scene.forge.mend();
    scene.forge.every_fault(Fault::on("/login/oauth/keys", FaultKind::BadJson));
    good().examine().await.says("gitea_keys", "fail", "");
    scene.forge.mend();
    let chart = good()
        .set("GITEA_INTERNAL_URL", &scene.forge.url())
        .set("GITEA_URL", "http://127.0.0.1:1")
        .examine()
        .await;
    chart.says("gitea_public_address", "warn", "people's browsers must reach GITEA_URL");
    let chart = good().set("GITEA_URL", "http://127.0.0.1:1").examine().await;
    assert_eq!(chart.code, 1);
    chart.says("gitea_version", "fail", "check that Gitea runs");
}

#[tokio::test]
async fn the_service_token_is_judged_by_what_it_may_do() {
    let forge = aegis_tests::forge::Forge::start(aegis_tests::forge::Options::default()).await;
    let folder = Folder::new();
    let log = folder.0.join("audit.log").display().to_string();
    let examine = async |token: &str| {
        let patient = Patient { variables: Vec::new(), folder: Folder::new() }
            .set("GITEA_URL", &forge.url())
            .set("GITEA_TOKEN", token)
            .set("MCP_API_KEYS", aegis_tests::server::KEY)
            .set("AUDIT_LOG_PATH", &log)
            .set("MCP_PORT", "1");
        patient.examine().await
    };
    let bad = examine("0000000000000000000000000000000000000000").await;
    assert_eq!(bad.code, 1);
    bad.says("gitea_token", "fail", "make a new one");
    examine(aegis_tests::forge::world::ROOT_TOKEN).await.says(
        "gitea_token_power",
        "warn",
        "ordinary account",
    );
}

#[tokio::test]
async fn volumes_keys_policy_and_guest_are_told_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new().await;
    let good = || Patient::of(&scene);
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name).display().to_string();
    std::fs::write(at("file"), "").unwrap();
    let chart = good()
        .set("AUDIT_LOG_PATH", &at("file/audit.log"))
        .set("DCR_STORAGE_PATH", &at("file/x.json"))
        .examine()
        .await;
    assert_eq!(chart.code, 1);
    chart.says("audit_volume", "fail", "AUDIT_LOG_PATH").says("registry_volume", "warn", "DCR_STORAGE_PATH");
    std::fs::write(at("keyring"), "not a root\n").unwrap();
    std::fs::set_permissions(at("keyring"), std::fs::Permissions::from_mode(0o644)).unwrap();
    good().set("OAUTH_KEYRING_FILE", &at("keyring")).examine().await.says("keyring", "fail", "chmod 600");
    std::fs::set_permissions(at("keyring"), std::fs::Permissions::from_mode(0o600)).unwrap();
    good().set("OAUTH_KEYRING_FILE", &at("keyring")).examine().await.says("keyring", "fail", "line 1");
    let chart = good()
        .set("OAUTH_STATE_SECRET", "gto_the-same-value-in-two-places-at-once")
        .set("GITEA_OAUTH_CLIENT_SECRET", "gto_the-same-value-in-two-places-at-once")
        .examine()
        .await;
    chart.says("state_secret", "fail", "secret of Gitea");
    std::fs::write(at("policy.yaml"), "defaults: {read: perhaps}\n").unwrap();
    good().set("POLICY_FILE_PATH", &at("policy.yaml")).examine().await.says(
        "policy",
        "fail",
        "policy.yaml:1:",
    );
    good().set("GUEST_PATH", &at("none.wasm")).examine().await.says("guest", "fail", "GUEST_PATH");
    let greedy = dist().join("greedy.wasm").display().to_string();
    good().set("GUEST_PATH", &greedy).examine().await.says("guest", "fail", "");
}
