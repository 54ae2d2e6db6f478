//! Strangers who register without end: nothing is kept for them, neither on the volume nor in memory.
//! Few by default; `AEGIS_TEST_REGISTRATIONS=20000` is the long form (`make long-tests`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aegis_tests::sign_in::{Client, REDIRECT, register};
use serde_json::json;

use crate::scene::{Scene, password};

/// The most that the server may grow by in memory, in KiB: what an allocator keeps, and nothing for each client.
const MOST_GROWTH: u64 = 48 * 1024;

fn registrations() -> usize {
    std::env::var("AEGIS_TEST_REGISTRATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

/// Every file below a directory, with what is in it.
fn content(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("the registry's directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(content(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.insert(path, bytes);
        }
    }
    found
}

/// Resident memory of a process, in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the kernel tells");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Register so many clients, eight at a time; one of the ids.
async fn strangers(server: &str, count: usize) -> String {
    let next = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (next, server) = (next.clone(), server.to_owned());
            tokio::spawn(async move {
                let mut last = String::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return last;
                    }
                    let name = format!("Stranger {number}");
                    let body = json!({
                        "client_name": name, "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
                    });
                    let answer = register(&server, &body).await;
                    assert_eq!(answer.status, 201, "{}", answer.text());
                    last = answer.json()["client_id"].as_str().unwrap_or_default().to_owned();
                    if (number + 1) % 1_000 == 0 {
                        println!("{} of {count} clients registered", number + 1);
                    }
                }
            })
        })
        .collect();
    let mut last = String::new();
    for worker in workers {
        let id = worker.await.expect("every registration is answered");
        last = if id.is_empty() { last } else { id };
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_leave_nothing_behind_and_each_id_is_good() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let registry = scene.folder().join("registry");
    // What a server needs to be warm is not what strangers cost.
    strangers(&server.url, 200).await;
    let (before, memory) = (content(&registry), resident(server.pid()));
    assert!(before.keys().any(|path| path.ends_with("registry.redb")), "{:?}", before.keys());
    let id = strangers(&server.url, registrations()).await;
    let (after, grown) = (content(&registry), resident(server.pid()).saturating_sub(memory));
    let sizes = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<(PathBuf, usize)> {
        files.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect()
    };
    println!("{} clients cost {grown} KiB of memory", registrations());
    assert_eq!(sizes(&after), sizes(&before), "the volume grew by strangers");
    assert!(after == before, "something on the volume was changed for strangers");
    assert!(grown < MOST_GROWTH, "{} clients cost {grown} KiB of memory", registrations());
    let client = Client { server: server.url.clone(), id, redirect: REDIRECT.to_owned() };
    client.tokens("alice", &password("alice"), false).await;
    assert_eq!(server.stop().await.code, 0);
}
