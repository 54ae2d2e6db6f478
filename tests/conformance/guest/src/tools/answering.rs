//! Tools that answer at once: every kind of content, an error, progress and messages on the way.
//!
//! The last two are called by the suite while it listens for changes of the lists. A list changes when the operator
//! changes the policy, never by a call, and a guest could not announce it: whoever runs the suite sees the call go by,
//! changes the policy document and has the host read it again. So these two do nothing but answer.

use aegis_core::client::Client;
use aegis_core::ports::Level;
use aegis_core::reply::{Block, Reply};
use aegis_core::tools::kit::{Entry, Error};
use serde_json::Value;

use super::{Fixture, text};
use crate::samples::{PNG, PNG_TYPE, WAV, WAV_TYPE};

pub(super) const TOOLS: &[&dyn Entry] = &[
    &SIMPLE_TEXT,
    &IMAGE,
    &AUDIO,
    &EMBEDDED_RESOURCE,
    &MULTIPLE,
    &ERROR,
    &PROGRESS,
    &LOGGING_LEGACY,
    &LOGGING,
    &TOOL_CHANGE,
    &PROMPT_CHANGE,
];

static SIMPLE_TEXT: Fixture =
    Fixture::plain("test_simple_text", "Simple text", "Answers with a text.", |_, _| {
        Ok(text("This is a simple text response for testing."))
    });

static IMAGE: Fixture = Fixture::plain("test_image_content", "Picture", "Answers with a picture.", |_, _| {
    Ok(Reply::new().block(image()))
});

static AUDIO: Fixture = Fixture::plain("test_audio_content", "Sound", "Answers with a sound.", |_, _| {
    Ok(Reply::new().block(Block::Audio { base64: WAV.to_owned(), mime_type: WAV_TYPE }))
});

static EMBEDDED_RESOURCE: Fixture =
    Fixture::plain("test_embedded_resource", "Resource", "Answers with a resource.", |_, _| {
        Ok(Reply::new().block(Block::Resource {
            uri: "test://embedded-resource".to_owned(),
            mime_type: "text/plain",
            text: "This is an embedded resource content.".to_owned(),
        }))
    });

static MULTIPLE: Fixture = Fixture::plain(
    "test_multiple_content_types",
    "Several kinds of content",
    "Answers with a text, a picture and a resource.",
    |_, _| {
        Ok(text("Multiple content types test:").block(image()).block(Block::Resource {
            uri: "test://mixed-content-resource".to_owned(),
            mime_type: "application/json",
            text: r#"{"test":"data","value":123}"#.to_owned(),
        }))
    },
);

static ERROR: Fixture = Fixture::plain("test_error_handling", "Error", "Never succeeds.", |_, _| {
    Err(Error::Unprocessable {
        reason: "test_error",
        message: "This tool intentionally returns an error for testing".to_owned(),
    })
});

static PROGRESS: Fixture =
    Fixture::plain("test_tool_with_progress", "Progress", "Tells how far it is.", |_, client| {
        for (done, what) in [(0, "beginning"), (50, "half way"), (100, "done")] {
            client.progress(done, Some(100), what);
        }
        Ok(text("The tool has told its progress."))
    });

static LOGGING_LEGACY: Fixture =
    Fixture::plain("test_tool_with_logging", "Messages", "Tells what it does.", messages);

static LOGGING: Fixture = Fixture::plain(
    "test_logging_tool",
    "Messages on request",
    "Tells what it does, when asked to.",
    messages,
);

static TOOL_CHANGE: Fixture = Fixture::plain(
    "test_trigger_tool_change",
    "Change of tools",
    "Called when the list of tools is to change.",
    |_, _| Ok(text("The tools are announced anew.")),
);

static PROMPT_CHANGE: Fixture = Fixture::plain(
    "test_trigger_prompt_change",
    "Change of prompts",
    "Called when the list of prompts is to change.",
    |_, _| Ok(text("The prompts are announced anew.")),
);

fn image() -> Block {
    Block::Image { base64: PNG.to_owned(), mime_type: PNG_TYPE }
}

/// Without the pauses between them that the suite suggests: each is sent before the next is made.
fn messages(_replies: &[Value], client: &dyn Client) -> Result<Reply, Error> {
    for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        client.log(Level::Info, message);
    }
    Ok(text("The tool has told what it did."))
}
