//! Streams that stay open: what changed is announced on them, and clients of 2024-11-05 get their answers on them.
//!
//! The instance writes what comes first and is gone; the host keeps the connection. Only lists whose changes somebody
//! announces can be listened to.

use serde_json::{Map, Value, json};

use super::Post;
use super::call::Session;
use super::error::Fault;
use super::stream::{self, Outgoing, frame};
use crate::ports::{Announcement, Topic};

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// A list: its topic, the name in a filter, and what is said when it has changed.
const LISTS: [(Topic, &str, &str); 3] = [
    (Topic::Tools, "toolsListChanged", "notifications/tools/list_changed"),
    (Topic::Prompts, "promptsListChanged", "notifications/prompts/list_changed"),
    (Topic::Resources, "resourcesListChanged", "notifications/resources/list_changed"),
];

/// Modern `subscriptions/listen`: what the filter asks for and this server announces is acknowledged, and said when it
/// happens, under the id of the request.
///
/// # Errors
/// There is no filter, the client cannot read events, or there are too many streams.
pub(super) fn subscribe(
    session: &Session<'_>,
    post: &Post<'_>,
    id: &Value,
    params: &Map<String, Value>,
    out: &mut dyn Outgoing,
) -> Result<(), Fault> {
    let asked = params.get("notifications").and_then(Value::as_object);
    let asked = asked
        .ok_or_else(|| Fault::InvalidParams("params.notifications is an object and required.".to_owned()))?;
    let announced = session.ports.mailbox.topics();
    if announced.is_empty() {
        return Err(Fault::UnknownMethod("subscriptions/listen".to_owned()));
    }
    if !post.streams {
        return Err(Fault::NeedsEvents);
    }
    if !out.stays() {
        return Err(Fault::InvalidRequest("Listen on a connection of its own: post to /mcp."));
    }
    let meta = json!({ SUBSCRIPTION_ID: id });
    let wanted = |(topic, name, _): &&(Topic, &str, &str)| {
        announced.contains(topic) && asked.get(*name) == Some(&Value::Bool(true))
    };
    let honoured: Vec<_> = LISTS.iter().filter(wanted).collect();
    let announcements: Vec<Announcement> = honoured
        .iter()
        .map(|(topic, _, method)| Announcement {
            topic: *topic,
            event: notification(method, json!({ "_meta": meta })),
        })
        .collect();
    let ended = json!({ "jsonrpc": "2.0", "id": id, "result": { "resultType": "complete", "_meta": meta } });
    keep(session, &announcements, Some(&frame(&ended)))?;

    let filter: Map<String, Value> =
        honoured.iter().map(|(_, name, _)| ((*name).to_owned(), true.into())).collect();
    let acknowledged = json!({ "notifications": filter, "_meta": meta });
    begin(out, &notification("notifications/subscriptions/acknowledged", acknowledged));
    Ok(())
}

/// Legacy `GET`: every change is announced. Under `answers_at` the stream carries answers too: its first event says
/// where to post (HTTP+SSE of 2024-11-05).
///
/// # Errors
/// There are too many streams.
pub fn open(session: &Session<'_>, answers_at: Option<&str>, out: &mut dyn Outgoing) -> Result<(), Fault> {
    let announced = session.ports.mailbox.topics();
    let announcements: Vec<Announcement> = LISTS
        .iter()
        .filter(|(topic, ..)| announced.contains(topic))
        .map(|(topic, _, method)| Announcement { topic: *topic, event: notification(method, json!({})) })
        .collect();
    let name = keep(session, &announcements, None)?;
    match answers_at {
        Some(path) => begin(out, &format!("event: endpoint\ndata: {path}?stream={name}\n\n")),
        None => begin(out, ": open\n\n"),
    }
    Ok(())
}

fn keep(
    session: &Session<'_>,
    announcements: &[Announcement],
    farewell: Option<&str>,
) -> Result<String, Fault> {
    session.caller.keep(announcements, farewell).map_err(Fault::TooManyStreams)
}

/// A client that is gone by now is found out by the host.
fn begin(out: &mut dyn Outgoing, first: &str) {
    let _ = out.begin(stream::head()).and_then(|()| out.write(first.as_bytes()));
}

fn notification(method: &str, mut params: Value) -> String {
    let mut told = json!({ "jsonrpc": "2.0", "method": method });
    let has_params = params.as_object().is_some_and(|params| !params.is_empty());
    if let Some(members) = told.as_object_mut().filter(|_| has_params) {
        members.insert("params".to_owned(), params.take());
    }
    frame(&told)
}
