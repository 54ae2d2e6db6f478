//! What the world offers to the product: one trait for each interface in `wit/`, synchronous, object-safe.
//!
//! Possession is permission here as it is there: a [`Caller`] comes only from [`Identity::authenticate`], a
//! [`Ticket`] only from [`Caller::intent`], an [`Exchange`] with Gitea only from [`Ticket::start`]. Nothing in
//! this module decides anything.

mod automation;
mod closed;
mod mailbox;
mod oauth;

pub use automation::{Automation, NotStarted, NotVerified};
pub use closed::{NoAutomation, NoMailbox, NoSignIn};
pub use mailbox::{Announcement, Mailbox, NotDelivered, Pending, Topic};
pub use oauth::{
    Approved, Authentication, Broken, Choice, Client, ClientKind, Clients, Denied, Flow, Login, NotBegun,
    NotOpened, NotRegistered, Person, Presented, Profile, Proof, Purpose, Registered, Registration, Seal,
    SignInReason, SignInRefused, SignedIn, Tokens, UnknownClient,
};

/// Everything a request may reach.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Non-secret settings and the prepared policy.
    pub settings: &'a dyn Settings,
    /// Proof of who calls.
    pub identity: &'a dyn Identity,
    /// Counters shared by all requests.
    pub limits: &'a dyn Limits,
    /// A small cache that the host keys by caller.
    pub cache: &'a dyn Cache,
    /// Remarks for the audit trail.
    pub audit: &'a dyn Audit,
    /// OAuth clients.
    pub clients: &'a dyn Clients,
    /// Signing in.
    pub login: &'a dyn Login,
    /// Values that leave and come back unchanged.
    pub seal: &'a dyn Seal,
    /// What passes between requests of one caller.
    pub mailbox: &'a dyn Mailbox,
    /// Who may act where nobody asks.
    pub automation: &'a dyn Automation,
    /// Metrics and logs.
    pub telemetry: &'a dyn Telemetry,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// `aegis:gateway/settings`.
pub trait Settings {
    /// The effective value of a non-secret setting.
    fn get(&self, name: &str) -> Option<String>;
    /// One entry of the prepared policy.
    fn prepared(&self, key: &str) -> Option<Vec<u8>>;
    /// SHA-256 of the policy document in force, in hex.
    fn policy_digest(&self) -> String;
}

/// `aegis:gateway/identity`.
pub trait Identity {
    /// Prove the credential behind the value of the `authorization` header.
    ///
    /// # Errors
    /// Every way a credential is not accepted.
    fn authenticate(&self, presented: &str) -> Result<Box<dyn Caller>, Refusal>;
}

/// Seconds to wait, where waiting does not help.
const LONG: u32 = 3_600;

/// A proved caller. In a world where nothing passes between requests, nothing is kept and nobody is asked.
pub trait Caller {
    /// What is known about the caller.
    fn claims(&self) -> Claims;
    /// Make the intent durable and get the permission to act on it.
    ///
    /// # Errors
    /// The trail cannot be written: nothing may be done.
    fn intent(&self, event: &Event) -> Result<Box<dyn Ticket>, Unavailable>;
    /// Keep the connection of this request's answer, an event stream, when the answer is written; the stream's name.
    /// `farewell` is said where the server ends it because it stops.
    ///
    /// # Errors
    /// There are as many streams as there may be; seconds to wait.
    fn keep(&self, _announcements: &[Announcement], _farewell: Option<&str>) -> Result<String, u32> {
        Err(LONG)
    }
    /// Send a whole event on a stream of this caller.
    ///
    /// # Errors
    /// It does not take it.
    fn deliver(&self, _stream: &str, _event: &str) -> Result<(), NotDelivered> {
        Err(NotDelivered::Gone)
    }
    /// Make room for the reply to one question, for so many seconds.
    ///
    /// # Errors
    /// There are as many questions as there may be; seconds to wait.
    fn ask(&self, _seconds: u32) -> Result<Box<dyn Pending>, u32> {
        Err(LONG)
    }
    /// A caller that runs this job in this repository on this one's word, and reaches no further.
    ///
    /// # Errors
    /// This one may not start jobs, or the job is under way there.
    fn start_job(&self, _job: &str, _owner: &str, _repo: &str) -> Result<Box<dyn Caller>, NotStarted> {
        Err(NotStarted::NotPermitted)
    }
    /// Have the host run a job in the repository of the delivery that made this caller; whether it will.
    fn hand_over(&self, _job: &str, _pause_seconds: u32) -> bool {
        false
    }
    /// Hand over the reply to a question of this caller; whether somebody waits for it.
    fn answer(&self, _id: &str, _reply: &[u8]) -> bool {
        false
    }
}

/// Permission to call Gitea for one tool call. Dropped while open, it is closed as aborted.
pub trait Ticket {
    /// The id that joins audit lines, the answer and the requests sent to Gitea.
    fn id(&self) -> String;
    /// Send a request to Gitea.
    ///
    /// # Errors
    /// The host does not send it.
    fn start(&self, request: &Request) -> Result<Box<dyn Exchange>, Failure>;
    /// Record how the call went. After `Ok` the line is durable and the answer may leave.
    ///
    /// # Errors
    /// The trail cannot be written: the answer must be withheld.
    fn close(&self, outcome: &Outcome) -> Result<(), Unavailable>;
}

/// A request to Gitea under way.
pub trait Exchange {
    /// Wait for status and headers.
    ///
    /// # Errors
    /// No answer came.
    fn head(&self) -> Result<Head, Failure>;
    /// Wait for the next piece of the body; empty at the end.
    ///
    /// # Errors
    /// The answer broke off, took too long or grew too large.
    fn read(&self, max: u32) -> Result<Vec<u8>, Failure>;
}

/// `aegis:gateway/limits`.
pub trait Limits {
    /// Count one event.
    fn admit(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Admission;
    /// Seconds to wait if the bucket is full; counts nothing.
    fn exhausted(&self, bucket: Bucket, limit: u32, window_seconds: u32) -> Option<u32>;
    /// Room for work that takes long.
    ///
    /// # Errors
    /// There is none now; seconds to wait.
    fn long_work(&self) -> Result<Box<dyn Slot>, u32>;
}

/// Room for work that takes long: while it is held the request may compute for longer. Dropping it gives the
/// room back.
pub trait Slot {}

/// `aegis:gateway/cache`.
pub trait Cache {
    /// An entry of this caller.
    fn get(&self, space: &str, key: &str) -> Option<Vec<u8>>;
    /// Keep an entry for this caller.
    fn put(&self, space: &str, key: &str, value: &[u8], ttl_seconds: u32);
}

/// `aegis:gateway/audit`, the part that needs no caller.
pub trait Audit {
    /// Record a refusal or a security event with the next batch.
    fn note(&self, remark: &Remark);
}

/// `aegis:gateway/telemetry`.
pub trait Telemetry {
    /// Count a finished tool call.
    fn tool_call(&self, tool: &str, status: &str, duration_microseconds: u64);
    /// Name the route of this request as a template.
    fn route(&self, template: &str);
    /// Say where the message of this request comes from: W3C Trace Context.
    fn trace_context(&self, parent: &str, state: &str);
    /// One structured log line.
    fn log(&self, level: Level, event: &str, fields: &[(&str, &str)]);
}

/// Time, from the host's clocks.
pub trait Clock {
    /// Microseconds on a clock that only moves forward.
    fn monotonic_microseconds(&self) -> u64;
    /// Seconds since 1970-01-01T00:00:00Z.
    fn unix_seconds(&self) -> u64;
}

/// What the host knows about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Stable name of the principal.
    pub subject: String,
    /// The Gitea login, where known.
    pub login: Option<String>,
    /// The MCP client, where known.
    pub client: Option<String>,
    /// `read:repository`, `write:repository`.
    pub scopes: Vec<String>,
}

/// Why a credential was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not `Bearer` and one token.
    Malformed,
    /// Not known here.
    Unknown,
    /// It was good once.
    Expired,
    /// The principal has too many requests in flight.
    TooManyConcurrent,
    /// It could not be checked now.
    Unavailable,
    /// A token of Gitea without the API scopes needed.
    LacksScope,
}

/// Why nothing may be done for the sake of the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It cannot be written.
    NotWritten,
    /// Its volume is nearly full: changes are refused, reads go on.
    SpaceLow,
}

/// The audit trail does not take the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Why.
    pub cause: Cause,
    /// For the log, not for the client.
    pub message: String,
}

/// Read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing in Gitea.
    Read,
    /// Changes something in Gitea.
    Write,
}

/// What a tool call is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Tool name.
    pub tool: String,
    /// Its class.
    pub class: Class,
    /// Target owner.
    pub owner: Option<String>,
    /// Target repository.
    pub repo: Option<String>,
    /// Target paths.
    pub paths: Vec<String>,
    /// Target ref as given.
    pub reference: Option<String>,
    /// Other arguments.
    pub arguments: Vec<(String, Recorded)>,
}

/// An argument as the audit trail keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// A number, flag, enum or short name.
    Scalar(String),
    /// Free text: its length in bytes and SHA-256 in hex.
    Text {
        /// Length in bytes.
        bytes: u64,
        /// SHA-256 in lower-case hex.
        sha256: String,
    },
}

/// How a tool call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The answer leaves.
    Success,
    /// Gitea or we failed.
    Error,
    /// A permission was missing after the intent.
    Denied,
}

/// How a tool call went, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status.
    pub status: Status,
    /// The named reason where it is not success.
    pub reason: Option<String>,
}

/// Which kind of audit line a remark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `access_denied`.
    AccessDenied,
    /// `security_event`.
    SecurityEvent,
}

/// A refusal or a security event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Kind of line.
    pub kind: Kind,
    /// The named reason.
    pub reason: String,
    /// Tool, where one was named.
    pub tool: Option<String>,
    /// Target owner.
    pub owner: Option<String>,
    /// Target repository.
    pub repo: Option<String>,
    /// Target paths.
    pub paths: Vec<String>,
    /// Deciding rule or setting, and what else helps.
    pub detail: Vec<(String, String)>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Requests without a good credential, by source address.
    Address,
    /// Credentials presented and refused, by source address.
    AuthenticationFailures,
    /// Requests by the proved caller.
    Principal,
    /// Client registrations, by source address.
    Registration,
    /// Authorization requests, approvals and their way back, by source address.
    Authorization,
    /// Requests to the token and revocation endpoints, by source address.
    Token,
    /// Client secrets, codes and refresh tokens that were refused, by source address.
    TokenFailures,
    /// Public metadata, by source address.
    Metadata,
}

/// Whether there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Counted; so many are left.
    Admitted(u32),
    /// Over the limit; seconds to wait.
    Refused(u32),
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For debugging.
    Debug,
    /// Normal.
    Info,
    /// Worth a look.
    Warning,
    /// Something failed.
    Error,
}

/// Methods that tools use toward Gitea.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// What kind of body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`.
    Json,
    /// `text/plain`.
    Text,
    /// A compressed archive.
    Archive,
}

/// A request to Gitea below `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path template: `{name}` takes one segment, `{name...}` the rest of a path.
    pub template: &'static str,
    /// Values for the placeholders, in order, not encoded.
    pub segments: Vec<String>,
    /// Query, not encoded.
    pub query: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: Option<Vec<u8>>,
    /// Wanted body.
    pub accept: Media,
    /// Most bytes to read from the answer.
    pub max_bytes: u64,
}

/// Status and the headers that the host lets through, names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// HTTP status.
    pub status: u16,
    /// Allowed headers.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Why an exchange with Gitea failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The ticket was closed.
    TicketClosed,
    /// The host does not send such a request.
    Refused(String),
    /// Gitea could not be reached.
    Unreachable(String),
    /// No complete answer in time; for a write the effect is unknown.
    TimedOut,
    /// The answer is larger than asked for.
    TooLarge,
    /// The answer broke off.
    Broken(String),
    /// This user may not, or that could not be made sure; nothing was sent.
    NotPermitted(String),
    /// What this user granted in Gitea has ended.
    SignedOut,
}
