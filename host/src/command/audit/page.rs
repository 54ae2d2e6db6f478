//! The page of `audit report`. One file: no script, nothing that is loaded, one stylesheet that the page's own policy
//! allows by its hash. Every name on it may have been chosen by somebody hostile: `maud` escapes all text, and what would
//! change the direction or hide in it is replaced before.

mod charts;

use std::path::PathBuf;

use aegis_custody::Timestamp;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::figures::{Figures, Happened, NOBODY};
use super::filter::Within;
use super::lines::Read;
use super::rows::{Outcome, Row};
use super::show::{clean, duration, seconds};
use super::{Report, TAMPERED, TORN, UNREADABLE, VALID, report};
use charts::{by_name, by_period, calls};

const STYLE: &str = include_str!("page/style.css");

/// How many names a chart shows by themselves.
const TOP: usize = 12;

/// What the page is made of.
pub(super) struct Page<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) verified: &'a [Report],
    pub(super) code: u8,
    pub(super) figures: &'a Figures,
    pub(super) read: &'a Read,
    pub(super) within: Within,
    pub(super) now: Timestamp,
}

/// The page as HTML.
pub(super) fn html(page: &Page<'_>) -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'");
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "Audit report: " (verdict(page.code)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(page))
                main {
                    (verification(page))
                    (overview(page.figures))
                    (by_period(page.figures))
                    (names(page.figures))
                    (changes(page))
                    (timeline(page.figures))
                }
                (footer(page))
            }
        }
    };
    body.into_string()
}

/// The verdict as a title says it.
pub(super) fn verdict(code: u8) -> &'static str {
    match code {
        VALID => "whole and unchanged",
        TORN => "whole, with an unfinished write at its end",
        TAMPERED => "DAMAGED",
        UNREADABLE => "not verified",
        _ => "whole, and not fully proven",
    }
}

fn header(page: &Page<'_>) -> Markup {
    html! {
        header {
            div .mark aria-hidden="true" {}
            div {
                h1 { "Audit report" }
                p {
                    "What assistants did in Gitea, " (report::span(page.within)) ". Made " (seconds(page.now)) " by AegisGitea-MCP "
                    (env!("CARGO_PKG_VERSION")) ". All times are UTC."
                }
            }
        }
    }
}

/// What a verdict means, and what to do about it.
fn meaning(code: u8) -> &'static str {
    match code {
        VALID => {
            "Every line carries on the line before it, and the checkpoints that the server signed fit the lines."
        }
        TORN => {
            "Every line is whole and in order. Bytes at the end were never acknowledged: the server was interrupted while it \
                 wrote, and nothing was done on their account."
        }
        TAMPERED => {
            "Somebody changed, cut or replaced lines, or what was signed about them. Do not rely on anything below. \
                     Keep the log, its checkpoints and this page as they are, and find out who could write there."
        }
        UNREADABLE => "The log could not be read to its end, so nothing is proven about it.",
        _ => {
            "Every line carries on the line before it. Something is missing for a full proof; it is named here."
        }
    }
}

fn verification(page: &Page<'_>) -> Markup {
    let look = match page.code {
        VALID => "good",
        TAMPERED | UNREADABLE => "bad",
        _ => "fair",
    };
    html! {
        section .card .(look) aria-labelledby="verified" {
            h2 #verified { "The log is " (verdict(page.code)) }
            p { (meaning(page.code)) }
            @for verified in page.verified { (one(verified)) }
            p .note {
                "This is the result of " code { "aegis-mcp audit verify" } ", exit code " (page.code)
                " (0 valid, 1 damaged, 2 not read, 3 an unfinished write at the end, 4 the proof has a gap). That nothing was cut off \
                 at the end is proven up to the last checkpoint that somebody else keeps."
            }
        }
    }
}

fn one(verified: &Report) -> Markup {
    let files = verified.parts.len();
    html! {
        @if let Some(problem) = &verified.problem { p .finding { (clean(&problem.told())) } }
        @for more in verified.evidence.problems.iter().skip(1) { p .finding { (clean(more)) } }
        @for gap in &verified.evidence.gaps { p .finding { (clean(gap)) } }
        @for (path, bytes, _) in verified.torn() {
            p .finding { (clean(&path.display().to_string())) ": " (bytes) " bytes at the end are an unfinished write" }
        }
        dl .facts {
            div { dt { "Log" } dd { code { (verified.log_id.as_deref().map_or_else(|| "unknown".to_owned(), clean)) } } }
            div { dt { "Lines" } dd { (grouped(verified.lines())) " in " (files) @if files == 1 { " file" } @else { " files" } } }
            @if let (Some(first), Some(last)) = (verified.first(), verified.last()) {
                div { dt { "From" } dd { (seconds(first.ts)) ", line " (grouped(first.seq)) } }
                div { dt { "To" } dd { (seconds(last.ts)) ", line " (grouped(last.seq)) } }
            }
            div { dt { "Signed" } dd {
                @if verified.evidence.held > 0 {
                    "up to line " (grouped(verified.evidence.covered)) ", by " (grouped(verified.evidence.held)) " checkpoints"
                } @else { "no checkpoint was found to hold" }
            } }
            @if let Some(open) = verified.open.as_ref().filter(|open| open.count() > 0) {
                div { dt { "Calls without an outcome" } dd { (grouped(open.count())) } }
            }
            @if verified.steps_back() > 0 {
                div { dt { "Clock went backwards" } dd { (grouped(verified.steps_back())) " times" } }
            }
        }
    }
}

fn overview(figures: &Figures) -> Markup {
    let failed = figures.all.failed.saturating_sub(figures.ended(Outcome::Open));
    let tiles = [
        ("Calls and refusals", figures.all.all()),
        ("Succeeded", figures.all.succeeded),
        ("Refused", figures.all.refused),
        ("Failed", failed),
        ("Without an outcome", figures.ended(Outcome::Open)),
        ("Changes asked for", figures.changes.all()),
        ("People and keys", u64::try_from(figures.users.names_but(NOBODY)).unwrap_or(u64::MAX)),
    ];
    html! {
        section aria-labelledby="overview" {
            h2 #overview { "At a glance" }
            dl .tiles { @for (name, count) in tiles { div { dt { (name) } dd { (grouped(count)) } } } }
        }
    }
}

fn names(figures: &Figures) -> Markup {
    html! {
        div .pair {
            (by_name("By person or key", "Name", &figures.users, TOP))
            (by_name("By tool", "Tool", &figures.tools, TOP))
            (by_name("By repository", "Repository", &figures.repositories, TOP))
            (by_name("By MCP client", "Client", &figures.clients, TOP))
            (by_name("By outcome", "Outcome", &figures.outcomes, Outcome::ALL.len()))
            (by_name("Why calls were refused", "Reason", &figures.reasons, TOP))
        }
    }
}

fn changes(page: &Page<'_>) -> Markup {
    let changes = &page.figures.changes;
    // Rows come in the order in which calls ended.
    let mut rows: Vec<&Row> = changes.iter().collect();
    rows.sort_by_key(|row| (row.time, row.seq));
    html! {
        section aria-labelledby="writes" {
            h2 #writes { "Every change that was asked for" }
            @if rows.is_empty() { p .note { "No call that may change something was begun." } }
            @else {
                p .note {
                    "Calls of tools that may change something in Gitea, oldest first. What is not " code { "success" }
                    " may still have taken effect where it is " code { "aborted" } ", " code { "unknown" } " or " code { "open" } "."
                }
                @if changes.before > 0 {
                    p .finding {
                        (grouped(changes.before)) " earlier ones are left out. All are listed by "
                        code { (command(page)) }
                    }
                }
                table .rows {
                    thead { tr {
                        @for head in ["Time", "Who", "Tool", "Repository", "Target", "Outcome", "Request"] { th scope="col" { (head) } }
                    } }
                    tbody { @for row in rows { (change(row)) } }
                }
            }
        }
    }
}

fn change(row: &Row) -> Markup {
    let outcome = row.outcome.unwrap_or(Outcome::Open);
    let look = match outcome {
        Outcome::Success => "ok",
        Outcome::Denied => "no",
        Outcome::Error | Outcome::Aborted | Outcome::Unknown | Outcome::Open => "off",
    };
    html! {
        tr {
            td data-head="Time" .time { (seconds(row.time)) }
            td data-head="Who" {
                (known(row.user.as_deref()))
                @if let Some(by) = &row.started_by { span .sub { "started by " (clean(by)) } }
                @if let Some(client) = &row.client { span .sub { "with " (clean(client)) } }
            }
            td data-head="Tool" { (known(row.tool.as_deref())) }
            td data-head="Repository" { (known(row.repository.as_deref())) }
            td data-head="Target" { (known(row.target.as_deref())) }
            td data-head="Outcome" {
                span .tag .(look) { (outcome.name()) }
                @if let Some(reason) = &row.reason { span .sub { (clean(reason)) } }
                @if let Some(millis) = row.millis() { span .sub { (duration(millis)) } }
            }
            td data-head="Request" .id { (known(row.request_id.as_deref())) }
        }
    }
}

fn known(text: Option<&str>) -> Markup {
    breakable(&text.map_or_else(|| "-".to_owned(), clean))
}

/// A name, which a narrow column may break where its parts end.
fn breakable(text: &str) -> Markup {
    html! { @for part in text.split_inclusive(['_', '/', '=', ',']) { (part) wbr; } }
}

/// The command that lists all changes of the page.
fn command(page: &Page<'_>) -> String {
    let mut words = vec!["aegis-mcp audit query".to_owned()];
    words.extend(page.paths.iter().map(|path| quoted(&clean(&path.display().to_string()))));
    words.push("--writes".to_owned());
    words.extend(page.within.from.map(|from| format!("--since {from}")));
    words.extend(page.within.to.map(|to| format!("--until {to}")));
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn timeline(figures: &Figures) -> Markup {
    html! {
        section aria-labelledby="timeline" {
            h2 #timeline { "The server and its rules" }
            p .note { "Starts and stops, trouble with the log, changes of policy and keys, and what operators did." }
            @if figures.happened.before > 0 {
                p .finding { (grouped(figures.happened.before)) " earlier entries are left out: " code { "aegis-mcp audit query --events" } }
            }
            @if figures.happened.all() == 0 { p .note { "Nothing of the kind." } }
            ol .timeline { @for happened in figures.happened.iter() { (entry(happened)) } }
        }
    }
}

fn entry(happened: &Happened) -> Markup {
    let row = &happened.row;
    let (title, look) = title(happened);
    html! {
        li .(look) {
            time datetime=(row.time) { (seconds(row.time)) }
            strong { (title) }
            // Of a stop there is nothing more to say.
            @if let Some(note) = row.note.as_ref().filter(|_| row.event != "log_close") { span .sub { (clean(note)) } }
        }
    }
}

fn title(happened: &Happened) -> (String, &'static str) {
    let row = &happened.row;
    let (title, look) = match (row.event.as_str(), row.reason.as_deref()) {
        ("log_open", _) if row.seq == 1 => ("The log began", "ok"),
        ("log_open", _) if happened.after_a_crash => {
            ("Server started; before, it had not stopped in good order", "off")
        }
        ("log_open", _) => ("Server started", "ok"),
        ("log_close", _) => ("Server stopped", "ok"),
        ("recovery", _) => ("The log was recovered", "off"),
        ("audit_disk_full", _) => ("The log's volume was full", "no"),
        ("lines_lost", _) => ("Lines were lost", "no"),
        ("clock_step", _) => ("The clock went backwards", "off"),
        ("outcome_unknown", _) => ("Calls without an outcome", "off"),
        ("key_handover", _) => ("Another key signs", "ok"),
        (_, Some("policy_reloaded")) => ("The policy changed", "ok"),
        (_, Some("policy_reload_failed")) => ("A changed policy was not taken", "no"),
        (_, Some("admin_peer_refused")) => ("Somebody was kept from the admin socket", "no"),
        (event, reason) => {
            let words = clean(&reason.unwrap_or(event).replace('_', " "));
            let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
            return (format!("{}{rest}", first.to_uppercase()), "ok");
        }
    };
    (title.to_owned(), look)
}

fn footer(page: &Page<'_>) -> Markup {
    let read = page.read;
    html! {
        footer {
            p {
                (grouped(read.lines)) " lines were read. Free text, contents and tokens are never in the log, and so not here. A \
                 call that is refused before it begins does not say whether it would have changed something."
            }
            @if read.broken > 0 { p .finding { (grouped(read.broken)) " lines are broken and not counted." } }
            @for note in &read.notes { p { (clean(note)) } }
            @if page.figures.other_days.all() > 0 {
                p { (calls(page.figures.other_days.all())) " on further days are counted, and not in the chart." }
            }
        }
    }
}

/// A number with its thousands apart, by a narrow space that does not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}
