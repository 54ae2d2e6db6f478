//! `aegis:gateway/mailbox`: streams that outlive their instance, and replies that other requests bring. Whose a stream
//! or a question is follows from the caller, who was proved; how much of it there is, from [`crate::mailbox`].

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;
use wasmtime::component::Resource;

use super::identity::Caller;
use crate::component::bindings::aegis::gateway::mailbox::{
    Announcement, Host, HostQuestion, NotDelivered, Topic,
};
use crate::early::Leave;
use crate::instance::State;
use crate::mailbox::questions::Question;
use crate::mailbox::{self, Keep, Owner};

/// Most announcements of one stream.
const MAX_ANNOUNCEMENTS: usize = 8;
/// Longest announcement, in bytes.
const MAX_ANNOUNCEMENT: usize = 1 << 10;
/// Longest event, in bytes.
const MAX_EVENT: usize = 8 << 20;
/// Seconds after which asking again for a stream makes sense.
const WAIT_SECONDS: u32 = 30;

/// One event and nothing behind it: it ends with the only empty line in it.
fn is_whole(event: &str) -> bool {
    event.strip_suffix("\n\n").is_some_and(|text| {
        !text.is_empty() && !text.ends_with('\n') && !text.contains("\n\n") && !text.contains(['\r', '\0'])
    })
}

/// A guest that does not keep to the interface is broken, and ends.
fn broken(what: &'static str) -> wasmtime::Error {
    wasmtime::Error::msg(what)
}

impl State {
    fn owner(&self, caller: &Resource<Caller>) -> wasmtime::Result<Owner> {
        Ok(Owner::of(&self.table.get(caller)?.principal))
    }

    /// An event without the server's own secrets.
    fn clean(&self, event: String) -> Bytes {
        self.bound.outlet.bytes(&self.shared, Bytes::from(event))
    }
}

impl Host for State {
    fn topics(&mut self) -> wasmtime::Result<Vec<Topic>> {
        let all = vec![Topic::Tools, Topic::Prompts, Topic::Resources];
        Ok(if self.shared.mailbox.streams.most() == 0 { Vec::new() } else { all })
    }

    fn keep(
        &mut self,
        caller: Resource<Caller>,
        announcements: Vec<Announcement>,
        farewell: Option<String>,
    ) -> wasmtime::Result<Result<String, u32>> {
        let owner = self.owner(&caller)?;
        let fits = |event: &String| event.len() <= MAX_ANNOUNCEMENT && is_whole(event);
        let mut events = announcements.iter().map(|told| &told.event).chain(&farewell);
        if announcements.len() > MAX_ANNOUNCEMENTS || !events.all(fits) {
            return Err(broken(
                "an announcement is one whole event of at most 1 KiB, and there are at most 8",
            ));
        }
        let mut slot = self.bound.keep.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(Err(WAIT_SECONDS));
        }
        let told =
            announcements.into_iter().map(|told| (topic(told.topic), self.clean(told.event))).collect();
        let mailbox = &self.shared.mailbox;
        let farewell = farewell.map(|event| self.clean(event));
        let kept = mailbox.streams.keep(owner, &self.bound.request_id, told, farewell, Instant::now());
        let Some(kept) = kept else { return Ok(Err(WAIT_SECONDS)) };
        let name = kept.name().to_owned();
        let (credential, hang_up) = (self.bound.presented.clone(), self.bound.hang_up.clone());
        *slot = Some(Keep::new(kept, credential, &mailbox.recheck, hang_up));
        Ok(Ok(name))
    }

    fn deliver(
        &mut self,
        caller: Resource<Caller>,
        stream: String,
        event: String,
    ) -> wasmtime::Result<Result<(), NotDelivered>> {
        let owner = self.owner(&caller)?;
        match self.bound.tickets.judge(event.as_bytes()) {
            Leave::Now => {}
            Leave::Never => return Ok(Ok(())),
            Leave::Later => return Ok(Err(NotDelivered::Withheld)),
        }
        if event.len() > MAX_EVENT || !is_whole(&event) {
            return Err(broken("what is delivered is one whole event of at most 8 MiB"));
        }
        let event = self.clean(event);
        let delivered = self.shared.mailbox.streams.deliver(&owner, &stream, event, Instant::now());
        if delivered.is_ok() {
            *self.bound.delivers.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
        }
        Ok(delivered.map_err(|not| match not {
            mailbox::NotDelivered::Gone => NotDelivered::Gone,
            mailbox::NotDelivered::Full => NotDelivered::Full,
        }))
    }

    fn ask(
        &mut self,
        caller: Resource<Caller>,
        seconds: u32,
    ) -> wasmtime::Result<Result<Resource<Question>, u32>> {
        let owner = self.owner(&caller)?;
        match self.shared.mailbox.questions.ask(owner, seconds, Instant::now()) {
            Ok(question) => Ok(Ok(self.table.push(question)?)),
            Err(wait) => Ok(Err(wait)),
        }
    }

    fn answer(&mut self, caller: Resource<Caller>, id: String, reply: Vec<u8>) -> wasmtime::Result<bool> {
        let owner = self.owner(&caller)?;
        Ok(self.shared.mailbox.questions.answer(&owner, &id, reply, Instant::now()))
    }
}

impl HostQuestion for State {
    fn id(&mut self, question: Resource<Question>) -> wasmtime::Result<String> {
        Ok(self.table.get(&question)?.id().to_owned())
    }

    async fn reply(&mut self, question: Resource<Question>) -> wasmtime::Result<Option<Vec<u8>>> {
        let reply = self.table.get_mut(&question)?.reply().await;
        // Somebody took their time: what the request does now, the policy of now decides.
        let now = self.shared.in_force.now();
        if now.policy.digest != self.bound.policy.digest {
            // Another guest has prepared that policy, and this one cannot read it: nothing is decided by the old one.
            if !Arc::ptr_eq(&now.guest.linked, &self.bound.guest.linked) {
                return Err(wasmtime::Error::msg(
                    "guest and policy were both replaced while somebody was asked",
                ));
            }
            self.bound.policy = now.policy;
        }
        Ok(reply)
    }

    fn drop(&mut self, question: Resource<Question>) -> wasmtime::Result<()> {
        self.table.delete(question)?;
        Ok(())
    }
}

fn topic(topic: Topic) -> mailbox::Topic {
    match topic {
        Topic::Tools => mailbox::Topic::Tools,
        Topic::Prompts => mailbox::Topic::Prompts,
        Topic::Resources => mailbox::Topic::Resources,
    }
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_event_ends_with_the_only_empty_line_in_it() {
        for whole in ["data: 1\n\n", ": comment\n\n", "id: 1\nevent: message\ndata: {}\n\n"] {
            assert!(is_whole(whole), "{whole:?}");
        }
        for not in
            ["", "\n\n", "data: 1\n", "data: 1", "data: 1\n\ndata: 2\n\n", "data: 1\n\n\n", "data: 1\r\n\r\n"]
        {
            assert!(!is_whole(not), "{not:?}");
        }
    }
}
