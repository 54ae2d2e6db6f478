//! From a YAML tree to the rules of a policy: which keys there are and what may stand in them.
//!
//! Everything suspicious is an error here, before anything is served, because later nobody looks: a key that
//! is not known, a list that says nothing, a pattern that could never match. Deciding is not done here.

use crate::grammar::{self, Mapping};
use crate::prepared::{self, Fallback, GLOBALS_KEY, Globals, Line, Lists, Repository};
use crate::problem::{Problem, Problems, quoted};
use crate::shape::{found, list, map, meant, text, unknown_key};
use crate::yaml::{self, Entry, Node};
use crate::{names, pattern};
use std::collections::{BTreeMap, BTreeSet};

/// Most entries under `repositories`.
pub(crate) const REPOSITORIES: usize = 2_000;

/// Most items in one list.
pub(crate) const LIST_ITEMS: usize = 256;

/// In `tools.deny`, every tool.
pub(crate) const EVERY_TOOL: &str = "*";

/// A policy document without mistakes.
#[derive(Clone, Debug)]
pub struct Document {
    globals: Globals,
    /// By key in lower case.
    repositories: BTreeMap<String, Repository>,
}

impl Document {
    /// Read a policy document.
    ///
    /// Limits: 256 KiB, 20000 values, 2000 repositories, 256 items in a list, 256 characters in a pattern.
    ///
    /// # Errors
    ///
    /// Every problem found, in the order of the file, at most 50. There is no partial policy.
    pub fn parse(yaml: &[u8]) -> Result<Self, Vec<Problem>> {
        let root = yaml::read(yaml)?;
        let mut problems = Problems::default();
        let document = document(&root, &mut problems);
        problems.or(document)
    }

    /// Cut the document into entries that [`crate::Rules::from_prepared`] loads one by one: [`GLOBALS_KEY`]
    /// first, then one for each key under `repositories`, in lower case. Keys are unique.
    pub fn prepare(&self) -> Vec<(String, Vec<u8>)> {
        let globals = (GLOBALS_KEY.to_owned(), prepared::write(GLOBALS_KEY, &self.globals));
        let repositories =
            self.repositories.iter().map(|(key, rules)| (key.clone(), prepared::write(key, rules)));
        std::iter::once(globals).chain(repositories).collect()
    }

    /// Every tool name that the document writes, with its line and column, as often as it is written. They are well
    /// formed; whether such a tool exists only the caller knows.
    pub fn tool_names(&self) -> impl Iterator<Item = (&str, u32, u32)> {
        std::iter::once(&self.globals.tools)
            .chain(self.repositories.values().map(|repository| &repository.tools))
            .flat_map(|lists| lists.allow.iter().chain(&lists.deny))
            .map(|Line(name, line, column)| (name.as_str(), *line, *column))
            .filter(|(name, ..)| *name != EVERY_TOOL)
    }
}

fn document(root: &Node, problems: &mut Problems) -> Document {
    let mut document = Document {
        globals: Globals {
            read: Fallback { allow: true, line: 0 },
            write: Fallback { allow: false, line: 0 },
            tools: Lists::default(),
            opened: Vec::new(),
        },
        repositories: BTreeMap::new(),
    };
    let Some(entries) = map(root, "the policy", problems) else { return document };
    if entries.is_empty() {
        problems.add(root.at, "the policy is empty; write at least `defaults: {read: allow, write: deny}`");
    }
    for entry in entries {
        match entry.key.as_str() {
            "defaults" => defaults(&entry.value, &mut document.globals, problems),
            "tools" => document.globals.tools = tools(&entry.value, "tools", problems),
            "repositories" => document.repositories = repositories(&entry.value, problems),
            _ => unknown_key(entry, "at the top", &grammar::TOP, problems),
        }
    }
    document.globals.opened = opened(&document.repositories);
    document
}

/// The tools that some repository's allow list names and its deny list does not take back.
fn opened(repositories: &BTreeMap<String, Repository>) -> Vec<String> {
    let of_one = |rules: &Repository| {
        let denied = |name: &str| rules.tools.deny.iter().any(|Line(no, ..)| no == name || no == EVERY_TOOL);
        let named = rules.tools.allow.iter().map(|Line(name, ..)| name.clone());
        named.filter(|name| !denied(name)).collect::<Vec<_>>()
    };
    repositories.values().flat_map(of_one).collect::<BTreeSet<_>>().into_iter().collect()
}

fn defaults(node: &Node, globals: &mut Globals, problems: &mut Problems) {
    for entry in map(node, "defaults", problems).unwrap_or_default() {
        match entry.key.as_str() {
            "read" => fallback(&entry.value, "defaults.read", &mut globals.read, problems),
            "write" => fallback(&entry.value, "defaults.write", &mut globals.write, problems),
            _ => unknown_key(entry, "under defaults", &grammar::DEFAULTS, problems),
        }
    }
}

fn fallback(node: &Node, what: &str, into: &mut Fallback, problems: &mut Problems) {
    let allow = match &node.value {
        yaml::Value::Text { text, .. } if text == "allow" => true,
        yaml::Value::Text { text, .. } if text == "deny" => false,
        yaml::Value::Text { .. } | yaml::Value::List(_) | yaml::Value::Map(_) => {
            let meant = meant(node, &["allow", "deny"]);
            return problems.add(node.at, format!("{what} is {}; write allow or deny{meant}", found(node)));
        }
    };
    *into = Fallback { allow, line: node.at.line };
}

fn repositories(node: &Node, problems: &mut Problems) -> BTreeMap<String, Repository> {
    let mut repositories = BTreeMap::new();
    let mut lines = BTreeMap::new();
    let entries = map(node, "repositories", problems).unwrap_or_default();
    if let Some(first_too_many) = entries.get(REPOSITORIES) {
        problems
            .add(first_too_many.at, format!("more than {REPOSITORIES} repositories; use `owner/*` entries"));
    }
    for entry in entries.iter().take(REPOSITORIES) {
        let key = entry.key.to_ascii_lowercase();
        if !names::is_repository_key(&key) {
            let message = format!(
                "{} is not a repository; write owner/repo, or owner/* for all of an owner's",
                quoted(&entry.key)
            );
            problems.add(entry.at, message);
        }
        if let Some((owner, repo)) = key.split_once('/')
            && let Some((name, ending)) = names::ending_of_none(repo)
        {
            let message = format!(
                "{} is no repository's name: none in Gitea ends in `{ending}` (did you mean {}?)",
                quoted(&entry.key),
                quoted(&format!("{owner}/{name}"))
            );
            problems.add(entry.at, message);
        }
        if let Some(first) = lines.insert(key.clone(), entry.at.line) {
            let message = format!(
                "{} is already on line {first}; letter case makes no difference in repository names",
                quoted(&entry.key)
            );
            problems.add(entry.at, message);
        }
        repositories.insert(key, repository(entry, problems));
    }
    repositories
}

fn repository(entry: &Entry, problems: &mut Problems) -> Repository {
    let what = format!("repositories.{}", quoted(&entry.key));
    let mut rules = Repository::default();
    for entry in map(&entry.value, &what, problems).unwrap_or_default() {
        match entry.key.as_str() {
            "tools" => rules.tools = tools(&entry.value, &format!("{what}.tools"), problems),
            "paths" => rules.paths = paths(&entry.value, &format!("{what}.paths"), problems),
            _ => unknown_key(entry, &format!("under {what}"), &grammar::ENTRY, problems),
        }
    }
    rules
}

fn tools(node: &Node, what: &str, problems: &mut Problems) -> Lists {
    lists(node, what, &grammar::TOOLS, problems, |name, denies| {
        if names::is_tool(name) || (denies && name == EVERY_TOOL) {
            return Ok(());
        }
        Err(if name == EVERY_TOOL {
            "allows every tool at once; name the tools".to_owned()
        } else {
            "is not a tool name; they are lower-case letters, digits and `_`, at most 64, and are written in \
             full (\"*\" stands for every tool, in deny alone)"
                .to_owned()
        })
    })
}

fn paths(node: &Node, what: &str, problems: &mut Problems) -> Lists {
    lists(node, what, &grammar::PATHS, problems, |path, _| pattern::check(path))
}

/// An `allow` and a `deny` list whose items pass `check`, which is told whether it looks at the deny list.
fn lists(
    node: &Node,
    what: &str,
    keys: &Mapping,
    problems: &mut Problems,
    check: impl Fn(&str, bool) -> Result<(), String>,
) -> Lists {
    let mut lists = Lists::default();
    for entry in map(node, what, problems).unwrap_or_default() {
        let denies = match entry.key.as_str() {
            "allow" => false,
            "deny" => true,
            _ => {
                unknown_key(entry, &format!("under {what}"), keys, problems);
                continue;
            }
        };
        let what = format!("{what}.{}", entry.key);
        let items = items(&entry.value, &what, problems, |item| check(item, denies));
        if denies {
            lists.deny = items;
            continue;
        }
        if matches!(&entry.value.value, yaml::Value::List(none) if none.is_empty()) {
            // Some read it as "nothing is allowed", others as "nothing is restricted".
            let message = format!("{what} is empty, which says nothing; fill it, or leave the key out");
            problems.add(entry.value.at, message);
        }
        lists.allow = items;
    }
    lists
}

fn items(
    node: &Node,
    what: &str,
    problems: &mut Problems,
    check: impl Fn(&str) -> Result<(), String>,
) -> Vec<Line> {
    let nodes = list(node, what, problems).unwrap_or_default();
    if let Some(first_too_many) = nodes.get(LIST_ITEMS) {
        problems.add(first_too_many.at, format!("{what} has more than {LIST_ITEMS} items"));
    }
    let mut items = Vec::new();
    for node in nodes.iter().take(LIST_ITEMS) {
        let Some(item) = text(node, &format!("an item of {what}"), problems) else { continue };
        match check(item) {
            Ok(()) => items.push(Line(item.to_owned(), node.at.line, node.at.column)),
            Err(wrong) => problems.add(node.at, format!("{} in {what} {wrong}", quoted(item))),
        }
    }
    items
}
