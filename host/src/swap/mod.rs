//! Replacing the guest while the server serves: tried aside first, put in force in one step, put back where it fails.
//!
//! One at a time. Whoever brings a component (an operator through the socket, a file that is watched, the registry's volume
//! at a start) comes this way, and what is refused leaves everything as it was. Nothing here decides what a guest may
//! do: that holds for every one of them alike.

mod guard;
mod kept;
mod record;
mod refused;
mod rehearsal;
mod restore;
mod signature;
mod watched;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use serde_json::{Map, Value, json};

use crate::audit::{Entry, Event};
use crate::component::{Guest, digest};
use crate::generation::{Force, Generation, Share};
use crate::guest::{Linked, NotReady};
use crate::mailbox::Topic;
use crate::ports::telemetry::cut;
use crate::serve::Server;
use crate::settings::Settings;

pub(crate) use guard::look;
pub(crate) use record::{History, Past, What};
use record::{Record, Step};
pub(crate) use refused::{Cause, Refused};
pub(crate) use restore::begin;
pub(crate) use signature::{MAX_SIGNATURE, Trusted};
pub(crate) use watched::attend;

/// Largest component that is taken, in bytes: some eight times the product's own.
pub(crate) const MAX_COMPONENT: u64 = 32 << 20;

/// What swaps rest on.
pub(crate) struct Swaps {
    settings: Arc<Settings>,
    /// Whoever tries a component that was offered.
    one: tokio::sync::Mutex<()>,
    record: Mutex<Record>,
}

/// A component that is to be put in force.
pub(crate) struct Offered {
    /// The component file.
    pub(crate) bytes: Vec<u8>,
    /// Its signature file, where there is one.
    pub(crate) signature: Option<String>,
}

/// Whose doing a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A command, by the user id that ran it.
    Operator(u32),
    /// The file that GUEST_WATCH_PATH names.
    File,
    /// The start of the server.
    Start,
    /// Requests that failed, these.
    Failures(Share),
}

impl By {
    /// As the log and the history say it.
    fn name(self) -> &'static str {
        match self {
            Self::Operator(_) => "operator",
            Self::File => "file",
            Self::Start => "start",
            Self::Failures(_) => "failures",
        }
    }

    fn uid(self) -> Option<u32> {
        if let Self::Operator(uid) = self { Some(uid) } else { None }
    }

    /// Add what is known of them to the detail of a line.
    fn tell(self, mut detail: Value) -> Value {
        let Some(members) = detail.as_object_mut() else { return detail };
        members.insert("by".to_owned(), self.name().into());
        match self {
            Self::Operator(uid) => {
                members.insert("peer_uid".to_owned(), uid.into());
            }
            Self::Failures(Share { begun, failed }) => {
                members.insert("requests".to_owned(), begun.into());
                members.insert("failed".to_owned(), failed.into());
            }
            Self::File | Self::Start => {}
        }
        detail
    }
}

/// What a change came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// Digest of the guest that was in force before.
    pub(crate) before: String,
    /// Digest of the one that is now.
    pub(crate) after: String,
    /// The number of its generation.
    pub(crate) generation: u64,
    /// Who signed it, where signatures are asked for.
    pub(crate) signer: Option<String>,
    /// Why a restart does not find it; none where it does.
    pub(crate) volatile: Option<String>,
}

impl Swaps {
    /// For a server whose own guest is in force now.
    pub(crate) fn new(settings: &Arc<Settings>, image: Arc<Linked>) -> Self {
        let storage = settings.dcr_storage_path();
        let folder = storage.parent().unwrap_or(Path::new(".")).join("guests");
        Self {
            settings: settings.clone(),
            one: tokio::sync::Mutex::default(),
            record: Mutex::new(Record::new(folder, image)),
        }
    }

    /// What was put in force since when, and where it is kept.
    pub(crate) fn history(&self, server: &Server) -> History {
        self.record().history(&server.shared.in_force.guest())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Put another component in force, or say why not.
///
/// # Errors
/// See [`Cause`]. The guest in force stays, and the refusal is on record.
pub(crate) async fn swap(server: &Weak<Server>, offered: Offered, by: By) -> Result<Done, Refused> {
    let digest = digest(&offered.bytes);
    let done = try_to_swap(server, offered, &digest, by).await;
    if let (Err(refused), Some(server)) = (&done, server.upgrade()) {
        tell_refused(&server, refused, &digest, by);
    }
    done
}

/// Refuse what is too large to be read; it is on record without a digest.
pub(crate) fn refuse_too_large(server: &Weak<Server>, by: By) -> Refused {
    let refused = Cause::TooLarge.because(format!("it is larger than {} MiB", MAX_COMPONENT >> 20));
    if let Some(server) = server.upgrade() {
        tell_refused(&server, &refused, "", by);
    }
    refused
}

async fn try_to_swap(server: &Weak<Server>, offered: Offered, digest: &str, by: By) -> Result<Done, Refused> {
    let (swaps, before, runtime) = {
        let server = server.upgrade().ok_or_else(Refused::stopping)?;
        let swaps = server.swaps.get().cloned().ok_or_else(Refused::stopping)?;
        (swaps, server.shared.in_force.guest(), server.shared.runtime.clone())
    };
    let Ok(_turn) = swaps.one.try_lock() else { return Err(Cause::UnderWay.because(refused::UNDER_WAY)) };
    let signer = swaps.signer(&offered)?;
    if before.digest() == digest {
        let (digest, generation) = (digest.to_owned(), before.number);
        let volatile = swaps.record().trouble();
        return Ok(Done { before: digest.clone(), after: digest, generation, signer, volatile });
    }
    // The server may end meanwhile: whoever compiles does not hold it.
    let engine = before.linked.engine.clone();
    let cache = swaps.settings.guest_cache_dir().map(Path::to_owned);
    let name = digest.to_owned();
    let (linked, offered) = runtime
        .spawn_blocking(move || (load(engine, &offered.bytes, name, cache.as_deref()), offered))
        .await
        .map_err(|_| Refused::stopping())?;
    let linked = Arc::new(linked?);
    let server = server.upgrade().ok_or_else(Refused::stopping)?;
    let switch = Switch { what: What::Swapped, by, signer, in_place_of: None };
    let mut done = put_in_force(&server, linked, switch).await?;
    done.volatile = swaps.write(&runtime, Some(offered)).await;
    Ok(done)
}

/// Put the guest in force that was before this one.
///
/// # Errors
/// See [`Cause`]; it stays as it is then, which is on record.
pub(crate) async fn roll_back(server: &Arc<Server>, by: By) -> Result<Done, Refused> {
    let guest = server.shared.in_force.guest();
    let done = replace(server, &guest, by).await;
    if let Err(refused) = &done {
        tell_refused(server, refused, guest.digest(), by);
    }
    done
}

/// Put the one before this guest in its place, if it is in force still. One that cannot come back is passed over: it is on
/// record, and the way down ends at the program's own guest, which is in memory.
async fn replace(server: &Arc<Server>, guest: &Generation, by: By) -> Result<Done, Refused> {
    let swaps = server.swaps.get().cloned().ok_or_else(Refused::stopping)?;
    loop {
        let below =
            swaps.record().below().ok_or_else(|| Cause::NothingBefore.because(refused::NOTHING_BEFORE))?;
        let digest = below.digest.clone();
        match come_back(server, &swaps, guest, below, by).await {
            Ok(mut done) => {
                done.volatile = swaps.write(&server.shared.runtime, None).await;
                return Ok(done);
            }
            Err(refused) => {
                let is_its_own = refused.cause.is_the_components();
                if !is_its_own || !swaps.record().pass_over(guest.digest(), &digest) {
                    return Err(refused);
                }
                tell_refused(server, &refused, &digest, by);
            }
        }
    }
}

/// Put a guest of before in place of this one.
async fn come_back(
    server: &Arc<Server>,
    swaps: &Arc<Swaps>,
    guest: &Generation,
    below: Step,
    by: By,
) -> Result<Done, Refused> {
    let (linked, signer) = swaps.fetch(guest, below, &server.shared.runtime).await?;
    let what = if matches!(by, By::Failures(_)) { What::GaveUp } else { What::RolledBack };
    let switch = Switch { what, by, signer, in_place_of: Some(guest.number) };
    put_in_force(server, linked, switch).await
}

/// How a guest comes to be in force.
struct Switch {
    what: What,
    by: By,
    signer: Option<String>,
    /// The number of the one that it replaces; none where it replaces whichever is there.
    in_place_of: Option<u64>,
}

/// Have a guest try itself, and put it in force with the policy of now. The line stands before those of the calls that it
/// answers.
async fn put_in_force(server: &Arc<Server>, linked: Arc<Linked>, switch: Switch) -> Result<Done, Refused> {
    let server = server.clone();
    // Guests have their own runtime.
    let runtime = server.shared.runtime.clone();
    runtime
        .spawn(async move { try_and_switch(&server, linked, switch).await })
        .await
        .map_err(|_| Refused::stopping())?
}

async fn try_and_switch(server: &Server, linked: Arc<Linked>, switch: Switch) -> Result<Done, Refused> {
    let shared = &server.shared;
    let swaps = server.swaps.get().ok_or_else(Refused::stopping)?;
    // A policy that is read again meanwhile comes before or after.
    let change = shared.in_force.change().await;
    let Force { policy, guest } = shared.in_force.now();
    if switch.in_place_of.is_some_and(|number| number != guest.number) {
        return Err(Cause::UnderWay.because("another guest was put in force meanwhile, and stays"));
    }
    let values: Vec<_> =
        shared.guest_values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let prepared = tokio::select! {
        biased;
        () = server.until_draining() => return Err(Refused::stopping()),
        rehearsed = rehearsal::rehearse(&swaps.settings, &linked, &values, &policy.document) => rehearsed?,
    };
    let Switch { what, by, signer, .. } = switch;
    let reason = what.reason();
    let after = linked.guest.digest.clone();
    let detail = json!({"before": guest.digest(), "after": after, "signer": signer});
    let line = entry(reason, (&after, &policy.digest), by.tell(detail));
    if what == What::Swapped {
        let written = shared.trail.append(line).await;
        written.map_err(|unavailable| {
            Cause::AuditUnavailable.because(format!("nothing was done: {unavailable}"))
        })?;
    } else {
        // What comes back is what was trusted before: that is done whatever becomes of the log.
        shared.trail.push(line);
    }
    let next = guest.followed_by(linked.clone());
    if what.takes_off() {
        // What comes back is not given up in its turn: it may be the last that there is.
        next.is_given_up.store(true, Ordering::Release);
    }
    let force = change.guest(next, prepared);
    // While nobody else can change the guest, so that the record has them in their order.
    swaps.record().note(what, guest.digest(), Step::new(linked, by, signer.clone()));
    shared.metrics.guest_swap(if what == What::GaveUp { "failed" } else { "done" });
    tracing::warn!(
        event = reason, by = by.name(), uid = by.uid(), before = guest.digest(), component = %after,
        generation = force.guest.number,
    );
    Topic::ALL.into_iter().for_each(|topic| shared.mailbox.announce(topic));
    let before = guest.digest().to_owned();
    Ok(Done { before, after, generation: force.guest.number, signer, volatile: None })
}

/// Compile and link a component that was never tried.
fn load(
    engine: wasmtime::Engine,
    bytes: &[u8],
    digest: String,
    cache: Option<&Path>,
) -> Result<Linked, Refused> {
    let component = crate::compiled::load_apart(&engine, bytes, &digest, cache).map_err(|error| {
        Cause::NotAComponent.because(format!("it is no component that this host can run: {error}"))
    })?;
    let guest = Guest::of(&engine, component, digest, bytes.len() as u64);
    if let Some(import) = guest.of_another_version() {
        let text = format!("it was made for another version of this host: it imports {import}");
        return Err(Cause::OtherVersion.because(text));
    }
    let forbidden = guest.forbidden();
    if !forbidden.is_empty() {
        let text = format!("it imports {}, which guests may not have", forbidden.join(", "));
        return Err(Cause::ForbiddenImport.because(text));
    }
    if !guest.answers() {
        return Err(Cause::NoHandler.because("it exports no HTTP handler that this host calls"));
    }
    Linked::of(engine, guest, &PathBuf::from("the component"))
        .map_err(|error: NotReady| Cause::OtherVersion.because(format!("it does not fit this host: {error}")))
}

impl Swaps {
    /// Who has signed a component; nobody where no signature is asked for.
    fn signer(&self, offered: &Offered) -> Result<Option<String>, Refused> {
        let Some(path) = self.settings.guest_trusted_keys() else { return Ok(None) };
        // Read anew each time: a key that was taken out counts no more from then on.
        let trusted = Trusted::read(path).map_err(|why| Cause::NoKeys.because(why))?;
        trusted.signer(&offered.bytes, offered.signature.as_deref()).map(Some)
    }

    /// The guest of a step below, from memory or from where it is kept.
    async fn fetch(
        &self,
        in_force: &Generation,
        step: Step,
        runtime: &tokio::runtime::Handle,
    ) -> Result<(Arc<Linked>, Option<String>), Refused> {
        if let Some(linked) = step.linked {
            return Ok((linked, step.signer));
        }
        let folder = self.record().folder().to_owned();
        let digest = step.digest.clone();
        let read = runtime.spawn_blocking(move || kept::component(&folder, &digest)).await;
        let offered = read.map_err(|_| Refused::stopping())?.map_err(|why| Cause::NotKept.because(why))?;
        let signer = self.signer(&offered)?;
        let (engine, digest) = (in_force.linked.engine.clone(), step.digest);
        let cache = self.settings.guest_cache_dir().map(Path::to_owned);
        let loaded =
            runtime.spawn_blocking(move || load(engine, &offered.bytes, digest, cache.as_deref())).await;
        Ok((Arc::new(loaded.map_err(|_| Refused::stopping())??), signer))
    }

    /// Keep what is in force, and the component where it is new; why a restart does not find it.
    async fn write(
        self: &Arc<Self>,
        runtime: &tokio::runtime::Handle,
        offered: Option<Offered>,
    ) -> Option<String> {
        let swaps = self.clone();
        let kept = runtime.spawn_blocking(move || {
            let mut record = swaps.record();
            record.write(offered);
            record.trouble()
        });
        kept.await.unwrap_or_else(|error| Some(error.to_string()))
    }
}

/// A component was not put in force: on record, in the log and counted.
fn tell_refused(server: &Server, refused: &Refused, offered: &str, by: By) {
    let shared = &server.shared;
    let force = shared.in_force.now();
    let Refused { cause, text } = refused;
    let detail = json!({"cause": cause.name(), "offered": offered, "problem": cut(text, 256)});
    let line = entry("guest_swap_refused", (force.guest.digest(), &force.policy.digest), by.tell(detail));
    shared.trail.push(line);
    shared.metrics.guest_swap("refused");
    tracing::error!(
        event = "guest_swap_refused",
        cause = cause.name(),
        by = by.name(),
        offered,
        problem = text,
        text = "the guest in force stays"
    );
}

/// A line about guests: `component` and `policy` are those in force from here on.
fn entry(reason: &str, (component, policy): (&str, &str), detail: Value) -> Entry {
    let members = [
        ("reason", reason.into()),
        ("component", cut(component, 16).into()),
        ("policy", cut(policy, 16).into()),
        ("detail", detail),
    ];
    let members: Map<String, Value> =
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entry { event: Event::SecurityEvent, members }
}
