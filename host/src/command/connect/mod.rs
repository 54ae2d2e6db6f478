//! `aegis-mcp connect`: the exact line or JSON for one client and the settings in force. What is to be pasted goes to
//! standard output and nothing else does; what to do with it goes to standard error. It asks nobody and changes nothing.

mod clients;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::doctor::origin;
use super::setup::names::quoted;
use super::{EXIT_SETTINGS, complain, exit};
use crate::settings::{Problem, Process, Settings};
pub(super) use clients::Client;

/// Which client, and how it should reach Gitea.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The program that should be connected.
    #[arg(value_enum)]
    client: Client,
    /// Read settings from this file too; the environment wins.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// For a client that starts `aegis-mcp stdio` itself, with a personal token and without a server.
    #[arg(long, conflicts_with = "key")]
    stdio: bool,
    /// The key to use, by its name in MCP_API_KEYS; the first without it.
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
}

/// How a client reaches Gitea.
enum Way {
    /// People sign in.
    SignIn { url: String },
    /// A key in a header.
    Key { url: String, name: String, key: Zeroizing<String> },
    /// Nothing to prove: AUTH_ENABLED is off.
    Open { url: String },
    /// The client starts this program.
    Stdio { program: String, env_file: Option<String> },
}

/// Something to paste, and what to say about it.
struct Line {
    paste: Zeroizing<String>,
    says: Vec<String>,
}

/// Print it.
pub(super) fn run(options: &Options) -> ExitCode {
    match line(options) {
        Ok(line) => {
            line.says.iter().for_each(|text| complain(text));
            exit(writeln!(std::io::stdout(), "{}", line.paste.as_str()))
        }
        Err((code, text)) => {
            complain(&text);
            ExitCode::from(code)
        }
    }
}

fn line(options: &Options) -> Result<Line, (u8, String)> {
    if options.stdio {
        let way = stdio(options.env_file.as_deref()).map_err(|text| (1, text))?;
        let without = "GITEA_TOKEN is not set, and a server of one client works with a token: `aegis-mcp setup solo` makes \
             settings with one, for yourself";
        // What else is wrong does not concern a server of one client, or `stdio` says it.
        let lacks_token = match Settings::load(&Process, options.env_file.as_deref()) {
            Ok(settings) => settings.gitea_token().is_none(),
            Err(problems) => problems.iter().any(|problem| problem.to_string().starts_with("GITEA_TOKEN")),
        };
        if lacks_token {
            return Err((1, without.to_owned()));
        }
        return clients::line(options.client, &way).map_err(|text| (1, text));
    }
    let settings = Settings::load(&Process, options.env_file.as_deref()).map_err(|problems| {
        let mut lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
        lines.push(
            "There is nothing to connect to yet: make the settings with `aegis-mcp setup`, and name their file by --env-file."
                .to_owned(),
        );
        (EXIT_SETTINGS, lines.join("\n"))
    })?;
    let way = way(&settings, options)?;
    let mut line = clients::line(options.client, &way).map_err(|text| (1, text))?;
    if matches!(way, Way::SignIn { .. }) {
        line.says.extend(clients::lacking(options.client, &settings));
        line.says.extend(clients::unreachable(options.client, &settings));
    }
    Ok(line)
}

fn way(settings: &Settings, options: &Options) -> Result<Way, (u8, String)> {
    if settings.mcp_port() == 0 && settings.public_base_url().is_none() {
        return Err((
            EXIT_SETTINGS,
            "MCP_PORT is 0, so nobody knows where the server will be: set it, or PUBLIC_BASE_URL".to_owned(),
        ));
    }
    let url = format!("{}/mcp", origin(settings));
    if settings.oauth_mode() {
        return match &options.key {
            Some(_) => Err((
                2,
                "--key has no meaning here: with OAUTH_MODE=true people sign in, and no key is accepted"
                    .to_owned(),
            )),
            None => Ok(Way::SignIn { url }),
        };
    }
    if !settings.auth_enabled() {
        return Ok(Way::Open { url });
    }
    let keys = settings.mcp_api_keys();
    let wanted = |name: &String| keys.iter().find(|key| key.principal() == name);
    let found = match &options.key {
        Some(name) => wanted(name).ok_or_else(|| {
            let names: Vec<&str> = keys.iter().map(|key| key.principal()).collect();
            (2, format!("MCP_API_KEYS has no key named {name:?}; it has {}. `aegis-mcp generate-key --name {name} --env-file FILE` adds one", names.join(", ")))
        })?,
        None => keys.first().ok_or_else(|| (EXIT_SETTINGS, "MCP_API_KEYS holds no key".to_owned()))?,
    };
    let key = Zeroizing::new(found.key().expose().to_owned());
    Ok(Way::Key { url, name: found.principal().to_owned(), key })
}

/// The program and its settings by their whole paths: clients start it from anywhere.
fn stdio(env_file: Option<&Path>) -> Result<Way, String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("this program does not know where it is: {error}"))?;
    let env_file = match env_file {
        Some(path) => {
            let whole = std::fs::canonicalize(path).map_err(|error| {
                format!("{} cannot be found: {error}; `aegis-mcp setup solo` makes one", path.display())
            })?;
            Some(text(&whole)?)
        }
        None => None,
    };
    Ok(Way::Stdio { program: text(&program)?, env_file })
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("{} is no text, which no client's configuration can hold", path.display()))
}
