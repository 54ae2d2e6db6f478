//! Damaged and hostile archives, through the whole tool.

use std::io::Write as _;

use aegis_fuzz::campaign;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::tools::fake::{Route, Stopped, World};

const POLICY: &str = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/*\", \"*.pem\"]}\n";
const WORDS: &[&str] = &[
    "ustar\0",
    "ustar  \0",
    "site/",
    "secrets/",
    "../",
    "0000644\0",
    "00000000007\0",
    "needle\n",
    "././@LongLink",
    "27 path=site/secrets/key.x\n",
    "20 path=site/shown\n",
    "12 size=123\n",
];
const COMMIT: &str = "9999999999999999999999999999999999999999";

/// Bytes of a header, and what everything in a tar is filled up to.
const BLOCK: usize = 512;

/// First byte: even where the rest is packed already; else it is a tar, whose sums are put right for 3, 7, 11, ...:
/// few damages would get past them.
fn archive(input: &[u8]) -> Vec<u8> {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    if first % 2 == 0 {
        return rest.to_vec();
    }
    let mut tar = rest.to_vec();
    if first % 4 == 3 {
        tar.chunks_exact_mut(BLOCK).filter(|block| block[257..].starts_with(b"ustar")).for_each(sum);
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar).expect("packed");
    gzip.finish().expect("packed")
}

/// The sum of a header counts itself as blanks.
fn sum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn archives() {
    campaign("archives", WORDS, |input| {
        let line = format!("GET /repos/acme/site/archive/{COMMIT}.tar.gz");
        let world = World::with(POLICY, &[])
            .on("GET /repos/acme/site", json!({ "id": 7, "size": 100 }))
            .on("GET /repos/acme/site/commits", json!([{ "sha": COMMIT }]))
            .on(
                &format!("GET /repos/acme/site/git/trees/{COMMIT}"),
                json!({ "tree": [{ "path": "src", "type": "tree" }], "truncated": false }),
            )
            .route(Route::bytes(&line, "application/gzip", &archive(input)));
        let finished =
            match world.call("search_code", json!({ "owner": "acme", "repo": "site", "query": "needle" })) {
                Ok(finished) => finished,
                Err(Stopped::Failed(error)) => return error.message(),
                Err(stopped) => panic!("{stopped:?}"),
            };
        let answer = finished.structured;
        let mut seen = String::new();
        for row in answer["matches"].as_array().into_iter().flatten() {
            let path = row["path"].as_str().unwrap_or_default();
            let hidden = path.starts_with("secrets/") || path.ends_with(".pem");
            let unclean = path.split('/').any(|part| matches!(part, "" | "." | ".."));
            assert!(!hidden && !unclean, "{path:?}");
            seen.extend(path.chars().take(8).chain([' ']));
        }
        format!("{} {} {seen}", answer["files_searched"], answer["incomplete"])
    });
}
