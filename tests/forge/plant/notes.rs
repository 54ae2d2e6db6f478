//! The pull requests of `mallory/notes`: a draft that moves a file out of a directory, one without any difference,
//! one from a private fork, one whose fork is gone, and one that was closed.

use super::{ALICE, Files, MALLORY, Planter};
use crate::forge::world::{Pull, Source};

/// Planted last: nothing that was here before may move in time.
pub(super) fn plant(planter: &mut Planter) {
    let at = planter.world.repos.iter().position(|repo| repo.owner == MALLORY && repo.name == "notes");
    let Some(at) = at else { return };
    let secret = planter.world.repos.iter().find(|repo| repo.owner == MALLORY && repo.name == "secret");
    let fork = secret.map_or(Source::Gone, |repo| Source::Fork(repo.id));
    let tip = branches(planter, at);
    let open = |planter: &mut Planter, title: &str, head: &str, source: Source| {
        let issue = planter.add_issue(at, MALLORY, title, "");
        let (head, base, tip) = (head.to_owned(), "book".to_owned(), tip.clone());
        planter.world.repos[at].issues[issue].pull = Some(Pull { merged: None, head, source, tip, base });
        issue
    };
    open(planter, "From a private fork", "main", fork);
    open(planter, "From a fork that is gone", "work", Source::Gone);
    let closed = open(planter, "Given up", "draft", Source::Here);
    open(planter, "WIP: Another chapter", "draft", Source::Here);
    open(planter, "Nothing new", "same", Source::Here);
    let issue = &mut planter.world.repos[at].issues[closed];
    issue.closed = Some(issue.created + 1);
    planter.add_issue(at, ALICE, "No pull request", "Only a question.");
    planter.add_comment(at, closed, ALICE, "A pity.");
}

/// `book`, `same` at the same commit, and `draft` two commits on, whose id is given back.
fn branches(planter: &mut Planter, at: usize) -> String {
    let mut files = Files::from([
        ("README.md".to_owned(), planter.text("# notes\n")),
        ("chapters/one.md".to_owned(), planter.text("It begins.\nIt goes on.\n")),
        ("secrets/plan.md".to_owned(), planter.text("The plan.\n")),
    ]);
    planter.commit(at, "book", &files, MALLORY, "Begin a book");
    let head = planter.world.repos[at].git.branches.last().map(|(_, head)| head.clone()).unwrap_or_default();
    for name in ["same", "draft"] {
        planter.world.repos[at].git.branches.push((name.to_owned(), head.clone()));
    }
    files.insert("chapters/one.md".to_owned(), planter.text("It begins.\nIt goes on and on.\nIt ends.\n"));
    files.insert("chapters/two.md".to_owned(), planter.text("More.\n"));
    planter.commit(at, "draft", &files, MALLORY, "Write on");
    let moved = files.remove("secrets/plan.md");
    files.extend(moved.map(|node| ("chapters/plan.md".to_owned(), node)));
    files.remove("README.md");
    planter.commit(at, "draft", &files, MALLORY, "Move the plan");
    let git = &planter.world.repos[at].git;
    git.resolve("draft").map(|commit| commit.sha.clone()).unwrap_or_default()
}
