//! `alice/demo`: every kind of file, a history with branches and a tag, 43 issues and pull requests.

use std::sync::LazyLock;

use super::{ALICE, BEGINNING, BOB, CAROL, Files, Mode, Planter};
use crate::forge::git::{Blob, Node};
use crate::forge::world::{Pull, Source};

/// One byte more than Gitea sends as content. Hashed once for all forges of a test run.
static HUGE: LazyLock<Blob> = LazyLock::new(|| Blob::new(vec![0; crate::forge::contents::LARGEST_BLOB + 1]));

pub(super) fn plant(planter: &mut Planter, empty_milestone: bool) {
    let at = planter.repo(ALICE, "demo", false);
    planter.world.repos[at].language = "Rust";
    planter.world.repos[at].collaborators.push((BOB, Mode::Write));
    history(planter, at);
    let bug = planter.add_label(at, "bug", "ff00a0", "");
    let feature = planter.add_label(at, "feature", "00a0ff", "");
    let urgent = planter.add_label(at, "Prio High", "ff00a2", "");
    planter.add_label(at, "kind/question", "a0a0a0", "");
    let release = planter.add_milestone(at, "V1 Release", Some(BEGINNING + 90 * 86_400), false);
    planter.add_milestone(at, "Backlog", None, false);
    if empty_milestone {
        planter.add_milestone(at, "", None, false);
    }
    planter.add_release(at, "v1.0", "One", false);
    planter.add_release(at, "v1.1.0", "draft", true);
    for number in 1..=35 {
        let poster = if number % 3 == 0 { BOB } else { ALICE };
        planter.add_issue(at, poster, &format!("Issue number {number}"), &format!("Body of {number}\n"));
    }
    pulls(planter, at);
    for number in 38..=41 {
        planter.add_issue(at, CAROL, &format!("Wish {number}"), "Would be nice, @bob.");
    }
    let closed = planter.add_issue(at, ALICE, "Crash on start", "Fixed by now.");
    let locked = planter.add_issue(at, ALICE, "Heated debate", "Only for writers.");
    // What is due, assigned or planned stands on older issues, so that the newest page is plain.
    let issues = &mut planter.world.repos[at].issues;
    for issue in issues.iter_mut().take(10).filter(|issue| issue.number % 2 == 0) {
        issue.labels.push(bug);
    }
    issues[4].labels = vec![feature, urgent];
    issues[4].milestone = Some(release);
    issues[4].assignees = vec![BOB, ALICE];
    issues[4].due = Some(BEGINNING + 30 * 86_400);
    issues[6].milestone = Some(release);
    let closing = issues[closed].created + 1;
    issues[closed].closed = Some(closing);
    issues[closed].updated = closing;
    issues[closed].milestone = Some(release);
    issues[locked].locked = true;
    for (number, poster) in [(1, ALICE), (2, BOB), (3, CAROL)] {
        planter.add_comment(at, 1, poster, &format!("comment {number}"));
    }
    for number in 1..=60 {
        planter.add_comment(at, 2, BOB, &format!("round {number}"));
    }
    planter.add_comment(at, 35, BOB, "Looks good.");
    let issues = &mut planter.world.repos[at].issues;
    issues[4].events = vec![issues.iter().flat_map(|issue| &issue.comments).count() as u64 + 1];
    issues[33].blocked_by = vec![33];
}

fn pulls(planter: &mut Planter, at: usize) {
    let open = planter.add_issue(at, ALICE, "Add feature one", "closes #1");
    let merged = planter.add_issue(at, BOB, "Tidy up", "");
    let repo = &mut planter.world.repos[at];
    let tip = |branch: &str| repo.git.resolve(branch).map(|commit| commit.sha.clone()).unwrap_or_default();
    let (one, tagged) = (tip("feature/one"), tip("b1"));
    let (issues, source) = (&mut repo.issues, Source::Here);
    let (head, base) = ("feature/one".to_owned(), "main".to_owned());
    issues[open].pull = Some(Pull { merged: None, head, source, tip: one, base: base.clone() });
    let when = issues[merged].created + 1;
    // Its branch was deleted after the merge.
    let head = "tidy".to_owned();
    issues[merged].pull = Some(Pull { merged: Some(when), head, source, tip: tagged, base });
    issues[merged].closed = Some(when);
    issues[merged].updated = when;
}

fn history(planter: &mut Planter, at: usize) {
    let mut files = Files::new();
    let mut add = |planter: &mut Planter, path: &str, node: Node, message: &str| {
        files.insert(path.to_owned(), node);
        planter.commit(at, "main", &files, ALICE, message);
        files.clone()
    };
    let node = planter.text("# demo\n\nA small program.\n");
    add(planter, "README.md", node, "Initial commit");
    let node = planter.text("fn main() {\n    println!(\"hello\");\n}\n");
    add(planter, "src/main.rs", node, "add src/main.rs");
    let node =
        planter.text("//! Library of the demo.\n\n/// Twice.\npub fn twice(n: u32) -> u32 {\n    n + n\n}\n");
    add(planter, "src/lib.rs", node, "add src/lib.rs");
    let key = concat!("-----BEGIN ", "PRIVATE KEY-----\nbm90IGEga2V5\n-----END ", "PRIVATE KEY-----\n");
    add(planter, "src/secrets/key.pem", Node::File(Blob::new(key.into())), "add src/secrets/key.pem");
    let node = planter.text("deep\n");
    add(planter, "a/b/c/deep.txt", node, "add a/b/c/deep.txt");
    let node = planter.text("# Guide\n\nStart here.\n");
    add(planter, "docs/guide.md", node, "add docs/guide.md");
    let node = planter.text("# Übersicht\n\nGrüße aus Köln.\n");
    add(planter, "docs/übersicht.md", node, "add docs/übersicht.md");
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\xff\xfe".to_vec();
    add(planter, "bin/logo.png", Node::File(Blob::new(png)), "add bin/logo.png");
    let tagged = add(planter, "empty.txt", Node::File(Blob::new(Vec::new())), "add empty.txt");
    let head = planter.world.repos[at].git.branches[0].1.clone();
    planter.world.repos[at].git.tags.push(("v1.0".to_owned(), head.clone()));
    planter.world.repos[at].git.branches.push(("b1".to_owned(), head.clone()));
    planter.world.repos[at].git.branches.push(("feature/one".to_owned(), head));
    let mut branch = tagged;
    let node = planter.text("feature\n");
    branch.insert("feature.txt".to_owned(), node);
    planter.commit(at, "feature/one", &branch, ALICE, "add feature.txt");
    odd_files(planter, at, branch);
}

/// Executable, link, LFS pointer, submodule, large and huge files, and a removal.
fn odd_files(planter: &mut Planter, at: usize, mut files: Files) {
    files.remove("feature.txt");
    files.insert("bin/tool".to_owned(), Node::Program(Blob::new(b"#!/bin/sh\nexit 0\n".to_vec())));
    let node = planter.text("DEBUG=1\nAPI_HOST=api.example.test\n");
    files.insert("config.env".to_owned(), node);
    planter.commit(at, "main", &files, BOB, "add a tool and its settings");
    files.insert("link-to-secret".to_owned(), Node::Link(Blob::new(b"src/secrets/key.pem".to_vec())));
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
        oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    files.insert("model.lfs".to_owned(), Node::File(Blob::new(pointer.into())));
    let attributes = planter.text("*.lfs filter=lfs diff=lfs merge=lfs -text\n");
    files.insert(".gitattributes".to_owned(), attributes);
    let modules = "[submodule \"vendored\"]\n\tpath = vendored\n\turl = https://example.test/x.git\n";
    let modules = planter.text(modules);
    files.insert(".gitmodules".to_owned(), modules);
    files.insert("vendored".to_owned(), Node::Module("6fcc47b1d2c4ac2c3f1e0e0a6f5f1f2d7f6c9a10".to_owned()));
    planter.commit(at, "main", &files, ALICE, "Symlink, LFS pointer, submodule\n\nSigned-off-by: Alice");
    let line = "All work and no play makes a large file.\n";
    let large = planter.text(&line.repeat(1_200_000 / line.len()));
    files.insert("assets/large.txt".to_owned(), large);
    files.insert("assets/huge.bin".to_owned(), Node::File(HUGE.clone()));
    planter.commit(at, "main", &files, ALICE, "large and huge");
    let moved = files.remove("a/b/c/deep.txt");
    files.extend(moved.map(|node| ("a/b/deeper.txt".to_owned(), node)));
    planter.commit(at, "main", &files, ALICE, "rename and delete");
}
