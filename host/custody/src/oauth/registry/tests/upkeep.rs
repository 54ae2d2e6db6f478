//! Collection, bounds, strangers, backup and restore.

use super::*;

fn full(bounds: Bounds) -> Desk {
    let mut desk = Desk::new(bounds);
    for id in 0..4 {
        desk.open(id, i64::from(id), "client");
        let grant = NewGrant {
            user: id.into(),
            application: Application::Read,
            sealed: &[id; 40],
            scopes: "openid",
            access_expires: desk.now,
            refreshed_from: None,
        };
        let (_, changes) = desk.registry.put_grant(&grant, desk.now).unwrap();
        desk.commit(changes);
        let changes = desk.registry.approve("client", id.into(), REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    }
    let changes = desk.registry.saw_client("client", "A", ClientKind::Registered, desk.now).unwrap();
    desk.commit(changes);
    let (revoked, changes) = desk.registry.revoke_client("bad", desk.now);
    desk.commit(changes);
    assert!(revoked.is_ok());
    desk
}

fn collect(desk: &mut Desk) -> Vec<Change> {
    let changes = desk.registry.collect(desk.now);
    desk.commit(changes.clone());
    changes
}

#[test]
fn collecting_takes_what_is_over_and_leaves_the_rest() {
    let mut desk = full(Bounds::default());
    assert_eq!(collect(&mut desk), [], "nothing is over");
    let changes = desk.registry.end_family(&[0; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    desk.later(seconds(3601));
    collect(&mut desk);
    assert_eq!(desk.registry.grant(0, Application::Read), None, "no family lives on it");
    assert!(desk.registry.grant(1, Application::Read).is_some());
    let (_, changes) = desk.registry.kill_grant(1, Application::Read, None, "invalid_grant", desk.now);
    desk.commit(changes);
    desk.later(days(1));
    collect(&mut desk);
    assert!(desk.registry.grant(1, Application::Read).is_some(), "lists still tell of it");
    desk.later(days(1));
    collect(&mut desk);
    assert_eq!(desk.registry.grant(1, Application::Read), None);
    desk.later(days(40));
    collect(&mut desk);
    assert_eq!(desk.registry.stats().families, 2, "idle ones are gone, ended ones stay");
    desk.later(days(40));
    collect(&mut desk);
    assert_eq!(desk.registry.stats().families, 0, "past their greatest age");
    desk.later(days(91));
    collect(&mut desk);
    let left = Stats { refused_clients: 1, ..Stats::default() };
    assert_eq!(desk.registry.stats(), left, "refusals alone stay for ever");
    assert_eq!(desk.file.len(), 1);
}

#[test]
fn smaller_bounds_shrink_what_an_older_start_left() {
    let desk = full(Bounds::default());
    let small = Bounds { families: 2, approvals: 2, users: 1, ..Bounds::default() };
    let (registry, _) = Registry::load(desk.rows(), small);
    let mut desk = Desk { registry, ..desk };
    collect(&mut desk);
    let stats = desk.registry.stats();
    assert_eq!((stats.families, stats.approvals, stats.users), (2, 2, 1));
}

#[test]
fn a_million_strangers_change_nothing() {
    let mut desk = full(Bounds::default());
    let (before, now) = (desk.registry.stats(), desk.now);
    let registry = &mut desk.registry;
    for n in 0..1_000_000_u32 {
        let mut id = [0xee; 32];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let mut family = [0xee; 16];
        family[..4].copy_from_slice(&n.to_be_bytes());
        let presented = PresentedRefresh { family, generation: 1, client: "client", key_id: [0; 4] };
        // Each stranger knocks at one door, so that a million knocks stay quick.
        let unchanged = match n % 6 {
            0 => registry.take_code(&id, &RIGHT, now) == (Err(BadCode::Unknown), Vec::new()),
            1 => registry.rotate(&presented, now) == (Rotation::Dead(Dead::Unknown), Vec::new()),
            2 => registry.alive(&family, 1, now) == Err(Dead::Unknown),
            3 => registry.touch(&family, now).is_empty(),
            4 => {
                registry.approval("stranger", n.into(), now).is_none() && !registry.client_refused("stranger")
            }
            _ => registry.end_family(&family, End::ClientAsked, now).is_empty(),
        };
        assert!(unchanged, "{n}");
    }
    assert_eq!(desk.registry.stats(), before);
    desk.commit(Vec::new());
}

#[test]
fn a_restored_backup_brings_back_what_was_lost() {
    let desk = full(Bounds::default());
    let backup = desk.registry.export();
    let mut fresh = Desk { now: desk.now, ..Desk::new(Bounds::default()) };
    let (unreadable, changes) = fresh.registry.replace(backup.clone());
    fresh.commit(changes);
    assert_eq!(unreadable, []);
    assert_eq!(fresh.file, desk.file);
    assert!(fresh.alive(1, 1).is_ok() && fresh.registry.client_refused("bad"));

    let mut lived_in = Desk { now: desk.now, ..Desk::new(Bounds::default()) };
    lived_in.open(77, 7, "client");
    let (_, changes) = lived_in.registry.replace(backup);
    lived_in.commit(changes);
    assert_eq!(lived_in.alive(77, 7), Err(Dead::Unknown), "newer than the backup");
    assert!(
        lived_in.registry.approval("client", 1, lived_in.now).is_none(),
        "it may have been revoked since"
    );
}

#[test]
fn a_restored_backup_makes_nothing_good_again_that_ended_since() {
    let mut desk = full(Bounds::default());
    let backup = desk.registry.export();
    desk.later(seconds(100));
    let changes = desk.registry.end_family(&[0; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    desk.rotate_by(1, 1, "client", [9; 4]);
    let (_, changes) = desk.registry.kill_grant(2, Application::Read, None, "invalid_grant", desk.now);
    desk.commit(changes);
    let (revoked, changes) = desk.registry.revoke_client("worse", desk.now);
    desk.commit(changes);
    assert!(revoked.is_ok());
    let soon = after(desk.now, seconds(60));
    assert!(desk.registry.claim(ClaimKind::State, [1; 32], soon, desk.now).won());
    desk.put_code(1, 3).unwrap();
    assert!(desk.take(1, &RIGHT).is_ok());
    desk.put_code(2, 3).unwrap();

    let (unreadable, changes) = desk.registry.replace(backup);
    desk.commit(changes);
    assert_eq!(unreadable, []);
    assert_eq!(desk.alive(0, 0), Err(Dead::Ended(End::ClientAsked)));
    assert_eq!(desk.alive(1, 1).unwrap().generation, 2);
    assert_eq!(desk.alive(2, 2), Err(Dead::Ended(End::GrantDead)));
    assert!(desk.registry.grant(2, Application::Read).unwrap().sealed.is_empty());
    assert!(desk.registry.client_refused("worse"));
    assert_eq!(desk.registry.claim(ClaimKind::State, [1; 32], soon, desk.now), Claim::Lost);
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Replayed));
    assert_eq!(desk.take(2, &RIGHT), Err(BadCode::Unknown));
}

#[test]
fn a_family_that_ended_stays_so_through_backups_that_do_not_know_it() {
    let mut desk = full(Bounds::default());
    let backup = desk.registry.export();
    let changes = desk.registry.end_family(&[0; 16], End::UserRevoked, desk.now);
    desk.commit(changes);
    for rows in [Vec::new(), backup] {
        let (_, changes) = desk.registry.replace(rows);
        desk.commit(changes);
        assert_eq!(desk.alive(0, 0), Err(Dead::Ended(End::UserRevoked)));
    }
    assert!(desk.alive(1, 1).is_ok());
}

#[test]
fn what_is_over_does_not_count_as_live_though_it_is_still_held() {
    let mut desk = full(Bounds::default());
    assert_eq!(desk.registry.live(desk.now), Live { families: 4, grants: 4 });
    let changes = desk.registry.end_family(&[0; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    let (_, changes) = desk.registry.kill_grant(1, Application::Read, None, "invalid_grant", desk.now);
    desk.commit(changes);
    assert_eq!(
        desk.registry.live(desk.now),
        Live { families: 2, grants: 3 },
        "a grant takes its families along"
    );
    desk.later(days(31));
    assert_eq!(desk.registry.live(desk.now).families, 0, "nobody has used them");
    assert_eq!((desk.registry.stats().families, desk.registry.stats().grants), (4, 4));
}
