//! The guest in force and the policy that it has prepared, switched together. A request takes both once, when it begins,
//! and keeps them to its end: so what one guest has prepared is never read by another, and a guest that was replaced goes
//! when its last request does.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::guest::Linked;
use crate::policy::Policy;

/// A guest while it is in force, and for as long as a request of that time goes on. One that comes back is another.
pub(crate) struct Generation {
    /// Counts from 1 at the start of the process.
    pub(crate) number: u64,
    /// Its code.
    pub(crate) linked: Arc<Linked>,
    /// When it was put in force.
    pub(crate) since: Instant,
    /// How its requests went.
    pub(crate) tally: Tally,
    /// How those of the guest before it had gone by then.
    pub(crate) before: Share,
    /// Somebody sees to it that it goes.
    pub(crate) is_given_up: AtomicBool,
}

impl Generation {
    /// The first one of this process.
    pub(crate) fn first(linked: Arc<Linked>) -> Self {
        Self {
            number: 1,
            linked,
            since: Instant::now(),
            tally: Tally::default(),
            before: Share::default(),
            is_given_up: AtomicBool::new(false),
        }
    }

    /// The one after this, in force from now on.
    pub(crate) fn followed_by(&self, linked: Arc<Linked>) -> Self {
        Self { number: self.number.saturating_add(1), before: self.tally.share(), ..Self::first(linked) }
    }

    /// SHA-256 of the component, in hex.
    pub(crate) fn digest(&self) -> &str {
        &self.linked.guest.digest
    }
}

/// How many requests a guest has had, and how many of them failed for its own fault.
#[derive(Default)]
pub(crate) struct Tally {
    begun: AtomicU64,
    failed: AtomicU64,
}

/// The two at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Requests that a guest was given.
    pub(crate) begun: u64,
    /// Those of them that failed for its own fault.
    pub(crate) failed: u64,
}

impl Tally {
    /// A guest is given a request.
    pub(crate) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has failed for the guest's own fault.
    pub(crate) fn fail(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Both counts as they are now.
    pub(crate) fn share(&self) -> Share {
        Share { failed: self.failed.load(Ordering::Relaxed), begun: self.begun.load(Ordering::Relaxed) }
    }
}

/// A guest and the policy that it has prepared.
#[derive(Clone)]
pub(crate) struct Force {
    /// The policy in the form of this very guest.
    pub(crate) policy: Arc<Policy>,
    /// The guest.
    pub(crate) guest: Arc<Generation>,
}

/// What is in force.
pub(crate) struct InForce {
    force: RwLock<Force>,
    changing: Mutex<()>,
}

impl InForce {
    /// This guest and this policy.
    pub(crate) fn new(guest: Generation, policy: Policy) -> Self {
        let force = Force { policy: Arc::new(policy), guest: Arc::new(guest) };
        Self { force: RwLock::new(force), changing: Mutex::new(()) }
    }

    /// Both, of whatever begins now.
    pub(crate) fn now(&self) -> Force {
        self.force.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The policy alone.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.now().policy
    }

    /// The guest alone.
    pub(crate) fn guest(&self) -> Arc<Generation> {
        self.now().guest
    }

    /// Whoever prepares a change holds this until it is made: a policy is prepared by the guest that it will be used by.
    pub(crate) async fn change(&self) -> Change<'_> {
        Change { of: self, _turn: self.changing.lock().await }
    }
}

/// The right to change what is in force.
pub(crate) struct Change<'a> {
    of: &'a InForce,
    _turn: MutexGuard<'a, ()>,
}

impl Change<'_> {
    /// This policy from now on, which the guest in force has prepared.
    pub(crate) fn policy(&self, policy: Policy) {
        self.of.force.write().unwrap_or_else(PoisonError::into_inner).policy = Arc::new(policy);
    }

    /// This guest from now on, with the policy as it has prepared it.
    pub(crate) fn guest(&self, guest: Generation, policy: Policy) -> Force {
        let force = Force { policy: Arc::new(policy), guest: Arc::new(guest) };
        self.of.force.write().unwrap_or_else(PoisonError::into_inner).clone_from(&force);
        force
    }
}
