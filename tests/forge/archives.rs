//! `GET /repos/{owner}/{repo}/archive/{ref}.tar.gz`: a commit as `git archive` packs it. Everything lies in a folder of
//! the repository's name in lower case, links are link entries, and a submodule is an empty directory.

use std::io::Cursor;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::call::{Answer, Call};
use super::git::{Commit, Node};
use super::world::Repo;

/// Answer the route.
pub(super) fn archive(call: &Call, repo: &Repo, name: &str) -> Answer {
    let Some(name) = name.strip_suffix(".tar.gz") else {
        return call.refuse(400, &format!("unknown format: {name}"));
    };
    let Some(commit) = repo.git.resolve(name) else {
        return call.not_found_because(&format!("unrecognized repository reference: {name}"), &[]);
    };
    match packed(call, repo, &commit) {
        Ok(body) => {
            let file = format!("attachment; filename={}-{name}.tar.gz", repo.name);
            let headers =
                vec![("Content-Disposition", file), ("Content-Type", "application/octet-stream".to_owned())];
            Answer { status: 200, headers, body }
        }
        Err(error) => call.refuse(500, &error.to_string()),
    }
}

fn packed(call: &Call, repo: &Repo, commit: &Commit) -> std::io::Result<Vec<u8>> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let comment = format!("52 comment={}\n", commit.sha);
    let mut header = entry(EntryType::XGlobalHeader, comment.len());
    archive.append_data(&mut header, "pax_global_header", Cursor::new(comment))?;
    let folder = repo.name.to_lowercase();
    archive.append_data(&mut entry(EntryType::Directory, 0), format!("{folder}/"), Cursor::new([]))?;
    for (path, node) in commit.tree.walk() {
        let sha = node.sha();
        match &node {
            Node::File(blob) | Node::Program(blob) => {
                let mut header = entry(EntryType::Regular, blob.bytes.len());
                if matches!(node, Node::Program(_)) {
                    header.set_mode(0o775);
                }
                let path = format!("{folder}/{}", call.seeding.path(&path));
                append(&mut archive, header, sha, &path, None, &blob.bytes)?;
            }
            Node::Link(blob) => {
                let header = entry(EntryType::Symlink, 0);
                let path = format!("{folder}/{}", call.seeding.path(&path));
                let target = call.seeding.path(&String::from_utf8_lossy(&blob.bytes));
                append(&mut archive, header, sha, &path, Some(&target), &[])?;
            }
            // Their names stay as they are: everything below them is found by them.
            Node::Directory(_) | Node::Module(_) => {
                let header = entry(EntryType::Directory, 0);
                append(&mut archive, header, sha, &format!("{folder}/{path}/"), None, &[])?;
            }
        }
    }
    archive.into_inner()?.finish()
}

/// One entry. What has no room in its header stands in records before it, by bytes and not by lines, under the names that
/// Git gives such entries.
fn append(
    archive: &mut Builder<GzEncoder<Vec<u8>>>,
    mut header: Header,
    sha: &str,
    path: &str,
    target: Option<&str>,
    content: &[u8],
) -> std::io::Result<()> {
    let mut records = Vec::new();
    if header.set_path(path).is_err() {
        header.set_path(format!("{sha}.data"))?;
        records.extend(record("path", path));
    }
    if let Some(target) = target
        && header.set_link_name(target).is_err()
    {
        header.set_link_name(format!("see {sha}.paxheader"))?;
        records.extend(record("linkpath", target));
    }
    if !records.is_empty() {
        let mut before = entry(EntryType::XHeader, records.len());
        before.set_path(format!("{sha}.paxheader"))?;
        before.set_cksum();
        archive.append(&before, records.as_slice())?;
    }
    header.set_cksum();
    archive.append(&header, content)
}

/// `<length> <keyword>=<value>\n`, where the length counts its own digits.
fn record(keyword: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {keyword}={value}\n");
    let mut length = rest.len();
    while length != length.to_string().len() + rest.len() {
        length = length.to_string().len() + rest.len();
    }
    format!("{length}{rest}").into_bytes()
}

fn entry(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(if kind == EntryType::Directory { 0o775 } else { 0o664 });
    header
}
