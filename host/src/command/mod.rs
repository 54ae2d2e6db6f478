//! The command line. Each command has a file of its own; this one only names them.

mod audit;
mod clients;
mod connect;
mod docs;
mod doctor;
mod generate_key;
mod guest;
mod health;
mod in_force;
mod jobs;
mod keys;
mod log;
mod named_keys;
mod policy;
mod private_file;
mod registry;
mod serve;
pub(crate) mod settings;
mod setup;
mod signing_key;
mod stdio;
mod swap;
mod trail;
mod users;
mod write;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::settings::{Process, Settings};

/// Wrong usage, as the parser of arguments ends with.
const EXIT_USAGE: u8 = 2;
/// Wrong settings or policy (EX_USAGE of sysexits.h).
pub(crate) const EXIT_SETTINGS: u8 = 64;
/// The audit log is held by another process (EX_TEMPFAIL).
pub(crate) const EXIT_LOCKED: u8 = 75;
/// No server answers (EX_UNAVAILABLE).
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;

/// AegisGitea-MCP: lets AI assistants work on a self-hosted Gitea, within a policy and with a record.
///
/// Settings come from environment variables; `aegis-mcp settings` shows them all. Start with four lines in a
/// file named .env (see .env.example) and `aegis-mcp serve --env-file .env`. `aegis-mcp docs` has the manual.
#[derive(Debug, clap::Parser)]
#[command(name = "aegis-mcp", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Serve MCP over HTTP until SIGTERM or Ctrl-C.
    Serve(EnvFile),
    /// Make the settings of your server, by questions or by flags: look for Gitea, check the token or make the OAuth2
    /// application, write the .env file. May be run again.
    Setup(setup::Options),
    /// Print the exact line or JSON that connects one client, by the settings in force.
    Connect(connect::Options),
    /// Serve one client on this machine over standard input and output, with a personal token: for a client that starts
    /// this program itself. `aegis-mcp connect CLIENT --stdio` prints what it needs.
    Stdio(EnvFile),
    /// Ask the server with these settings whether it answers: 0 if it does. What the image's health check runs.
    Health(EnvFile),
    /// Print the effective settings, secrets masked, and where each came from.
    Settings {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look at everything that a sign-in needs (settings, keys, volumes, policy, Gitea, the public address) and say of
    /// each whether it passes and what to do. Exits 0 when nothing fails, 1 on a failure, 64 on wrong settings.
    Doctor(doctor::Options),
    /// Print a page of the manual of this version; without a name, list the pages.
    ///
    /// The pages are in the program: no network, no browser, no settings. They are Markdown, printed as it is written. A name may
    /// leave out the folder, and where none fits, the nearest are told.
    ///
    /// What to do about a leaked token, and everything that can be set:
    ///   aegis-mcp docs leaked-token
    ///   aegis-mcp docs configuration | less
    #[command(verbatim_doc_comment)]
    Docs(docs::Options),
    /// Make an API key for one client and print it once.
    GenerateKey {
        /// Name that the audit log shows for this client, such as `laptop`.
        #[arg(long)]
        name: Option<String>,
        /// Add it to MCP_API_KEYS in this file too; the name must be new there.
        #[arg(long, value_name = "FILE", requires = "name")]
        env_file: Option<PathBuf>,
    },
    /// Look at guest components, and replace the one of the running server.
    #[command(subcommand)]
    Guest(Guest),
    /// Look at the audit log.
    #[command(subcommand)]
    Audit(Audit),
    /// Check, explain, test and replay a policy.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Turn changes in Gitea off while the server runs, and on again.
    #[command(subcommand)]
    Write(write::Write),
    /// List the jobs of the running server, and run one now.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// List, revoke and add the programs that people sign in with.
    #[command(subcommand)]
    Clients(clients::Clients),
    /// List and revoke the people who signed in.
    #[command(subcommand)]
    Users(users::Users),
    /// Look at, copy and restore what sign-in remembers.
    #[command(subcommand)]
    Registry(registry::Registry),
    /// List and rotate the root keys that tokens are made with.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Compile the component on standard input for this program; what `serve` calls.
    #[command(hide = true)]
    CompileGuest {
        /// Give way to everybody, and be bounded.
        #[arg(long)]
        apart: bool,
    },
}

#[derive(Debug, clap::Args)]
struct EnvFile {
    /// Read settings from this file too; the environment wins.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Guest {
    /// Print what a component imports and exports, its digest and its size. Exits 1 if it would be refused.
    Inspect {
        /// The component file.
        file: PathBuf,
    },
    /// Compile a component for every processor of this architecture and keep the result in a directory. A server whose
    /// GUEST_CACHE_DIR is that directory starts without compiling, also where it cannot write there.
    Compile {
        /// The component file.
        file: PathBuf,
        /// The directory, made if need be: this user's own, closed to the writing of others.
        #[arg(long)]
        into: PathBuf,
    },
    /// Put this component in force in the running server, without a restart and without a request that fails.
    ///
    /// It is compiled aside, checked, has to take the policy in force and to answer test requests; only then it gets traffic,
    /// and it is taken down again where its requests fail in the first minute. FILE.sig beside it goes along. Exits 0 when it is
    /// in force, 1 with the reason when it is not, 75 while another one is being tried.
    Swap {
        /// The component file.
        file: PathBuf,
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put the guest in force again that was before the present one.
    Rollback {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show which guests were put in force, when and by whom, and what a rollback comes to.
    History {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Subcommand)]
enum Audit {
    /// Verify a log against itself, its checkpoints, and what you know from elsewhere.
    /// Exits 0 valid, 1 tampered, 2 unreadable, 3 valid with a torn tail, 4 valid and the proof has a gap.
    Verify(audit::Verify),
    /// Show the last lines of a log, and with --follow those that come. Nothing is verified.
    ///
    /// Each line by itself: a call has one when it begins, whose outcome is `open`, and one when it ends. In values of options `*`
    /// stands for any characters, and case makes no difference; an option that is given several times asks for any of its
    /// values, and different options must all hold.
    ///
    /// What is refused, as it happens:
    ///   aegis-mcp audit tail -f --denied /var/log/aegis-mcp
    #[command(verbatim_doc_comment)]
    Tail(audit::Tail),
    /// List the calls of a log: by whom, with what, where, when, and how they ended. Nothing is verified.
    ///
    /// Intent and outcome of a call are one row, and so is a refusal before a call was begun. Rows come in the order in which
    /// calls ended. Exits 0 whether there are rows or not, and 2 where not all of the log could be read. Run
    /// `aegis-mcp audit verify` first where somebody may have changed the log: this shows what it says.
    ///
    /// In values of options `*` stands for any characters, and case makes no difference. An option that is given several
    /// times asks for any of its values; different options must all hold.
    ///
    /// Who changed something in acme's repositories last week:
    ///   aegis-mcp audit query /var/log/aegis-mcp --writes --repo 'acme/*' --since 7d
    ///
    /// What was refused to alice, for a spreadsheet:
    ///   aegis-mcp audit query /var/log/aegis-mcp --user alice --denied --format csv > refused.csv
    #[command(verbatim_doc_comment)]
    Query(audit::Query),
    /// Write one page about a log, to be sent to somebody: whether it verifies, and who did what.
    ///
    /// The page says first what `aegis-mcp audit verify` says, then shows calls by day, person, tool and outcome, refusals by
    /// reason, every call that may have changed something, and what happened to the server. It is one file of HTML that loads
    /// nothing and runs nothing. Exits as `audit verify` does: 0 valid, 1 damaged, 2 not readable or the page could not be
    /// written, 3 valid with a torn tail, 4 valid and the proof has a gap.
    ///
    /// All of May, checked against checkpoints that another machine keeps:
    ///   aegis-mcp audit report /var/log/aegis-mcp --since 2026-05-01 --until 2026-05-31 --anchor kept -o may.html
    #[command(verbatim_doc_comment)]
    Report(audit::ReportArgs),
    /// Have the running server close the active segment, whatever its size and age, so that it can be moved or compressed.
    Rotate {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// How many durable lines a volume takes a second, by the writer of the log itself, beside what the volume does alone.
    ///
    /// Before a volume is chosen, or when calls wait for the disk. It writes into a directory of its own there for a few
    /// seconds and removes it. Exits 0, or 2 where it cannot be measured:
    ///   aegis-mcp audit measure /var/log/aegis-mcp
    #[command(verbatim_doc_comment)]
    Measure(audit::Measure),
    /// Print the public key that signs the log of these settings, for `audit verify --key`.
    Key {
        #[command(flatten)]
        env: EnvFile,
    },
}

/// Run one command.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    match cli.command {
        Command::Serve(env) => match load(&env) {
            Ok(settings) => serve::serve(&Arc::new(settings)),
            Err(code) => code,
        },
        Command::Health(env) => match load(&env) {
            Ok(settings) => health::run(&settings),
            Err(code) => code,
        },
        Command::Settings { env, json } => match load(&env) {
            Ok(settings) => exit(settings::print(&settings, json, &mut out)),
            Err(code) => code,
        },
        Command::Setup(options) => setup::run(options),
        Command::Connect(options) => connect::run(&options),
        Command::Stdio(env) => stdio::run(env.env_file.as_ref()),
        Command::Doctor(options) => doctor::run(&options),
        Command::Docs(options) => docs::run(&options),
        Command::GenerateKey { name: Some(name), env_file: Some(file) } => named_keys::add(&name, &file),
        Command::GenerateKey { name, env_file: _ } => {
            exit(generate_key::print(name.as_deref(), getrandom::fill, &mut out, &mut err))
        }
        Command::Guest(Guest::Inspect { file }) => guest::inspect(&file),
        Command::Guest(Guest::Compile { file, into }) => guest::keep(&file, &into),
        Command::Guest(Guest::Swap { file, env, json }) => swap::swap(&env, &file, json),
        Command::Guest(Guest::Rollback { env, json }) => swap::rollback(&env, json),
        Command::Guest(Guest::History { env, json }) => swap::history(&env, json),
        Command::Policy(command) => policy::run(command),
        Command::Write(command) => write::run(command),
        Command::Jobs(command) => jobs::run(command),
        Command::Clients(command) => clients::run(command),
        Command::Users(command) => users::run(command),
        Command::Registry(command) => registry::run(command),
        Command::Keys(command) => keys::run(command),
        Command::CompileGuest { apart } => guest::compile(apart),
        Command::Audit(Audit::Rotate { env, json }) => audit::rotate(&env, json),
        Command::Audit(Audit::Key { env }) => audit::key(&env),
        Command::Audit(Audit::Measure(asked)) => audit::measure(&asked),
        Command::Audit(Audit::Tail(asked)) => ExitCode::from(audit::tail(&asked)),
        Command::Audit(Audit::Report(asked)) => ExitCode::from(audit::report(&asked)),
        Command::Audit(Audit::Query(asked)) => ExitCode::from(audit::query(&asked)),
        Command::Audit(Audit::Verify(asked)) => ExitCode::from(audit::verify(&asked)),
    }
}

fn load(env: &EnvFile) -> Result<Settings, ExitCode> {
    Settings::load(&Process, env.env_file.as_deref()).map_err(|problems| {
        for problem in &problems {
            complain(&problem.to_string());
        }
        complain("Nothing was started. `aegis-mcp docs configuration` explains every setting.");
        ExitCode::from(EXIT_SETTINGS)
    })
}

/// One line on standard error, for a person.
pub(crate) fn complain(text: &str) {
    // When even standard error is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn exit(done: std::io::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
