//! What every list says about itself: page, limit, whether more follows, and the total where it is true.

use super::args::Page;
use super::kit::{Key, Kind};
use crate::access::Reader;
use crate::reply::Reply;

pub(super) const PAGE: Key = Key::own("page", Kind::Number, "This page, counted from 1.");
pub(super) const LIMIT: Key =
    Key::own("limit", Kind::Number, "Entries per page that were asked for; a page may hold fewer.");
pub(super) const HAS_NEXT: Key = Key::own("has_next", Kind::Flag, "Whether another page follows.");
pub(super) const TOTAL: Key =
    Key::own("total", Kind::Number, "Entries on all pages. Absent where it is not known exactly.");
pub(super) const HIDDEN: Key =
    Key::own("hidden_by_policy", Kind::Number, "Entries of this page that the policy does not show.");

/// The limit to ask for: no more than may be answered with.
pub(super) fn limit(reader: &Reader<'_>, wanted: u32) -> u32 {
    wanted.min(reader.config().max_tool_response_items).max(1)
}

/// A page as it is asked for.
pub(super) fn page(reader: &Reader<'_>, page: Page) -> Page {
    Page { limit: limit(reader, page.limit), ..page }
}

/// What a list says about itself.
pub(super) fn told(reply: Reply, page: u32, limit: u32, has_next: bool, total: Option<u64>) -> Reply {
    reply.with("page", page).with("limit", limit).with("has_next", has_next).with_some("total", total)
}

/// The total of a list from which entries were left out here: known only where one page holds everything.
pub(super) fn total_of_one_page(page: u32, has_next: bool, entries: usize) -> Option<u64> {
    if page == 1 && !has_next { u64::try_from(entries).ok() } else { None }
}
