//! What no output of a server may hold, looked for in every test that starts one: the answers that the test gets by
//! way of [`Server`](crate::server::Server), and, when the server is gone, its audit log and its own log.
//!
//! The canaries and the directional character are what the sample Gitea seeds; keys and tokens are the tests' own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::forge::{BIDI, CANARY, CANARY_TOKEN, world};
use crate::server::{KEY, OTHER_KEY, STATE_SECRET};

/// What is never told, in any mode: keys and tokens that this product knows for its own or was given.
const NEVER: [&str; 9] = [
    KEY,
    OTHER_KEY,
    STATE_SECRET,
    CANARY_TOKEN,
    world::ALICE_TOKEN,
    world::BOB_TOKEN,
    world::CAROL_TOKEN,
    world::MALLORY_TOKEN,
    world::SVC_TOKEN,
];

/// The beginning of what must not be there, if it is there.
fn held(text: &str, and: &[&str]) -> Option<String> {
    let bidi = BIDI.to_string();
    let mut all = NEVER.iter().copied().chain(and.iter().copied()).chain([bidi.as_str()]);
    all.find(|secret| text.contains(secret)).map(|secret| secret.chars().take(12).collect())
}

/// An answer tells none of it. What others' secrets are is left to the mode of the server.
///
/// # Panics
/// It does.
#[track_caller]
pub fn clean_answer(text: &str) {
    if let Some(secret) = held(text, &[]) {
        panic!("an answer holds {secret:?}…: {text}");
    }
}

/// The audit log and the log of one server. Both mask in every mode, and are looked through when the server is gone.
#[derive(Debug)]
pub struct Outputs {
    pub audit: PathBuf,
    pub log: Arc<Mutex<Vec<String>>>,
}

impl Drop for Outputs {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if std::thread::panicking() {
            return;
        }
        let audit = std::fs::read(&self.audit).unwrap_or_default();
        let log = self.log.lock().map(|lines| lines.join("\n")).unwrap_or_default();
        for (place, text) in
            [("the audit log", String::from_utf8_lossy(&audit)), ("the server's log", log.into())]
        {
            for line in text.lines() {
                if let Some(secret) = held(line, &[CANARY]) {
                    panic!("{place} holds {secret:?}…: {line}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_them_is_found() {
        let bidi = BIDI.to_string();
        for secret in NEVER.iter().copied().chain([CANARY, bidi.as_str()]) {
            assert!(held(&format!("x{secret}y"), &[CANARY]).is_some(), "{secret}");
        }
        assert_eq!(held("[redacted:github-token]", &[CANARY]), None);
        assert_eq!(held(CANARY, &[]), None);
    }

    #[test]
    #[should_panic(expected = "the server's log holds")]
    fn a_log_with_one_of_them_ends_the_test() {
        let log = Arc::new(Mutex::new(vec!["fine".to_owned(), format!("leaks {CANARY}")]));
        drop(Outputs { audit: PathBuf::new(), log });
    }
}
