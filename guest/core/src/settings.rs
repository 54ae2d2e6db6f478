//! The settings a guest may read, typed.
//!
//! The names, defaults and bounds come from `settings.toml` by the build script; this module gives them the
//! shape that the rest of the product reads, and holds the rules that join two settings. It knows no secret:
//! the host does not answer for those names.

use crate::ports;
use aegis_redaction::Mode;

mod automation;
mod outside;
mod rule;
mod search;
#[cfg(test)]
mod tests;
mod tools;

pub use automation::Automation;
pub use outside::OutsideText;
pub use search::Search;
pub use tools::Tools;

include!(concat!(env!("OUT_DIR"), "/settings.rs"));

/// What the product needs to know about its configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `GITEA_URL`: Gitea as people open it, without a slash at the end; for links.
    pub gitea_url: String,
    /// `PUBLIC_BASE_URL`: the origin that clients use, without a slash at the end.
    pub public_base_url: Option<String>,
    /// `MCP_HOST` as an IP address in text.
    pub bind_host: String,
    /// `MCP_PORT`.
    pub bind_port: u16,
    /// `ALLOWED_HOSTS` in lower case, without ports; IPv6 in brackets.
    pub allowed_hosts: Vec<String>,
    /// `ALLOWED_ORIGINS` in the form in which browsers send them (RFC 6454 section 6.2).
    pub allowed_origins: Vec<String>,
    /// `RATE_LIMIT_PER_MINUTE`: requests without a good credential, by address.
    pub rate_limit_per_minute: u32,
    /// `TOKEN_RATE_LIMIT_PER_MINUTE`: requests by one proved caller.
    pub token_rate_limit_per_minute: u32,
    /// `MAX_AUTH_FAILURES`: refused credentials within the window, by address.
    pub max_auth_failures: u32,
    /// `AUTH_FAILURE_WINDOW` in seconds.
    pub auth_failure_window: u32,
    /// `MAX_FILE_SIZE_BYTES`: the largest file a read tool returns.
    pub max_file_size_bytes: u64,
    /// `MAX_TOOL_RESPONSE_ITEMS`: most entries in one list.
    pub max_tool_response_items: u32,
    /// `MAX_TOOL_RESPONSE_CHARS`: most characters in one text.
    pub max_tool_response_chars: u32,
    /// The bounds of `search_code`.
    pub search: Search,
    /// `SECRET_DETECTION_MODE`.
    pub secret_detection_mode: Mode,
    /// `LOCKDOWN`.
    pub outside_text: OutsideText,
    /// `REPO_AUTHZ_CACHE_TTL_SECONDS`: so long it is remembered who may write to a repository.
    pub repo_authz_seconds: u32,
    /// Which tools are offered.
    pub tools: Tools,
    /// `WRITE_MODE`.
    pub write_mode: bool,
    /// `WRITE_REPOSITORY_WHITELIST`: owner and repository in lower case; the repository may be `*`.
    pub write_repositories: Vec<(String, String)>,
    /// `WRITE_ALLOW_ALL_TOKEN_REPOS`.
    pub write_allow_all: bool,
    /// `WRITE_CONFIRMATION=elicit`: a person confirms each change.
    pub write_confirmation: bool,
    /// What runs without anybody waiting for it.
    pub automation: Automation,
    /// `AUTH_ENABLED`.
    pub auth_enabled: bool,
    /// `OAUTH_MODE`: people sign in through Gitea.
    pub oauth_mode: bool,
    /// `DCR_ENABLED`: clients may register themselves.
    pub dcr_enabled: bool,
    /// Whether any host is left by `CIMD_ALLOWED_HOSTS`: clients may name themselves by a document.
    pub documents_allowed: bool,
    /// `OAUTH_REDIRECT_ALLOWLIST`: exact redirect URIs besides the usual ones.
    pub redirect_allowlist: Vec<String>,
    /// `ACCEPT_GITEA_TOKENS`: Gitea's own tokens are accepted too.
    pub accept_gitea_tokens: bool,
    /// `RESOURCE_DOCUMENTATION`: a page about this server.
    pub resource_documentation: Option<String>,
    /// `REGISTER_RATE_LIMIT_PER_MINUTE`: registrations, by address.
    pub register_rate_limit_per_minute: u32,
    /// `LOGIN_RATE_LIMIT_PER_MINUTE`: sign-in pages and metadata, each by address.
    pub login_rate_limit_per_minute: u32,
    /// `TOKEN_ENDPOINT_RATE_LIMIT_PER_MINUTE`: requests to the token endpoint, by address.
    pub token_endpoint_rate_limit_per_minute: u32,
    /// `METRICS_ENABLED`.
    pub metrics_enabled: bool,
    /// `LOG_LEVEL=DEBUG`: the shape of what comes from Gitea is told to the log.
    pub diagnose: bool,
}

/// A setting that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {message}")]
pub struct Invalid {
    /// The setting's name.
    pub name: &'static str,
    /// What is allowed. It does not repeat the value.
    pub message: String,
}

impl Config {
    /// Reads every setting through the port.
    ///
    /// # Errors
    /// The first setting that is missing, cannot be read or contradicts another.
    pub fn load(settings: &dyn ports::Settings) -> Result<Self, Invalid> {
        Self::read(&|name| settings.get(name)).map_err(|mut problems| {
            let first = problems.drain(..).next();
            // `read` fails with at least one problem; were that ever untrue, it is still a refusal.
            first.unwrap_or(Invalid { name: "settings", message: "cannot be read".to_owned() })
        })
    }

    /// Every problem in `values`, as name and message: what preflight tells the host. Names that no guest
    /// reads are ignored.
    #[must_use]
    pub fn check(values: &[(String, String)]) -> Vec<(String, String)> {
        let get = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let problems = Self::read(&get).err().unwrap_or_default();
        problems.into_iter().map(|problem| (problem.name.to_owned(), problem.message)).collect()
    }

    fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Invalid>> {
        let mut reading = Reading { get, problems: Vec::new() };
        let found = Self::each(&mut reading);
        if let Some(config) = &found {
            reading.problems.extend(config.contradictions());
        }
        match found {
            Some(config) if reading.problems.is_empty() => Ok(config),
            _ => Err(reading.problems),
        }
    }

    /// Reads setting by setting. All are read before the first missing one ends it, so that every problem is
    /// found.
    fn each(from: &mut Reading<'_>) -> Option<Self> {
        let (gitea, public) = (gitea_url(from), public_base_url(from));
        let (host, port) = (mcp_host(from), mcp_port(from));
        let (hosts, origins) = (allowed_hosts(from), allowed_origins(from));
        let (address_rate, caller_rate) = (rate_limit_per_minute(from), token_rate_limit_per_minute(from));
        let (failures, window) = (max_auth_failures(from), auth_failure_window(from));
        let file_bytes = max_file_size_bytes(from);
        let (items, chars) = (max_tool_response_items(from), max_tool_response_chars(from));
        let search = Search::read(from);
        let secrets = secret_detection_mode(from);
        let (outsiders, authz) = (lockdown(from), repo_authz_cache_ttl_seconds(from));
        let tools = Tools::read(from);
        let (writes, repositories) = (write_mode(from), write_repository_whitelist(from));
        let (everywhere, confirmation) = (write_allow_all_token_repos(from), write_confirmation(from));
        let automation = Automation::read(from);
        let (auth, oauth, metrics) = (auth_enabled(from), oauth_mode(from), metrics_enabled(from));
        let (dcr, redirects) = (dcr_enabled(from), oauth_redirect_allowlist(from));
        let documents = cimd_allowed_hosts(from);
        let (foreign, documentation) = (accept_gitea_tokens(from), resource_documentation(from));
        let (register_rate, login_rate) =
            (register_rate_limit_per_minute(from), login_rate_limit_per_minute(from));
        let (token_rate, level) = (token_endpoint_rate_limit_per_minute(from), log_level(from));
        Some(Self {
            gitea_url: gitea?,
            public_base_url: public?,
            bind_host: host?,
            bind_port: port?,
            allowed_hosts: hosts?,
            allowed_origins: origins?,
            rate_limit_per_minute: address_rate?,
            token_rate_limit_per_minute: caller_rate?,
            max_auth_failures: failures?,
            auth_failure_window: window?,
            max_file_size_bytes: file_bytes?,
            max_tool_response_items: items?,
            max_tool_response_chars: chars?,
            search: search?,
            secret_detection_mode: match secrets? {
                SecretDetectionMode::Off => Mode::Off,
                SecretDetectionMode::Mask => Mode::Mask,
                SecretDetectionMode::Block => Mode::Block,
            },
            outside_text: outsiders?.into(),
            repo_authz_seconds: u32::try_from(authz?).unwrap_or(u32::MAX),
            tools: tools?,
            write_mode: writes?,
            write_repositories: repositories?,
            write_allow_all: everywhere?,
            write_confirmation: matches!(confirmation?, WriteConfirmation::Elicit),
            automation: automation?,
            auth_enabled: auth?,
            oauth_mode: oauth?,
            dcr_enabled: dcr?,
            documents_allowed: documents?.iter().any(|host| host != "none"),
            redirect_allowlist: redirects?,
            accept_gitea_tokens: foreign?,
            resource_documentation: documentation?,
            register_rate_limit_per_minute: register_rate?,
            login_rate_limit_per_minute: login_rate?,
            token_endpoint_rate_limit_per_minute: token_rate?,
            metrics_enabled: metrics?,
            diagnose: matches!(level?, LogLevel::Debug),
        })
    }

    /// The rules that join settings. The host has the same ones; here they also hold where there is no host.
    fn contradictions(&self) -> Vec<Invalid> {
        let mut found = Vec::new();
        if self.oauth_mode && self.public_base_url.is_none() {
            let message = "is required with OAUTH_MODE=true: set it to the address that clients use";
            found.push(Invalid { name: "PUBLIC_BASE_URL", message: message.to_owned() });
        }
        if self.write_mode && self.write_repositories.is_empty() && !self.write_allow_all {
            let message = "needs to know where: list repositories in WRITE_REPOSITORY_WHITELIST or set \
                           WRITE_ALLOW_ALL_TOKEN_REPOS=true";
            found.push(Invalid { name: "WRITE_MODE", message: message.to_owned() });
        }
        found
    }
}

/// Reads settings one after the other and keeps what is wrong with them.
struct Reading<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Invalid>,
}

impl Reading<'_> {
    /// A setting that always has a value; `None` after a problem, as in the two others.
    fn one<T>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match self.perhaps(name, default, parse)? {
            Some(value) => Some(value),
            None => self.problem(name, "is required".to_owned()),
        }
    }

    /// A list.
    fn all<T>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<Vec<T>, String>,
    ) -> Option<Vec<T>> {
        self.perhaps(name, default, parse).map(Option::unwrap_or_default)
    }

    /// A setting that may stay unset. An empty value is the default.
    fn perhaps<T>(
        &mut self,
        name: &'static str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let written = (self.get)(name).unwrap_or_default();
        let text = match written.trim() {
            "" => default,
            text => text,
        };
        if text.is_empty() {
            return Some(None);
        }
        match parse(text) {
            Ok(value) => Some(Some(value)),
            Err(message) => self.problem(name, message),
        }
    }

    fn problem<T>(&mut self, name: &'static str, message: String) -> Option<T> {
        self.problems.push(Invalid { name, message });
        None
    }
}
