//! Single use of things that carry their own proof: states, consent forms, webhook deliveries.
//!
//! Never forgotten before their time. The native host keeps them in memory alone, so a restart is the only way to present
//! one again there; whoever makes such things lets them expire, and binds them to more than this.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Registry;
use super::bounds::after;
use crate::Timestamp;

/// Longest time for which a claim is remembered: as long as webhook deliveries are.
pub const CLAIM_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What is claimed. Kinds do not share room, so that filling one does not close another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimKind {
    /// The `state` of a login at Gitea.
    State,
    /// A consent form.
    Consent,
    /// A confirmation of a tool call.
    Confirmation,
    /// A webhook delivery.
    Delivery,
    /// The renewal of one state of a grant at Gitea, where instances share the grant and not a lock.
    Renewal,
}

impl ClaimKind {
    /// Every kind.
    pub(super) const ALL: [Self; 5] =
        [Self::State, Self::Consent, Self::Confirmation, Self::Delivery, Self::Renewal];

    /// The kind's stable letter in a file.
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::State => b's',
            Self::Consent => b'c',
            Self::Confirmation => b'f',
            Self::Delivery => b'd',
            Self::Renewal => b'r',
        }
    }
}

/// The answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is yours, and nobody else's.
    Won,
    /// It was claimed before, or its time is over.
    Lost,
    /// There is no room to remember it, so it is not given.
    Full,
}

impl Claim {
    /// Whether the claim was given.
    #[must_use]
    pub fn won(self) -> bool {
        self == Self::Won
    }
}

/// The claims of all kinds.
#[derive(Default)]
pub(super) struct Claims {
    kinds: BTreeMap<ClaimKind, Kind>,
}

#[derive(Default)]
struct Kind {
    until: BTreeMap<[u8; 32], Timestamp>,
    by_end: BTreeSet<(Timestamp, [u8; 32])>,
}

impl Kind {
    fn put(&mut self, id: [u8; 32], until: Timestamp) {
        if let Some(before) = self.until.insert(id, until) {
            self.by_end.remove(&(before, id));
        }
        self.by_end.insert((until, id));
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((until, id)) = self.by_end.first().copied()
            && until < now
        {
            self.by_end.remove(&(until, id));
            self.until.remove(&id);
        }
    }
}

impl Claims {
    pub(super) fn len(&self) -> usize {
        self.kinds.values().map(|kind| kind.until.len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ClaimKind, &[u8; 32], Timestamp)> {
        self.kinds.iter().flat_map(|(name, kind)| kind.until.iter().map(|(id, until)| (*name, id, *until)))
    }

    pub(super) fn put(&mut self, kind: ClaimKind, id: [u8; 32], until: Timestamp) {
        self.kinds.entry(kind).or_default().put(id, until);
    }

    fn remove(&mut self, kind: ClaimKind, id: &[u8; 32]) {
        let Some(claims) = self.kinds.get_mut(&kind) else { return };
        if let Some(until) = claims.until.remove(id) {
            claims.by_end.remove(&(until, *id));
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        for kind in self.kinds.values_mut() {
            kind.expire(now);
        }
    }
}

impl Registry {
    /// Claim something for oneself, exactly once until the given time. Times more than [`CLAIM_LIFE`] ahead
    /// are refused, since no room is given for so long.
    pub fn claim(&mut self, kind: ClaimKind, id: [u8; 32], until: Timestamp, now: Timestamp) -> Claim {
        if until < now || until > after(now, CLAIM_LIFE) {
            return Claim::Lost;
        }
        let most = self.bounds.claims_per_kind;
        let claims = self.claims.kinds.entry(kind).or_default();
        claims.expire(now);
        if claims.until.contains_key(&id) {
            return Claim::Lost;
        }
        if claims.until.len() >= most {
            return Claim::Full;
        }
        claims.put(id, until);
        Claim::Won
    }
    /// Give back the claim to a renewal that came to nothing, so that the next one need not wait until it is over. No
    /// other claim is ever given back.
    pub fn renewal_failed(&mut self, id: &[u8; 32]) {
        self.claims.remove(ClaimKind::Renewal, id);
    }
}
