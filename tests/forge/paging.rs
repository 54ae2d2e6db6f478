//! Gitea's paging: `page` from 1, `limit` 30 unless said, silently cut to 50; `X-Total-Count`, and `Link` on the
//! routes that send it. The caller decides which headers its route has.

use super::call::{Answer, Call, encoded};

/// `DEFAULT_PAGING_NUM`.
pub const DEFAULT_SIZE: usize = 30;
/// `MAX_RESPONSE_ITEMS`.
pub const LARGEST_SIZE: usize = 50;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// From 1.
    pub number: usize,
    /// Entries on a page.
    pub size: usize,
}

impl Page {
    /// Read `page` and `limit`.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        let size = match call.number("limit") {
            0 => DEFAULT_SIZE,
            asked => asked.min(LARGEST_SIZE),
        };
        Self { number: call.number("page").max(1), size }
    }

    /// The entries on this page; none past the end.
    #[must_use]
    pub fn cut<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let from = self.size.saturating_mul(self.number - 1).min(all.len());
        &all[from..from.saturating_add(self.size).min(all.len())]
    }

    /// How many pages there are.
    #[must_use]
    pub fn count(&self, total: usize) -> usize {
        total.div_ceil(self.size)
    }
}

/// `X-Total-Count` alone.
#[must_use]
pub fn counted(answer: Answer, total: usize) -> Answer {
    answer.with("X-Total-Count", total).with("Access-Control-Expose-Headers", "X-Total-Count")
}

/// `X-Total-Count`, and `Link` where there is another page.
#[must_use]
pub fn linked(answer: Answer, call: &Call, page: Page, total: usize) -> Answer {
    let links = links(call, page, total);
    if links.is_empty() {
        return counted(answer, total);
    }
    answer
        .with("Link", links)
        .with("X-Total-Count", total)
        .with("Access-Control-Expose-Headers", "Link, X-Total-Count")
}

/// The value of `Link`: next, last, first, prev, each with the query sorted by name; empty on a single page.
#[must_use]
pub fn links(call: &Call, page: Page, total: usize) -> String {
    let last = page.count(total).max(1);
    let current = page.number.min(last);
    let mut links = Vec::new();
    if current < last {
        links.push(link(call, current + 1, "next"));
        links.push(link(call, last, "last"));
    }
    if current > 1 {
        links.push(link(call, 1, "first"));
        links.push(link(call, current - 1, "prev"));
    }
    links.join(",")
}

fn link(call: &Call, page: usize, rel: &str) -> String {
    let mut query: Vec<(String, String)> = call.query.iter().filter(|(n, _)| n != "page").cloned().collect();
    query.push(("page".to_owned(), page.to_string()));
    query.sort_by(|a, b| a.0.cmp(&b.0));
    let query: Vec<String> = query.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
    let path = call.target.split('?').next().unwrap_or_default();
    format!("<{}{path}?{}>; rel=\"{rel}\"", call.root, query.join("&"))
}
