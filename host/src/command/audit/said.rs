//! What a line says, in words for a person: what a call was about, and what an event means. The words are as raw as the line
//! has them; whoever shows them makes them harmless.

use aegis_custody::audit::{Event, Line};
use serde_json::Value;

/// Longest text that is made of a line's content, in characters.
const MOST: usize = 240;
/// Arguments that another column shows, or that say nothing of what is touched.
const ELSEWHERE: [&str; 5] = ["owner", "repo", "page", "limit", "ref"];

/// What in its repository a call was about: paths, numbers, branches; never free text, which the log does not hold.
pub(super) fn target(line: &Line<'_>) -> Option<String> {
    let paths = line.value("paths").unwrap_or_default();
    let mut parts: Vec<String> =
        paths.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let arguments = line.value("arguments").unwrap_or_default();
    for (name, value) in arguments.as_object().into_iter().flatten() {
        if ELSEWHERE.contains(&name.as_str()) {
            continue;
        }
        match value {
            Value::String(text) if !parts.contains(text) => parts.push(format!("{name}={text}")),
            Value::Number(_) | Value::Bool(_) => parts.push(format!("{name}={value}")),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => {}
        }
    }
    parts.extend(line.text("ref").map(|reference| format!("at {reference}")));
    (!parts.is_empty()).then(|| bounded(parts.join(", ")))
}

/// What a line other than a call says.
pub(super) fn note(line: &Line<'_>) -> Option<String> {
    let text = |name: &str| line.text(name).unwrap_or_default().into_owned();
    let number = |name: &str| line.number(name).unwrap_or(0);
    let said = match line.event() {
        Some(Event::ToolInvocation) => return None,
        Some(Event::AccessDenied | Event::SecurityEvent) => {
            let mut said = detail(&line.value("detail").unwrap_or_default());
            if let Some(more) = line.number("suppressed") {
                said.push(format!("{more} more of this kind were counted and not written"));
            }
            return (!said.is_empty()).then(|| bounded(said.join(", ")));
        }
        Some(Event::LogOpen) if line.seq() == 1 => {
            format!("the log began, with version {}", text("version"))
        }
        Some(Event::LogOpen) => format!("the server started, version {}", text("version")),
        Some(Event::LogClose) => "the server stopped in good order".to_owned(),
        Some(Event::Recovery) if text("cause") == "torn_tail" => {
            format!(
                "{} bytes that were never acknowledged were cut off and kept as {}",
                number("bytes"),
                text("copy")
            )
        }
        Some(Event::AuditDiskFull) => {
            format!("the volume is full since {}: {}", text("since"), text("error"))
        }
        Some(Event::AuditSpace) => match (text("state").as_str(), line.number("free")) {
            ("low", Some(free)) => {
                format!("the volume is nearly full ({free} bytes free): changes are refused")
            }
            ("low", None) => "the volume does not say how much is free: changes are refused".to_owned(),
            _ => format!("the volume has room again ({} bytes free)", number("free")),
        },
        Some(Event::Recovery) => {
            format!(
                "writing works again since {} failed ({} attempts): {}",
                text("since"),
                number("attempts"),
                text("error")
            )
        }
        Some(Event::SegmentClose) => format!("segment {} was closed", number("number")),
        Some(Event::SegmentOpen) => format!("segment {} began", number("number")),
        Some(Event::OpenTickets) => "more calls without an outcome are named".to_owned(),
        Some(Event::ClockStep) => format!("the clock went back from {} to {}", text("before"), text("after")),
        Some(Event::LinesLost) => format!("{} lines that nobody waited for were lost", number("count")),
        Some(Event::OutcomeUnknown) if line.number("count").is_some() => {
            format!("{} calls have no outcome: the server ended before it", number("count"))
        }
        Some(Event::OutcomeUnknown) => {
            format!("the call of line {} has no outcome: the server ended before it", number("intent_seq"))
        }
        Some(Event::KeyHandover) => format!("another key signs from here on: {}", text("key")),
        None => return None,
    };
    Some(bounded(said))
}

fn detail(detail: &Value) -> Vec<String> {
    let members = detail.as_object().into_iter().flatten();
    let said = members.map(|(name, value)| match value {
        Value::String(text) => format!("{name}={text}"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("{name}={value}")
        }
    });
    said.collect()
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
