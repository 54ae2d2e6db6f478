//! `aegis:gateway/automation`: who may act where nobody asks. What needs a caller is on [`Caller`].
//!
//! [`Caller`]: super::Caller

use super::Caller;

/// The part that needs no caller.
pub trait Automation {
    /// Prove a delivery of Gitea's webhook, once.
    ///
    /// # Errors
    /// It proves nothing, or did so before.
    fn verify(&self, signature: &str, delivery: &str, body: &[u8]) -> Result<Box<dyn Caller>, NotVerified>;
}

/// Why a delivery is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVerified {
    /// There is no automation.
    Disabled,
    /// The signature is not of this body and the secret.
    Forged,
    /// It was taken before.
    Replayed,
    /// No more can be remembered.
    Full,
    /// Automation has as many requests in flight as it may have.
    TooManyConcurrent,
}

/// Why a caller cannot start a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// There is no automation, or they may not.
    NotPermitted,
    /// Automation has as many requests in flight as it may have.
    TooManyConcurrent,
    /// The job is under way there.
    Running,
}
