//! What was found a moment ago, for whoever pages through it. The matches are kept, never the files; the host keeps
//! them for this caller alone, and a new policy or a new commit finds nothing here.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pattern::Pattern;
use super::{Found, Match};
use crate::access::Reader;
use crate::tools::args::Repo;

const SPACE: &str = "search";
/// Seconds for which a search is remembered.
const SECONDS: u32 = 60;

/// The place of one search.
pub(super) struct Shelf<'a> {
    reader: &'a Reader<'a>,
    key: String,
}

impl<'a> Shelf<'a> {
    pub(super) fn of(
        reader: &'a Reader<'a>,
        repo: &Repo,
        repository: &Value,
        commit: &str,
        pattern: &Pattern,
    ) -> Self {
        let id = repository.get("id").and_then(Value::as_u64).unwrap_or_default();
        let name = format!("{}/{}", repo.owner, repo.repo).to_lowercase();
        let parts = [&name, &id.to_string(), commit, pattern.id(), &reader.policy_digest()].join("\n");
        let key = Sha256::digest(parts).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { reader, key }
    }

    pub(super) fn recalled(&self) -> Option<Found> {
        let kept: Value = serde_json::from_str(&self.reader.recalled(SPACE, &self.key)?).ok()?;
        let matches = kept.get("matches")?.as_array()?.iter().map(hit).collect::<Option<Vec<Match>>>()?;
        let incomplete = kept.get("incomplete")?.as_array()?.iter();
        Some(Found {
            matches,
            seen: kept.get("seen")?.as_u64()?,
            files: kept.get("files")?.as_u64()?,
            incomplete: incomplete
                .map(|why| why.as_str().map(str::to_owned))
                .collect::<Option<Vec<String>>>()?,
        })
    }

    pub(super) fn keep(&self, found: &Found) {
        let matches: Vec<Value> =
            found.matches.iter().map(|hit| json!([hit.path, hit.line, hit.text])).collect();
        let kept = json!({
            "matches": matches, "seen": found.seen, "files": found.files, "incomplete": found.incomplete,
        });
        self.reader.remember(SPACE, &self.key, &kept.to_string(), SECONDS);
    }
}

fn hit(kept: &Value) -> Option<Match> {
    let text = |at: usize| kept.get(at)?.as_str().map(str::to_owned);
    Some(Match { path: text(0)?, line: kept.get(1)?.as_u64()?, text: text(2)? })
}
