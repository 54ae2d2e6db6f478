//! The newest sign-ins, step by step, for `aegis-mcp doctor --last-login`. In memory, bounded, without secrets: steps,
//! times, names and reasons.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aegis_custody::Timestamp;
use serde::{Deserialize, Serialize};

/// Sign-ins that are remembered.
const KEPT: usize = 32;
/// Steps of one sign-in that are remembered.
const STEPS: usize = 32;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// What happened: `approved`, `returned`, `signed_in`, `code_issued`, `token_issued`, `first_call`, `refused`, ...
    pub(crate) what: String,
    /// A reason or a name that goes with it.
    pub(crate) detail: Option<String>,
}

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Login {
    /// The flow's short name, as in the log.
    pub(crate) flow: String,
    /// The client, as it calls itself.
    pub(crate) client: String,
    /// The Gitea login, once known.
    pub(crate) login: Option<String>,
    /// The family of its tokens, once there is one, as a fingerprint.
    pub(crate) family: Option<String>,
    /// In the order in which they happened.
    pub(crate) steps: Vec<Step>,
}

/// All of them, the newest last.
#[derive(Default)]
pub(crate) struct Timeline(Mutex<VecDeque<Login>>);

impl Timeline {
    /// A sign-in begins.
    pub(crate) fn begin(&self, flow: &str, client: &str, now: Timestamp) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.len() >= KEPT {
            // Those that came to nothing first: a stranger begins as many as they like.
            let oldest = logins.iter().position(|login| login.login.is_none()).unwrap_or(0);
            logins.remove(oldest);
        }
        let steps = vec![Step { at: now.unix_millis(), what: "approved".to_owned(), detail: None }];
        logins.push_back(Login {
            flow: flow.to_owned(),
            client: client.to_owned(),
            login: None,
            family: None,
            steps,
        });
    }

    /// A step of the sign-in that `is_it` finds; nothing where it is forgotten.
    pub(crate) fn step(
        &self,
        is_it: impl Fn(&Login) -> bool,
        what: &str,
        detail: Option<&str>,
        now: Timestamp,
        note: impl FnOnce(&mut Login),
    ) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = logins.iter_mut().rev().find(|login| is_it(login)) {
            note(login);
            if login.steps.len() < STEPS {
                let detail = detail.map(str::to_owned);
                login.steps.push(Step { at: now.unix_millis(), what: what.to_owned(), detail });
            }
        }
    }

    /// The first time that something happens in a sign-in: later times are not noted.
    pub(crate) fn once(&self, is_it: impl Fn(&Login) -> bool, what: &str, now: Timestamp) {
        let mut logins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = logins.iter_mut().rev().find(|login| is_it(login));
        if let Some(login) = found.filter(|login| login.steps.iter().all(|step| step.what != what)) {
            login.steps.push(Step { at: now.unix_millis(), what: what.to_owned(), detail: None });
        }
    }

    /// All that are remembered, the oldest first.
    pub(crate) fn all(&self) -> Vec<Login> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
