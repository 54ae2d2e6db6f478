//! What every write has in common: nothing is written to an archived repository, and what Gitea made of the
//! request is compared with it. Gitea drops fields without a word where the user may not set them.

use serde_json::{Value, json};

use super::args::Repo;
use super::kit::{Error, Key, Kind, Shape};
use super::lookup;
use crate::gitea::Started;

/// Why a field is usually left out.
pub(super) const NO_RIGHT: &str =
    "Gitea left it out; the user or token probably may not set it in this repository";

/// The key of every answer of a write.
pub(super) const NOT_APPLIED: Key =
    Key::own("not_applied", Kind::Notes(&ROW), "What was asked for and is not so. Usually empty.");

const ROW: Shape = Shape(&[
    Key::own("field", Kind::Text, "The argument."),
    Key::own("wanted", Kind::Text, "What was asked for."),
    Key::own("reason", Kind::Text, "Why it is not so, as far as it is known."),
]);

/// The repository, if it can be written to at all. Gitea itself refuses an archived one only on some routes.
pub(super) fn writable(repository: Started, repo: &Repo) -> Result<Value, Error> {
    let found =
        repository.finish().map_err(|error| Error::or_not_found(error, || lookup::unseen(repo)))?.body;
    if found.get("archived").and_then(Value::as_bool) == Some(true) {
        return Err(Error::Conflict {
            reason: "repository_archived",
            message: format!("{}/{} is archived, so it cannot be changed.", repo.owner, repo.repo),
        });
    }
    Ok(found)
}

/// Refuse a change that changes nothing. `fields` are the arguments of which one is needed.
pub(super) fn some_change(given: &[bool], fields: &str) -> Result<(), Error> {
    if given.iter().any(|given| *given) {
        return Ok(());
    }
    Err(Error::Unprocessable {
        reason: "nothing_to_change",
        message: format!("Nothing to change: give at least one of {fields}."),
    })
}

/// One row of `not_applied`.
pub(super) fn missing(field: &str, wanted: &str, reason: &str) -> Value {
    json!({ "field": field, "wanted": wanted, "reason": reason })
}

/// Say so where a text did not arrive as it was sent. Line ends and blanks around it do not count.
pub(super) fn same_text(answer: &Value, field: &str, wanted: &str, not_applied: &mut Vec<Value>) {
    let plain = |text: &str| text.replace("\r\n", "\n").trim().to_owned();
    let found = answer.get(field).and_then(Value::as_str).unwrap_or_default();
    if plain(found) != plain(wanted) {
        not_applied.push(missing(field, "the text as given", "Gitea kept another text"));
    }
}

/// Say so where a flag is not as it was sent.
pub(super) fn same_flag(answer: &Value, field: &str, wanted: bool, not_applied: &mut Vec<Value>) {
    if answer.get(field).and_then(Value::as_bool) != Some(wanted) {
        not_applied.push(missing(field, if wanted { "true" } else { "false" }, NO_RIGHT));
    }
}

/// The lower-cased texts at `field` of each entry of a list in Gitea's answer.
pub(super) fn texts(answer: &Value, list: &str, field: &str) -> Vec<String> {
    let entries = answer.get(list).and_then(Value::as_array).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.get(field)?.as_str()?.to_lowercase())).collect()
}
