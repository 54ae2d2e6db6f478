//! The Gitea behind the dear calls: files made once, each served to the requests whose target holds a word. The
//! archive, the diff and the file are made of the same invented source text.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use aegis_tests::forge::{Forge, Options, world::ALICE_TOKEN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Result;

/// Bytes of the files of the repository that is searched.
pub const REPOSITORY: usize = 50 << 20;
/// Bytes of one of them.
const FILE: usize = 10 << 10;
/// Bytes of the file that is read.
pub const CONTENTS: usize = 1 << 20;
/// Bytes of the diff that is read.
pub const DIFF: usize = 5 << 20;
/// A file of so many holds what is searched for.
const RARE: usize = 50;
/// What is searched for.
pub const NEEDLE: &str = "wanted_by_the_bench";

const COMMIT: &str = "4d1a5f0d39c41e7a7ad02b6b0f9d1d0f6f2d7c11";
const BINARY: &str = "application/octet-stream";
const JSON: &str = "application/json;charset=utf-8";

/// Which file answers: the first row whose word is in the target. The order matters.
const ROUTES: [(&str, &str, &str); 8] = [
    ("/archive/", "archive", BINARY),
    ("/git/trees/", "tree", JSON),
    ("/contents-ext/", "contents", JSON),
    (".diff", "diff", "text/plain; charset=utf-8"),
    ("/git/commits/", "commit", JSON),
    ("/commits", "commits", JSON),
    ("/issues/", "issue", JSON),
    ("", "repository", JSON),
];

/// Make the files in a folder. How many bytes the archive has.
///
/// # Errors
/// The folder cannot be written, or the sample Gitea does not answer.
pub async fn make(folder: &Path) -> Result<usize> {
    std::fs::create_dir_all(folder)?;
    let put = |name: &str, body: &[u8]| std::fs::write(folder.join(name), body);
    let forge = Forge::start(Options::default()).await;
    let token = format!("token {ALICE_TOKEN}");
    for (name, target) in [("repository", ""), ("issue", "/issues/5")] {
        let target = format!("/api/v1/repos/alice/demo{target}");
        let headers = [("authorization", token.as_str())];
        let answer = aegis_tests::http::send(&forge.url(), "GET", &target, &headers, b"").await?;
        put(name, &answer.body)?;
    }
    let archive = archive()?;
    put("archive", &archive)?;
    let row = json!({"path": "src", "type": "tree", "mode": "040000", "sha": COMMIT, "size": 0});
    put("tree", json!({"tree": [row], "truncated": false}).to_string().as_bytes())?;
    let commit =
        json!({"sha": COMMIT, "commit": {"message": "Much\n", "author": {"name": "Alice"}}, "parents": []});
    put("commit", commit.to_string().as_bytes())?;
    put("commits", Value::from(vec![commit]).to_string().as_bytes())?;
    let content = STANDARD.encode(text(CONTENTS, 1));
    let file = json!({"type": "file", "name": "much.rs", "path": "much.rs", "size": CONTENTS, "sha": COMMIT,
        "encoding": "base64", "content": content});
    put("contents", json!({"file_contents": file}).to_string().as_bytes())?;
    put("diff", &diff())?;
    Ok(archive.len())
}

/// Lines that look like source, others for each seed (the multiplier of Knuth's MMIX).
fn text(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut out = Vec::with_capacity(bytes + 80);
    while out.len() < bytes {
        let (name, kind, value) = (next() % 5_000, next() % 40, next());
        let _ = writeln!(out, "    let field_{name} = Kind{kind}::from(\"{value:x}\").with(0x{:x});", next());
    }
    out.truncate(bytes);
    out
}

fn archive() -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for nth in 0..REPOSITORY / FILE {
        let mut content = text(FILE, nth as u64);
        if nth % RARE == 0 {
            content.extend_from_slice(format!("// {NEEDLE}\n").as_bytes());
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_mode(0o664);
        archive.append_data(
            &mut header,
            format!("demo/src/part{:02}/f{nth:05}.rs", nth % 50),
            content.as_slice(),
        )?;
    }
    Ok(archive.into_inner()?.finish()?)
}

fn diff() -> Vec<u8> {
    let mut out = Vec::with_capacity(DIFF + FILE);
    for nth in 0.. {
        if out.len() >= DIFF {
            break;
        }
        let text = text(FILE, nth);
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let _ = writeln!(out, "diff --git a/src/f{nth}.rs b/src/f{nth}.rs\nnew file mode 100644");
        let _ = writeln!(
            out,
            "index 0000000..1111111\n--- /dev/null\n+++ b/src/f{nth}.rs\n@@ -0,0 +1,{} @@",
            lines.len()
        );
        for line in lines {
            out.push(b'+');
            out.extend_from_slice(line);
            out.push(b'\n');
        }
    }
    out
}

/// Serve what [`make`] left in `folder` on a free port of loopback, until killed.
///
/// # Errors
/// A file cannot be read, or there is no port.
pub fn serve(folder: &Path) -> Result<()> {
    let mut routes = Vec::new();
    for (word, name, kind) in ROUTES {
        routes.push((word, Bytes::from(std::fs::read(folder.join(name))?), kind));
    }
    let routes = Arc::new(routes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let routes = routes.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let target = request.uri().path().to_owned();
                let row = routes.iter().find(|(word, ..)| target.contains(word));
                let (body, kind) = row.map_or((Bytes::new(), JSON), |(_, body, kind)| (body.clone(), *kind));
                async move {
                    // A body that breaks off ends the connection anyway.
                    let _ = request.into_body().collect().await;
                    let mut response = Response::new(Full::new(body));
                    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}
