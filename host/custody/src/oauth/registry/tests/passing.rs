//! Codes and claims on their way from one instance to the next.

use super::*;

/// A registry that read what another one wrote.
fn moved(desk: &Desk) -> Registry {
    let (mut next, unreadable) = Registry::load(desk.rows(), Bounds::default());
    assert_eq!(unreadable, []);
    next.load_passing(desk.registry.passing()).unwrap();
    next
}

#[test]
fn a_code_is_redeemed_once_by_whichever_instance_and_its_replay_ends_the_family_in_any_other() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 7).unwrap();
    desk.registry = moved(&desk);
    let opening = ForCode { id: [9; 16], max_age: days(60), key_id: [7; 4] };
    let (redeemed, changes) = desk.registry.redeem(&[1; 32], &RIGHT, &opening, desk.now);
    assert_eq!(redeemed.map(|code| code.user), Ok(7));
    desk.commit(changes);
    desk.registry = moved(&desk);
    assert!(desk.alive(9, 7).is_ok());
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Replayed));
    desk.registry = moved(&desk);
    assert_eq!(desk.alive(9, 7), Err(Dead::Ended(End::CodeReplayed)));
}

#[test]
fn a_claim_is_won_once_whichever_instance_asks_and_kinds_do_not_share() {
    let mut desk = Desk::new(Bounds::default());
    let until = after(desk.now, seconds(60));
    for kind in ClaimKind::ALL {
        assert_eq!(desk.registry.claim(kind, [1; 32], until, desk.now), Claim::Won, "{kind:?}");
        desk.registry = moved(&desk);
        assert_eq!(desk.registry.claim(kind, [1; 32], until, desk.now), Claim::Lost, "{kind:?}");
    }
}

#[test]
fn a_renewal_that_failed_may_be_claimed_again_and_nothing_else_may() {
    let mut desk = Desk::new(Bounds::default());
    let until = after(desk.now, seconds(60));
    for kind in ClaimKind::ALL {
        assert!(desk.registry.claim(kind, [1; 32], until, desk.now).won());
    }
    desk.registry.renewal_failed(&[1; 32]);
    desk.registry = moved(&desk);
    for kind in ClaimKind::ALL {
        let again = desk.registry.claim(kind, [1; 32], until, desk.now).won();
        assert_eq!(again, kind == ClaimKind::Renewal, "{kind:?}");
    }
}

#[test]
fn a_row_that_cannot_be_read_stops_the_registry() {
    let mut desk = Desk::new(Bounds::default());
    desk.put_code(1, 7).unwrap();
    desk.registry.claim(ClaimKind::State, [2; 32], after(desk.now, seconds(60)), desk.now);
    for good in desk.registry.passing() {
        let cut_key = Passing { key: good.key[1..].to_vec(), ..good.clone() };
        let cut_value = Passing { value: good.value[..good.value.len() - 1].to_vec(), ..good.clone() };
        let other = String::from_utf8(good.value.clone()).unwrap().replace("\"v\":1", "\"v\":2");
        let newer = Passing { value: other.into_bytes(), ..good.clone() };
        for bad in [cut_key, cut_value, newer, Passing { key: Vec::new(), ..good }] {
            assert_eq!(Registry::new(Bounds::default()).load_passing([bad]), Err(NotPassing));
        }
    }
}
