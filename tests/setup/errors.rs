//! What goes wrong on the way from nothing to a working assistant. Each row: what is wrong, the command that meets it,
//! and what it must say: what is wrong, and what mends it.

use std::net::TcpListener;

use aegis_tests::server::free_port;

use crate::stage::{Ran, Stage};

/// A stage with settings of a team at an address of this machine.
async fn team() -> (Stage, String) {
    let stage = Stage::new().await;
    let token = stage.token("one-time", &["write:user"]).await;
    let (url, public) = (stage.forge.url(), format!("http://127.0.0.1:{}", free_port()));
    let arguments = ["setup", "team", "--gitea-url", &url, "--public-url", &public, "--admin-token-stdin"];
    stage.run(&arguments, &token).await.says(0, &[]);
    (stage, public)
}

/// Replace a setting by hand, as people do.
fn set(stage: &Stage, name: &str, value: &str) {
    let kept: String = stage
        .env()
        .lines()
        .filter(|line| !line.starts_with(&format!("{name}=")))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(stage.path(".env"), format!("{kept}{name}={value}\n")).unwrap();
}

async fn doctor(stage: &Stage) -> Ran {
    stage.run(&["doctor", "--env-file", ".env"], "").await
}

async fn serve(stage: &Stage) -> Ran {
    stage.run(&["serve", "--env-file", ".env"], "").await
}

#[tokio::test]
async fn an_issuer_unlike_gitea_url() {
    let (stage, _) = team().await;
    stage.forge.configure(|settings| settings.issuer = Some("https://git.example.test".to_owned()));
    doctor(&stage).await.says(1, &["fail  gitea_discovery", "GITEA_URL", "ROOT_URL"]);
    serve(&stage).await.says(1, &["GITEA_URL", "ROOT_URL", "STARTUP_VALIDATE_GITEA"]);
    stage
        .run(&["setup", "team"], "")
        .await
        .says(1, &["Gitea calls itself https://git.example.test", "--gitea-url https://git.example.test"]);
}

#[tokio::test]
async fn a_redirect_that_gitea_does_not_know() {
    let (stage, _) = team().await;
    let other = format!("http://127.0.0.1:{}", free_port());
    set(&stage, "PUBLIC_BASE_URL", &other);
    let words = ["redirect URI", "register exactly PUBLIC_BASE_URL/oauth/callback"];
    doctor(&stage).await.says(1, &words);
    serve(&stage).await.says(1, &words);
}

#[tokio::test]
async fn a_secret_that_gitea_does_not_know() {
    let (stage, _) = team().await;
    set(&stage, "GITEA_OAUTH_CLIENT_SECRET", "gto_wrong");
    doctor(&stage).await.says(1, &["fail  gitea_application", "check the client id and secret"]);
}

#[tokio::test]
async fn a_clock_that_is_off() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    // A Gitea that lives in the past: the sample has the machine's clock.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let answer = "HTTP/1.1 200 OK\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\nContent-Type: application/json\r\n\
                          Content-Length: 20\r\nConnection: close\r\n\r\n{\"version\":\"1.27.0\"}";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let stage = Stage::new().await;
    let arguments = ["setup", "solo", "--gitea-url", &url, "--token-stdin"];
    stage.run(&arguments, "token").await.says(1, &["fail  gitea_clock", "set both by NTP"]);
    assert!(!stage.path(".env").exists());
}

#[tokio::test]
async fn a_port_that_somebody_has() {
    let (stage, public) = team().await;
    let taken = TcpListener::bind(public.trim_start_matches("http://")).unwrap();
    serve(&stage).await.says(1, &["cannot listen on", "MCP_PORT"]);
    drop(taken);
    // Setup finds another one by itself, and says so where it is told which.
    let stage = Stage::new().await;
    let token = stage.token("setup", &crate::stage::READS).await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, port) = (stage.forge.url(), taken.local_addr().unwrap().port().to_string());
    let arguments = ["setup", "solo", "--gitea-url", &url, "--token-stdin", "--port", &port];
    stage.run(&arguments, &token).await.says(0, &[&format!("port {port} is in use")]);
}

#[tokio::test]
async fn a_volume_that_cannot_be_written() {
    let (stage, _) = team().await;
    // A file stands where the folder should be: nobody can write there, not even root.
    std::fs::write(stage.path("blocked"), "").unwrap();
    set(&stage, "AUDIT_LOG_PATH", "blocked/audit.log");
    serve(&stage).await.says(1, &["blocked", "AUDIT_LOG_PATH"]);
    doctor(&stage).await.says(1, &["fail  audit_volume"]);
}

#[tokio::test]
async fn a_name_that_is_not_known() {
    let (stage, _) = team().await;
    let url = stage.forge.url();
    let ran =
        stage.run(&["setup", "solo", "--gitea-url", "http://gitea.invalid:3000", "--token-stdin"], "x").await;
    ran.says(1, &["the name gitea.invalid is not known here", "Check that Gitea runs"]);
    let arguments = ["setup", "team", "--gitea-url", &url, "--public-url", "https://mcp.invalid"];
    stage
        .run(&arguments, "")
        .await
        .says(1, &["mcp.invalid is not known here yet: add it to DNS", "--admin-token-stdin"]);
}

#[tokio::test]
async fn a_plain_public_address() {
    let (stage, _) = team().await;
    set(&stage, "PUBLIC_BASE_URL", "http://mcp.example.test");
    serve(&stage).await.says(64, &["PUBLIC_BASE_URL", "must begin with https://"]);
}

#[tokio::test]
async fn what_only_people_see_is_in_the_guide_with_what_to_do() {
    let guide =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/getting-started.md")).unwrap();
    for (wrong, mend) in [
        ("an old grant", "GITEA_URL/user/settings/applications"),
        ("a client remembers a registration", "claude mcp remove aegis-gitea"),
        ("only IPv6 or private addresses", "a public IPv4 address"),
        ("is not `GITEA_URL`", "--gitea-internal-url"),
        ("another redirect", "--admin-token-stdin"),
        ("a clock is off", "set-ntp"),
        ("the port is taken", "--port"),
        ("no certificates to trust", "ca-certificates"),
        ("a volume cannot be written", "`chown`"),
    ] {
        let row = guide.lines().find(|line| line.starts_with('|') && line.contains(wrong));
        assert!(row.is_some_and(|row| row.contains(mend)), "{wrong}");
    }
}
