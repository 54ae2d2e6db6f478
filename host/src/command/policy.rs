//! `aegis-mcp policy`: what a policy means, told by the code that serves requests. No server is needed and none is asked.

mod asked;
mod replay;
mod show;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{EnvFile, complain};
use asked::{Guest, NoAnswer, Unread, read};

/// The answer is no: mistakes, a denial, a case that differs, a call that would be decided differently.
const NO: u8 = 1;
/// There is no answer.
const NO_ANSWER: u8 = 2;

/// Check, explain, test and replay a policy. Where no policy is named it is the one of POLICY_FILE_PATH, or the built-in
/// one. Each ends with 0 for yes, 1 for no and 2 where there is no answer.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Policy {
    /// Say whether a server would take this policy: 0 if it would, 1 with every mistake and its place if not.
    Check {
        /// The policy.
        file: Option<PathBuf>,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Explain one call: every rule that is looked at, in order, and which decides. 0 if the policy allows it, 1 if not.
    ///
    /// aegis-mcp policy explain --user alice --tool get_file_contents --repo acme/site --path src/main.rs
    Explain {
        /// Who calls. The policy makes no difference between people; Gitea does.
        #[arg(long)]
        user: Option<String>,
        /// The tool, such as create_issue.
        #[arg(long)]
        tool: String,
        /// `read` or `write`; says which of the two is meant of a job (automation_...) that looks and can also act.
        #[arg(long)]
        class: Option<String>,
        /// The repository it touches.
        #[arg(long, value_name = "OWNER/REPO")]
        repo: Option<String>,
        /// A path that it names; may be repeated.
        #[arg(long = "path", value_name = "PATH")]
        paths: Vec<String>,
        /// The policy to ask.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a table of cases (docs/policy.md has the form): 0 if each is decided as it says, 1 with those that are not.
    Test {
        /// The case file.
        cases: PathBuf,
        /// The policy to ask; without it the one in the case file, or the built-in one.
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Judge the calls of an audit log by another policy: 0 if each would have been decided the same, 1 with those that
    /// would not. Listings are not judged: what they would have shown or hidden besides is not in the log.
    Replay {
        /// The audit log: a file, or a directory with all its segments.
        audit: PathBuf,
        /// The policy to judge by.
        policy: PathBuf,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of policies, for editors: it names every tool that there is.
    Schema {
        #[command(flatten)]
        env: EnvFile,
    },
}

pub(super) fn run(command: Policy) -> ExitCode {
    let done = match command {
        Policy::Check { file, env, json } => check(&env, file, json),
        Policy::Explain { user, tool, class, repo, paths, policy, env, json } => {
            let call = Call { user, tool, class, repo, paths };
            explain(&env, policy, &call, json)
        }
        Policy::Test { cases, policy, env, json } => test(&env, &cases, policy, json),
        Policy::Replay { audit, policy, env, json } => replay::run(&env, &audit, policy, json),
        Policy::Schema { env } => Guest::load(&env)
            .and_then(|guest| guest.ask(&json!({"command": "policy-schema"})))
            .and_then(|schema| print(&format!("{schema:#}\n"), 0)),
    };
    done.unwrap_or_else(|no| {
        no.0.iter().for_each(|line| complain(line));
        ExitCode::from(NO_ANSWER)
    })
}

fn print(text: &str, code: u8) -> Result<ExitCode, NoAnswer> {
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    written.map(|()| ExitCode::from(code)).map_err(|error| NoAnswer::of(error.to_string()))
}

/// The answer as it is to be written: for programs, or what `show` makes of it.
fn told(answer: &Value, json: bool, show: impl FnOnce(&Value) -> String) -> String {
    if json { format!("{answer:#}\n") } else { show(answer) }
}

fn check(env: &EnvFile, file: Option<PathBuf>, json: bool) -> Result<ExitCode, NoAnswer> {
    let guest = Guest::load(env)?;
    let document = match guest.document(file) {
        Ok(document) => document,
        Err(Unread::TooLong(name)) => return too_long(&name, json),
        Err(Unread::No(no)) => return Err(no),
    };
    let problems = guest.problems(&document)?;
    let rows: Vec<Value> = problems
        .iter()
        .map(|problem| json!({"line": problem.line, "column": problem.column, "message": problem.message}))
        .collect();
    let answer = json!({
        "file": document.name, "digest": crate::policy::digest(&document.bytes), "good": rows.is_empty(),
        "problems": rows,
    });
    print(&told(&answer, json, show::check), if rows.is_empty() { 0 } else { NO })
}

/// That is an answer: no server starts with it either.
fn too_long(name: &str, json: bool) -> Result<ExitCode, NoAnswer> {
    let message = "the file is larger than 1 MiB, and is not read; a policy may have 256 KiB";
    let row = json!({"line": 1, "column": 1, "message": message});
    let answer = json!({"file": name, "digest": null, "good": false, "problems": [row]});
    print(&told(&answer, json, show::check), NO)
}

/// The call to be explained.
struct Call {
    user: Option<String>,
    tool: String,
    class: Option<String>,
    repo: Option<String>,
    paths: Vec<String>,
}

fn explain(env: &EnvFile, policy: Option<PathBuf>, call: &Call, json: bool) -> Result<ExitCode, NoAnswer> {
    let guest = Guest::load(env)?;
    let document = guest.document(policy)?;
    let mut command = json!({
        "command": "policy-explain", "policy": guest.text(&document)?, "tool": call.tool, "paths": call.paths,
        "settings": guest.values,
    });
    if let Some(members) = command.as_object_mut() {
        let given = [("class", &call.class), ("repository", &call.repo)];
        members.extend(
            given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?.into()))),
        );
    }
    let mut answer = guest.ask(&command)?;
    if let Some(members) = answer.as_object_mut() {
        members.insert("user".to_owned(), json!(call.user));
        members.insert("file".to_owned(), document.name.into());
    }
    let allowed = answer.get("allowed") == Some(&Value::Bool(true));
    print(&told(&answer, json, show::explanation), if allowed { 0 } else { NO })
}

fn test(env: &EnvFile, cases: &Path, policy: Option<PathBuf>, json: bool) -> Result<ExitCode, NoAnswer> {
    let guest = Guest::load(env)?;
    let name = cases.display().to_string();
    let text = String::from_utf8(read(cases)?)
        .map_err(|_| NoAnswer::of(format!("{name} is not UTF-8; save the file in that encoding")))?;
    let mut command = json!({"command": "policy-test", "cases": text});
    if let (Some(path), Some(members)) = (policy, command.as_object_mut()) {
        let document = guest.document(Some(path))?;
        members.insert("policy".to_owned(), guest.text(&document)?.into());
    }
    let mut answer = guest.ask(&command).map_err(|no| no.renamed("the case file", &name))?;
    if let Some(members) = answer.as_object_mut() {
        members.insert("file".to_owned(), name.into());
    }
    let failed = answer.get("failed").and_then(Value::as_array).is_none_or(|failed| !failed.is_empty());
    print(&told(&answer, json, show::tests), if failed { NO } else { 0 })
}
