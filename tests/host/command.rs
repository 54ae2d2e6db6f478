//! The command line as a person meets it: settings from files, keys, help, versions.

use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::http::send;
use aegis_tests::server::{KEY, Setup, program};
use serde_json::Value;

use crate::scene::{READ, Scene, call};

#[tokio::test]
async fn settings_are_shown_with_their_source_and_secrets_masked() {
    let variables = [
        ("GITEA_URL", "https://git.example.com"),
        ("GITEA_TOKEN", SVC_TOKEN),
        ("MCP_API_KEYS", KEY),
        ("MCP_PORT", "9000"),
    ];
    let (code, out, err) = program(&["settings"], &variables).await;
    assert_eq!(code, 0, "{err}");
    let row = |name: &str| {
        let rows = out.lines().filter(|line| line.split_whitespace().next() == Some(name));
        rows.map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect::<String>()
    };
    assert_eq!(row("GITEA_TOKEN"), "*** [environment]");
    assert_eq!(row("MCP_API_KEYS"), "*** [environment]");
    assert_eq!(row("MCP_PORT"), "9000 [environment]");
    assert_eq!(row("MCP_HOST"), "127.0.0.1 [default]");

    let (code, json, err) = program(&["settings", "--json"], &variables).await;
    assert_eq!(code, 0, "{err}");
    let document: Value = serde_json::from_str(&json).expect("JSON");
    let rows = document["settings"].as_array().cloned().unwrap_or_default();
    let token = rows.iter().find(|row| row["name"] == "GITEA_TOKEN").expect("a row");
    assert_eq!((token["value"].as_str(), token["secret"].as_bool()), (Some("***"), Some(true)));
    for secret in [SVC_TOKEN, KEY] {
        assert!(!out.contains(secret) && !json.contains(secret) && !err.contains(secret));
    }
}

#[tokio::test]
async fn a_generated_key_opens_the_server_under_its_name_and_is_never_the_same() {
    let (code, out, err) = program(&["generate-key", "--name", "laptop"], &[]).await;
    assert_eq!(code, 0, "{err}");
    let entry = out.trim();
    let key = entry.strip_prefix("laptop=").expect("name=key");
    assert!(key.starts_with("aegis_key_") && err.contains("MCP_API_KEYS"), "{err}");
    assert!(!err.contains(key), "it is printed once, to standard output alone");
    let (_, again, _) = program(&["generate-key", "--name", "laptop"], &[]).await;
    assert_ne!(out, again);

    let scene = Scene::new().await;
    let server = scene.setup().set("MCP_API_KEYS", entry).start().await;
    assert_eq!(call(&server.url, key, READ).await.expect("no panic").expect("an answer").status, 200);
    let old = call(&server.url, KEY, READ).await.expect("no panic").expect("an answer");
    assert_eq!((old.status, old.reason().as_deref()), (401, Some("invalid_credential")));
    assert_eq!(scene.forge.requests().len(), 1);
    let stopped = server.stop().await;
    assert!(stopped.audit.iter().any(|line| line["principal"] == "laptop"));
    assert!(!stopped.log.contains(key) && !format!("{:?}", stopped.audit).contains(key));

    let (code, _, err) = program(&["generate-key", "--name", "two words"], &[]).await;
    assert!(code != 0 && err.contains("--name"), "{err}");
}

#[tokio::test]
async fn an_env_file_gives_what_the_environment_does_not() {
    let scene = Scene::new().await;
    let path = scene.folder.0.join(".env");
    let text = format!(
        "# comment\nexport GITEA_URL=https://git.example.com\nGITEA_TOKEN='{SVC_TOKEN}'\n\
         MCP_API_KEYS=\"laptop={KEY}\" # one\nMCP_PORT=1234\n"
    );
    std::fs::write(&path, text).expect("written");
    let file = path.display().to_string();
    let (code, out, err) = program(&["settings", "--env-file", &file], &[("MCP_PORT", "9000")]).await;
    assert_eq!(code, 0, "{err}");
    let line = |name: &str| out.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
    assert!(line("MCP_PORT").contains("9000") && line("MCP_PORT").contains("[environment]"), "{out}");
    assert!(line("GITEA_URL").contains("https://git.example.com"), "{out}");
    assert!(!out.contains(SVC_TOKEN) && !out.contains(KEY), "{out}");

    std::fs::write(&path, "GITEA_ULR=x\nAUTOMATION_SCHEDULER_ENABLE=y\nMCP_PORT\nMCP_HOST=a\nMCP_HOST=b\n")
        .expect("written");
    let (code, _, err) = program(&["serve", "--env-file", &file], &[]).await;
    assert_eq!(code, 64, "{err}");
    for said in [
        "GITEA_ULR",
        "did you mean GITEA_URL?",
        "AUTOMATION_SCHEDULER_ENABLED",
        "line 3",
        "sets MCP_HOST again",
    ] {
        assert!(err.contains(said), "{said:?} is not in: {err}");
    }
    let missing = scene.folder.0.join("none.env").display().to_string();
    let (code, _, err) = program(&["serve", "--env-file", &missing], &[]).await;
    assert_eq!(code, 64, "{err}");
    assert!(err.contains(&missing) && err.contains("cannot be read"), "{err}");
}

#[tokio::test]
async fn secrets_come_from_files_too() {
    let scene = Scene::new().await;
    let (token, keys) = (scene.folder.0.join("token"), scene.folder.0.join("keys"));
    std::fs::write(&token, format!("{SVC_TOKEN}\n")).expect("written");
    std::fs::write(&keys, format!("laptop={KEY}\n")).expect("written");
    let setup: Setup = scene.setup().unset("GITEA_TOKEN").unset("MCP_API_KEYS");
    let setup = setup.set("GITEA_TOKEN_FILE", &token.display().to_string());
    let server = setup.set("MCP_API_KEYS_FILE", &keys.display().to_string()).start().await;
    assert_eq!(call(&server.url, KEY, READ).await.expect("no panic").expect("an answer").status, 200);
    assert_eq!(scene.forge.requests()[0].user.as_deref(), Some("svc"), "{:?}", scene.forge.requests());
}

#[tokio::test]
async fn help_teaches_and_the_version_is_the_one_that_serves() {
    let (code, help, _) = program(&["--help"], &[]).await;
    assert_eq!(code, 0);
    for word in ["serve", "settings", "generate-key", "guest", "audit", ".env.example"] {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
    let subjects: [(&[&str], &str); 5] = [
        (&["serve", "--help"], "--env-file"),
        (&["settings", "--help"], "--json"),
        (&["generate-key", "--help"], "--name"),
        (&["guest", "inspect", "--help"], "Exits 1 if it would be refused"),
        (&["audit", "verify", "--help"], "3 valid with a torn tail"),
    ];
    for (arguments, word) in subjects {
        let (code, help, err) = program(arguments, &[]).await;
        assert!(code == 0 && help.contains(word), "{arguments:?}: {help}{err}");
    }
    let (code, version, _) = program(&["--version"], &[]).await;
    assert_eq!(code, 0);
    let number = version.trim().strip_prefix("aegis-mcp ").expect("name and number");
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let health = send(&server.url, "GET", "/health", &[], b"").await.expect("an answer");
    assert_eq!(health.json()["version"], number);
}

#[tokio::test]
async fn health_says_whether_the_server_with_these_settings_answers() {
    let scene = Scene::new().await;
    let server = scene.setup().set("MCP_HOST", "0.0.0.0").set("ALLOW_INSECURE_BIND", "true").start().await;
    let port = server.url.rsplit(':').next().expect("a port").to_owned();
    let settings = [
        ("GITEA_URL", scene.forge.url()),
        ("GITEA_TOKEN", SVC_TOKEN.to_owned()),
        ("MCP_API_KEYS", KEY.to_owned()),
        ("MCP_HOST", "0.0.0.0".to_owned()),
        ("ALLOW_INSECURE_BIND", "true".to_owned()),
        ("MCP_PORT", port),
    ];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (code, out, err) = program(&["health"], &settings).await;
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", ""));
    assert_eq!(server.stop().await.code, 0);
    let (code, _, err) = program(&["health"], &settings).await;
    assert_eq!(code, 1);
    assert!(err.contains("nothing healthy at http://127.0.0.1:") && err.contains("MCP_PORT"), "{err}");
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_wrong_usage() {
    for arguments in [&["sevre"][..], &[], &["serve", "--no-such-option"], &["audit", "verify"]] {
        let (code, out, err) = program(arguments, &[]).await;
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.contains("Usage"), "{arguments:?}: {err}");
    }
}
