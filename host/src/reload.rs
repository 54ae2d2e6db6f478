//! At SIGHUP, and when its file changes: the policy document is read and checked again, and holds for whatever begins
//! from then on. A document with a mistake changes nothing. At SIGHUP the audit log also begins a new segment, and is signed
//! by the key that its file holds now. Nothing else is read again: other settings need a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Map, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::audit::signer::Signer;
use crate::audit::{Entry, Event};
use crate::component::bindings::aegis::gateway::types::Problem;
use crate::mailbox::Topic;
use crate::policy::{self, Policy};
use crate::ports::telemetry::cut;
use crate::serve::Server;
use crate::watch::{LOOK, Watch};

/// Most problems of a document that are told.
const MAX_TOLD: usize = 20;
/// How long reading and checking may take: a volume that hangs makes one reload fail, and not the next ones wait.
const PATIENCE: Duration = Duration::from_secs(10);

/// Take SIGHUP from now on, which would end the process otherwise.
///
/// # Errors
/// The process cannot install a handler.
pub(crate) fn hang_ups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Who wants the policy read again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// Somebody who sent the signal.
    Signal,
    /// A file that has changed.
    File,
}

impl By {
    /// As the audit log says it.
    fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::File => "file",
        }
    }
}

/// What is read again.
pub(crate) struct Read {
    /// `POLICY_FILE_PATH`.
    pub(crate) policy: Option<PathBuf>,
    /// The same where its changes are looked for.
    pub(crate) watched: Option<Watch>,
    /// The key that signs the audit log, as its file has it now; none where it has no file.
    pub(crate) signing_key: ReadKey,
}

/// Reads the signing key again, or says what is wrong with it.
pub(crate) type ReadKey = Arc<dyn Fn() -> Result<Option<Arc<Signer>>, String> + Send + Sync>;

/// Read again at each SIGHUP, and the policy whenever the file that is watched has changed, for as long as the server
/// lives. One after the other: the policy in force is the one that was read last.
pub(crate) fn attend(mut hang_ups: Signal, server: &Arc<Server>, read: Read) {
    let server = Arc::downgrade(server);
    let Read { policy: path, watched, signing_key } = read;
    let mut looks = watched.map(Looks::Between);
    let renewals = renew_when_asked(&server, signing_key);
    tokio::spawn(async move {
        while let Some(by) = next(&mut hang_ups, &mut looks).await {
            let Some(server) = server.upgrade() else { break };
            let path = path.clone();
            if by == By::Signal {
                renewals.notify_one();
            }
            // A guest checks the document, and guests have their own runtime.
            let reloading = server.shared.runtime.clone().spawn(async move {
                reload(&server, path.as_deref(), by).await;
                if by == By::Signal {
                    // Whoever asks for a reload may have changed who is trusted.
                    server.shared.mailbox.recheck.now();
                }
            });
            let _ = reloading.await;
        }
    });
}

/// The audit log is renewed in a task of its own, one time after the other: a volume that hangs must not keep the
/// policy waiting.
fn renew_when_asked(server: &Weak<Server>, signing_key: ReadKey) -> Arc<Notify> {
    let (asked, server) = (Arc::new(Notify::new()), Weak::clone(server));
    let renewals = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            renewals.notified().await;
            let Some(server) = server.upgrade() else { break };
            renew_the_log(&server, &signing_key).await;
        }
    });
    asked
}

/// A new segment, so that what is older can be moved or compressed, and the key that is in force by now.
async fn renew_the_log(server: &Server, signing_key: &ReadKey) {
    if let Err(unavailable) = server.shared.trail.rotate().await {
        tracing::error!(event = "audit_not_rotated", error = %unavailable);
    }
    let signing_key = Arc::clone(signing_key);
    let read = tokio::task::spawn_blocking(move || signing_key()).await;
    let used = match read.map_err(|error| error.to_string()).flatten() {
        Ok(Some(signer)) => server.shared.trail.use_key(signer).await.map_err(|error| error.to_string()),
        Ok(None) => Ok(()),
        Err(text) => Err(text),
    };
    if let Err(error) = used {
        tracing::error!(event = "audit_key_not_reloaded", error, "the key from before goes on signing");
    }
}

/// Looks at the file that is watched, one after the other.
enum Looks {
    /// The next one is due in a while.
    Between(Watch),
    /// One is under way, in a thread of its own: a volume that hangs must not hold up whoever answers requests, nor
    /// whoever sends the signal.
    Under(JoinHandle<(bool, Watch)>),
    /// There are none any more.
    Over,
}

impl Looks {
    /// Wait until the file has changed. Whoever stops waiting loses no look.
    async fn change(&mut self) {
        loop {
            match self {
                Self::Between(_) => {
                    tokio::time::sleep(LOOK).await;
                    if let Self::Between(mut watch) = std::mem::replace(self, Self::Over) {
                        *self = Self::Under(tokio::task::spawn_blocking(move || (watch.look(), watch)));
                    }
                }
                Self::Under(look) => match look.await {
                    Ok((has_changed, watch)) => {
                        *self = Self::Between(watch);
                        if has_changed {
                            return;
                        }
                    }
                    // The look cannot fail; were it ever to, the signal is left.
                    Err(_) => *self = Self::Over,
                },
                Self::Over => std::future::pending().await,
            }
        }
    }
}

/// Wait until the policy is to be read again; none where nobody can ask any more.
async fn next(hang_ups: &mut Signal, looks: &mut Option<Looks>) -> Option<By> {
    let Some(looks) = looks else { return hang_ups.recv().await.map(|()| By::Signal) };
    tokio::select! {
        biased;
        asked = hang_ups.recv() => asked.map(|()| By::Signal),
        () = looks.change() => Some(By::File),
    }
}

/// What reading and checking gives, where it comes in time.
async fn in_time<T>(
    patience: Duration,
    checking: impl Future<Output = Result<T, Vec<String>>>,
) -> Result<T, Vec<String>> {
    let late =
        |_| Err(vec![format!("the policy was not read and checked within {} seconds", patience.as_secs())]);
    tokio::time::timeout(patience, checking).await.unwrap_or_else(late)
}

async fn reload(server: &Server, path: Option<&Path>, by: By) {
    let Some(path) = path else {
        tracing::info!(
            event = "policy_not_reloaded",
            text =
                "POLICY_FILE_PATH is empty, so the built-in policy holds and there is nothing to read again"
        );
        return;
    };
    // Whoever swaps the guest meanwhile comes before or after.
    let change = server.shared.in_force.change().await;
    let before = server.shared.in_force.policy();
    match in_time(PATIENCE, checked(server, path, &before)).await {
        Ok(None) if by == By::Signal => {
            tracing::info!(event = "policy_unchanged", policy = %before.digest, path = %path.display());
        }
        // The file was touched, or is the one that the start has read.
        Ok(None) => {}
        Ok(Some(policy)) => {
            let told = json!({"before": before.digest, "after": policy.digest, "by": by.name()});
            tell(server, "policy_reloaded", &policy.digest, told);
            tracing::info!(event = "policy_reloaded", by = by.name(), before = %before.digest, policy = %policy.digest);
            // The line stands before those of the calls that it decides: the trail keeps the order.
            change.policy(policy);
            server.shared.metrics.policy_reload("done");
            Topic::ALL.into_iter().for_each(|topic| server.shared.mailbox.announce(topic));
        }
        Err(problems) => {
            for problem in problems.iter().take(MAX_TOLD) {
                tracing::error!(
                    event = "policy_reload_failed",
                    problem,
                    text = "the policy from before stays in force"
                );
            }
            let first = problems.first().map_or("", String::as_str);
            let told = json!({
                "in_force": before.digest, "problem": cut(first, 256), "problems": problems.len(), "by": by.name(),
            });
            tell(server, "policy_reload_failed", &before.digest, told);
            server.shared.metrics.policy_reload("failed");
        }
    }
}

/// The document in prepared form, checked by the guest with the settings in force; none where it is the one in force.
async fn checked(server: &Server, path: &Path, before: &Policy) -> Result<Option<Policy>, Vec<String>> {
    let (name, file) = (path.display().to_string(), path.to_owned());
    // A volume that hangs must not hold up whoever runs guests.
    let read = tokio::task::spawn_blocking(move || policy::read(Some(&file))).await;
    let document = match read {
        Ok(Ok(document)) => document,
        Ok(Err(error)) => return Err(vec![format!("{name} cannot be read: {error}")]),
        Err(error) => return Err(vec![format!("{name} cannot be read: {error}")]),
    };
    let digest = policy::digest(&document);
    if digest == before.digest {
        return Ok(None);
    }
    let shared = &server.shared;
    let values: Vec<_> =
        shared.guest_values.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let answer = shared.in_force.guest().linked.preflight(shared, &document, &values).await;
    match answer.map_err(|error| vec![error.to_string()])? {
        Ok(entries) => Ok(Some(Policy::of(&document, entries))),
        Err(problems) => Err(problems.iter().map(|problem| problem.told(&name)).collect()),
    }
}

impl Problem {
    /// For people: where, and what. `document` names the policy document.
    pub(crate) fn told(&self, document: &str) -> String {
        match self.source.as_str() {
            "policy" => format!("{document}:{}:{}: {}", self.line, self.column, self.message),
            setting => format!("{setting} {}", self.message),
        }
    }
}

/// One line in the audit log. `in_force` is the digest of the policy that holds from here on.
fn tell(server: &Server, reason: &str, in_force: &str, detail: serde_json::Value) {
    let mut members = Map::new();
    members.insert("reason".into(), reason.into());
    members.insert("component".into(), cut(server.shared.in_force.guest().digest(), 16).into());
    members.insert("policy".into(), cut(in_force, 16).into());
    members.insert("detail".into(), detail);
    server.shared.trail.push(Entry { event: Event::SecurityEvent, members });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_come_in_time_is_a_failure_and_the_next_goes_on() {
        let hangs = std::future::pending::<Result<(), Vec<String>>>();
        let late = in_time(Duration::ZERO, hangs).await.unwrap_err();
        assert!(late[0].contains("was not read and checked within"), "{late:?}");
        assert_eq!(in_time(PATIENCE, async { Ok(1) }).await, Ok(1));
    }

    #[tokio::test]
    async fn a_look_that_hangs_does_not_keep_the_signal_waiting() {
        let mut hang_ups = signal(SignalKind::user_defined2()).unwrap();
        let (end, hangs) = std::sync::mpsc::channel::<()>();
        let watch = Watch::new(Path::new("/nowhere"));
        let look = tokio::task::spawn_blocking(move || {
            let _ = hangs.recv();
            (true, watch)
        });
        let mut looks = Some(Looks::Under(look));
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::USR2).unwrap();
        assert!(next(&mut hang_ups, &mut looks).await == Some(By::Signal));
        // The look that was under way still counts.
        drop(end);
        assert!(next(&mut hang_ups, &mut looks).await == Some(By::File));
    }
}
