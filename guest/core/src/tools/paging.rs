//! Pages: how one is fetched, and what every list says about itself.
//!
//! Gitea gives at most fifty entries at once (or what its operator set). A longer page is put together from as
//! many of Gitea's as it takes, so that whoever asks for 120 entries gets 120.

use serde_json::Value;

use super::args::{Page, Paging};
use super::kit::{Key, Kind};
use crate::access::Reader;
use crate::gitea::{Answer, Call, Error, Started};
use crate::reply::Reply;

pub(super) const PAGE: Key = Key::own("page", Kind::Number, "This page, counted from 1.");
pub(super) const HAS_NEXT: Key = Key::own("has_next", Kind::Flag, "Whether another page follows.");
pub(super) const TOTAL: Key =
    Key::own("total", Kind::Number, "Entries on all pages. Absent where it is not known exactly.");
pub(super) const HIDDEN: Key = Key::own(
    "hidden_by_policy",
    Kind::Number,
    "Entries of this page that the policy does not show, or whose names cannot be read for sure.",
);

/// What Gitea says of its own limits.
pub(super) const SETTINGS: &str = "/settings/api";

/// Entries that every Gitea gives at once unless its operator lowered it.
pub(super) const GITEA_PAGE: u32 = 50;
/// Seconds for which Gitea's own limit is remembered.
const SETTINGS_SECONDS: u32 = 3600;
/// Gitea's pages that are asked for at the same time.
const AT_ONCE: u32 = 4;
/// Gitea's pages that are looked through for what it cannot be asked for; a call may send only so many requests.
const SIFTED_PAGES: u32 = 17;

/// One page of a list.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    /// Gitea's entries.
    pub(super) rows: Vec<Value>,
    page: u32,
    /// The most that a page may hold, where more was asked for.
    over: Option<u32>,
    has_next: bool,
    total: Option<u64>,
    hidden: usize,
    /// After so many entries nobody looked further, though more follow.
    unread: Option<usize>,
}

/// The limit to ask for: no more than may be answered with.
pub(super) fn limit<const DEFAULT: u32>(reader: &Reader<'_>, page: Paging<DEFAULT>) -> u32 {
    page.limit.min(reader.config().max_tool_response_items).max(1)
}

/// The most that a page may hold, where more was asked for.
pub(super) fn over<const DEFAULT: u32>(reader: &Reader<'_>, page: Paging<DEFAULT>) -> Option<u32> {
    let most = limit(reader, page);
    // What nobody asked for is no cut: the default is bounded without a word.
    if page.limit > most && page.limit != DEFAULT { Some(most) } else { None }
}

/// Fetch a page of a list that Gitea answers with an array. `call` is the request without `page` and `limit`.
pub(super) fn rows(reader: &Reader<'_>, page: Page, call: impl Fn() -> Call) -> Result<Rows, Error> {
    rows_at(reader, page, "", call)
}

/// The same where the array is at a JSON pointer of the answer.
pub(super) fn rows_at(
    reader: &Reader<'_>,
    page: Page,
    at: &str,
    call: impl Fn() -> Call,
) -> Result<Rows, Error> {
    let (page, limit, over) = (page.page, limit(reader, page), over(reader, page));
    let window = Window::of(page, limit, || server_page(reader));
    let ask = |nth: u32| reader.start(call().query("page", nth).query("limit", window.size));
    let answer = ask(window.first)?.finish()?;
    let mut found = Found { rows: Vec::new(), follows: true, total: None };
    found.take(&answer, at, window.first, window.size);

    let mut next = window.first.saturating_add(1);
    while found.follows && next <= window.last {
        let until = next.saturating_add(AT_ONCE).min(window.last.saturating_add(1));
        let started = (next..until).map(|nth| Ok((nth, ask(nth)?))).collect::<Result<Vec<_>, Error>>()?;
        for (nth, started) in started {
            let answer = Started::finish(started)?;
            if found.follows {
                found.take(&answer, at, nth, window.size);
            }
        }
        next = until;
    }
    let mut rows: Vec<Value> = found.rows.into_iter().skip(window.skip).collect();
    let has_next = found.follows || rows.len() > window.take;
    rows.truncate(window.take);
    Ok(Rows { rows, page, over, has_next, total: found.total, hidden: 0, unread: None })
}

/// A page of those entries of a list that are `wanted`, where Gitea cannot be asked for them alone: the list is read
/// from its beginning until the page is full, or [`SIFTED_PAGES`] of Gitea's are read.
pub(super) fn sifted(
    reader: &Reader<'_>,
    page: Page,
    call: impl Fn() -> Call,
    wanted: impl Fn(&Value) -> bool,
) -> Result<Rows, Error> {
    let (page, limit, over) = (page.page, limit(reader, page), over(reader, page));
    let take = usize::try_from(limit).unwrap_or(usize::MAX);
    let skip = take.saturating_mul(usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX));
    let end = skip.saturating_add(take);
    let mut found = Found { rows: Vec::new(), follows: true, total: None };
    let (mut next, mut seen) = (1, 0_usize);
    // One entry behind the page tells whether another follows.
    while found.follows && found.rows.len() <= end && next <= SIFTED_PAGES {
        // Most lists are short: the others are asked for only once the first says that they are there.
        let until = if next == 1 { 2 } else { next.saturating_add(AT_ONCE) };
        let until = until.min(SIFTED_PAGES.saturating_add(1));
        let ask = |nth: u32| reader.start(call().query("page", nth).query("limit", GITEA_PAGE));
        let started = (next..until).map(|nth| Ok((nth, ask(nth)?))).collect::<Result<Vec<_>, Error>>()?;
        for (nth, started) in started {
            let answer = Started::finish(started)?;
            if found.follows {
                let before = found.rows.len();
                found.take(&answer, "", nth, GITEA_PAGE);
                seen = seen.saturating_add(found.rows.len().saturating_sub(before));
            }
        }
        found.rows.retain(&wanted);
        next = until;
    }
    let has_next = found.rows.len() > end;
    let unread = (found.follows && !has_next).then_some(seen);
    let total = if found.follows { None } else { u64::try_from(found.rows.len()).ok() };
    let rows = found.rows.into_iter().skip(skip).take(take).collect();
    Ok(Rows { rows, page, over, has_next, total, hidden: 0, unread })
}

/// A page of a list that Gitea gives whole, whatever was asked for.
pub(super) fn rows_of_all(reader: &Reader<'_>, page: Page, all: Vec<Value>) -> Rows {
    let (start, size, total) = (before(reader, page), size(reader, page), all.len());
    let (page, over) = (page.page, over(reader, page));
    let rows: Vec<Value> = all.into_iter().skip(start).take(size).collect();
    let has_next = start.saturating_add(rows.len()) < total && !rows.is_empty();
    Rows { rows, page, over, has_next, total: u64::try_from(total).ok(), hidden: 0, unread: None }
}

/// How many entries stand on the pages before this one.
pub(super) fn before(reader: &Reader<'_>, page: Page) -> usize {
    size(reader, page).saturating_mul(usize::try_from(page.page.saturating_sub(1)).unwrap_or(usize::MAX))
}

fn size(reader: &Reader<'_>, page: Page) -> usize {
    usize::try_from(limit(reader, page)).unwrap_or(usize::MAX)
}

impl Rows {
    /// Leave out what the policy does not show, and count it.
    pub(super) fn keep(&mut self, shown: impl Fn(&Value) -> bool) {
        let before = self.rows.len();
        self.filter(shown);
        self.hidden = self.hidden.saturating_add(before.saturating_sub(self.rows.len()));
    }

    /// Leave out what was not asked for. Gitea's total says nothing then; it is known only where one page holds
    /// everything.
    pub(super) fn filter(&mut self, wanted: impl Fn(&Value) -> bool) {
        self.rows.retain(wanted);
        self.total =
            if self.page == 1 && !self.has_next { u64::try_from(self.rows.len()).ok() } else { None };
    }

    /// The same without a total, where Gitea counts what this user may not see.
    pub(super) fn without_total(self) -> Self {
        Self { total: None, ..self }
    }

    /// Entries on all pages, where Gitea says so.
    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether another page follows.
    pub(super) fn has_next(&self) -> bool {
        self.has_next
    }

    /// What the list says about itself.
    pub(super) fn told(&self, reply: Reply) -> Reply {
        let reply = told(reply, self.page, self.over, self.has_next, self.total)
            .with_some("hidden_by_policy", if self.hidden > 0 { Some(self.hidden) } else { None });
        let Some(seen) = self.unread else {
            return reply;
        };
        reply.cut(&format!(
            "Gitea cannot filter by this, and only the first {seen} entries of its list were looked through: narrow it \
             by `state` or another label"
        ))
    }
}

/// What a list says about itself. `over` is what [`over`] says.
pub(super) fn told(reply: Reply, page: u32, over: Option<u32>, has_next: bool, total: Option<u64>) -> Reply {
    let reply = reply.with("page", page).with("has_next", has_next).with_some("total", total);
    // Where nothing follows nothing was cut.
    match over.filter(|_| has_next) {
        Some(most) => reply.cut(&format!("a page holds at most {most} entries (MAX_TOOL_RESPONSE_ITEMS)")),
        None => reply,
    }
}

/// The total of a list from which entries were left out here: known only where one page holds everything.
pub(super) fn total_of_one_page(page: u32, has_next: bool, entries: usize) -> Option<u64> {
    if page == 1 && !has_next { u64::try_from(entries).ok() } else { None }
}

/// Which of Gitea's pages hold the wanted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    size: u32,
    first: u32,
    last: u32,
    skip: usize,
    take: usize,
}

impl Window {
    fn of(page: u32, limit: u32, server: impl FnOnce() -> u32) -> Self {
        let take = usize::try_from(limit).unwrap_or(usize::MAX);
        if limit <= GITEA_PAGE {
            return Self { size: limit, first: page, last: page, skip: 0, take };
        }
        let size = server().clamp(1, limit);
        let start = u64::from(page.saturating_sub(1)).saturating_mul(u64::from(limit));
        let end = start.saturating_add(u64::from(limit));
        let nth =
            |entry: u64| u32::try_from(entry.checked_div(u64::from(size)).unwrap_or(0)).unwrap_or(u32::MAX);
        let skip = usize::try_from(start.checked_rem(u64::from(size)).unwrap_or(0)).unwrap_or(0);
        Self {
            size,
            first: nth(start).saturating_add(1),
            last: nth(end.saturating_sub(1)).saturating_add(1),
            skip,
            take,
        }
    }
}

struct Found {
    rows: Vec<Value>,
    follows: bool,
    total: Option<u64>,
}

impl Found {
    fn take(&mut self, answer: &Answer, at: &str, nth: u32, size: u32) {
        let rows = answer.body.pointer(at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        self.rows.extend_from_slice(rows);
        self.follows = answer.has_next(nth, size);
        self.total = answer.total().or(self.total);
    }
}

/// How many entries Gitea gives at once. Where it does not say, what every Gitea gives.
fn server_page(reader: &Reader<'_>) -> u32 {
    const SPACE: &str = "gitea_page";
    if let Some(known) = reader.recalled(SPACE, "").and_then(|text| text.parse().ok()) {
        return known;
    }
    let Ok(answer) = reader.get(Call::to(SETTINGS)) else { return GITEA_PAGE };
    let told = answer.body.get("max_response_items").and_then(Value::as_u64);
    let size = told.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0).unwrap_or(GITEA_PAGE);
    reader.remember(SPACE, "", &size.to_string(), SETTINGS_SECONDS);
    size
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Window;
    use crate::tools::fake::{Route, World};

    #[test]
    fn a_short_page_is_one_of_giteas() {
        let window = Window::of(3, 30, || panic!("nobody asks Gitea"));
        assert_eq!((window.size, window.first, window.last, window.skip, window.take), (30, 3, 3, 0, 30));
    }

    #[test]
    fn a_long_page_is_cut_out_of_giteas_pages() {
        for (page, limit, server, expected) in [
            (1, 120, 50, (50, 1, 3, 0)),
            (2, 120, 50, (50, 3, 5, 20)),
            (1, 100, 50, (50, 1, 2, 0)),
            (2, 60, 50, (50, 2, 3, 10)),
            (1, 60, 500, (60, 1, 1, 0)),
            (1, 60, 0, (1, 1, 60, 0)),
        ] {
            let window = Window::of(page, limit, || server);
            assert_eq!((window.size, window.first, window.last, window.skip), expected, "{page} of {limit}");
        }
    }

    /// A Gitea with `all` issues that gives `most` at once.
    fn issues(all: u32, most: u32) -> World {
        let mut world = World::open().on("GET /settings/api", json!({ "max_response_items": most }));
        for page in 1..=all.div_ceil(most).saturating_add(1) {
            let rows: Vec<Value> = (1..=all)
                .skip(usize::try_from((page - 1) * most).unwrap())
                .take(usize::try_from(most).unwrap())
                .map(|number| json!({ "number": number }))
                .collect();
            let mut route = Route::new(
                &format!("GET /repos/acme/site/issues?page={page}&limit={most}"),
                200,
                rows.into(),
            )
            .header("x-total-count", &all.to_string());
            if page * most < all {
                route = route.header("link", "<x>; rel=\"next\"");
            }
            world = world.route(route);
        }
        world
    }

    fn numbers(answer: &Value) -> Vec<u64> {
        let rows = answer["issues"].as_array().cloned().unwrap_or_default();
        rows.iter().filter_map(|row| row["number"].as_u64()).collect()
    }

    #[test]
    fn whoever_asks_for_more_than_gitea_gives_at_once_gets_it() {
        for most in [20, 50] {
            let world = issues(130, most);
            let at = |page: u32| json!({ "owner": "acme", "repo": "site", "page": page, "limit": 60 });
            for (page, expected) in [(1, 1..=60), (2, 61..=120), (3, 121..=130)] {
                let answer = world.answer("list_issues", at(page));
                assert_eq!(numbers(&answer), expected.collect::<Vec<u64>>(), "page {page} by {most}");
                assert_eq!(answer["has_next"], page < 3, "page {page} by {most}");
                assert_eq!((&answer["total"], answer.get("truncated")), (&json!(130), None));
            }
            let asked = world.asked();
            assert_eq!(asked.iter().filter(|line| line.contains("/settings/api")).count(), 1, "asked once");
        }
    }

    #[test]
    fn no_page_is_longer_than_the_operator_allows_and_that_is_told_where_more_follows() {
        let all = json!({ "owner": "acme", "repo": "site", "limit": 10000 });
        let answer = issues(230, 50).answer("list_issues", all.clone());
        assert_eq!(numbers(&answer).len(), 200);
        let how = answer["truncated_how"].as_str().unwrap_or_default();
        assert!(how.contains("200 entries (MAX_TOOL_RESPONSE_ITEMS)"), "{answer}");
        for few in [130, 200] {
            let answer = issues(few, 50).answer("list_issues", all.clone());
            assert_eq!((&answer["total"], answer.get("truncated")), (&json!(few), None), "{answer}");
        }
    }
}
