//! `aegis-mcp jobs`: what a running server's jobs do, and running one now.

use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::registry::chosen;
use super::{EXIT_UNAVAILABLE, EnvFile, complain, exit};
use crate::admin::{self, Answer, NotAsked, Places, Request, show};

/// How often somebody who waits is told that the run goes on, in seconds.
const TELL: u64 = 5;

/// Asks the running server, as root or as the user that it runs as. Jobs and schedules are set in the settings
/// (docs/automation.md).
///
/// Exits 0 when it is done, 1 when the server refused it or it failed, 64 on wrong settings, 69 where no server answers.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Jobs {
    /// Show every job: whether it may run, its schedule, when it runs next, and how its last run ended.
    List {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a job has reported last in one repository, where a delivery, a schedule or a command ran it.
    #[command(after_help = "For example:\n  aegis-mcp jobs report dependency_hygiene_scan --repo acme/site")]
    Report {
        /// Its name, as `aegis-mcp jobs list` shows it.
        name: String,
        /// The repository.
        #[arg(long, value_name = "OWNER/REPO", value_parser = repository)]
        repo: (String, String),
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a job in one repository now, and print what it reports.
    ///
    /// The server decides on it as on every run: the job must be in AUTOMATION_JOBS, and the policy must allow
    /// `automation_<job>` in that repository. It is on record as `automation`, started by `command`.
    #[command(after_help = "For example:\n  aegis-mcp jobs run stale_issue_detection --repo acme/site\n  \
                            aegis-mcp jobs run stale_issue_detection --repo acme/site --apply")]
    Run {
        /// Its name, as `aegis-mcp jobs list` shows it.
        name: String,
        /// The repository.
        #[arg(long, value_name = "OWNER/REPO", value_parser = repository)]
        repo: (String, String),
        /// Let it act on what it finds, such as label and comment. It needs WRITE_MODE, the repository list and the policy;
        /// without this it reports only.
        #[arg(long)]
        apply: bool,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Jobs) -> ExitCode {
    match command {
        Jobs::List { env, json } => ask(&env, &Request::JobsList, json, ""),
        Jobs::Report { name, repo: (owner, repo), env, json } => {
            ask(&env, &Request::JobsReport { job: name, owner, repo }, json, "")
        }
        Jobs::Run { name, repo: (owner, repo), apply, env, json } => {
            let doing = format!("Running {name} in {owner}/{repo}");
            ask(&env, &Request::JobsRun { job: name, owner, repo, apply }, json, &doing)
        }
    }
}

fn repository(text: &str) -> Result<(String, String), String> {
    match crate::settings::repository(text) {
        Ok((owner, repo)) if repo != "*" => Ok((owner, repo)),
        Ok(_) | Err(_) => Err("must be one repository, as owner/repo".to_owned()),
    }
}

fn ask(env: &EnvFile, request: &Request, json: bool, doing: &str) -> ExitCode {
    let settings = match chosen(env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let answer = while_telling(doing, || admin::ask(&Places::of(&settings), request));
    match answer {
        Ok(Answer::Refused { reason, text }) => {
            complain(&format!("{reason}: {text}"));
            ExitCode::FAILURE
        }
        Ok(answer) => exit(show::answer(&answer, json, &mut std::io::stdout())),
        Err(NotAsked::NoServer(tried)) => {
            complain(&format!(
                "No server answers at {tried}, so nothing was done: jobs run in the server. Start it with `aegis-mcp serve`, \
                 or give this command the server's AUDIT_LOG_PATH and DCR_STORAGE_PATH (`--env-file`)."
            ));
            ExitCode::from(EXIT_UNAVAILABLE)
        }
        Err(not) => {
            complain(&not.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Say what is being done, and now and then that it still is; on standard error, which no program reads.
fn while_telling<T>(doing: &str, work: impl FnOnce() -> T) -> T {
    if doing.is_empty() {
        return work();
    }
    complain(&format!("{doing} ..."));
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut seconds = TELL;
            while waiting.recv_timeout(Duration::from_secs(TELL)) == Err(RecvTimeoutError::Timeout) {
                complain(&format!("... for {seconds} seconds; it ends within ANSWER_TIMEOUT_SECONDS"));
                seconds = seconds.saturating_add(TELL);
            }
        });
        let result = work();
        drop(done);
        result
    })
}
