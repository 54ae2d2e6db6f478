//! Random sequences of operations, against a model that is slow, plain and written apart.
//!
//! After each step the file, which follows by changes alone, holds what memory holds; a registry loaded from
//! it answers as the one in memory does; and no table is larger than its bound.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{APPROVALS, CLIENTS, CODES, FAMILIES, IDLE, Model, bounds, millis};
use super::*;

#[derive(Clone, Debug)]
enum Op {
    Wait(Duration),
    Restart,
    Move,
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
        3 => Just(Op::Move),
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
            Op::Move => {
                // To another instance, by rows alone: nothing is lost.
                let passing = registry.passing();
                let (mut moved, unreadable) = Registry::load(registry.export(), bounds());
                assert_eq!((unreadable, moved.load_passing(passing.clone())), (Vec::new(), Ok(())));
                assert!(moved.passing() == passing, "a code or a claim changed on its way");
                *registry = moved;
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
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

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
