//! Git objects in memory: blobs, trees, commits with the shas that git itself would give them, and the ways
//! Gitea turns a name into one of them. Speaks no HTTP.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha1::{Digest, Sha1};

/// Id of an object: sha1 over git's header and the body.
#[must_use]
pub fn object_id(kind: &str, body: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", body.len()));
    hash.update(body);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file's content.
#[derive(Debug, Clone)]
pub struct Blob {
    /// Object id.
    pub sha: String,
    /// Content.
    pub bytes: Arc<[u8]>,
}

impl Blob {
    /// Store bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { sha: object_id("blob", &bytes), bytes: bytes.into() }
    }
}

/// What a name in a directory stands for.
#[derive(Debug, Clone)]
pub enum Node {
    /// A regular file.
    File(Blob),
    /// A file with the executable bit.
    Program(Blob),
    /// A symbolic link; the blob holds its target.
    Link(Blob),
    /// A submodule: a commit of another repository.
    Module(String),
    /// A directory.
    Directory(Arc<Tree>),
}

impl Node {
    /// Object id.
    #[must_use]
    pub fn sha(&self) -> &str {
        match self {
            Self::File(blob) | Self::Program(blob) | Self::Link(blob) => &blob.sha,
            Self::Module(sha) => sha,
            Self::Directory(tree) => &tree.sha,
        }
    }

    /// Six octal digits, as Gitea prints them.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        match self {
            Self::File(_) => "100644",
            Self::Program(_) => "100755",
            Self::Link(_) => "120000",
            Self::Module(_) => "160000",
            Self::Directory(_) => "040000",
        }
    }

    /// The blob behind it, if any.
    #[must_use]
    pub fn blob(&self) -> Option<&Blob> {
        match self {
            Self::File(blob) | Self::Program(blob) | Self::Link(blob) => Some(blob),
            Self::Module(_) | Self::Directory(_) => None,
        }
    }
}

/// A directory.
#[derive(Debug)]
pub struct Tree {
    /// Object id.
    pub sha: String,
    /// Entries in git's order: by name, a directory sorting as if a slash followed.
    pub entries: Vec<(String, Node)>,
}

impl Tree {
    /// Build nested directories from full paths.
    #[must_use]
    pub fn from_paths(files: &BTreeMap<String, Node>) -> Arc<Self> {
        let mut here: Vec<(String, Node)> = Vec::new();
        let mut below: BTreeMap<&str, BTreeMap<String, Node>> = BTreeMap::new();
        for (path, node) in files {
            match path.split_once('/') {
                Some((first, rest)) => {
                    below.entry(first).or_default().insert(rest.to_owned(), node.clone());
                }
                None => here.push((path.clone(), node.clone())),
            }
        }
        here.extend(
            below
                .into_iter()
                .map(|(name, files)| (name.to_owned(), Node::Directory(Self::from_paths(&files)))),
        );
        here.sort_by_key(|(name, node)| match node {
            Node::Directory(_) => format!("{name}/"),
            _ => name.clone(),
        });
        let mut body = Vec::new();
        for (name, node) in &here {
            body.extend_from_slice(format!("{} {name}\0", node.mode().trim_start_matches('0')).as_bytes());
            body.extend(node.sha().as_bytes().chunks(2).map(|pair| {
                std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap_or(0)
            }));
        }
        Arc::new(Self { sha: object_id("tree", &body), entries: here })
    }

    /// What a path stands for; none for the root itself.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Node> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let node = self.entries.iter().find(|(name, _)| name == first).map(|(_, node)| node)?;
        match (rest, node) {
            (None, node) => Some(node),
            (Some(rest), Node::Directory(tree)) => tree.find(rest),
            (Some(_), _) => None,
        }
    }

    /// Every entry below with its full path, directories first met first, as `git ls-tree -r -t` lists them.
    #[must_use]
    pub fn walk(&self) -> Vec<(String, Node)> {
        let mut all = Vec::new();
        self.walk_into("", &mut all);
        all
    }

    fn walk_into(&self, prefix: &str, all: &mut Vec<(String, Node)>) {
        for (name, node) in &self.entries {
            let path = format!("{prefix}{name}");
            all.push((path.clone(), node.clone()));
            if let Node::Directory(tree) = node {
                tree.walk_into(&format!("{path}/"), all);
            }
        }
    }
}

/// A commit.
#[derive(Debug)]
pub struct Commit {
    /// Object id.
    pub sha: String,
    /// Root directory.
    pub tree: Arc<Tree>,
    /// Ids of the parents.
    pub parents: Vec<String>,
    /// Who wrote it: name and mail.
    pub author: (String, String),
    /// Message, ending in a line feed.
    pub message: String,
    /// Seconds since 1970.
    pub time: i64,
}

/// How an exact name was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefKind {
    /// A branch.
    Branch,
    /// A tag.
    Tag,
    /// A full commit id.
    Commit,
}

/// One repository's objects and refs.
#[derive(Debug, Default)]
pub struct Git {
    commits: HashMap<String, Arc<Commit>>,
    /// Branches and their heads, the default one first.
    pub branches: Vec<(String, String)>,
    /// Lightweight tags and their commits.
    pub tags: Vec<(String, String)>,
}

impl Git {
    /// Whether nothing was ever pushed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.branches.is_empty()
    }

    /// Name of the default branch.
    #[must_use]
    pub fn default_branch(&self) -> &str {
        self.branches.first().map_or("main", |(name, _)| name)
    }

    /// Commit a whole tree onto a branch, which is created where it is missing.
    pub fn commit(
        &mut self,
        branch: &str,
        files: &BTreeMap<String, Node>,
        author: (&str, &str),
        message: &str,
        time: i64,
    ) -> String {
        let tree = Tree::from_paths(files);
        let parents: Vec<String> = self
            .branches
            .iter()
            .find(|(name, _)| name == branch)
            .map(|(_, head)| head.clone())
            .into_iter()
            .collect();
        let mut body = format!("tree {}\n", tree.sha);
        for parent in &parents {
            body.push_str(&format!("parent {parent}\n"));
        }
        let person = format!("{} <{}> {time} +0000", author.0, author.1);
        let message = format!("{message}\n");
        body.push_str(&format!("author {person}\ncommitter {person}\n\n{message}"));
        let sha = object_id("commit", body.as_bytes());
        let author = (author.0.to_owned(), author.1.to_owned());
        self.commits
            .insert(sha.clone(), Arc::new(Commit { sha: sha.clone(), tree, parents, author, message, time }));
        match self.branches.iter_mut().find(|(name, _)| name == branch) {
            Some((_, head)) => head.clone_from(&sha),
            None => self.branches.push((branch.to_owned(), sha.clone())),
        }
        sha
    }

    /// A commit by its full id.
    #[must_use]
    pub fn get(&self, sha: &str) -> Option<Arc<Commit>> {
        self.commits.get(sha).cloned()
    }

    /// Branch, tag or full lowercase id, in this order: what the contents routes accept.
    #[must_use]
    pub fn exact(&self, name: &str) -> Option<(RefKind, Arc<Commit>)> {
        let named =
            |list: &[(String, String)]| list.iter().find(|(n, _)| n == name).map(|(_, sha)| sha.clone());
        if let Some(sha) = named(&self.branches) {
            return Some((RefKind::Branch, self.get(&sha)?));
        }
        if let Some(sha) = named(&self.tags) {
            return Some((RefKind::Tag, self.get(&sha)?));
        }
        Some((RefKind::Commit, self.get(name)?))
    }

    /// Whatever `git rev-parse` would take for a commit: also short ids, HEAD, full refs, `^` and `~N`.
    #[must_use]
    pub fn resolve(&self, name: &str) -> Option<Arc<Commit>> {
        if let Some(base) = name.strip_suffix('^') {
            return self.ancestor(base, 1);
        }
        if let Some((base, steps)) = name.rsplit_once('~') {
            return self.ancestor(base, if steps.is_empty() { 1 } else { steps.parse().ok()? });
        }
        if name == "HEAD" {
            return self.get(&self.branches.first()?.1);
        }
        let short =
            name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name);
        if let Some((_, commit)) = self.exact(short) {
            return Some(commit);
        }
        let hex = name.len() >= 4 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let prefix = name.to_ascii_lowercase();
        let mut found = self.commits.values().filter(|c| hex && c.sha.starts_with(&prefix));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only.clone()),
            _ => None,
        }
    }

    fn ancestor(&self, base: &str, steps: usize) -> Option<Arc<Commit>> {
        let mut commit = self.resolve(base)?;
        for _ in 0..steps {
            commit = self.get(commit.parents.first()?)?;
        }
        Some(commit)
    }

    /// The directory behind any name or tree id, with the id it resolved to.
    #[must_use]
    pub fn tree(&self, name: &str) -> Option<(String, Arc<Tree>)> {
        if let Some(commit) = self.resolve(name) {
            return Some((commit.sha.clone(), commit.tree.clone()));
        }
        self.commits
            .values()
            .find_map(|commit| find_tree(&commit.tree, name))
            .map(|tree| (name.to_owned(), tree))
    }

    /// A commit and all its ancestors, newest first.
    #[must_use]
    pub fn history(&self, from: &Commit) -> Vec<Arc<Commit>> {
        let (mut seen, mut todo, mut all) = (HashSet::new(), vec![from.sha.clone()], Vec::new());
        while let Some(sha) = todo.pop() {
            if !seen.insert(sha.clone()) {
                continue;
            }
            if let Some(commit) = self.get(&sha) {
                todo.extend(commit.parents.iter().cloned());
                all.push(commit);
            }
        }
        all.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| b.sha.cmp(&a.sha)));
        all
    }

    /// The same, but only commits that changed a path.
    #[must_use]
    pub fn history_of(&self, from: &Commit, path: &str) -> Vec<Arc<Commit>> {
        let at = |commit: &Commit| commit.tree.find(path).map(|node| node.sha().to_owned());
        self.history(from)
            .into_iter()
            .filter(|commit| {
                let before =
                    commit.parents.first().and_then(|sha| self.get(sha)).and_then(|parent| at(&parent));
                at(commit) != before
            })
            .collect()
    }

    /// Files that differ from the first parent, by path: before and after.
    #[must_use]
    pub fn changes(&self, commit: &Commit) -> Vec<Change> {
        let parent = commit.parents.first().and_then(|sha| self.get(sha));
        between(parent.as_ref().map(|parent| parent.tree.as_ref()), &commit.tree)
    }

    /// The newest commit that both have in their history.
    #[must_use]
    pub fn merge_base(&self, one: &Commit, other: &Commit) -> Option<Arc<Commit>> {
        let theirs: HashSet<String> = self.history(other).iter().map(|commit| commit.sha.clone()).collect();
        self.history(one).into_iter().find(|commit| theirs.contains(&commit.sha))
    }
}

/// A file by path: before and after.
pub type Change = (String, Option<Node>, Option<Node>);

/// Files that differ between two trees.
#[must_use]
pub fn between(before: Option<&Tree>, after: &Tree) -> Vec<Change> {
    let flat = |tree: &Tree| -> BTreeMap<String, Node> {
        tree.walk().into_iter().filter(|(_, node)| !matches!(node, Node::Directory(_))).collect()
    };
    let mut before = before.map(flat).unwrap_or_default();
    let mut changes = Vec::new();
    for (path, after) in flat(after) {
        let old = before.remove(&path);
        if old.as_ref().is_none_or(|old| old.sha() != after.sha() || old.mode() != after.mode()) {
            changes.push((path, old, Some(after)));
        }
    }
    changes.extend(before.into_iter().map(|(path, old)| (path, Some(old), None)));
    changes
}

fn find_tree(tree: &Arc<Tree>, sha: &str) -> Option<Arc<Tree>> {
    if tree.sha == sha {
        return Some(tree.clone());
    }
    tree.entries.iter().find_map(|(_, node)| match node {
        Node::Directory(below) => find_tree(below, sha),
        _ => None,
    })
}
