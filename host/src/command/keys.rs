//! `aegis-mcp keys`: the root keys. Rotating puts a new one in front in OAUTH_KEYRING_FILE and has the running server
//! read it; what was made under the older ones stays good. No key is ever shown, only key ids.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aegis_custody::Random;
use aegis_custody::oauth::SecretText;
use aegis_custody::oauth::keyring_file;
use aegis_custody::oauth::keys::{Keyring, Root};
use serde_json::json;
use zeroize::Zeroizing;

use super::registry::chosen;
use super::{EXIT_SETTINGS, EnvFile, complain, exit};
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
    let directory = File::open(directory(path)).map_err(&unwritable)?;
    directory.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => failed("another rotation is under way; nothing was changed"),
        std::fs::TryLockError::Error(error) => unwritable(error),
    })?;
    let before = read(path)?;
    let after = keyring_file::with_new_root(&before, random)
        .map_err(|error| failed(format!("OAUTH_KEYRING_FILE: {error}; nothing was changed")))?;
    // Proved before it is written: a file that the server refuses would keep it from starting.
    let kids = kids(settings, after.expose())?;
    write(path, &after).map_err(&unwritable)?;
    directory.sync_all().map_err(&unwritable)?;
    Ok(kids)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Write a new file beside, for the owner alone, and put it in place when it is whole and on the disk.
fn write(path: &Path, text: &SecretText) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    // What an interrupted rotation left.
    let _ = std::fs::remove_file(&fresh);
    let written = fill(path, &fresh, text).and_then(|()| std::fs::rename(&fresh, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

fn fill(path: &Path, fresh: &Path, text: &SecretText) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh)?;
    // Run as root it must stay readable for the server's user: as the file was, or as the directory is.
    let owner = std::fs::metadata(path).or_else(|_| std::fs::metadata(directory(path)))?;
    if owner.uid() != file.metadata()?.uid() {
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Seven;

    impl Random for Seven {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    fn secret(text: &str) -> SecretText {
        keyring_file::with_new_root(text, &Seven).unwrap()
    }

    #[test]
    fn a_keyring_file_is_replaced_whole_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        write(&path, &secret("")).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(folder.path().join("keyring.new"), "what a kill left").unwrap();
        let text = secret("# mine\n");
        write(&path, &text).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_is_left_behind_where_the_file_cannot_be_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, &secret("")).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
