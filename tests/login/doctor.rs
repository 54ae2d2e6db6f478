//! `aegis-mcp doctor`: what it says when all is well, and of each thing that goes wrong; a sign-in of its own; and what
//! the server does about Gitea before it starts.

mod findings;
mod proxy;
mod signs_in;
mod starts;

use std::path::Path;

use aegis_tests::server::{Folder, STATE_SECRET, dist, program};
use serde_json::Value;

use crate::scene::Scene;

/// Settings as a doctor gets them: those of a server, as an env file.
struct Patient {
    variables: Vec<(String, String)>,
    folder: Folder,
}

impl Patient {
    /// What [`Scene::setup`] sets, with an application of its own, beside the files of that scene.
    fn of(scene: &Scene) -> Self {
        let callback = format!("http://127.0.0.1:{}/oauth/callback", scene.port);
        let app = scene.forge.register("root", "the doctor's", &[&callback], true);
        let place = |parts: [&str; 2]| parts.iter().fold(scene.folder().to_owned(), |at, part| at.join(part));
        let shown = |path: &Path| path.display().to_string();
        let variables = [
            ("GITEA_URL", scene.forge.url()),
            ("OAUTH_MODE", "true".to_owned()),
            ("GITEA_OAUTH_CLIENT_ID", app.client_id),
            ("GITEA_OAUTH_CLIENT_SECRET", app.client_secret),
            ("OAUTH_STATE_SECRET", STATE_SECRET.to_owned()),
            ("MCP_PORT", scene.port.to_string()),
            ("AUDIT_LOG_PATH", shown(&place(["trail", "audit.log"]))),
            ("DCR_STORAGE_PATH", shown(&place(["registry", "dcr_clients.json"]))),
            ("GUEST_CACHE_DIR", shown(&dist().join("guests"))),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { variables, folder: Folder::new() }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn unset(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// As a file that only its owner may read.
    fn env_file(&self) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.0.join(".env");
        let lines: Vec<_> = self.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        std::fs::write(&path, lines.concat()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    async fn examine(&self) -> Chart {
        self.examine_with(&[]).await
    }

    async fn examine_with(&self, more: &[&str]) -> Chart {
        let file = self.env_file();
        let arguments = [&["doctor", "--json", "--env-file", &file], more].concat();
        let (code, out, err) = program(&arguments, &[]).await;
        for secret in
            self.variables.iter().filter(|(name, _)| name.ends_with("SECRET") || name.ends_with("TOKEN"))
        {
            assert!(!out.contains(&secret.1) && !err.contains(&secret.1), "{} is shown", secret.0);
        }
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        assert_eq!(report["exit_code"], code);
        Chart { code, report }
    }
}

/// What the doctor wrote down.
struct Chart {
    code: i32,
    report: Value,
}

impl Chart {
    fn lines(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let text = |line: &'_ Value, name: &str| -> &str {
            Box::leak(line[name].as_str().unwrap().to_owned().into())
        };
        let lines = self.report["findings"].as_array().unwrap();
        lines.iter().map(move |line| (text(line, "check"), text(line, "verdict"), text(line, "says")))
    }

    /// The checks with this verdict.
    fn all(&self, wanted: &str) -> Vec<&str> {
        self.lines().filter(|(_, verdict, _)| *verdict == wanted).map(|(check, ..)| check).collect()
    }

    /// That this check came out so and said this.
    #[track_caller]
    fn says(&self, check: &str, verdict: &str, words: &str) -> &Self {
        let found = self.lines().any(|(c, v, says)| c == check && v == verdict && says.contains(words));
        assert!(found, "no {verdict} {check} with {words:?} in {:#}", self.report);
        self
    }
}

#[tokio::test]
async fn a_healthy_server_passes_and_the_exit_code_says_so() {
    let scene = Scene::new().await;
    let patient = Patient::of(&scene);
    let server = scene.start().await;
    let chart = patient.examine().await;
    assert_eq!(chart.code, 0, "{:#}", chart.report);
    assert_eq!(chart.all("fail"), [] as [&str; 0]);
    for check in [
        "settings",
        "keyring",
        "audit_volume",
        "registry_volume",
        "guest",
        "policy",
        "gitea_version",
        "gitea_clock",
        "gitea_discovery",
        "gitea_keys",
        "gitea_application",
        "public_address",
        "public_challenge",
        "public_resource_metadata",
        "public_server_metadata",
        "public_user_agents",
        "proxy_headers",
    ] {
        assert!(chart.all("pass").contains(&check), "{check}: {:#}", chart.report);
    }
    // The secret of the tests is a phrase.
    chart.says("state_secret", "warn", "openssl rand -hex 32");
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn people_get_lines_with_a_count_at_the_end() {
    let scene = Scene::new().await;
    let file = Patient::of(&scene).env_file_kept();
    let (code, out, _) = program(&["doctor", "--env-file", &file.1], &[]).await;
    assert_eq!(code, 0, "{out}");
    assert!(out.lines().any(|line| line.starts_with("pass  gitea_version")), "{out}");
    assert!(
        out.lines().any(|line| line.starts_with("warn  public_address") && line.contains("start the server")),
        "{out}"
    );
    assert!(out.ends_with(" failed\n"), "{out}");
}

impl Patient {
    /// The env file, with what keeps it there.
    fn env_file_kept(self) -> (Self, String) {
        let file = self.env_file();
        (self, file)
    }
}

#[tokio::test]
async fn wrong_settings_come_first_and_the_rest_is_looked_at_all_the_same() {
    let scene = Scene::new().await;
    let patient = Patient::of(&scene).set("OAUTH_STATE_SECRET", "short").set("MCP_PORTS", "1");
    let chart = patient.examine().await;
    assert_eq!(chart.code, 64);
    let first: Vec<_> = chart.lines().take(2).map(|(check, verdict, _)| (check, verdict)).collect();
    assert_eq!(first, [("settings", "fail"), ("settings", "fail")]);
    chart
        .says("settings", "fail", "OAUTH_STATE_SECRET must have at least 32 characters")
        .says("settings", "fail", "did you mean MCP_PORT?")
        .says("gitea_version", "pass", "Gitea 1.27")
        .says("policy", "pass", "built-in policy")
        .says("audit_volume", "pass", "");
    let chart = patient.unset("GITEA_URL").examine().await;
    assert_eq!(chart.code, 64);
    chart.says("settings", "fail", "GITEA_URL is required").says("guest", "pass", "loads");
    assert!(chart.lines().all(|(check, ..)| !check.starts_with("gitea")), "{:#}", chart.report);
}
