//! Releases: list, read, make, change. Tags without a release are no releases, and files are neither put to one nor
//! read from it.

mod create;
mod edit;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::applied::{self, NOT_APPLIED};
use super::args::{Flag, FreeText, Page, ReleaseId, Repo, ShortText, TagName, TagTarget};
use super::kit::{Entry, Error, Hints, Key, Kind, ReadTool, Shape, WriteTool, read, tool, write};
use super::lookup;
use super::paging::{self, HAS_NEXT, PAGE, TOTAL};
use crate::access::{Reader, Writer};
use crate::gitea::{self, Error as GiteaError, Write};
use crate::reply::Reply;

pub(super) const TOOLS: &[&dyn Entry] = &[
    read::<ListReleases>(),
    read::<GetRelease>(),
    read::<GetLatestRelease>(),
    write::<CreateRelease>(),
    write::<EditRelease>(),
];

const RELEASES: &str = "/repos/{owner}/{repo}/releases";
const RELEASE_BY_ID: &str = "/repos/{owner}/{repo}/releases/{id}";
const RELEASE_BY_TAG: &str = "/repos/{owner}/{repo}/releases/tags/{tag}";
const LATEST_RELEASE: &str = "/repos/{owner}/{repo}/releases/latest";

tool! {
    /// List releases, newest first, without their notes. Only those who may write see drafts.
    "list_releases" ("List releases") => struct ListReleases {
        repo: Repo,
        page: Page,
    }
}

impl ReadTool for ListReleases {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own(
            "releases",
            Kind::Each(&RELEASE_LINE),
            "The releases of this page; get_release reads the notes.",
        ),
        PAGE,
        HAS_NEXT,
        TOTAL,
    ]);
    const READS: &'static [&'static str] = &[RELEASES, lookup::REPOSITORY, paging::SETTINGS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let what = || format!("Gitea shows no releases of {} to this user.", name(&self.repo));
        let found = paging::rows(gitea, self.page, || lookup::call(&self.repo, RELEASES))
            .map_err(|error| absent(gitea, &self.repo, error, what))?;
        Ok(found.told(Reply::new().with("releases", RELEASE_LINE.each(&found.rows))))
    }
}

tool! {
    /// Read one release with its notes and files.
    "get_release" ("Get release") => struct GetRelease {
        repo: Repo,
        /// Id from list_releases; not the tag.
        release_id: ReleaseId,
    }
}

impl ReadTool for GetRelease {
    const ANSWER: &'static Shape = &Shape(&[Key::own("release", Kind::Object(&RELEASE), "The release.")]);
    const READS: &'static [&'static str] = &[RELEASE_BY_ID, lookup::REPOSITORY];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let request = lookup::call(&self.repo, RELEASE_BY_ID).segment(self.release_id.0);
        let what = || no_release(&self.repo, self.release_id);
        let answer = gitea.get(request).map_err(|error| absent(gitea, &self.repo, error, what))?;
        Ok(Reply::new().with("release", RELEASE.of(&answer.body)))
    }
}

tool! {
    /// Read the newest release that is neither draft nor prerelease.
    "get_latest_release" ("Get latest release") => struct GetLatestRelease {
        repo: Repo,
    }
}

impl ReadTool for GetLatestRelease {
    const ANSWER: &'static Shape = &Shape(&[Key::own("release", Kind::Object(&RELEASE), "The release.")]);
    const READS: &'static [&'static str] = &[LATEST_RELEASE, lookup::REPOSITORY];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let what = || {
            format!(
                "{} has no release that is neither draft nor prerelease; list_releases shows which there are.",
                name(&self.repo)
            )
        };
        let answer = gitea
            .get(lookup::call(&self.repo, LATEST_RELEASE))
            .map_err(|error| absent(gitea, &self.repo, error, what))?;
        Ok(Reply::new().with("release", RELEASE.of(&answer.body)))
    }
}

tool! {
    /// Make a release. Its tag is put on `target` where there is none yet; for a draft, only once it is published.
    "create_release" ("Create release") => struct CreateRelease {
        repo: Repo,
        /// Its tag, new or existing.
        tag_name: TagName,
        /// Title.
        name: Option<ShortText>,
        /// Notes, in Markdown.
        body: Option<FreeText>,
        /// Unpublished.
        draft: Option<Flag>,
        /// Not for everyday use.
        prerelease: Option<Flag>,
        /// Branch, tag or commit for a new tag; default branch.
        target: Option<TagTarget>,
    }
}

impl WriteTool for CreateRelease {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("release", Kind::Object(&WRITTEN), "The new release."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, RELEASE_BY_TAG, lookup::COMMITS];
    const WRITES: &'static [&'static Write] = &[gitea::CREATE_RELEASE];
    const HINTS: Hints = Hints::ADDS;

    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error> {
        create::create(&self, gitea)
    }
}

tool! {
    /// Change a release. `draft: false` publishes it, which makes its tag. Name and notes can be replaced, not
    /// cleared.
    "edit_release" ("Edit release") => struct EditRelease {
        repo: Repo,
        /// Id from list_releases; not the tag.
        release_id: ReleaseId,
        /// New title.
        name: Option<ShortText>,
        /// New notes, in Markdown.
        body: Option<FreeText>,
        /// Unpublished.
        draft: Option<Flag>,
        /// Not for everyday use.
        prerelease: Option<Flag>,
    }
}

impl WriteTool for EditRelease {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("release", Kind::Object(&WRITTEN), "The release as it is now."), NOT_APPLIED]);
    const READS: &'static [&'static str] = &[lookup::REPOSITORY, RELEASE_BY_ID, lookup::COMMITS];
    const WRITES: &'static [&'static Write] = &[gitea::EDIT_RELEASE];
    const HINTS: Hints = Hints::REPLACES;

    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error> {
        edit::edit(&self, gitea)
    }
}

/// The texts and flags that a release is to have. What is not named stays as Gitea has it.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    name: Option<&'a str>,
    body: Option<&'a str>,
    draft: Option<bool>,
    prerelease: Option<bool>,
}

impl Wanted<'_> {
    fn put_into(&self, request: &mut Value) {
        let fields: [(&str, Option<Value>); 4] = [
            ("name", self.name.map(Value::from)),
            ("body", self.body.map(Value::from)),
            ("draft", self.draft.map(Value::from)),
            ("prerelease", self.prerelease.map(Value::from)),
        ];
        for (field, value) in fields {
            if let (Some(object), Some(value)) = (request.as_object_mut(), value) {
                object.insert(field.to_owned(), value);
            }
        }
    }

    fn compare(&self, release: &Value, not_applied: &mut Vec<Value>) {
        for (field, wanted) in [("name", self.name), ("body", self.body)] {
            if let Some(wanted) = wanted {
                applied::same_text(release, field, wanted, not_applied);
            }
        }
        for (field, wanted) in [("draft", self.draft), ("prerelease", self.prerelease)] {
            if let Some(wanted) = wanted {
                applied::same_flag(release, field, wanted, not_applied);
            }
        }
    }
}

/// Refuse a repository that is archived (Gitea fails with a 500 there), empty, or has no releases.
fn releasable(repository: gitea::Started, repo: &Repo) -> Result<(), Error> {
    let found = applied::writable(repository, repo)?;
    let is = |field: &str, value: bool| found.get(field).and_then(Value::as_bool) == Some(value);
    if is("has_releases", false) {
        return Err(Error::Conflict { reason: "releases_disabled", message: turned_off(repo) });
    }
    if is("empty", true) {
        return Err(Error::Conflict {
            reason: "repository_empty",
            message: format!("{} is empty: there is no commit that a tag could be put on.", name(repo)),
        });
    }
    Ok(())
}

/// What a 404 below the releases means: Gitea says the same for a repository, for its releases and for one of them.
fn absent(reader: &Reader<'_>, repo: &Repo, error: GiteaError, what: impl FnOnce() -> String) -> Error {
    if !matches!(error, GiteaError::NotFound { .. }) {
        return error.into();
    }
    match reader.get(lookup::call(repo, lookup::REPOSITORY)) {
        Ok(found) if found.body.get("has_releases").and_then(Value::as_bool) == Some(false) => {
            Error::NotFound { message: turned_off(repo) }
        }
        Ok(_) => Error::NotFound { message: what() },
        Err(error) => Error::or_not_found(error, || lookup::unseen(repo)),
    }
}

fn turned_off(repo: &Repo) -> String {
    format!("Releases are turned off in {}.", name(repo))
}

fn no_release(repo: &Repo, id: ReleaseId) -> String {
    format!(
        "{} has no release with the id {}, or it is a draft that this user may not see. list_releases shows the \
         ids.",
        name(repo),
        id.0
    )
}

fn name(repo: &Repo) -> String {
    format!("{}/{}", repo.owner, repo.repo)
}

/// The commit that a full ref (`refs/tags/v1`) stands for; none where there is no such ref.
fn commit_of(started: gitea::Started) -> Result<Option<String>, Error> {
    match started.finish() {
        Ok(answer) => Ok(answer.body.pointer("/0/sha").and_then(Value::as_str).map(str::to_owned)),
        Err(GiteaError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn start_ref(reader: &Reader<'_>, repo: &Repo, full: &str) -> Result<gitea::Started, Error> {
    Ok(reader.start(lookup::newest(repo).query("sha", full))?)
}

const RELEASE_LINE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("tag_name", "/tag_name", Kind::Text, "Its tag."),
    Key::pluck("name", "/name", Kind::Text, "Title."),
    Key::pluck("draft", "/draft", Kind::Flag, "Not published."),
    Key::pluck("prerelease", "/prerelease", Kind::Flag, "Not for everyday use."),
    Key::pluck("author", "/author/login", Kind::Text, "Who made it."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was made."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const RELEASE: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("tag_name", "/tag_name", Kind::Text, "Its tag."),
    Key::pluck(
        "target_commitish",
        "/target_commitish",
        Kind::Text,
        "Branch or commit that the tag was, or will be, put on.",
    ),
    Key::pluck("name", "/name", Kind::Text, "Title."),
    Key::pluck("body", "/body", Kind::Text, "Notes, in Markdown."),
    Key::pluck("draft", "/draft", Kind::Flag, "Not published."),
    Key::pluck("prerelease", "/prerelease", Kind::Flag, "Not for everyday use."),
    Key::pluck("author", "/author/login", Kind::Text, "Who made it."),
    Key::pluck("created_at", "/created_at", Kind::Time, "When it was made."),
    Key::pluck("assets", "/assets", Kind::Each(&ASSET), "Its files."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);

const ASSET: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("name", "/name", Kind::Text, "File name."),
    Key::pluck("size", "/size", Kind::Number, "Bytes."),
    Key::pluck("download_count", "/download_count", Kind::Number, "How often it was downloaded."),
]);

const WRITTEN: Shape = Shape(&[
    Key::pluck("id", "/id", Kind::Number, "Gitea's id."),
    Key::pluck("tag_name", "/tag_name", Kind::Text, "Its tag."),
    Key::pluck(
        "target_commitish",
        "/target_commitish",
        Kind::Text,
        "Branch or commit that the tag was, or will be, put on.",
    ),
    Key::pluck("name", "/name", Kind::Text, "Title."),
    Key::pluck("draft", "/draft", Kind::Flag, "Not published."),
    Key::pluck("prerelease", "/prerelease", Kind::Flag, "Not for everyday use."),
    Key::pluck("html_url", "/html_url", Kind::Text, "Its page in Gitea."),
]);
