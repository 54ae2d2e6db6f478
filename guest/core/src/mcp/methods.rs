//! What the methods answer, apart from running tools.
//!
//! Answers depend on the catalogue and the settings alone, never on who the client says it is.

use serde_json::{Map, Value, json};

use super::call::{Finished, Session};
use super::era::{self, Era};
use super::error::Fault;
use crate::ports::Topic;
use crate::reply::Removed;

/// The key under which a tool result's `_meta` names the call in the audit trail. The same value stands under
/// plain `correlation_id` for people and clients that look for that.
pub const CORRELATION_ID: &str = "io.aegisgitea/correlation_id";

/// The key under which a failed tool result's `_meta` gives the reason by name.
pub const REASON: &str = "io.aegisgitea/reason";

/// The key under which `_meta` counts what was taken out of a result: `secrets` and `characters`. Absent where nothing
/// was.
pub const REMOVED: &str = "io.aegisgitea/removed";

/// How long a client may keep a list, in milliseconds: lists change only when the operator changes settings or policy.
const LIST_TTL_MS: u32 = 300_000;

/// Who we say we are. Clients must not decide anything on it.
#[must_use]
pub fn server_info(version: &str) -> Value {
    json!({ "name": "aegis-gitea-mcp", "title": "AegisGitea-MCP", "version": version })
}

/// What there is. That a list changes is announced where somebody does announce it.
fn capabilities(session: &Session<'_>, era: Era) -> Value {
    let (resources, prompts) = (!session.offer.resources.is_empty(), !session.offer.prompts.is_empty());
    let announced = session.ports.mailbox.topics();
    let list = |topic: Topic| match announced.contains(&topic) {
        true => json!({ "listChanged": true }),
        false => json!({}),
    };
    let mut of_resources = list(Topic::Resources);
    let watched = era == Era::Legacy && session.offer.resources.iter().any(|resource| resource.watched());
    if let Some(members) = of_resources.as_object_mut().filter(|_| watched) {
        members.insert("subscribe".to_owned(), true.into());
    }
    let there_is = [
        ("tools", true, list(Topic::Tools)),
        ("resources", resources, of_resources),
        ("prompts", prompts, list(Topic::Prompts)),
        ("completions", resources || prompts, json!({})),
        ("logging", true, json!({})),
    ];
    let named = there_is.into_iter().filter(|(_, there, _)| *there);
    named.map(|(name, _, more)| (name.to_owned(), more)).collect::<Map<_, _>>().into()
}

/// Legacy `initialize`. No session is opened: every later request stands on its own.
///
/// # Errors
/// No protocol version was asked for.
pub fn initialize(
    session: &Session<'_>,
    version: &str,
    params: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    let asked = params.get("protocolVersion").and_then(Value::as_str);
    let asked = asked
        .ok_or_else(|| Fault::InvalidParams("params.protocolVersion is a string and required.".to_owned()))?;
    let agreed = era::LEGACY.iter().find(|served| **served == asked).unwrap_or(&era::LEGACY_NEWEST);
    Ok(object([
        ("protocolVersion", json!(agreed)),
        ("capabilities", capabilities(session, Era::Legacy)),
        ("serverInfo", server_info(version)),
        ("instructions", json!(session.offer.tools.instructions)),
    ]))
}

/// Modern `server/discover`.
#[must_use]
pub fn discover(session: &Session<'_>) -> Map<String, Value> {
    object([
        ("supportedVersions", supported_versions()),
        ("capabilities", capabilities(session, Era::Modern)),
        ("instructions", json!(session.offer.tools.instructions)),
        ("ttlMs", json!(LIST_TTL_MS)),
        ("cacheScope", json!("private")),
    ])
}

/// Every revision served, newest first.
#[must_use]
pub fn supported_versions() -> Value {
    era::MODERN.iter().chain(era::LEGACY).copied().collect()
}

/// A list in one page.
///
/// # Errors
/// A cursor: this server hands none out.
pub(super) fn list(
    era: Era,
    params: &Map<String, Value>,
    name: &str,
    entries: Value,
) -> Result<Map<String, Value>, Fault> {
    if params.contains_key("cursor") {
        return Err(Fault::InvalidParams("The list has one page: ask without a cursor.".to_owned()));
    }
    Ok(kept(era, LIST_TTL_MS, object([(name, entries)])))
}

/// What a modern client is told of how long a result holds, and that it is for this caller alone.
pub(super) fn kept(era: Era, milliseconds: u32, mut result: Map<String, Value>) -> Map<String, Value> {
    if era == Era::Modern {
        result.insert("ttlMs".to_owned(), milliseconds.into());
        result.insert("cacheScope".to_owned(), "private".into());
    }
    result
}

/// The definitions of all tools, in the catalogue's order.
#[must_use]
pub fn definitions(catalogue: &crate::tools::Catalogue) -> Value {
    catalogue.tools().map(|tool| tool.definition()).collect()
}

/// `params.name` of `tools/call`.
pub(super) fn tool_name(params: &Map<String, Value>) -> Result<String, Fault> {
    let name = params.get("name").and_then(Value::as_str);
    name.map(str::to_owned)
        .ok_or_else(|| Fault::InvalidParams("params.name is a string and required.".to_owned()))
}

/// The result of a tool that succeeded.
pub(super) fn tool_result(finished: Finished, correlation_id: &str) -> Map<String, Value> {
    let mut meta =
        object([(CORRELATION_ID, correlation_id.into()), ("correlation_id", correlation_id.into())]);
    count(&mut meta, finished.removed);
    if !finished.blocks.is_empty() {
        // No field beside them could hold it.
        meta.insert("notice".to_owned(), finished.removed.notice().into());
        return object([
            ("content", finished.blocks.into()),
            ("isError", json!(false)),
            ("_meta", meta.into()),
        ]);
    }
    object([
        ("content", json!([{ "type": "text", "text": finished.text }])),
        ("structuredContent", finished.structured),
        ("isError", json!(false)),
        ("_meta", meta.into()),
    ])
}

/// Beside what Gitea's text is shown in: how much was taken out of it.
pub(super) fn count(meta: &mut Map<String, Value>, removed: Removed) {
    if let Some(told) = removed.told() {
        meta.insert(REMOVED.to_owned(), told);
    }
}

/// The result of a tool that was refused or failed, in words a model can act on.
pub(super) fn tool_error(reason: &str, message: &str, correlation_id: &str) -> Map<String, Value> {
    object([
        ("content", json!([{ "type": "text", "text": format!("{reason}: {message}") }])),
        ("isError", json!(true)),
        (
            "_meta",
            json!({ CORRELATION_ID: correlation_id, "correlation_id": correlation_id, REASON: reason }),
        ),
    ])
}

pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
