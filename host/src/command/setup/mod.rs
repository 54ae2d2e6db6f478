//! `aegis-mcp setup`: from nothing to an `.env` that works, asked at a terminal or given by flags. There are two ways:
//! *solo* (a personal token, a key, this machine) and *team* (everybody signs in through Gitea).
//!
//! Everything is looked at before anything is written, the file is written last, whole and for its owner alone, and a
//! second run changes what it is asked to change and nothing else. A token that makes applications is never kept.

mod applications;
mod ask;
mod click;
pub(in crate::command) mod draft;
pub(in crate::command) mod names;
mod paths;
mod public;
mod reach;
mod signals;
mod solo;
mod team;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::{EXIT_SETTINGS, complain};
use crate::command::doctor::gitea;
use crate::command::doctor::report::Report;
use crate::command::doctor::visitor::Visitor;
use ask::{Person, say};
use draft::Draft;
use reach::Found;

/// How long one question to Gitea may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How the server will be used.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    way: Option<Way>,
    /// The file to write; other lines and comments in it stay.
    #[arg(long, value_name = "FILE", default_value = ".env", global = true)]
    env_file: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Way {
    /// For yourself, on this machine: a personal token of Gitea, and an API key for each client.
    Solo(solo::Flags),
    /// For everybody with an account at your Gitea: they sign in there, and nobody handles a token.
    Team(team::Flags),
}

impl Way {
    fn common(&self) -> &Common {
        match self {
            Self::Solo(flags) => &flags.common,
            Self::Team(flags) => &flags.common,
        }
    }
}

/// What both ways take. What is left out is asked at a terminal.
#[derive(Debug, Default, clap::Args)]
struct Common {
    /// Address of your Gitea as people open it in a browser, such as `https://git.example.com`.
    #[arg(long, value_name = "URL")]
    gitea_url: Option<String>,
    /// Where this machine or container reaches Gitea, if that is another address, such as `http://gitea:3000`.
    #[arg(long, value_name = "URL")]
    gitea_internal_url: Option<String>,
    /// Certificates, in PEM form, of an authority of your own that vouches for Gitea.
    #[arg(long, value_name = "FILE")]
    gitea_ca_file: Option<PathBuf>,
    /// Let assistants make changes, in these repositories (`owner/repo` or `owner/*`, separated by commas); without a
    /// list, in every repository that the token or the person may write to.
    #[arg(long, value_name = "REPOSITORIES", num_args = 0..=1, default_missing_value = "", require_equals = true)]
    writes: Option<String>,
    /// The port to listen on. Without it 8080, or the next one that is free.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Where the audit log and what sign-in remembers are kept. Without it the usual volumes where they can be written,
    /// else the folder `data` beside the settings.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Why setup ended before its end. Nothing was written then.
#[derive(Debug)]
pub(in crate::command) struct Stop {
    pub(in crate::command) code: u8,
    pub(in crate::command) text: String,
}

pub(in crate::command) type Done<T> = Result<T, Stop>;

impl Stop {
    /// Wrong flags.
    pub(in crate::command) fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into() }
    }

    /// Settings that do not go together, or a file that cannot be read as one.
    pub(in crate::command) fn settings(text: impl Into<String>) -> Self {
        Self { code: EXIT_SETTINGS, text: text.into() }
    }

    /// It did not work.
    pub(in crate::command) fn failed(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// Gitea said no.
    fn refused(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }

    /// The person ended it.
    fn over() -> Self {
        Self { code: 130, text: "\nEnded. Nothing was written.".to_owned() }
    }
}

/// Set up.
pub(super) fn run(options: Options) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(go(options));
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            complain(&stop.text);
            ExitCode::from(stop.code)
        }
    }
}

async fn go(options: Options) -> Done<()> {
    let person = Person::new();
    let mut draft = Draft::read(&options.env_file)?;
    let way = match options.way {
        Some(way) => way,
        None => choose(&person, &draft)?,
    };
    let visitor = visitor(&mut draft, way.common())?;
    match way {
        Way::Solo(flags) => solo::go(&person, &visitor, &mut draft, flags).await,
        Way::Team(flags) => team::go(&person, &visitor, &mut draft, flags).await,
    }
}

/// Who goes to Gitea as the server will: by its proxy, trusting its authorities too.
fn visitor(draft: &mut Draft, common: &Common) -> Done<Visitor> {
    if let Some(file) = &common.gitea_ca_file {
        let path =
            std::path::absolute(file).map_err(|error| Stop::usage(format!("--gitea-ca-file: {error}")))?;
        draft.set("GITEA_CA_FILE", &path.display().to_string())?;
    }
    let authorities = draft.get("GITEA_CA_FILE").map(|path| PathBuf::from(path.as_str()));
    Visitor::of_gitea(LIMIT, authorities.as_deref(), draft.secret("GITEA_PROXY").as_ref())
        .map_err(|error| Stop::settings(error.to_string()))
}

/// Which of the two ways; the one of an earlier run is offered first.
fn choose(person: &Person, draft: &Draft) -> Done<Way> {
    if !person.is_here {
        return Err(Stop::usage(
            "Standard input or output is no terminal, so nothing can be asked. For yourself:\n  \
             aegis-mcp setup solo --gitea-url URL --token-stdin < TOKEN_FILE\nfor a team:\n  \
             aegis-mcp setup team --gitea-url URL --public-url URL --admin-token-stdin < TOKEN_FILE\n\
             `aegis-mcp setup solo --help` and `aegis-mcp setup team --help` list all flags.",
        ));
    }
    say(
        "This makes the settings of your server. Nothing is written before the end; Ctrl-C leaves everything as it is.\n",
    );
    say("Who will use it?");
    say("  1  solo  only you, on this machine: a token of your Gitea account, and a key for your assistant");
    say(
        "  2  team  everybody with an account at your Gitea: they sign in there (for others it needs an https address)",
    );
    let is_team = draft.get("OAUTH_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
    loop {
        let answer = person.ask("1 or 2", if is_team { "2" } else { "1" })?;
        match answer.as_str() {
            "1" | "solo" => return Ok(Way::Solo(solo::Flags::default())),
            "2" | "team" => return Ok(Way::Team(team::Flags::default())),
            _ => say("Answer 1 or 2."),
        }
    }
}

/// Find Gitea and put its address into the draft.
async fn gitea(person: &Person, visitor: &Visitor, draft: &mut Draft, common: &Common) -> Done<Found> {
    let known = draft.get("GITEA_URL").map(|url| url.to_string());
    // Another address than before makes the old way there wrong.
    let same = common.gitea_url.is_none() || common.gitea_url == known;
    let internal = common
        .gitea_internal_url
        .clone()
        .or_else(|| draft.get("GITEA_INTERNAL_URL").filter(|_| same).map(|url| url.to_string()));
    let given = common.gitea_url.clone();
    let found = reach::find(person, visitor, given, internal, known).await?;
    draft.set("GITEA_URL", &found.url)?;
    keep_internal(draft, found.internal.as_deref())?;
    Ok(found)
}

fn keep_internal(draft: &mut Draft, internal: Option<&str>) -> Done<()> {
    match internal {
        Some(internal) => draft.set("GITEA_INTERNAL_URL", internal),
        None if draft.get("GITEA_INTERNAL_URL").is_some() => draft.set("GITEA_INTERNAL_URL", ""),
        None => Ok(()),
    }
}

/// Look at Gitea with the settings as they will be, and tell what was found.
async fn examine(draft: &Draft) -> Done<()> {
    let settings = draft.settings()?;
    let mut report = Report::default();
    report.add(gitea::look(&settings, true).await);
    report.print_lines(&mut std::io::stdout()).map_err(|error| Stop::failed(error.to_string()))?;
    if report.has_failed() {
        return Err(Stop::refused("Mend what failed and run this again. Nothing was written."));
    }
    Ok(())
}

/// Whether and where changes are allowed.
fn writes(person: &Person, draft: &mut Draft, common: &Common) -> Done<bool> {
    let is_on = draft.get("WRITE_MODE").is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
    let list = match &common.writes {
        Some(list) => list.clone(),
        None if is_on => return Ok(true),
        None if person.agrees(
            "May assistants make changes too: issues, comments, pull requests, releases?",
            false,
        )? =>
        {
            person.ask(
                "In which repositories, as owner/repo or owner/*, separated by commas (empty: all)",
                "",
            )?
        }
        None => return Ok(false),
    };
    let list: Vec<&str> = list.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    for item in &list {
        crate::settings::repository(item).map_err(|why| Stop::usage(format!("--writes: {item:?} {why}")))?;
    }
    draft.set("WRITE_MODE", "true")?;
    if list.is_empty() {
        draft.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")?;
    } else {
        draft.set("WRITE_REPOSITORY_WHITELIST", &list.join(","))?;
        if draft.get("WRITE_ALLOW_ALL_TOKEN_REPOS").is_some() {
            draft.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "false")?;
        }
    }
    paths::policy(draft)?;
    Ok(true)
}
