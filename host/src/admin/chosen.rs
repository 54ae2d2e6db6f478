//! The settings that an operator's commands use, and no others: a command that revokes somebody must not stop at a port
//! that is wrong, or need a secret that it has no use for.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use zeroize::Zeroizing;

use crate::settings::{Environment, Problem, Process, Settings};

/// What commands read that look after the registry and the running server. A secret counts with its `_FILE`.
const USED: [&str; 11] = [
    "AUDIT_LOG_PATH",
    "AUDIT_SIGNING_KEY_FILE",
    "DCR_STORAGE_PATH",
    "DCR_MAX_CLIENTS",
    "DCR_IDLE_TTL",
    "SESSION_MAX_AGE_DAYS",
    "SESSION_IDLE_DAYS",
    "OAUTH_KEYRING_FILE",
    "OAUTH_STATE_SECRET",
    "OAUTH_STATE_SECRET_FILE",
    "OAUTH_CLIENTS_FILE",
];

/// What the rules over all settings ask for, without any effect here.
const STAND_INS: [(&str, &str); 3] =
    [("GITEA_URL", "https://gitea.invalid"), ("GITEA_TOKEN", "not-used"), ("AUTH_ENABLED", "false")];

/// The settings of an operator's command. Those it has no use for have their defaults.
///
/// # Errors
/// Every problem with those that it uses.
#[cfg(test)]
pub(crate) fn load(environment: &dyn Environment, env_file: Option<&Path>) -> Result<Settings, Vec<Problem>> {
    load_those(environment, env_file, &USED)
}

fn load_those(
    environment: &dyn Environment,
    env_file: Option<&Path>,
    used: &[&str],
) -> Result<Settings, Vec<Problem>> {
    // Which names exist at all is known to the settings alone; a name that does not stays in, and is told.
    let all = Settings::load(&Chosen { environment, dropped: &[], env_file: None, used }, None)?;
    let names = all.rows().iter().flat_map(|row| {
        let own = row.setting.name.to_owned();
        [format!("{own}_FILE"), own]
    });
    let dropped: Vec<String> = names.filter(|name| !used.contains(&name.as_str())).collect();
    Settings::load(&Chosen { environment, dropped: &dropped, env_file, used }, env_file)
}

/// [`load`] in the environment of this process.
///
/// # Errors
/// As there.
pub(crate) fn load_here(env_file: Option<&Path>) -> Result<Settings, Vec<Problem>> {
    load_those(&Process, env_file, &USED)
}

/// These settings alone, in the environment of this process.
///
/// # Errors
/// Every problem with them.
pub(crate) fn load_only(env_file: Option<&Path>, used: &[&str]) -> Result<Settings, Vec<Problem>> {
    load_those(&Process, env_file, used)
}

struct Chosen<'a> {
    environment: &'a dyn Environment,
    dropped: &'a [String],
    used: &'a [&'a str],
    env_file: Option<&'a Path>,
}

impl Environment for Chosen<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        if self.used.contains(&name) {
            return self.environment.variable(name);
        }
        STAND_INS.iter().find(|(stand_in, _)| *stand_in == name).map(|(_, value)| OsString::from(value))
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.environment.file(path)?;
        if self.env_file != Some(path) {
            return Ok(bytes);
        }
        let bytes = Zeroizing::new(bytes);
        let Ok(text) = str::from_utf8(&bytes) else { return Ok(bytes.to_vec()) };
        // An empty line in place of each, so that the others keep their numbers.
        let lines = text.lines().map(|line| if self.is_dropped(line) { "" } else { line });
        let mut kept = Vec::with_capacity(bytes.len().saturating_add(1));
        for line in lines {
            kept.extend_from_slice(line.as_bytes());
            kept.push(b'\n');
        }
        Ok(kept)
    }
}

impl Chosen<'_> {
    fn is_dropped(&self, line: &str) -> bool {
        let line = line.trim_start_matches('\u{feff}').trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        line.split_once('=')
            .is_some_and(|(name, _)| self.dropped.iter().any(|dropped| dropped == name.trim_end()))
    }
}
