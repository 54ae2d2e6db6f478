//! `aegis-mcp registry`: what sign-in remembers, as a whole. And how every command of an operator reaches it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::{EXIT_SETTINGS, EnvFile, complain, exit};
use crate::admin::{Request, carry_out, load_here, show};
use crate::settings::Settings;

/// The registry is one file beside DCR_STORAGE_PATH: who signed in, with which clients, and what Gitea granted
/// (encrypted). Where a server runs these commands go through it; otherwise they open the file and say so.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Registry {
    /// Show where the registry is, whether it can be written, and how much it holds.
    Info {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy the registry to a file, also while the server runs.
    ///
    /// The server writes the file, so it must lie where the
    /// server may write; an earlier backup there is replaced, nothing else is.
    Backup {
        /// The file to write.
        file: PathBuf,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a backup in place of what is remembered, also while the server runs.
    ///
    /// What was revoked or ended since stays so; people who signed in since sign in again.
    Restore {
        /// The backup to read.
        file: PathBuf,
        /// Do it: without this nothing is changed.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Registry) -> ExitCode {
    match command {
        Registry::Info { env, json } => ask(&env, Request::Status, json),
        Registry::Backup { file, env, json } => {
            with_path(&file, |path| ask(&env, Request::Backup { path }, json))
        }
        Registry::Restore { file, yes: true, env, json } => {
            with_path(&file, |path| ask(&env, Request::Restore { path }, json))
        }
        Registry::Restore { file, yes: false, .. } => {
            complain(&format!(
                "Nothing was changed: this puts {} in place of everything that sign-in remembers. Run it again with --yes.",
                file.display()
            ));
            ExitCode::FAILURE
        }
    }
}

/// The server has another working directory than the command.
fn with_path(file: &Path, go_on: impl FnOnce(PathBuf) -> ExitCode) -> ExitCode {
    match std::path::absolute(file) {
        Ok(path) => go_on(path),
        Err(error) => {
            complain(&format!("{} names no file: {error}", file.display()));
            ExitCode::FAILURE
        }
    }
}

/// The settings that operators' commands use, or the code to end with after every problem was told.
///
/// # Errors
/// The exit code for wrong settings.
pub(super) fn chosen(env: &EnvFile) -> Result<Settings, ExitCode> {
    load_here(env.env_file.as_deref()).map_err(|problems| {
        problems.iter().for_each(|problem| complain(&problem.to_string()));
        complain("Nothing was done. `aegis-mcp docs configuration` explains every setting.");
        ExitCode::from(EXIT_SETTINGS)
    })
}

/// Have a request carried out and write the answer.
pub(super) fn ask(env: &EnvFile, request: Request, json: bool) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match carry_out(&settings, request, &mut complain) {
        Ok(answer) => exit(show::answer(&answer, json, &mut std::io::stdout())),
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}
