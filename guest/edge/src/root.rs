//! The root secret and the keys that come out of it: from `OAUTH_STATE_SECRET`, or made once and kept in the state
//! directory. Whoever can read that directory can then read all that is sealed in it, so the setting is the better place.

use aegis_custody::journal::Files as _;
use aegis_custody::oauth::keyring_file;
use aegis_custody::oauth::keys::{Keyring, Root};

use crate::directory::{Directory, draft};
use crate::environment;

/// Name of the directory, and of the file in it.
const PLACE: &str = "keys";
const FILE: &str = "root";

/// How often the file is looked for while another instance makes it.
const TRIES: u32 = 8;

/// The keys in force.
///
/// # Errors
/// What is wrong with the setting or the state directory; no part of a secret.
pub(crate) fn keyring() -> Result<Keyring, String> {
    let roots = match environment::variable("OAUTH_STATE_SECRET") {
        Some(secret) => vec![Root::new(secret.into_bytes())],
        None => kept()?,
    };
    Keyring::new(&roots).map_err(|error| error.to_string())
}

fn kept() -> Result<Vec<Root>, String> {
    let (directory, _) = Directory::within(PLACE)?;
    for _ in 0..TRIES {
        if let Some(bytes) = directory.read(FILE)? {
            let text = String::from_utf8(bytes).map_err(|_| format!("{PLACE}/{FILE} is no text"))?;
            return keyring_file::parse(&text).map_err(|error| format!("{PLACE}/{FILE}: {error}"));
        }
        let made =
            keyring_file::with_new_root("", &environment::Chance).map_err(|error| error.to_string())?;
        let draft = draft().name;
        let linked =
            directory.create(&draft, made.expose().as_bytes()).and_then(|()| directory.link(&draft, FILE));
        directory.remove(&draft)?;
        if linked? {
            directory.sync()?;
        }
    }
    Err(format!("{PLACE}/{FILE} comes and goes"))
}
