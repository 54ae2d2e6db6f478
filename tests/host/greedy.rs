//! What the host says of a component before it runs a byte of it: allowed imports or no start.

use std::path::Path;

use aegis_tests::server::{Folder, dist, program};

use crate::scene::Scene;

fn built(file: &str) -> String {
    dist().join(file).display().to_string()
}

#[tokio::test]
async fn a_guest_that_imports_files_and_sockets_is_not_served() {
    let scene = Scene::new().await;
    let (code, said) = scene.setup().guest("greedy.wasm").refused().await;
    assert_eq!(code, 1, "{said}");
    for import in ["wasi:filesystem/types@", "wasi:filesystem/preopens@", "wasi:sockets/tcp@"] {
        assert!(said.contains(import), "{import} is not named: {said}");
    }
    assert!(said.contains("greedy.wasm is refused") && said.contains("which guests may not have"), "{said}");
    assert!(!said.contains("wasi:io/streams"), "what is allowed is not complained about: {said}");
    assert!(!scene.audit.exists(), "nothing was begun");
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn inspect_marks_what_would_be_refused_and_says_so_by_its_exit_code() {
    let (code, out, err) = program(&["guest", "inspect", &built("greedy.wasm")], &[]).await;
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("import  REFUSED wasi:filesystem/types@"), "{out}");
    assert!(out.contains("import  REFUSED wasi:sockets/"), "{out}");
    assert!(out.contains("import  wasi:io/streams@"), "{out}");
    assert!(out.lines().any(|line| line.starts_with("verdict ") && line.contains("is refused")), "{out}");
}

#[tokio::test]
async fn inspect_tells_everything_about_the_gateway() {
    let path = built("gateway.wasm");
    let (code, out, err) = program(&["guest", "inspect", &path], &[]).await;
    assert_eq!(code, 0, "{out}{err}");
    let line = |name: &str| {
        let found = out.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        found.trim().to_owned()
    };
    assert_eq!(line("file "), path);
    assert_eq!(line("size "), format!("{} bytes", std::fs::metadata(&path).expect("built").len()));
    let sums = tokio::process::Command::new("sha256sum").arg(&path).output().await.expect("sha256sum runs");
    let sum = String::from_utf8_lossy(&sums.stdout).split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(line("digest "), format!("sha256:{sum}"));
    assert_eq!(line("verdict "), "this host runs it");
    let imports: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("import  ")).collect();
    for capability in ["audit", "cache", "gitea", "identity", "limits", "settings", "telemetry"] {
        let name = format!("aegis:gateway/{capability}@");
        assert!(imports.iter().any(|import| import.starts_with(&name)), "{name} in {imports:?}");
    }
    for import in &imports {
        assert!(!import.contains("outgoing-handler") && !import.contains("REFUSED"), "{import}");
        assert!(!import.contains("filesystem") && !import.contains("sockets"), "{import}");
    }
    assert!(out.contains("export  wasi:http/incoming-handler@"), "{out}");
}

/// What is no component: its name and its bytes.
const IMPOSTORS: [(&str, &[u8]); 4] = [
    ("empty.wasm", b""),
    ("text.wasm", b"this is a text, not a component\n"),
    ("core-module.wasm", b"\0asm\x01\0\0\0"),
    ("half-a-component.wasm", b"\0asm\x0d\0\x01\0\x07\xff"),
];

#[tokio::test]
async fn a_file_that_is_no_component_is_neither_inspected_nor_served() {
    let scene = Scene::new().await;
    let folder = Folder::new();
    for (name, bytes) in IMPOSTORS {
        let path = folder.0.join(name);
        std::fs::write(&path, bytes).expect("written");
        let path = path.display().to_string();
        let (code, out, err) = program(&["guest", "inspect", &path], &[]).await;
        assert_eq!((code, out.as_str()), (2, ""), "{name}: {err}");
        assert!(
            err.contains(name) && err.contains("is not a component that this host runs"),
            "{name}: {err}"
        );
        let (code, said) = scene.setup().set("GUEST_PATH", &path).refused().await;
        assert_eq!(code, 1, "{name}: {said}");
        assert!(said.contains(name) && said.contains("is not a component"), "{name}: {said}");
    }
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn a_guest_that_is_not_there_is_named_with_the_setting_that_says_where() {
    let scene = Scene::new().await;
    let missing = scene.folder.0.join("none.wasm").display().to_string();
    let (code, said) = scene.setup().set("GUEST_PATH", &missing).refused().await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&missing) && said.contains("set GUEST_PATH"), "{said}");
    let (code, _, err) = program(&["guest", "inspect", &missing], &[]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains(&missing), "{err}");
    assert!(!Path::new(&missing).exists() && !scene.audit.exists());
}
