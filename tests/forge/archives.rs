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
        let path = format!("{folder}/{}", call.seeding.path(&path));
        match &node {
            Node::File(blob) | Node::Program(blob) => {
                let mut header = entry(EntryType::Regular, blob.bytes.len());
                if header.set_path(&path).is_err() {
                    // What has no room in a header stands in records before it, by bytes and not by lines.
                    header.set_path(format!("{folder}/{}.data", node.sha()))?;
                    archive.append_pax_extensions([("path", path.as_bytes())])?;
                }
                header.set_cksum();
                archive.append(&header, &*blob.bytes)?;
            }
            Node::Link(blob) => {
                let target = String::from_utf8_lossy(&blob.bytes).into_owned();
                archive.append_link(&mut entry(EntryType::Symlink, 0), path, target)?;
            }
            Node::Directory(_) | Node::Module(_) => {
                let mut header = entry(EntryType::Directory, 0);
                archive.append_data(&mut header, format!("{path}/"), Cursor::new([]))?;
            }
        }
    }
    archive.into_inner()?.finish()
}

fn entry(kind: EntryType, size: usize) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(if kind == EntryType::Directory { 0o775 } else { 0o664 });
    header
}
