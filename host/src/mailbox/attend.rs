//! A kept stream while it is open: its connection takes what waits, and an attendant breaks the silence, proves the
//! credential again, and ends the connection of a client that takes neither events nor the end.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::Recheck;
use super::streams::{Attended, Ended, Kept};
use crate::settings::Secret;
use crate::shared::Shared;

/// How long a client may take to read the end of its stream, before the connection is closed.
const GRACE: Duration = Duration::from_secs(5);
/// How long Gitea's word on somebody's groups counts: as long as that on a token (`upstream::bearer`).
const FRESH: Duration = Duration::from_secs(60);

/// A stream that is to be kept when its instance has ended.
pub(crate) struct Keep {
    kept: Kept,
    /// What opened it; nothing where nobody has to prove anything.
    credential: Option<Arc<Secret>>,
    again: watch::Receiver<()>,
    /// Ends the connection.
    hang_up: Arc<Notify>,
}

/// Where a request leaves its stream for the answer to find.
pub(crate) type KeepSlot = Arc<Mutex<Option<Keep>>>;

impl Keep {
    /// `credential` is what the caller presented; `hang_up` ends the connection that the answer goes over.
    pub(crate) fn new(
        kept: Kept,
        credential: Option<Arc<Secret>>,
        recheck: &Recheck,
        hang_up: Arc<Notify>,
    ) -> Self {
        Self { kept, credential, again: recheck.watched(), hang_up }
    }

    /// The guest has said what it had to say: the connection goes on with what waits.
    pub(crate) fn open(self, shared: &Arc<Shared>) -> Open {
        let Self { kept, credential, again, hang_up } = self;
        let attendant = kept.begin(Instant::now()).map(|attended| {
            let name = kept.name().to_owned();
            let attendant = Attendant { name, attended, credential, again, hang_up, shared: shared.clone() };
            // On the runtime of the guests, where connections to Gitea live.
            shared.runtime.spawn(attendant.attend()).abort_handle()
        });
        Open { kept, attendant }
    }
}

/// A kept stream and its attendant; dropped, both are over.
pub(crate) struct Open {
    kept: Kept,
    attendant: Option<AbortHandle>,
}

impl Open {
    /// The next event, or none at the end.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        self.kept.poll_next(context)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(attendant) = &self.attendant {
            attendant.abort();
        }
    }
}

struct Attendant {
    name: String,
    attended: Attended,
    credential: Option<Arc<Secret>>,
    again: watch::Receiver<()>,
    hang_up: Arc<Notify>,
    shared: Arc<Shared>,
}

impl Attendant {
    async fn attend(mut self) {
        let every = self.shared.mailbox.every;
        // At once: something may have been revoked since the request was admitted.
        let mut prove_at = Instant::now();
        loop {
            if Instant::now() >= prove_at {
                if let Err(why) = self.prove().await {
                    self.shared.mailbox.streams.end(&self.name, why);
                }
                prove_at = Instant::now() + every;
            }
            let streams = &self.shared.mailbox.streams;
            let Some(look_at) = streams.keep_alive(&self.name, every, Instant::now()) else { break };
            tokio::select! {
                () = tokio::time::sleep_until(look_at.min(prove_at)) => {}
                () = self.attended.ended.notified() => {}
                told = self.again.changed() => match told {
                    Ok(()) => prove_at = Instant::now(),
                    // Nobody could tell of a revocation any more.
                    Err(_) => streams.end(&self.name, Ended::NotKnown),
                },
            }
        }
        // A client that reads has seen the end by now, and this task is gone with the stream.
        tokio::time::sleep(GRACE).await;
        self.hang_up.notify_one();
    }

    /// Whether what opened the stream is good now.
    async fn prove(&self) -> Result<(), Ended> {
        let Attended { owner, turn, .. } = &self.attended;
        let credential = self.credential.as_deref();
        match &self.shared.sign_in {
            Some(sign_in) => {
                let token = credential.ok_or(Ended::NotGood)?;
                let digest: [u8; 32] = Sha256::digest(token.expose().as_bytes()).into();
                let mut asked = turn.lock().await;
                let is_fresh = asked.is_some_and(|(of, at)| of == digest && at.elapsed() < FRESH);
                sign_in.still_proves(token, owner, is_fresh).await?;
                if !is_fresh {
                    *asked = Some((digest, Instant::now()));
                }
                Ok(())
            }
            None if self.shared.keys.still_proves(credential, &owner.subject) => Ok(()),
            None => Err(Ended::NotGood),
        }
    }
}
