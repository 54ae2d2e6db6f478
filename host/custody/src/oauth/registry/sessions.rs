//! What happens to token families: they are opened, rotated, used and ended.
//!
//! The answers speak of generations and keys; the tokens themselves are made and proved elsewhere. Nothing
//! here may be asked about a token whose seal or MAC was not checked before.

use std::time::Duration;

use super::Registry;
use super::bounds::{elapsed, worth_a_note};
use super::families::{Dead, Family};
use super::rows::Change;
use super::terms::{Application, End, FamilyId, KeyId, Refused, Scopes, Text, UserId};
use crate::Timestamp;

/// How long after a rotation the token before it still gets the same successor: hosted clients refresh from
/// two addresses at once, and answers get lost.
pub const GRACE: Duration = Duration::from_secs(60);

/// A family to open.
#[derive(Clone, Debug)]
pub struct NewFamily<'a> {
    /// Its id, drawn at random.
    pub id: FamilyId,
    /// The user who signed in.
    pub user: UserId,
    /// The user's login at this time.
    pub login: &'a str,
    /// The client it is issued to.
    pub client: &'a str,
    /// What its tokens may do.
    pub scopes: Scopes,
    /// The application at Gitea whose grant its calls use.
    pub application: Application,
    /// Greatest age, in whole seconds; [`Bounds::session_age`](super::Bounds::session_age) counts where it is
    /// shorter.
    pub max_age: Duration,
    /// The root key that makes the refresh token of generation 1.
    pub key_id: KeyId,
}

/// A refresh token that proved good: its MAC is right for this client.
#[derive(Clone, Copy, Debug)]
pub struct PresentedRefresh<'a> {
    /// The family it names.
    pub family: FamilyId,
    /// The generation it names.
    pub generation: u32,
    /// The client that presented it.
    pub client: &'a str,
    /// The root key that would make a new refresh token now.
    pub key_id: KeyId,
}

/// The answer to a refresh token. The refresh token to hand out is a function of family, generation, client
/// and key, so the same answer is the same token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Hand out this generation, made by the root key that was given.
    Rotated {
        /// The new generation.
        generation: u32,
    },
    /// The token before the last rotation came again within [`GRACE`]: hand out the same successor again, made
    /// by the same key.
    SameAgain {
        /// The generation that is good now.
        generation: u32,
        /// The root key that made it.
        key_id: KeyId,
    },
    /// A token came again that has a successor: the family has ended (RFC 9700 section 4.14.2).
    Reuse,
    /// Nothing to hand out.
    Dead(Dead),
}

/// A family that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FamilyView {
    /// The user.
    pub user: UserId,
    /// The user's newest known login.
    pub login: String,
    /// The client.
    pub client: String,
    /// What its tokens may do.
    pub scopes: Scopes,
    /// The application at Gitea whose grant its calls use.
    pub application: Application,
    /// When the login was.
    pub created: Timestamp,
    /// Last use that was noted.
    pub used: Timestamp,
    /// Generation of the refresh token that is good now.
    pub generation: u32,
}

impl Registry {
    /// Open a family, at generation 1. Its user is noted as seen; the least recently used family makes room.
    ///
    /// # Errors
    /// The client was revoked, a text is out of bounds, or the id exists.
    pub fn open_family(&mut self, new: &NewFamily<'_>, now: Timestamp) -> Result<Vec<Change>, Refused> {
        Text::Login.check(new.login.len())?;
        Text::Client.check(new.client.len())?;
        if self.client_refused(new.client) {
            return Err(Refused::ClientRevoked);
        }
        if self.families.get(&new.id).is_some() {
            return Err(Refused::Exists);
        }
        let mut changes = self.saw_user(new.user, new.login, now)?;
        self.make_room_for_family(new.user, &mut changes);
        let whole_seconds = u32::try_from(new.max_age.as_secs()).unwrap_or(u32::MAX);
        let family = Family {
            id: new.id,
            user: new.user,
            login: new.login.to_owned(),
            client: new.client.to_owned(),
            scopes: new.scopes,
            application: new.application,
            created: now,
            used: now,
            max_age: Duration::from_secs(whole_seconds.into()),
            generation: 1,
            rotated: now,
            key_id: new.key_id,
            ended: None,
        };
        self.families.put(family, &mut changes);
        Ok(changes)
    }

    fn make_room_for_family(&mut self, user: UserId, changes: &mut Vec<Change>) {
        let theirs: Vec<FamilyId> = self.families.of_user(user).collect();
        let surplus = (theirs.len() + 1).saturating_sub(self.bounds.families_per_user.max(1));
        for id in theirs.iter().take(surplus) {
            self.families.remove(id, changes);
        }
        while self.families.len() >= self.bounds.families.max(1) {
            let Some(oldest) = self.families.oldest() else { break };
            self.families.remove(&oldest, changes);
        }
    }

    /// Rotate a refresh token: at most one successor of each generation is ever handed out.
    ///
    /// A generation one ahead of ours means that our last rotation was answered but is not on the disk: the
    /// volume could not be written, and then the server was restarted. It is taken as the current one. That is
    /// safe: only we can make its MAC, so that lost rotation handed it to whoever presented our generation, and
    /// what it replaces counts as used from now on. Further ahead, which of the tokens in between were used is
    /// not known, and one of them may be in a thief's hands: the family ends.
    pub fn rotate(&mut self, presented: &PresentedRefresh<'_>, now: Timestamp) -> (Rotation, Vec<Change>) {
        if let (Some(refused), changes) = self.refuse_reuse(presented, now) {
            return (refused, changes);
        }
        let family = match self.living(&presented.family, now) {
            Ok(family) => family,
            Err(dead) => return (Rotation::Dead(dead), Vec::new()),
        };
        let ours = family.generation;
        if presented.generation < ours {
            let again = Rotation::SameAgain { generation: ours, key_id: family.key_id };
            return (again, Vec::new());
        }
        if presented.generation.saturating_sub(ours) > 1 {
            let changes = self.end_family(&presented.family, End::RegistryBehind, now);
            return (Rotation::Dead(Dead::Ended(End::RegistryBehind)), changes);
        }
        // A family that used up its generations is as old as one can be.
        let Some(generation) = presented.generation.checked_add(1) else {
            return (Rotation::Dead(Dead::TooOld), Vec::new());
        };
        let mut next = family.clone();
        next.generation = generation;
        next.rotated = now;
        next.used = now.max(next.used);
        next.key_id = presented.key_id;
        let mut changes = Vec::new();
        self.families.put(next, &mut changes);
        (Rotation::Rotated { generation }, changes)
    }

    /// End the family where a refresh token that was replaced comes again, before anything else is done about it; what
    /// [`Registry::rotate`] would answer then, or none where the token may be rotated.
    pub fn refuse_reuse(
        &mut self,
        presented: &PresentedRefresh<'_>,
        now: Timestamp,
    ) -> (Option<Rotation>, Vec<Change>) {
        match self.living(&presented.family, now) {
            // There is no generation 0, so nobody has a token of it.
            Ok(_) if presented.generation == 0 => (Some(Rotation::Dead(Dead::Unknown)), Vec::new()),
            Ok(family) if family.client != presented.client => {
                (Some(Rotation::Dead(Dead::OtherClient)), Vec::new())
            }
            Ok(family)
                if presented.generation < family.generation
                    && !(presented.generation.checked_add(1) == Some(family.generation)
                        && within_grace(family.rotated, now)) =>
            {
                (Some(Rotation::Reuse), self.end_family(&presented.family, End::RefreshReused, now))
            }
            Ok(_) => (None, Vec::new()),
            Err(dead) => (Some(Rotation::Dead(dead)), Vec::new()),
        }
    }

    /// Whether the family of an access token lives and is this user's; asked at every call.
    ///
    /// # Errors
    /// Why the token is worth nothing.
    pub fn alive(&self, family: &FamilyId, user: UserId, now: Timestamp) -> Result<FamilyView, Dead> {
        let view = self.view(family, now)?;
        if view.user == user { Ok(view) } else { Err(Dead::Unknown) }
    }

    /// A family that lives, whoever's it is: for a refresh token, whose MAC names no user.
    ///
    /// # Errors
    /// Why it is worth nothing.
    pub fn view(&self, family: &FamilyId, now: Timestamp) -> Result<FamilyView, Dead> {
        let family = self.living(family, now)?;
        Ok(FamilyView {
            user: family.user,
            login: self.login_of(family.user).unwrap_or(&family.login).to_owned(),
            client: family.client.clone(),
            scopes: family.scopes,
            application: family.application,
            created: family.created,
            used: family.used,
            generation: family.generation,
        })
    }

    /// Note that a family was used, and with it its user and its client's row: at most one change an hour for
    /// each of the three.
    pub fn touch(&mut self, family: &FamilyId, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        let Ok(family) = self.living(family, now) else { return changes };
        let (user, client) = (family.user, family.client.clone());
        if worth_a_note(family.used, self.bounds.session_idle, now) {
            let mut used = family.clone();
            used.used = now;
            self.families.put(used, &mut changes);
        }
        self.touch_user(user, now, &mut changes);
        self.touch_client(&client, now, &mut changes);
        changes
    }

    /// End a family; its tokens are dead at the next call. One that has ended already, or is not known, stays
    /// as it is. The row stays until its greatest age, so that a restored backup cannot bring it back.
    pub fn end_family(&mut self, family: &FamilyId, why: End, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.end(family, why, now, &mut changes);
        changes
    }

    /// True if the family had not ended before.
    pub(super) fn end(
        &mut self,
        family: &FamilyId,
        why: End,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> bool {
        let Some(family) = self.families.get(family).filter(|family| family.ended.is_none()) else {
            return false;
        };
        let mut ended = family.clone();
        ended.ended = Some((why, now));
        self.families.put(ended, changes);
        true
    }

    /// End families; the number of those that had not ended before.
    pub(super) fn end_all(
        &mut self,
        families: &[FamilyId],
        why: End,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) -> usize {
        families.iter().filter(|family| self.end(family, why, now, changes)).count()
    }

    fn living(&self, family: &FamilyId, now: Timestamp) -> Result<&Family, Dead> {
        let family = self.families.get(family).ok_or(Dead::Unknown)?;
        family.standing(&self.bounds, now)?;
        // Revoking a client ends its families; a store that was edited by hand must not undo that.
        if self.client_refused(&family.client) {
            return Err(Dead::Ended(End::ClientRevoked));
        }
        Ok(family)
    }
}

/// Within [`GRACE`], whichever way the clock may have stepped.
fn within_grace(rotated: Timestamp, now: Timestamp) -> bool {
    elapsed(rotated, now) <= GRACE && elapsed(now, rotated) <= GRACE
}
