//! A repository with an archive, for the tests of jobs.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::tools::fake::{Route, World};

/// `acme/Site`, whose newest commit holds these files.
pub(super) fn archived(world: World, files: &[(&str, &[u8])]) -> World {
    let id = "9".repeat(40);
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, format!("site/{path}"), *content).unwrap();
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&builder.into_inner().unwrap()).unwrap();
    let archive = gzip.finish().unwrap();
    let top =
        json!({ "tree": [{ "path": "src", "type": "tree", "sha": "5".repeat(40) }], "truncated": false });
    world
        .on("GET /repos/acme/Site", json!({ "id": 7, "size": 100, "has_issues": true }))
        .on("GET /repos/acme/Site/commits", json!([{ "sha": id }]))
        .on(&format!("GET /repos/acme/Site/git/trees/{id}?per_page=1000&page=1"), top)
        .route(Route::bytes(
            &format!("GET /repos/acme/Site/archive/{id}.tar.gz"),
            "application/gzip",
            &archive,
        ))
}

/// Run a job there: its report, or the reason why there is none. Nothing is sent that it does not declare.
pub(super) fn run(world: &World, job: &str, apply: bool) -> Result<Value, String> {
    let tool = super::Job::named(job).unwrap().tool;
    let catalogue = if apply { &super::CHANGES } else { &super::REPORTS };
    world
        .call_in(catalogue, tool, json!({ "owner": "acme", "repo": "Site" }))
        .map(|finished| finished.structured)
        .map_err(|stopped| reason(stopped.failed()))
}

fn reason(error: crate::tools::kit::Error) -> String {
    use crate::tools::kit::Error;
    match error {
        Error::Conflict { reason, .. } | Error::Busy { reason, .. } | Error::Unprocessable { reason, .. } => {
            reason.to_owned()
        }
        other @ (Error::Gitea(_) | Error::NotFound { .. }) => other.message(),
    }
}
