//! Authorization codes: used once, watched for replays, kept in memory alone.
//!
//! A restart forgets them and logins under way start again. Codes are known by their SHA-256 only; where one
//! was wrong is told to the audit log, the client hears `invalid_grant` (RFC 6749 section 5.2) of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Registry;
use super::bounds::{Bounds, after};
use super::rows::Change;
use super::terms::{Application, End, FamilyId, Refused, Scopes, Text, UserId};
use crate::Timestamp;

/// Longest life of a code. RFC 6749 section 4.1.2 allows ten minutes; a client that works needs seconds.
pub const CODE_LIFE: Duration = Duration::from_secs(60);

/// How long a used code is watched: presented again, it ends the family that was issued from it.
pub const REPLAY_WATCH: Duration = Duration::from_secs(600);

/// Most used codes of one user that are watched, as a multiple of the unused ones. It keeps one user from
/// pushing the used codes of others out.
const WATCHED_PER_UNUSED: usize = 4;

/// SHA-256 of an authorization code.
pub type CodeHash = [u8; 32];

/// What an authorization code was issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The client that asked for it.
    pub client: String,
    /// Where the browser was sent with it.
    pub redirect_uri: String,
    /// The S256 challenge of RFC 7636, as the client sent it.
    pub challenge: String,
    /// The user who signed in.
    pub user: UserId,
    /// The user's login.
    pub login: String,
    /// What the tokens issued from it may do.
    pub scopes: Scopes,
    /// The application at Gitea that the login went through.
    pub application: Application,
    /// When it is over: at most [`CODE_LIFE`] from now, later times are brought forward.
    pub expires_at: Timestamp,
}

/// A request to redeem a code.
#[derive(Clone, Copy, Debug)]
pub struct PresentedCode<'a> {
    /// The client that presents it, authenticated as far as it can be.
    pub client: &'a str,
    /// Its `redirect_uri`.
    pub redirect_uri: &'a str,
    /// The S256 challenge computed from its `code_verifier`.
    pub challenge: &'a str,
}

/// Why a code is not redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCode {
    /// Never issued here, or forgotten.
    Unknown,
    /// Older than its life.
    Expired,
    /// Issued to another client; it is burnt.
    OtherClient,
    /// Issued to another redirect URI; it is burnt.
    OtherRedirect,
    /// The verifier does not belong to the challenge; it is burnt.
    WrongVerifier,
    /// Burnt before.
    Burnt,
    /// Redeemed before; the family that was issued from it has ended.
    Replayed,
}

impl BadCode {
    /// The reason's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "code_unknown",
            Self::Expired => "code_expired",
            Self::OtherClient => "other_client",
            Self::OtherRedirect => "other_redirect",
            Self::WrongVerifier => "wrong_verifier",
            Self::Burnt => "code_burnt",
            Self::Replayed => "code_replayed",
        }
    }
}

pub(super) enum State {
    Unused(Code),
    Burnt,
    /// Redeemed; `replayed` if it came again before its family was known.
    Used {
        family: Option<FamilyId>,
        replayed: bool,
    },
}

pub(super) struct Entry {
    pub(super) user: UserId,
    pub(super) state: State,
    /// When an unused code expires, or a used one is watched no longer.
    pub(super) until: Timestamp,
}

impl Entry {
    fn unused(&self) -> bool {
        matches!(self.state, State::Unused(_))
    }
}

/// All codes that are unused or watched.
#[derive(Default)]
pub(super) struct Codes {
    entries: BTreeMap<CodeHash, Entry>,
    /// Used ones (false) and unused ones (true), in the order in which they are over.
    by_end: BTreeSet<(bool, Timestamp, CodeHash)>,
    by_user: BTreeSet<(UserId, bool, Timestamp, CodeHash)>,
}

impl Codes {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&CodeHash, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn put(&mut self, hash: CodeHash, entry: Entry) {
        self.remove(&hash);
        self.by_end.insert((entry.unused(), entry.until, hash));
        self.by_user.insert((entry.user, entry.unused(), entry.until, hash));
        self.entries.insert(hash, entry);
    }

    fn remove(&mut self, hash: &CodeHash) -> Option<Entry> {
        let entry = self.entries.remove(hash)?;
        self.by_end.remove(&(entry.unused(), entry.until, *hash));
        self.by_user.remove(&(entry.user, entry.unused(), entry.until, *hash));
        Some(entry)
    }

    /// The user's codes of one sort, the first to be over at the front.
    fn of_user(&self, user: UserId, unused: bool) -> Vec<CodeHash> {
        let first = (user, unused, Timestamp::from_unix_millis(0), CodeHash::default());
        let theirs =
            self.by_user.range(first..).take_while(|(owner, sort, ..)| (*owner, *sort) == (user, unused));
        theirs.map(|(.., hash)| *hash).collect()
    }

    /// The first of one sort to be over.
    fn first(&self, unused: bool) -> Option<(Timestamp, CodeHash)> {
        let mut of_sort = self.by_end.range((unused, Timestamp::from_unix_millis(0), CodeHash::default())..);
        of_sort.next().filter(|(sort, ..)| *sort == unused).map(|(_, until, hash)| (*until, *hash))
    }

    /// Forget what is over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        for unused in [false, true] {
            while let Some((until, hash)) = self.first(unused)
                && until < now
            {
                self.remove(&hash);
            }
        }
    }

    /// Make room for one more of this user; false if there is none.
    fn make_room(&mut self, user: UserId, bounds: &Bounds, now: Timestamp) -> bool {
        self.expire(now);
        let most = bounds.codes_per_user.max(1);
        let theirs = self.of_user(user, true);
        for hash in theirs.iter().take((theirs.len() + 1).saturating_sub(most)) {
            self.remove(hash);
        }
        while self.entries.len() >= bounds.codes.max(1) {
            // A used code can only be replayed; an unused one is a person in the middle of a login.
            let victim = self.first(false).map(|(_, hash)| hash);
            let Some(victim) = victim.or_else(|| self.of_user(user, true).first().copied()) else {
                return false;
            };
            self.remove(&victim);
        }
        true
    }

    /// Note what became of an unused code.
    fn spend(&mut self, hash: CodeHash, user: UserId, state: State, bounds: &Bounds, now: Timestamp) {
        self.put(hash, Entry { user, state, until: after(now, REPLAY_WATCH) });
        let watched = self.of_user(user, false);
        let most = bounds.codes_per_user.max(1).saturating_mul(WATCHED_PER_UNUSED);
        for hash in watched.iter().take(watched.len().saturating_sub(most)) {
            self.remove(hash);
        }
    }

    /// Forget every unused code.
    pub(super) fn forget_unused(&mut self) {
        while let Some((_, hash)) = self.first(true) {
            self.remove(&hash);
        }
    }
}

impl Registry {
    /// Keep a code that is about to be issued.
    ///
    /// # Errors
    /// The client was revoked, a text is out of bounds, the code expired already, or there is no room that
    /// would not cost another user's login.
    pub fn put_code(&mut self, hash: CodeHash, mut code: Code, now: Timestamp) -> Result<(), Refused> {
        Text::Client.check(code.client.len())?;
        Text::Redirect.check(code.redirect_uri.len())?;
        Text::Challenge.check(code.challenge.len())?;
        Text::Login.check(code.login.len())?;
        if self.client_refused(&code.client) {
            return Err(Refused::ClientRevoked);
        }
        code.expires_at = code.expires_at.min(after(now, CODE_LIFE));
        if code.expires_at <= now {
            return Err(Refused::Expired);
        }
        if self.codes.entries.contains_key(&hash) {
            return Err(Refused::Exists);
        }
        if !self.codes.make_room(code.user, &self.bounds, now) {
            return Err(Refused::Full);
        }
        let (user, until) = (code.user, code.expires_at);
        self.codes.put(hash, Entry { user, state: State::Unused(code), until });
        Ok(())
    }

    /// Redeem a code: one success ever. A wrong presentation burns it; one that comes after the success ends
    /// the family that was issued from it.
    ///
    /// After a success the caller opens a family and tells it by [`Registry::code_used_for`].
    pub fn take_code(
        &mut self,
        hash: &CodeHash,
        presented: &PresentedCode<'_>,
        now: Timestamp,
    ) -> (Result<Code, BadCode>, Vec<Change>) {
        let Some(entry) = self.codes.entries.get_mut(hash) else {
            return (Err(BadCode::Unknown), Vec::new());
        };
        let user = entry.user;
        let expired = entry.until < now;
        let (answer, spent) = match &mut entry.state {
            State::Burnt => return (Err(BadCode::Burnt), Vec::new()),
            State::Used { .. } if expired => return (Err(BadCode::Unknown), Vec::new()),
            State::Used { family, replayed } => {
                *replayed = true;
                let family = *family;
                let changes = family.map(|family| self.end_family(&family, End::CodeReplayed, now));
                return (Err(BadCode::Replayed), changes.unwrap_or_default());
            }
            State::Unused(_) if expired => {
                self.codes.remove(hash);
                return (Err(BadCode::Expired), Vec::new());
            }
            State::Unused(code) => match mismatch(code, presented) {
                Some(bad) => (Err(bad), State::Burnt),
                None => (Ok(code.clone()), State::Used { family: None, replayed: false }),
            },
        };
        self.codes.spend(*hash, user, spent, &self.bounds, now);
        (answer, Vec::new())
    }

    /// Tell which family was issued from a code, so that a replay ends it; at once, if the replay came first.
    ///
    /// A code that is not watched any more ends nothing: its family was opened by the one success it had.
    pub fn code_used_for(&mut self, hash: &CodeHash, family: FamilyId, now: Timestamp) -> Vec<Change> {
        let Some(Entry { state: State::Used { family: known, replayed }, .. }) =
            self.codes.entries.get_mut(hash)
        else {
            return Vec::new();
        };
        *known = Some(family);
        if *replayed { self.end_family(&family, End::CodeReplayed, now) } else { Vec::new() }
    }

    /// Burn the unused codes of a user; their number.
    pub(super) fn burn_codes_of_user(&mut self, user: UserId, now: Timestamp) -> usize {
        let theirs = self.codes.of_user(user, true);
        for hash in &theirs {
            self.codes.spend(*hash, user, State::Burnt, &self.bounds, now);
        }
        theirs.len()
    }

    /// Burn the unused codes of a client; their number. Operators ask for it, so it may look at all of them.
    pub(super) fn burn_codes_of_client(&mut self, client: &str, now: Timestamp) -> usize {
        let of_client = |(hash, entry): (&CodeHash, &Entry)| match &entry.state {
            State::Unused(code) if code.client == client => Some((*hash, entry.user)),
            State::Unused(_) | State::Burnt | State::Used { .. } => None,
        };
        let theirs: Vec<(CodeHash, UserId)> = self.codes.entries.iter().filter_map(of_client).collect();
        for (hash, user) in &theirs {
            self.codes.spend(*hash, *user, State::Burnt, &self.bounds, now);
        }
        theirs.len()
    }
}

/// What about the presentation is wrong. All three were in the browser's address bar, none is a secret that
/// timing could tell.
fn mismatch(code: &Code, presented: &PresentedCode<'_>) -> Option<BadCode> {
    if code.client != presented.client {
        Some(BadCode::OtherClient)
    } else if code.redirect_uri != presented.redirect_uri {
        Some(BadCode::OtherRedirect)
    } else if code.challenge != presented.challenge {
        Some(BadCode::WrongVerifier)
    } else {
        None
    }
}
