//! `aegis-mcp doctor`: looks at everything that a sign-in and a call need, from here and as clients see it, and says
//! of each whether it passes and what to do. It changes nothing but what `--login` makes and revokes again.

mod callback;
mod certificate;
mod front;
pub(in crate::command) mod gitea;
mod keys;
mod last_login;
mod login;
mod partial;
mod policy;
pub(in crate::command) mod report;
pub(in crate::command) mod visitor;
mod volumes;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::{EXIT_SETTINGS, complain};
use crate::admin::{self, Answer, Request};
use crate::settings::{Problem, Process, Settings};
use crate::sign_in::can_fetch_documents;
use front::Front;
use report::{Report, fail, pass, warn};
use visitor::Visitor;

/// How long one request of the doctor's own may take.
const LIMIT: Duration = Duration::from_secs(15);

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Read settings from this file too; the environment wins.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// Sign in as a client would: prints an address to open in a browser, waits at most 5 minutes for you to approve
    /// and sign in, makes one harmless call and revokes its tokens.
    #[arg(long, conflicts_with = "last_login")]
    login: bool,
    /// Show the newest sign-in at the running server, step by step, and where it stopped.
    #[arg(long)]
    last_login: bool,
}

/// Look, tell, and say by the exit code how it came out: 0 nothing fails, 1 something does, 64 the settings are wrong.
pub(crate) fn run(options: &Options) -> ExitCode {
    // More than one thread: the guest is compiled and run beside requests.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report::default();
    let file = options.env_file.as_deref();
    let code = match Settings::load(&Process, file) {
        Ok(settings) => {
            runtime.block_on(examine(options, &settings, &mut report));
            u8::from(report.has_failed())
        }
        Err(problems) => {
            runtime.block_on(examine_rest(file, &problems, &mut report));
            EXIT_SETTINGS
        }
    };
    runtime.shutdown_background();
    match report.print(options.json, code, &mut std::io::stdout()) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn examine(options: &Options, settings: &Settings, report: &mut Report) {
    let visitor = Visitor::new(LIMIT);
    let front = Front { settings, visitor: &visitor, origin: origin(settings) };
    if options.last_login || options.login {
        if !settings.oauth_mode() {
            report.add([fail(
                "settings",
                "nobody signs in here: OAUTH_MODE is false, clients use MCP_API_KEYS",
            )]);
        } else if options.login {
            report.add(login::look(&front).await);
        } else {
            report.add(match admin::ask(&admin::Places::of(settings), &Request::Timeline) {
                Ok(Answer::Timeline { logins }) => last_login::look(&logins, crate::sign_in::now()),
                Ok(Answer::Refused { text, .. }) => vec![fail("last_login", text)],
                Ok(_) => vec![fail("last_login", "the server answered another question")],
                Err(why) => vec![fail(
                    "last_login",
                    format!(
                        "{why}; sign-ins are remembered while the server runs: start it, sign in, look again"
                    ),
                )],
            });
        }
        return;
    }
    report.add([pass("settings", "every setting can be used")]);
    if settings.oauth_mode() {
        report.add(can_fetch_documents(settings).err().map(|why| fail("client_documents", why.to_string())));
    }
    report.add(keys::look(settings, &Process, options.env_file.as_deref()));
    report.add(volumes::look(settings, settings.oauth_mode()));
    report.add(policy::look(settings, true).await);
    report.add(gitea::look(settings, true).await);
    if settings.mcp_port() == 0 && settings.public_base_url().is_none() {
        let says = "MCP_PORT is 0, so nobody knows where the server is; set it, or PUBLIC_BASE_URL";
        report.add([warn("public_address", says)]);
        return;
    }
    report.add(front.look().await);
}

/// What can be looked at although settings are wrong.
async fn examine_rest(file: Option<&Path>, problems: &[Problem], report: &mut Report) {
    report.add(problems.iter().map(|problem| fail("settings", problem.to_string())));
    let Some(rest) = partial::rest(&Process, file, problems) else {
        report.add([warn("settings", "nothing else can be looked at before these are mended")]);
        return;
    };
    let says = "with wrong settings only volumes, policy, guest and Gitea's address can be looked at; mend them and run \
                this again";
    report.add([warn("settings", says)]);
    report.add(volumes::look(&rest.settings, true));
    report.add(policy::look(&rest.settings, false).await);
    if rest.knows_gitea {
        report.add(gitea::look(&rest.settings, false).await);
    }
}

/// What clients call this server: `PUBLIC_BASE_URL`, or on loopback the address itself.
pub(super) fn origin(settings: &Settings) -> String {
    settings.public_base_url().map_or_else(|| socket(settings), |url| url.trim_end_matches('/').to_owned())
}

/// The address of the socket itself, from this machine.
fn socket(settings: &Settings) -> String {
    let host = match settings.mcp_host() {
        IpAddr::V4(every) if every.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(every) if every.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host @ (IpAddr::V4(_) | IpAddr::V6(_)) => host,
    };
    format!("http://{}", SocketAddr::new(host, settings.mcp_port()))
}
