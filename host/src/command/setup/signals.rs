//! SIGINT, SIGTERM and SIGHUP while something is under way that must be finished or taken back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use super::ask::say;

/// From the making of this on, the three signals end nothing any more: the first is told to the person and noted.
pub(super) struct Held(Arc<AtomicBool>);

impl Held {
    /// Hold them back, until the process ends.
    pub(super) fn signals() -> Self {
        let noted = Arc::new(AtomicBool::new(false));
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            // One that cannot be caught does what it always did.
            let Ok(mut signals) = signal(kind) else { continue };
            let noted = noted.clone();
            tokio::spawn(async move {
                if signals.recv().await.is_some() && !noted.swap(true, Ordering::Relaxed) {
                    say("\nEnding, as soon as what was begun is written or taken back.");
                }
            });
        }
        Self(noted)
    }

    /// Whether there was one.
    pub(super) fn back(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
