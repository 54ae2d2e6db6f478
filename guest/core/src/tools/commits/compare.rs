//! What lies between two commits.
//!
//! The changes are those that the head brought since both parted, as a pull request shows them. Gitea before
//! 1.27 cannot tell them as text and silently answers with JSON instead; there the changes of each commit are
//! shown one after the other, which is said, since a line may come and go again.

use serde_json::Value;

use super::patches::{FILES, HIDDEN, Patches, asked};
use super::{diff, log};
use crate::access::Reader;
use crate::gitea;
use crate::reply::Reply;
use crate::tools::args::{Page, Repo, Revision};
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;
use crate::tools::outsiders::{self, Cover};
use crate::tools::paging::{HAS_NEXT, PAGE, TOTAL};

pub(super) const COMPARE_REFS: &dyn Entry = read::<CompareRefs>();

/// `{range}` is `base...head`, both as full ids.
const COMPARE: &str = "/repos/{owner}/{repo}/compare/{range}";
/// Most commits that are listed, and whose changes are shown one by one where Gitea cannot compare.
const COMMITS_SHOWN: u32 = 20;
/// Diffs of commits that are under way at once.
const AT_ONCE: usize = 4;

tool! {
    /// Compare branches, tags or commits: what head has and base lacks, by commit and by file.
    "compare_refs" ("Compare refs") => struct CompareRefs {
        repo: Repo,
        /// Branch, tag or commit id to start from.
        base: Revision,
        /// What to compare with it.
        head: Revision,
        page: Page,
    }
}

impl ReadTool for CompareRefs {
    const ANSWER: &'static Shape = &Shape(&[
        Key::own("base_commit", Kind::Text, "The commit that base names, in full."),
        Key::own("head_commit", Kind::Text, "The commit that head names, in full."),
        Key::own("total_commits", Kind::Number, "How many commits head has and base lacks."),
        Key::own("commits", Kind::Each(&BETWEEN), "The newest of them, at most 20; on the first page only."),
        FILES,
        PAGE,
        HAS_NEXT,
        TOTAL,
        HIDDEN,
    ]);
    const READS: &'static [&'static str] = &[
        lookup::COMMITS,
        COMPARE,
        super::COMMIT_DIFF,
        lookup::REPOSITORY,
        outsiders::WRITERS,
        outsiders::BRANCH,
        outsiders::BRANCHES,
        outsiders::TAG,
        outsiders::TAGS,
    ];
    const ONE_ITEM: bool = true;

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let base = lookup::commit(gitea, &self.repo, Some(&self.base.0))?;
        let head = lookup::commit(gitea, &self.repo, Some(&self.head.0))?;
        if base == head {
            let mut reply =
                Reply::new().with("base_commit", base).with("head_commit", head).with("total_commits", 0);
            if self.page.page == 1 {
                reply = reply.with("commits", Vec::<Value>::new());
            }
            return Ok(Patches::new(gitea, self.page).told(reply, None));
        }
        let range = format!("{base}...{head}");
        let text = gitea.start(asked(
            lookup::call(&self.repo, COMPARE)
                .segment(&range)
                .query("output", "diff")
                .query("verification", false)
                .query("files", false),
        ))?;
        // Gitea's comparison lists every commit there is, in one answer. The log gives the same in pages.
        let log = log(&self.repo, &head).query("not", &base).query("page", 1).query("limit", COMMITS_SHOWN);
        let log = gitea.start(log)?.finish()?;
        let commits = log.body.as_array().map(Vec::as_slice).unwrap_or_default();
        let total = log.total().or_else(|| u64::try_from(commits.len()).ok()).unwrap_or_default();

        let mut patches = Patches::new(gitea, self.page);
        let body = text.body().map_err(|error| self.not_comparable(error))?;
        let one_by_one = body.content_type() == "application/json";
        let more = if one_by_one {
            // Dropping it cancels the rest: it may be long, and holds nothing that is needed.
            drop(body);
            self.commit_by_commit(gitea, &mut patches, commits, total)?
        } else {
            patches.read(body, None)?;
            None
        };
        // What base brought is not shown but for what both sides have.
        let cover = Cover::of(gitea, &self.repo, Some(&self.head.0), &head);
        if cover.withholds() {
            patches.withhold();
        }
        let mut reply =
            Reply::new().with("base_commit", base).with("head_commit", head).with("total_commits", total);
        if self.page.page == 1 {
            let mut commits = between(commits);
            cover.strip(&mut commits, "subject");
            reply = reply.with("commits", commits);
        }
        Ok(patches.told(cover.told(reply, true), more))
    }
}

impl CompareRefs {
    /// Read what each commit changed, the newest first, and say that this is not a comparison.
    fn commit_by_commit(
        &self,
        gitea: &Reader<'_>,
        patches: &mut Patches<'_>,
        commits: &[Value],
        total: u64,
    ) -> Result<Option<String>, Error> {
        let sha = |commit: &Value| commit.get("sha").and_then(Value::as_str).map(str::to_owned);
        // A merge would bring along all that came from base in between.
        let merge =
            |commit: &Value| commit.get("parents").and_then(Value::as_array).is_some_and(|p| p.len() > 1);
        let single: Vec<String> = commits.iter().filter(|commit| !merge(commit)).filter_map(sha).collect();
        for some in single.chunks(AT_ONCE) {
            if !patches.goes_on() {
                break;
            }
            let started: Vec<_> = some
                .iter()
                .map(|sha| Ok((sha, gitea.start(diff(&self.repo, sha))?)))
                .collect::<Result<_, Error>>()?;
            for (sha, started) in started {
                if patches.goes_on() {
                    patches.read(started.body()?, Some(sha))?;
                }
            }
        }
        Ok(Some(format!(
            "this Gitea (before 1.27) cannot compare as text: files are shown as {} of the {total} commits changed \
             them, newest first and without merges, not as one comparison",
            single.len()
        )))
    }

    fn not_comparable(&self, error: gitea::Error) -> Error {
        Error::or_not_found(error, || {
            format!(
                "Gitea cannot compare `{}` with `{}` in {}/{}: they may have no common history.",
                self.base.name(),
                self.head.name(),
                self.repo.owner,
                self.repo.repo
            )
        })
    }
}

/// Commits as one line each.
fn between(commits: &[Value]) -> Vec<Value> {
    let line = |commit: &Value| {
        let mut line = BETWEEN.of(commit);
        let message = commit.pointer("/commit/message").and_then(Value::as_str).unwrap_or_default();
        line.insert("subject".to_owned(), message.lines().next().unwrap_or_default().into());
        Value::Object(line)
    };
    commits.iter().map(line).collect()
}

const BETWEEN: Shape = Shape(&[
    Key::pluck("sha", "/sha", Kind::Text, "Its id, in full."),
    Key::own("subject", Kind::Text, "First line of its message."),
    Key::pluck("author", "/commit/author/name", Kind::Text, "Who wrote it, as the commit says."),
    Key::pluck("date", "/commit/author/date", Kind::Time, "When it was written, as the commit says."),
]);
