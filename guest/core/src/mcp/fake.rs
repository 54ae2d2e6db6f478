//! A world for tests: settings in a map, counters that count, an audit trail that can be read or be broken.

pub(crate) mod dice;
pub(crate) mod office;
pub(crate) mod tools;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use http::{HeaderMap, Request, Response};
use serde_json::Value;

use super::stream::{Gone, Outgoing};
use crate::ports;
use crate::ports::{
    Admission, Announcement, Audit, Bucket, Cache, Caller, Cause, Claims, Clock, Event, Exchange, Failure,
    Identity, Level, Limits, NoAutomation, NoSignIn, NotDelivered, Outcome, Pending, Ports, Refusal, Remark,
    Settings, Slot, Telemetry, Ticket, Unavailable,
};
use office::{Office, Sealed};

/// The credential that [`World`] knows.
pub(crate) const GOOD: &str = "Bearer good";

/// One world.
pub(crate) struct World {
    pub(crate) settings: RefCell<HashMap<&'static str, String>>,
    pub(crate) refusal: Cell<Refusal>,
    pub(crate) open_door: Cell<bool>,
    pub(crate) scopes: RefCell<Vec<&'static str>>,
    pub(crate) counted: RefCell<HashMap<Bucket, u32>>,
    pub(crate) notes: RefCell<Vec<Remark>>,
    pub(crate) routes: RefCell<Vec<String>>,
    pub(crate) logs: RefCell<Vec<String>>,
    pub(crate) traces: RefCell<Vec<(String, String)>>,
    pub(crate) trail: Rc<Trail>,
    pub(crate) office: Rc<Office>,
    pub(crate) sealed: Sealed,
}

/// The part of the audit trail that callers and tickets write.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) refuses_intents: Cell<bool>,
    pub(crate) refuses_outcomes: Cell<bool>,
    pub(crate) intents: RefCell<Vec<Event>>,
    pub(crate) outcomes: RefCell<Vec<Outcome>>,
}

impl World {
    /// Defaults, with one setting that has none.
    pub(crate) fn new() -> Self {
        let settings = HashMap::from([("GITEA_URL", "https://git.example.com".to_owned())]);
        Self {
            settings: RefCell::new(settings),
            refusal: Cell::new(Refusal::Unknown),
            open_door: Cell::new(false),
            scopes: RefCell::new(vec!["read:repository", "write:repository"]),
            counted: RefCell::default(),
            notes: RefCell::default(),
            routes: RefCell::default(),
            logs: RefCell::default(),
            traces: RefCell::default(),
            trail: Rc::default(),
            office: Rc::default(),
            sealed: Sealed::default(),
        }
    }

    pub(crate) fn set(&self, name: &'static str, value: &str) {
        self.settings.borrow_mut().insert(name, value.to_owned());
    }

    pub(crate) fn ports(&self) -> Ports<'_> {
        Ports {
            settings: self,
            identity: self,
            limits: self,
            cache: self,
            audit: self,
            clients: &NoSignIn,
            login: &NoSignIn,
            seal: &self.sealed,
            mailbox: &*self.office,
            automation: &NoAutomation,
            telemetry: self,
            clock: self,
        }
    }

    /// Reasons noted so far.
    pub(crate) fn reasons(&self) -> Vec<String> {
        self.notes.borrow().iter().map(|note| note.reason.clone()).collect()
    }

    /// How often a bucket was counted.
    pub(crate) fn counted(&self, bucket: Bucket) -> u32 {
        self.counted.borrow().get(&bucket).copied().unwrap_or(0)
    }
}

impl Settings for World {
    fn get(&self, name: &str) -> Option<String> {
        self.settings.borrow().get(name).cloned()
    }
    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        let policy = aegis_policy::Document::parse(b"defaults: {read: allow, write: allow}").unwrap();
        policy.prepare().into_iter().find(|(name, _)| name == key).map(|(_, entry)| entry)
    }
    fn policy_digest(&self) -> String {
        "0".repeat(64)
    }
}

impl Identity for World {
    fn authenticate(&self, presented: &str) -> Result<Box<dyn Caller>, Refusal> {
        if presented == GOOD || (self.open_door.get() && presented.is_empty()) {
            let scopes = self.scopes.borrow().iter().map(|scope| (*scope).to_owned()).collect();
            return Ok(Box::new(Somebody {
                scopes,
                trail: Rc::clone(&self.trail),
                office: Rc::clone(&self.office),
            }));
        }
        Err(self.refusal.get())
    }
}

impl Limits for World {
    fn admit(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Admission {
        let mut counted = self.counted.borrow_mut();
        let so_far = counted.entry(bucket).or_default();
        *so_far += 1;
        match limit.checked_sub(*so_far) {
            Some(left) => Admission::Admitted(left),
            None => Admission::Refused(window_seconds / 2),
        }
    }
    fn exhausted(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Option<u32> {
        (self.counted(bucket) >= limit).then_some(window_seconds / 2)
    }

    fn long_work(&self) -> Result<Box<dyn Slot>, u32> {
        Err(1)
    }
}

impl Cache for World {
    fn get(&self, _space: &str, _key: &str) -> Option<Vec<u8>> {
        None
    }
    fn put(&self, _space: &str, _key: &str, _value: &[u8], _ttl_seconds: u32) {}
}

impl Audit for World {
    fn note(&self, remark: &Remark) {
        self.notes.borrow_mut().push(remark.clone());
    }
}

impl Telemetry for World {
    fn tool_call(&self, _tool: &str, _status: &str, _duration_microseconds: u64) {}
    fn route(&self, template: &str) {
        self.routes.borrow_mut().push(template.to_owned());
    }
    fn trace_context(&self, parent: &str, state: &str) {
        self.traces.borrow_mut().push((parent.to_owned(), state.to_owned()));
    }
    fn log(&self, _level: Level, event: &str, fields: &[(&str, &str)]) {
        self.logs.borrow_mut().push(format!("{event} {fields:?}"));
    }
}

impl Clock for World {
    fn monotonic_microseconds(&self) -> u64 {
        7
    }
    fn unix_seconds(&self) -> u64 {
        1_900_000_000
    }
}

struct Somebody {
    scopes: Vec<String>,
    trail: Rc<Trail>,
    office: Rc<Office>,
}

impl Caller for Somebody {
    fn claims(&self) -> Claims {
        let scopes = self.scopes.clone();
        Claims { subject: "laptop".to_owned(), login: Some("ada".to_owned()), client: None, scopes }
    }
    fn intent(&self, event: &Event) -> Result<Box<dyn Ticket>, Unavailable> {
        if self.trail.refuses_intents.get() {
            return Err(Unavailable { cause: Cause::NotWritten, message: "disk full".to_owned() });
        }
        self.trail.intents.borrow_mut().push(event.clone());
        Ok(Box::new(Open(Rc::clone(&self.trail))))
    }
    fn keep(&self, announcements: &[Announcement], farewell: Option<&str>) -> Result<String, u32> {
        self.office.keep(announcements, farewell)
    }
    fn deliver(&self, stream: &str, event: &str) -> Result<(), NotDelivered> {
        self.office.deliver(stream, event)
    }
    fn ask(&self, _seconds: u32) -> Result<Box<dyn Pending>, u32> {
        self.office.ask()
    }
    fn answer(&self, id: &str, reply: &[u8]) -> bool {
        self.office.answer(id, reply)
    }
}

struct Open(Rc<Trail>);

impl Ticket for Open {
    fn id(&self) -> String {
        "ticket-1".to_owned()
    }
    fn start(&self, _request: &ports::Request) -> Result<Box<dyn Exchange>, Failure> {
        Err(Failure::Unreachable("refused".to_owned()))
    }
    fn close(&self, outcome: &Outcome) -> Result<(), Unavailable> {
        if self.0.refuses_outcomes.get() {
            return Err(Unavailable { cause: Cause::NotWritten, message: "disk full".to_owned() });
        }
        self.0.outcomes.borrow_mut().push(outcome.clone());
        Ok(())
    }
}

/// A client that reads events until it hangs up.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) head: Option<HeaderMap>,
    pub(crate) status: u16,
    pub(crate) bytes: Vec<u8>,
    /// Hangs up when it has read this much.
    pub(crate) patience: Option<usize>,
}

impl Reader {
    /// The JSON of every message.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.bytes).unwrap();
        let data = text.split("\n\n").filter_map(|frame| frame.split_once("event: message\ndata: "));
        data.map(|(_, json)| serde_json::from_str(json).unwrap()).collect()
    }
}

impl Outgoing for Reader {
    fn begin(&mut self, head: Response<()>) -> Result<(), Gone> {
        assert!(self.head.is_none(), "one head");
        self.status = head.status().as_u16();
        self.head = Some(head.into_parts().0.headers);
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        assert!(self.head.is_some(), "the head comes first");
        if self.patience.is_some_and(|most| self.bytes.len() >= most) {
            return Err(Gone);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// A request as the host hands it over.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Request<Vec<u8>> {
    let target =
        if target.starts_with('/') { format!("http://localhost:8080{target}") } else { target.to_owned() };
    let mut request = Request::builder().method(method).uri(target).header("x-request-id", "req-1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.as_bytes().to_vec()).unwrap()
}

/// The body of an answer as JSON.
pub(crate) fn body(response: &Response<Vec<u8>>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}
