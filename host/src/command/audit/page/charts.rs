//! Charts of a report. Each is, or has beside it, a table with the same numbers, so that nobody depends on seeing it, and is
//! drawn by attributes alone: the page's policy allows no style but its own.

use maud::{Markup, html};

use super::super::figures::{Count, Figures, Period, Tally};
use super::super::show::clean;
use super::{breakable, grouped};

/// Parts of a whole, in thousandths.
fn part(count: u64, whole: u64) -> u64 {
    count.saturating_mul(1_000).checked_div(whole).unwrap_or(0)
}

/// Thousandths as a percentage.
fn percent(thousandths: u64) -> String {
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// The three parts of a count, with what each is drawn as.
fn parts(count: Count) -> [(&'static str, u64); 3] {
    [("ok", count.succeeded), ("off", count.failed), ("no", count.refused)]
}

pub(super) fn calls(count: u64) -> String {
    if count == 1 { "1 call".to_owned() } else { format!("{} calls", grouped(count)) }
}

/// Counts by name as a table, each with its bar.
pub(super) fn by_name(title: &str, head: &str, tally: &Tally, most: usize) -> Markup {
    let (top, rest) = tally.top(most);
    let longest = top.iter().map(|(_, count)| count.all()).chain(rest.map(|(_, count)| count.all())).max();
    let others = rest.map(|(names, count)| {
        // Names beyond what is counted one by one have no number.
        let name = if names > 0 {
            format!("{} others", grouped(u64::try_from(names).unwrap_or(u64::MAX)))
        } else {
            "others".to_owned()
        };
        (name, count)
    });
    // Counts that all ended alike need no columns that say so.
    let alike = |count: Count| parts(count).iter().filter(|(_, part)| *part > 0).count() < 2;
    let split = !top.iter().all(|(_, count)| alike(*count));
    let rows: Vec<(String, Count, bool)> = top
        .into_iter()
        .map(|(name, count)| (clean(name), count, false))
        .chain(others.map(|(name, count)| (name, count, true)))
        .collect();
    html! {
        section .chart {
            h2 { (title) }
            @if rows.is_empty() { p .note { "Nothing of the kind." } }
            @else {
                table .bars {
                    thead { tr { th scope="col" { (head) } th scope="col" { "All" } @if split { th scope="col" { "Refused" } th scope="col" { "Failed" } } } }
                    tbody {
                        @for (name, count, others) in rows {
                            tr {
                                th scope="row" {
                                    span .name .others[others] { (breakable(&name)) }
                                    (bar(count, longest.unwrap_or(0)))
                                }
                                td { (grouped(count.all())) }
                                @if split {
                                    td .quiet[count.refused == 0] { (grouped(count.refused)) }
                                    td .quiet[count.failed == 0] { (grouped(count.failed)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bar(count: Count, longest: u64) -> Markup {
    let mut from = 0;
    let pieces = parts(count).map(|(look, count)| {
        let width = part(count, longest);
        let piece = (look, from, width);
        from += width;
        piece
    });
    html! {
        svg .bar width="100%" height="6" aria-hidden="true" focusable="false" {
            @for (look, from, width) in pieces {
                @if width > 0 { rect .(look) x=(percent(from)) width=(percent(width)) height="6" {} }
            }
        }
    }
}

/// Calls by day, month or year, as a picture and a table that can be opened.
pub(super) fn by_period(figures: &Figures) -> Markup {
    let periods = figures.periods();
    let kind = match periods.first().map_or(0, |period| period.name.len()) {
        4 => "year",
        7 => "month",
        _ => "day",
    };
    let most = periods.iter().map(|period| period.count.all()).max().unwrap_or(0);
    html! {
        section aria-labelledby="by-day" {
            h2 #by-day { "Calls by " (kind) }
            @if periods.is_empty() { p .note { "There are no calls." } }
            @else {
                (picture(&periods, kind, most))
                (legend())
                details {
                    summary { "The same as numbers" }
                    table .numbers {
                        thead { tr {
                            @for head in [kind, "succeeded", "failed", "refused"] { th scope="col" { (head) } }
                        } }
                        tbody { @for period in &periods {
                            tr {
                                th scope="row" { (period.name) }
                                td { (grouped(period.count.succeeded)) }
                                td { (grouped(period.count.failed)) }
                                td { (grouped(period.count.refused)) }
                            }
                        } }
                    }
                }
            }
        }
    }
}

fn legend() -> Markup {
    html! {
        ul .legend {
            li .ok { "succeeded" }
            li .off { "failed" }
            li .no { "refused" }
        }
    }
}

fn picture(periods: &[Period], kind: &str, most: u64) -> Markup {
    let count = u64::try_from(periods.len()).unwrap_or(u64::MAX).max(1);
    let step = 100_000 / count;
    let busiest = periods.iter().max_by_key(|period| period.count.all());
    let said = format!(
        "Bars: calls by {kind}, from {} to {}; the most are {} on {}.",
        periods.first().map_or("", |period| &period.name),
        periods.last().map_or("", |period| &period.name),
        calls(most),
        busiest.map_or("", |period| &period.name),
    );
    let precise = |hundredths: u64| format!("{}.{:03}%", hundredths / 1_000, hundredths % 1_000);
    // A few bars stay slim in the middle of their places.
    let width = (step * 8 / 10).min(8_000);
    html! {
        div .plot {
            p .most { (calls(most)) }
            svg .days width="100%" height="160" role="img" aria-label=(said) {
                line .grid x1="0" x2="100%" y1="0.5" y2="0.5" {}
                line .grid x1="0" x2="100%" y1="80" y2="80" {}
                @for (index, period) in (0_u64..).zip(periods) {
                    (column(period, &precise(index * step + (step - width) / 2), &precise(width), most))
                }
                line .base x1="0" x2="100%" y1="159.5" y2="159.5" {}
            }
            p .ends {
                span { (periods.first().map_or("", |period| &period.name)) }
                @if periods.len() > 1 { span { (periods.last().map_or("", |period| &period.name)) } }
            }
        }
    }
}

fn column(period: &Period, x: &str, width: &str, most: u64) -> Markup {
    let mut top: u64 = 1_000;
    let pieces = parts(period.count).map(|(look, count)| {
        // What is there at all is to be seen.
        let height = if count > 0 { part(count, most).max(8) } else { 0 };
        top = top.saturating_sub(height);
        (look, top, height)
    });
    html! {
        g {
            title { (period.name) ": " (calls(period.count.all())) }
            @for (look, top, height) in pieces {
                @if height > 0 { rect .(look) x=(x) width=(width) y=(percent(top)) height=(percent(height)) {} }
            }
        }
    }
}
