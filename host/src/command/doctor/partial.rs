//! Settings for a doctor whose patient has wrong ones: those few that can be looked at one by one, without what is
//! wrong with them, and nothing secret. What starts the server never reads settings this way.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::settings::{Environment, Problem, Settings};

/// What can be looked at by itself.
const ALONE: [&str; 9] = [
    "GITEA_URL",
    "GITEA_INTERNAL_URL",
    "REQUEST_TIMEOUT_SECONDS",
    "AUDIT_LOG_PATH",
    "DCR_STORAGE_PATH",
    "POLICY_FILE_PATH",
    "GUEST_PATH",
    "GUEST_CACHE_DIR",
    "OAUTH_KEYRING_FILE",
];

/// What makes the rest of the settings good in themselves; nothing of it is ever looked at.
const STAND_INS: [(&str, &str); 4] = [
    ("OAUTH_MODE", "false"),
    ("AUTH_ENABLED", "false"),
    ("MCP_HOST", "127.0.0.1"),
    ("GITEA_TOKEN", "none-is-used"),
];

/// Stands in for an address of Gitea that is missing or wrong. Nothing is sent there.
const NO_GITEA: &str = "http://gitea.invalid";

/// What is left of wrong settings.
pub(super) struct Partial {
    /// Stand-ins but for what [`ALONE`] lists.
    pub(super) settings: Settings,
    /// Whether the address of Gitea is one.
    pub(super) knows_gitea: bool,
}

/// The environment without what is wrong in it.
struct Healthy<'a> {
    real: &'a dyn Environment,
    wrong: BTreeSet<&'a str>,
    env_file: Option<&'a Path>,
}

impl Healthy<'_> {
    fn counts(&self, name: &str) -> bool {
        ALONE.contains(&name) && !self.wrong.contains(name)
    }
}

impl Environment for Healthy<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        if let Some((_, value)) = STAND_INS.iter().find(|(stands_for, _)| *stands_for == name) {
            return Some((*value).into());
        }
        if name == "GITEA_URL" && self.wrong.contains(name) {
            return Some(NO_GITEA.into());
        }
        if self.counts(name) { self.real.variable(name) } else { None }
    }

    fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.real.file(path)?;
        if self.env_file != Some(path) {
            return Ok(bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut seen = BTreeSet::new();
        let kept = text.lines().filter(|line| {
            let name = line.split('=').next().unwrap_or_default().trim();
            self.counts(name) && seen.insert(name.to_owned())
        });
        Ok(kept.collect::<Vec<_>>().join("\n").into_bytes())
    }
}

/// What can still be looked at; none where even that cannot be read.
pub(super) fn rest(real: &dyn Environment, env_file: Option<&Path>, problems: &[Problem]) -> Option<Partial> {
    let wrong: BTreeSet<&str> = problems.iter().map(|problem| problem.setting.as_str()).collect();
    let knows_gitea = !wrong.contains("GITEA_URL") && !wrong.contains("GITEA_INTERNAL_URL");
    let healthy = Healthy { real, wrong, env_file };
    let readable = env_file.filter(|path| real.file(path).is_ok());
    let settings = Settings::load(&healthy, readable).ok()?;
    let knows_gitea = knows_gitea && settings.gitea_url() != NO_GITEA;
    Some(Partial { settings, knows_gitea })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given(Vec<(&'static str, &'static str)>, &'static str);

    impl Environment for Given {
        fn variable(&self, name: &str) -> Option<OsString> {
            self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        }

        fn file(&self, path: &Path) -> io::Result<Vec<u8>> {
            let found = path == Path::new(".env");
            found.then(|| self.1.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
        }
    }

    fn rest_of(given: &Given, file: Option<&str>) -> Partial {
        let file = file.map(Path::new);
        let problems = Settings::load(given, file).map(|_| ()).unwrap_err();
        rest(given, file, &problems).unwrap()
    }

    #[test]
    fn what_is_right_is_kept_beside_what_is_wrong() {
        let given = Given(
            vec![("GITEA_URL", "https://git.example.com"), ("OAUTH_MODE", "true"), ("MCP_PORT", "many")],
            "AUDIT_LOG_PATH=/data/audit.log\nAUDIT_LOG_PAHT=/other\nRATE_LIMIT_PER_MINUTE=0\n",
        );
        let rest = rest_of(&given, Some(".env"));
        assert!(rest.knows_gitea);
        assert_eq!(rest.settings.gitea_url(), "https://git.example.com");
        assert_eq!(rest.settings.audit_log_path(), Path::new("/data/audit.log"));
    }

    #[test]
    fn a_wrong_address_of_gitea_is_not_used() {
        for given in [Given(vec![("GITEA_URL", "git example")], ""), Given(vec![], "")] {
            assert!(!rest_of(&given, None).knows_gitea);
        }
    }

    #[test]
    fn an_env_file_that_cannot_be_read_leaves_the_environment() {
        let given = Given(vec![("GITEA_URL", "https://git.example.com")], "");
        assert!(rest_of(&given, Some("/nowhere/.env")).knows_gitea);
    }

    #[test]
    fn no_secret_is_read() {
        let given = Given(vec![("OAUTH_MODE", "true"), ("OAUTH_STATE_SECRET", "short")], "");
        let rest = rest_of(&given, None);
        assert!(
            rest.settings.oauth_state_secret().is_none()
                && rest.settings.gitea_oauth_client_secret().is_none()
        );
    }
}
