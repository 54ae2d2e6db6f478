//! Random sequences of operations, against a model that is slow, plain and written apart.
//!
//! After each step the file, which follows by changes alone, holds what memory holds; a registry loaded from
//! it answers as the one in memory does; and no table is larger than its bound.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PER_USER: usize = 3;
const FAMILIES: usize = 6;
const CODES: usize = 6;
const CODES_PER_USER: usize = 2;
const APPROVALS: usize = 4;
const AGE: Duration = Duration::from_secs(20 * 86_400);
const IDLE: Duration = Duration::from_secs(4 * 86_400);
const CLIENTS: [&str; 3] = ["client", "other", "third"];

fn bounds() -> Bounds {
    Bounds {
        session_age: AGE,
        session_idle: IDLE,
        families_per_user: PER_USER,
        families: FAMILIES,
        approvals: APPROVALS,
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

#[derive(Clone, Debug)]
enum Op {
    Wait(Duration),
    Restart,
    Open { id: u8, user: i64, client: usize },
    Rotate { id: u8, offset: i64, client: usize },
    Touch(u8),
    End(u8),
    RevokeUser(i64),
    RevokeClient(usize),
    AllowClient(usize),
    PutCode { id: u8, user: i64 },
    Redeem { code: u8, family: u8, right: bool },
    Approve { user: i64, client: usize },
    RevokeApproval { user: i64, client: usize },
    PutGrant(i64),
    KillGrant(i64),
    SawClient(usize),
    Claim { id: u8, span: u64 },
    Collect,
}

fn op() -> impl Strategy<Value = Op> {
    let (id, user, client) = (0..10_u8, 1..5_i64, 0..CLIENTS.len());
    let wait = prop::sample::select(vec![
        Duration::from_millis(1),
        seconds(30),
        seconds(61),
        seconds(601),
        seconds(3600),
        days(1),
        days(4),
    ]);
    prop_oneof![
        4 => wait.prop_map(Op::Wait),
        1 => Just(Op::Restart),
        8 => (id.clone(), user.clone(), client.clone()).prop_map(|(id, user, client)| Op::Open { id, user, client }),
        8 => (id.clone(), -3..3_i64, client.clone()).prop_map(|(id, offset, client)| Op::Rotate { id, offset, client }),
        2 => id.clone().prop_map(Op::Touch),
        1 => id.clone().prop_map(Op::End),
        1 => user.clone().prop_map(Op::RevokeUser),
        1 => client.clone().prop_map(Op::RevokeClient),
        1 => client.clone().prop_map(Op::AllowClient),
        4 => (id.clone(), user.clone()).prop_map(|(id, user)| Op::PutCode { id, user }),
        6 => (id.clone(), id.clone(), prop::bool::weighted(0.8))
            .prop_map(|(code, family, right)| Op::Redeem { code, family, right }),
        3 => (user.clone(), client.clone()).prop_map(|(user, client)| Op::Approve { user, client }),
        1 => (user.clone(), client.clone()).prop_map(|(user, client)| Op::RevokeApproval { user, client }),
        2 => user.clone().prop_map(Op::PutGrant),
        1 => user.prop_map(Op::KillGrant),
        2 => client.prop_map(Op::SawClient),
        2 => (id, 0..100_u64).prop_map(|(id, span)| Op::Claim { id, span }),
        1 => Just(Op::Collect),
    ]
}

#[derive(Clone)]
struct Fam {
    id: u8,
    user: i64,
    client: usize,
    created: i64,
    used: i64,
    rotated: i64,
    generation: i64,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Spent {
    No,
    Burnt,
    For(Option<u8>),
}

struct Cod {
    id: u8,
    user: i64,
    until: i64,
    spent: Spent,
}

#[derive(Clone)]
struct Con {
    user: i64,
    client: usize,
    used: i64,
}

/// Everything in lists, everything by search.
#[derive(Default)]
struct Model {
    now: i64,
    families: Vec<Fam>,
    codes: Vec<Cod>,
    consents: Vec<Con>,
    refused: BTreeSet<usize>,
    claims: Vec<(u8, i64)>,
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

impl Model {
    fn lives(&self, family: &Fam) -> bool {
        !family.ended
            && self.now - family.created <= millis(AGE)
            && self.now - family.used <= millis(IDLE)
            && !self.refused.contains(&family.client)
    }

    fn living(&self, id: u8) -> Option<&Fam> {
        self.families.iter().find(|family| family.id == id && self.lives(family))
    }

    fn change(&mut self, id: u8, change: impl FnOnce(&mut Fam)) {
        self.families.iter_mut().filter(|family| family.id == id).take(1).for_each(change_once(change));
    }

    fn end_where(&mut self, which: impl Fn(&Fam) -> bool) {
        self.families.iter_mut().filter(|family| which(family)).for_each(|family| family.ended = true);
    }

    fn open(&mut self, id: u8, user: i64, client: usize) -> bool {
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
    fn rotate(&mut self, id: u8, generation: i64, client: usize) -> Option<(bool, i64)> {
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

    fn put_code(&mut self, id: u8, user: i64) -> bool {
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
    fn make_room_for_code(&mut self, user: i64, most: usize, sort: impl Fn(&Cod) -> bool) {
        let theirs = || self.codes.iter().filter(|code| code.user == user && sort(code));
        if theirs().count() >= most {
            let victim = theirs().min_by_key(|code| (code.until, code.id)).unwrap().id;
            self.codes.retain(|code| code.id != victim);
        }
    }

    fn redeem(&mut self, id: u8, family: u8, right: bool) -> bool {
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

    fn burn(&mut self, which: impl Fn(&Cod) -> bool) {
        let until = self.now + 600_000;
        for code in self.codes.iter_mut().filter(|code| code.spent == Spent::No && which(code)) {
            (code.spent, code.until) = (Spent::Burnt, until);
        }
    }

    fn approve(&mut self, user: i64, client: usize) -> bool {
        if self.refused.contains(&client) {
            return false;
        }
        self.consents.retain(|consent| (consent.user, consent.client) != (user, client));
        while self.consents.len() >= APPROVALS {
            let oldest = self.consents.iter().min_by_key(|c| (c.used, c.user, CLIENTS[c.client])).unwrap();
            let oldest = (oldest.user, oldest.client);
            self.consents.retain(|consent| (consent.user, consent.client) != oldest);
        }
        self.consents.push(Con { user, client, used: self.now });
        true
    }

    fn claim(&mut self, id: u8, until: i64) -> bool {
        let now = self.now;
        self.claims.retain(|(_, until)| *until >= now);
        if self.claims.iter().any(|(claimed, _)| *claimed == id) || self.claims.len() >= 2 {
            return false;
        }
        self.claims.push((id, until));
        true
    }

    fn collect(&mut self) {
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

struct Both {
    desk: Desk,
    model: Model,
}

impl Both {
    /// Do one operation on both; they must answer the same.
    fn step(&mut self, op: &Op) {
        let now = self.desk.now;
        let registry = &mut self.desk.registry;
        let changes = match op {
            Op::Wait(span) => {
                self.desk.later(*span);
                self.model.now += millis(*span);
                return;
            }
            Op::Restart => {
                self.desk.restart();
                self.model.codes.clear();
                self.model.claims.clear();
                return;
            }
            Op::Open { id, user, client } => {
                let opened = registry.open_family(&family(*id, *user, CLIENTS[*client]), now);
                assert_eq!(opened.is_ok(), self.model.open(*id, *user, *client));
                opened.unwrap_or_default()
            }
            Op::Rotate { id, offset, client } => return self.rotate(*id, *offset, *client),
            Op::Touch(id) => {
                let touched = registry.touch(&[*id; 16], now);
                if let Some(family) = self.model.living(*id)
                    && self.model.now - family.used >= 3_600_000
                {
                    let now = self.model.now;
                    self.model.change(*id, |family| family.used = now);
                }
                touched
            }
            Op::End(id) => {
                self.model.end_where(|family| family.id == *id);
                registry.end_family(&[*id; 16], End::ClientAsked, now)
            }
            Op::RevokeUser(user) => {
                self.model.end_where(|family| family.user == *user);
                self.model.consents.retain(|consent| consent.user != *user);
                self.model.burn(|code| code.user == *user);
                registry.revoke_user(Who::Id(*user), now).1
            }
            Op::RevokeClient(client) => {
                let (answer, changes) = registry.revoke_client(CLIENTS[*client], now);
                self.model.end_where(|family| family.client == *client);
                self.model.consents.retain(|consent| consent.client != *client);
                self.model.burn(|_| *client == 0);
                let room = self.model.refused.is_empty() || self.model.refused.contains(client);
                assert_eq!(answer.is_ok(), room);
                if room {
                    self.model.refused.insert(*client);
                }
                changes
            }
            Op::AllowClient(client) => {
                let (found, changes) = registry.allow_client(CLIENTS[*client]);
                assert_eq!(found, self.model.refused.remove(client));
                changes
            }
            Op::PutCode { id, user } => {
                let put = registry.put_code([*id; 32], code(*user, now), now).is_ok();
                assert_eq!(put, self.model.put_code(*id, *user));
                Vec::new()
            }
            Op::Redeem { code, family, right } => {
                let presented = PresentedCode { challenge: if *right { "challenge" } else { "?" }, ..RIGHT };
                let for_code = ForCode { id: [*family; 16], max_age: days(60), key_id: [0; 4] };
                let (answer, changes) = registry.redeem(&[*code; 32], &presented, &for_code, now);
                assert_eq!(answer.is_ok(), self.model.redeem(*code, *family, *right));
                changes
            }
            Op::Approve { user, client } => {
                let approved = registry.approve(CLIENTS[*client], *user, REDIRECT, READ, now);
                assert_eq!(approved.is_ok(), self.model.approve(*user, *client));
                approved.unwrap_or_default()
            }
            Op::RevokeApproval { user, client } => {
                let (found, changes) = registry.revoke_approval(CLIENTS[*client], *user);
                let before = self.model.consents.len();
                self.model.consents.retain(|consent| (consent.user, consent.client) != (*user, *client));
                assert_eq!(found, self.model.consents.len() < before);
                changes
            }
            Op::PutGrant(user) => {
                let grant = NewGrant {
                    user: *user,
                    application: Application::Read,
                    sealed: b"sealed",
                    scopes: "openid",
                    access_expires: now,
                    refreshed_from: None,
                };
                registry.put_grant(&grant, now).unwrap().1
            }
            Op::KillGrant(user) => {
                self.model.end_where(|family| family.user == *user);
                registry.kill_grant(*user, Application::Read, None, "invalid_grant", now).1
            }
            Op::SawClient(client) => {
                registry.saw_client(CLIENTS[*client], "Name", ClientKind::Dynamic, now).unwrap_or_default()
            }
            Op::Claim { id, span } => {
                let won = registry.claim(ClaimKind::State, [*id; 32], after(now, seconds(*span)), now).won();
                let until = self.model.now + millis(seconds(*span));
                assert_eq!(won, self.model.claim(*id, until));
                Vec::new()
            }
            Op::Collect => {
                self.model.collect();
                registry.collect(now)
            }
        };
        self.desk.commit(changes);
    }

    fn rotate(&mut self, id: u8, offset: i64, client: usize) {
        let known = self.model.families.iter().find(|family| family.id == id);
        let generation = (known.map_or(1, |family| family.generation) + offset).max(0);
        let answer = self.desk.rotate_by(id, u32::try_from(generation).unwrap(), CLIENTS[client], [7; 4]);
        let told = match answer {
            Rotation::Rotated { generation } => Some((true, i64::from(generation))),
            Rotation::SameAgain { generation, .. } => Some((false, i64::from(generation))),
            Rotation::Reuse | Rotation::Dead(_) => None,
        };
        assert_eq!(told, self.model.rotate(id, generation, client));
    }

    fn check(&self) {
        let (registry, now) = (&self.desk.registry, self.desk.now);
        let (loaded, unreadable) = Registry::load(self.desk.rows(), bounds());
        assert!(unreadable.is_empty());
        for id in 0..10 {
            for user in 1..5 {
                let alive = registry.alive(&[id; 16], user, now);
                let expected = self.model.living(id).is_some_and(|family| family.user == user);
                assert_eq!(alive.is_ok(), expected, "family {id} of {user}");
                assert_eq!(loaded.alive(&[id; 16], user, now), alive);
            }
        }
        for user in 1..5 {
            for (place, client) in CLIENTS.iter().enumerate() {
                let found = registry.approval(client, user, now);
                let mut consents = self.model.consents.iter();
                let expected = consents.any(|consent| {
                    (consent.user, consent.client) == (user, place)
                        && self.model.now - consent.used <= millis(IDLE)
                });
                assert_eq!(found.is_some(), expected && !self.model.refused.contains(&place));
                assert_eq!(loaded.approval(client, user, now), found);
                assert_eq!(loaded.client_refused(client), self.model.refused.contains(&place));
            }
        }
        assert_eq!((loaded.users(now), loaded.clients(now)), (registry.users(now), registry.clients(now)));
        let stats = registry.stats();
        assert_eq!(stats.families, self.model.families.len());
        assert_eq!(stats.approvals, self.model.consents.len());
        assert!(stats.families <= FAMILIES && stats.approvals <= APPROVALS && stats.codes <= CODES);
        assert!(stats.clients <= 2 && stats.users <= 3 && stats.refused_clients <= 1 && stats.claims <= 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_operations_does_what_the_model_says(ops in vec(op(), 1..80)) {
        let model = Model { now: START, ..Model::default() };
        let mut both = Both { desk: Desk::new(bounds()), model };
        for op in &ops {
            both.step(op);
            both.check();
        }
    }

    #[test]
    fn a_loaded_registry_goes_on_as_the_one_that_was_written(
        before in vec(op(), 1..40),
        after in vec(op(), 1..40),
    ) {
        let run = |loaded: bool| {
            let model = Model { now: START, ..Model::default() };
            let mut both = Both { desk: Desk::new(bounds()), model };
            before.iter().for_each(|op| both.step(op));
            if loaded {
                both.step(&Op::Restart);
            } else {
                // Codes and claims do not last, so the other goes on without them too.
                (both.desk.registry.codes, both.desk.registry.claims) = Default::default();
                both.model.codes.clear();
                both.model.claims.clear();
            }
            after.iter().for_each(|op| both.step(op));
            both.desk.file
        };
        prop_assert_eq!(run(true), run(false));
    }
}
