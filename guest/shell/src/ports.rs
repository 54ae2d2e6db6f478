//! Core's ports on top of the imported interfaces. Names are translated, nothing else.

mod automation;
mod mailbox;
mod oauth;

use aegis_core::ports as core;
use wasip2::clocks::{monotonic_clock, wall_clock};

use crate::bindings::aegis::gateway::{audit, cache, gitea, identity, limits, settings, telemetry, types};

/// All imported interfaces behind one value.
pub(crate) struct Imported;

impl Imported {
    pub(crate) fn ports(&self) -> core::Ports<'_> {
        core::Ports {
            settings: self,
            identity: self,
            limits: self,
            cache: self,
            audit: self,
            clients: self,
            login: self,
            seal: self,
            mailbox: self,
            automation: self,
            telemetry: self,
            clock: self,
        }
    }
}

impl core::Settings for Imported {
    fn get(&self, name: &str) -> Option<String> {
        settings::get(name)
    }

    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        settings::prepared(key)
    }

    fn policy_digest(&self) -> String {
        settings::policy_digest()
    }
}

impl core::Identity for Imported {
    fn authenticate(&self, presented: &str) -> Result<Box<dyn core::Caller>, core::Refusal> {
        match identity::authenticate(presented) {
            Ok(caller) => Ok(Box::new(Caller(caller))),
            Err(refusal) => Err(match refusal {
                identity::Refusal::Malformed => core::Refusal::Malformed,
                identity::Refusal::Unknown => core::Refusal::Unknown,
                identity::Refusal::Expired => core::Refusal::Expired,
                identity::Refusal::TooManyConcurrent => core::Refusal::TooManyConcurrent,
                identity::Refusal::Unavailable => core::Refusal::Unavailable,
                identity::Refusal::LacksScope => core::Refusal::LacksScope,
            }),
        }
    }
}

struct Caller(identity::Caller);

impl core::Caller for Caller {
    fn claims(&self) -> core::Claims {
        let identity::Claims { subject, login, client, scopes } = self.0.claims();
        core::Claims { subject, login, client, scopes }
    }

    fn intent(&self, event: &core::Event) -> Result<Box<dyn core::Ticket>, core::Unavailable> {
        let told = audit::Event {
            tool: event.tool.clone(),
            class: match event.class {
                core::Class::Read => types::Class::Read,
                core::Class::Write => types::Class::Write,
            },
            owner: event.owner.clone(),
            repo: event.repo.clone(),
            paths: event.paths.clone(),
            ref_: event.reference.clone(),
            arguments: event.arguments.iter().map(argument).collect(),
        };
        match audit::intent(&self.0, &told) {
            Ok(ticket) => Ok(Box::new(Ticket(ticket))),
            Err(refused) => Err(unavailable(refused)),
        }
    }

    fn keep(&self, announcements: &[core::Announcement], farewell: Option<&str>) -> Result<String, u32> {
        mailbox::keep(&self.0, announcements, farewell)
    }

    fn deliver(&self, stream: &str, event: &str) -> Result<(), core::NotDelivered> {
        mailbox::deliver(&self.0, stream, event)
    }

    fn ask(&self, seconds: u32) -> Result<Box<dyn core::Pending>, u32> {
        mailbox::ask(&self.0, seconds)
    }

    fn start_job(
        &self,
        job: &str,
        owner: &str,
        repo: &str,
    ) -> Result<Box<dyn core::Caller>, core::NotStarted> {
        automation::start(&self.0, job, owner, repo)
    }

    fn hand_over(&self, job: &str, pause_seconds: u32) -> bool {
        automation::hand_over(&self.0, job, pause_seconds)
    }

    fn answer(&self, id: &str, reply: &[u8]) -> bool {
        mailbox::answer(&self.0, id, reply)
    }
}

fn argument((name, value): &(String, core::Recorded)) -> audit::Argument {
    let value = match value {
        core::Recorded::Scalar(text) => audit::ArgumentValue::Scalar(text.clone()),
        core::Recorded::Text { bytes, sha256 } => {
            audit::ArgumentValue::Text(audit::TextDigest { bytes: *bytes, sha256: sha256.clone() })
        }
    };
    audit::Argument { name: name.clone(), value }
}

struct Ticket(audit::Ticket);

impl core::Ticket for Ticket {
    fn id(&self) -> String {
        self.0.id()
    }

    fn start(&self, request: &core::Request) -> Result<Box<dyn core::Exchange>, core::Failure> {
        let told = gitea::Request {
            method: match request.method {
                core::Method::Get => gitea::Method::Get,
                core::Method::Post => gitea::Method::Post,
                core::Method::Patch => gitea::Method::Patch,
                core::Method::Delete => gitea::Method::Delete,
            },
            template: request.template.to_owned(),
            segments: request.segments.clone(),
            query: request.query.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            body: request.body.clone(),
            accept: match request.accept {
                core::Media::Json => gitea::Media::Json,
                core::Media::Text => gitea::Media::Text,
                core::Media::Archive => gitea::Media::Archive,
            },
            max_bytes: request.max_bytes,
        };
        match gitea::start(&self.0, &told) {
            Ok(exchange) => Ok(Box::new(Exchange(exchange))),
            Err(error) => Err(failure(error)),
        }
    }

    fn close(&self, outcome: &core::Outcome) -> Result<(), core::Unavailable> {
        let told = audit::Outcome {
            status: match outcome.status {
                core::Status::Success => audit::Status::Success,
                core::Status::Error => audit::Status::Error,
                core::Status::Denied => audit::Status::Denied,
            },
            reason: outcome.reason.clone(),
        };
        self.0.close(&told).map_err(unavailable)
    }
}

struct Exchange(gitea::Exchange);

impl core::Exchange for Exchange {
    fn head(&self) -> Result<core::Head, core::Failure> {
        let gitea::Head { status, headers } = self.0.head().map_err(failure)?;
        Ok(core::Head { status, headers })
    }

    fn read(&self, max: u32) -> Result<Vec<u8>, core::Failure> {
        self.0.read(max).map_err(failure)
    }
}

fn failure(error: gitea::Failure) -> core::Failure {
    match error {
        gitea::Failure::TicketClosed => core::Failure::TicketClosed,
        gitea::Failure::Refused(why) => core::Failure::Refused(why),
        gitea::Failure::Unreachable(why) => core::Failure::Unreachable(why),
        gitea::Failure::TimedOut => core::Failure::TimedOut,
        gitea::Failure::TooLarge => core::Failure::TooLarge,
        gitea::Failure::Broken(why) => core::Failure::Broken(why),
        gitea::Failure::NotPermitted(why) => core::Failure::NotPermitted(why),
        gitea::Failure::SignedOut => core::Failure::SignedOut,
    }
}

impl core::Limits for Imported {
    fn admit(&self, bucket: core::Bucket, limit: u32, window_seconds: u32) -> core::Admission {
        match limits::admit(of(bucket), limit, window_seconds) {
            limits::Admission::Admitted(left) => core::Admission::Admitted(left),
            limits::Admission::Refused(wait) => core::Admission::Refused(wait),
        }
    }

    fn exhausted(&self, bucket: core::Bucket, limit: u32, window_seconds: u32) -> Option<u32> {
        limits::exhausted(of(bucket), limit, window_seconds)
    }

    fn long_work(&self) -> Result<Box<dyn core::Slot>, u32> {
        limits::long_work().map(|slot| -> Box<dyn core::Slot> { Box::new(Room(slot)) })
    }
}

/// Room for long work, given back when it is dropped.
struct Room(#[expect(dead_code, reason = "held, never looked at")] limits::Slot);

impl core::Slot for Room {}

fn of(bucket: core::Bucket) -> limits::Bucket {
    match bucket {
        core::Bucket::Address => limits::Bucket::Address,
        core::Bucket::AuthenticationFailures => limits::Bucket::AuthenticationFailures,
        core::Bucket::Principal => limits::Bucket::Principal,
        core::Bucket::Registration => limits::Bucket::Registration,
        core::Bucket::Authorization => limits::Bucket::Authorization,
        core::Bucket::Token => limits::Bucket::Token,
        core::Bucket::TokenFailures => limits::Bucket::TokenFailures,
        core::Bucket::Metadata => limits::Bucket::Metadata,
    }
}

impl core::Cache for Imported {
    fn get(&self, space: &str, key: &str) -> Option<Vec<u8>> {
        cache::get(space, key)
    }

    fn put(&self, space: &str, key: &str, value: &[u8], ttl_seconds: u32) {
        cache::put(space, key, value, ttl_seconds);
    }
}

impl core::Audit for Imported {
    fn note(&self, remark: &core::Remark) {
        audit::note(&audit::Remark {
            kind: match remark.kind {
                core::Kind::AccessDenied => audit::Kind::AccessDenied,
                core::Kind::SecurityEvent => audit::Kind::SecurityEvent,
            },
            reason: remark.reason.clone(),
            tool: remark.tool.clone(),
            owner: remark.owner.clone(),
            repo: remark.repo.clone(),
            paths: remark.paths.clone(),
            detail: remark.detail.clone(),
        });
    }
}

impl core::Telemetry for Imported {
    fn tool_call(&self, tool: &str, status: &str, duration_microseconds: u64) {
        telemetry::tool_call(tool, status, duration_microseconds);
    }

    fn route(&self, template: &str) {
        telemetry::route(template);
    }

    fn trace_context(&self, parent: &str, state: &str) {
        telemetry::trace_context(parent, state);
    }

    fn log(&self, level: core::Level, event: &str, fields: &[(&str, &str)]) {
        let level = match level {
            core::Level::Debug => telemetry::Level::Debug,
            core::Level::Info => telemetry::Level::Info,
            core::Level::Warning => telemetry::Level::Warning,
            core::Level::Error => telemetry::Level::Error,
        };
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        telemetry::log(level, event, &fields);
    }
}

impl core::Clock for Imported {
    fn monotonic_microseconds(&self) -> u64 {
        monotonic_clock::now() / 1_000
    }

    fn unix_seconds(&self) -> u64 {
        wall_clock::now().seconds
    }
}

fn unavailable(audit::Unavailable { cause, message }: audit::Unavailable) -> core::Unavailable {
    let cause = match cause {
        audit::Cause::NotWritten => core::Cause::NotWritten,
        audit::Cause::SpaceLow => core::Cause::SpaceLow,
    };
    core::Unavailable { cause, message }
}
