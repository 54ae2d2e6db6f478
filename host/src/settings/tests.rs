//! The settings as operators write them, and the texts made from the table.

mod env_file;
mod sign_in;

use super::*;
use crate::command;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;

const KEY: &str = "aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk";
const OTHER: &str = "aegis_key_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";
const TOKEN: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";
const ENV_FILE: &str = "some/.env";

/// An environment made of two maps.
#[derive(Default)]
struct Fake {
    variables: BTreeMap<String, OsString>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Environment for Fake {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Fake {
    /// What must be set, and the given ones; an empty text takes a variable away.
    fn with(given: &[(&str, &str)]) -> Self {
        let needed =
            [("GITEA_URL", "https://git.example.com"), ("GITEA_TOKEN", TOKEN), ("MCP_API_KEYS", KEY)];
        let pairs = needed.iter().chain(given);
        let variables = pairs.map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Self { variables, files: BTreeMap::new() }
    }

    fn file(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(PathBuf::from(path), text.into());
        self
    }

    fn load(&self) -> Result<Settings, Vec<String>> {
        let path = Path::new(ENV_FILE);
        let path = self.files.contains_key(path).then_some(path);
        Settings::load(self, path).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }
}

fn load(given: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    Fake::with(given).load()
}

/// The one problem of settings that have one.
fn problem(given: &[(&str, &str)]) -> String {
    let problems = load(given).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

#[test]
fn three_settings_are_enough_and_the_rest_has_its_default() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.gitea_url(), "https://git.example.com");
    assert_eq!(settings.gitea_token().unwrap().expose(), TOKEN);
    assert_eq!((settings.mcp_host().to_string().as_str(), settings.mcp_port()), ("127.0.0.1", 8080));
    assert_eq!(settings.gitea_internal_url(), None);
    assert_eq!(settings.audit_log_path(), Path::new("/var/log/aegis-mcp/audit.log"));
    assert_eq!((settings.guest_path(), settings.guest_cache_dir()), (None, None));
    assert_eq!(settings.log_level(), LogLevel::Info);
    assert_eq!(
        (settings.write_mode(), settings.auth_enabled(), settings.metrics_enabled()),
        (false, true, true)
    );
    let seconds = (
        settings.header_timeout_seconds(),
        settings.body_timeout_seconds(),
        settings.stream_timeout_seconds(),
    );
    assert_eq!(seconds, (10, 30, 600));
    assert_eq!((settings.max_request_bytes(), settings.max_connections()), (1_048_576, 1024));
}

#[test]
fn every_problem_is_told_at_once_with_name_value_and_what_is_allowed() {
    let problems = load(&[
        ("GITEA_URL", ""),
        ("MCP_PORT", "http"),
        ("RATE_LIMIT_PER_MINUTE", "0"),
        ("SECRET_DETECTION_MODE", "hide"),
        ("MCP_HOST", "0.0.0.0"),
    ]);
    assert_eq!(
        problems.unwrap_err(),
        [
            "GITEA_URL is required: set GITEA_URL",
            "MCP_PORT=\"http\" must be a whole number from 0 to 65535",
            "RATE_LIMIT_PER_MINUTE=\"0\" must be a whole number from 1 to 1000000",
            "SECRET_DETECTION_MODE=\"hide\" must be one of off, mask, block",
            "MCP_HOST=\"0.0.0.0\" listens on every interface without TLS; set ALLOW_INSECURE_BIND=true if that is \
             meant, or MCP_HOST=127.0.0.1",
        ]
    );
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_value_counts_as_unset() {
    let fake = Fake::with(&[("MCP_PORT", "9001"), ("LOG_LEVEL", "")]);
    let settings = fake.file(ENV_FILE, "MCP_PORT=9002\nLOG_LEVEL=debug\nMAX_CONNECTIONS=\n").load().unwrap();
    assert_eq!(
        (settings.mcp_port(), settings.log_level(), settings.max_connections()),
        (9001, LogLevel::Debug, 1024)
    );
    let source = |name| settings.rows().iter().find(|row| row.setting.name == name).unwrap().source.word();
    assert_eq!(source("MCP_PORT"), "environment");
    assert_eq!(source("LOG_LEVEL"), "env-file");
    assert_eq!(source("MAX_CONNECTIONS"), "default");
}

#[test]
fn a_secret_may_come_from_a_file() {
    let given = [
        ("GITEA_TOKEN", ""),
        ("GITEA_TOKEN_FILE", "/s/token"),
        ("MCP_API_KEYS", ""),
        ("MCP_API_KEYS_FILE", "/s/keys"),
    ];
    let fake = Fake::with(&given)
        .file("/s/token", format!("{TOKEN}\n"))
        .file("/s/keys", format!("a={KEY}\nb={OTHER}\n"));
    let settings = fake.load().unwrap();
    assert_eq!(settings.gitea_token().unwrap().expose(), TOKEN);
    let names: Vec<&str> = settings.mcp_api_keys().iter().map(ApiKey::principal).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(settings.mcp_api_keys()[1].key().expose(), OTHER);
}

#[test]
fn a_secret_file_is_refused_when_it_is_missing_empty_or_one_of_two() {
    let both = Fake::with(&[]).file(ENV_FILE, "GITEA_TOKEN_FILE=/s/token").load().unwrap_err();
    assert_eq!(both, ["GITEA_TOKEN and GITEA_TOKEN_FILE are both set; keep one"]);
    // The path could be the secret itself, put into the wrong variable.
    let missing = problem(&[("GITEA_TOKEN", ""), ("GITEA_TOKEN_FILE", TOKEN)]);
    assert!(missing.starts_with("GITEA_TOKEN_FILE names a file that cannot be read: "), "{missing}");
    assert!(!missing.contains(TOKEN));
    let empty =
        Fake::with(&[("GITEA_TOKEN", ""), ("GITEA_TOKEN_FILE", "/s/token")]).file("/s/token", " \n").load();
    assert_eq!(empty.unwrap_err(), ["GITEA_TOKEN_FILE names a file that is empty"]);
}

#[test]
fn api_keys_have_names_and_a_bare_one_is_called_by_its_digest() {
    let padded = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==";
    let settings = load(&[("MCP_API_KEYS", &format!("laptop={KEY}, {OTHER},{padded}"))]).unwrap();
    let keys: Vec<(&str, &str)> =
        settings.mcp_api_keys().iter().map(|key| (key.principal(), key.key().expose())).collect();
    assert_eq!(keys[0], ("laptop", KEY));
    assert_eq!(keys[1], ("key-1a2814e7", OTHER));
    assert_eq!(keys[2].1, padded, "padding is not a name");
}

#[test]
fn weak_ambiguous_or_unusable_api_keys_are_refused_and_never_shown() {
    let cases = [
        ("laptop=short".to_owned(), "entry 1 that must have a key of 32 to 512 characters"),
        (format!("{KEY},{}", "x".repeat(31)), "entry 2 that must have a key of 32"),
        ("x".repeat(513), "entry 1 that must have a key of 32"),
        (format!("a={KEY},a={OTHER}"), "entry 2 that repeats the name"),
        (format!("a={KEY},b={KEY}"), "entry 2 that repeats the key"),
        (format!("two words={KEY}"), "entry 1 that must have a name of 1 to 64"),
        (format!("={KEY}"), "entry 1 that must have a name of 1 to 64"),
        (format!("{}={KEY}", "n".repeat(65)), "entry 1 that must have a name of 1 to 64"),
        (format!("a={KEY} {OTHER}"), "entry 1 that must have a key of letters"),
        (format!("a={KEY}é"), "entry 1 that must have a key of letters"),
    ];
    for (keys, why) in cases {
        let told = problem(&[("MCP_API_KEYS", &keys)]);
        assert!(told.starts_with("MCP_API_KEYS has an ") && told.contains(why), "{told}");
        assert!(!told.contains(KEY) && !told.contains(OTHER), "{told}");
    }
    assert!(problem(&[("GITEA_TOKEN", "two words")]).ends_with("one word of visible ASCII characters"));
}

#[test]
fn keys_are_needed_unless_nobody_is_asked_for_one() {
    assert!(problem(&[("MCP_API_KEYS", "")]).starts_with("MCP_API_KEYS is required: make a key"));
    assert!(problem(&[("MCP_API_KEYS", " , ")]).starts_with("MCP_API_KEYS is required: make a key"));
    assert!(load(&[("MCP_API_KEYS", ""), ("AUTH_ENABLED", "false")]).unwrap().mcp_api_keys().is_empty());
}

#[test]
fn a_server_without_keys_listens_only_on_loopback() {
    for host in ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"] {
        assert!(load(&[("AUTH_ENABLED", "false"), ("MCP_HOST", host)]).is_ok(), "{host}");
    }
    for host in ["192.168.1.7", "0.0.0.0", "::", "fe80::1"] {
        let given = [("AUTH_ENABLED", "false"), ("MCP_HOST", host), ("ALLOW_INSECURE_BIND", "true")];
        assert!(problem(&given).starts_with("AUTH_ENABLED=\"false\" is accepted only on a loopback address"));
    }
}

#[test]
fn listening_everywhere_has_to_be_meant() {
    for host in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
        assert!(problem(&[("MCP_HOST", host)]).contains("ALLOW_INSECURE_BIND=true"), "{host}");
        assert!(load(&[("MCP_HOST", host), ("ALLOW_INSECURE_BIND", "true")]).is_ok(), "{host}");
    }
    assert!(problem(&[("MCP_HOST", "example.com")]).contains("must be an IP address"));
}

#[test]
fn writes_need_a_place() {
    assert!(problem(&[("WRITE_MODE", "true")]).contains("WRITE_REPOSITORY_WHITELIST"));
    assert!(load(&[("WRITE_MODE", "true"), ("WRITE_ALLOW_ALL_TOKEN_REPOS", "1")]).is_ok());
    assert!(load(&[("WRITE_MODE", "true"), ("WRITE_REPOSITORY_WHITELIST", "Acme/App")]).is_ok());
    assert!(
        problem(&[("WRITE_REPOSITORY_WHITELIST", "acme")])
            .ends_with("an entry 1 that must be owner/repo or owner/*")
    );
}

#[test]
fn the_whole_may_not_end_before_its_part() {
    assert!(
        problem(&[("TOTAL_TIMEOUT_SECONDS", "30")])
            .ends_with("must be at least ANSWER_TIMEOUT_SECONDS, which is 60")
    );
}

#[test]
fn proxies_are_addresses_or_exact_networks() {
    let settings = load(&[("TRUSTED_PROXIES", "10.0.0.1, 172.18.0.0/16,fd00::/8")]).unwrap();
    let inside = |address: &str| {
        settings.trusted_proxies().iter().any(|net| net.contains(&address.parse::<IpAddr>().unwrap()))
    };
    assert!(inside("10.0.0.1") && inside("172.18.9.9") && inside("fd12::1"));
    assert!(!inside("10.0.0.2") && !inside("172.19.0.1"));
    assert!(problem(&[("TRUSTED_PROXIES", "10.0.0.1/8")]).ends_with("beyond its prefix; write 10.0.0.0/8"));
    assert!(problem(&[("TRUSTED_PROXIES", "traefik")]).contains("must be an IP address or a network"));
}

#[test]
fn a_password_inside_an_address_is_refused_and_not_shown() {
    let told = problem(&[("GITEA_URL", "https://me:hunter2@git.example.com")]);
    assert_eq!(told, "GITEA_URL must not hold a user name or password");
    let told = problem(&[("AUDIT_ANCHOR_URL", "https://log.example.com/in?token=hunter2")]);
    assert_eq!(told, "AUDIT_ANCHOR_URL must not hold a query (`?`) or a fragment (`#`)");
}

#[test]
fn a_variable_that_is_not_text_is_refused() {
    let mut fake = Fake::with(&[]);
    fake.variables.insert("LOG_LEVEL".to_owned(), OsString::from_vec(vec![0xff]));
    assert_eq!(fake.load().unwrap_err(), ["LOG_LEVEL must be UTF-8 text"]);
}

#[test]
fn guests_get_what_they_may_read_and_nothing_secret() {
    let values = load(&[("MCP_PORT", "9000"), ("MAX_AUTH_FAILURES", "7")]).unwrap().guest_values();
    let get = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(
        (get("MCP_PORT"), get("MAX_AUTH_FAILURES"), get("ALLOWED_HOSTS")),
        (Some("9000"), Some("7"), Some(""))
    );
    for hidden in ["GITEA_TOKEN", "MCP_API_KEYS", "AUDIT_LOG_PATH", "GITEA_INTERNAL_URL", "POLICY_FILE_PATH"]
    {
        assert_eq!(get(hidden), None, "{hidden}");
    }
    assert!(values.iter().all(|(_, value)| value != TOKEN && value != KEY));
    assert!(TABLE.iter().all(|setting| !(setting.secret && setting.for_guest)));
}

#[test]
fn no_way_to_print_settings_shows_a_secret() {
    let settings = load(&[("WRITE_MODE", "false")]).unwrap();
    let (mut people, mut programs) = (Vec::new(), Vec::new());
    command::settings::print(&settings, false, &mut people).unwrap();
    command::settings::print(&settings, true, &mut programs).unwrap();
    let (people, programs) = (String::from_utf8(people).unwrap(), String::from_utf8(programs).unwrap());
    let shown = format!("{people}{programs}{settings:?}{}", settings.gitea_token().unwrap());
    assert!(!shown.contains(TOKEN) && !shown.contains(KEY));
    let line = |name: &str| {
        let line = people.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("GITEA_TOKEN "), "*** [environment]");
    assert_eq!(line("MCP_PORT "), "8080 [default]");
    assert_eq!(line("PUBLIC_BASE_URL "), "(not set) [default]");
    let parsed: serde_json::Value = serde_json::from_str(&programs).unwrap();
    let rows = parsed["settings"].as_array().unwrap();
    assert_eq!(rows.len(), TABLE.len());
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    assert_eq!(
        (row("MCP_API_KEYS")["value"].as_str(), row("MCP_API_KEYS")["secret"].as_bool()),
        (Some("***"), Some(true))
    );
    assert!(row("GUEST_PATH")["value"].is_null());
}

#[test]
fn every_name_of_the_original_is_a_setting() {
    let all: BTreeSet<&str> = include_str!("seed_names.txt").lines().collect();
    let ours: BTreeSet<&str> = SEED.iter().copied().collect();
    assert_eq!(all, ours);
    let read: BTreeSet<&str> = TABLE.iter().map(|setting| setting.name).collect();
    assert_eq!(read.len(), TABLE.len(), "no name twice");
}

#[test]
fn every_default_is_accepted_when_it_is_written_out() {
    let written: Vec<(&str, &str)> = TABLE.iter().map(|setting| (setting.name, setting.default)).collect();
    let needed = [("GITEA_URL", "https://git.example.com"), ("GITEA_TOKEN", TOKEN), ("MCP_API_KEYS", KEY)];
    assert!(load(&[written.as_slice(), &needed].concat()).is_ok());
}

#[test]
fn a_filled_in_example_starts_the_program() {
    let filled = document::env_example()
        .replace("\nGITEA_URL=\n", "\nGITEA_URL=https://git.example.com\n")
        .replace("\nGITEA_TOKEN=\n", &format!("\nGITEA_TOKEN={TOKEN}\n"))
        .replace("\nMCP_API_KEYS=\n", &format!("\nMCP_API_KEYS={KEY}\n"));
    let alone = Fake::default().file(ENV_FILE, filled.clone()).load().unwrap();
    assert_eq!(alone.audit_log_path(), Path::new("./data/audit/audit.log"));
    // Taking every comment sign away from `#NAME=` must also leave a file that starts.
    let all = filled.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_uppercase()) => rest,
        _ => line,
    });
    let all = all.collect::<Vec<_>>().join("\n");
    assert!(Fake::default().file(ENV_FILE, all).load().is_ok());
    assert!(TABLE.iter().all(|setting| filled.contains(&format!("{}=", setting.name))));
}

#[test]
fn generated_texts_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, text) in
        [(".env.example", document::env_example()), ("docs/configuration.md", document::reference())]
    {
        let path = root.join(name);
        if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&path, &text).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{name} differs from settings.toml: run `make bless` and review the change");
    }
}
