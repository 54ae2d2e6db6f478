//! Every local refusal, with its name and the setting or policy line that would allow the call.

/// Why a call may not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The credential lacks a scope.
    Scope {
        /// The scope that would do.
        needed: &'static str,
    },
    /// `WRITE_MODE` is off.
    WriteModeOff,
    /// The repository is not in `WRITE_REPOSITORY_WHITELIST`.
    NotWritable {
        /// `owner/repo`, where the call names one.
        repository: Option<String>,
    },
    /// The policy denies it.
    Policy {
        /// Rules that decided and what they say to a person.
        reasons: Vec<(String, String)>,
    },
    /// The prepared policy cannot be read.
    PolicyUnreadable,
}

impl Refused {
    /// The one name of this refusal.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Scope { .. } => "insufficient_scope",
            Self::WriteModeOff => "write_mode_disabled",
            Self::NotWritable { .. } => "repository_not_writable",
            Self::Policy { .. } => "policy_denied",
            Self::PolicyUnreadable => "policy_unreadable",
        }
    }

    /// What denied and what would allow it. Not yet cleaned.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Scope { needed } => format!("The scope {needed} is missing."),
            Self::WriteModeOff => "Writes are off on this server. The operator can allow them with \
                                   WRITE_MODE=true and a list of repositories in WRITE_REPOSITORY_WHITELIST, or by \
                                   `aegis-mcp write on` where they were turned off for now."
                .to_owned(),
            Self::NotWritable { repository: Some(name) } => format!(
                "Writes to {name} are not allowed. The operator can add {name} to WRITE_REPOSITORY_WHITELIST."
            ),
            Self::NotWritable { repository: None } => {
                "Writes outside listed repositories are not allowed.".to_owned()
            }
            Self::Policy { reasons } => {
                let reasons: Vec<&str> = reasons.iter().map(|(_, message)| message.as_str()).collect();
                format!("The policy denies this: {}", reasons.join("; "))
            }
            Self::PolicyUnreadable => {
                "The policy cannot be read, so everything is denied. The operator has to look at the server's \
                 log."
                    .to_owned()
            }
        }
    }

    /// The deciding rules or setting, for the record.
    #[must_use]
    pub fn detail(&self) -> Vec<(String, String)> {
        let setting = |name: &str| vec![("setting".to_owned(), name.to_owned())];
        match self {
            Self::Scope { needed } => vec![("needed_scope".to_owned(), (*needed).to_owned())],
            Self::WriteModeOff => setting("WRITE_MODE"),
            Self::NotWritable { .. } => setting("WRITE_REPOSITORY_WHITELIST"),
            Self::Policy { reasons } => {
                reasons.iter().map(|(rule, _)| ("rule".to_owned(), rule.clone())).collect()
            }
            Self::PolicyUnreadable => vec![("rule".to_owned(), "policy".to_owned())],
        }
    }
}
