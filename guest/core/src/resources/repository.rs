//! What people open of a repository: its readme, a file, an issue, a pull request, a release.

mod page;

use serde_json::{Map, Value, json};

use super::{Address, Content, Resource, Unread, Variables};
use crate::completion::Completes;
use crate::tools::Run;
use page::Page;

pub(super) const RESOURCES: &[&dyn Resource] = &[&README, &FILE, &ISSUE, &PULL_REQUEST, &RELEASE];

const MARKDOWN: &str = "text/markdown";
const DIFF: &str = "text/x-diff";
const PLAIN: &str = "text/plain";
/// Pages of a list in which a release is looked for by its tag.
const PAGES: u32 = 5;

type Read = fn(&Variables, &mut dyn Run) -> Result<Vec<Content>, Unread>;

/// A view of what tools answer about one repository.
struct View {
    template: &'static str,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    mime_type: &'static str,
    completes: &'static [(&'static str, Completes)],
    tools: &'static [&'static str],
    read: Read,
}

static README: View = View {
    template: "gitea://{owner}/{repo}/readme",
    name: "readme",
    title: "Readme of a repository",
    description: "What a repository says of itself, on its default branch.",
    mime_type: MARKDOWN,
    completes: &[OWNER, REPO],
    tools: &["get_file_tree", "get_file_contents"],
    read: readme,
};

static FILE: View = View {
    template: "gitea://{owner}/{repo}/blob/{ref}/{+path}",
    name: "file",
    title: "File at a branch, tag or commit",
    description: "One file of text, behind a line that says whose text it is. A slash in the ref is written %2F.",
    mime_type: PLAIN,
    completes: &[OWNER, REPO, ("ref", Completes::Ref)],
    tools: &["get_file_contents"],
    read: file,
};

static ISSUE: View = View {
    template: "gitea://{owner}/{repo}/issues/{number}",
    name: "issue",
    title: "Issue with its comments",
    description: "An issue and what was said about it, as one text.",
    mime_type: MARKDOWN,
    completes: &[OWNER, REPO, ("number", Completes::Issue)],
    tools: &["get_issue", "list_issue_comments"],
    read: issue,
};

static PULL_REQUEST: View = View {
    template: "gitea://{owner}/{repo}/pulls/{number}",
    name: "pull_request",
    title: "Pull request with its diff",
    description: "A pull request, what was said about it, and its changes.",
    mime_type: MARKDOWN,
    completes: &[OWNER, REPO, ("number", Completes::PullRequest)],
    tools: &["get_pull_request", "list_issue_comments", "compare_refs"],
    read: pull_request,
};

static RELEASE: View = View {
    template: "gitea://{owner}/{repo}/releases/{tag}",
    name: "release",
    title: "Release by its tag",
    description: "The notes and files of a release. A slash in the tag is written %2F.",
    mime_type: MARKDOWN,
    completes: &[OWNER, REPO, ("tag", Completes::Tag)],
    tools: &["list_releases", "get_release"],
    read: release,
};

const OWNER: (&str, Completes) = ("owner", Completes::Owner);
const REPO: (&str, Completes) = ("repo", Completes::Repository);

impl Resource for View {
    fn address(&self) -> Address {
        Address::Many(self.template)
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn mime_type(&self) -> &'static str {
        self.mime_type
    }

    fn completes(&self) -> &'static [(&'static str, Completes)] {
        self.completes
    }

    fn tools(&self) -> &'static [&'static str] {
        self.tools
    }

    fn read(&self, at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
        (self.read)(at, tools)
    }
}

/// Arguments that name the repository, and these.
fn of(at: &Variables, more: &[(&str, Value)]) -> Value {
    let repository = [("owner", json!(at.get("owner"))), ("repo", json!(at.get("repo")))];
    let all = repository.iter().chain(more);
    all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>().into()
}

/// The number in an address; what is none has nothing behind it.
fn number(at: &Variables) -> Result<u64, Unread> {
    at.get("number").parse().map_err(|_| Unread::Missing)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn part<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer.get(name).unwrap_or(&Value::Null)
}

fn readme(at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
    let tree = tools.run("get_file_tree", of(at, &[]))?;
    let files = rows(&tree, "entries").iter().filter(|entry| text(entry, "/type") == "file");
    let named = files.map(|entry| text(entry, "/path")).filter(|path| is_readme(path));
    // Gitea shows Markdown before plain text, and the plain name last.
    let path = named.min_by_key(|path| (!path.to_lowercase().ends_with(".md"), !path.contains('.'), *path));
    let path = path.ok_or(Unread::Missing)?;
    let found = tools.run(
        "get_file_contents",
        of(at, &[("filepath", json!(path)), ("ref", json!(text(&tree, "/commit")))]),
    )?;
    Ok(vec![shown(path, &found)])
}

fn is_readme(path: &str) -> bool {
    let lower = path.to_lowercase();
    lower == "readme" || lower.strip_prefix("readme.").is_some_and(|kind| !kind.is_empty())
}

fn file(at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
    let path = at.get("path");
    let found = tools
        .run("get_file_contents", of(at, &[("filepath", json!(path)), ("ref", json!(at.get("ref")))]))?;
    Ok(vec![shown(path, &found)])
}

/// The text of a file, behind what kind of text it is. What is no text, or only a part, is what the tool says of it.
fn shown(path: &str, answer: &Value) -> Content {
    match answer.get("content").and_then(Value::as_str) {
        // A plain text has no place to say whose it may be.
        Some(content) if answer.get("truncated").is_none() && answer.get("commit_is_outside").is_none() => {
            Content::text(media_type(path), format!("{}{content}", page::NOTICE))
        }
        Some(_) | None => {
            let mut answer = answer.clone();
            if let Some(members) = answer.as_object_mut() {
                members.insert("notice".to_owned(), page::NOTICE.trim_matches(['>', ' ', '\n']).into());
            }
            Content::text("application/json", answer.to_string())
        }
    }
}

/// Behind the line that says whose text it is, nothing but Markdown and plain text is still what it was.
fn media_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown") => MARKDOWN,
        _ => PLAIN,
    }
}

fn issue(at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
    let number = number(at)?;
    let found = tools.run("get_issue", of(at, &[("issue_number", json!(number))]))?;
    let comments = tools.run("list_issue_comments", of(at, &[("issue_number", json!(number))]))?;
    let mut page = Page::about(part(&found, "issue"), "Issue");
    page.comments(&comments);
    page.cut(&found);
    Ok(vec![Content::text(MARKDOWN, page.text())])
}

fn pull_request(at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
    let number = number(at)?;
    let found = tools.run("get_pull_request", of(at, &[("pull_number", json!(number))]))?;
    let pull = part(&found, "pull_request");
    let comments = tools.run("list_issue_comments", of(at, &[("issue_number", json!(number))]))?;
    let (base, head) = (text(pull, "/base/sha"), text(pull, "/head/sha"));
    let changes = tools.run("compare_refs", of(at, &[("base", json!(base)), ("head", json!(head))]))?;
    let mut page = Page::about(pull, "Pull request");
    page.comments(&comments);
    page.cut(&found);
    Ok(vec![Content::text(MARKDOWN, page.text()), Content::text(DIFF, page::diff(&changes)).at(".diff")])
}

fn release(at: &Variables, tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
    for number in 1..=PAGES {
        let list = tools.run("list_releases", of(at, &[("page", json!(number)), ("limit", json!(100))]))?;
        let named =
            rows(&list, "releases").iter().find(|release| text(release, "/tag_name") == at.get("tag"));
        if let Some(id) = named.and_then(|release| release.get("id")) {
            let found = tools.run("get_release", of(at, &[("release_id", id.clone())]))?;
            let mut page = Page::of_release(part(&found, "release"));
            page.cut(&found);
            return Ok(vec![Content::text(MARKDOWN, page.text())]);
        }
        if list.get("has_next").and_then(Value::as_bool) != Some(true) {
            break;
        }
    }
    Err(Unread::Missing)
}
