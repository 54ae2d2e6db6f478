//! No request fails for a swap: two guests that are compiled already are put in force in turn under load, and some that are
//! not. `AEGIS_TEST_SWAPS` and `AEGIS_TEST_FULL_SWAPS` set how often; `make swap-test` does it 1,000 and 20 times.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aegis_tests::http::send;
use aegis_tests::server::{KEY, OTHER_KEY, Server, dist};
use serde_json::json;

use super::components::{Components, compiled, component, digest, handed, in_force, variant};
use super::lines;
use crate::scene::{READ, Scene, call};

/// Callers that ask one request after the other.
const CALLERS: usize = 8;

fn times(variable: &str, short: usize) -> usize {
    std::env::var(variable).ok().map_or(short, |text| text.parse().expect("a number"))
}

/// Callers at work: how many answers they got, and each answer that was not 200.
struct Load {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicUsize>,
    callers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn begin(server: &Server) -> Self {
        let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers = (0..CALLERS).map(|number| {
            let (url, is_over, answers) = (server.url.clone(), is_over.clone(), answers.clone());
            let key = if number % 2 == 0 { KEY } else { OTHER_KEY };
            tokio::spawn(async move {
                let mut failed = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    // Half of them go to Gitea and have their line on disk, the others are the guest's alone.
                    let answer = if number < CALLERS / 2 {
                        call(&url, key, READ).await.expect("no panic")
                    } else {
                        send(&url, "GET", "/mcp/tools", &[], b"").await.ok()
                    };
                    answers.fetch_add(1, Ordering::Relaxed);
                    match answer {
                        Some(answer) if answer.status == 200 => {}
                        Some(answer) => failed.push(format!("{} {}", answer.status, answer.text())),
                        None => failed.push("no answer".to_owned()),
                    }
                }
                failed
            })
        });
        let callers = callers.collect();
        Self { is_over, answers, callers }
    }

    /// Answers in all, and those that failed.
    async fn end(self) -> (usize, Vec<String>) {
        self.is_over.store(true, Ordering::Relaxed);
        let mut failed = Vec::new();
        for caller in self.callers {
            failed.extend(caller.await.expect("no panic"));
        }
        (self.answers.load(Ordering::Relaxed), failed)
    }
}

/// A directory of compiled guests of this test's own, with these in it.
pub fn cache(scene: &Scene, digests: &[String]) -> String {
    let folder = scene.folder.0.join("cache");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).expect("a folder");
    for digest in digests {
        for file in compiled(&dist().join("guests"), digest) {
            let name = file.file_name().expect("a name");
            std::fs::copy(&file, folder.join(name)).expect("copied");
            std::fs::set_permissions(folder.join(name), Permissions::from_mode(0o600)).expect("ours");
        }
    }
    folder.display().to_string()
}

#[tokio::test]
async fn no_request_fails_while_guests_are_swapped() {
    let swaps = times("AEGIS_TEST_SWAPS", 30);
    let whole = times("AEGIS_TEST_FULL_SWAPS", 1);
    let scene = Scene::new().await;
    let components = Components::new();
    let own = digest(&std::fs::read(component("gateway.wasm")).expect("built"));
    let digests = [own, components.variant("a").await.1, components.variant("b").await.1];
    let server = scene.setup().set("GUEST_CACHE_DIR", &cache(&scene, &digests)).start().await;
    let load = Load::begin(&server);
    let two = [variant("a"), variant("b")];
    for number in 0..swaps {
        let bytes = two[number % 2].clone();
        let answer = handed(&server, bytes.len(), bytes).await;
        assert_eq!(answer["answer"], "guest_in_force", "{answer}");
        assert_eq!(answer["generation"], json!(number + 2), "each is another one");
        if number % 100 == 99 {
            println!("{} of {swaps} swaps", number + 1);
        }
    }
    for number in 0..whole {
        let bytes = variant(&format!("whole {number}"));
        let name = digest(&bytes);
        assert_eq!(handed(&server, bytes.len(), bytes).await["after"], json!(name));
        assert_eq!(in_force(&server).await, name);
    }
    let (answers, failed) = load.end().await;
    assert_eq!(failed, [""; 0], "of {answers}");
    assert!(answers > swaps, "there was load: {answers}");
    println!("{swaps} swaps of compiled guests and {whole} with compiling, {answers} answers, 0 failed");
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_swapped").len(), swaps + whole);
    assert_eq!(lines(&stopped.audit, "guest_rolled_back"), Vec::<&serde_json::Value>::new());
    assert_eq!(scene.verify().await.0, 0);
    assert_eq!(scene.forge.violations(), Vec::<String>::new());
}
