//! How much and how long the registry remembers.

use std::time::Duration;

use crate::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest time between two notes that something was used.
const NOTE_EVERY: Duration = Duration::from_secs(60 * 60);

/// Bounds of a [`Registry`](super::Registry). All may be changed between two starts; a smaller bound counts
/// for what is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest life of a token family from its login on, however often it is refreshed.
    pub session_age: Duration,
    /// Longest pause between two uses of a token family. The last use is known to the hour, or to a quarter of
    /// this, whichever is shorter; so a family may be over by that much too early, never too late.
    pub session_idle: Duration,
    /// Most families of one user. The least recently used makes room, ended ones first.
    pub families_per_user: usize,
    /// Most families in all. The least recently used makes room.
    pub families: usize,
    /// Most remembered consents. The least recently used makes room.
    pub approvals: usize,
    /// Most remembered consents of one user. The least recently used makes room.
    pub approvals_per_user: usize,
    /// A consent not used for so long is asked for again.
    pub approval_idle: Duration,
    /// Most rows in the index of clients. The least recently used makes room; its id stays valid.
    pub clients: usize,
    /// A client not used for so long leaves the index; its id stays valid.
    pub client_idle: Duration,
    /// Most users that are known by login. The least recently seen makes room; nothing else of theirs changes.
    pub users: usize,
    /// Most refused clients. They are never forgotten to make room.
    pub refused_clients: usize,
    /// Most users of whom it is noted that they were revoked. They are never forgotten to make room.
    pub revoked_users: usize,
    /// Most authorization codes, used ones that are still watched for replays included.
    pub codes: usize,
    /// Most unused codes of one user. The one that expires first makes room.
    pub codes_per_user: usize,
    /// Most single use claims of one kind. None is forgotten before its time: when full, claims are refused.
    pub claims_per_kind: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            session_age: DAY * 90,
            session_idle: DAY * 30,
            families_per_user: 64,
            families: 65_536,
            approvals: 10_000,
            approvals_per_user: 64,
            approval_idle: DAY * 90,
            clients: 10_000,
            client_idle: DAY * 90,
            users: 65_536,
            refused_clients: 10_000,
            revoked_users: 10_000,
            codes: 4_096,
            codes_per_user: 16,
            claims_per_kind: 16_384,
        }
    }
}

/// How long ago `then` was; nothing if the clock stepped back behind it.
pub(super) fn elapsed(then: Timestamp, now: Timestamp) -> Duration {
    let millis = now.unix_millis().saturating_sub(then.unix_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The point in time so long after another.
pub(super) fn after(then: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(then.unix_millis().saturating_add(millis))
}

/// Whether a use now is worth a note when the last one was noted at `noted` and rows idle for `idle` go. Uses
/// come with every call, a note is a write to the disk.
pub(super) fn worth_a_note(noted: Timestamp, idle: Duration, now: Timestamp) -> bool {
    let passed = elapsed(noted, now);
    !passed.is_zero() && passed >= NOTE_EVERY.min(idle / 4)
}
