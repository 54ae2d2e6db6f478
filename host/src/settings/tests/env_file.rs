//! The file of settings: what a line may look like, and what is said of one that may not.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ENV_FILE, Fake, TOKEN};
use crate::settings::{COMPOSE, Settings, TABLE};

fn in_file(text: &str) -> Result<Settings, Vec<String>> {
    Fake::with(&[]).file(ENV_FILE, text).load()
}

#[test]
fn the_env_file_knows_comments_and_quotes_and_expands_nothing() {
    let text = "\u{feff}# top\r\n\
                export MCP_PORT = 9000 # the port\r\n\
                POLICY_FILE_PATH='/a #b/$HOME'\n\
                GUEST_PATH=\"/q\\\"uo\\\\te\" # yes\n\
                AUDIT_LOG_PATH=/x#y/$(id)\n";
    let settings = in_file(text).unwrap();
    assert_eq!(settings.mcp_port(), 9000);
    assert_eq!(settings.policy_file_path(), Some(Path::new("/a #b/$HOME")));
    assert_eq!(settings.guest_path(), Some(Path::new("/q\"uo\\te")));
    assert_eq!(settings.audit_log_path(), Path::new("/x#y/$(id)"));
}

#[test]
fn a_wrong_line_of_the_env_file_is_told_by_number_and_never_repeated() {
    let text = format!(
        "{TOKEN}\n\nlower={TOKEN}\nMCP_PORT='{TOKEN}\nMCP_HOST=\"a\" {TOKEN}\nLOG_LEVEL=\"\\x{TOKEN}\"\n"
    );
    let problems = in_file(&text).unwrap_err();
    let expected = [
        "some/.env line 1 must be NAME=value",
        "some/.env line 3 must have a name of capital letters, digits and _ before the `=`",
        "some/.env line 4 has a quote that is not closed",
        "some/.env line 5 has text after the closing quote",
        "some/.env line 6 has an unknown escape; `\\n`, `\\\"`, `\\\\` and `\\$` are known",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn a_name_in_the_env_file_that_is_no_setting_is_refused_with_the_nearest_one() {
    let text =
        "MCP_PROT=1\nGITEA_TOKEN_FLE=x\nAUTOMATION_SCHEDULER_ENABLE=true\nQQQ=1\nMCP_PORT=1\nMCP_PORT=2\n";
    let expected = [
        "some/.env line 6 sets MCP_PORT again, after line 5",
        "MCP_PROT (some/.env line 1) is not a setting; did you mean MCP_PORT?",
        "GITEA_TOKEN_FLE (some/.env line 2) is not a setting; did you mean GITEA_TOKEN_FILE?",
        "AUTOMATION_SCHEDULER_ENABLE (some/.env line 3) is not a setting; did you mean AUTOMATION_SCHEDULER_ENABLED?",
        "QQQ (some/.env line 4) is not a setting; `aegis-mcp docs configuration` lists them all",
    ];
    assert_eq!(in_file(text).unwrap_err(), expected);
    assert!(in_file("MCP_PORT_FILE=x").is_err(), "only secrets come from files");
}

#[test]
fn an_env_file_that_cannot_be_read_is_a_problem() {
    let missing = Settings::load(&Fake::with(&[]), Some(Path::new(ENV_FILE))).unwrap_err();
    assert!(missing[0].to_string().starts_with("some/.env cannot be read: "));
    let binary = Fake::with(&[]).file(ENV_FILE, vec![b'A', 0xff]).load().unwrap_err();
    assert_eq!(binary, ["some/.env cannot be read: it is not UTF-8 text"]);
}

#[test]
fn what_compose_reads_from_the_same_file_is_taken_and_a_slip_in_it_is_not() {
    let text = "MCP_DOMAIN=mcp.example.com\nAEGIS_PORT=9000\nMCP_PORT=9001\n";
    assert_eq!(in_file(text).unwrap().mcp_port(), 9001);
    assert_eq!(
        in_file("MCP_DOMIAN=mcp.example.com\n").unwrap_err(),
        ["MCP_DOMIAN (some/.env line 1) is not a setting; did you mean MCP_DOMAIN?"]
    );
}

#[test]
fn the_names_of_compose_are_those_that_the_compose_files_have() {
    let files = [
        include_str!("../../../../docker/compose.yaml"),
        include_str!("../../../../docker/compose.caddy.yaml"),
        include_str!("../../../../docker/compose.traefik.yaml"),
    ];
    let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
    let read: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| file.split("${").skip(1))
        .map(|rest| rest.split(|c| !is_name(c)).next().unwrap())
        .filter(|name| TABLE.iter().all(|setting| setting.name != *name))
        .collect();
    assert_eq!(read, COMPOSE.iter().copied().collect());
}
