//! `aegis-mcp keys`: the root keys. Rotating puts a new one in front in OAUTH_KEYRING_FILE and has the running server
//! read it; what was made under the older ones stays good. No key is ever shown, only key ids.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use aegis_custody::Random;
use aegis_custody::oauth::keyring_file;
use aegis_custody::oauth::keys::{Keyring, Root};
use serde_json::json;
use zeroize::Zeroizing;

use super::registry::chosen;
use super::{EXIT_SETTINGS, EnvFile, complain, exit, private_file};
use crate::admin::{Answer, NotAsked, Places, Request, ask, show};
use crate::settings::Settings;
use crate::shared::SystemRandom;

/// Everything that the server signs and encrypts derives from root keys: those in OAUTH_KEYRING_FILE, the newest first,
/// and OAUTH_STATE_SECRET as the oldest. At most 8 are held.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Keys {
    /// List the ids of the root keys, the newest first. The keys themselves are never shown.
    List {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a new root key in front; nobody is signed out.
    ///
    /// New tokens are made with it at once, and old ones stay good. Run it as the user that the server runs as, or as root.
    Rotate {
        #[command(flatten)]
        env: EnvFile,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: Keys) -> ExitCode {
    let (env, json, rotates) = match command {
        Keys::List { env, json } => (env, json, false),
        Keys::Rotate { env, json } => (env, json, true),
    };
    let settings = match chosen(&env) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let done = if rotates { rotate(&settings) } else { list(&settings) };
    match done {
        Ok(kids) if json => {
            let text = json!({ "answer": "keys", "kids": kids });
            exit(writeln!(io::stdout(), "{text:#}"))
        }
        Ok(kids) => exit(show::keys(&kids, &mut io::stdout())),
        Err(Failure(code, text)) => {
            complain(&text);
            ExitCode::from(code)
        }
    }
}

/// The exit code, and why for a person.
struct Failure(u8, String);

fn settings_wrong(text: impl Into<String>) -> Failure {
    Failure(EXIT_SETTINGS, text.into())
}

fn failed(text: impl Into<String>) -> Failure {
    Failure(1, text.into())
}

fn list(settings: &Settings) -> Result<Vec<String>, Failure> {
    let text = match settings.oauth_keyring_file() {
        Some(path) => read(path)?,
        None => Zeroizing::default(),
    };
    kids(settings, &text)
}

/// The key ids of the keyring that this text and the settings make.
fn kids(settings: &Settings, text: &str) -> Result<Vec<String>, Failure> {
    let Some(secret) = settings.oauth_state_secret() else {
        return Err(settings_wrong("OAUTH_STATE_SECRET is required: it is the oldest of the root keys"));
    };
    let mut roots =
        keyring_file::parse(text).map_err(|e| settings_wrong(format!("OAUTH_KEYRING_FILE: {e}")))?;
    roots.push(Root::new(secret.expose().as_bytes().to_vec()));
    let keyring = Keyring::new(&roots).map_err(|e| settings_wrong(format!("OAUTH_STATE_SECRET: {e}")))?;
    Ok(keyring.kids().map(|kid| kid.to_string()).collect())
}

/// The text of a keyring file; empty where there is none yet.
fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Zeroizing::default()),
        Err(error) => Err(settings_wrong(format!("OAUTH_KEYRING_FILE cannot be read: {error}"))),
    }
}

fn rotate(settings: &Settings) -> Result<Vec<String>, Failure> {
    let Some(named) = settings.oauth_keyring_file() else {
        return Err(settings_wrong(
            "OAUTH_KEYRING_FILE is required: set it, for the server too, to a file that does not exist yet in a directory \
             that the server's user may write, restart the server, and run this again",
        ));
    };
    // Where the name is a link, what it points to is replaced, not the link.
    let path = std::fs::canonicalize(named).unwrap_or_else(|_| named.to_owned());
    let unwritable = |error: io::Error| {
        failed(format!(
            "{} cannot be replaced: {error}; nothing was changed. The file and its directory must be writable for this command",
            path.display()
        ))
    };
    let kids = replace(settings, &path, &SystemRandom, unwritable)?;
    tell_server(settings, &kids)?;
    Ok(kids)
}

fn replace(
    settings: &Settings,
    path: &Path,
    random: &dyn Random,
    unwritable: impl Fn(io::Error) -> Failure,
) -> Result<Vec<String>, Failure> {
    // Two rotations at once would lose one of the two new keys; the directory is locked, so that no file is left behind.
    let _lock = private_file::lock(private_file::directory(path)).map_err(|error| {
        if error.kind() == io::ErrorKind::WouldBlock {
            return failed("another rotation is under way; nothing was changed");
        }
        unwritable(error)
    })?;
    let before = read(path)?;
    let after = keyring_file::with_new_root(&before, random)
        .map_err(|error| failed(format!("OAUTH_KEYRING_FILE: {error}; nothing was changed")))?;
    // Proved before it is written: a file that the server refuses would keep it from starting.
    let kids = kids(settings, after.expose())?;
    private_file::put(path, after.expose().as_bytes()).map_err(&unwritable)?;
    Ok(kids)
}

/// Have the running server use the new keys.
fn tell_server(settings: &Settings, kids: &[String]) -> Result<(), Failure> {
    let restart = |why: &str| {
        failed(format!("The keyring file holds a new key, and the server does not use it yet: {why}"))
    };
    match ask(&Places::of(settings), &Request::KeysReload) {
        Ok(Answer::Keys { kids: used }) if used == kids => Ok(()),
        Ok(Answer::Keys { .. }) => Err(restart(
            "it reads another keyring file or another OAUTH_STATE_SECRET than this command; set both alike and restart it",
        )),
        Ok(Answer::Refused { text, .. }) => Err(restart(&text)),
        Ok(_) => Err(restart("it answered something else; restart it")),
        Err(NotAsked::NoServer(tried)) => {
            complain(&format!(
                "No server answers at {tried}: the next start uses the new key. Where one runs all the same, restart it."
            ));
            Ok(())
        }
        Err(not) => Err(restart(&not.to_string())),
    }
}
