//! Gitea as it is found at the start, with keys: away, silent, old or of no known age; and what `/ready` says.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::forge::{Fault, FaultKind, Forge, Options, Version};
use aegis_tests::server::{KEY, Server, Setup, free_port};
use serde_json::{Value, json};

use crate::scene::{READ, Scene, call, until};

async fn ready(server: &Server) -> (u16, Value, Value) {
    let answer = server.stranger("GET", "/ready", &[], b"").await;
    let told = answer.json();
    (answer.status, told["reasons"].clone(), told["warnings"].clone())
}

async fn reads(server: &Server) -> u16 {
    call(&server.url, KEY, READ).await.expect("it ran").expect("an answer").status
}

fn looking(setup: Setup) -> Setup {
    setup.set("STARTUP_VALIDATE_GITEA", "true")
}

fn told(log: &str, event: &str) -> usize {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["event"] == event).count()
}

#[tokio::test]
async fn a_gitea_that_is_away_at_the_start_is_waited_for() {
    let port = free_port();
    let scene = Scene::new().await;
    let url = format!("http://127.0.0.1:{port}");
    let server = looking(scene.setup().set("GITEA_URL", &url)).start().await;
    let away = (503, json!(["gitea_unreachable"]), json!([]));
    assert_eq!(ready(&server).await, away);
    assert_eq!(reads(&server).await, 502, "calls say by themselves what is the matter");
    assert_eq!(server.stranger("GET", "/health", &[], b"").await.status, 200, "nobody restarts it for that");
    let options = Options { port: Some(port), audit: Some(scene.audit.clone()), ..Options::default() };
    let forge = Forge::start(options).await;
    until("it is ready by itself", async || ready(&server).await.0 == 200).await;
    assert_eq!(reads(&server).await, 200);
    assert_eq!(forge.violations(), [] as [String; 0]);
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    assert_eq!(told(&stopped.log, "gitea_unreachable"), 1, "one warning: {}", stopped.log);
    assert!(stopped.log.contains("Gitea 1.27.0"), "{}", stopped.log);
}

#[tokio::test]
async fn a_gitea_that_is_silent_or_in_trouble_at_the_start_is_waited_for() {
    for kind in [FaultKind::Hang, FaultKind::Status(502), FaultKind::Close] {
        let scene = Scene::new().await;
        scene.forge.every_fault(Fault::on("/api/v1/version", kind));
        let server = looking(scene.setup()).set("REQUEST_TIMEOUT_SECONDS", "1").start().await;
        assert_eq!(ready(&server).await, (503, json!(["gitea_unreachable"]), json!([])));
        scene.forge.mend();
        until("it is ready by itself", async || ready(&server).await.0 == 200).await;
        assert_eq!(server.stop().await.code, 0);
    }
}

#[tokio::test]
async fn with_keys_an_old_gitea_is_a_warning() {
    for (version, oldest, warnings) in [
        ("1.26.1", None, json!(["gitea_too_old"])),
        ("1.26.2", None, json!([])),
        ("1.26.2", Some("1.26.3"), json!(["gitea_too_old"])),
        ("1.24.7", Some("1.24"), json!([])),
        ("11.0.1+gitea-1.22.0", None, json!(["gitea_too_old"])),
        ("11.0.1+gitea-1.22.0", Some("1.22.0"), json!([])),
        ("development", None, json!(["gitea_too_old"])),
        ("development", Some("0.0.0"), json!([])),
    ] {
        let scene = Scene::new().await;
        let says = FaultKind::Instead(200, json!({ "version": version }));
        scene.forge.every_fault(Fault::on("/api/v1/version", says));
        let setup = looking(scene.setup());
        let setup = oldest.into_iter().fold(setup, |setup, least| setup.set("MIN_GITEA_VERSION", least));
        let server = setup.start().await;
        assert_eq!(ready(&server).await, (200, json!([]), warnings.clone()), "{version} {oldest:?}");
        assert_eq!(reads(&server).await, 200);
        let stopped = server.stop().await;
        let says = stopped.log.contains("MIN_GITEA_VERSION");
        assert_eq!(says, warnings != json!([]), "{version} {oldest:?}: {}", stopped.log);
    }
}

#[tokio::test]
async fn a_version_that_is_none_stops_the_start() {
    let scene = Scene::new().await;
    for version in ["latest", "1", "v1.26.2", "1.26.2+1"] {
        let (code, said) = scene.setup().set("MIN_GITEA_VERSION", version).refused().await;
        assert!(code == 64 && said.contains("must be a version such as 1.26.2"), "{version}: {said}");
    }
}

#[tokio::test]
async fn the_tools_work_with_an_old_gitea() {
    let scene = Scene::new().await;
    let audit = Some(scene.audit.clone());
    let forge = Forge::start(Options { version: Version::V1_24, audit, ..Options::default() }).await;
    let setup = Setup::new(&forge.url(), SVC_TOKEN).set("AUDIT_LOG_PATH", &scene.audit.display().to_string());
    let server = looking(setup).start().await;
    assert_eq!(ready(&server).await, (200, json!([]), json!(["gitea_too_old"])));
    assert_eq!(reads(&server).await, 200);
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_gitea_that_goes_away_later_leaves_the_server_ready_to_say_so() {
    let scene = Scene::new().await;
    let server = looking(scene.setup()).start().await;
    assert_eq!(ready(&server).await, (200, json!([]), json!([])));
    let Scene { forge, audit: _audit, folder: _folder } = scene;
    drop(forge);
    until("Gitea is left alone", async || {
        let _ = reads(&server).await;
        server.metric("aegis_gitea_left_alone").await > 0.5
    })
    .await;
    assert_eq!(ready(&server).await, (200, json!([]), json!(["gitea_left_alone"])));
    assert_eq!(server.stop().await.code, 0);
}
