//! One call explained: every rule of the policy that is looked at, what decides, and what else stands in the way.

use std::collections::BTreeMap;

use aegis_policy::{Class, Request, Rules};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Unanswered;
use super::policy::{classes_of, document};
use crate::access::{self, Asked, READ_SCOPE, Target, WRITE_SCOPE};
use crate::ports;
use crate::preflight::named;
use crate::selection::Selection;
use crate::settings::Config;
use crate::tools::Catalogue;

/// Which call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The document.
    policy: String,
    /// The tool.
    tool: String,
    /// `read` or `write`, for a job that can do both.
    class: Option<String>,
    /// `owner/repo`.
    repository: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
    /// The settings that guests may read, as name and value.
    #[serde(default)]
    settings: Vec<(String, String)>,
}

impl Question {
    pub(super) fn answer(&self, catalogue: &Catalogue) -> Result<Value, Unanswered> {
        let document = document(&self.policy, "the policy", catalogue)?;
        let class = self.class(catalogue)?;
        let repository = self.repository()?;
        let prepared: BTreeMap<String, Vec<u8>> = document.prepare().into_iter().collect();
        let rules = Rules::from_prepared(|key| prepared.get(key).cloned(), repository)
            .map_err(|corrupt| Unanswered::of(corrupt.to_string()))?;
        let given: Vec<&str> = self.paths.iter().map(String::as_str).collect();
        let spelled = access::spellings(&given);
        let paths: Vec<&str> = spelled.iter().map(AsRef::as_ref).collect();
        let request = Request { tool: &self.tool, class, repository, paths: &paths };
        let decision = rules.decide(&request);
        let looked: Vec<Value> = rules
            .looked_at(&request)
            .into_iter()
            .map(|step| json!({"rule": step.rule, "verdict": step.verdict.name(), "words": step.words}))
            .collect();
        let reasons: Vec<Value> = decision
            .reasons
            .iter()
            .map(|reason| json!({"rule": reason.rule, "message": reason.message}))
            .collect();
        let shown = |path: &str| {
            rules.path_visible(path, false)
                && access::seen_as(path).is_none_or(|plain| rules.path_visible(&plain, false))
        };
        let listings = given.iter().map(|path| json!({"path": path, "shown": shown(path)}));
        let held = Held { prepared: &prepared, settings: &self.settings };
        Ok(json!({
            "tool": self.tool,
            "class": class.name(),
            "repository": self.repository,
            "paths": self.paths,
            "digest": aegis_policy::digest(self.policy.as_bytes()),
            "allowed": decision.allowed(),
            "rule": decision.rule(),
            "reasons": reasons,
            "looked_at": looked,
            "listings": listings.collect::<Vec<_>>(),
            "settings": self.settings_say(&held, class, repository, catalogue)?,
            "scope": match class { Class::Read => READ_SCOPE, Class::Write => WRITE_SCOPE },
        }))
    }

    fn class(&self, catalogue: &Catalogue) -> Result<Class, Unanswered> {
        let stated = match self.class.as_deref() {
            None => None,
            Some("read") => Some(Class::Read),
            Some("write") => Some(Class::Write),
            Some(other) => {
                return Err(Unanswered::of(format!("{other:?} is no class; there are read and write")));
            }
        };
        match (classes_of(&self.tool, catalogue).as_slice(), stated) {
            ([], _) => {
                let meant = named(&self.tool, catalogue);
                Err(Unanswered::of(format!("there is no tool named {:?}{meant}", self.tool)))
            }
            // A job looks before it acts.
            ([first, ..], None) => Ok(*first),
            (known, Some(stated)) if known.contains(&stated) => Ok(stated),
            ([real, ..], Some(stated)) => {
                Err(Unanswered::of(format!("`{}` is a {}, not a {}", self.tool, real.name(), stated.name())))
            }
        }
    }

    fn repository(&self) -> Result<Option<(&str, &str)>, Unanswered> {
        let Some(text) = &self.repository else { return Ok(None) };
        let pair = text.split_once('/').filter(|(_, repo)| !repo.contains('/'));
        let no = || Unanswered::of(format!("{text:?} is not a repository; write owner/repo"));
        pair.map(Some).ok_or_else(no)
    }

    /// What the settings say of the call beside the policy: why they refuse it, or nothing. The very gate is asked that
    /// calls pass, by somebody with every scope; it looks at the settings before the policy.
    fn settings_say(
        &self,
        held: &Held<'_>,
        class: Class,
        repository: Option<(&str, &str)>,
        catalogue: &Catalogue,
    ) -> Result<Value, Unanswered> {
        if self.settings.is_empty() {
            return Ok(Value::Null);
        }
        let config = Config::load(held).map_err(|invalid| Unanswered::of(invalid.to_string()))?;
        let left_out = catalogue
            .find(&self.tool)
            .and_then(|entry| Selection::default().left_out(&config.tools, catalogue, entry));
        if let Some(left_out) = left_out {
            return Ok(json!({"refuses": left_out.reason(), "message": left_out.message(&self.tool)}));
        }
        let claims = ports::Claims {
            subject: String::new(),
            login: None,
            client: None,
            scopes: vec![READ_SCOPE.to_owned(), WRITE_SCOPE.to_owned()],
        };
        let target =
            Target { repository, paths: self.paths.iter().map(String::as_str).collect(), reference: None };
        let class = match class {
            Class::Read => ports::Class::Read,
            Class::Write => ports::Class::Write,
        };
        let asked = Asked { tool: &self.tool, class, target: &target };
        Ok(match access::decide(held, &config, &claims, &asked) {
            Err(refused @ (access::Refused::WriteModeOff | access::Refused::NotWritable { .. })) => {
                json!({"refuses": refused.reason(), "message": refused.message()})
            }
            Ok(_) | Err(_) => json!({"refuses": null}),
        })
    }
}

/// The document and the settings of the question, where a request has the host's.
struct Held<'a> {
    prepared: &'a BTreeMap<String, Vec<u8>>,
    settings: &'a [(String, String)],
}

impl ports::Settings for Held<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.settings.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        self.prepared.get(key).cloned()
    }

    fn policy_digest(&self) -> String {
        String::new()
    }
}
