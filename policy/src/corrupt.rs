//! The one way loading prepared rules can fail. It must not be mistaken for "no rules": the caller denies.

use std::error::Error;
use std::fmt;

/// A prepared entry is missing or is not what [`crate::Document::prepare`] wrote. Nothing may be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupt {
    pub(crate) key: String,
    pub(crate) cause: String,
}

impl Corrupt {
    pub(crate) fn new(key: &str, cause: impl Into<String>) -> Self {
        Self { key: key.to_owned(), cause: cause.into() }
    }
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the prepared policy entry {:?} cannot be used ({}); every tool is denied until the policy is loaded \
             again",
            self.key, self.cause
        )
    }
}

impl Error for Corrupt {}
