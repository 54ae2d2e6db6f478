//! `aegis:gateway/mailbox`: streams that stay, questions and their replies. What needs a caller is on [`Caller`].
//!
//! [`Caller`]: super::Caller

/// The part that needs no caller.
pub trait Mailbox {
    /// The lists whose changes are announced. None where no stream can be kept.
    fn topics(&self) -> Vec<Topic>;
}

/// A list that may change while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list` and `resources/templates/list`.
    Resources,
}

/// What a stream says when a list changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The list.
    pub topic: Topic,
    /// One whole event.
    pub event: String,
}

/// Why an event was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDelivered {
    /// There is no such stream of this caller.
    Gone,
    /// Its client does not read.
    Full,
    /// A ticket is open, and this is more than progress.
    Withheld,
}

/// A question whose reply is awaited.
pub trait Pending {
    /// The id to ask with.
    fn id(&self) -> String;
    /// Wait for the reply, a whole JSON-RPC response; none where none came in time.
    fn reply(&self) -> Option<Vec<u8>>;
}
