//! The settings of the program: read once at start, checked completely, then fixed.
//!
//! `settings.toml` lists them; the build script makes a row, a reader and an accessor for each. Here are the
//! rules that join several settings. Nothing is served with settings that have a problem: the caller prints
//! every [`Problem`] and exits with 64.

use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

#[cfg(test)]
mod document;
pub(crate) mod env_edit;
mod env_file;
mod problem;
#[path = "../../guest/core/src/settings/rule.rs"]
mod rule;
mod secret;
mod source;
#[cfg(test)]
mod tests;
mod values;

use crate::jobs::Schedule;
use crate::push::SyslogAddress;
use crate::trace::Ratio;
use crate::upstream::Number;
pub(crate) use problem::{Problem, nearest};
pub(crate) use secret::{ApiKey, Secret, bare_key_name, principal_name};
use source::Reading;
pub(crate) use source::{Environment, Process, Row};
use values::{network, path, socket, version};

include!(concat!(env!("OUT_DIR"), "/settings.rs"));

/// The principal of jobs and deliveries.
pub(crate) const AUTOMATION: &str = "automation";

/// Who started a job, where it was no caller and no delivery: an operator by a command, or the scheduler. No key may have
/// one of these names.
pub(crate) const COMMAND: &str = "command";
/// As above.
pub(crate) const SCHEDULE: &str = "schedule";
/// Who asks for what a delivery starts. Its runs have nobody in `started_by`.
pub(crate) const WEBHOOK: &str = "webhook";

/// The most repositories that schedules cover: a run goes through them one after the other.
const MOST_SCHEDULED: usize = 100;

/// The fewest characters of `OAUTH_STATE_SECRET` and of `WEBHOOK_SECRET`.
const STATE_SECRET_MIN: usize = 32;

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
            reading.env_file(path, TABLE, COMPOSE);
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
        self.callers(problems);
        self.bind(problems);
        self.proxy(problems);
        self.automation(problems);
        self.scheduler(problems);
        if matches!((&self.guest_watch_path, &self.guest_trusted_keys), (Some(Some(_)), Some(None))) {
            problems.push(Problem::new(
                "GUEST_WATCH_PATH",
                "needs GUEST_TRUSTED_KEYS: without it whoever can write that file decides what runs",
            ));
        }
        if let Some(Some(headers)) = &self.otel_exporter_otlp_traces_headers
            && let Err(error) = crate::trace::headers(headers.expose())
        {
            problems.push(Problem::new("OTEL_EXPORTER_OTLP_TRACES_HEADERS", error));
        }
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

    /// The rules about who may call: people who sign in, or keys, or on this machine everybody.
    fn callers(&self, problems: &mut Vec<Problem>) {
        let mut need = |name: &str, why: &str| problems.push(Problem::new(name, why));
        match self.oauth_mode {
            None => {}
            Some(false) => {
                if self.gitea_token.as_ref().is_some_and(Option::is_none) {
                    need(
                        "GITEA_TOKEN",
                        "is required: set GITEA_TOKEN or GITEA_TOKEN_FILE, or OAUTH_MODE=true",
                    );
                }
                if self.auth_enabled == Some(true) && self.mcp_api_keys.as_ref().is_some_and(Vec::is_empty) {
                    need(
                        "MCP_API_KEYS",
                        "is required: make a key with `aegis-mcp generate-key` and set MCP_API_KEYS or MCP_API_KEYS_FILE",
                    );
                }
            }
            Some(true) => self.sign_in(&mut need),
        }
    }

    /// What sign-in through Gitea needs.
    fn sign_in(&self, need: &mut dyn FnMut(&str, &str)) {
        const APPLICATION: &str = "is required with OAUTH_MODE=true: create an OAuth2 application in Gitea (Settings, \
                                   Applications) with the redirect URI PUBLIC_BASE_URL/oauth/callback";
        let missing = |secret: &Option<Option<Secret>>| secret.as_ref().is_some_and(Option::is_none);
        if self.gitea_oauth_client_id.as_ref().is_some_and(Option::is_none) {
            need("GITEA_OAUTH_CLIENT_ID", APPLICATION);
        }
        if missing(&self.gitea_oauth_client_secret) {
            need("GITEA_OAUTH_CLIENT_SECRET", APPLICATION);
        }
        let second = self.gitea_oauth_write_client_id.as_ref().map(Option::is_some);
        let second_secret = self.gitea_oauth_write_client_secret.as_ref().map(Option::is_some);
        if let (Some(id), Some(secret)) = (second, second_secret)
            && id != secret
        {
            need(
                "GITEA_OAUTH_WRITE_CLIENT_SECRET",
                "and GITEA_OAUTH_WRITE_CLIENT_ID belong together: set both or none",
            );
        }
        match self.oauth_state_secret.as_ref().map(Option::as_ref) {
            Some(None) => need(
                "OAUTH_STATE_SECRET",
                "is required with OAUTH_MODE=true: set it to the output of `openssl rand -hex 32`",
            ),
            Some(Some(secret)) if secret.expose().len() < STATE_SECRET_MIN => need(
                "OAUTH_STATE_SECRET",
                "must have at least 32 characters; `openssl rand -hex 32` makes a good one",
            ),
            Some(Some(_)) | None => {}
        }
        let local = self.mcp_host.is_some_and(|address| address.to_canonical().is_loopback());
        if self.public_base_url.as_ref().is_some_and(Option::is_none) && !local {
            need(
                "PUBLIC_BASE_URL",
                "is required with OAUTH_MODE=true unless MCP_HOST is a loopback address: set it to the address that \
                 clients use, such as https://mcp.example.com",
            );
        }
        if self.public_base_url.as_ref().and_then(Option::as_deref).is_some_and(is_plain_and_remote) {
            need(
                "PUBLIC_BASE_URL",
                "must begin with https:// with OAUTH_MODE=true: without TLS anybody on the way could sign in as \
                 somebody else; only loopback addresses may do without",
            );
        }
    }

    /// What automation needs: an account to act as, and a secret that its deliveries are signed with.
    fn automation(&self, problems: &mut Vec<Problem>) {
        if self.automation_enabled != Some(true) {
            return;
        }
        // Without sign-in it is required anyway, and told there.
        if self.oauth_mode == Some(true) && self.gitea_token.as_ref().is_some_and(Option::is_none) {
            problems.push(Problem::new(
                "GITEA_TOKEN",
                "is required with AUTOMATION_ENABLED=true: jobs act as a service account, never as a person",
            ));
        }
        let keys = self.mcp_api_keys.as_deref().unwrap_or_default();
        let taken = [AUTOMATION, COMMAND, SCHEDULE, WEBHOOK];
        let named = |name: &str| keys.iter().any(|key| key.principal().eq_ignore_ascii_case(name));
        if let Some(name) = taken.iter().find(|name| named(name)) {
            let message = format!(
                "must not name a key `{name}` with AUTOMATION_ENABLED=true: the record knows the server's own jobs, and who \
                 started them, by that name"
            );
            problems.push(Problem::new("MCP_API_KEYS", message));
        }
        match self.webhook_secret.as_ref().map(Option::as_ref) {
            Some(None) => problems.push(Problem::new(
                "WEBHOOK_SECRET",
                "is required with AUTOMATION_ENABLED=true: set it to the output of `openssl rand -hex 32`",
            )),
            Some(Some(secret)) if secret.expose().len() < STATE_SECRET_MIN => problems.push(Problem::new(
                "WEBHOOK_SECRET",
                "must have at least 32 characters; `openssl rand -hex 32` makes a good one",
            )),
            Some(Some(secret)) => {
                let is_it = |other: &Secret| other.expose() == secret.expose();
                let token = self.gitea_token.as_ref().and_then(Option::as_ref);
                if token.is_some_and(is_it) || keys.iter().any(|key| is_it(key.key())) {
                    problems.push(Problem::new(
                        "WEBHOOK_SECRET",
                        "is GITEA_TOKEN or a key of MCP_API_KEYS as well: whoever sees one webhook's settings would have \
                         both. Set it to the output of `openssl rand -hex 32`",
                    ));
                }
            }
            None => {}
        }
        let listed = self.automation_jobs.as_deref().unwrap_or_default();
        if listed.len() > 1 && listed.iter().any(|job| job.eq_ignore_ascii_case("none")) {
            problems.push(Problem::new(
                "AUTOMATION_JOBS",
                "is none and names jobs as well: write none alone, or take it out",
            ));
        }
    }

    /// What the scheduler needs: jobs that may run, times for them, and places.
    fn scheduler(&self, problems: &mut Vec<Problem>) {
        if self.automation_scheduler_enabled != Some(true) {
            return;
        }
        let mut need = |name: &str, why: String| problems.push(Problem::new(name, why));
        if self.automation_enabled == Some(false) {
            need("AUTOMATION_SCHEDULER_ENABLED", "needs AUTOMATION_ENABLED=true".to_owned());
        }
        if let Some(repositories) = &self.automation_repositories {
            let whole = repositories.iter().find(|(_, repo)| repo == "*");
            if repositories.is_empty() {
                let why = "is required with AUTOMATION_SCHEDULER_ENABLED=true: name the repositories that schedules cover, as \
                           owner/repo";
                need("AUTOMATION_REPOSITORIES", why.to_owned());
            } else if let Some((owner, _)) = whole {
                let why =
                    format!("names {owner}/*: a schedule covers repositories that are named one by one");
                need("AUTOMATION_REPOSITORIES", why);
            } else if repositories.len() > MOST_SCHEDULED {
                let why =
                    format!("names {} repositories; at most {MOST_SCHEDULED} are taken", repositories.len());
                need("AUTOMATION_REPOSITORIES", why);
            }
        }
        let schedules = self.schedules();
        let jobs = self.automation_jobs.as_deref().unwrap_or_default();
        let off = |job: &str| !jobs.iter().any(|listed| listed.eq_ignore_ascii_case(job));
        for (job, _) in schedules.iter().filter(|(job, has_one)| *has_one && off(job)) {
            need(
                &format!("AUTOMATION_SCHEDULE_{}", job.to_uppercase()),
                format!(
                    "is the schedule of a job that is off: add {job} to AUTOMATION_JOBS, or take the schedule out"
                ),
            );
        }
        // A schedule that cannot be read has said so.
        if problems.is_empty() && schedules.iter().all(|(_, has_one)| !has_one) {
            problems.push(Problem::new(
                "AUTOMATION_SCHEDULER_ENABLED",
                format!("is true and no job has a schedule: set one of {}", SCHEDULES.join(", ")),
            ));
        }
    }

    /// The rules about the proxy on the way to Gitea.
    fn proxy(&self, problems: &mut Vec<Problem>) {
        let Some(Some(proxy)) = &self.gitea_proxy else { return };
        if let Err(error) = crate::https::Proxy::parse(proxy.expose()) {
            let text = error.to_string();
            problems.push(Problem::new("GITEA_PROXY", text.strip_prefix("GITEA_PROXY ").unwrap_or(&text)));
        }
        let way = match (&self.gitea_internal_url, &self.gitea_url) {
            (Some(Some(url)), _) | (Some(None), Some(url)) => url,
            (None, _) | (Some(None), None) => return,
        };
        if !way.starts_with("https:") {
            problems.push(Problem::new(
                "GITEA_PROXY",
                "needs Gitea to be reached by https://: over plain http the proxy would read every token and answer",
            ));
        }
    }

    /// The rules about the listening address. An IPv4 address written as IPv6 counts as what it is.
    fn bind(&self, problems: &mut Vec<Problem>) {
        let Some(address) = self.mcp_host else { return };
        let real = address.to_canonical();
        if self.auth_enabled == Some(false) && self.oauth_mode == Some(false) && !real.is_loopback() {
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

/// Whether an origin is plain `http` and not this machine.
fn is_plain_and_remote(origin: &str) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return false };
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((six, _)) => six,
        None => authority.split(':').next().unwrap_or(authority),
    };
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An `http` or `https` address as GITEA_URL takes it, in its normal form.
///
/// # Errors
/// What is wrong with it; continues a sentence that begins with its name.
pub(crate) fn web_address(text: &str) -> Result<String, String> {
    rule::url(text)
}

/// A repository as WRITE_REPOSITORY_WHITELIST takes it.
///
/// # Errors
/// As above.
pub(crate) fn repository(text: &str) -> Result<(String, String), String> {
    rule::repository(text)
}
