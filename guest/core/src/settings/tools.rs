//! Which tools the operator offers, by name. Whether these names exist is not known here.

use super::{Reading, tools_deny, toolsets};

/// `TOOLSETS` and `TOOLS_DENY`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// `TOOLSETS` as written; empty for every set.
    pub sets: Vec<String>,
    /// `TOOLS_DENY` as written.
    pub denied: Vec<String>,
}

impl Tools {
    pub(super) fn read(from: &mut Reading<'_>) -> Option<Self> {
        let (sets, denied) = (toolsets(from), tools_deny(from));
        Some(Self { sets: sets?, denied: denied? })
    }

    /// The two settings among `values`. One that cannot be read is empty here: [`super::Config::check`] tells of it.
    #[must_use]
    pub fn of(values: &[(String, String)]) -> Self {
        let get = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let mut reading = Reading { get: &get, problems: Vec::new() };
        let (sets, denied) = (toolsets(&mut reading), tools_deny(&mut reading));
        Self { sets: sets.unwrap_or_default(), denied: denied.unwrap_or_default() }
    }
}
