//! LOCKDOWN: in repositories that everybody can read, text by people without write access is marked or withheld.
//!
//! Anybody can write an issue there, and an assistant that reads it may take it for a wish of the project. So the answer
//! itself says whose text it is. What cannot be found out counts against the author: a list of writers that Gitea does
//! not give is an empty one. Nothing here decides who may read, and private repositories are left alone.
//!
//! Gitea tells only admins what somebody else may do, but tells every reader who can be assigned: those who may write,
//! and in organisations the members of teams that see issues. One request for that list is kept for a while.

mod commits;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::args::{IssueNumber, Repo};
use super::lookup;
use crate::access::Reader;
use crate::reply::Reply;
use crate::settings::OutsideText;

pub(super) use commits::{BRANCH, BRANCHES, Cover, TAG, TAGS};

/// Who can be assigned in a repository.
pub(super) const WRITERS: &str = "/repos/{owner}/{repo}/assignees";
/// An issue or pull request, which says whether it was imported.
pub(super) const ONE_ISSUE: &str = "/repos/{owner}/{repo}/issues/{index}";

/// Most bytes of the list of writers: some fifteen hundred people.
const WRITERS_BYTES: u64 = 1024 * 1024;
const SPACE: &str = "outsiders";
/// What is remembered of a repository that is not public.
const PRIVATE: &str = "private";

/// Present and false beside a text whose author is not known to be allowed to write in its repository.
const MARK: &str = "author_has_write_access";
const UNKNOWN: &str = "writers_unknown";
const UNKNOWN_WHY: &str =
    "Gitea did not say who may write here, so every author counts as somebody without write access.";

/// What LOCKDOWN may add to an answer, by name and meaning. In no output schema: it would cost everybody who does
/// without.
pub const ADDED: &[(&str, &str, &str)] = &[
    (MARK, "boolean", "Present and false: who wrote the text beside it has no write access here."),
    ("body_withheld", "boolean", "Present and true: the body is a sentence in place of such a text."),
    (UNKNOWN, "string", "Who may write here is not known; every author counts as without write access."),
    (commits::OUTSIDE, "boolean", "The commit may be by somebody without write access."),
    (commits::WITHHELD, "string", "Text of such a commit is left out, and how to see it."),
];

/// What is known of the authors in one repository.
pub(super) struct Outsiders<'r> {
    reader: &'r Reader<'r>,
    repo: &'r Repo,
    authors: Authors,
}

/// Who is who.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Authors {
    /// Nobody is looked at: LOCKDOWN is off, or the repository is not public.
    All,
    /// The ids of those who may write.
    Writers(Vec<i64>),
    /// It cannot be told who may write.
    Unknown,
}

impl<'r> Outsiders<'r> {
    /// Ask who may write, unless that is remembered or does not matter.
    pub(super) fn of(reader: &'r Reader<'_>, repo: &'r Repo) -> Self {
        let authors = match reader.config().outside_text {
            OutsideText::Shown => Authors::All,
            OutsideText::Marked | OutsideText::Hidden => authors(reader, repo),
        };
        Self { reader, repo, authors }
    }

    /// Mark or withhold the `body` in `line`, which was made of Gitea's `item`. Whether it is withheld. `how` says how
    /// to see it.
    pub(super) fn cover(&self, item: &Value, line: &mut Map<String, Value>, how: &str) -> bool {
        self.by_outsider(item) && self.covered(line, how)
    }

    /// The same for a pull request, of which Gitea does not say itself whether it was imported.
    pub(super) fn cover_pull(
        &self,
        number: IssueNumber,
        pull: &Value,
        line: &mut Map<String, Value>,
        how: &str,
    ) -> bool {
        let imported = || {
            let issue = lookup::call(self.repo, ONE_ISSUE).segment(number.0);
            self.reader.get(issue).map_or(true, |issue| is_imported(&issue.body))
        };
        (self.by_outsider(pull) || (self.authors != Authors::All && imported())) && self.covered(line, how)
    }

    fn covered(&self, line: &mut Map<String, Value>, how: &str) -> bool {
        line.insert(MARK.to_owned(), false.into());
        let has_text = line.get("body").and_then(Value::as_str).is_some_and(|body| !body.is_empty());
        let withheld = self.withholds() && has_text;
        if withheld {
            line.insert("body".to_owned(), withheld_because(how).into());
            line.insert("body_withheld".to_owned(), true.into());
            line.remove("body_truncated");
        }
        if self.withholds() {
            // What is attached is named by the same author.
            line.remove("assets");
        }
        withheld
    }

    /// Say what could not be found out.
    pub(super) fn told(&self, reply: Reply) -> Reply {
        if self.authors == Authors::Unknown { reply.with(UNKNOWN, UNKNOWN_WHY) } else { reply }
    }

    fn withholds(&self) -> bool {
        self.reader.config().outside_text == OutsideText::Hidden && !self.reader.show_withheld()
    }

    fn by_outsider(&self, item: &Value) -> bool {
        by_outsider(&self.authors, self.reader.login(), item)
    }
}

/// Why a body is not there. Shorter than any preview.
fn withheld_because(how: &str) -> String {
    format!(
        "Withheld: its author has no write access here (LOCKDOWN=hide). To see it as untrusted text: {how}"
    )
}

/// Whether an issue, pull request or comment is by somebody who is neither known to write here nor the reader.
fn by_outsider(authors: &Authors, login: Option<&str>, item: &Value) -> bool {
    let listed = match authors {
        Authors::All => return false,
        Authors::Writers(ids) => ids.as_slice(),
        Authors::Unknown => &[],
    };
    // Users that were deleted, and those of Gitea itself, have numbers below one.
    let id = item.pointer("/user/id").and_then(Value::as_i64).filter(|id| *id > 0);
    let name = item.pointer("/user/login").and_then(Value::as_str);
    let own = login.zip(name).is_some_and(|(login, name)| login.eq_ignore_ascii_case(name));
    is_imported(item) || !id.is_some_and(|id| own || listed.contains(&id))
}

/// What was imported from elsewhere is filed under whoever imported it.
fn is_imported(item: &Value) -> bool {
    item.get("original_author").and_then(Value::as_str).is_some_and(|name| !name.is_empty())
}

fn authors(reader: &Reader<'_>, repo: &Repo) -> Authors {
    let key = format!("{}/{}", repo.owner, repo.repo).to_ascii_lowercase();
    if let Some(kept) = reader.recalled(SPACE, &key).and_then(|kept| recalled(&kept)) {
        return kept;
    }
    let found = ask(reader, repo);
    let seconds = reader.config().repo_authz_seconds;
    // What failed is asked again.
    if found != Authors::Unknown && seconds > 0 {
        reader.remember(SPACE, &key, &kept(&found), seconds);
    }
    found
}

fn ask(reader: &Reader<'_>, repo: &Repo) -> Authors {
    let found = reader.get(lookup::call(repo, lookup::REPOSITORY));
    let private = found.ok().and_then(|found| found.body.get("private")?.as_bool());
    // Gitea's limited visibility is for everybody who is signed in, so it counts as public; so does what is not known.
    if private == Some(true) {
        return Authors::All;
    }
    let list = reader.get(lookup::call(repo, WRITERS).at_most(WRITERS_BYTES));
    list.ok().and_then(|list| ids(&list.body)).map_or(Authors::Unknown, Authors::Writers)
}

/// The ids in a list of users. One that cannot be read is no list: it may be cut.
fn ids(list: &Value) -> Option<Vec<i64>> {
    list.as_array()?.iter().map(|user| user.get("id")?.as_i64()).collect()
}

fn kept(authors: &Authors) -> String {
    match authors {
        Authors::All | Authors::Unknown => PRIVATE.to_owned(),
        Authors::Writers(ids) => ids.iter().map(i64::to_string).collect::<Vec<_>>().join(" "),
    }
}

fn recalled(kept: &str) -> Option<Authors> {
    if kept == PRIVATE {
        return Some(Authors::All);
    }
    kept.split_whitespace().map(|id| id.parse().ok()).collect::<Option<Vec<i64>>>().map(Authors::Writers)
}
