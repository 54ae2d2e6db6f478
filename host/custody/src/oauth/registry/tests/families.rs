//! Token families: rotation, reuse, what a crash may lose, ages and room.

use std::sync::Mutex;
use std::time::Duration;

use super::*;

#[test]
fn each_rotation_gives_the_next_generation() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    for generation in 1..20 {
        assert_eq!(desk.rotate(1, generation), Rotation::Rotated { generation: generation + 1 });
        desk.later(days(1));
    }
}

#[test]
fn the_token_before_gets_the_same_successor_for_a_minute_even_after_a_key_change() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.rotate_by(1, 1, "client", [1; 4]), Rotation::Rotated { generation: 2 });
    desk.later(seconds(60));
    let again = Rotation::SameAgain { generation: 2, key_id: [1; 4] };
    assert_eq!(desk.rotate_by(1, 1, "client", [2; 4]), again, "another root key is newest by now");
    assert_eq!(desk.rotate_by(1, 2, "client", [2; 4]), Rotation::Rotated { generation: 3 });
    let again = Rotation::SameAgain { generation: 3, key_id: [2; 4] };
    assert_eq!(desk.rotate_by(1, 2, "client", [3; 4]), again);
}

#[test]
fn a_token_presented_after_its_minute_ends_the_family() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    desk.rotate(1, 1);
    desk.later(Duration::from_millis(60_001));
    assert_eq!(desk.rotate(1, 1), Rotation::Reuse);
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::RefreshReused)));
    assert_eq!(desk.rotate(1, 2), Rotation::Dead(Dead::Ended(End::RefreshReused)));
}

#[test]
fn a_token_two_rotations_old_ends_the_family_within_the_minute_too() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    desk.rotate(1, 1);
    desk.rotate(1, 2);
    assert_eq!(desk.rotate(1, 1), Rotation::Reuse);
}

#[test]
fn a_clock_that_steps_back_does_not_lengthen_the_minute() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    desk.rotate(1, 1);
    desk.now = Timestamp::from_unix_millis(START - 3_600_000);
    assert_eq!(desk.rotate(1, 1), Rotation::Reuse);
}

#[test]
fn a_rotation_that_a_crash_lost_is_caught_up_with_and_reuse_is_still_seen() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let before_crash = desk.file.clone();
    assert_eq!(desk.rotate(1, 1), Rotation::Rotated { generation: 2 });
    desk.file = before_crash;
    desk.restart();
    desk.later(days(1));
    assert_eq!(desk.rotate(1, 2), Rotation::Rotated { generation: 3 });
    assert_eq!(desk.rotate(1, 2), Rotation::SameAgain { generation: 3, key_id: [7; 4] });
    assert_eq!(desk.rotate(1, 1), Rotation::Reuse, "the token of the lost rotation is used up");
}

#[test]
fn a_token_two_rotations_ahead_ends_the_family() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.rotate(1, 3), Rotation::Dead(Dead::Ended(End::RegistryBehind)));
    assert_eq!(desk.rotate(1, 1), Rotation::Dead(Dead::Ended(End::RegistryBehind)));
}

#[test]
fn generations_at_both_ends_of_the_numbers_rotate_nothing() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.rotate(1, 0), Rotation::Dead(Dead::Unknown));
    assert_eq!(desk.rotate(1, u32::MAX), Rotation::Dead(Dead::Ended(End::RegistryBehind)));
    desk.open(2, 5, "client");
    let mut last = desk.registry.families.get(&[2; 16]).unwrap().clone();
    last.generation = u32::MAX;
    let mut changes = Vec::new();
    desk.registry.families.put(last, &mut changes);
    desk.commit(changes);
    assert_eq!(desk.rotate(2, u32::MAX), Rotation::Dead(Dead::TooOld));
}

#[test]
fn another_client_gets_nothing_and_harms_nothing() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.rotate_by(1, 1, "other", [7; 4]), Rotation::Dead(Dead::OtherClient));
    assert_eq!(desk.rotate(1, 1), Rotation::Rotated { generation: 2 });
}

#[test]
fn sixty_four_refreshes_at_once_get_one_successor() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let now = desk.now;
    let registry = Mutex::new(desk.registry);
    let answers: Vec<Rotation> = std::thread::scope(|scope| {
        let ask = |n: u8| {
            let registry = &registry;
            scope.spawn(move || {
                let presented =
                    PresentedRefresh { family: [1; 16], generation: 1, client: "client", key_id: [n; 4] };
                registry.lock().unwrap().rotate(&presented, now).0
            })
        };
        let asked: Vec<_> = (0..64).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let rotated = answers.iter().filter(|a| matches!(a, Rotation::Rotated { .. })).count();
    assert_eq!(rotated, 1);
    let key_id = registry.lock().unwrap().families.get(&[1; 16]).unwrap().key_id;
    let same = Rotation::SameAgain { generation: 2, key_id };
    assert_eq!(answers.iter().filter(|a| **a == same).count(), 63, "all by the key of the one rotation");
}

#[test]
fn a_family_is_the_users_own_and_says_the_newest_login() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.alive(1, 6), Err(Dead::Unknown));
    assert_eq!(desk.alive(2, 5), Err(Dead::Unknown));
    let changes = desk.registry.saw_user(5, "alicia", desk.now).unwrap();
    desk.commit(changes);
    assert_eq!(desk.alive(1, 5).unwrap().login, "alicia");
    desk.file.retain(|(table, _), _| *table != Table::Users);
    desk.restart();
    assert_eq!(desk.alive(1, 5).unwrap().login, "alice", "a lost row of the user costs the new name only");
}

#[test]
fn a_family_dies_of_age_by_its_own_bound_or_the_registrys() {
    let mut desk = Desk::new(Bounds { session_idle: days(1000), ..Bounds::default() });
    desk.open(1, 5, "client");
    desk.later(days(60));
    assert!(desk.alive(1, 5).is_ok());
    desk.later(seconds(1));
    assert_eq!(desk.alive(1, 5), Err(Dead::TooOld));
    assert_eq!(desk.rotate(1, 1), Rotation::Dead(Dead::TooOld));
    desk.open(2, 5, "client");
    desk.registry.bounds.session_age = days(10);
    desk.later(days(11));
    assert_eq!(desk.alive(2, 5), Err(Dead::TooOld), "a smaller bound counts at once");
}

#[test]
fn use_keeps_a_family_from_idling_and_is_noted_once_an_hour() {
    let mut desk = Desk::new(Bounds { session_idle: days(2), session_age: days(400), ..Bounds::default() });
    desk.open(1, 5, "client");
    let mut notes = 0;
    for _ in 0..(6 * 60) {
        desk.later(seconds(60));
        let changes = desk.registry.touch(&[1; 16], desk.now);
        notes += changes.iter().filter(|change| change.table == Table::Families).count();
        desk.commit(changes);
    }
    assert_eq!(notes, 6);
    desk.later(days(2));
    assert!(desk.alive(1, 5).is_ok());
    desk.later(seconds(1));
    assert_eq!(desk.alive(1, 5), Err(Dead::Idle));
    let changes = desk.registry.touch(&[1; 16], desk.now);
    assert_eq!(changes, [], "nothing dead is kept alive by using it");
}

#[test]
fn a_family_in_constant_use_does_not_idle_under_a_bound_of_minutes() {
    let mut desk = Desk::new(Bounds { session_idle: seconds(600), ..Bounds::default() });
    desk.open(1, 5, "client");
    for _ in 0..100 {
        desk.later(seconds(300));
        assert!(desk.alive(1, 5).is_ok());
        let changes = desk.registry.touch(&[1; 16], desk.now);
        desk.commit(changes);
    }
}

#[test]
fn a_user_has_sixty_four_families_and_the_least_recently_used_makes_room() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(200, 6, "client");
    for id in 0..64 {
        desk.later(seconds(1));
        desk.open(id, 5, "client");
    }
    desk.later(days(1));
    let changes = desk.registry.touch(&[0; 16], desk.now);
    desk.commit(changes);
    desk.open(64, 5, "client");
    assert!(desk.alive(0, 5).is_ok(), "used since");
    assert_eq!(desk.alive(1, 5), Err(Dead::Unknown));
    assert!(desk.alive(2, 5).is_ok());
    assert!(desk.alive(200, 6).is_ok(), "another user's");
    let changes = desk.registry.end_family(&[50; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    desk.open(65, 5, "client");
    assert_eq!(desk.alive(50, 5), Err(Dead::Unknown), "an ended one goes first");
    assert!(desk.alive(2, 5).is_ok());
    assert_eq!(desk.registry.stats().families, 65);
}

#[test]
fn all_families_together_are_bounded_too() {
    let mut desk = Desk::new(Bounds { families: 10, ..Bounds::default() });
    for id in 0..30 {
        desk.later(seconds(1));
        desk.open(id, i64::from(id), "client");
    }
    assert_eq!(desk.registry.stats().families, 10);
    assert!(desk.alive(20, 20).is_ok() && desk.alive(19, 19).is_err());
}

#[test]
fn a_family_is_not_opened_twice_nor_for_texts_out_of_bounds() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let again = desk.registry.open_family(&family(1, 6, "other"), desk.now);
    assert_eq!(again, Err(Refused::Exists));
    let long = "c".repeat(513);
    for client in ["", long.as_str()] {
        let refused = desk.registry.open_family(&family(2, 5, client), desk.now);
        assert!(matches!(refused, Err(Refused::BadLength(_))), "{client}");
    }
    desk.commit(Vec::new());
}

#[test]
fn ending_a_family_twice_keeps_the_first_reason() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let changes = desk.registry.end_family(&[1; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    assert_eq!(desk.registry.end_family(&[1; 16], End::UserRevoked, desk.now), []);
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::ClientAsked)));
}
