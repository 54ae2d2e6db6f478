//! What passes between requests of one caller. Names are translated, nothing else.

use aegis_core::ports as core;

use super::Imported;
use crate::bindings::aegis::gateway::{identity, mailbox};

impl core::Mailbox for Imported {
    fn topics(&self) -> Vec<core::Topic> {
        let topics = mailbox::topics().into_iter().map(|topic| match topic {
            mailbox::Topic::Tools => core::Topic::Tools,
            mailbox::Topic::Prompts => core::Topic::Prompts,
            mailbox::Topic::Resources => core::Topic::Resources,
        });
        topics.collect()
    }
}

pub(super) fn keep(
    caller: &identity::Caller,
    announcements: &[core::Announcement],
    farewell: Option<&str>,
) -> Result<String, u32> {
    let told = announcements.iter().map(|announcement| mailbox::Announcement {
        topic: match announcement.topic {
            core::Topic::Tools => mailbox::Topic::Tools,
            core::Topic::Prompts => mailbox::Topic::Prompts,
            core::Topic::Resources => mailbox::Topic::Resources,
        },
        event: announcement.event.clone(),
    });
    mailbox::keep(caller, &told.collect::<Vec<_>>(), farewell)
}

pub(super) fn deliver(
    caller: &identity::Caller,
    stream: &str,
    event: &str,
) -> Result<(), core::NotDelivered> {
    mailbox::deliver(caller, stream, event).map_err(|reason| match reason {
        mailbox::NotDelivered::Gone => core::NotDelivered::Gone,
        mailbox::NotDelivered::Full => core::NotDelivered::Full,
        mailbox::NotDelivered::Withheld => core::NotDelivered::Withheld,
    })
}

pub(super) fn ask(caller: &identity::Caller, seconds: u32) -> Result<Box<dyn core::Pending>, u32> {
    mailbox::ask(caller, seconds).map(|question| -> Box<dyn core::Pending> { Box::new(Pending(question)) })
}

pub(super) fn answer(caller: &identity::Caller, id: &str, reply: &[u8]) -> bool {
    mailbox::answer(caller, id, reply)
}

struct Pending(mailbox::Question);

impl core::Pending for Pending {
    fn id(&self) -> String {
        self.0.id()
    }

    fn reply(&self) -> Option<Vec<u8>> {
        self.0.reply()
    }
}
