//! Core's ports, answered in process by what the host answers them with, less the crossing of a boundary.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aegis_core::ports::{
    Admission, Audit, Bucket, Cache, Caller, Cause, Claims, Clock, Event, Exchange, Failure, Identity, Kind,
    Level, Limits, NoAutomation, NoMailbox, NoSignIn, Outcome, Ports, Recorded, Refusal, Remark, Request,
    Settings, Slot, Status, Telemetry, Ticket, Unavailable,
};
use aegis_custody::audit::Event as AuditEvent;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{World, random_name};

/// Cached values by caller, space and key, each with its end.
pub type Entries = Mutex<HashMap<(String, String, String), (Instant, Vec<u8>)>>;

/// One request, as the ports see it.
pub struct Visit {
    world: Arc<World>,
    address: IpAddr,
    request_id: String,
    principal: OnceCell<String>,
}

impl Visit {
    /// Nobody is proved yet.
    pub fn new(world: &Arc<World>, address: IpAddr, request_id: String) -> Self {
        Self { world: world.clone(), address, request_id, principal: OnceCell::new() }
    }

    /// All ports behind one value.
    pub fn ports(&self) -> Ports<'_> {
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
            automation: &NoAutomation,
            telemetry: self,
            clock: self,
        }
    }

    fn common(&self, principal: Option<&str>) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("request_id".into(), self.request_id.clone().into());
        members.insert("address".into(), self.address.to_string().into());
        if let Some(principal) = principal {
            members.insert("principal".into(), principal.into());
            members.insert("scopes".into(), json!(["read:repository", "write:repository"]));
        }
        members.insert("component".into(), "0000000000000000".into());
        members.insert("policy".into(), self.world.policy_digest.chars().take(16).collect::<String>().into());
        members
    }

    fn bucket(&self, bucket: Bucket) -> String {
        match bucket {
            Bucket::Address => format!("address {}", self.address),
            Bucket::AuthenticationFailures => format!("failures {}", self.address),
            Bucket::Principal => format!("principal {}", self.principal.get().map_or("", String::as_str)),
            Bucket::Registration
            | Bucket::Authorization
            | Bucket::Token
            | Bucket::TokenFailures
            | Bucket::Metadata => format!("{bucket:?} {}", self.address),
        }
    }
}

impl Settings for Visit {
    fn get(&self, name: &str) -> Option<String> {
        self.world.settings.get(name).cloned()
    }

    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        self.world.prepared.get(key).cloned()
    }

    fn policy_digest(&self) -> String {
        self.world.policy_digest.clone()
    }
}

impl Identity for Visit {
    fn authenticate(&self, presented: &str) -> Result<Box<dyn Caller>, Refusal> {
        let key = presented.strip_prefix("Bearer ").ok_or(Refusal::Malformed)?;
        let digest: [u8; 32] = Sha256::digest(key).into();
        // All are compared, as in the host.
        let found = self.world.keys.iter().fold(
            None,
            |found, (name, known)| {
                if *known == digest { Some(name) } else { found }
            },
        );
        let subject = found.ok_or(Refusal::Unknown)?.clone();
        let common = self.common(Some(&subject));
        let _ = self.principal.set(subject.clone());
        Ok(Box::new(Proved { world: self.world.clone(), subject, common }))
    }
}

struct Proved {
    world: Arc<World>,
    subject: String,
    common: Map<String, Value>,
}

impl Caller for Proved {
    fn claims(&self) -> Claims {
        let scopes = vec!["read:repository".to_owned(), "write:repository".to_owned()];
        Claims { subject: self.subject.clone(), login: None, client: None, scopes }
    }

    fn intent(&self, event: &Event) -> Result<Box<dyn Ticket>, Unavailable> {
        let id = random_name();
        let mut common = self.common.clone();
        common.insert("ticket".into(), id.clone().into());
        common.insert("tool".into(), event.tool.clone().into());
        let mut members = common.clone();
        members.insert("status".into(), "pending".into());
        describe(&mut members, event);
        durable(self.world.trail.append(AuditEvent::ToolInvocation, members))?;
        Ok(Box::new(Open { world: self.world.clone(), id, common, calls: Mutex::default() }))
    }
}

fn durable(is: bool) -> Result<(), Unavailable> {
    if is {
        Ok(())
    } else {
        Err(Unavailable { cause: Cause::NotWritten, message: "the log cannot be written".to_owned() })
    }
}

fn describe(members: &mut Map<String, Value>, event: &Event) {
    members.insert("class".into(), "read".into());
    for (name, value) in [("owner", &event.owner), ("repo", &event.repo), ("ref", &event.reference)] {
        if let Some(value) = value {
            members.insert(name.into(), value.clone().into());
        }
    }
    if !event.paths.is_empty() {
        members.insert("paths".into(), event.paths.clone().into());
    }
    if !event.arguments.is_empty() {
        let recorded = event.arguments.iter().map(|(name, value)| match value {
            Recorded::Scalar(text) => (name.clone(), text.clone().into()),
            Recorded::Text { bytes, sha256 } => (name.clone(), json!({"bytes": bytes, "sha256": sha256})),
        });
        members.insert("arguments".into(), Value::Object(recorded.collect()));
    }
}

struct Open {
    world: Arc<World>,
    id: String,
    common: Map<String, Value>,
    calls: Mutex<Vec<Value>>,
}

impl Ticket for Open {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn start(&self, request: &Request) -> Result<Box<dyn Exchange>, Failure> {
        let exchange = self.world.gitea.start(&self.id, request)?;
        let call = json!({"method": "GET", "template": request.template, "status": 200});
        self.calls.lock().expect("not poisoned").push(call);
        Ok(exchange)
    }

    fn close(&self, outcome: &Outcome) -> Result<(), Unavailable> {
        let status = match outcome.status {
            Status::Success => "success",
            Status::Error => "error",
            Status::Denied => "denied",
        };
        let mut members = self.common.clone();
        members.insert("status".into(), status.into());
        if let Some(reason) = &outcome.reason {
            members.insert("reason".into(), reason.clone().into());
        }
        members.insert("calls".into(), std::mem::take(&mut *self.calls.lock().expect("not poisoned")).into());
        durable(self.world.trail.append(AuditEvent::ToolInvocation, members))
    }
}

impl Limits for Visit {
    fn admit(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Admission {
        let (now, length) = (Instant::now(), Duration::from_secs(window_seconds.into()));
        let mut counters = self.world.counters.lock().expect("not poisoned");
        let (start, count) = counters.entry(self.bucket(bucket)).or_insert((now, 0));
        if now.duration_since(*start) >= length {
            (*start, *count) = (now, 0);
        }
        if *count >= limit {
            return Admission::Refused(window_seconds);
        }
        *count += 1;
        Admission::Admitted(limit - *count)
    }

    fn exhausted(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Option<u32> {
        let length = Duration::from_secs(window_seconds.into());
        let counters = self.world.counters.lock().expect("not poisoned");
        let (start, count) = counters.get(&self.bucket(bucket))?;
        (start.elapsed() < length && *count >= limit).then_some(window_seconds)
    }

    fn long_work(&self) -> Result<Box<dyn Slot>, u32> {
        Ok(Box::new(Room))
    }
}

/// The twin has no sandbox and so no bound on computing.
struct Room;

impl Slot for Room {}

impl Cache for Visit {
    fn get(&self, space: &str, key: &str) -> Option<Vec<u8>> {
        let whose = (self.principal.get()?.clone(), space.to_owned(), key.to_owned());
        let entries = self.world.cache.lock().expect("not poisoned");
        entries.get(&whose).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }

    fn put(&self, space: &str, key: &str, value: &[u8], ttl_seconds: u32) {
        let Some(principal) = self.principal.get() else { return };
        let until = Instant::now() + Duration::from_secs(ttl_seconds.into());
        let whose = (principal.clone(), space.to_owned(), key.to_owned());
        self.world.cache.lock().expect("not poisoned").insert(whose, (until, value.to_vec()));
    }
}

impl Audit for Visit {
    fn note(&self, remark: &Remark) {
        let mut members = self.common(self.principal.get().map(String::as_str));
        members.insert("reason".into(), remark.reason.clone().into());
        let event = match remark.kind {
            Kind::AccessDenied => AuditEvent::AccessDenied,
            Kind::SecurityEvent => AuditEvent::SecurityEvent,
        };
        self.world.trail.push(event, members);
    }
}

impl Telemetry for Visit {
    fn tool_call(&self, tool: &str, status: &str, _duration_microseconds: u64) {
        let mut calls = self.world.calls.lock().expect("not poisoned");
        *calls.entry((tool.to_owned(), status.to_owned())).or_default() += 1;
    }

    fn route(&self, _template: &str) {}

    fn trace_context(&self, _parent: &str, _state: &str) {}

    fn log(&self, _level: Level, event: &str, fields: &[(&str, &str)]) {
        eprintln!("{event} {fields:?}");
    }
}

impl Clock for Visit {
    fn monotonic_microseconds(&self) -> u64 {
        u64::try_from(self.world.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}
