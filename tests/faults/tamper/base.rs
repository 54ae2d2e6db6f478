//! A log as a server writes it: three segments, two keys, a restart, a killed process with a torn line, and lines behind
//! the last checkpoint.

use std::collections::BTreeMap;
use std::io::Write as _;

use aegis_tests::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stand::{Stand, read, until};

/// How many lines there are at least.
const LINES: usize = 1_000;

/// One line of the log.
#[derive(Clone, Debug)]
pub struct At {
    /// The file that it stands in.
    pub file: String,
    /// Where it begins there.
    pub at: usize,
    /// Its bytes, its line feed among them.
    pub len: usize,
}

pub struct Base {
    pub files: BTreeMap<String, Vec<u8>>,
    pub lines: Vec<At>,
    /// The last checkpoint, as somebody else keeps it.
    pub anchor: Vec<u8>,
    /// Lines that it covers.
    pub covered: usize,
    /// The log's first key.
    pub key: String,
    /// A log of another server.
    pub other: BTreeMap<String, Vec<u8>>,
}

async fn calls(server: &Server, count: usize) {
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let url = server.url.clone();
            tokio::spawn(async move {
                for _ in 0..count / 8 {
                    assert_eq!(read(&url).await.expect("an answer").status, 200);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("no panic");
    }
}

async fn rotate(stand: &Stand) {
    let (code, said) = stand.operator(&["audit", "rotate"]).await;
    assert_eq!(code, 0, "{said}");
}

fn files(stand: &Stand) -> BTreeMap<String, Vec<u8>> {
    let named = std::fs::read_dir(stand.trail()).expect("a log").map(|entry| entry.expect("a name").path());
    let endings = ["log", "jsonl", "checkpoints"];
    let ending = |path: &std::path::Path| {
        path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one))
    };
    let ours = named.filter(|path| ending(path));
    let name = |path: &std::path::Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    ours.map(|path| (name(&path), std::fs::read(&path).expect("read"))).collect()
}

impl Base {
    pub async fn of_a_server() -> Self {
        let (stand, other) = (Stand::new().await, Stand::new().await);
        let server = other.setup().start().await;
        calls(&server, 16).await;
        rotate(&other).await;
        calls(&server, 8).await;
        assert_eq!(server.stop().await.code, 0);

        let server = stand.setup().start().await;
        let (code, key) = stand.operator(&["audit", "key"]).await;
        assert_eq!(code, 0, "{key}");
        calls(&server, LINES / 8).await;
        rotate(&stand).await;
        let keys = [std::fs::read(other.key()).expect("a key"), std::fs::read(stand.key()).expect("a key")];
        std::fs::write(stand.key(), keys.concat()).expect("written");
        server.signal("HUP").await;
        until("the key is handed over", async || {
            stand.lines().iter().any(|line| line["event"] == "key_handover")
        })
        .await;
        calls(&server, LINES / 8).await;
        assert_eq!(server.stop().await.code, 0);

        let server = stand.setup().start().await;
        rotate(&stand).await;
        calls(&server, LINES / 4).await;
        server.signal("KILL").await;
        server.wait().await;
        let mut active = std::fs::OpenOptions::new().append(true).open(&stand.audit).expect("the log");
        active.write_all(br#"{"v":1,"seq":"#).expect("torn");
        let server = stand.setup().start().await;
        calls(&server, 8).await;
        server.signal("KILL").await;
        server.wait().await;
        Self::of_files(files(&stand), key.trim().to_owned(), files(&other))
    }

    fn of_files(files: BTreeMap<String, Vec<u8>>, key: String, other: BTreeMap<String, Vec<u8>>) -> Self {
        let mut lines = Vec::new();
        for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("checkpoints")) {
            let mut at = 0;
            for line in bytes.split_inclusive(|byte| *byte == b'\n') {
                lines.push(At { file: name.clone(), at, len: line.len() });
                at += line.len();
            }
        }
        let notes = String::from_utf8(files["audit.checkpoints"].clone()).expect("text");
        let begin = notes.rfind("\naegis-audit/").map_or(0, |at| at + 1);
        let anchor = notes.as_bytes()[begin..].to_vec();
        let covered: usize = notes[begin..].lines().nth(1).expect("a size").parse().expect("a number");
        assert!(lines.len() >= LINES && covered < lines.len(), "{covered} of {} lines", lines.len());
        assert!(files.len() >= 4, "{:?}", files.keys());
        Self { files, lines, anchor, covered, key, other }
    }

    /// Where checkpoint `n` begins and ends in its file.
    pub fn notes(&self) -> Vec<(usize, usize)> {
        let text = String::from_utf8(self.files["audit.checkpoints"].clone()).expect("text");
        let mut begins: Vec<usize> = text
            .match_indices("aegis-audit/")
            .map(|(at, _)| at)
            .filter(|at| begins_a_line(&text, *at))
            .collect();
        begins.push(text.len());
        begins.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }

    /// The bytes of a line.
    pub fn line(&self, line: &At) -> &[u8] {
        &self.files[&line.file][line.at..line.at + line.len]
    }

    /// For the second verifier.
    pub fn json(&self) -> Value {
        let files: BTreeMap<&String, String> =
            self.files.iter().map(|(name, bytes)| (name, STANDARD.encode(bytes))).collect();
        json!({"files": files})
    }
}

fn begins_a_line(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n'
}
