//! What is asked and what is answered. Plain data; the deciding is in `rules`.

/// Whether a tool reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The tool changes nothing in Gitea.
    Read,
    /// The tool changes something in Gitea.
    Write,
}

impl Class {
    /// The class as the policy document spells it: `read` or `write`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Read => "read",
            Class::Write => "write",
        }
    }
}

/// The answer of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The policy has no objection. Scope, write mode and Gitea's own permissions still apply.
    Allow,
    /// The call must not happen.
    Deny,
}

impl Effect {
    /// The effect as the policy document spells it: `allow` or `deny`.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }
}

/// One tool call, as far as the policy looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Name of the tool, `[a-z0-9_]{1,64}`.
    pub tool: &'a str,
    /// Whether the tool reads or writes.
    pub class: Class,
    /// Owner and name of the repository it touches, in any letter case; none for tools that touch no single one.
    pub repository: Option<(&'a str, &'a str)>,
    /// Paths inside the repository that the arguments name. Empty for tools that touch no path.
    pub paths: &'a [&'a str],
}

/// An effect and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the call may happen.
    pub effect: Effect,
    /// Never empty. The first reason decided; a deny lists further rules that would also have denied.
    pub reasons: Vec<Reason>,
}

impl Decision {
    /// Whether the policy allows the call.
    pub fn allowed(&self) -> bool {
        self.effect == Effect::Allow
    }

    /// Name of the rule that decided, such as `defaults.write`.
    pub fn rule(&self) -> &str {
        self.reasons.first().map_or("", |reason| reason.rule.as_str())
    }
}

/// One rule that spoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Where the rule stands: `tools.deny`, `repositories.acme/*.paths.allow`, `defaults.write`; or
    /// `request.tool`, `request.repository`, `request.paths` where the request itself could not be judged.
    pub rule: String,
    /// What decided, for a person; for a deny also what in the policy would have to change.
    pub message: String,
}
