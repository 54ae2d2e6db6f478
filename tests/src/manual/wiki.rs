//! The wiki: the pages of `docs/` under names of Gitea's wiki, with links rewritten, a start page, a sidebar and a footer.
//!
//! Gitea shows the file `Getting-Started.md` as the page "Getting Started" at `wiki/Getting-Started`, resolves relative
//! links against `wiki/`, knows no folders, and makes the anchors of headings as [`markdown::anchors`] does.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::markdown;
use super::{Document, documents, resolve};

/// Words that are not written as others at the beginning of a name.
const SPELLED: &[(&str, &str)] = &[("api", "API"), ("oauth", "OAuth")];

/// The page that lists the others, in the tree.
const INDEX: &str = "docs/README.md";

/// The files of the wiki by their names.
///
/// `repository` is the address of the repository at Gitea, for links to what is in no page; without one such a link is its
/// text alone.
///
/// # Errors
/// A page cannot be read.
pub fn pages(root: &Path, repository: Option<&str>) -> io::Result<BTreeMap<String, String>> {
    let mut sources = documents(root, "docs")?;
    sources.retain(|page| !page.path.starts_with("docs/decisions/"));
    let names: BTreeMap<String, String> =
        sources.iter().map(|page| (page.path.clone(), name_of(&page.path))).collect();
    let mut files = BTreeMap::new();
    for page in &sources {
        let text = rewritten(page, &names, repository);
        if page.path == INDEX {
            files.insert("_Sidebar.md".to_owned(), sidebar(&text));
        }
        files.insert(format!("{}.md", names[&page.path]), text);
    }
    files.insert(
        "_Footer.md".to_owned(),
        format!(
            "_Made by `make wiki` from `docs/` of version {}. Change the pages there, not here._\n",
            env!("CARGO_PKG_VERSION")
        ),
    );
    Ok(files)
}

/// What a page is called in the wiki.
#[must_use]
pub fn name_of(path: &str) -> String {
    if path == INDEX {
        return "Home".to_owned();
    }
    let path = path.trim_start_matches("docs/").trim_end_matches(".md");
    let (folder, page) = path.rsplit_once('/').unwrap_or(("", path));
    let words =
        folder.trim_end_matches('s').split('-').chain(page.split('-')).filter(|word| !word.is_empty());
    words.map(capital).collect::<Vec<_>>().join("-")
}

fn capital(word: &str) -> String {
    if let Some((_, spelled)) = SPELLED.iter().find(|(plain, _)| *plain == word) {
        return (*spelled).to_owned();
    }
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// The text with links of the wiki, and without marks for machines.
fn rewritten(page: &Document, names: &BTreeMap<String, String>, repository: Option<&str>) -> String {
    let mut text = page.text.clone();
    for link in markdown::links(&page.text).into_iter().rev() {
        if let Some(target) = target(&page.path, &link.target, names, repository) {
            let put = target.map_or(link.text.clone(), |target| format!("[{}]({target})", link.text));
            text.replace_range(link.at, &put);
        }
    }
    let is_mark = |line: &&str| line.trim_start().starts_with("<!--");
    let mut text = text.lines().filter(|line| !is_mark(line)).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

/// Where a link leads in the wiki: nothing to change, nowhere, or there.
fn target(
    page: &str,
    link: &str,
    names: &BTreeMap<String, String>,
    repository: Option<&str>,
) -> Option<Option<String>> {
    if link.starts_with('#') || link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let anchor = anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default();
    let path = resolve(page, path)?;
    if let Some(name) = names.get(&path) {
        return Some(Some(format!("{name}{anchor}")));
    }
    Some(repository.map(|at| format!("{}/src/branch/main/{path}{anchor}", at.trim_end_matches('/'))))
}

/// The index as a list of links by section.
fn sidebar(home: &str) -> String {
    let mut text = String::from("### AegisGitea-MCP\n\n- [Home](Home)\n");
    for line in home.lines() {
        if let Some(section) = line.strip_prefix("## ") {
            text.push_str(&format!("\n**{section}**\n\n"));
        }
        let Some(link) = line.strip_prefix("| [").and_then(|_| markdown::links(line).into_iter().next())
        else {
            continue;
        };
        text.push_str(&format!("- [{}]({})\n", link.target.replace('-', " "), link.target));
    }
    text
}
