//! Authorization codes and single use claims.

use std::sync::Mutex;

use super::*;

#[test]
fn a_code_is_redeemed_once_and_a_replay_ends_its_family() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    assert_eq!(desk.take(1, &RIGHT).unwrap(), code(5, desk.now));
    desk.open(9, 5, "client");
    let changes = desk.registry.code_used_for(&[1; 32], [9; 16], desk.now);
    desk.commit(changes);
    assert!(desk.alive(9, 5).is_ok());
    desk.later(REPLAY_WATCH);
    let stranger = PresentedCode { client: "other", redirect_uri: "x", challenge: "" };
    assert_eq!(desk.take(1, &stranger), Err(BadCode::Replayed), "whoever presents it");
    assert_eq!(desk.alive(9, 5), Err(Dead::Ended(End::CodeReplayed)));
}

#[test]
fn a_replay_before_the_family_is_known_ends_it_as_soon_as_it_is() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    assert!(desk.take(1, &RIGHT).is_ok());
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Replayed));
    desk.open(9, 5, "client");
    let changes = desk.registry.code_used_for(&[1; 32], [9; 16], desk.now);
    desk.commit(changes);
    assert_eq!(desk.alive(9, 5), Err(Dead::Ended(End::CodeReplayed)));
}

#[test]
fn redeeming_opens_the_family_of_the_code_and_binds_the_two() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    let for_code = ForCode { id: [9; 16], max_age: days(1), key_id: [3; 4] };
    let (redeemed, changes) = desk.registry.redeem(&[1; 32], &RIGHT, &for_code, desk.now);
    desk.commit(changes);
    assert!(redeemed.is_ok());
    let view = desk.alive(9, 5).unwrap();
    assert_eq!((view.client.as_str(), view.scopes, view.generation), ("client", READ, 1));
    let again = ForCode { id: [8; 16], ..for_code };
    let (redeemed, changes) = desk.registry.redeem(&[1; 32], &RIGHT, &again, desk.now);
    desk.commit(changes);
    assert_eq!(redeemed, Err(NotRedeemed::Code(BadCode::Replayed)));
    assert_eq!(desk.alive(9, 5), Err(Dead::Ended(End::CodeReplayed)));
    assert_eq!(desk.alive(8, 5), Err(Dead::Unknown));
}

#[test]
fn a_wrong_presentation_burns_the_code() {
    let wrong = [
        (PresentedCode { client: "other", ..RIGHT }, BadCode::OtherClient),
        (PresentedCode { redirect_uri: "https://claude.ai/", ..RIGHT }, BadCode::OtherRedirect),
        (PresentedCode { challenge: "another", ..RIGHT }, BadCode::WrongVerifier),
    ];
    for (presented, bad) in wrong {
        let mut desk = Desk::new(Bounds::default());
        desk.put_code(1, 5).unwrap();
        assert_eq!(desk.take(1, &presented), Err(bad));
        assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Burnt), "{bad:?}");
    }
}

#[test]
fn a_code_lives_for_a_minute_whatever_it_was_given() {
    let mut desk = Desk::new(Bounds::default());
    let mut long = code(5, desk.now);
    long.expires_at = after(desk.now, days(1));
    desk.registry.put_code([1; 32], long.clone(), desk.now).unwrap();
    desk.registry.put_code([2; 32], long, desk.now).unwrap();
    desk.later(CODE_LIFE);
    assert!(desk.take(1, &RIGHT).is_ok());
    desk.later(Duration::from_millis(1));
    assert_eq!(desk.take(2, &RIGHT), Err(BadCode::Expired));
    assert_eq!(desk.take(2, &RIGHT), Err(BadCode::Unknown));
    let mut over = code(5, desk.now);
    over.expires_at = desk.now;
    assert_eq!(desk.registry.put_code([3; 32], over, desk.now), Err(Refused::Expired));
}

#[test]
fn a_used_code_is_forgotten_after_its_watch() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    assert!(desk.take(1, &RIGHT).is_ok());
    desk.later(REPLAY_WATCH);
    desk.later(seconds(1));
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Unknown));
    let changes = desk.registry.collect(desk.now);
    desk.commit(changes);
    assert_eq!(desk.registry.stats().codes, 0);
}

#[test]
fn sixty_four_replays_at_once_give_one_success_and_no_living_family() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    let now = desk.now;
    let registry = Mutex::new(desk.registry);
    let successes: usize = std::thread::scope(|scope| {
        let ask = |n: u8| {
            let registry = &registry;
            let for_code = ForCode { id: [n; 16], max_age: days(1), key_id: [0; 4] };
            scope.spawn(move || {
                let (answer, _) = registry.lock().unwrap().redeem(&[1; 32], &RIGHT, &for_code, now);
                usize::from(answer.is_ok())
            })
        };
        let asked: Vec<_> = (0..64).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(successes, 1);
    let registry = registry.into_inner().unwrap();
    assert_eq!(registry.stats().families, 1);
    assert!((0..64).all(|n| registry.alive(&[n; 16], 5, now).is_err()), "63 replays ended it");
}

#[test]
fn a_user_has_sixteen_unused_codes_and_costs_nobody_else_one() {
    let mut desk = Desk::new(Bounds { codes: 20, ..Bounds::default() });
    desk.put_code(200, 6).unwrap();
    for id in 0..19 {
        desk.put_code(id, 5).unwrap();
    }
    assert_eq!(desk.take(2, &RIGHT), Err(BadCode::Unknown), "the first to expire made room");
    assert!(desk.take(3, &RIGHT).is_ok());
    for id in 100..104 {
        desk.put_code(id, 7).unwrap();
    }
    assert_eq!(desk.registry.stats().codes, 20);
    assert_eq!(desk.put_code(150, 8), Err(Refused::Full), "full of what others are about to redeem");
    assert_eq!(desk.put_code(151, 7), Ok(()), "one's own makes room");
    assert!(desk.take(200, &RIGHT).is_ok());
    assert_eq!(desk.put_code(150, 8), Ok(()), "a used one makes room");
    desk.later(seconds(61));
    for id in 20..40 {
        desk.put_code(id, i64::from(id)).unwrap();
    }
    assert_eq!(desk.registry.stats().codes, 20, "expired ones make room");
}

#[test]
fn one_user_cannot_push_the_used_codes_of_others_out() {
    let mut desk = Desk::new(Bounds { codes: 200, ..Bounds::default() });
    desk.put_code(255, 6).unwrap();
    assert!(desk.take(255, &RIGHT).is_ok());
    for round in 0..255 {
        desk.put_code(round, 5).unwrap();
        assert!(desk.take(round, &RIGHT).is_ok());
    }
    assert_eq!(desk.registry.stats().codes, 65);
    assert_eq!(desk.take(255, &RIGHT), Err(BadCode::Replayed));
}

#[test]
fn a_code_of_a_revoked_client_is_neither_kept_nor_redeemed() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 5).unwrap();
    let (revoked, changes) = desk.registry.revoke_client("client", desk.now);
    desk.commit(changes);
    assert_eq!(revoked.unwrap().codes, 1);
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Burnt));
    assert_eq!(desk.put_code(2, 5), Err(Refused::ClientRevoked));
}

#[test]
fn a_claim_is_won_once_until_its_time_is_over() {
    let mut desk = Desk::new(Bounds::default());
    let until = after(desk.now, seconds(600));
    let mut claim = |kind, id, until, now| desk.registry.claim(kind, [id; 32], until, now);
    let now = Timestamp::from_unix_millis(START);
    assert_eq!(claim(ClaimKind::State, 1, until, now), Claim::Won);
    assert_eq!(claim(ClaimKind::State, 1, until, now), Claim::Lost);
    assert_eq!(claim(ClaimKind::Consent, 1, until, now), Claim::Won, "another kind");
    assert_eq!(claim(ClaimKind::State, 1, until, until), Claim::Lost, "to its last moment");
    let past = after(until, seconds(1));
    assert_eq!(claim(ClaimKind::State, 1, until, past), Claim::Lost, "what is over is not given");
    assert_eq!(claim(ClaimKind::State, 2, after(now, days(2)), now), Claim::Lost, "too far ahead");
}

#[test]
fn claims_are_refused_rather_than_forgotten_and_kinds_do_not_share_room() {
    let mut registry = Registry::new(Bounds { claims_per_kind: 100, ..Bounds::default() });
    let now = Timestamp::from_unix_millis(START);
    let until = after(now, seconds(60));
    let id = |n: u32| {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        id
    };
    let won = (0..1000).filter(|n| registry.claim(ClaimKind::State, id(*n), until, now).won()).count();
    assert_eq!((won, registry.stats().claims), (100, 100));
    assert_eq!(registry.claim(ClaimKind::State, id(1000), until, now), Claim::Full);
    assert_eq!(registry.claim(ClaimKind::State, id(0), until, now), Claim::Lost);
    assert_eq!(registry.claim(ClaimKind::Delivery, id(0), until, now), Claim::Won);
    let later = after(until, seconds(1));
    assert_eq!(registry.claim(ClaimKind::State, id(1000), after(later, seconds(1)), later), Claim::Won);
    assert_eq!(registry.stats().claims, 2, "what is over made room");
}
