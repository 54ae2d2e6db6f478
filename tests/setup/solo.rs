//! The solo way by flags: what is checked, what is written, what a second run changes.

use std::os::unix::fs::PermissionsExt as _;

use aegis_tests::forge::{Options, Version};
use aegis_tests::server::free_port;

use crate::tls::{Flaw, Tls};

use crate::stage::{READS, Serving, Stage, audit};

#[tokio::test]
async fn one_command_makes_settings_that_serve() {
    let stage = Stage::new().await;
    let token = stage.solo().await;
    let mode = std::fs::metadata(stage.path(".env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(stage.setting("GITEA_URL").as_deref(), Some(stage.forge.url().as_str()));
    assert_eq!(stage.setting("GITEA_TOKEN"), Some(token));
    let entry = stage.setting("MCP_API_KEYS").unwrap();
    let key = entry.strip_prefix("laptop=").unwrap();
    assert!(key.starts_with("aegis_key_"));

    let server = Serving::start(&stage.folder).await;
    assert_eq!(server.call(key).await.status, 200);
    assert_eq!(server.call("aegis_key_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.status, 401);
    assert_eq!(server.stop().await, 0);
    let lines = audit(&stage.path("data/audit/audit.log"));
    assert!(
        lines
            .iter()
            .any(|line| line["event"] == "tool_invocation" && line.to_string().contains("\"laptop\""))
    );
    assert_eq!(stage.forge.violations(), [] as [&str; 0]);
    assert_eq!(stage.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_token_that_lacks_scopes_is_refused_with_their_names_and_what_to_click() {
    let stage = Stage::new().await;
    let token = stage.token("narrow", &["read:user", "read:repository"]).await;
    let url = stage.forge.url();
    let ran = stage.run(&["setup", "solo", "--gitea-url", &url, "--token-stdin"], &token).await;
    let page = format!("{url}/user/settings/applications");
    ran.says(1, &["lacks read:issue, read:organization", &page, "organization  Read", "Nothing was written"])
        .hides(&[&token]);
    assert!(!stage.path(".env").exists() && !stage.path("data").exists());

    let ran = stage.run(&["setup", "solo", "--gitea-url", &url, "--token-stdin"], "not-a-token").await;
    ran.says(1, &["Gitea does not take GITEA_TOKEN"]);
    assert!(!stage.path(".env").exists());
}

#[tokio::test]
async fn a_token_that_may_more_than_is_needed_is_told_and_taken() {
    let stage = Stage::new().await;
    let token = stage.token("wide", &[&READS[..], &["write:package"]].concat()).await;
    let url = stage.forge.url();
    let ran = stage.run(&["setup", "solo", "--gitea-url", &url, "--token-stdin"], &token).await;
    ran.says(0, &["warn  gitea_token_scopes", "write:package"]).hides(&[&token]);
    assert_eq!(stage.setting("GITEA_TOKEN"), Some(token));
}

#[tokio::test]
async fn a_second_run_changes_what_it_is_asked_and_nothing_else() {
    let stage = Stage::new().await;
    stage.solo().await;
    let mine = format!("# mine\nLOG_LEVEL=DEBUG # while I try it\n\n{}", stage.env());
    std::fs::write(stage.path(".env"), &mine).unwrap();
    std::fs::set_permissions(stage.path(".env"), std::fs::Permissions::from_mode(0o600)).unwrap();

    stage.run(&["setup", "solo"], "").await.says(0, &["nothing was changed"]);
    assert_eq!(stage.env(), mine);

    let (before, after) = (stage.setting("MCP_PORT").unwrap(), free_port().to_string());
    stage.run(&["setup", "solo", "--port", &after], "").await.says(0, &["Wrote "]);
    assert_eq!(stage.env(), mine.replace(&format!("MCP_PORT={before}\n"), &format!("MCP_PORT={after}\n")));

    stage.run(&["setup", "solo", "--key-name", "phone"], "").await.says(0, &["a key named phone"]);
    let keys = stage.setting("MCP_API_KEYS").unwrap();
    let names: Vec<&str> =
        keys.split(',').filter_map(|entry| entry.split_once('=')).map(|(name, _)| name).collect();
    assert_eq!(names, ["laptop", "phone"]);
}

#[tokio::test]
async fn changes_are_allowed_where_they_are_asked_for() {
    let stage = Stage::new().await;
    let url = stage.forge.url();
    let narrow = stage.token("reads", &READS).await;
    let arguments = ["setup", "solo", "--gitea-url", &url, "--token-stdin", "--writes=alice/demo,acme/*"];
    let ran = stage.run(&arguments, &narrow).await;
    ran.says(1, &["lacks write:repository, write:issue", "issue         Read and Write"]);
    assert!(!stage.path("aegis-policy.yaml").exists());

    let token = stage.token("writes", &[&READS[..], &["write:repository", "write:issue"]].concat()).await;
    stage.run(&arguments, &token).await.says(0, &["aegis-policy.yaml"]);
    assert_eq!(stage.setting("WRITE_REPOSITORY_WHITELIST").as_deref(), Some("alice/demo,acme/*"));
    let server = Serving::start(&stage.folder).await;
    assert_eq!(server.stop().await, 0);
    stage.run(&["setup", "solo", "--writes=not-a-repository"], "").await.says(2, &["owner/repo or owner/*"]);
}

#[tokio::test]
async fn without_a_terminal_nothing_is_asked_and_everything_is_said() {
    let stage = Stage::new().await;
    let said = ["setup solo --gitea-url URL --token-stdin", "setup team --gitea-url URL --public-url URL"];
    stage.run(&["setup"], "").await.says(2, &said);
    stage.run(&["setup", "solo"], "").await.says(2, &["--gitea-url is missing"]);
    let url = stage.forge.url();
    let ran = stage.run(&["setup", "solo", "--gitea-url", &url], "").await;
    ran.says(2, &["There is no token of Gitea yet", "user          Read", "--token-stdin < FILE"]);
    assert!(!stage.path(".env").exists());
}

#[tokio::test]
async fn a_gitea_that_is_not_there_is_looked_for_where_a_container_would_find_it() {
    let stage = Stage::new().await;
    let url = format!("http://localhost:{}", free_port());
    let ran = stage.run(&["setup", "solo", "--gitea-url", &url, "--token-stdin"], "token").await;
    ran.says(
        1,
        &[
            &format!("No Gitea answers at {url}"),
            "no connection to 127.0.0.1",
            "host.docker.internal",
            "`localhost` is the container itself",
            "--gitea-internal-url http://gitea:3000",
        ],
    );
    assert!(!stage.path(".env").exists());
    // The address that it gives is the one that works.
    let token = stage.token("inside", &READS).await;
    let internal = stage.forge.url();
    let arguments =
        ["setup", "solo", "--gitea-url", &url, "--gitea-internal-url", &internal, "--token-stdin"];
    stage.run(&arguments, &token).await.says(0, &["Wrote "]);
    assert_eq!(stage.setting("GITEA_INTERNAL_URL"), Some(internal));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_or_written_is_left_alone() {
    let stage = Stage::new().await;
    std::fs::write(stage.path(".env"), "GITEA_URL=x\nthis is hunter2\n").unwrap();
    let ran = stage.run(&["setup", "solo"], "").await;
    ran.says(64, &[".env line 2 must be NAME=value", "nothing was changed"]).hides(&["hunter2"]);
    assert_eq!(stage.env(), "GITEA_URL=x\nthis is hunter2\n");

    let token = stage.token("nowhere", &READS).await;
    let url = stage.forge.url();
    let arguments = ["setup", "solo", "--gitea-url", &url, "--token-stdin", "--env-file", "no/such/.env"];
    stage.run(&arguments, &token).await.says(1, &["cannot be written", "--env-file"]).hides(&[&token]);
}

#[tokio::test]
async fn a_gitea_behind_an_authority_of_ones_own_is_found_once_that_is_named() {
    let stage = Stage::new().await;
    let tls = Tls::before(&stage.forge.url(), Flaw::None).await;
    let token = stage.token("mine", &READS).await;
    let arguments = ["setup", "solo", "--gitea-url", &tls.url, "--token-stdin"];
    let ran = stage.run(&arguments, &token).await;
    ran.says(1, &["No Gitea answers at", "UnknownIssuer", "--gitea-ca-file FILE"]).hides(&[&token]);
    assert!(!stage.path(".env").exists());

    std::fs::write(stage.path("authority.pem"), &tls.pem).unwrap();
    let named = [&arguments[..], &["--gitea-ca-file", "authority.pem"]].concat();
    stage.run(&named, &token).await.says(0, &["Gitea answers at", "pass  gitea_token", "Wrote "]);
    let file = stage.path("authority.pem").display().to_string();
    assert_eq!(stage.setting("GITEA_CA_FILE"), Some(file));
    let port = free_port().to_string();
    stage.run(&["setup", "solo", "--port", &port], "").await.says(0, &["Wrote "]);
    let server = Serving::start(&stage.folder).await;
    let entry = stage.setting("MCP_API_KEYS").unwrap();
    assert_eq!(server.call(entry.rsplit('=').next().unwrap()).await.status, 200);
    assert_eq!(server.stop().await, 0);

    let ran = stage.run(&["setup", "solo", "--gitea-ca-file", "nothing.pem"], "").await;
    ran.says(64, &["GITEA_CA_FILE", "nothing.pem", "cannot be used"]);
}

/// Gitea shows a token its own scopes since 1.27; before that, what it refuses must tell.
#[tokio::test]
async fn a_token_that_gitea_does_not_take_is_refused_by_the_older_gitea_too() {
    let stage = Stage::at(Options { version: Version::V1_26, ..Options::default() }).await;
    let url = stage.forge.url();
    let arguments = ["setup", "solo", "--gitea-url", &url, "--token-stdin"];
    for token in ["changeme", "0123456789012345678901234567890123456789"] {
        let ran = stage.run(&arguments, token).await;
        ran.says(1, &["Gitea does not take GITEA_TOKEN", "/user/settings/applications", "--token-stdin"]);
        assert!(!stage.path(".env").exists());
    }
    let token = stage.token("mine", &READS).await;
    let ran = stage.run(&[&arguments[..], &["--writes=alice/demo"]].concat(), &token).await;
    ran.says(0, &["pass  gitea_token", "cannot be seen before Gitea 1.27"]).hides(&[&token]);
}

/// A credential of a few characters is not looked for in answers, and must not hold one up either.
#[tokio::test]
async fn a_short_token_is_answered_at_once() {
    let stage = Stage::new().await;
    stage.solo().await;
    let text = stage.env().replace(&stage.setting("GITEA_TOKEN").unwrap(), "changeme");
    std::fs::write(stage.path(".env"), text).unwrap();
    let server = Serving::start(&stage.folder).await;
    let entry = stage.setting("MCP_API_KEYS").unwrap();
    let answer = server.call(entry.rsplit('=').next().unwrap()).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (502, &serde_json::json!("gitea_unauthorized"))
    );
    assert_eq!(server.stop().await, 0);
}
