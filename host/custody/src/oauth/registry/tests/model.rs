//! The registry once more: slow, plain, written apart, everything in lists and found by search.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

pub(super) const PER_USER: usize = 3;
pub(super) const FAMILIES: usize = 6;
pub(super) const CODES: usize = 6;
pub(super) const CODES_PER_USER: usize = 2;
pub(super) const APPROVALS: usize = 4;
pub(super) const APPROVALS_PER_USER: usize = 2;
pub(super) const AGE: Duration = Duration::from_secs(20 * 86_400);
pub(super) const IDLE: Duration = Duration::from_secs(4 * 86_400);
pub(super) const CLIENTS: [&str; 3] = ["client", "other", "third"];

pub(super) fn bounds() -> Bounds {
    Bounds {
        session_age: AGE,
        session_idle: IDLE,
        families_per_user: PER_USER,
        families: FAMILIES,
        approvals: APPROVALS,
        approvals_per_user: APPROVALS_PER_USER,
        approval_idle: IDLE,
        clients: 2,
        users: 3,
        refused_clients: 1,
        codes: CODES,
        codes_per_user: CODES_PER_USER,
        claims_per_kind: 2,
        ..Bounds::default()
    }
}

#[derive(Clone)]
pub(super) struct Fam {
    pub(super) id: u8,
    pub(super) user: i64,
    pub(super) client: usize,
    pub(super) created: i64,
    pub(super) used: i64,
    pub(super) rotated: i64,
    pub(super) generation: i64,
    pub(super) ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Spent {
    No,
    Burnt,
    For(Option<u8>),
}

pub(super) struct Cod {
    pub(super) id: u8,
    pub(super) user: i64,
    pub(super) until: i64,
    pub(super) spent: Spent,
}

#[derive(Clone)]
pub(super) struct Con {
    pub(super) user: i64,
    pub(super) client: usize,
    pub(super) used: i64,
}

/// Everything in lists, everything by search.
#[derive(Default)]
pub(super) struct Model {
    pub(super) now: i64,
    pub(super) families: Vec<Fam>,
    pub(super) codes: Vec<Cod>,
    pub(super) consents: Vec<Con>,
    pub(super) refused: BTreeSet<usize>,
    pub(super) claims: Vec<(u8, i64)>,
}

pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

impl Model {
    pub(super) fn lives(&self, family: &Fam) -> bool {
        !family.ended
            && self.now - family.created <= millis(AGE)
            && self.now - family.used <= millis(IDLE)
            && !self.refused.contains(&family.client)
    }

    pub(super) fn living(&self, id: u8) -> Option<&Fam> {
        self.families.iter().find(|family| family.id == id && self.lives(family))
    }

    pub(super) fn change(&mut self, id: u8, change: impl FnOnce(&mut Fam)) {
        self.families.iter_mut().filter(|family| family.id == id).take(1).for_each(change_once(change));
    }

    pub(super) fn end_where(&mut self, which: impl Fn(&Fam) -> bool) {
        self.families.iter_mut().filter(|family| which(family)).for_each(|family| family.ended = true);
    }

    pub(super) fn open(&mut self, id: u8, user: i64, client: usize) -> bool {
        if self.refused.contains(&client) || self.families.iter().any(|family| family.id == id) {
            return false;
        }
        let mut theirs: Vec<Fam> = self.families.iter().filter(|f| f.user == user).cloned().collect();
        theirs.sort_by_key(|f| (!f.ended, f.used, f.id));
        if theirs.len() >= PER_USER {
            self.families.retain(|f| f.id != theirs[0].id);
        }
        if self.families.len() >= FAMILIES {
            let oldest = self.families.iter().min_by_key(|f| (f.used, f.id)).unwrap().id;
            self.families.retain(|f| f.id != oldest);
        }
        let now = self.now;
        self.families.push(Fam {
            id,
            user,
            client,
            created: now,
            used: now,
            rotated: now,
            generation: 1,
            ended: false,
        });
        true
    }

    /// The new generation, the same again, or none.
    pub(super) fn rotate(&mut self, id: u8, generation: i64, client: usize) -> Option<(bool, i64)> {
        let now = self.now;
        let family = self.living(id)?.clone();
        if generation == 0 || family.client != client {
            return None;
        }
        match generation - family.generation {
            -1 if now - family.rotated <= 60_000 => Some((false, family.generation)),
            0 | 1 => {
                self.change(id, |f| {
                    (f.generation, f.rotated, f.used) = (generation + 1, now, now);
                });
                Some((true, generation + 1))
            }
            _ => {
                self.change(id, |f| f.ended = true);
                None
            }
        }
    }

    pub(super) fn put_code(&mut self, id: u8, user: i64) -> bool {
        let now = self.now;
        if self.refused.contains(&0) || self.codes.iter().any(|code| code.id == id) {
            return false;
        }
        self.codes.retain(|code| code.until >= now);
        self.make_room_for_code(user, CODES_PER_USER, |code| code.spent == Spent::No);
        while self.codes.len() >= CODES {
            let spent = self.codes.iter().filter(|code| code.spent != Spent::No);
            let Some(victim) = spent.min_by_key(|code| (code.until, code.id)).map(|code| code.id) else {
                break;
            };
            self.codes.retain(|code| code.id != victim);
        }
        if self.codes.len() >= CODES {
            self.make_room_for_code(user, 1, |code| code.spent == Spent::No);
        }
        if self.codes.len() >= CODES {
            return false;
        }
        self.codes.push(Cod { id, user, until: now + 60_000, spent: Spent::No });
        true
    }

    /// Drop one code of the user, if there are that many of the sort.
    pub(super) fn make_room_for_code(&mut self, user: i64, most: usize, sort: impl Fn(&Cod) -> bool) {
        let theirs = || self.codes.iter().filter(|code| code.user == user && sort(code));
        if theirs().count() >= most {
            let victim = theirs().min_by_key(|code| (code.until, code.id)).unwrap().id;
            self.codes.retain(|code| code.id != victim);
        }
    }

    pub(super) fn redeem(&mut self, id: u8, family: u8, right: bool) -> bool {
        let now = self.now;
        let Some(place) = self.codes.iter().position(|code| code.id == id) else { return false };
        let (user, expired) = (self.codes[place].user, self.codes[place].until < now);
        match self.codes[place].spent {
            Spent::Burnt => return false,
            Spent::For(_) if expired => return false,
            Spent::For(issued) => {
                self.end_where(|f| Some(f.id) == issued);
                return false;
            }
            Spent::No if expired => {
                self.codes.remove(place);
                return false;
            }
            Spent::No => {}
        }
        self.codes[place].until = now + 600_000;
        self.codes[place].spent = if right { Spent::For(None) } else { Spent::Burnt };
        let spent = |code: &Cod| code.spent != Spent::No;
        self.make_room_for_code(user, CODES_PER_USER * 4 + 1, spent);
        if !right || !self.open(family, user, 0) {
            return false;
        }
        self.codes.iter_mut().filter(|c| c.id == id).for_each(|c| c.spent = Spent::For(Some(family)));
        true
    }

    pub(super) fn burn(&mut self, which: impl Fn(&Cod) -> bool) {
        let until = self.now + 600_000;
        for code in self.codes.iter_mut().filter(|code| code.spent == Spent::No && which(code)) {
            (code.spent, code.until) = (Spent::Burnt, until);
        }
    }

    pub(super) fn approve(&mut self, user: i64, client: usize) -> bool {
        if self.refused.contains(&client) {
            return false;
        }
        self.consents.retain(|consent| (consent.user, consent.client) != (user, client));
        let theirs = || self.consents.iter().filter(|consent| consent.user == user);
        if theirs().count() >= APPROVALS_PER_USER {
            let oldest = theirs().min_by_key(|c| (c.used, CLIENTS[c.client])).unwrap().client;
            self.consents.retain(|consent| (consent.user, consent.client) != (user, oldest));
        }
        while self.consents.len() >= APPROVALS {
            let oldest = self.consents.iter().min_by_key(|c| (c.used, c.user, CLIENTS[c.client])).unwrap();
            let oldest = (oldest.user, oldest.client);
            self.consents.retain(|consent| (consent.user, consent.client) != oldest);
        }
        self.consents.push(Con { user, client, used: self.now });
        true
    }

    pub(super) fn claim(&mut self, id: u8, until: i64) -> bool {
        let now = self.now;
        self.claims.retain(|(_, until)| *until >= now);
        if self.claims.iter().any(|(claimed, _)| *claimed == id) || self.claims.len() >= 2 {
            return false;
        }
        self.claims.push((id, until));
        true
    }

    pub(super) fn collect(&mut self) {
        let now = self.now;
        let keep = |f: &Fam| now - f.created <= millis(AGE) && (f.ended || now - f.used <= millis(IDLE));
        self.families.retain(keep);
        self.codes.retain(|code| code.until >= now);
        self.consents.retain(|consent| now - consent.used <= millis(IDLE));
    }
}

/// `for_each` wants a function that may run twice; the lists here hold an id once.
fn change_once(change: impl FnOnce(&mut Fam)) -> impl FnMut(&mut Fam) {
    let mut change = Some(change);
    move |family| {
        if let Some(change) = change.take() {
            change(family);
        }
    }
}
