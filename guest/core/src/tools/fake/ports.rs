//! The test world behind every port.

use super::{World, forge};
use crate::ports::{
    Admission, Audit, Automation, Bucket, Cache, Caller, Cause, Claims, Clock, Event, Exchange, Failure,
    Identity, Level, Limits, NoMailbox, NoSignIn, NotStarted, NotVerified, Outcome, Ports, Refusal, Remark,
    Request, Settings, Slot, Telemetry, Ticket, Unavailable,
};

/// The host keeps no larger value.
const KEPT_BYTES: usize = 64 * 1024;

/// The id of every ticket.
pub(crate) const TICKET: &str = "ticket-1";

impl World {
    pub(crate) fn ports(&self) -> Ports<'_> {
        Ports {
            settings: self,
            identity: self,
            limits: self,
            cache: self,
            audit: self,
            clients: &NoSignIn,
            login: &NoSignIn,
            seal: &NoSignIn,
            mailbox: &NoMailbox,
            automation: self,
            telemetry: self,
            clock: self,
        }
    }
}

impl Settings for World {
    fn get(&self, name: &str) -> Option<String> {
        self.settings.get(name).cloned()
    }

    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        self.policy.iter().find(|(name, _)| name == key).map(|(_, entry)| entry.clone())
    }

    fn policy_digest(&self) -> String {
        "0".repeat(64)
    }
}

impl Identity for World {
    fn authenticate(&self, _presented: &str) -> Result<Box<dyn Caller>, Refusal> {
        Ok(Box::new(self.clone()))
    }
}

impl Automation for World {
    /// `good` is signed, `old` was taken before.
    fn verify(&self, signature: &str, _delivery: &str, _body: &[u8]) -> Result<Box<dyn Caller>, NotVerified> {
        match signature {
            "good" => Ok(Box::new(self.clone())),
            "old" => Err(NotVerified::Replayed),
            _ => Err(NotVerified::Forged),
        }
    }
}

impl Caller for World {
    fn claims(&self) -> Claims {
        super::claims(&["read:repository", "write:repository"])
    }

    fn start_job(&self, job: &str, _owner: &str, _repo: &str) -> Result<Box<dyn Caller>, NotStarted> {
        if self.state.borrow().running.contains(&job.to_owned()) {
            return Err(NotStarted::Running);
        }
        Ok(Box::new(self.clone()))
    }

    fn hand_over(&self, job: &str, pause_seconds: u32) -> bool {
        self.state.borrow_mut().handed.push((job.to_owned(), pause_seconds));
        true
    }

    fn intent(&self, event: &Event) -> Result<Box<dyn Ticket>, Unavailable> {
        let mut state = self.state.borrow_mut();
        if state.no_intents {
            return Err(Unavailable { cause: Cause::NotWritten, message: "disk full".to_owned() });
        }
        state.order.push("intent");
        state.events.push(event.clone());
        Ok(Box::new(self.clone()))
    }
}

impl Ticket for World {
    fn id(&self) -> String {
        TICKET.to_owned()
    }

    fn start(&self, request: &Request) -> Result<Box<dyn Exchange>, Failure> {
        let mut state = self.state.borrow_mut();
        state.order.push("request");
        state.requests.push(request.clone());
        Ok(forge::exchange(&state.routes, request))
    }

    fn close(&self, outcome: &Outcome) -> Result<(), Unavailable> {
        let mut state = self.state.borrow_mut();
        if state.no_outcomes {
            return Err(Unavailable { cause: Cause::NotWritten, message: "disk full".to_owned() });
        }
        state.order.push("close");
        state.outcomes.push(outcome.clone());
        Ok(())
    }
}

impl Limits for World {
    fn admit(&self, _bucket: Bucket, limit: u32, _window_seconds: u32) -> Admission {
        Admission::Admitted(limit)
    }

    fn exhausted(&self, _bucket: Bucket, _limit: u32, _window_seconds: u32) -> Option<u32> {
        None
    }

    fn long_work(&self) -> Result<Box<dyn Slot>, u32> {
        if self.state.borrow().no_room { Err(5) } else { Ok(Box::new(Room)) }
    }
}

impl Cache for World {
    fn get(&self, space: &str, key: &str) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        state.cached.get(&(space.to_owned(), key.to_owned())).map(|(value, _)| value.clone())
    }

    fn put(&self, space: &str, key: &str, value: &[u8], ttl_seconds: u32) {
        if value.len() > KEPT_BYTES {
            return;
        }
        let entry = (value.to_vec(), ttl_seconds);
        self.state.borrow_mut().cached.insert((space.to_owned(), key.to_owned()), entry);
    }
}

impl Audit for World {
    fn note(&self, remark: &Remark) {
        self.state.borrow_mut().remarks.push(remark.clone());
    }
}

impl Telemetry for World {
    fn tool_call(&self, tool: &str, status: &str, _duration_microseconds: u64) {
        self.state.borrow_mut().metrics.push((tool.to_owned(), status.to_owned()));
    }

    fn route(&self, _template: &str) {}

    fn trace_context(&self, _parent: &str, _state: &str) {}

    fn log(&self, level: Level, event: &str, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        self.state.borrow_mut().logged.push(format!("{level:?} {event} {}", fields.join(" ")));
    }
}

impl Clock for World {
    fn monotonic_microseconds(&self) -> u64 {
        let mut state = self.state.borrow_mut();
        state.clock += if state.tick == 0 { 1000 } else { state.tick };
        state.clock
    }

    fn unix_seconds(&self) -> u64 {
        1_790_000_000
    }
}

struct Room;

impl Slot for Room {}
