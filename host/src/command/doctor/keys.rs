//! The secrets that are set: whether they look like secrets, and whether others can read the files that hold them.
//! Nothing of a secret is told, not even its length.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use aegis_custody::oauth::keyring_file;
use aegis_custody::oauth::keys::{Keyring, Root};
use subtle::ConstantTimeEq as _;

use super::report::{Finding, fail, pass, warn};
use super::volumes::exposed;
use crate::settings::{Environment, Secret, Settings};

/// Where container runtimes put secrets, readable by everybody inside.
const RUNTIME_SECRETS: &str = "/run/secrets";
/// Fewer bits than this by the frequency of its characters is nobody's random key.
const BITS: f64 = 100.0;
/// Words that stand in examples and in what people type when they are asked for a secret.
const TYPED: [&str; 6] = ["secret", "password", "change", "example", "aegis", "gitea"];

/// What there is to say.
pub(super) fn look(
    settings: &Settings,
    environment: &dyn Environment,
    env_file: Option<&Path>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = env_file {
        findings.extend(exposed("env_file", "the env file", path));
    }
    findings.extend(secret_files(settings, environment));
    if let Some(secret) = settings.oauth_state_secret().filter(|_| settings.oauth_mode()) {
        findings.push(state_secret(secret, settings));
        findings.push(keyring(secret, settings.oauth_keyring_file()));
    }
    findings
}

fn secret_files(settings: &Settings, environment: &dyn Environment) -> Vec<Finding> {
    let secrets = settings.rows().iter().filter(|row| row.setting.secret);
    let files = secrets.filter_map(|row| {
        let name = format!("{}_FILE", row.setting.name);
        let path = environment.variable(&name)?;
        let path = Path::new(&path);
        let ours = !path.as_os_str().is_empty() && !path.starts_with(RUNTIME_SECRETS);
        ours.then(|| exposed("secret_files", &name, path)).flatten()
    });
    files.collect()
}

fn state_secret(secret: &Secret, settings: &Settings) -> Finding {
    const CHECK: &str = "state_secret";
    let others = [
        settings.gitea_oauth_client_secret(),
        settings.gitea_oauth_write_client_secret(),
        settings.gitea_token(),
    ];
    let same = |other: &&Secret| bool::from(other.expose().as_bytes().ct_eq(secret.expose().as_bytes()));
    if others.into_iter().flatten().any(|other| same(&other)) {
        let says = "OAUTH_STATE_SECRET is also used as a secret of Gitea, which others know; set it to the output of \
                    `openssl rand -hex 32`, after which everybody signs in again";
        return fail(CHECK, says);
    }
    if looks_typed(secret.expose()) {
        let says = "OAUTH_STATE_SECRET looks as if somebody had typed it; set it to the output of `openssl rand -hex \
                    32`, after which everybody signs in again";
        return warn(CHECK, says);
    }
    pass(CHECK, "OAUTH_STATE_SECRET is long and looks random")
}

/// Whether a text is rather a phrase or a pattern than random. It cannot know, so it only ever warns.
fn looks_typed(text: &str) -> bool {
    let lower = text.to_lowercase();
    if TYPED.iter().any(|word| lower.contains(word)) {
        return true;
    }
    // A short piece over and over.
    let repeats = (1..=16).any(|step| {
        let shifted = lower.chars().skip(step);
        lower.chars().zip(shifted).all(|(one, other)| one == other)
    });
    repeats || bits(text) < BITS
}

/// Shannon's measure over single characters: an upper bound of what a random source put in.
fn bits(text: &str) -> f64 {
    let mut counts: BTreeMap<char, u32> = BTreeMap::new();
    text.chars().for_each(|c| *counts.entry(c).or_default() += 1);
    let all = f64::from(counts.values().sum::<u32>());
    counts.values().map(|&count| -f64::from(count) * (f64::from(count) / all).log2()).sum()
}

fn keyring(secret: &Secret, file: Option<&Path>) -> Finding {
    const CHECK: &str = "keyring";
    let own = Root::new(secret.expose().as_bytes().to_vec());
    let Some(path) = file else {
        return match Keyring::new(&[own]) {
            Ok(_) => pass(CHECK, "OAUTH_STATE_SECRET is the only root key"),
            Err(error) => fail(CHECK, format!("OAUTH_STATE_SECRET {error}")),
        };
    };
    let shown = path.display();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => zeroize::Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return pass(CHECK, format!("{shown} is not there yet; `aegis-mcp keys rotate` makes it"));
        }
        Err(error) => {
            let says =
                format!("OAUTH_KEYRING_FILE {shown} cannot be read: {error}; let the server's user read it");
            return fail(CHECK, says);
        }
    };
    if let Some(found) = exposed(CHECK, "OAUTH_KEYRING_FILE", path) {
        return fail(CHECK, found.says);
    }
    let roots = keyring_file::parse(&text).map_err(|error| error.to_string()).and_then(|mut roots| {
        roots.push(own);
        Keyring::new(&roots).map_err(|error| error.to_string())
    });
    match roots {
        Ok(keyring) => {
            let count = keyring.kids().count();
            pass(CHECK, format!("{count} root keys in all, the newest is {}", keyring.newest_kid()))
        }
        Err(error) => fail(CHECK, format!("OAUTH_KEYRING_FILE {shown}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::upstream::Verdict;

    #[test]
    fn what_openssl_makes_looks_random() {
        for text in [
            "3f9c1b7a5d2e8f60414b9d7ce1a2053846fbd90c7e15a3b2688d4f0e9c71b5a6",
            "q8ZrT1vXk0bYw5LsN7dGh2JfMc4Pu9Ae",
            "V3JpdHRlbkJ5Tm9ib2R5QXRBbGw4NzY1NDMyMTA5ODc=",
        ] {
            assert!(!looks_typed(text), "{text}");
        }
    }

    #[test]
    fn phrases_and_patterns_do_not() {
        for text in [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "abcdefgh12345678abcdefgh12345678",
            "please-change-me-please-please-me",
            "my super long SECRET of this server!",
            "00000000000000000000000000000000000001",
        ] {
            assert!(looks_typed(text), "{text}");
        }
    }

    #[test]
    fn a_keyring_is_read_whole_and_must_be_private() {
        let secret = Secret::new("3f9c1b7a5d2e8f60414b9d7ce1a20538".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keyring");
        assert_eq!(keyring(&secret, Some(&path)).verdict, Verdict::Pass);
        let text = keyring_file::with_new_root("", &crate::shared::SystemRandom).unwrap();
        std::fs::write(&path, text.expose()).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let found = keyring(&secret, Some(&path));
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.says.contains("chmod 600"), "{}", found.says);
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let found = keyring(&secret, Some(&path));
        assert_eq!(found.verdict, Verdict::Pass);
        assert!(found.says.contains("2 root keys"), "{}", found.says);
        std::fs::write(&path, "no root\n").unwrap();
        let found = keyring(&secret, Some(&path));
        assert_eq!(found.verdict, Verdict::Fail);
        assert!(found.says.contains("line 1") && !found.says.contains("no root"), "{}", found.says);
    }
}
