//! Whether an answer is what a case says. Every complaint names what came.

use aegis_tests::http::Answer;
use serde_json::{Value, json};

use crate::data::Expect;

/// One answer, and the wire of a tool call where it was one.
pub struct Said {
    pub answer: Answer,
    pub wire: Option<&'static str>,
}

impl Said {
    /// The document of the answer: its body, or the last event of a stream.
    pub fn document(&self) -> Value {
        let text = self.answer.text();
        let is_stream =
            self.answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !is_stream {
            return self.answer.json();
        }
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data: "));
        last.and_then(|data| serde_json::from_str(data).ok()).unwrap_or(Value::Null)
    }

    /// The name of a refusal in any of the error models.
    fn reason(&self) -> Option<String> {
        let document = self.document();
        let places = ["/error", "/error/code", "/result/_meta/io.aegisgitea~1reason", "/error/data/reason"];
        places.iter().find_map(|place| document.pointer(place)?.as_str()).map(str::to_owned)
    }

    /// Under which id the audit log tells of it.
    pub fn request_id(&self) -> String {
        self.answer.header("x-request-id").unwrap_or_default().to_owned()
    }
}

/// The audit lines that an expectation says are due for one answer.
pub fn due(expect: &Expect) -> Value {
    let call = |first: Value, status: &str, reason: Option<&str>| {
        let mut last = json!({"event": "tool_invocation", "status": status});
        if let Some(reason) = reason {
            last["reason"] = reason.into();
        }
        json!([first, last])
    };
    let pending = json!({"event": "tool_invocation", "status": "pending"});
    if let Some((_, event, reason)) = &expect.refused {
        json!({"event": event, "reason": reason})
    } else if expect.host.is_some() {
        json!("none")
    } else if let Some((_, reason)) = &expect.tool_refused {
        json!({"event": "access_denied", "reason": reason})
    } else if let Some((status, reason)) = &expect.tool_failed {
        call(pending, if *status == 403 { "denied" } else { "error" }, Some(reason))
    } else if expect.tool_ok {
        call(pending, "success", None)
    } else {
        expect.audit.clone()
    }
}

fn shown(answer: &Answer) -> String {
    let text: String = answer.text().chars().take(400).collect();
    format!("{} {:?} {text}", answer.status, answer.headers)
}

fn in_list(status: u16, wanted: &Value) -> bool {
    match wanted {
        Value::Array(list) => list.iter().any(|one| one == status),
        Value::Null => true,
        one => one == status || one.as_str().is_some_and(|text| text == status.to_string()),
    }
}

/// One answer.
pub fn answer(expect: &Expect, said: &Said) -> Result<(), String> {
    let Said { answer, wire } = said;
    let fail = |what: String| Err(format!("{what}; there is {}", shown(answer)));
    let of_call = expect.tool_refused.as_ref().or(expect.tool_failed.as_ref());
    let reason = (expect.refused.as_ref().map(|(_, _, reason)| reason))
        .or(expect.host.as_ref().map(|(_, reason)| reason))
        .or(of_call.map(|(_, reason)| reason))
        .or(expect.reason.as_ref());
    let on_call = |status: u16| if *wire == Some("direct") { status } else { 200 };
    let status = (expect.refused.as_ref().map(|(status, ..)| json!(status)))
        .or(expect.host.as_ref().map(|(status, _)| json!(status)))
        .or(of_call.map(|(status, _)| json!(on_call(*status))))
        .or(expect.tool_ok.then(|| json!(200)))
        .unwrap_or_else(|| expect.status.clone());
    if !in_list(answer.status, &status) {
        return fail(format!("the status must be {status}"));
    }
    if !answer.complete {
        return fail("the answer broke off".to_owned());
    }
    if let Some(reason) = reason
        && said.reason().as_deref() != Some(reason)
    {
        return fail(format!("the reason must be `{reason}`"));
    }
    if expect.tool_ok && said.reason().is_some() {
        return fail("the call must succeed".to_owned());
    }
    if let Some(code) = expect.code
        && said.document()["error"]["code"] != code
    {
        return fail(format!("the code must be {code}"));
    }
    headers(expect, answer)?;
    let text = answer.text();
    for part in &expect.says {
        if !text.contains(part.as_str()) {
            return fail(format!("it must say {part:?}"));
        }
    }
    let everything = format!("{:?}{text}", answer.headers);
    for part in &expect.lacks {
        if everything.contains(part.as_str()) {
            return fail(format!("it must not say {part:?}"));
        }
    }
    let document = said.document();
    for (place, value) in &expect.json {
        // A tool's result stands in another place on each wire.
        let result = if *wire == Some("direct") { "/result" } else { "/result/structuredContent" };
        let place = place.replace("(result)", result);
        if document.pointer(&place).unwrap_or(&Value::Null) != value {
            return fail(format!("{place} must be {value}"));
        }
    }
    Ok(())
}

fn headers(expect: &Expect, answer: &Answer) -> Result<(), String> {
    let fail = |what: String| Err(format!("{what}; there is {}", shown(answer)));
    for (name, value) in &expect.headers {
        if answer.header(name) != Some(value) {
            return fail(format!("{name} must be {value:?}"));
        }
    }
    for (name, parts) in &expect.header_has {
        let all: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect();
        if let Some(part) = parts.iter().find(|part| !all.join("\n").contains(part.as_str())) {
            return fail(format!("{name} must have {part:?}"));
        }
    }
    for name in &expect.lacks_headers {
        if answer.headers.iter().any(|(known, _)| known.starts_with(name.as_str())) {
            return fail(format!("there must be no {name}"));
        }
    }
    Ok(())
}

/// What Gitea was asked.
pub fn upstream(expect: &Expect, seen: &[String]) -> Result<(), String> {
    if let Some(within) = &expect.upstream_within {
        let fits = |line: &String| {
            within.iter().any(|known| match known.strip_suffix('*') {
                Some(start) => line.starts_with(start),
                None => known == line,
            })
        };
        let may_be_empty = within.iter().any(|known| known == "(nothing)");
        if (seen.is_empty() && !may_be_empty) || !seen.iter().all(fits) {
            return Err(format!("Gitea must be asked {within:?}, and was asked {seen:?}"));
        }
        return Ok(());
    }
    let mut wanted = expect.upstream.clone().unwrap_or_default();
    let mut seen = seen.to_vec();
    wanted.sort();
    seen.sort();
    if wanted == seen {
        Ok(())
    } else {
        Err(format!("Gitea must be asked {wanted:?}, and was asked {seen:?}"))
    }
}
