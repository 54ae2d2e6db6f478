//! Who may act where nobody asks. Names are translated, nothing else.

use aegis_core::ports as core;

use super::{Caller, Imported};
use crate::bindings::aegis::gateway::{automation, identity};

impl core::Automation for Imported {
    fn verify(
        &self,
        signature: &str,
        delivery: &str,
        body: &[u8],
    ) -> Result<Box<dyn core::Caller>, core::NotVerified> {
        match automation::verify(signature, delivery, body) {
            Ok(caller) => Ok(Box::new(Caller(caller))),
            Err(why) => Err(match why {
                automation::NotVerified::Disabled => core::NotVerified::Disabled,
                automation::NotVerified::Forged => core::NotVerified::Forged,
                automation::NotVerified::Replayed => core::NotVerified::Replayed,
                automation::NotVerified::Full => core::NotVerified::Full,
                automation::NotVerified::TooManyConcurrent => core::NotVerified::TooManyConcurrent,
            }),
        }
    }
}

pub(super) fn hand_over(caller: &identity::Caller, job: &str, pause_seconds: u32) -> bool {
    automation::hand_over(caller, job, pause_seconds)
}

pub(super) fn start(
    caller: &identity::Caller,
    job: &str,
    owner: &str,
    repo: &str,
) -> Result<Box<dyn core::Caller>, core::NotStarted> {
    match automation::start(caller, job, owner, repo) {
        Ok(caller) => Ok(Box::new(Caller(caller))),
        Err(automation::NotStarted::NotPermitted) => Err(core::NotStarted::NotPermitted),
        Err(automation::NotStarted::TooManyConcurrent) => Err(core::NotStarted::TooManyConcurrent),
        Err(automation::NotStarted::Running) => Err(core::NotStarted::Running),
    }
}
