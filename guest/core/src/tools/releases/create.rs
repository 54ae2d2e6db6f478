//! Making a release: what is checked before, and what is compared after.
//!
//! Where the tag exists, Gitea ignores the target without a word; where it does not, the target has to be one
//! commit that can be told before anything is written.

use serde_json::{Value, json};

use super::{CreateRelease, RELEASE_BY_TAG, WRITTEN, Wanted, commit_of, name, releasable, start_ref};
use crate::access::{Reader, Writer};
use crate::gitea::{CREATE_RELEASE, Error as GiteaError, Started};
use crate::reply::Reply;
use crate::tools::applied::{NO_RIGHT, missing};
use crate::tools::args::{Ref, Repo, TagTarget};
use crate::tools::kit::Error;
use crate::tools::lookup;

/// Where a new tag goes.
struct Place {
    /// As Gitea is told: a branch by its name, all else by the id of the commit.
    told: String,
    commit: String,
}

pub(super) fn create(wanted: &CreateRelease, gitea: &Writer<'_>) -> Result<Reply, Error> {
    let (reader, repo, tag) = (gitea.reader(), &wanted.repo, wanted.tag_name.0.as_str());
    let repository = reader.start(lookup::call(repo, lookup::REPOSITORY))?;
    let release = reader.start(lookup::call(repo, RELEASE_BY_TAG).segment(tag))?;
    let tagged = start_ref(reader, repo, &format!("refs/tags/{tag}"))?;
    let spelled = other_cases(reader, repo, tag)?;
    releasable(repository, repo)?;
    none_yet(release, repo, tag)?;
    let place = wanted.target.as_ref().map(|target| resolve(reader, repo, target)).transpose()?;
    let tagged = commit_of(tagged)?;
    if tagged.is_none() {
        in_no_other_case(spelled, repo, tag)?;
    }
    if let (Some(tagged), Some(place)) = (&tagged, &place)
        && *tagged != place.commit
    {
        return Err(Error::Conflict {
            reason: "tag_exists",
            message: format!(
                "{} has the tag `{tag}` at {tagged}; `target` is {}. A tag is not moved: leave `target` out to \
                 release what the tag stands for, or take another tag.",
                name(repo),
                place.commit
            ),
        });
    }

    let texts = Wanted {
        name: wanted.name.as_ref().map(|text| text.0.as_str()),
        body: wanted.body.as_ref().map(|text| text.0.as_str()),
        draft: wanted.draft.map(|flag| flag.0),
        prerelease: wanted.prerelease.map(|flag| flag.0),
    };
    let mut request = json!({ "tag_name": tag });
    texts.put_into(&mut request);
    if let (Some(object), Some(place)) = (request.as_object_mut(), &place) {
        object.insert("target_commitish".to_owned(), place.told.clone().into());
    }
    let way = vec![repo.owner.clone(), repo.repo.clone()];
    let made = match gitea.send(CREATE_RELEASE, way, &request) {
        Ok(answer) => answer.body,
        // Made in the meantime, or a draft that Gitea does not show by its tag.
        Err(GiteaError::Conflict { .. }) => return Err(exists(repo, tag, None)),
        Err(error) => return Err(error.into()),
    };

    let mut not_applied = Vec::new();
    texts.compare(&made, &mut not_applied);
    if made.get("tag_name").and_then(Value::as_str) != Some(tag) {
        not_applied.push(missing("tag_name", tag, NO_RIGHT));
    }
    let target = made.get("target_commitish").and_then(Value::as_str);
    // The tag that was there is at the wanted commit, whatever Gitea keeps as target.
    if let Some(place) = place.filter(|place| tagged.is_none() && target != Some(place.told.as_str())) {
        not_applied.push(missing("target", &place.told, "Gitea kept another target"));
    }
    Ok(Reply::new().with("release", WRITTEN.of(&made)).with("not_applied", not_applied))
}

/// Gitea looks a tag up in any case, and would release another one of the same letters.
fn other_cases(reader: &Reader<'_>, repo: &Repo, tag: &str) -> Result<Vec<(String, Started)>, Error> {
    let spelled = [tag.to_lowercase(), tag.to_uppercase()].into_iter().filter(|other| other != tag);
    spelled
        .map(|other| {
            let started = start_ref(reader, repo, &format!("refs/tags/{other}"))?;
            Ok((other, started))
        })
        .collect()
}

fn in_no_other_case(spelled: Vec<(String, Started)>, repo: &Repo, tag: &str) -> Result<(), Error> {
    for (other, started) in spelled {
        if commit_of(started)?.is_some() {
            return Err(Error::Conflict {
                reason: "tag_exists",
                message: format!(
                    "{} has the tag `{other}`, which Gitea would take for `{tag}`. Give it as it is spelled, or \
                     take another tag.",
                    name(repo)
                ),
            });
        }
    }
    Ok(())
}

fn none_yet(release: Started, repo: &Repo, tag: &str) -> Result<(), Error> {
    match release.finish() {
        Ok(found) => Err(exists(repo, tag, found.body.get("id").and_then(Value::as_u64))),
        Err(GiteaError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn exists(repo: &Repo, tag: &str, id: Option<u64>) -> Error {
    let which = id.map_or_else(
        || "perhaps as a draft; list_releases shows its id".to_owned(),
        |id| format!("with the id {id}"),
    );
    Error::Conflict {
        reason: "release_exists",
        message: format!(
            "{} has a release for the tag `{tag}` already, {which}. Change it with edit_release, or take another \
             tag.",
            name(repo)
        ),
    }
}

/// What is given may be a branch, a tag or a commit. Git takes a tag first where a branch bears the same name, so
/// then it has to be said which.
fn resolve(reader: &Reader<'_>, repo: &Repo, target: &TagTarget) -> Result<Place, Error> {
    let given = &target.0;
    if lookup::is_full_id(given) {
        return by_id(reader, repo, given);
    }
    let branch = start_ref(reader, repo, &format!("refs/heads/{given}"))?;
    let tag = start_ref(reader, repo, &format!("refs/tags/{given}"))?;
    match (commit_of(branch)?, commit_of(tag)?) {
        (Some(branch), Some(tag)) if branch != tag => Err(Error::Unprocessable {
            reason: "ambiguous_target",
            message: format!(
                "In {} `{given}` is a branch at {branch} and a tag at {tag}. Give the id of the commit as `target`.",
                name(repo)
            ),
        }),
        (Some(commit), _) => Ok(Place { told: given.clone(), commit }),
        (None, Some(commit)) => Ok(Place { told: commit.clone(), commit }),
        (None, None) => by_id(reader, repo, given),
    }
}

fn by_id(reader: &Reader<'_>, repo: &Repo, given: &str) -> Result<Place, Error> {
    match lookup::commit(reader, repo, Some(&Ref(given.to_owned()))) {
        Ok(commit) => Ok(Place { told: commit.clone(), commit }),
        Err(Error::NotFound { .. }) => Err(Error::Unprocessable {
            reason: "unknown_target",
            message: format!(
                "`target`: {} has no branch, tag or commit `{given}`, so no tag can be put there.",
                name(repo)
            ),
        }),
        Err(error) => Err(error),
    }
}
