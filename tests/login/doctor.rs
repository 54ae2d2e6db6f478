//! `aegis-mcp doctor`: what it says when all is well, and of each thing that goes wrong; a sign-in of its own; and what
//! the server does about Gitea before it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{Folder, STATE_SECRET, Setup, dist, program};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::scene::{Scene, password};

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
    bad.says("gitea_token", "fail", "make a new token");
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

/// What a proxy in front does wrong.
#[derive(Clone)]
enum Wrong {
    /// Another status for these user agents.
    Blocks(&'static str),
    /// It adds nothing and passes on what clients say of their address.
    PassesForwarded,
    /// The challenge is gone.
    DropsChallenge,
    /// Every request is sent elsewhere.
    Redirects,
    /// Nothing runs behind it.
    Dead,
    /// It calls the server by a name of its own.
    Renames,
}

/// A proxy on a port of its own, one request for each connection.
async fn proxy(to: u16, wrong: Wrong) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass_on(stream, to, wrong.clone()));
        }
    });
    format!("http://127.0.0.1:{port}")
}

async fn pass_on(mut client: TcpStream, to: u16, wrong: Wrong) {
    let mut reader = BufReader::new(&mut client);
    let (mut head, mut length) = (Vec::new(), 0_usize);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.unwrap();
    let canned = match &wrong {
        Wrong::Blocks(agent) if head.iter().any(|line| line.contains(agent)) => Some("403 Forbidden\r\n"),
        Wrong::Redirects => Some("301 Moved Permanently\r\nlocation: https://elsewhere.example/mcp\r\n"),
        Wrong::Dead => Some("502 Bad Gateway\r\n"),
        _ => None,
    };
    if let Some(canned) = canned {
        let answer = format!("HTTP/1.1 {canned}content-length: 0\r\nconnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    let named = |line: &String, name: &str| line.to_lowercase().starts_with(name);
    match wrong {
        Wrong::Renames => {
            head.retain(|line| !named(line, "host:"));
            head.push("host: backend.internal\r\n".to_owned());
        }
        Wrong::PassesForwarded => {}
        _ => head.retain(|line| !named(line, "x-forwarded-for:")),
    }
    let mut server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await.unwrap();
    server.write_all(format!("{}\r\n", head.concat()).as_bytes()).await.unwrap();
    server.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer).await;
    if matches!(wrong, Wrong::DropsChallenge) {
        let text = String::from_utf8_lossy(&answer).replace("www-authenticate", "x-www-authenticate");
        answer = text.into_bytes();
    }
    let _ = client.write_all(&answer).await;
}

#[tokio::test]
async fn each_thing_that_a_proxy_does_wrong_is_told() {
    let scene = Scene::new().await;
    for (wrong, check, verdict, words) in [
        (Wrong::Blocks("Claude-User"), "public_user_agents", "fail", "Claude-User gets 403"),
        (Wrong::Blocks("python-httpx"), "public_user_agents", "fail", "python-httpx"),
        (Wrong::PassesForwarded, "proxy_headers", "fail", "made up"),
        (Wrong::DropsChallenge, "public_challenge", "fail", "WWW-Authenticate"),
        (Wrong::Redirects, "public_address", "fail", "https://elsewhere.example/mcp"),
        (Wrong::Dead, "public_address", "warn", "nothing runs behind it"),
        (Wrong::Renames, "public_address", "fail", "Host"),
    ] {
        let url = proxy(scene.port, wrong).await;
        let set = |setup: Setup| setup.set("PUBLIC_BASE_URL", &url).set("TRUSTED_PROXIES", "127.0.0.1");
        let setup = set(scene.setup()).set("STARTUP_VALIDATE_GITEA", "false").set("MCP_HOST", "127.0.0.1");
        let server = setup.start().await;
        let patient = Patient::of(&scene).set("PUBLIC_BASE_URL", &url).set("TRUSTED_PROXIES", "127.0.0.1");
        patient.examine().await.says(check, verdict, words);
        assert_eq!(server.stop().await.code, 0);
    }
}

#[tokio::test]
async fn a_server_with_another_public_address_is_found_out() {
    let scene = Scene::new().await;
    let elsewhere = scene
        .setup()
        .set("PUBLIC_BASE_URL", "https://mcp.example.com")
        .set("STARTUP_VALIDATE_GITEA", "false");
    let server = elsewhere.start().await;
    let chart = Patient::of(&scene).examine().await;
    assert_eq!(chart.code, 1);
    chart
        .says("public_challenge", "fail", "another PUBLIC_BASE_URL")
        .says("public_resource_metadata", "fail", "https://mcp.example.com/mcp")
        .says("public_server_metadata", "fail", "https://mcp.example.com");
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn the_doctor_signs_in_calls_and_leaves_nothing_behind() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (patient, file) = Patient::of(&scene).env_file_kept();
    let (report, url) = sign_in(&file, true).await;
    let chart = Chart { code: 0, report };
    for check in [
        "login_metadata",
        "login_listen",
        "login_register",
        "login_approve",
        "login_token",
        "login_tools",
        "login_call",
        "login_revoke",
    ] {
        chart.says(check, "pass", " ms)");
    }
    assert_eq!(chart.report["exit_code"], 0);
    assert!(url.starts_with(&server.url), "{url}");
    let last = patient.examine_with(&["--last-login"]).await;
    assert_eq!(last.code, 0, "{:#}", last.report);
    last.says("last_login", "pass", "sign-in of alice by aegis-mcp doctor").says(
        "step",
        "pass",
        "token_issued",
    );
    let audit = server.stop().await.audit;
    assert!(
        audit.iter().any(|line| line["tool"] == "list_repositories" && line["login"] == "alice"),
        "{audit:#?}"
    );
}

#[tokio::test]
async fn a_sign_in_that_is_declined_says_where_it_stopped() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (_patient, file) = Patient::of(&scene).env_file_kept();
    let (report, _) = sign_in(&file, false).await;
    let chart = Chart { code: 1, report };
    assert_eq!(chart.report["exit_code"], 1);
    chart.says("login_approve", "fail", "access_denied");
    assert!(chart.lines().all(|(check, ..)| check != "login_token"));
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_sign_in_without_a_server_says_so_at_once() {
    let scene = Scene::new().await;
    let patient = Patient::of(&scene);
    let chart = patient.examine_with(&["--login"]).await;
    assert_eq!(chart.code, 1);
    chart.says("login_metadata", "fail", "start the server");
    let chart = patient.examine_with(&["--last-login"]).await;
    assert_eq!(chart.code, 1);
    chart.says("last_login", "fail", "no server answers");
}

/// Run `doctor --login`, open its URL as alice, approve or decline, and go where the browser is sent.
async fn sign_in(file: &str, approve: bool) -> (Value, String) {
    let mut command = Command::new(dist().join("aegis-mcp"));
    command.args(["doctor", "--json", "--login", "--env-file", file]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("it prints a URL");
        if let Some(url) = line.trim().strip_prefix("http") {
            break format!("http{url}");
        }
    };
    let mut browser = Browser::new();
    let page = browser.get(&url).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    assert!(page.text().contains("aegis-mcp doctor"), "{}", page.text());
    let decision = if approve { "approve" } else { "deny" };
    browser.submit(&page.form("decision"), &[("decision", decision)]).await;
    if approve {
        let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    }
    let back = aegis_tests::sign_in::parameter(&url, "redirect_uri").unwrap();
    let Arrived::Stopped(left) = browser.follow_until(|to| to.starts_with(&back)).await else {
        panic!("no way back")
    };
    // Somebody else's answer first: the doctor waits on.
    let forged = aegis_tests::sign_in::form(&[("code", "stolen"), ("state", "another")]);
    assert_eq!(browser.get(&format!("{back}?{forged}")).await.status(), 400);
    assert_eq!(browser.get(&left).await.status(), 200);
    let (mut out, mut rest) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        rest.push_str(&line);
    }
    let code = child.wait().await.unwrap().code();
    let code_shown = aegis_tests::sign_in::parameter(&left, "code");
    for text in [&out, &rest] {
        assert!(!text.contains("aegis_at_") && !text.contains("aegis_rt_"), "{text}");
        assert!(code_shown.as_ref().is_none_or(|code| !text.contains(code)), "{text}");
    }
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{rest}"));
    assert_eq!(report["exit_code"].as_i64(), code.map(i64::from));
    (report, url)
}

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
