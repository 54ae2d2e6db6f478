//! The team way by flags: what is made at Gitea, what is taken back, what is never kept.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::free_port;

use crate::stage::{Serving, Stage, applications, command, finish};

const MAKES: [&str; 1] = ["write:user"];

struct Team {
    stage: Stage,
    token: String,
    public: String,
}

impl Team {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let token = stage.token("one-time", &MAKES).await;
        stage.forge.forget();
        Self { stage, token, public: format!("http://127.0.0.1:{}", free_port()) }
    }

    /// Where this machine trusts nobody.
    async fn run_without_certificates(&self) -> crate::stage::Ran {
        let empty = self.stage.path("no-certificates");
        std::fs::write(&empty, "").unwrap();
        let url = self.stage.forge.url();
        let arguments =
            ["setup", "team", "--gitea-url", &url, "--public-url", &self.public, "--admin-token-stdin"];
        let mut command = command(&self.stage.folder);
        command.args(arguments).env("SSL_CERT_FILE", &empty);
        let ran = finish(command, &self.token).await;
        std::fs::remove_file(&empty).unwrap();
        ran
    }

    async fn run(&self, more: &[&str]) -> crate::stage::Ran {
        let url = self.stage.forge.url();
        let arguments = [
            &["setup", "team", "--gitea-url", &url, "--public-url", &self.public, "--admin-token-stdin"],
            more,
        ]
        .concat();
        let ran = self.stage.run(&arguments, &format!("{}\n", self.token)).await;
        ran.hides(&[&self.token]);
        assert!(!self.stage.env().contains(&self.token), "the token is kept");
        ran
    }

    async fn applications(&self) -> Vec<serde_json::Value> {
        applications(&self.stage.forge.url(), &self.token).await
    }

    fn callback(&self) -> String {
        format!("{}/oauth/callback", self.public)
    }
}

#[tokio::test]
async fn one_command_makes_the_application_and_settings_that_serve() {
    let team = Team::new().await;
    let ran = team.run(&[]).await;
    ran.says(0, &["pass  gitea_application", &team.callback(), "delete it now"]);
    let made = team.applications().await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["name"], "AegisGitea-MCP");
    assert_eq!(made[0]["redirect_uris"], serde_json::json!([team.callback()]));
    assert_eq!(made[0]["confidential_client"], true);
    let setting = |name: &str| team.stage.setting(name).unwrap();
    assert_eq!(setting("GITEA_OAUTH_CLIENT_ID"), made[0]["client_id"].as_str().unwrap());
    assert_eq!(setting("OAUTH_STATE_SECRET").len(), 64);
    ran.hides(&[&setting("GITEA_OAUTH_CLIENT_SECRET"), &setting("OAUTH_STATE_SECRET")]);
    let server = Serving::start(&team.stage.folder).await;
    assert_eq!(server.url, team.public);
    assert_eq!(server.stop().await, 0);

    // Again, without a token: everything is there, nothing changes.
    let before = team.stage.env();
    team.stage.run(&["setup", "team"], "").await.says(0, &["nothing was changed"]);
    team.run(&[]).await.says(0, &["nothing was changed"]);
    assert_eq!((team.stage.env(), team.applications().await.len()), (before, 1));
}

#[tokio::test]
async fn changes_have_an_application_of_their_own() {
    let team = Team::new().await;
    team.run(&["--writes"]).await.says(0, &["aegis-policy.yaml"]);
    let names: Vec<String> =
        team.applications().await.iter().map(|app| app["name"].as_str().unwrap().to_owned()).collect();
    assert!(
        names.contains(&"AegisGitea-MCP".to_owned())
            && names.contains(&"AegisGitea-MCP (changes)".to_owned())
    );
    for (name, value) in [("WRITE_MODE", "true"), ("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")] {
        assert_eq!(team.stage.setting(name).as_deref(), Some(value));
    }
    assert_ne!(
        team.stage.setting("GITEA_OAUTH_WRITE_CLIENT_ID"),
        team.stage.setting("GITEA_OAUTH_CLIENT_ID")
    );
    let server = Serving::start(&team.stage.folder).await;
    assert_eq!(server.stop().await, 0);
}

#[tokio::test]
async fn an_application_that_is_there_is_not_made_again_nor_taken_over_unasked() {
    let team = Team::new().await;
    let other =
        team.stage.forge.register("alice", "AegisGitea-MCP", &["https://other.example/oauth/callback"], true);
    let ran = team.run(&[]).await;
    ran.says(
        1,
        &["already", &other.client_id, "--new-secret", "--client-secret-stdin", "--application-name"],
    );
    assert!(!team.stage.path(".env").exists());
    assert_eq!(team.stage.changes(), [] as [&str; 0]);

    // With its secret it is used as it is, if its redirect is ours.
    let url = team.stage.forge.url();
    let ours = team.stage.forge.register("alice", "mine", &[&team.callback()], true);
    let arguments = [
        "setup",
        "team",
        "--gitea-url",
        &url,
        "--public-url",
        &team.public,
        "--client-id",
        &ours.client_id,
        "--client-secret-stdin",
    ];
    team.stage
        .run(&arguments, "wrong-secret\n")
        .await
        .says(1, &["fail  gitea_application", "Nothing was written"]);
    assert!(!team.stage.path(".env").exists());
    team.stage.run(&arguments, &format!("{}\n", ours.client_secret)).await.says(0, &["Wrote "]);
    std::fs::remove_file(team.stage.path(".env")).unwrap();

    team.run(&["--application-name", "Second"]).await.says(0, &["Wrote "]);
    assert_eq!(team.applications().await.len(), 3);
    std::fs::remove_file(team.stage.path(".env")).unwrap();

    team.run(&["--new-secret"]).await.says(0, &["Wrote "]);
    assert_eq!(team.stage.setting("GITEA_OAUTH_CLIENT_ID"), Some(other.client_id));
    assert_eq!(team.applications().await.len(), 3);
}

#[tokio::test]
async fn another_public_address_moves_the_application_along() {
    let mut team = Team::new().await;
    team.run(&[]).await.says(0, &[]);
    let before = team.stage.setting("GITEA_OAUTH_CLIENT_ID");
    team.public = format!("http://127.0.0.1:{}", free_port());
    team.run(&[]).await.says(0, &["Wrote "]);
    let made = team.applications().await;
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["redirect_uris"], serde_json::json!([team.callback()]));
    assert_eq!(team.stage.setting("GITEA_OAUTH_CLIENT_ID"), before);
}

#[tokio::test]
async fn without_rights_or_a_token_it_says_what_to_click() {
    let team = Team::new().await;
    let url = team.stage.forge.url();
    let narrow = team.stage.token("narrow", &["read:user"]).await;
    team.stage.forge.forget();
    let arguments = ["setup", "team", "--gitea-url", &url, "--public-url", &team.public];
    let page = format!("{url}/user/settings/applications");
    let clicks = [
        page.as_str(),
        &team.callback(),
        "Confidential Client  checked",
        "--client-id ID --client-secret-stdin",
    ];
    team.stage.run(&arguments, "").await.says(2, &clicks);
    let with_token = [&arguments[..], &["--admin-token-stdin"]].concat();
    let ran = team.stage.run(&with_token, &narrow).await;
    ran.says(1, &[&clicks[..], &["write:user"]].concat()).hides(&[&narrow]);
    team.stage.run(&with_token, "nonsense").await.says(1, &["does not take this token"]);
    team.stage.run(&with_token, "").await.says(2, &["standard input holds no token"]);
    assert!(!team.stage.path(".env").exists());
    assert!(team.applications().await.is_empty());
}

#[tokio::test]
async fn what_was_made_is_taken_back_when_the_rest_fails() {
    let team = Team::new().await;
    let fault = Fault::on("/login/oauth/access_token", FaultKind::Status(500));
    team.stage.forge.every_fault(fault);
    let ran = team.run(&["--writes"]).await;
    ran.says(1, &["was deleted again"]);
    team.stage.forge.mend();
    assert!(team.applications().await.is_empty());
    assert!(!team.stage.path(".env").exists() && !team.stage.path(".env.new").exists());
    team.run(&["--writes"]).await.says(0, &["Wrote "]);
}

#[tokio::test]
async fn addresses_at_which_nobody_could_sign_in_are_refused() {
    let team = Team::new().await;
    let url = team.stage.forge.url();
    for (public, why) in [
        ("http://mcp.example.test", "plain http"),
        ("https://example.test/aegis", "scheme and host alone"),
        ("mcp", "must be an address"),
    ] {
        let arguments = ["setup", "team", "--gitea-url", &url, "--public-url", public];
        team.stage.run(&arguments, "").await.says(2, &["--public-url", why]);
    }
    team.stage.forge.configure(|settings| settings.root_url = Some("http://git.example.test".to_owned()));
    team.stage.forge.configure(|settings| settings.issuer = None);
    let ran = team.run(&[]).await;
    let mends = ["Gitea calls itself http://git.example.test", "--gitea-internal-url", "ROOT_URL = "];
    ran.says(1, &mends);
    team.stage.forge.configure(|settings| settings.enabled = false);
    team.run(&[]).await.says(1, &["ENABLED=true"]);
    assert!(team.applications().await.is_empty());
}

#[tokio::test]
async fn a_port_at_which_no_client_would_look_is_refused() {
    let team = Team::new().await;
    team.run(&[]).await.says(0, &["Wrote "]);
    let before = team.stage.env();
    let other = free_port().to_string();
    let ran = team.stage.run(&["setup", "team", "--port", &other], "").await;
    ran.says(2, &[&team.public, "--public-url", "callback"]);
    assert_eq!(team.stage.env(), before);
}

#[tokio::test]
async fn beside_the_compose_files_the_site_is_named_for_caddy_and_the_file_still_serves() {
    let mut team = Team::new().await;
    std::fs::create_dir(team.stage.path("docker")).unwrap();
    std::fs::write(team.stage.path("docker/compose.caddy.yaml"), "").unwrap();
    team.public = "https://mcp.example.test".to_owned();
    team.run(&[]).await.says(0, &["Wrote "]);
    assert_eq!(team.stage.setting("MCP_DOMAIN").as_deref(), Some("mcp.example.test"));
    // What is compose's alone is in nobody's way.
    team.stage.run(&["settings", "--env-file", ".env"], "").await.says(0, &["https://mcp.example.test"]);
    team.stage.run(&["setup", "team"], "").await.says(0, &["nothing was changed"]);
    team.public = "https://other.example.test".to_owned();
    team.run(&[]).await.says(0, &["Wrote "]);
    assert_eq!(team.stage.setting("MCP_DOMAIN").as_deref(), Some("other.example.test"));

    // Elsewhere, and for an address that Caddy would not serve there, nobody asks for it.
    let mut team = Team::new().await;
    team.public = "https://mcp.example.test".to_owned();
    team.run(&[]).await.says(0, &["Wrote "]);
    assert_eq!(team.stage.setting("MCP_DOMAIN"), None);
    std::fs::create_dir(team.stage.path("docker")).unwrap();
    std::fs::write(team.stage.path("docker/compose.caddy.yaml"), "").unwrap();
    team.public = "https://mcp.example.test:8443".to_owned();
    team.run(&[]).await.says(0, &["Wrote "]);
    assert_eq!(team.stage.setting("MCP_DOMAIN"), None);
}

#[tokio::test]
async fn a_machine_that_could_not_serve_sign_in_is_told_before_anything_is_made() {
    let team = Team::new().await;
    let ran = team.run_without_certificates().await;
    ran.says(
        64,
        &["CIMD_ALLOWED_HOSTS", "install ca-certificates", "CIMD_ALLOWED_HOSTS=none", "Nothing was changed"],
    );
    assert_eq!(team.stage.changes(), [] as [&str; 0]);
    assert!(!team.stage.path(".env").exists());

    // What it says mends it: a server that fetches nothing trusts nobody.
    std::fs::write(team.stage.path(".env"), "CIMD_ALLOWED_HOSTS=none\n").unwrap();
    team.run_without_certificates().await.says(0, &["Wrote "]);
    let server = Serving::start_with(&team.stage.folder, &[("SSL_CERT_FILE", "/nonexistent")]).await;
    assert_eq!(server.stop().await, 0);
    std::fs::remove_file(team.stage.path(".env")).unwrap();

    // The doctor says it of settings that are there.
    team.run(&["--new-secret"]).await.says(0, &["Wrote "]);
    let empty = team.stage.path("no-certificates");
    std::fs::write(&empty, "").unwrap();
    let mut doctor = command(&team.stage.folder);
    doctor.args(["doctor", "--env-file", ".env"]).env("SSL_CERT_FILE", &empty);
    finish(doctor, "").await.says(1, &["fail  client_documents", "install ca-certificates"]);
}
