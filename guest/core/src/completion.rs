//! Suggestions for what somebody is typing: names in Gitea that the caller may see, by way of the tools that list them.
//!
//! Every suggestion stands in the answer to a call that the caller could make, so policy and rights have decided on it. A
//! call that is refused suggests nothing: typing is no way to learn what exists.

use serde_json::{Value, json};

use crate::tools::{Run, Stopped};

#[cfg(test)]
mod tests;

/// Most suggestions in one answer, as the protocol bounds them.
pub const MOST: usize = 100;

/// Most characters of what is being typed; nothing that is suggested is longer.
const LONGEST_TYPED: usize = 256;

/// What a value is, for suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completes {
    /// An owner of repositories.
    Owner,
    /// A repository of the owner that `owner` names.
    Repository,
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A branch or a tag.
    Ref,
    /// A label.
    Label,
    /// A milestone, by title.
    Milestone,
    /// Somebody who wrote one of the newest issues or pull requests.
    User,
    /// An open issue, by number.
    Issue,
    /// An open pull request, by number.
    PullRequest,
    /// One of these.
    Choice(&'static [&'static str]),
    /// Anything: nothing can be suggested.
    Free,
}

impl Completes {
    /// Whether a value can be one of these at all, by its form. Whether there is one is not known here.
    #[must_use]
    pub fn takes(self, text: &str) -> bool {
        match self {
            Self::Owner | Self::Repository | Self::User => {
                (1..=100).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                    && !text.bytes().all(|byte| byte == b'.')
            }
            Self::Issue | Self::PullRequest => text.parse::<u32>().is_ok_and(|number| number > 0),
            Self::Branch
            | Self::Tag
            | Self::Ref
            | Self::Label
            | Self::Milestone
            | Self::Choice(_)
            | Self::Free => true,
        }
    }
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Suggested {
    /// At most [`MOST`], in order.
    pub values: Vec<String>,
    /// There are more than these.
    pub more: bool,
}

/// Suggest values that begin with `typed`, letter case aside; `known` gives the values of other arguments.
///
/// # Errors
/// A call was refused or failed.
pub fn suggest(
    completes: Completes,
    typed: &str,
    known: &dyn Fn(&str) -> Option<String>,
    tools: &mut dyn Run,
) -> Result<Suggested, Stopped> {
    // What cannot be the beginning of anything, or names no repository, is not asked about.
    let repository_named =
        ["owner", "repo"].iter().all(|name| known(name).is_none_or(|text| Completes::Owner.takes(&text)));
    if typed.chars().count() > LONGEST_TYPED || typed.chars().any(char::is_control) || !repository_named {
        return Ok(Suggested::default());
    }
    let mut listed = List { tools, typed: typed.to_lowercase(), found: Vec::new(), more: false };
    let repository = || Some(json!({ "owner": known("owner")?, "repo": known("repo")? }));
    match (completes, repository()) {
        (Completes::Free, _) => {}
        (Completes::Choice(choices), _) => listed.add(choices.iter().map(|choice| (*choice).to_owned())),
        (Completes::Owner, _) => listed.owners()?,
        (Completes::Repository, _) => listed.repositories(known("owner").as_deref())?,
        (Completes::Branch, Some(at)) => listed.names("list_branches", &at, "branches", "name")?,
        (Completes::Tag, Some(at)) => listed.names("list_tags", &at, "tags", "name")?,
        (Completes::Ref, Some(at)) => {
            listed.names("list_branches", &at, "branches", "name")?;
            listed.names("list_tags", &at, "tags", "name")?;
        }
        (Completes::Label, Some(at)) => listed.names("list_labels", &at, "labels", "name")?,
        (Completes::Milestone, Some(at)) => listed.names("list_milestones", &at, "milestones", "title")?,
        (Completes::User, Some(at)) => {
            listed.names("list_issues", &at, "issues", "author")?;
            listed.names("list_pull_requests", &at, "pull_requests", "author")?;
        }
        (Completes::Issue, Some(at)) => listed.names("list_issues", &at, "issues", "number")?,
        (Completes::PullRequest, Some(at)) => {
            listed.names("list_pull_requests", &at, "pull_requests", "number")?;
        }
        // Without its repository nothing can be said of what is in it.
        (
            Completes::Branch
            | Completes::Tag
            | Completes::Ref
            | Completes::Label
            | Completes::Milestone
            | Completes::User
            | Completes::Issue
            | Completes::PullRequest,
            None,
        ) => {}
    }
    Ok(listed.suggested())
}

/// Values as they are found.
struct List<'a> {
    tools: &'a mut dyn Run,
    /// In lower case.
    typed: String,
    found: Vec<String>,
    more: bool,
}

impl List<'_> {
    fn owners(&mut self) -> Result<(), Stopped> {
        let names = self.full_names()?;
        self.add(names.into_iter().map(|(owner, _)| owner));
        Ok(())
    }

    fn repositories(&mut self, of: Option<&str>) -> Result<(), Stopped> {
        let names = self.full_names()?;
        let of_owner = |owner: &str| of.is_none_or(|of| of.eq_ignore_ascii_case(owner));
        self.add(names.into_iter().filter(|(owner, _)| of_owner(owner)).map(|(_, name)| name));
        Ok(())
    }

    fn full_names(&mut self) -> Result<Vec<(String, String)>, Stopped> {
        let names = self.page("list_repositories", &json!({}), "repositories", "full_name")?;
        let split = |name: String| name.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned()));
        Ok(names.into_iter().filter_map(split).collect())
    }

    fn names(&mut self, tool: &'static str, at: &Value, list: &str, field: &str) -> Result<(), Stopped> {
        let names = self.page(tool, at, list, field)?;
        self.add(names.into_iter());
        Ok(())
    }

    /// One page, as large as the settings let it be: who types on gets what fits better, not more of the list.
    fn page(
        &mut self,
        tool: &'static str,
        arguments: &Value,
        list: &str,
        field: &str,
    ) -> Result<Vec<String>, Stopped> {
        let mut arguments = arguments.as_object().cloned().unwrap_or_default();
        arguments.insert("limit".to_owned(), json!(MOST));
        let answer = self.tools.run(tool, arguments.into())?;
        self.more |= answer.get("has_next").and_then(Value::as_bool).unwrap_or(false);
        let rows = answer.get(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |row: &Value| {
            let value = row.get(field)?;
            value.as_str().map(str::to_owned).or_else(|| Some(value.as_u64()?.to_string()))
        };
        Ok(rows.iter().filter_map(text).collect())
    }

    fn add(&mut self, names: impl Iterator<Item = String>) {
        for name in names {
            if name.to_lowercase().starts_with(&self.typed) && !self.found.contains(&name) {
                self.found.push(name);
            }
        }
    }

    fn suggested(mut self) -> Suggested {
        let more = self.more || self.found.len() > MOST;
        self.found.truncate(MOST);
        Suggested { values: self.found, more }
    }
}
