//! How a tool is written down, and everything that follows from it.
//!
//! A tool is one struct in a `tool!` block: its name, its documentation and its typed arguments. Schema,
//! parser, policy target, audit arguments, documentation and snapshot follow from the arguments; scope, hints,
//! policy default and the door to Gitea follow from which of [`ReadTool`] and [`WriteTool`] it implements.
//! Nothing here knows a single tool.

mod argument;
mod entry;
mod error;
mod shape;

#[cfg(test)]
mod tests;

pub(super) use argument::paragraph;
pub use argument::{Arg, ArgumentError, Arguments, Field};
pub use entry::{Entry, Hints, Mirrored, Prepared};
pub use error::Error;
pub use shape::{Explained, Key, Kind, Shape};

pub(super) use entry::{read, write};

use crate::access::{Reader, Target, Writer};
use crate::gitea::Write;
use crate::ports::Recorded;
use crate::reply::Reply;

/// What the `tool!` macro makes of a struct.
pub trait Tool: Sized {
    /// The name on the wire. It is API: it survives a rename of the type.
    const NAME: &'static str;
    /// A short name for people.
    const TITLE: &'static str;
    /// The documentation, line by line.
    const DOC: &'static [&'static str];
    /// The wire fields of all arguments, in order.
    fn fields() -> Vec<Field>;
    /// Parse and check all arguments.
    ///
    /// # Errors
    /// The first field that is unknown, missing, of the wrong type or out of bounds.
    fn from_args(arguments: Arguments) -> Result<Self, ArgumentError>;
    /// What a call touches.
    fn target(&self) -> Target<'_>;
    /// The other arguments, for the record.
    fn recorded(&self) -> Vec<(String, Recorded)>;
}

/// A tool that changes nothing.
pub trait ReadTool: Tool {
    /// The fields of its answer.
    const ANSWER: &'static Shape;
    /// Every path template that it reads in Gitea.
    const READS: &'static [&'static str];
    /// It is about one item, so that somebody may ask for what LOCKDOWN=hide withholds of it.
    const ONE_ITEM: bool = false;
    /// Do it.
    ///
    /// # Errors
    /// Gitea refused or failed, or the arguments do not fit what is there.
    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error>;
}

/// A tool that changes something in Gitea.
pub trait WriteTool: Tool {
    /// The fields of its answer.
    const ANSWER: &'static Shape;
    /// Every path template that it reads in Gitea, to check before it writes.
    const READS: &'static [&'static str];
    /// Every change that it sends.
    const WRITES: &'static [&'static Write];
    /// What a client may tell its person about the change.
    const HINTS: Hints;
    /// Do it, once.
    ///
    /// # Errors
    /// Gitea refused or failed, or the arguments do not fit what is there.
    fn call(self, gitea: &Writer<'_>) -> Result<Reply, Error>;
}

/// Write a tool down. See `tools/issues.rs` for what it looks like.
macro_rules! tool {
    (
        $(#[doc = $doc:literal])+
        $name:literal ($title:literal) => struct $tool:ident {
            $( $(#[doc = $field_doc:literal])* $field:ident : $arg:ty ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        struct $tool { $( $(#[doc = $field_doc])* $field: $arg ),* }

        impl $crate::tools::kit::Tool for $tool {
            const NAME: &'static str = $name;
            const TITLE: &'static str = $title;
            const DOC: &'static [&'static str] = &[$($doc),+];

            fn fields() -> Vec<$crate::tools::kit::Field> {
                let mut fields = Vec::new();
                $( fields.extend(<$arg as $crate::tools::kit::Arg>::fields(stringify!($field), &[$($field_doc),*])); )*
                fields
            }

            fn from_args(
                mut arguments: $crate::tools::kit::Arguments,
            ) -> Result<Self, $crate::tools::kit::ArgumentError> {
                arguments.refuse_unknown(&Self::fields())?;
                Ok(Self {
                    $( $field: <$arg as $crate::tools::kit::Arg>::from_args(stringify!($field), &mut arguments)? ),*
                })
            }

            fn target(&self) -> $crate::access::Target<'_> {
                let mut target = $crate::access::Target::default();
                $( $crate::tools::kit::Arg::target(&self.$field, &mut target); )*
                target
            }

            fn recorded(&self) -> Vec<(String, $crate::ports::Recorded)> {
                let mut recorded = Vec::new();
                $( $crate::tools::kit::Arg::recorded(&self.$field, stringify!($field), &mut recorded); )*
                recorded
            }
        }
    };
}
pub(super) use tool;
