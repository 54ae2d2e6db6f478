//! A tool as the catalogue holds it.

use core::marker::PhantomData;

use serde_json::{Map, Value, json};

use super::argument::{paragraph, schema};
use super::{ArgumentError, Arguments, Error, ReadTool, Shape, Tool, WriteTool};
use crate::access::{Door, Target};
use crate::client::{Client, Unasked};
use crate::gitea::Write;
use crate::ports::{Class, Recorded};
use crate::reply::Reply;

/// A tool as the catalogue holds it.
pub trait Entry: Sync {
    /// The name on the wire.
    fn name(&self) -> &'static str;
    /// A short name for people.
    fn title(&self) -> &'static str;
    /// Whether it reads or writes.
    fn class(&self) -> Class;
    /// Every path template that it reads in Gitea.
    fn reads(&self) -> &'static [&'static str];
    /// Every change that it sends to Gitea.
    fn writes(&self) -> &'static [&'static Write];
    /// The fields of its answer, with what they mean.
    fn answer(&self) -> &'static Shape;
    /// It is about one item, so that somebody may ask for what LOCKDOWN=hide withholds of it.
    fn one_item(&self) -> bool {
        false
    }
    /// The definition for tools/list: name, title, description, inputSchema, outputSchema, annotations.
    fn definition(&self) -> Value;
    /// Arguments that a modern client repeats in headers (`x-mcp-header` in the input schema).
    fn mirrored(&self) -> &'static [Mirrored] {
        &[]
    }
    /// Parse and check the arguments of a call. Nothing happens yet.
    ///
    /// # Errors
    /// Names the wire field and what is allowed.
    fn parse(&self, arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError>;
}

/// An argument that a client repeats in a header, for what stands between it and this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// What the header's name has behind `Mcp-Param-`.
    pub header: &'static str,
    /// Where the argument is, as a JSON pointer into the arguments.
    pub argument: &'static str,
}

/// What the specification lets a server say of a change. What equals its default is left out of the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    destructive: bool,
    idempotent: bool,
}

impl Hints {
    /// Adds something; done twice, it is there twice.
    pub const ADDS: Self = Self { destructive: false, idempotent: false };
    /// Adds something; done twice, nothing more happens.
    pub const ADDS_ONCE: Self = Self { destructive: false, idempotent: true };
    /// Takes something away or replaces it; done twice, nothing more happens.
    pub const REPLACES: Self = Self { destructive: true, idempotent: true };

    /// As `annotations` of a definition.
    fn told(self) -> Value {
        let mut hints = Map::new();
        if !self.destructive {
            hints.insert("destructiveHint".to_owned(), false.into());
        }
        if self.idempotent {
            hints.insert("idempotentHint".to_owned(), true.into());
        }
        hints.into()
    }
}

/// A call with good arguments.
pub trait Prepared {
    /// What it touches.
    fn target(&self) -> Target<'_>;
    /// Its other arguments, for the record.
    fn recorded(&self) -> Vec<(String, Recorded)>;
    /// Ask the client for what it still needs. Nothing is on record yet, and nothing was sent.
    ///
    /// # Errors
    /// There are no replies, or not yet.
    fn inquire(&mut self, _client: &dyn Client) -> Result<(), Unasked> {
        Ok(())
    }
    /// Do it.
    ///
    /// # Errors
    /// Gitea refused or failed, or the arguments do not fit what is there.
    fn run(self: Box<Self>, door: Door<'_>) -> Result<Reply, Error>;
}

/// The entry of a read tool.
pub(in crate::tools) const fn read<T: ReadTool + 'static>() -> &'static dyn Entry {
    &Reads::<T>(PhantomData)
}

/// The entry of a write tool.
pub(in crate::tools) const fn write<T: WriteTool + 'static>() -> &'static dyn Entry {
    &Writes::<T>(PhantomData)
}

struct Reads<T>(PhantomData<fn() -> T>);
struct Writes<T>(PhantomData<fn() -> T>);
struct ReadCall<T>(T);
struct WriteCall<T>(T);

impl<T: ReadTool + 'static> Entry for Reads<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn title(&self) -> &'static str {
        T::TITLE
    }

    fn class(&self) -> Class {
        Class::Read
    }

    fn reads(&self) -> &'static [&'static str] {
        T::READS
    }

    fn writes(&self) -> &'static [&'static Write] {
        &[]
    }

    fn answer(&self) -> &'static Shape {
        T::ANSWER
    }

    fn one_item(&self) -> bool {
        T::ONE_ITEM
    }

    fn definition(&self) -> Value {
        definition::<T>(T::ANSWER, &json!({ "readOnlyHint": true }))
    }

    fn parse(&self, arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError> {
        Ok(Box::new(ReadCall(T::from_args(Arguments::new(arguments))?)))
    }
}

impl<T: WriteTool + 'static> Entry for Writes<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn title(&self) -> &'static str {
        T::TITLE
    }

    fn class(&self) -> Class {
        Class::Write
    }

    fn reads(&self) -> &'static [&'static str] {
        T::READS
    }

    fn writes(&self) -> &'static [&'static Write] {
        T::WRITES
    }

    fn answer(&self) -> &'static Shape {
        T::ANSWER
    }

    fn definition(&self) -> Value {
        definition::<T>(T::ANSWER, &T::HINTS.told())
    }

    fn parse(&self, arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError> {
        Ok(Box::new(WriteCall(T::from_args(Arguments::new(arguments))?)))
    }
}

impl<T: ReadTool> Prepared for ReadCall<T> {
    fn target(&self) -> Target<'_> {
        self.0.target()
    }

    fn recorded(&self) -> Vec<(String, Recorded)> {
        self.0.recorded()
    }

    fn run(self: Box<Self>, door: Door<'_>) -> Result<Reply, Error> {
        match door {
            Door::Read(reader) => self.0.call(&reader).map_err(|error| error.told_by(&reader)),
            Door::Write(_) => Err(wrong_door()),
        }
    }
}

impl<T: WriteTool> Prepared for WriteCall<T> {
    fn target(&self) -> Target<'_> {
        self.0.target()
    }

    fn recorded(&self) -> Vec<(String, Recorded)> {
        self.0.recorded()
    }

    fn run(self: Box<Self>, door: Door<'_>) -> Result<Reply, Error> {
        match door {
            Door::Write(writer) => self.0.call(&writer).map_err(|error| error.told_by(writer.reader())),
            Door::Read(_) => Err(wrong_door()),
        }
    }
}

/// A permit of one class was used for a tool of the other: whoever does that gets nothing.
fn wrong_door() -> Error {
    Error::Unprocessable {
        reason: "wrong_permit",
        message: "The permit of this call is for another class of tool, so nothing was done.".to_owned(),
    }
}

fn definition<T: Tool>(answer: &Shape, annotations: &Value) -> Value {
    json!({
        "name": T::NAME,
        "title": T::TITLE,
        "description": paragraph(T::DOC),
        "inputSchema": schema(&T::fields()),
        "outputSchema": answer.output_schema(),
        "annotations": annotations,
    })
}
