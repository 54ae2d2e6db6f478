//! What a result shows besides one JSON object: texts, pictures, sounds, things with an address.

use serde_json::{Value, json};

/// One content block of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A text.
    Text(String),
    /// A picture, in base64.
    Image {
        /// Its bytes.
        base64: String,
        /// Media type.
        mime_type: &'static str,
    },
    /// A sound, in base64.
    Audio {
        /// Its bytes.
        base64: String,
        /// Media type.
        mime_type: &'static str,
    },
    /// A text with an address.
    Resource {
        /// The address.
        uri: String,
        /// Media type.
        mime_type: &'static str,
        /// What is there.
        text: String,
    },
}

impl Block {
    /// As a content block of the protocol, its texts by way of `clean`.
    pub(super) fn told(&self, mut clean: impl FnMut(&str) -> String) -> Value {
        match self {
            Self::Text(text) => json!({ "type": "text", "text": clean(text) }),
            Self::Image { base64, mime_type } => {
                json!({ "type": "image", "data": base64, "mimeType": mime_type })
            }
            Self::Audio { base64, mime_type } => {
                json!({ "type": "audio", "data": base64, "mimeType": mime_type })
            }
            Self::Resource { uri, mime_type, text } => {
                let resource = json!({ "uri": clean(uri), "mimeType": mime_type, "text": clean(text) });
                json!({ "type": "resource", "resource": resource })
            }
        }
    }
}
