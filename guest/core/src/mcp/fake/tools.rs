//! Three tools that need no Gitea: one answers, one fails, one writes.

use serde_json::{Map, Value, json};

use crate::access::{Door, Target};
use crate::offer::Offer;
use crate::ports::{Class, Recorded};
use crate::reply::Reply;
use crate::tools::kit::{ArgumentError, Entry, Error, Prepared};
use crate::tools::{Catalogue, Toolset};

/// A catalogue for tests.
pub(crate) static FEW: Offer = Offer { tools: &TOOLS, resources: &[], prompts: &[] };

static TOOLS: Catalogue = Catalogue {
    toolsets: &[Toolset { name: "fakes", tools: &[&Fake::Greet, &Fake::Fail, &Fake::Write] }],
    instructions: "Be kind.",
};

#[derive(Clone, Copy)]
enum Fake {
    Greet,
    Fail,
    Write,
}

impl Entry for Fake {
    fn name(&self) -> &'static str {
        match self {
            Self::Greet => "greet",
            Self::Fail => "fail",
            Self::Write => "write",
        }
    }
    fn title(&self) -> &'static str {
        self.name()
    }
    fn class(&self) -> Class {
        match self {
            Self::Greet | Self::Fail => Class::Read,
            Self::Write => Class::Write,
        }
    }
    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    fn writes(&self) -> &'static [&'static crate::gitea::Write] {
        &[]
    }

    fn answer(&self) -> &'static crate::tools::kit::Shape {
        &crate::tools::kit::Shape(&[])
    }

    fn definition(&self) -> Value {
        json!({ "name": self.name(), "inputSchema": { "type": "object" } })
    }
    fn parse(&self, _arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError> {
        Ok(Box::new(*self))
    }
}

impl Prepared for Fake {
    fn target(&self) -> Target<'_> {
        Target { repository: Some(("acme", "shop")), ..Target::default() }
    }
    fn recorded(&self) -> Vec<(String, Recorded)> {
        Vec::new()
    }
    fn run(self: Box<Self>, door: Door<'_>) -> Result<Reply, Error> {
        let reader = match &door {
            Door::Read(reader) => reader,
            Door::Write(writer) => writer.reader(),
        };
        ["looking", "greeting"].iter().for_each(|step| reader.step(step));
        match *self {
            Self::Greet | Self::Write => Ok(Reply::new().with("greeting", "hello")),
            Self::Fail => Err(Error::NotFound { message: "There is no such greeting.".to_owned() }),
        }
    }
}
