//! Resources of the suite. They stand for themselves: none asks for a tool call.

use aegis_core::completion::Completes;
use aegis_core::resources::{Address, Body, Content, Resource, Unread, Variables};
use aegis_core::tools::Run;
use serde_json::json;

use crate::samples::{PNG, PNG_TYPE};

pub(crate) static RESOURCES: &[&dyn Resource] = &[&STATIC_TEXT, &STATIC_BINARY, &TEMPLATE, &WATCHED];

/// A resource that holds the same whoever reads it.
struct Fixture {
    address: Address,
    name: &'static str,
    title: &'static str,
    description: &'static str,
    mime_type: &'static str,
    watched: bool,
    body: fn(&Variables) -> Body,
}

impl Resource for Fixture {
    fn address(&self) -> Address {
        self.address
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn mime_type(&self) -> &'static str {
        self.mime_type
    }

    fn completes(&self) -> &'static [(&'static str, Completes)] {
        &[]
    }

    fn tools(&self) -> &'static [&'static str] {
        &[]
    }

    fn watched(&self) -> bool {
        self.watched
    }

    fn read(&self, at: &Variables, _tools: &mut dyn Run) -> Result<Vec<Content>, Unread> {
        Ok(vec![Content { suffix: "", mime_type: self.mime_type, body: (self.body)(at) }])
    }
}

static STATIC_TEXT: Fixture = Fixture {
    address: Address::One("test://static-text"),
    name: "static_text",
    title: "Static text",
    description: "A text that never changes.",
    mime_type: "text/plain",
    watched: false,
    body: |_| Body::Text("This is the content of the static text resource.".to_owned()),
};

static STATIC_BINARY: Fixture = Fixture {
    address: Address::One("test://static-binary"),
    name: "static_binary",
    title: "Static picture",
    description: "Bytes that never change.",
    mime_type: PNG_TYPE,
    watched: false,
    body: |_| Body::Blob(PNG.to_owned()),
};

static TEMPLATE: Fixture = Fixture {
    address: Address::Many("test://template/{id}/data"),
    name: "template",
    title: "Data by id",
    description: "What stands in the address, as data.",
    mime_type: "application/json",
    watched: false,
    body: |at| {
        let id = at.get("id");
        let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
        Body::Text(data.to_string())
    },
};

static WATCHED: Fixture = Fixture {
    address: Address::One("test://watched-resource"),
    name: "watched_resource",
    title: "Watched text",
    description: "A text whose changes a client may subscribe to.",
    mime_type: "text/plain",
    watched: true,
    body: |_| Body::Text("This is the content of the watched resource.".to_owned()),
};
