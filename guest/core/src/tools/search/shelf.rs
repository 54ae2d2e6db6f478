//! What was found a moment ago, for whoever pages through it. The matches are kept, never the files; the host keeps
//! them for this caller alone, and a new policy or a new commit finds nothing here.
//!
//! The host keeps no value above 64 KiB, so the matches lie in several, each under the digest of what is in it: the
//! parts of two searches can never be put together, and where one part is gone, all are.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::pattern::Pattern;
use super::{Found, Match};
use crate::access::Reader;
use crate::reply::Removed;
use crate::tools::args::Repo;

const SPACE: &str = "search";
/// Seconds for which a search is remembered.
const SECONDS: u32 = 60;
/// Most bytes of one part.
const PART_BYTES: usize = 60 * 1024;
/// Most parts of one search. A larger result is not kept, so that nobody pushes out what others were told.
const PARTS: usize = 24;

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
        Self { reader, key: digest(&parts) }
    }

    pub(super) fn recalled(&self) -> Option<Found> {
        let kept: Value = serde_json::from_str(&self.reader.recalled(SPACE, &self.key)?).ok()?;
        let mut matches = Vec::new();
        for part in texts(kept.get("parts")?)? {
            let part: Value = serde_json::from_str(&self.reader.recalled(SPACE, &part)?).ok()?;
            for row in part.as_array()? {
                matches.push(hit(row)?);
            }
        }
        Some(Found {
            matches,
            seen: kept.get("seen")?.as_u64()?,
            files: kept.get("files")?.as_u64()?,
            hidden: kept.get("hidden")?.as_u64()?,
            incomplete: texts(kept.get("incomplete")?)?,
        })
    }

    pub(super) fn keep(&self, found: &Found) {
        let Some(parts) = parts(&found.matches) else { return };
        let keys: Vec<String> = parts.iter().map(|part| digest(&format!("{}\n{part}", self.key))).collect();
        for (key, part) in keys.iter().zip(&parts) {
            self.reader.remember(SPACE, key, part, SECONDS);
        }
        let kept = json!({
            "parts": keys, "seen": found.seen, "files": found.files, "hidden": found.hidden,
            "incomplete": found.incomplete,
        });
        self.reader.remember(SPACE, &self.key, &kept.to_string(), SECONDS);
    }
}

/// The matches as JSON arrays, each small enough to be kept; nothing where these would be too many.
fn parts(matches: &[Match]) -> Option<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    for hit in matches {
        let row =
            json!([hit.path, hit.line, hit.text, hit.removed.secrets, hit.removed.characters]).to_string();
        let full = parts.len() >= PARTS;
        match parts.last_mut() {
            Some(part) if part.len().saturating_add(row.len()) < PART_BYTES => {
                part.push(',');
                part.push_str(&row);
            }
            _ if full => return None,
            _ => parts.push(format!("[{row}")),
        }
    }
    parts.iter_mut().for_each(|part| part.push(']'));
    Some(parts)
}

fn texts(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hit(kept: &Value) -> Option<Match> {
    let text = |at: usize| kept.get(at)?.as_str().map(str::to_owned);
    let count = |at: usize| u32::try_from(kept.get(at)?.as_u64()?).ok();
    let removed = Removed { secrets: count(3)?, characters: count(4)? };
    Some(Match { path: text(0)?, line: kept.get(1)?.as_u64()?, text: text(2)?, removed })
}
