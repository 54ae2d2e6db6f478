//! The folder that Gitea puts around everything in an archive: which of the archive's names begin with it.
//!
//! It bears the repository's name in lower case, and Gitea's operator can turn it off. Were it taken for one that the
//! repository itself has, or the other way round, the policy would judge wrong paths. So what the commit holds at its
//! top is asked for, and where that has a directory of the same name, what this one holds too: the first name in the
//! archive then tells, unless it could be either.

use std::collections::HashSet;

use serde_json::Value;

use super::TREE;
use crate::access::Reader;
use crate::gitea::{self, Started};
use crate::tools::args::Repo;
use crate::tools::lookup;

/// Entries of a directory that are asked for at once.
const PAGE: u32 = 1000;
/// Requests for the entries of one directory.
const PAGES: u32 = 10;

/// Whether the folder is around, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Around {
    Unknown,
    Yes,
    No,
}

/// How names are read.
#[derive(Debug)]
pub(super) struct Folder {
    /// With a slash at its end.
    name: String,
    /// What the commit holds at its top.
    top: HashSet<String>,
    /// What its own directory of the folder's name holds, if it has one.
    inside: Option<HashSet<String>>,
    around: Around,
}

/// Nobody can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistakable;

/// The request that [`Folder::of`] waits for.
pub(super) fn ask(reader: &Reader<'_>, repo: &Repo, id: &str) -> Result<Started, gitea::Error> {
    page(reader, repo, id, 1)
}

fn page(reader: &Reader<'_>, repo: &Repo, id: &str, page: u32) -> Result<Started, gitea::Error> {
    reader.start(lookup::call(repo, TREE).segment(id).query("page", page).query("per_page", PAGE))
}

/// One entry of a directory.
struct Row {
    name: String,
    /// Its id, where it is a directory.
    directory: Option<String>,
}

impl Folder {
    /// Learn what has to be known of a commit. `Err` within says why the archive cannot be read.
    pub(super) fn of(
        reader: &Reader<'_>,
        repo: &Repo,
        commit: &str,
        top: Started,
    ) -> Result<Result<Self, String>, gitea::Error> {
        let name = repo.repo.to_lowercase();
        let Some(rows) = all(reader, repo, commit, top)? else {
            return Ok(Err(format!(
                "the repository has more than {} entries at its top, so that the names in its archive cannot be \
                 told for sure",
                PAGE.saturating_mul(PAGES)
            )));
        };
        let same = rows.iter().find(|row| row.name == name).and_then(|row| row.directory.clone());
        let inside = match same {
            Some(id) => match all(reader, repo, &id, page(reader, repo, &id, 1)?)? {
                Some(rows) => Some(names(rows)),
                None => return Ok(Err(mistakable(&name))),
            },
            None => None,
        };
        Ok(Ok(Self { name: format!("{name}/"), top: names(rows), inside, around: Around::Unknown }))
    }

    /// Why an archive with a mistakable name is not read.
    pub(super) fn why_mistakable(&self) -> String {
        mistakable(self.name.trim_end_matches('/'))
    }

    /// The path within the repository; nothing where the name is none that Git would have written.
    ///
    /// # Errors
    /// It cannot be told whether the name begins with the folder.
    pub(super) fn path<'n>(&mut self, name: &'n str) -> Result<Option<&'n str>, Mistakable> {
        if self.around == Around::Unknown {
            self.around = self.look(name)?;
        }
        let path = match self.around {
            Around::Yes => name.strip_prefix(self.name.as_str()),
            Around::No => Some(name),
            Around::Unknown => None,
        };
        Ok(path.filter(|path| is_clean(path)))
    }

    /// What a name tells.
    fn look(&self, name: &str) -> Result<Around, Mistakable> {
        let Some(rest) = name.strip_prefix(self.name.as_str()) else {
            return if self.top.contains(first(name)) { Ok(Around::No) } else { Err(Mistakable) };
        };
        let Some(inside) = &self.inside else { return Ok(Around::Yes) };
        let first = first(rest);
        match (first, self.top.contains(first), inside.contains(first)) {
            // The folder itself, or the directory.
            ("", ..) => Ok(Around::Unknown),
            (_, true, false) => Ok(Around::Yes),
            (_, false, true) => Ok(Around::No),
            _ => Err(Mistakable),
        }
    }
}

fn mistakable(name: &str) -> String {
    format!(
        "the repository has a directory `{name}` that cannot be told from the folder `{name}` around its archive"
    )
}

fn first(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

fn is_clean(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn names(rows: Vec<Row>) -> HashSet<String> {
    rows.into_iter().map(|row| row.name).collect()
}

/// Every entry of a directory; nothing where there are too many.
fn all(
    reader: &Reader<'_>,
    repo: &Repo,
    id: &str,
    started: Started,
) -> Result<Option<Vec<Row>>, gitea::Error> {
    let mut rows = Vec::new();
    let mut answer = started.finish()?.body;
    for next in 2..=PAGES.saturating_add(1) {
        rows.extend(answer.get("tree").and_then(Value::as_array).into_iter().flatten().filter_map(row));
        // What says nothing of more has more.
        if answer.get("truncated").and_then(Value::as_bool) == Some(false) {
            return Ok(Some(rows));
        }
        if next > PAGES {
            break;
        }
        answer = page(reader, repo, id, next)?.finish()?.body;
    }
    Ok(None)
}

fn row(row: &Value) -> Option<Row> {
    let text = |name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let directory = text("sha").filter(|_| row.get("type").and_then(Value::as_str) == Some("tree"));
    Some(Row { name: text("path")?, directory })
}

#[cfg(test)]
mod tests {
    use super::{Around, Folder, Mistakable};

    fn folder(top: &[&str], inside: Option<&[&str]>) -> Folder {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Folder {
            name: "site/".to_owned(),
            top: names(top),
            inside: inside.map(names),
            around: Around::Unknown,
        }
    }

    #[test]
    fn paths_lose_the_folder_and_nothing_else() {
        for (name, expected) in [
            ("site/src/main.rs", Some("src/main.rs")),
            ("site/site/x", Some("site/x")),
            ("site/", None),
            ("src/x", None),
            ("site//x", None),
            ("site/../x", None),
            ("site/./x", None),
            ("site/x/", None),
            ("site/a\0b", None),
        ] {
            let mut folder = folder(&["src"], None);
            assert_eq!(folder.path("site/"), Ok(None));
            assert_eq!(folder.path(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn without_the_folder_names_are_paths() {
        let mut folder = folder(&["src", "x"], None);
        assert_eq!(folder.path("src/main.rs"), Ok(Some("src/main.rs")));
        assert_eq!(folder.path("site/x"), Ok(Some("site/x")));
        assert_eq!(folder.path("/x"), Ok(None));
    }

    #[test]
    fn a_directory_of_the_same_name_is_told_by_what_is_in_it() {
        let known = || folder(&["README", "site", "both"], Some(&["app", "both"]));
        let mut around = known();
        assert_eq!(around.path("site/"), Ok(None));
        assert_eq!(around.path("site/README"), Ok(Some("README")));
        assert_eq!(around.path("site/both"), Ok(Some("both")));
        assert_eq!(around.path("site/site/app"), Ok(Some("site/app")));
        let mut bare = known();
        assert_eq!(bare.path("README"), Ok(Some("README")));
        assert_eq!(bare.path("site/app"), Ok(Some("site/app")));
        let mut bare = known();
        assert_eq!(bare.path("site/app"), Ok(Some("site/app")), "README may be missing in an archive");
        assert_eq!(known().path("site/both"), Err(Mistakable));
        assert_eq!(known().path("site/neither"), Err(Mistakable));
        assert_eq!(known().path("other/README"), Err(Mistakable), "the folder has another name");
    }
}
