//! `aegis-mcp write`: turns changes in Gitea off while the server runs, and on again.

use std::process::ExitCode;

use super::registry::chosen;
use super::{EnvFile, complain, exit};
use crate::admin::{self, Answer, NotAsked, Places, Request, show};

/// Acts on the running server at once and without a restart, and is on record. A restart goes back to the settings.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Write {
    /// Send no change to Gitea any more, whoever asks for it. Reads go on.
    ///
    /// It counts also for calls that have begun. A change that Gitea has received already is finished and recorded.
    Off {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Allow again what was turned off. Only where the server was started with WRITE_MODE=true.
    On {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say whether changes may be sent now, whether the settings allow them, and who turned it last.
    Status {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Write) -> ExitCode {
    match command {
        Write::Off { env, json } => ask(&env, &Request::WritesTurn { on: false }, json),
        Write::On { env, json } => ask(&env, &Request::WritesTurn { on: true }, json),
        Write::Status { env, json } => ask(&env, &Request::WritesStatus, json),
    }
}

fn ask(env: &EnvFile, request: &Request, json: bool) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match admin::ask(&Places::of(&settings), request) {
        Ok(Answer::Refused { text, .. }) => failed(&text),
        Ok(answer) => exit(show::answer(&answer, json, &mut std::io::stdout())),
        Err(NotAsked::NoServer(tried)) => failed(&format!(
            "No server answers at {tried}, so nothing was done: give this command the server's AUDIT_LOG_PATH and \
             DCR_STORAGE_PATH. Where none runs, WRITE_MODE decides at its next start."
        )),
        Err(not) => failed(&not.to_string()),
    }
}

fn failed(text: &str) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}
