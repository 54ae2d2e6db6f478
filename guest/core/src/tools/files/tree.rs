//! The entries of a repository at a commit.

use serde_json::{Map, Value};

use crate::access::Reader;
use crate::gitea;
use crate::reply::Reply;
use crate::tools::args::{EntryPage, Flag, Ref, Repo};
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;
use crate::tools::paging::{self, HAS_NEXT, HIDDEN, PAGE, TOTAL};

pub(super) const GET_FILE_TREE: &dyn Entry = read::<GetFileTree>();

/// Entries that Gitea gives at once; the last page of more is reached page by page.
const GITEA_PAGE: u32 = 1000;
const TREE: &str = "/repos/{owner}/{repo}/git/trees/{sha}";

tool! {
    /// List files and directories, without what the policy hides.
    "get_file_tree" ("Get file tree") => struct GetFileTree {
        repo: Repo,
        reference: Option<Ref>,
        /// Also what is in directories. Without it, the top level.
        recursive: Option<Flag>,
        page: EntryPage,
    }
}

impl ReadTool for GetFileTree {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("commit", Kind::Text, "The commit that was read, in full."),
        Key::own("entries", Kind::Each(&ENTRY), "The entries of this page, by path."),
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[lookup::COMMITS, TREE];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let commit = lookup::commit(gitea, &self.repo, self.reference.as_ref())?;
        let (page, limit) = (self.page.page, paging::limit(gitea, self.page).min(GITEA_PAGE));
        let mut request =
            lookup::call(&self.repo, TREE).segment(&commit).query("page", page).query("per_page", limit);
        if self.recursive == Some(Flag(true)) {
            request = request.query("recursive", true);
        }
        let answer = gitea.get(request).map_err(|error| no_tree(error, &self.repo, &commit))?;
        let has_next = answer.body.get("truncated").and_then(Value::as_bool).unwrap_or(false);
        // Past the end the list is null.
        let rows = answer.body.get("tree").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let shown: Vec<Value> = rows.iter().filter_map(|row| entry(gitea, row)).collect();
        let hidden = rows.len().saturating_sub(shown.len());
        let total = paging::total_of_one_page(page, has_next, shown.len());
        let reply = Reply::new()
            .with("commit", commit)
            .with("entries", shown)
            .with_some("hidden_by_policy", if hidden > 0 { Some(hidden) } else { None });
        Ok(paging::told(reply, page, paging::over(gitea, self.page), has_next, total))
    }
}

/// Gitea answers 400 to everything that goes wrong with a tree, even an unknown commit.
fn no_tree(error: gitea::Error, repo: &Repo, commit: &str) -> Error {
    let missing = || {
        format!(
            "{}/{} has no commit {commit}, or Gitea does not show it to this user.",
            repo.owner, repo.repo
        )
    };
    if matches!(error, gitea::Error::BadRequest { .. }) {
        return Error::NotFound { message: missing() };
    }
    Error::or_not_found(error, missing)
}

fn entry(gitea: &Reader<'_>, row: &Value) -> Option<Value> {
    // Gitea writes U+FFFD for what is not UTF-8: nobody can tell such a name, nor the policy judge it.
    let path = row.get("path")?.as_str().filter(|path| !path.contains(char::REPLACEMENT_CHARACTER))?;
    let kind = match (row.get("type")?.as_str()?, row.get("mode").and_then(Value::as_str)) {
        ("tree", _) => "directory",
        ("commit", _) => "submodule",
        (_, Some("120000")) => "symlink",
        _ => "file",
    };
    if !gitea.path_visible(path, kind == "directory") {
        return None;
    }
    let mut out: Map<String, Value> = ENTRY.of(row);
    out.insert("type".to_owned(), kind.into());
    if matches!(kind, "directory" | "submodule") {
        // Gitea says 0 where there is no size.
        out.remove("size");
    }
    Some(Value::Object(out))
}

const ENTRY: Shape = Shape(&[
    Key::pluck("path", "/path", Kind::Text, "Path from the root of the repository."),
    Key::own("type", Kind::Text, "file, directory, symlink or submodule."),
    Key::pluck("size", "/size", Kind::Number, "Size in bytes, of files and symlinks."),
    Key::pluck("mode", "/mode", Kind::Text, "Git's mode; 100755 is executable."),
    Key::pluck("sha", "/sha", Kind::Text, "Git's object id."),
]);
