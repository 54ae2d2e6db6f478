//! A milestone by id or title. Gitea drops an unknown id without a word, so it is looked up first.

use serde_json::Value;

use super::{call, near};
use crate::access::Reader;
use crate::gitea::Error as GiteaError;
use crate::tools::args::{MilestoneChoice, Repo};
use crate::tools::kit::Error;

/// One milestone by its id.
pub(in crate::tools) const MILESTONE: &str = "/repos/{owner}/{repo}/milestones/{id}";
/// The milestones of a repository.
pub(in crate::tools) const MILESTONES: &str = "/repos/{owner}/{repo}/milestones";

const PER_PAGE: u32 = 50;
const PAGES: u32 = 10;

/// The id of a milestone. A number is an id first, then a title; titles are compared in any case, open and
/// closed ones alike.
pub(in crate::tools) fn milestone(
    reader: &Reader<'_>,
    repo: &Repo,
    choice: &MilestoneChoice,
) -> Result<u64, Error> {
    let wanted = choice.0.trim();
    if wanted.bytes().all(|byte| byte.is_ascii_digit())
        && let Some(id) = by_id(reader, repo, wanted)?
    {
        return Ok(id);
    }
    by_title(reader, repo, wanted)
}

fn by_id(reader: &Reader<'_>, repo: &Repo, wanted: &str) -> Result<Option<u64>, Error> {
    match reader.get(call(repo, MILESTONE).segment(wanted)) {
        Ok(answer) => Ok(answer.body.get("id").and_then(Value::as_u64)),
        Err(GiteaError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn by_title(reader: &Reader<'_>, repo: &Repo, wanted: &str) -> Result<u64, Error> {
    let lower = wanted.to_lowercase();
    let found = search(reader, repo, wanted)?;
    let same: Vec<&(u64, String)> =
        found.iter().filter(|(_, title)| title.trim().to_lowercase() == lower).collect();
    let exact: Vec<&&(u64, String)> = same.iter().filter(|(_, title)| title == wanted).collect();
    match (exact.as_slice(), same.as_slice()) {
        ([one], _) => Ok(one.0),
        (_, [one]) => Ok(one.0),
        (_, []) => Err(unknown(reader, repo, wanted)?),
        (_, several) => Err(Error::Unprocessable {
            reason: "ambiguous_milestone",
            message: format!(
                "Several milestones are called `{wanted}`: {}. Use an id.",
                several.iter().map(|(id, title)| format!("{id} (`{title}`)")).collect::<Vec<_>>().join(", ")
            ),
        }),
    }
}

/// Milestones of this title but for case and blanks around it, open and closed: Gitea takes another of the same.
pub(in crate::tools) fn same_title(
    reader: &Reader<'_>,
    repo: &Repo,
    title: &str,
) -> Result<Vec<(u64, String)>, Error> {
    let lower = title.trim().to_lowercase();
    // Not every database knows the other case of a letter outside ASCII, so then all titles are compared here.
    let narrowed = if title.is_ascii() { title.trim() } else { "" };
    let mut found = search(reader, repo, narrowed)?;
    found.retain(|(_, known)| known.trim().to_lowercase() == lower);
    Ok(found)
}

/// Milestones whose title holds `title`; all of them where it is empty.
fn search(reader: &Reader<'_>, repo: &Repo, title: &str) -> Result<Vec<(u64, String)>, Error> {
    let mut found = Vec::new();
    for page in 1..=PAGES {
        let mut request =
            call(repo, MILESTONES).query("state", "all").query("page", page).query("limit", PER_PAGE);
        if !title.is_empty() {
            request = request.query("name", title);
        }
        let answer = reader.get(request)?;
        let rows = answer.body.as_array().map(Vec::as_slice).unwrap_or_default();
        found.extend(
            rows.iter()
                .filter_map(|row| Some((row.get("id")?.as_u64()?, row.get("title")?.as_str()?.to_owned()))),
        );
        let read = u64::try_from(found.len()).unwrap_or(u64::MAX);
        if rows.is_empty() || answer.total().is_none_or(|total| read >= total) {
            break;
        }
    }
    Ok(found)
}

fn unknown(reader: &Reader<'_>, repo: &Repo, wanted: &str) -> Result<Error, Error> {
    let all = search(reader, repo, "")?;
    let hint = near::hint(wanted, all.iter().map(|(_, title)| title.as_str()));
    Ok(Error::Unprocessable {
        reason: "unknown_milestone",
        message: format!("{}/{} has no milestone `{wanted}`. {hint}", repo.owner, repo.repo),
    })
}
