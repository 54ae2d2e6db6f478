//! Answers about policies for people. Names from files and logs are escaped: they go to a terminal.

use std::fmt::Write as _;

use serde_json::Value;

/// A member that is a text, fit for a terminal.
pub(super) fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).map(plain).unwrap_or_default()
}

/// Without characters that a terminal acts on.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c == '"' || c == '\'' || c == '\\' { vec![c] } else { c.escape_debug().collect() })
        .collect()
}

fn rows<'v>(of: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// The digest, as far as a person compares it.
pub(super) fn digest(of: &Value) -> String {
    text(of, "digest").chars().take(16).collect()
}

pub(super) fn check(answer: &Value) -> String {
    let file = text(answer, "file");
    let mut out = String::new();
    // Writing to a String cannot fail.
    for problem in rows(answer, "problems") {
        let (line, column) = (number(problem, "line"), number(problem, "column"));
        let _ = writeln!(out, "{file}:{line}:{column}: {}", text(problem, "message"));
    }
    match rows(answer, "problems").count() {
        0 => {
            let _ = writeln!(out, "{file} is good (sha256 {}...)", digest(answer));
        }
        1 => out.push_str("One mistake: no server starts with this policy.\n"),
        more => {
            let _ = writeln!(out, "{more} mistakes: no server starts with this policy.");
        }
    }
    out
}

pub(super) fn explanation(answer: &Value) -> String {
    let mut out = String::new();
    let class = text(answer, "class");
    let whose = match answer.get("user").and_then(Value::as_str) {
        Some(user) => format!(" by {}", plain(user)),
        None => String::new(),
    };
    let place = match answer.get("repository").and_then(Value::as_str) {
        Some(repository) => format!(" on {}", plain(repository)),
        None => String::new(),
    };
    let paths: Vec<String> = rows(answer, "paths").filter_map(Value::as_str).map(plain).collect();
    let paths = if paths.is_empty() { String::new() } else { format!(", {}", paths.join(", ")) };
    let _ = writeln!(out, "call      {} (a {class}){whose}{place}{paths}", text(answer, "tool"));
    let _ = writeln!(out, "policy    {} (sha256 {}...)\n", text(answer, "file"), digest(answer));
    let steps: Vec<&Value> = rows(answer, "looked_at").collect();
    let width =
        |name: &str| steps.iter().map(|step| text(step, name).chars().count()).max().unwrap_or_default();
    let (rule, verdict) = (width("rule"), width("verdict"));
    let decided = text(answer, "rule");
    for step in &steps {
        let speaks = ["denies", "closes", "allows"].contains(&text(step, "verdict").as_str());
        let mark = if speaks && text(step, "rule") == decided { ">" } else { " " };
        let _ = writeln!(
            out,
            "{mark} {:rule$}  {:verdict$}  {}",
            text(step, "rule"),
            text(step, "verdict"),
            text(step, "words")
        );
    }
    let allowed = answer.get("allowed") == Some(&Value::Bool(true));
    let _ = writeln!(out, "\n{} by {decided}:", if allowed { "ALLOWED" } else { "DENIED" });
    for reason in rows(answer, "reasons") {
        let _ = writeln!(out, "  {}", text(reason, "message"));
    }
    for listing in rows(answer, "listings") {
        let shown = listing.get("shown") == Some(&Value::Bool(true));
        let does = if shown { "show" } else { "leave out" };
        let _ = writeln!(out, "Listings, diffs and searches {does} {}.", text(listing, "path"));
    }
    let _ = writeln!(out, "\nBesides the policy the call needs:");
    let _ = writeln!(out, "  scope     {}", text(answer, "scope"));
    let settings =
        answer.get("settings").and_then(|settings| settings.get("message")).and_then(Value::as_str);
    match settings {
        Some(refusal) => {
            let _ = writeln!(out, "  settings  refuse it: {}", plain(refusal));
        }
        None => out.push_str("  settings  have nothing against it\n"),
    }
    let who = match answer.get("user").and_then(Value::as_str) {
        Some(user) => plain(user),
        None => "the caller".to_owned(),
    };
    let _ = writeln!(
        out,
        "  Gitea     is asked at each call what {who} may do; the policy makes no difference between people"
    );
    out
}

pub(super) fn tests(answer: &Value) -> String {
    let file = text(answer, "file");
    let mut out = String::new();
    for case in rows(answer, "failed") {
        let _ = writeln!(out, "{file}:{}: {}", number(case, "line"), text(case, "it"));
        let _ = writeln!(out, "    expected {}, got {}", text(case, "expected"), text(case, "got"));
        let why = text(case, "why");
        if !why.is_empty() {
            let _ = writeln!(out, "    {why}");
        }
    }
    let (failed, all) = (rows(answer, "failed").count(), number(answer, "cases"));
    let policy = match text(answer, "policy").as_str() {
        "given" => "the given policy".to_owned(),
        "in the case file" => "the policy in the case file".to_owned(),
        other => format!("the {other} policy"),
    };
    let cases = if all == 1 { "case" } else { "cases" };
    let _ = writeln!(
        out,
        "{all} {cases} asked of {policy} (sha256 {}...): {}",
        digest(answer),
        if failed == 0 { "all as expected".to_owned() } else { format!("{failed} not as expected") }
    );
    out
}
