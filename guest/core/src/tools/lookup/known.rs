//! All labels that a repository may use, for whoever makes or changes one. Gitea accepts a second label of the same
//! name, which then cannot be told from the first by anybody who names it.

use super::labels::{Label, Organisation, all_pages, organisation_labels, repository_page};
use super::near;
use crate::access::Reader;
use crate::gitea::Started;
use crate::tools::args::Repo;
use crate::tools::kit::Error;

/// The labels of a repository and of the organisation that owns it.
#[derive(Debug)]
pub(in crate::tools) struct Known {
    labels: Vec<Label>,
    organisation: Organisation,
}

impl Known {
    /// Ask for the first page, before anybody waits.
    pub(in crate::tools) fn start(reader: &Reader<'_>, repo: &Repo) -> Result<Started, Error> {
        Ok(reader.start(repository_page(repo, 1))?)
    }

    /// Read all of them. Where the organisation's cannot be read with this token, they are not among them.
    pub(in crate::tools) fn read(reader: &Reader<'_>, repo: &Repo, first: Started) -> Result<Self, Error> {
        let first = first.finish().map_err(|error| Error::or_not_found(error, || no_labels(repo)))?;
        let mut labels = all_pages(reader, first, false, |page| repository_page(repo, page))?;
        let organisation = organisation_labels(reader, repo, &mut labels)?;
        Ok(Self { labels, organisation })
    }

    /// The label of the repository that a name means: the exact spelling first, then any case where that is one.
    pub(in crate::tools) fn own(&self, repo: &Repo, name: &str) -> Result<&Label, Error> {
        let same = self.same(name);
        let own: Vec<&Label> = same.iter().filter(|label| !label.organisation).copied().collect();
        let exact: Vec<&Label> = own.iter().filter(|label| label.name == name).copied().collect();
        match (exact.as_slice(), own.as_slice()) {
            ([one], _) | ([], [one]) => Ok(one),
            ([], []) => Err(self.not_there(repo, name, !same.is_empty())),
            ([], several) | (several, _) => Err(ambiguous(repo, name, several)),
        }
    }

    /// Refuse a name that another label than `this` has already, in any case.
    pub(in crate::tools) fn free(&self, repo: &Repo, name: &str, this: Option<u64>) -> Result<(), Error> {
        let taken = self.same(name).into_iter().find(|label| Some(label.id) != this);
        let Some(taken) = taken else {
            return Ok(());
        };
        let message = if taken.organisation {
            format!(
                "The organisation {} has the label `{}`, which {}/{} can use as it is: a second one could not be \
                 told from it.",
                repo.owner, taken.name, repo.owner, repo.repo
            )
        } else {
            format!(
                "{}/{} has the label `{}` already. Use it, change it with update_label, or take another name.",
                repo.owner, repo.repo, taken.name
            )
        };
        Err(Error::Conflict { reason: "label_exists", message })
    }

    /// The labels of this name but for case and blanks around it.
    fn same(&self, name: &str) -> Vec<&Label> {
        let plain = |name: &str| name.trim().to_lowercase();
        let wanted = plain(name);
        self.labels.iter().filter(|label| plain(&label.name) == wanted).collect()
    }

    fn not_there(&self, repo: &Repo, name: &str, of_organisation: bool) -> Error {
        if of_organisation {
            return Error::Unprocessable {
                reason: "organisation_label",
                message: format!(
                    "`{name}` is a label of the organisation {}, not of {}/{}: it is changed in the settings of \
                     the organisation in Gitea, for all of its repositories.",
                    repo.owner, repo.owner, repo.repo
                ),
            };
        }
        let own = self.labels.iter().filter(|label| !label.organisation).map(|label| label.name.as_str());
        let unread = if self.organisation == Organisation::Unreadable {
            " The labels of its organisation cannot be read with this token, and are not changed here."
        } else {
            ""
        };
        Error::Unprocessable {
            reason: "unknown_label",
            message: format!(
                "{}/{} has no label `{name}`. {}{unread}",
                repo.owner,
                repo.repo,
                near::hint(name, own)
            ),
        }
    }
}

fn ambiguous(repo: &Repo, name: &str, several: &[&Label]) -> Error {
    let listed: Vec<String> =
        several.iter().map(|label| format!("`{}` (id {})", label.name, label.id)).collect();
    let same_spelling = several.iter().all(|label| label.name == name);
    let advice = if same_spelling {
        "Rename or remove all but one of them in Gitea first."
    } else {
        "Use the exact spelling of one."
    };
    Error::Unprocessable {
        reason: "ambiguous_label",
        message: format!(
            "{}/{} has several labels that `{name}` could mean: {}. {advice}",
            repo.owner,
            repo.repo,
            listed.join(", ")
        ),
    }
}

/// What a 404 on the labels of a repository means.
pub(in crate::tools) fn no_labels(repo: &Repo) -> String {
    format!(
        "There is no repository {}/{}, its issues and pull requests are turned off, or Gitea does not show them \
         to this user.",
        repo.owner, repo.repo
    )
}
