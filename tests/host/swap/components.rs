//! Components to swap to, and the commands as the operator of a server runs them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use aegis_tests::server::{Folder, Server, dist, program};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

/// One compiles at a time, and the others find it.
static COMPILING: Mutex<()> = Mutex::const_new(());

/// What is compiled of a component in a directory.
pub fn compiled(cache: &Path, digest: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cache).into_iter().flatten().flatten().map(|file| file.path());
    let is_of = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(digest) && name.ends_with(".cwasm")
    };
    files.filter(is_of).collect()
}

/// A component that `make build` has built.
pub fn component(file: &str) -> PathBuf {
    dist().join(file)
}

/// SHA-256, in hex.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of components.
pub struct Components(pub Folder);

impl Components {
    pub fn new() -> Self {
        Self(Folder::new())
    }

    /// A file of this content: its path and its digest.
    pub fn file(&self, name: &str, bytes: &[u8]) -> (String, String) {
        let path = self.0.0.join(name);
        std::fs::write(&path, bytes).expect("written");
        (path.display().to_string(), digest(bytes))
    }

    /// The product's own guest under another digest, which is compiled already where tests' servers look for it: what
    /// compiling takes is no matter of most tests.
    pub async fn variant(&self, tag: &str) -> (String, String) {
        let (path, digest) = self.file(&format!("{tag}.wasm"), &variant(tag));
        let cache = dist().join("guests");
        let _alone = COMPILING.lock().await;
        if compiled(&cache, &digest).is_empty() {
            let (code, _, err) =
                program(&["guest", "compile", "--into", &cache.display().to_string(), &path], &[]).await;
            assert_eq!(code, 0, "{err}");
        }
        (path, digest)
    }
}

/// The product's own guest as [`variant_of`] makes another.
pub fn variant(tag: &str) -> Vec<u8> {
    variant_of("gateway.wasm", tag)
}

/// A built component with a section more, which says nothing to anybody: it works alike and has another digest.
pub fn variant_of(file: &str, tag: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(component(file)).expect("`make build` has built it");
    let name = b"variant";
    let content = [&[u8::try_from(name.len()).expect("short")][..], name, tag.as_bytes()].concat();
    // Section 0, custom; lengths below 128 are one byte in LEB128.
    bytes.push(0);
    bytes.push(u8::try_from(content.len()).ok().filter(|length| *length < 128).expect("short"));
    bytes.extend_from_slice(&content);
    bytes
}

/// A built component with one text in place of another of the same length, wherever it stands.
pub fn patched(file: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(component(file)).expect("`make build` has built it");
    let places: Vec<usize> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, found)| *found == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{from} is in {file}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// `aegis-mcp guest` as the operator of this server runs it.
pub async fn guest(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let audit = server.audit_path().display().to_string();
    program(&[&["guest"], arguments].concat(), &[("AUDIT_LOG_PATH", &audit)]).await
}

/// What `guest history --json` says.
pub async fn told(server: &Server) -> Value {
    let (code, out, err) = guest(server, &["history", "--json"]).await;
    assert_eq!(code, 0, "{err}");
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}"))
}

/// The digest of the guest in force.
pub async fn in_force(server: &Server) -> String {
    let ready = server.stranger("GET", "/ready", &[], b"").await.json();
    ready["component"].as_str().expect("a digest").to_owned()
}

/// Hand a component to the server's socket, as a program would; what is answered.
pub async fn handed(server: &Server, announced: usize, bytes: Vec<u8>) -> Value {
    let mut socket = server.audit_path().as_os_str().to_owned();
    socket.push(".admin.sock");
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(socket).expect("the socket");
        let mut request = json!({"request": "guest_swap", "bytes": announced, "signature": null}).to_string();
        request.push('\n');
        stream.write_all(request.as_bytes()).expect("sent");
        // A server that has heard enough closes the connection.
        let _ = stream.write_all(&bytes);
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        line
    });
    let line = asked.await.expect("no panic");
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}"))
}
