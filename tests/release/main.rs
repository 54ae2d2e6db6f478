//! What surrounds the product until somebody installs it: the pipelines, which image is published, the bill of materials and
//! the licences, known holes of crates, and the signature of a release. Scripts are run as a pipeline or a person runs them.

mod advisories;
mod bill;
mod pipelines;
mod publishing;
mod signing;

use std::path::{Path, PathBuf};
use std::process::Output;

/// The top of the tree.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Exit code, standard output, and standard error.
fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
