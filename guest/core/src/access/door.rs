//! The doors to Gitea. A [`Reader`] can only GET; a [`Writer`] can also send the fixed writes, once each.

use core::cell::Cell;

use aegis_policy::Rules;
use serde_json::Value;

use super::{Permit, has_path_rules, lists, names_owner, seen_as};
use crate::client::Client;
use crate::gitea::{self, Answer, Call, Error, Started, Write};
use crate::ports::{Cache, Class, Clock, Level, Limits, Settings, Slot, Telemetry, Ticket};
use crate::settings::Config;

/// What a door needs besides the ticket.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Where the prepared policy is.
    pub settings: &'a dyn Settings,
    /// The caller's small cache.
    pub cache: &'a dyn Cache,
    /// Where room for long work comes from.
    pub limits: &'a dyn Limits,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Who waits for the answer.
    pub client: &'a dyn Client,
    /// The log.
    pub telemetry: &'a dyn Telemetry,
    /// The settings in force.
    pub config: &'a Config,
    /// The Gitea login of the caller, where it is known.
    pub login: Option<&'a str>,
    /// The caller asked for the one item that this call is about, though LOCKDOWN would withhold it.
    pub show_withheld: bool,
}

/// The door that a permit opens.
pub enum Door<'a> {
    /// For a read tool.
    Read(Reader<'a>),
    /// For a write tool.
    Write(Writer<'a>),
}

/// Reads from Gitea within one audited call. It cannot write:
///
/// ```compile_fail,E0599
/// fn write(reader: &aegis_core::access::Reader<'_>) {
///     reader.send(aegis_core::gitea::CREATE_ISSUE, Vec::new(), &serde_json::Value::Null);
/// }
/// ```
///
/// and nobody can make one without a permit and a ticket:
///
/// ```compile_fail,E0451
/// fn forge<'a>(other: aegis_core::access::Reader<'a>) -> aegis_core::access::Writer<'a> {
///     aegis_core::access::Writer { reader: other }
/// }
/// ```
// INVARIANT: made only by `open`, from a permit and a ticket.
pub struct Reader<'a> {
    ticket: &'a dyn Ticket,
    ground: Ground<'a>,
    rules: Rules,
    /// Steps that the client was told of.
    steps: Cell<u32>,
}

/// Reads and writes within one audited call.
// INVARIANT: made only by `open`, from a permit for a write and a ticket.
pub struct Writer<'a> {
    reader: Reader<'a>,
}

pub(super) fn open<'a>(permit: Permit, ticket: &'a dyn Ticket, ground: Ground<'a>) -> Door<'a> {
    let reader = Reader { ticket, ground, rules: permit.rules, steps: Cell::new(0) };
    match permit.class {
        Class::Read => Door::Read(reader),
        Class::Write => Door::Write(Writer { reader }),
    }
}

impl Reader<'_> {
    /// Read and wait for the answer.
    ///
    /// # Errors
    /// Gitea gave no success.
    pub fn get(&self, call: Call) -> Result<Answer, Error> {
        self.start(call)?.finish()
    }

    /// Start a read, to wait for it later.
    ///
    /// # Errors
    /// The host did not send it.
    pub fn start(&self, call: Call) -> Result<Started, Error> {
        self.step("asking Gitea");
        self.ground.client.log(Level::Debug, &format!("GET {}", call.template()));
        gitea::get(self.ticket, call)
    }

    /// Tell the log, where somebody looks for a fault; never what came from Gitea itself.
    pub fn debug(&self, event: &str, context: &[(&str, &str)]) {
        if self.ground.config.diagnose {
            self.ground.telemetry.log(Level::Debug, event, context);
        }
    }

    /// Tell the client what happens next, as one more step of how many nobody knows.
    pub fn step(&self, what: &str) {
        self.ground.client.progress(self.steps.get(), None, what);
        self.steps.set(self.steps.get().saturating_add(1));
    }

    /// Who waits for the answer.
    #[must_use]
    pub fn client(&self) -> &dyn Client {
        self.ground.client
    }

    /// Whether the policy shows a path of the repository that this call is about, as it is spelled and as a reader
    /// sees it: an invisible character makes another path for Git and the same one for people.
    #[must_use]
    pub fn path_visible(&self, path: &str, is_directory: bool) -> bool {
        self.rules.path_visible(path, is_directory)
            && seen_as(path).is_none_or(|plain| self.rules.path_visible(&plain, is_directory))
    }

    /// Whether the policy has path rules for the repository that this call is about. If not, everything in it that Git
    /// would name is shown.
    #[must_use]
    pub fn has_path_rules(&self) -> bool {
        self.rules.has_path_rules()
    }

    /// The same for any repository.
    #[must_use]
    pub fn has_path_rules_for(&self, owner: &str, repo: &str) -> bool {
        has_path_rules(self.ground.settings, owner, repo)
    }

    /// Whether a list may name an owner: not where the policy hides every repository of theirs.
    #[must_use]
    pub fn owner_listed(&self, owner: &str) -> bool {
        names_owner(self.ground.settings, owner)
    }

    /// Whether the policy lists a repository.
    #[must_use]
    pub fn repository_listed(&self, owner: &str, repo: &str) -> bool {
        lists(self.ground.settings, owner, repo)
    }

    /// The settings in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.ground.config
    }

    /// The Gitea login of the caller, where it is known.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.ground.login
    }

    /// Whether the caller asked for the one item that this call is about, though LOCKDOWN would withhold it.
    #[must_use]
    pub fn show_withheld(&self) -> bool {
        self.ground.show_withheld
    }

    /// SHA-256 of the policy document in force, in hex.
    #[must_use]
    pub fn policy_digest(&self) -> String {
        self.ground.settings.policy_digest()
    }

    /// Room for work that takes long.
    ///
    /// # Errors
    /// There is none now; seconds to wait.
    pub fn long_work(&self) -> Result<Box<dyn Slot>, u32> {
        self.ground.limits.long_work()
    }

    /// Microseconds on a clock that only moves forward.
    #[must_use]
    pub fn microseconds(&self) -> u64 {
        self.ground.clock.monotonic_microseconds()
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.ground.clock.unix_seconds()
    }

    /// A value that this caller was told a moment ago.
    #[must_use]
    pub fn recalled(&self, space: &str, key: &str) -> Option<String> {
        String::from_utf8(self.ground.cache.get(space, key)?).ok()
    }

    /// Keep a value for this caller for some seconds.
    pub fn remember(&self, space: &str, key: &str, value: &str, seconds: u32) {
        self.ground.cache.put(space, key, value.as_bytes(), seconds);
    }
}

impl<'a> Writer<'a> {
    /// The reading half.
    #[must_use]
    pub fn reader(&self) -> &Reader<'a> {
        &self.reader
    }

    /// Send a write, once, and wait for the answer. It is never sent again: whoever does not know whether it
    /// happened has to look.
    ///
    /// # Errors
    /// Gitea refused it, or its effect is not known.
    pub fn send(&self, row: &'static Write, segments: Vec<String>, body: &Value) -> Result<Answer, Error> {
        gitea::write(self.reader.ticket, row, segments, body)?.finish()
    }
}
