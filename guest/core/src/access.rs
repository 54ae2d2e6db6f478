//! Where scope, write mode and policy meet, and the only doors to Gitea.
//!
//! [`decide`] is purely local: it answers before anything is recorded or sent. Its [`Permit`], together with an
//! audit ticket, opens a [`Door`]; there is no other way to a [`Reader`] or a [`Writer`], and no other way to
//! Gitea. What cannot be read or understood is denied.

mod door;
mod refused;

#[cfg(test)]
mod matrix;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use aegis_policy::{Effect, Rules};
use aegis_redaction::{Mode, Redactor};

use crate::audit::Touched;
use crate::ports::{Claims, Class, Settings, Ticket};
use crate::settings::Config;

pub use door::{Door, Ground, Reader, Writer};
pub use refused::Refused;

/// The scope that read tools need.
pub const READ_SCOPE: &str = "read:repository";
/// The scope that write tools need.
pub const WRITE_SCOPE: &str = "write:repository";

/// What a call touches, as its arguments say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// Owner and name of the repository.
    pub repository: Option<(&'a str, &'a str)>,
    /// Clean paths inside it.
    pub paths: Vec<&'a str>,
    /// The ref as given.
    pub reference: Option<&'a str>,
}

impl Target<'_> {
    /// The same, for the record.
    #[must_use]
    pub fn recorded(&self) -> Touched {
        Touched {
            repository: self.repository.map(|(owner, repo)| (owner.to_owned(), repo.to_owned())),
            paths: self.paths.iter().map(|path| (*path).to_owned()).collect(),
            reference: self.reference.map(str::to_owned),
        }
    }
}

/// What is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The tool.
    pub tool: &'a str,
    /// Whether it reads or writes.
    pub class: Class,
    /// What it touches.
    pub target: &'a Target<'a>,
}

/// Scope, write mode and policy agree. Worth nothing without an audit ticket.
pub struct Permit {
    class: Class,
    rules: Rules,
}

impl core::fmt::Debug for Permit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Permit").field("class", &self.class).finish_non_exhaustive()
    }
}

impl Permit {
    /// Open the door that this permit is for.
    #[must_use]
    pub fn open<'a>(self, ticket: &'a dyn Ticket, ground: Ground<'a>) -> Door<'a> {
        door::open(self, ticket, ground)
    }
}

/// What can be allowed at all, whatever a call touches and whoever makes it.
pub struct Reach {
    writes: bool,
    rules: Rules,
}

impl Reach {
    /// Whether some call of this tool might be allowed. Where it says no, [`decide`] refuses every call.
    #[must_use]
    pub fn includes(&self, tool: &str, class: Class) -> bool {
        let (class, on) = match class {
            Class::Read => (aegis_policy::Class::Read, true),
            Class::Write => (aegis_policy::Class::Write, self.writes),
        };
        on && self.rules.possible(tool, class)
    }
}

/// What write mode and the policy leave. Scopes are not looked at: a person can grant more of them.
///
/// # Errors
/// The policy cannot be read.
pub fn reach(settings: &dyn Settings, config: &Config) -> Result<Reach, Refused> {
    let rules = rules_for(settings, None).map_err(|_| Refused::PolicyUnreadable)?;
    Ok(Reach { writes: config.write_mode, rules })
}

/// Decide on a call: for writes write mode, then scope, for writes the repository list, and policy.
///
/// # Errors
/// The first of them that does not agree, with the setting or policy line that would allow it. Write mode comes
/// before scope: no token carries the scope of writes while they are off, so a client that were told to ask for it
/// would send its person to sign in again and again for nothing.
pub fn decide(
    settings: &dyn Settings,
    config: &Config,
    claims: &Claims,
    asked: &Asked<'_>,
) -> Result<Permit, Refused> {
    if asked.class == Class::Write && !config.write_mode {
        return Err(Refused::WriteModeOff);
    }
    scope(claims, asked.class)?;
    if asked.class == Class::Write {
        writable(config, asked.target)?;
    }
    let rules = rules_for(settings, asked.target.repository).map_err(|_| Refused::PolicyUnreadable)?;
    policy(&rules, asked)?;
    Ok(Permit { class: asked.class, rules })
}

/// The rules for a target, from prepared entries; where nobody ran `preflight`, from the document itself.
fn rules_for(settings: &dyn Settings, target: Option<(&str, &str)>) -> Result<Rules, aegis_policy::Corrupt> {
    let corrupt = match Rules::from_prepared(|key| settings.prepared(key), target) {
        Ok(rules) => return Ok(rules),
        Err(corrupt) => corrupt,
    };
    let Some(document) = settings.get("policy-document") else {
        return Err(corrupt);
    };
    // A document with a mistake gives no entries, so that loading fails and the call is denied.
    let entries =
        aegis_policy::Document::parse(document.as_bytes()).map(|found| found.prepare()).unwrap_or_default();
    let find = |key: &str| entries.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone());
    Rules::from_prepared(find, target)
}

fn scope(claims: &Claims, class: Class) -> Result<(), Refused> {
    let needed = match class {
        Class::Read => READ_SCOPE,
        Class::Write => WRITE_SCOPE,
    };
    if claims.scopes.iter().any(|scope| scope == needed) { Ok(()) } else { Err(Refused::Scope { needed }) }
}

fn writable(config: &Config, target: &Target<'_>) -> Result<(), Refused> {
    if config.write_allow_all {
        return Ok(());
    }
    let not_listed = |repository: Option<String>| Err(Refused::NotWritable { repository });
    let Some((owner, repo)) = target.repository else {
        return not_listed(None);
    };
    let listed = config.write_repositories.iter().any(|(listed_owner, listed_repo)| {
        listed_owner.eq_ignore_ascii_case(owner)
            && (listed_repo == "*" || listed_repo.eq_ignore_ascii_case(repo))
    });
    if listed { Ok(()) } else { not_listed(Some(format!("{owner}/{repo}"))) }
}

fn policy(rules: &Rules, asked: &Asked<'_>) -> Result<(), Refused> {
    let paths = spellings(&asked.target.paths);
    let paths: Vec<&str> = paths.iter().map(Cow::as_ref).collect();
    let decision = rules.decide(&aegis_policy::Request {
        tool: asked.tool,
        class: match asked.class {
            Class::Read => aegis_policy::Class::Read,
            Class::Write => aegis_policy::Class::Write,
        },
        repository: asked.target.repository,
        paths: &paths,
    });
    match decision.effect {
        Effect::Allow => Ok(()),
        Effect::Deny => Err(Refused::Policy {
            reasons: decision.reasons.into_iter().map(|reason| (reason.rule, reason.message)).collect(),
        }),
    }
}

/// The paths as they are spelled, and as a reader sees them where that is something else.
pub(crate) fn spellings<'p>(paths: &[&'p str]) -> Vec<Cow<'p, str>> {
    paths
        .iter()
        .flat_map(|path| [Some(Cow::Borrowed(*path)), seen_as(path).map(Cow::Owned)])
        .flatten()
        .collect()
}

/// The path as a reader sees it, where it holds an invisible character: that makes another path for Git and the same one
/// for people, who wrote the rules.
pub(crate) fn seen_as(path: &str) -> Option<String> {
    let plain = Redactor::new(Mode::Off).clean(path).text;
    (plain != path).then(|| plain.into_owned())
}

/// Whether the policy has path rules for a repository. Of unreadable ones nobody knows.
fn has_path_rules(settings: &dyn Settings, owner: &str, repo: &str) -> bool {
    rules_for(settings, Some((owner, repo))).map_or(true, |rules| rules.has_path_rules())
}

/// Whether a list may name an owner. Unreadable rules name nobody.
fn names_owner(settings: &dyn Settings, owner: &str) -> bool {
    // No repository is called so: what is loaded is the owner's own entry.
    rules_for(settings, Some((owner, "*"))).is_ok_and(|rules| rules.owner_visible())
}

/// Whether the policy lists a repository. Unreadable rules list nothing.
fn lists(settings: &dyn Settings, owner: &str, repo: &str) -> bool {
    rules_for(settings, Some((owner, repo))).is_ok_and(|rules| rules.repository_visible())
}
