//! `mailbox`: nothing passes between requests here. An instance may serve one request and be gone, so there is nobody
//! who could hold a stream open or wait for a reply (`docs/edge.md`).

use crate::Adapter;
use crate::bindings::exports::aegis::gateway::mailbox::{
    Announcement, CallerBorrow, Guest, GuestQuestion, NotDelivered, Question, Topic,
};

/// Seconds to wait, where waiting does not help.
const LONG: u32 = 3_600;

/// There is no question, so nobody ever holds one.
pub(crate) enum Unasked {}

impl GuestQuestion for Unasked {
    fn id(&self) -> String {
        match *self {}
    }

    fn reply(&self) -> Option<Vec<u8>> {
        match *self {}
    }
}

impl Guest for Adapter {
    type Question = Unasked;

    fn topics() -> Vec<Topic> {
        Vec::new()
    }

    fn keep(
        _caller: CallerBorrow<'_>,
        _announcements: Vec<Announcement>,
        _farewell: Option<String>,
    ) -> Result<String, u32> {
        Err(LONG)
    }

    fn deliver(_caller: CallerBorrow<'_>, _name: String, _event: String) -> Result<(), NotDelivered> {
        Err(NotDelivered::Gone)
    }

    fn ask(_caller: CallerBorrow<'_>, _seconds: u32) -> Result<Question, u32> {
        Err(LONG)
    }

    fn answer(_caller: CallerBorrow<'_>, _id: String, _reply: Vec<u8>) -> bool {
        false
    }
}
