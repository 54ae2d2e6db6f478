//! The settings of the program: read once at start, checked completely, then fixed.
//!
//! `settings.toml` lists them; the build script makes a row, a reader and an accessor for each. Here are the
//! rules that join several settings. Nothing is served with settings that have a problem: the caller prints
//! every [`Problem`] and exits with 64.

use ipnet::IpNet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod document;
mod env_file;
mod problem;
#[path = "../../guest/core/src/settings/rule.rs"]
mod rule;
mod secret;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use problem::Problem;
pub(crate) use secret::{ApiKey, Secret, principal_name};
use source::Reading;
pub(crate) use source::{Environment, Process, Row};

include!(concat!(env!("OUT_DIR"), "/settings.rs"));

/// A line of the table.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The environment variable.
    pub(crate) name: &'static str,
    /// Which values are taken, in words.
    pub(crate) allowed: &'static str,
    /// The default as text; empty where there is none.
    pub(crate) default: &'static str,
    /// `never`, `always` or `when ...`.
    pub(crate) required: &'static str,
    /// Heading in the documentation.
    pub(crate) section: &'static str,
    /// What it does.
    pub(crate) doc: &'static str,
    /// Whether the value is never shown and may come from `NAME_FILE`.
    pub(crate) secret: bool,
    /// `host`, `guest` or `both`; a secret is for the host alone.
    pub(crate) reader: &'static str,
    /// Whether guests may read it.
    pub(crate) for_guest: bool,
}

/// The settings in force.
#[derive(Debug)]
pub(crate) struct Settings {
    values: Values,
    rows: Vec<Row>,
}

impl Settings {
    /// Reads and checks everything. The environment wins over the env file; an empty value counts as unset.
    /// `env_file` is given only when it should be there.
    ///
    /// # Errors
    /// Every problem found, in the order of the table.
    pub(crate) fn load(environment: &dyn Environment, env_file: Option<&Path>) -> Result<Self, Vec<Problem>> {
        let mut reading = Reading::new(environment);
        if let Some(path) = env_file {
            reading.env_file(path, TABLE, MISSING);
        }
        let draft = Draft::read(&mut reading);
        draft.contradictions(&mut reading.problems);
        match draft.complete() {
            Some(values) if reading.problems.is_empty() => Ok(Self { values, rows: reading.rows }),
            _ => Err(reading.problems),
        }
    }

    /// What guests may read, as name and text in force; an unset setting is an empty text.
    #[must_use]
    pub(crate) fn guest_values(&self) -> Vec<(String, String)> {
        let rows = self.rows.iter().filter(|row| row.setting.for_guest && !row.setting.secret);
        rows.map(|row| (row.setting.name.to_owned(), row.shown.clone())).collect()
    }

    /// Every setting as it is in force, secrets masked, in the order of the documentation.
    #[must_use]
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Draft {
    /// The rules that join settings. Each speaks only when all it needs could be read.
    fn contradictions(&self, problems: &mut Vec<Problem>) {
        if self.oauth_mode == Some(true) {
            problems.push(Problem::of_value(
                "OAUTH_MODE",
                "true",
                "stops the start: sign-in through Gitea is not in this version; set OAUTH_MODE=false and use MCP_API_KEYS",
            ));
        }
        if self.auth_enabled == Some(true) && self.mcp_api_keys.as_ref().is_some_and(Vec::is_empty) {
            problems.push(Problem::new(
                "MCP_API_KEYS",
                "is required: make a key with `aegis-mcp generate-key` and set MCP_API_KEYS or MCP_API_KEYS_FILE",
            ));
        }
        self.bind(problems);
        let nowhere = self.write_repository_whitelist.as_ref().is_some_and(Vec::is_empty);
        if self.write_mode == Some(true) && nowhere && self.write_allow_all_token_repos == Some(false) {
            problems.push(Problem::of_value(
                "WRITE_MODE",
                "true",
                "needs to know where: list repositories in WRITE_REPOSITORY_WHITELIST or set WRITE_ALLOW_ALL_TOKEN_REPOS=true",
            ));
        }
        if let (Some(answer), Some(total)) = (self.answer_timeout_seconds, self.total_timeout_seconds)
            && total < answer
        {
            let message = format!("must be at least ANSWER_TIMEOUT_SECONDS, which is {answer}");
            problems.push(Problem::of_value("TOTAL_TIMEOUT_SECONDS", &total.to_string(), message));
        }
    }

    /// The rules about the listening address. An IPv4 address written as IPv6 counts as what it is.
    fn bind(&self, problems: &mut Vec<Problem>) {
        let Some(address) = self.mcp_host else { return };
        let real = address.to_canonical();
        if self.auth_enabled == Some(false) && !real.is_loopback() {
            let message = format!(
                "is accepted only on a loopback address, and MCP_HOST is {address}; \
                                   set MCP_HOST=127.0.0.1 or AUTH_ENABLED=true"
            );
            problems.push(Problem::of_value("AUTH_ENABLED", "false", message));
        }
        if self.allow_insecure_bind == Some(false) && real.is_unspecified() {
            let message = "listens on every interface without TLS; set ALLOW_INSECURE_BIND=true if that is meant, or \
                           MCP_HOST=127.0.0.1";
            problems.push(Problem::of_value("MCP_HOST", &address.to_string(), message));
        }
    }
}

/// An address, or a network in CIDR form.
fn network(text: &str) -> Result<IpNet, String> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let found = single.or_else(|_| text.parse::<IpNet>());
    let found = found.map_err(|_| "must be an IP address or a network such as 10.0.0.0/8".to_owned())?;
    if found != found.trunc() {
        return Err(format!("has address bits beyond its prefix; write {}", found.trunc()));
    }
    Ok(found)
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.chars().any(char::is_control) {
        return Err("must be a path without control characters".to_owned());
    }
    Ok(PathBuf::from(text))
}
