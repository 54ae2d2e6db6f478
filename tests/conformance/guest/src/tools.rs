//! Tools of the suite: what an entry of the catalogue is here, and all of them.
//!
//! All read, none touches a repository, so the permit, the record and the policy of every call are those of the product.

mod answering;
mod asking;
mod schemas;

use aegis_core::access::{Door, Target};
use aegis_core::client::{Client, Unasked};
use aegis_core::gitea::Write;
use aegis_core::ports::{Class, Recorded};
use aegis_core::reply::{Block, Reply};
use aegis_core::tools::kit::{ArgumentError, Entry, Error, Mirrored, Prepared, Shape};
use aegis_core::tools::{Catalogue, Toolset};
use serde_json::{Map, Value, json};

pub(crate) use schemas::form;

pub(crate) static CATALOGUE: Catalogue = Catalogue {
    toolsets: &[
        Toolset { name: "answering", tools: answering::TOOLS },
        Toolset { name: "asking", tools: asking::TOOLS },
        Toolset { name: "schemas", tools: schemas::TOOLS },
    ],
    instructions: "Tools, resources and prompts of the conformance suite. Nothing here is connected with anything.",
};

/// Asks the client; the replies.
type Asks = fn(&Map<String, Value>, &dyn Client) -> Result<Vec<Value>, Unasked>;
/// Answers, with the replies.
type Answers = fn(&[Value], &dyn Client) -> Result<Reply, Error>;

/// A tool of the suite.
struct Fixture {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// What it takes, as a JSON schema of type object.
    takes: fn() -> Value,
    mirrored: &'static [Mirrored],
    /// What it asks its client before it begins.
    asks: Asks,
    /// What it does then.
    answers: Answers,
}

impl Fixture {
    /// A tool that takes and asks nothing.
    const fn plain(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        answers: Answers,
    ) -> Self {
        Self {
            name,
            title,
            description,
            takes: || schemas::arguments(&json!({}), &[]),
            mirrored: &[],
            asks: |_, _| Ok(Vec::new()),
            answers,
        }
    }
}

impl Entry for Fixture {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    fn writes(&self) -> &'static [&'static Write] {
        &[]
    }

    fn answer(&self) -> &'static Shape {
        &Shape(&[])
    }

    /// Without an output schema: what these answer are content blocks.
    fn definition(&self) -> Value {
        json!({
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": (self.takes)(),
            "annotations": { "readOnlyHint": true },
        })
    }

    fn mirrored(&self) -> &'static [Mirrored] {
        self.mirrored
    }

    fn parse(&self, arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError> {
        schemas::check(&(self.takes)(), &arguments)?;
        Ok(Box::new(Call { asks: self.asks, answers: self.answers, arguments, replies: Vec::new() }))
    }
}

/// A call of one.
struct Call {
    asks: Asks,
    answers: Answers,
    arguments: Map<String, Value>,
    replies: Vec<Value>,
}

impl Prepared for Call {
    fn target(&self) -> Target<'_> {
        Target::default()
    }

    /// Nothing: what the suite sends is no argument of a call to Gitea.
    fn recorded(&self) -> Vec<(String, Recorded)> {
        Vec::new()
    }

    fn inquire(&mut self, client: &dyn Client) -> Result<(), Unasked> {
        self.replies = (self.asks)(&self.arguments, client)?;
        Ok(())
    }

    fn run(self: Box<Self>, door: Door<'_>) -> Result<Reply, Error> {
        match &door {
            Door::Read(reader) => (self.answers)(&self.replies, reader.client()),
            Door::Write(writer) => (self.answers)(&self.replies, writer.reader().client()),
        }
    }
}

/// An answer of one text.
fn text(text: impl Into<String>) -> Reply {
    Reply::new().block(Block::Text(text.into()))
}
