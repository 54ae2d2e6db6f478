//! Two lists of Gitea as one: the labels of a repository, then those of the organisation that owns it.

use serde_json::Value;

use super::LABEL_LINE;
use crate::access::Reader;
use crate::gitea::{Answer, Call, Error as GiteaError};
use crate::reply::Reply;
use crate::tools::args::{Page, Repo};
use crate::tools::kit::Error;
use crate::tools::{lookup, paging};

/// What one page shows of the organisation's labels.
#[derive(Debug, Default)]
struct Shared {
    rows: Vec<Value>,
    total: u64,
    unread: bool,
}

pub(super) fn list(gitea: &Reader<'_>, repo: &Repo, page: Page) -> Result<Reply, Error> {
    let limit = paging::limit(gitea, page);
    // Asked for before anybody waits: even where the repository's own fill the page, the total counts both.
    let probe =
        gitea.start(organisation(repo).query("page", 1).query("limit", limit.min(paging::GITEA_PAGE)))?;
    let own = paging::rows(gitea, page, || lookup::call(repo, lookup::REPOSITORY_LABELS))
        .map_err(|error| Error::or_not_found(error, || lookup::no_labels(repo)))?;

    let start = u64::from(page.page.saturating_sub(1)).saturating_mul(u64::from(limit));
    let shown = u64::try_from(own.rows.len()).unwrap_or(u64::MAX);
    let before = own.total().unwrap_or_else(|| start.saturating_add(shown));
    let room = if own.has_next() { 0 } else { u64::from(limit).saturating_sub(shown) };
    let shared = match probe.finish() {
        Ok(first) => read(gitea, repo, limit, &first, start.saturating_sub(before), room)?,
        // The owner is a user.
        Err(GiteaError::NotFound { .. }) => Shared::default(),
        Err(GiteaError::Forbidden { .. }) => Shared { unread: true, ..Shared::default() },
        Err(error) => return Err(error.into()),
    };

    let mut rows: Vec<Value> = own.rows.iter().map(|row| line(row, "repo")).collect();
    rows.extend(shared.rows.iter().map(|row| line(row, "org")));
    let all = before.saturating_add(shared.total);
    let has_next = own.has_next() || start.saturating_add(u64::from(limit)) < all;
    let total = own.total().filter(|_| !shared.unread).map(|_| all);
    let reply = Reply::new().with("labels", rows);
    let reply = reply.with_some("organisation_unread", shared.unread.then_some(true));
    Ok(paging::told(reply, page.page, paging::over(gitea, page), has_next, total))
}

/// The entries of the organisation's list from `skip` on, as many as there is room for. They begin where the
/// repository's end, so they may lie across two pages of their own list.
fn read(
    gitea: &Reader<'_>,
    repo: &Repo,
    limit: u32,
    first: &Answer,
    skip: u64,
    room: u64,
) -> Result<Shared, Error> {
    let known = first.body.as_array().cloned().unwrap_or_default();
    let read = u64::try_from(known.len()).unwrap_or(u64::MAX);
    let total = first.total().unwrap_or(read);
    let mut shared = Shared { rows: Vec::new(), total, unread: false };
    let end = skip.saturating_add(room).min(total);
    if room == 0 || skip >= total {
        return Ok(shared);
    }
    let (rows, offset) = if end <= read {
        (known, 0)
    } else {
        let nth = skip.checked_div(u64::from(limit)).unwrap_or(0);
        let mut rows = Vec::new();
        for nth in [nth, nth.saturating_add(1)] {
            let from = nth.saturating_mul(u64::from(limit));
            if from < end {
                let page = u32::try_from(nth.saturating_add(1)).unwrap_or(u32::MAX);
                rows.extend(paging::rows(gitea, Page { page, limit }, || organisation(repo))?.rows);
            }
        }
        (rows, nth.saturating_mul(u64::from(limit)))
    };
    let count = |entries: u64| usize::try_from(entries).unwrap_or(usize::MAX);
    let skip = skip.saturating_sub(offset);
    shared.rows = rows.into_iter().skip(count(skip)).take(count(room)).collect();
    Ok(shared)
}

fn organisation(repo: &Repo) -> Call {
    Call::to(lookup::ORGANISATION_LABELS).segment(&repo.owner)
}

fn line(row: &Value, scope: &str) -> Value {
    let mut line = LABEL_LINE.of(row);
    line.insert("scope".to_owned(), scope.into());
    line.into()
}
