//! Labels by name. Gitea drops unknown names without a word, both from a filter (which then shows everything)
//! and from a new issue, so names are resolved before they are used.

use serde_json::Value;

use super::{call, near};
use crate::access::Reader;
use crate::gitea::{Answer, Call, Error as GiteaError, Started};
use crate::tools::args::{Labels, Repo};
use crate::tools::kit::Error;

/// The labels of a repository.
pub(in crate::tools) const REPOSITORY_LABELS: &str = "/repos/{owner}/{repo}/labels";
/// The labels of an organisation, which all of its repositories may use.
pub(in crate::tools) const ORGANISATION_LABELS: &str = "/orgs/{org}/labels";

const PER_PAGE: u32 = 50;
/// More labels than this are not read.
const PAGES: u32 = 20;

/// A label of the repository or of the organisation that owns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Label {
    pub(in crate::tools) id: u64,
    pub(in crate::tools) name: String,
    pub(in crate::tools) organisation: bool,
    /// Gitea accepts several labels of one name.
    pub(in crate::tools) ambiguous: bool,
    /// Retired. Gitea brings it back with a change that does not say so again.
    pub(in crate::tools) archived: bool,
}

/// What the wanted names are.
#[derive(Debug, Default)]
pub(in crate::tools) struct Resolved {
    pub(in crate::tools) labels: Vec<Label>,
    /// Not among the repository's labels, and the organisation's cannot be read with this token.
    pub(in crate::tools) unresolved: Vec<String>,
}

/// A search under way: the first page is asked for before anybody waits.
pub(in crate::tools) struct LabelSearch<'s> {
    repo: &'s Repo,
    wanted: &'s [String],
    first: Started,
}

/// What is known of the organisation's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Organisation {
    Read,
    None,
    Unreadable,
}

impl<'s> LabelSearch<'s> {
    /// Start it, where names are wanted at all.
    pub(in crate::tools) fn start(
        reader: &Reader<'_>,
        repo: &'s Repo,
        wanted: Option<&'s Labels>,
    ) -> Result<Option<Self>, Error> {
        let Some(wanted) = wanted.filter(|labels| !labels.0.is_empty()) else {
            return Ok(None);
        };
        Ok(Some(Self { repo, wanted: &wanted.0, first: reader.start(repository_page(repo, 1))? }))
    }

    /// Refuse a name that no label bears in any case. Nothing is said of one that only labels which cannot be read with
    /// this token may bear.
    pub(in crate::tools) fn exist(self, reader: &Reader<'_>) -> Result<(), Error> {
        let (repo, wanted) = (self.repo, self.wanted);
        let (known, organisation) = self.known(reader)?;
        let bears = |label: &Label, name: &str| label.name.to_lowercase() == name.to_lowercase();
        let missing = wanted.iter().find(|name| !known.iter().any(|label| bears(label, name)));
        match missing {
            Some(name) if organisation != Organisation::Unreadable => Err(unknown(repo, name, &known)),
            Some(_) | None => Ok(()),
        }
    }

    /// The labels of the repository, and of its organisation where some name is not among them.
    fn known(self, reader: &Reader<'_>) -> Result<(Vec<Label>, Organisation), Error> {
        let Self { repo, wanted, first } = self;
        let mut known = all_pages(reader, first.finish()?, false, |page| repository_page(repo, page))?;
        let mut organisation = Organisation::None;
        if !wanted.iter().all(|name| known.iter().any(|label| label.name == *name)) {
            organisation = organisation_labels(reader, repo, &mut known)?;
        }
        Ok((known, organisation))
    }

    /// Resolve all names: the exact spelling first, then any case where that is one label.
    pub(in crate::tools) fn finish(self, reader: &Reader<'_>) -> Result<Resolved, Error> {
        let (repo, wanted) = (self.repo, self.wanted);
        let (known, organisation) = self.known(reader)?;
        let mut resolved = Resolved::default();
        for name in wanted {
            match (pick(&known, name)?, &organisation) {
                (Some(label), _) => resolved.labels.push(label),
                (None, Organisation::Unreadable) => resolved.unresolved.push(name.clone()),
                (None, Organisation::Read | Organisation::None) => return Err(unknown(repo, name, &known)),
            }
        }
        Ok(resolved)
    }
}

impl Resolved {
    /// Refuse names that could not be looked up everywhere.
    pub(in crate::tools) fn all(self, repo: &Repo) -> Result<Vec<Label>, Error> {
        match self.unresolved.first() {
            None => Ok(self.labels),
            Some(name) => Err(Error::Unprocessable {
                reason: "unknown_label",
                message: format!(
                    "{}/{} has no label `{name}`, and the labels of its organisation cannot be read with this \
                     token (it needs read:organization).",
                    repo.owner, repo.repo
                ),
            }),
        }
    }
}

fn pick(known: &[Label], name: &str) -> Result<Option<Label>, Error> {
    let exact = known.iter().filter(|label| label.name == name);
    if let Some(label) = exact.clone().next() {
        return Ok(Some(Label { ambiguous: exact.count() > 1, ..label.clone() }));
    }
    let lower = name.to_lowercase();
    let mut spelled: Vec<&Label> = known.iter().filter(|label| label.name.to_lowercase() == lower).collect();
    spelled.dedup_by(|one, other| one.name == other.name);
    match spelled.as_slice() {
        [] => Ok(None),
        [one] => {
            let ambiguous = known.iter().filter(|label| label.name == one.name).count() > 1;
            Ok(Some(Label { ambiguous, ..(*one).clone() }))
        }
        several => Err(Error::Unprocessable {
            reason: "ambiguous_label",
            message: format!(
                "Several labels are called `{name}` but for case: {}. Use the exact spelling.",
                several.iter().map(|label| format!("`{}`", label.name)).collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

fn unknown(repo: &Repo, name: &str, known: &[Label]) -> Error {
    let hint = near::hint(name, known.iter().map(|label| label.name.as_str()));
    Error::Unprocessable {
        reason: "unknown_label",
        message: format!("{}/{} has no label `{name}`. {hint}", repo.owner, repo.repo),
    }
}

pub(super) fn organisation_labels(
    reader: &Reader<'_>,
    repo: &Repo,
    known: &mut Vec<Label>,
) -> Result<Organisation, Error> {
    let page = |page| {
        Call::to(ORGANISATION_LABELS).segment(&repo.owner).query("page", page).query("limit", PER_PAGE)
    };
    match reader.get(page(1)) {
        Ok(first) => {
            known.extend(all_pages(reader, first, true, page)?);
            Ok(Organisation::Read)
        }
        // The owner is a user.
        Err(GiteaError::NotFound { .. }) => Ok(Organisation::None),
        Err(GiteaError::Forbidden { .. }) => Ok(Organisation::Unreadable),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn repository_page(repo: &Repo, page: u32) -> Call {
    call(repo, REPOSITORY_LABELS).query("page", page).query("limit", PER_PAGE)
}

pub(super) fn all_pages(
    reader: &Reader<'_>,
    first: Answer,
    organisation: bool,
    call: impl Fn(u32) -> Call,
) -> Result<Vec<Label>, Error> {
    let mut labels = Vec::new();
    let mut answer = first;
    for page in 2..=PAGES.saturating_add(1) {
        let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
        labels.extend(rows.iter().filter_map(|row| label(row, organisation)));
        // The server may use smaller pages than asked for: the rows that came count, not the limit.
        let read = u64::try_from(labels.len()).unwrap_or(u64::MAX);
        if rows.is_empty() || answer.total().is_none_or(|total| read >= total) {
            return Ok(labels);
        }
        if page <= PAGES {
            answer = reader.get(call(page))?;
        }
    }
    Ok(labels)
}

fn label(row: &Value, organisation: bool) -> Option<Label> {
    let id = row.get("id")?.as_u64()?;
    let name = row.get("name")?.as_str()?.to_owned();
    let archived = row.get("is_archived").and_then(Value::as_bool).unwrap_or(false);
    Some(Label { id, name, organisation, ambiguous: false, archived })
}
