//! The key that is as old as the process, and which confirmations were opened under it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aegis_custody::oauth::keys::{Keyring, KeyringError, Root};
use aegis_custody::{Random as _, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::shared::SystemRandom;

/// Most confirmations of which it is known that they were opened. While they fill this, none opens.
const MAX_OPENED: usize = 16_384;

/// What this process seals with where nothing has to outlive it.
pub(crate) struct Seals {
    keyring: Keyring,
    /// What was opened, by its hash, and until when it would open.
    opened: Mutex<HashMap<[u8; 32], Timestamp>>,
}

impl Seals {
    /// A fresh key.
    ///
    /// # Errors
    /// Keys cannot be derived.
    pub(crate) fn new() -> Result<Self, KeyringError> {
        let mut root = vec![0; 32];
        SystemRandom.fill(&mut root);
        Ok(Self { keyring: Keyring::new(&[Root::new(root)])?, opened: Mutex::default() })
    }

    /// The key.
    pub(crate) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Whether this is the first time that a sealed value is opened, which would open until then.
    pub(crate) fn is_first(&self, sealed: &str, until: Timestamp, now: Timestamp) -> bool {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= MAX_OPENED {
            opened.retain(|_, until| now < *until);
        }
        // One text for one value (`aegis_custody::oauth::text`), so it cannot be respelled.
        opened.len() < MAX_OPENED && opened.insert(Sha256::digest(sealed).into(), until).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1_000)
    }

    #[test]
    fn a_value_is_opened_once() {
        let seals = Seals::new().unwrap();
        assert!(seals.is_first("one", at(300), at(0)) && seals.is_first("two", at(300), at(0)));
        assert!(!seals.is_first("one", at(300), at(1)) && !seals.is_first("one", at(300), at(299)));
    }

    #[test]
    fn where_no_more_can_be_remembered_nothing_opens_until_something_expires() {
        let seals = Seals::new().unwrap();
        for number in 0..MAX_OPENED {
            assert!(seals.is_first(&number.to_string(), at(300), at(0)));
        }
        assert!(!seals.is_first("one more", at(300), at(299)));
        assert!(seals.is_first("one more", at(600), at(300)));
        assert_eq!(seals.opened.lock().unwrap().len(), 1);
    }
}
