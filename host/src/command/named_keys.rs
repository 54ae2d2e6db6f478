//! API keys by name: adding one to the settings, listing them by fingerprint, revoking one. A key itself is shown once,
//! when it is made.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use zeroize::Zeroizing;

use super::setup::draft::Draft;
use super::setup::{Done, Stop};
use super::{EnvFile, complain, exit, generate_key, private_file};
use crate::admin::{self, Answer, NotAsked, Places, Request, show};
use crate::settings::{Process, Settings, principal_name};

/// The setting that holds them.
const KEYS: &str = "MCP_API_KEYS";

/// Make a key and add it to the settings.
pub(super) fn add(name: &str, file: &Path) -> ExitCode {
    match added(name, file) {
        Ok(key) => {
            complain(&format!(
                "# Added to {KEYS} in {0}: restart the server. `aegis-mcp connect CLIENT --key {name} --env-file {0}` prints \
                 what the client takes.",
                file.display()
            ));
            exit(writeln!(io::stdout(), "{}", key.as_str()))
        }
        Err(stop) => told(&stop),
    }
}

fn told(stop: &Stop) -> ExitCode {
    complain(&stop.text);
    ExitCode::from(stop.code)
}

fn added(name: &str, file: &Path) -> Done<Zeroizing<String>> {
    principal_name(name)
        .map_err(|_| Stop::usage("--name takes 1 to 64 letters, digits, dots, underscores and hyphens"))?;
    let mut draft = Draft::read(file)?;
    let before = draft.get(KEYS).unwrap_or_default();
    if entries(&before).any(|entry| name_of(entry) == Some(name)) {
        return Err(Stop::usage(format!(
            "{KEYS} has a key named {name} already: choose another name, or revoke that one by `aegis-mcp users revoke key:{name}`"
        )));
    }
    let key = generate_key::fresh(getrandom::fill).map_err(|error| Stop::failed(error.to_string()))?;
    let comma = if before.is_empty() { "" } else { "," };
    let after = Zeroizing::new(format!("{}{comma}{name}={}", before.as_str(), key.as_str()));
    draft.set(KEYS, &after)?;
    let reserved = draft.reserve()?;
    draft.write(reserved)?;
    Ok(key)
}

/// The entries of a list of keys.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty())
}

/// The name that an entry has; a bare key has none.
fn name_of(entry: &str) -> Option<&str> {
    let (name, key) = entry.split_once('=')?;
    (!key.trim_matches('=').is_empty()).then_some(name.trim())
}

/// List the keys, where clients have keys; none where people sign in or the settings cannot be read as a server's.
pub(super) fn list(env: &EnvFile, as_json: bool) -> Option<ExitCode> {
    let settings =
        Settings::load(&Process, env.env_file.as_deref()).ok().filter(|settings| !settings.oauth_mode())?;
    let keys = settings.mcp_api_keys();
    let mut out = io::stdout();
    if as_json {
        let rows =
            keys.iter().map(|key| json!({ "name": key.principal(), "fingerprint": key.fingerprint() }));
        let document = json!({ "answer": "api_keys", "keys": rows.collect::<Vec<_>>() });
        return Some(exit(writeln!(out, "{document:#}")));
    }
    let rows = keys.iter().map(|key| [key.principal().to_owned(), key.fingerprint()]);
    Some(exit(show::table(["KEY", "FINGERPRINT"], rows, &mut out)))
}

/// Have the running server refuse a key, and take it out of where it came from.
pub(super) fn revoke(name: &str, env: &EnvFile) -> ExitCode {
    match revoked(name, env) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => told(&stop),
    }
}

fn revoked(name: &str, env: &EnvFile) -> Done<()> {
    let settings = super::registry::chosen(env).map_err(|_| Stop::settings("Nothing was revoked."))?;
    let ended = match admin::ask(
        &Places::beside_audit(settings.audit_log_path()),
        &Request::KeyRevoke { name: name.to_owned() },
    ) {
        Ok(answer @ Answer::KeyRevoked { known, .. }) => {
            let _ = show::answer(&answer, false, &mut io::stdout());
            known
        }
        Ok(Answer::Refused { text, .. }) => return Err(Stop::failed(text)),
        Ok(_) => return Err(Stop::failed("the server answered another question")),
        Err(NotAsked::NoServer(tried)) => {
            complain(&format!("No server answers at {tried}: where one runs all the same, restart it."));
            false
        }
        Err(not) => return Err(Stop::failed(not.to_string())),
    };
    match taken_out(name, env)? {
        Removed::From(place) => {
            exit_line(&format!("Took the key {name} out of {place}."));
            Ok(())
        }
        Removed::Elsewhere if ended => Err(Stop::failed(format!(
            "{KEYS} comes from the environment: take the key {name} out there too, or the next start takes it again"
        ))),
        Removed::Elsewhere | Removed::Nothing if ended => Ok(()),
        Removed::Elsewhere => Err(Stop::failed(format!(
            "{KEYS} comes from the environment: take the key {name} out there, and restart the server"
        ))),
        Removed::Nothing => Err(Stop::failed(format!(
            "there is no key named {name}; `aegis-mcp users list` shows them, and --env-file names the settings"
        ))),
    }
}

fn exit_line(text: &str) {
    // When standard output is gone there is nobody left to tell.
    let _ = writeln!(io::stdout(), "{text}");
}

/// Where a key was.
enum Removed {
    From(String),
    /// In the environment, which no command changes.
    Elsewhere,
    Nothing,
}

fn taken_out(name: &str, env: &EnvFile) -> Done<Removed> {
    use crate::settings::Environment as _;
    let has = |list: &str| entries(list).any(|entry| is(entry, name));
    if let Some(list) = Process.variable(KEYS).and_then(|list| list.into_string().ok()) {
        return Ok(if has(&Zeroizing::new(list)) { Removed::Elsewhere } else { Removed::Nothing });
    }
    let file = env.env_file.as_deref().unwrap_or(Path::new(".env"));
    let mut draft = Draft::read(file)?;
    if let Some(path) = draft.get(&format!("{KEYS}_FILE")) {
        let path = Path::new(path.as_str());
        let unusable =
            |error: io::Error| Stop::failed(format!("{} cannot be changed: {error}", path.display()));
        let before = Zeroizing::new(std::fs::read_to_string(path).map_err(unusable)?);
        if !has(&before) {
            return Ok(Removed::Nothing);
        }
        let _lock = private_file::lock(private_file::directory(path)).map_err(unusable)?;
        let mut after = without(&before, name, "\n");
        after.push('\n');
        private_file::put(path, after.as_bytes()).map_err(unusable)?;
        return Ok(Removed::From(path.display().to_string()));
    }
    let before = draft.get(KEYS).unwrap_or_default();
    if !has(&before) {
        return Ok(Removed::Nothing);
    }
    draft.set(KEYS, &without(&before, name, ","))?;
    let reserved = draft.reserve()?;
    draft.write(reserved)?;
    Ok(Removed::From(draft.path.display().to_string()))
}

/// Whether an entry goes by a name: its own, or the one that a bare key is given.
fn is(entry: &str, name: &str) -> bool {
    match name_of(entry) {
        Some(own) => own == name,
        None => crate::settings::bare_key_name(entry) == name,
    }
}

fn without(list: &str, name: &str, between: &str) -> Zeroizing<String> {
    let kept: Vec<&str> = entries(list).filter(|entry| !is(entry, name)).collect();
    Zeroizing::new(kept.join(between))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_goes_and_the_others_stay_as_they_are() {
        let bare = "aegis_key_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let list = format!("laptop=abc, {bare},ci=def==,padded==");
        assert_eq!(without(&list, "laptop", ",").as_str(), format!("{bare},ci=def==,padded=="));
        assert_eq!(without(&list, "ci", ",").as_str(), format!("laptop=abc,{bare},padded=="));
        let name = crate::settings::bare_key_name(bare);
        assert!(name.starts_with("key-"));
        assert_eq!(without(&list, &name, "\n").as_str(), "laptop=abc\nci=def==\npadded==");
        assert_eq!(without(&list, "nobody", ",").matches(',').count(), 3);
    }
}
