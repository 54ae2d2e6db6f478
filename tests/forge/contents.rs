//! `GET /repos/{owner}/{repo}/contents-ext/{path}` and the older `/contents/{path}`: a file, a link, a submodule or
//! a directory by its path.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Version;
use super::call::{Answer, Call, encoded, encoded_path};
use super::git::{Commit, Node, RefKind};
use super::repos::merge;
use super::time::rfc3339;
use super::world::{Repo, World};

/// `DEFAULT_MAX_BLOB_SIZE`: larger files come without content.
pub(super) const LARGEST_BLOB: usize = 10_485_760;
/// Larger files cannot be LFS pointers.
const LARGEST_POINTER: usize = 1024;

/// What a caller wants to know besides the basics.
#[derive(Debug, Default, Clone, Copy)]
struct Wanted {
    content: bool,
    lfs: bool,
    commit: bool,
    message: bool,
    /// What is behind a pointer of Git LFS is told since 1.25.
    before_lfs: bool,
}

/// Where the asked path lies.
struct Place<'a> {
    call: &'a Call,
    repo: &'a Repo,
    full_name: String,
    /// The ref as the client wrote it.
    asked: String,
    kind: RefKind,
    commit: &'a Commit,
}

/// `GET /repos/{owner}/{repo}/contents-ext/{path}`, since 1.25.
pub(super) fn extended(call: &Call, world: &World, repo: &Repo, path: &str) -> Answer {
    if call.version < Version::V1_26 {
        return Answer::no_route();
    }
    let mut wanted = Wanted::default();
    for word in call.query("includes").unwrap_or_default().split(',').filter(|word| !word.is_empty()) {
        match word {
            "file_content" => wanted.content = true,
            "lfs_metadata" => wanted.lfs = true,
            "commit_metadata" => wanted.commit = true,
            "commit_message" => wanted.message = true,
            _ => return call.refuse(400, &format!("unknown include option \"{word}\"")),
        }
    }
    let path = if path == "." { "" } else { path };
    match find(call, world, repo, path, wanted) {
        Ok(found @ Value::Array(_)) => Answer::json(200, &json!({ "dir_contents": found })),
        Ok(found) => Answer::json(200, &json!({ "file_contents": found })),
        // Gitea writes its error and then, having returned no error to its own caller, the empty result.
        Err(mut refusal) => {
            if refusal.status == 404 {
                refusal.body.extend_from_slice(b"null\n");
            }
            refusal
        }
    }
}

/// `GET /repos/{owner}/{repo}/contents/{path}`: an object for a file, an array for a directory.
pub(super) fn plain(call: &Call, world: &World, repo: &Repo, path: &str) -> Answer {
    let before_lfs = call.version < Version::V1_26;
    let wanted = Wanted { content: true, commit: true, before_lfs, ..Wanted::default() };
    match find(call, world, repo, path, wanted) {
        Ok(found) => Answer::json(200, &found),
        Err(refusal) => refusal,
    }
}

/// Most files that are given at once (`DEFAULT_PAGING_NUM`); what is beyond is not answered at all.
const AT_ONCE: usize = 30;

/// `GET /repos/{owner}/{repo}/file-contents`: several files at once, named by JSON in the query. A path that is not
/// there is null in its place.
pub(super) fn several(call: &Call, world: &World, repo: &Repo) -> Answer {
    let asked: Option<Value> = call.query("body").and_then(|body| serde_json::from_str(body).ok());
    let Some(files) = asked.as_ref().and_then(|body| body["files"].as_array()) else {
        return call.refuse(422, "[]: invalid body parameter");
    };
    // A ref that is not there refuses everything; a path that is not there is only that.
    if let Err(refusal) = find(call, world, repo, "", Wanted::default()) {
        return refusal;
    }
    let wanted = Wanted { content: true, commit: true, ..Wanted::default() };
    let one = |file: &Value| find(call, world, repo, file.as_str().unwrap_or_default(), wanted);
    let rows = files.iter().take(AT_ONCE).map(|file| one(file).ok().filter(Value::is_object));
    Answer::json(200, &json!(rows.collect::<Vec<_>>()))
}

fn find(call: &Call, world: &World, repo: &Repo, path: &str, wanted: Wanted) -> Result<Value, Answer> {
    let asked =
        call.query("ref").map_or_else(|| repo.git.default_branch().to_owned(), |r| r.trim().to_owned());
    let Some((kind, commit)) = repo.git.exact(&asked) else {
        let reason = format!("object does not exist [id: {asked}, rel_path: ]");
        return Err(call.not_found_because("not found", &[reason]));
    };
    let Some(path) = clean(&call.seeding.plain(path)) else {
        return Err(match call.version {
            Version::V1_27 => {
                call.refuse(400, &format!("path contains a malformed path component [path: {path}]"))
            }
            Version::V1_26 | Version::V1_24 => call.refuse(500, ""),
        });
    };
    let place = Place { call, repo, full_name: world.full_name(repo), asked, kind, commit: &commit };
    let root = Node::Directory(commit.tree.clone());
    let node = if path.is_empty() { Some(&root) } else { commit.tree.find(&path) };
    match node {
        None => {
            let missing = first_missing(&commit, &path);
            let reason = format!("object does not exist [id: , rel_path: {missing}]");
            Err(call.not_found_because("GetContentsOrList", &[reason]))
        }
        Some(Node::Directory(tree)) => {
            let listed = Wanted { content: false, ..wanted };
            let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            Ok(tree.entries.iter().map(|(name, node)| place.render(&join(name), node, listed)).collect())
        }
        Some(node) => Ok(place.render(&path, node, wanted)),
    }
}

/// The path as Gitea cleans it before the lookup; none where a segment is git's own.
fn clean(path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment if segment.eq_ignore_ascii_case(".git") => return None,
            segment => kept.push(segment),
        }
    }
    Some(kept.join("/"))
}

/// The first segment that is not there, which is all that Gitea names.
fn first_missing<'a>(commit: &Commit, path: &'a str) -> &'a str {
    let mut end = 0;
    for segment in path.split('/') {
        end += segment.len();
        if path.get(..end).is_none_or(|upto| commit.tree.find(upto).is_none()) {
            return segment;
        }
        end += 1;
    }
    path
}

impl Place<'_> {
    fn render(&self, path: &str, node: &Node, wanted: Wanted) -> Value {
        let call = self.call;
        let name = path.rsplit('/').next().unwrap_or(path);
        let own = call.api(&format!(
            "/repos/{}/contents/{}?ref={}",
            self.full_name,
            encoded_path(path),
            encoded(&self.asked)
        ));
        let web = |verb: &str| {
            let at = match self.kind {
                RefKind::Branch => "branch",
                RefKind::Tag => "tag",
                RefKind::Commit => "commit",
            };
            format!(
                "{}/{}/{verb}/{at}/{}/{}",
                call.root,
                self.full_name,
                encoded_path(&self.asked),
                encoded_path(path)
            )
        };
        let blob_url = call.api(&format!("/repos/{}/git/blobs/{}", self.full_name, node.sha()));
        let module = matches!(node, Node::Module(_));
        let (html, git) =
            if module { (Value::Null, Value::Null) } else { (json!(web("src")), json!(blob_url)) };
        let (kind, shown_name, shown_path) = match node {
            Node::File(_) | Node::Program(_) => ("file", call.seeding.name(name), call.seeding.path(path)),
            Node::Link(_) => ("symlink", call.seeding.name(name), call.seeding.path(path)),
            Node::Directory(_) => ("dir", name.to_owned(), path.to_owned()),
            Node::Module(_) => ("submodule", name.to_owned(), path.to_owned()),
        };
        let mut shown = json!({
            "name": shown_name,
            "path": shown_path,
            "sha": node.sha(),
            "type": kind,
            "size": node.blob().map_or(0, |blob| blob.bytes.len()),
            "encoding": null,
            "content": null,
            "target": null,
            "url": own,
            "html_url": html,
            "git_url": git,
            "download_url": node.blob().map(|_| web("raw")),
            "submodule_git_url": if module { json!(self.submodule_url(path)) } else { Value::Null },
            "_links": { "self": own, "git": git, "html": html },
        });
        match node {
            Node::File(blob) | Node::Program(blob) => merge(&mut shown, file(&blob.bytes, wanted)),
            Node::Link(blob) => {
                let target = String::from_utf8_lossy(&blob.bytes);
                merge(&mut shown, json!({ "target": call.seeding.path(&target) }));
            }
            Node::Directory(_) | Node::Module(_) => {}
        }
        merge(&mut shown, self.last_commit(path, wanted));
        shown
    }

    /// Which commit last changed the path.
    fn last_commit(&self, path: &str, wanted: Wanted) -> Value {
        let mut shown = json!({});
        if !wanted.commit && !wanted.message {
            return shown;
        }
        let Some(last) = self.repo.git.history_of(self.commit, path).into_iter().next() else { return shown };
        if wanted.commit {
            let time = rfc3339(last.time);
            merge(
                &mut shown,
                json!({ "last_commit_sha": last.sha, "last_committer_date": time, "last_author_date": time }),
            );
        }
        if wanted.message {
            merge(&mut shown, json!({ "last_commit_message": self.call.seeding.text(&last.message) }));
        }
        shown
    }

    /// The URL that `.gitmodules` of the same commit gives for a submodule.
    fn submodule_url(&self, path: &str) -> Option<String> {
        let modules = self.commit.tree.find(".gitmodules")?.blob()?;
        let text = String::from_utf8_lossy(&modules.bytes).into_owned();
        let mut here = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                here = false;
            } else if let Some(value) = line.strip_prefix("path = ") {
                here = value == path;
            } else if let Some(url) = line.strip_prefix("url = ").filter(|_| here) {
                return Some(url.to_owned());
            }
        }
        None
    }
}

fn file(bytes: &[u8], wanted: Wanted) -> Value {
    let mut shown = json!({});
    if wanted.content && bytes.len() <= LARGEST_BLOB {
        merge(&mut shown, json!({ "encoding": "base64", "content": STANDARD.encode(bytes) }));
    }
    if (wanted.content || wanted.lfs)
        && !wanted.before_lfs
        && let Some((oid, size)) = pointer(bytes)
    {
        merge(&mut shown, json!({ "lfs_oid": oid, "lfs_size": size }));
    }
    shown
}

/// Id and size of the object behind a Git LFS pointer.
fn pointer(bytes: &[u8]) -> Option<(String, u64)> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= LARGEST_POINTER)?;
    let mut lines = text.lines();
    lines.next().filter(|line| *line == "version https://git-lfs.github.com/spec/v1")?;
    let oid = lines.next()?.strip_prefix("oid sha256:")?;
    let size = lines.next()?.strip_prefix("size ")?.parse().ok()?;
    Some((oid.to_owned(), size))
}
