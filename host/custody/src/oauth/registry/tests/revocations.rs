//! Who was revoked, and that it stays so when the rest is lost.

use super::*;

fn revoke(desk: &mut Desk, who: Who<'_>) -> UserRevoked {
    let (revoked, changes) = desk.registry.revoke_user(who, desk.now);
    desk.commit(changes);
    revoked
}

fn remember(desk: &mut Desk, rows: Vec<Row>) -> Vec<Unreadable> {
    let (unreadable, changes) = desk.registry.remember(rows, desk.now);
    desk.commit(changes);
    unreadable
}

fn kept(desk: &Desk) -> Vec<Row> {
    let kept: Vec<Row> = desk.registry.revocations().collect();
    assert!(kept.iter().all(|row| row.table == Table::Meta && is_revocation(&row.key)));
    kept
}

#[test]
fn since_when_a_user_is_revoked_lasts_until_the_user_is_allowed() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    assert_eq!(desk.registry.user_revoked_at(5), None);
    revoke(&mut desk, Who::Login("alice"));
    let first = desk.now;
    desk.restart();
    assert_eq!(desk.registry.user_revoked_at(5), Some(first));
    desk.later(days(400));
    let changes = desk.registry.collect(desk.now);
    desk.commit(changes);
    assert_eq!(desk.registry.user_revoked_at(5), Some(first), "no time makes it over");
    assert_eq!(desk.registry.users(desk.now)[0].revoked_at, Some(first));
    // The user's own row is gone by now, and the name still means the same person.
    revoke(&mut desk, Who::Login("ALICE"));
    assert_eq!(desk.registry.user_revoked_at(5), Some(desk.now));
    let newest = desk.now;
    desk.now = first;
    revoke(&mut desk, Who::Id(5));
    assert_eq!(
        desk.registry.user_revoked_at(5),
        Some(newest),
        "a clock that was set back takes nothing back"
    );
    let (allowed, changes) = desk.registry.allow_user(Who::Login("Alice"));
    desk.commit(changes);
    assert_eq!((allowed, desk.registry.user_revoked_at(5)), (vec![5], None));
    assert_eq!(desk.registry.allow_user(Who::Login("alice")), (Vec::new(), Vec::new()));
    assert_eq!(desk.registry.allow_user(Who::Id(5)), (Vec::new(), Vec::new()));
}

#[test]
fn a_full_list_of_revoked_users_says_so_and_forgets_nobody() {
    let mut desk = Desk::new(Bounds { revoked_users: 1, ..Bounds::default() });
    desk.open(1, 5, "client");
    desk.open(2, 6, "client");
    assert_eq!(revoke(&mut desk, Who::Id(5)).unnoted, 0);
    let second = revoke(&mut desk, Who::Id(6));
    assert_eq!((second.unnoted, second.families), (1, 1), "what can be ended is ended all the same");
    assert_eq!(revoke(&mut desk, Who::Id(5)).unnoted, 0);
    assert!(desk.registry.user_revoked_at(5).is_some() && desk.registry.user_revoked_at(6).is_none());
}

#[test]
fn what_was_kept_apart_revokes_again_where_the_rest_was_lost() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let (revoked, changes) = desk.registry.revoke_client("bad", desk.now);
    desk.commit(changes);
    assert!(revoked.is_ok());
    revoke(&mut desk, Who::Id(5));
    let (kept, revoked_at) = (kept(&desk), desk.now);
    assert_eq!(kept.len(), 2);

    let mut fresh = Desk::new(Bounds::default());
    fresh.now = desk.now;
    fresh.later(days(1));
    assert_eq!(remember(&mut fresh, kept.clone()), []);
    assert!(fresh.registry.client_refused("bad"));
    assert_eq!(fresh.registry.user_revoked_at(5), Some(revoked_at));
    fresh.open(2, 5, "client");
    assert_eq!(remember(&mut fresh, kept), [], "once more changes nothing");
    assert!(fresh.alive(2, 5).is_ok(), "who signed in since is left alone");
    fresh.restart();
    assert!(fresh.registry.client_refused("bad") && fresh.registry.user_revoked_at(5).is_some());
}

#[test]
fn an_old_copy_that_was_put_in_place_by_hand_does_not_bring_back_what_was_revoked() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    desk.open(2, 6, "bad");
    desk.open(3, 6, "client");
    for (client, user) in [("client", 5), ("bad", 6)] {
        let changes = desk.registry.approve(client, user, REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    }
    let old = desk.rows();
    desk.later(days(1));
    revoke(&mut desk, Who::Id(5));
    let (_, changes) = desk.registry.revoke_client("bad", desk.now);
    desk.commit(changes);
    let kept = kept(&desk);
    (desk.registry, _) = Registry::load(old.clone(), Bounds::default());
    desk.file = old.into_iter().map(|row| ((row.table, row.key), row.value)).collect();
    assert!(desk.alive(1, 5).is_ok() && desk.alive(2, 6).is_ok());
    remember(&mut desk, kept);
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::UserRevoked)));
    assert_eq!(desk.alive(2, 6), Err(Dead::Ended(End::ClientRevoked)));
    assert!(desk.alive(3, 6).is_ok());
    assert_eq!(desk.registry.stats().approvals, 0);
}

#[test]
fn a_backup_from_before_leaves_a_revoked_user_revoked() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    revoke(&mut desk, Who::Id(5));
    let backup = desk.rows();
    desk.later(days(1));
    revoke(&mut desk, Who::Id(5));
    let newest = desk.now;
    let (_, changes) = desk.registry.replace(backup.clone());
    desk.commit(changes);
    assert_eq!(desk.registry.user_revoked_at(5), Some(newest));
    let (_, changes) = desk.registry.replace(Vec::new());
    desk.commit(changes);
    assert_eq!(desk.registry.user_revoked_at(5), Some(newest));
    let mut fresh = Desk::new(Bounds::default());
    let (_, changes) = fresh.registry.replace(backup);
    fresh.commit(changes);
    assert!(fresh.registry.user_revoked_at(5).is_some(), "a backup brings its revocations along");
}

#[test]
fn a_note_that_cannot_be_read_refuses_everything_of_that_user_and_one_of_nobody_is_named() {
    for value in [&b""[..], b"{", b"\xff", b"{\"v\":9}"] {
        let row = |key: &[u8]| Row { table: Table::Meta, key: key.to_vec(), value: value.to_vec() };
        let (registry, unreadable) = Registry::load([row(b"revoked-user/5")], Bounds::default());
        let far = Timestamp::from_unix_millis(i64::MAX);
        assert_eq!((registry.user_revoked_at(5), unreadable.len()), (Some(far), 0));
        for nobody in [&b"revoked-user/"[..], b"revoked-user/05", b"revoked-user/x", b"refused/"] {
            let (_, unreadable) = Registry::load([row(nobody)], Bounds::default());
            assert_eq!(unreadable.len(), 1, "{}", String::from_utf8_lossy(nobody));
            let mut registry = Registry::new(Bounds::default());
            let (unreadable, changes) = registry.remember([row(nobody)], Timestamp::from_unix_millis(START));
            assert_eq!((unreadable.len(), changes.len()), (1, 0));
        }
    }
}
