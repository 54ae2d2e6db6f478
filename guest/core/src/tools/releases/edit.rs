//! Changing a release. Gitea ignores an empty title and empty notes without a word, and publishing a draft makes its
//! tag, for which the target has to be there.

use serde_json::{Value, json};

use super::{
    EditRelease, RELEASE_BY_ID, WRITTEN, Wanted, absent, commit_of, name, no_release, releasable, start_ref,
};
use crate::access::{Reader, Writer};
use crate::gitea::EDIT_RELEASE;
use crate::reply::Reply;
use crate::tools::applied;
use crate::tools::args::Repo;
use crate::tools::kit::Error;
use crate::tools::lookup;

pub(super) fn edit(wanted: &EditRelease, gitea: &Writer<'_>) -> Result<Reply, Error> {
    let texts = Wanted {
        name: wanted.name.as_ref().map(|text| text.0.as_str()),
        body: wanted.body.as_ref().map(|text| text.0.as_str()),
        draft: wanted.draft.map(|flag| flag.0),
        prerelease: wanted.prerelease.map(|flag| flag.0),
    };
    changes(&texts)?;
    let (reader, repo) = (gitea.reader(), &wanted.repo);
    let repository = reader.start(lookup::call(repo, lookup::REPOSITORY))?;
    let release = reader.start(lookup::call(repo, RELEASE_BY_ID).segment(wanted.release_id.0))?;
    releasable(repository, repo)?;
    let what = || no_release(repo, wanted.release_id);
    let release = release.finish().map_err(|error| absent(reader, repo, error, what))?.body;
    let is_draft = release.get("draft").and_then(Value::as_bool) == Some(true);
    if is_draft && texts.draft == Some(false) {
        publishable(reader, repo, &release)?;
    }

    let mut request = json!({});
    texts.put_into(&mut request);
    let way = vec![repo.owner.clone(), repo.repo.clone(), wanted.release_id.0.to_string()];
    let changed = gitea.send(EDIT_RELEASE, way, &request)?.body;
    let mut not_applied = Vec::new();
    texts.compare(&changed, &mut not_applied);
    Ok(Reply::new().with("release", WRITTEN.of(&changed)).with("not_applied", not_applied))
}

fn changes(texts: &Wanted<'_>) -> Result<(), Error> {
    applied::some_change(
        &[texts.name.is_some(), texts.body.is_some(), texts.draft.is_some(), texts.prerelease.is_some()],
        "`name`, `body`, `draft` and `prerelease`",
    )?;
    for (field, text) in [("name", texts.name), ("body", texts.body)] {
        if text.is_some_and(|text| text.trim().is_empty()) {
            return Err(Error::Unprocessable {
                reason: "cannot_be_cleared",
                message: format!(
                    "`{field}` is empty, and Gitea's API ignores that: it can be replaced here, not cleared. Give \
                     a text, or leave `{field}` out."
                ),
            });
        }
    }
    Ok(())
}

/// Publishing puts the tag where there is none yet: then the target has to be there.
fn publishable(reader: &Reader<'_>, repo: &Repo, release: &Value) -> Result<(), Error> {
    let text = |field: &str| release.get(field).and_then(Value::as_str).unwrap_or_default();
    let (tag, target) = (text("tag_name"), text("target_commitish"));
    let tagged = start_ref(reader, repo, &format!("refs/tags/{tag}"))?;
    let found = start_ref(reader, repo, if target.is_empty() { "HEAD" } else { target })?;
    if commit_of(tagged)?.is_none() && commit_of(found)?.is_none() {
        return Err(Error::Conflict {
            reason: "target_missing",
            message: format!(
                "The draft cannot be published: its tag `{tag}` is to be put on `{target}`, which {} does not have \
                 any more. Choose another target in Gitea.",
                name(repo)
            ),
        });
    }
    Ok(())
}
