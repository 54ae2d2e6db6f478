//! The solo way: a personal token of Gitea, and a key for the first client.

use super::ask::{Person, say, secret_line};
use super::draft::Draft;
use super::signals::Held;
use super::{Common, Done, Stop, Visitor, click, examine, gitea, names, paths, reach, writes};
use crate::command::generate_key;
use crate::settings::{Secret, principal_name};

/// What a script gives.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) common: Common,
    /// Read the token of Gitea from standard input, one line.
    #[arg(long)]
    token_stdin: bool,
    /// Name of the first key, which the audit log shows; this machine's name without it.
    #[arg(long, value_name = "NAME")]
    key_name: Option<String>,
}

/// Go this way to its end.
pub(super) async fn go(person: &Person, visitor: &Visitor, draft: &mut Draft, flags: Flags) -> Done<()> {
    let Flags { common, token_stdin, key_name } = flags;
    if let Some(name) = &key_name {
        principal_name(name).map_err(|_| {
            Stop::usage("--key-name takes 1 to 64 letters, digits, dots, underscores and hyphens")
        })?;
    }
    // Before anything else is read from there.
    let piped = if token_stdin { Some(secret_line("token")?) } else { None };
    let found = gitea(person, visitor, draft, &common).await?;
    if found.internal.is_none()
        && let Some(issuer) = reach::issuer(visitor, found.base()).await
        && issuer != found.url
    {
        say(&format!(
            "note  Gitea calls itself {issuer} (ROOT_URL in its app.ini); links in answers will begin so"
        ));
    }
    if draft.get("OAUTH_MODE").is_some() {
        draft.set("OAUTH_MODE", "false")?;
    }
    let changes = writes(person, draft, &common)?;
    let folder = paths::choose(draft, &common, false)?;
    paths::port(draft, common.port)?;
    let key = key(draft, key_name)?;
    token(person, draft, &found.url, piped, changes).await?;
    // What follows takes no time, and is not to be left half done.
    let _held = Held::signals();
    let reserved = draft.reserve()?;
    paths::make(folder.as_deref())?;
    paths::make_policy(draft)?;
    let is_new = draft.write(reserved)?;
    tell(draft, is_new, key.as_deref());
    Ok(())
}

/// Take tokens until one is good; once, where nobody can be asked.
async fn token(
    person: &Person,
    draft: &mut Draft,
    gitea: &str,
    piped: Option<Secret>,
    writes: bool,
) -> Done<()> {
    let how = click::personal_token(gitea, writes);
    let mut next = piped;
    loop {
        let asked = next.is_none() && !draft.has("GITEA_TOKEN");
        if asked {
            if !person.is_here {
                return Err(Stop::usage(format!(
                    "There is no token of Gitea yet. {how}\nThen give it by --token-stdin < FILE."
                )));
            }
            say(&format!("\n{how}\n"));
            next = Some(person.secret("Token")?);
        }
        if let Some(token) = next.take() {
            draft.set("GITEA_TOKEN", token.expose())?;
        }
        match examine(draft).await {
            Ok(()) => return Ok(()),
            // A person can try another token; settings that are wrong by themselves stay wrong.
            Err(stop) if person.is_here && stop.code == 1 => {
                say(&format!("{how}\n"));
                next = Some(person.secret("Another token (Ctrl-C ends)")?);
            }
            Err(stop) => return Err(Stop { text: format!("{}\n{how}", stop.text), ..stop }),
        }
    }
}

/// A key for the first client, unless there is one. A name that is asked for and missing is added.
fn key(draft: &mut Draft, name: Option<String>) -> Done<Option<String>> {
    let before = draft.get("MCP_API_KEYS");
    let is_there = |name: &str| {
        before
            .iter()
            .flat_map(|keys| keys.split([',', '\n']))
            .any(|entry| entry.trim().split_once('=').is_some_and(|(known, _)| known.trim() == name))
    };
    let name = match name {
        Some(name) if is_there(&name) => return Ok(None),
        Some(name) => name,
        None if draft.has("MCP_API_KEYS") => return Ok(None),
        None => names::machine(),
    };
    let key = generate_key::fresh(getrandom::fill).map_err(|error| Stop::failed(error.to_string()))?;
    let entry = zeroize::Zeroizing::new(match &before {
        Some(before) => format!("{},{name}={}", before.as_str(), key.as_str()),
        None => format!("{name}={}", key.as_str()),
    });
    draft.set("MCP_API_KEYS", &entry)?;
    Ok(Some(name))
}

fn tell(draft: &Draft, is_new: bool, key: Option<&str>) {
    let path = draft.path.display().to_string();
    if is_new {
        say(&format!("\nWrote {path}, for you alone (mode 0600)."));
    } else {
        say(&format!("\n{path} says all of this already: nothing was changed."));
    }
    if let Some(key) = key {
        say(&format!("It holds a key named {key} for your first client."));
    }
    say(&format!(
        "\nStart the server:\n  {}\nand connect an assistant, such as Claude Code, with what this prints:\n  {}",
        names::starts(draft),
        names::connects(draft, "claude-code")
    ));
    // A program in a container is none that a client on this machine can start.
    if !names::is_for_compose(draft) {
        say(&format!(
            "\nOr without a server, for one program on this machine:\n  {}",
            names::connects(draft, "claude-code --stdio")
        ));
    }
}
