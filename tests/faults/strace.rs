//! strace, which makes system calls of a server fail, and tells which it made. What it cannot do here fails a campaign with a
//! sentence that says why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use crate::stand::until;

/// The calls by which the log is kept. `open` and `rename` have several names, by architecture.
pub const CALLS: [&str; 12] = [
    "?open",
    "openat",
    "write",
    "fdatasync",
    "fsync",
    "?rename",
    "?renameat",
    "?unlink",
    "?unlinkat",
    "close",
    "ftruncate",
    "flock",
];

/// # Panics
/// There is no strace, or it may not trace.
pub fn required() {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    match tried {
        Err(error) => panic!("strace cannot be run ({error}): scripts/setup-faults installs it"),
        Ok(output) => assert!(
            output.status.success(),
            "strace may not trace here, so this campaign cannot be run: allow ptrace (in a container: --cap-add SYS_PTRACE). It says: {}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

/// What starts a server under strace: what it does to the files of this log is written to `into`, and `inject` is what
/// happens to it there (`fdatasync:error=EIO:when=3`). Signals go to the server itself.
pub fn around(trail: &Path, into: &Path, inject: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> =
        ["strace", "-D", "-f", "-y", "--quiet=attach,personality", "-e", "signal=none", "-o"]
            .map(str::to_owned)
            .into();
    words.push(into.display().to_string());
    words.extend(["-e".to_owned(), format!("trace={}", CALLS.join(","))]);
    for name in ["", "audit.log", "audit.checkpoints", "audit.log.lock"] {
        let path = if name.is_empty() { trail.to_owned() } else { trail.join(name) };
        words.extend(["-P".to_owned(), path.display().to_string()]);
    }
    if let Some(inject) = inject {
        words.extend(["-e".to_owned(), format!("inject={inject}")]);
    }
    words
}

/// One call as strace wrote it.
#[derive(Debug)]
pub struct Call {
    pub thread: u64,
    pub name: String,
    /// Everything behind the opening bracket.
    pub rest: String,
}

/// Wait until strace has written all of a process, and return it.
pub async fn ended(from: &Path, process: u32) -> Vec<Call> {
    let process = process.to_string();
    until("strace has written all", async || {
        let text = std::fs::read(from).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let ended = |line: &str| {
            line.split_once(' ')
                .is_some_and(|(of, said)| of == process && said.trim_start().starts_with("+++ "))
        };
        let done = text.lines().any(ended);
        // Where all threads are killed at once, strace may say so of none of them but the one that made the last call.
        done || text.contains(" +++ killed by SIGKILL") || text.trim_end().ends_with("= ?")
    })
    .await;
    calls(from)
}

/// The calls in the order in which they ended. strace must be gone: it is once nobody writes to the server's standard error.
pub fn calls(from: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&std::fs::read(from).expect("what strace wrote")).into_owned();
    let (mut begun, mut calls) = (BTreeMap::new(), Vec::new());
    for line in text.lines() {
        let Some((thread, said)) = line.split_once(' ') else { continue };
        let Ok(thread) = thread.parse::<u64>() else { continue };
        let said = said.trim_start();
        // A call of one thread may be written in two lines, with those of others between them.
        let whole = match (said.strip_suffix("<unfinished ...>"), said.strip_prefix("<... ")) {
            (Some(first), _) => {
                begun.insert(thread, first.trim_end().to_owned());
                continue;
            }
            (None, Some(second)) => {
                let rest = second.split_once("resumed>").map_or("", |(_, rest)| rest);
                begun.remove(&thread).unwrap_or_default() + rest
            }
            (None, None) => said.to_owned(),
        };
        if let Some((name, rest)) = whole.split_once('(') {
            calls.push(Call { thread, name: name.to_owned(), rest: rest.to_owned() });
        }
    }
    calls
}

/// How often one thread made each call, at most: the instances that can be made to fail.
pub fn instances(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::<(&str, u64), usize>::new();
    for call in calls {
        *counts.entry((&call.name, call.thread)).or_default() += 1;
    }
    let mut most = BTreeMap::<String, usize>::new();
    for ((name, _), count) in counts {
        let entry = most.entry(name.to_owned()).or_default();
        *entry = count.max(*entry);
    }
    most
}

/// Whether something was injected.
pub fn injected(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.rest.contains("(INJECTED)")).count()
}

/// Files that were synced again after a sync of them had failed, within one process.
pub fn synced_again(calls: &[Call]) -> Vec<String> {
    // A file is what one name was when it was made or first opened; renaming keeps it what it is.
    let (mut next, mut names, mut open, mut spoiled) =
        (0_usize, BTreeMap::<String, usize>::new(), BTreeMap::<u64, usize>::new(), BTreeSet::new());
    let mut again = Vec::new();
    for call in calls {
        let failed =
            call.rest.contains(") = -1 ") || call.rest.contains(")= -1 ") || call.rest.contains(" = -1 E");
        let quoted: Vec<&str> = call.rest.split('"').skip(1).step_by(2).collect();
        let number = call.rest.split(['<', ')', ',']).next().and_then(|text| text.trim().parse::<u64>().ok());
        match (call.name.as_str(), &quoted[..], number) {
            ("open" | "openat", [path, ..], _) if !failed => {
                let file = *names.entry((*path).to_owned()).or_insert_with(|| {
                    next += 1;
                    next
                });
                let result = call.rest.rsplit_once(" = ").map_or("", |(_, result)| result);
                if let Some(fd) = result.split('<').next().and_then(|fd| fd.trim().parse().ok()) {
                    open.insert(fd, file);
                }
            }
            ("rename" | "renameat", [from, to], _) if !failed => {
                if let Some(file) = names.remove(*from) {
                    names.insert((*to).to_owned(), file);
                }
            }
            ("unlink" | "unlinkat", [path, ..], _) if !failed => drop(names.remove(*path)),
            ("fsync" | "fdatasync", _, Some(fd)) => {
                if let Some(file) = open.get(&fd) {
                    if spoiled.contains(file) {
                        again.push(format!("{}({}", call.name, call.rest));
                    }
                    if failed {
                        spoiled.insert(*file);
                    }
                }
            }
            ("close", _, Some(fd)) => drop(open.remove(&fd)),
            _ => {}
        }
    }
    again
}
