//! Grants, consents, clients and users.

use super::*;

fn put_grant(
    desk: &mut Desk,
    user: UserId,
    application: Application,
    from: Option<u64>,
) -> Result<u64, Refused> {
    let new = NewGrant {
        user,
        application,
        sealed: b"sealed bytes",
        scopes: "openid read:repository",
        access_expires: after(desk.now, seconds(3600)),
        refreshed_from: from,
    };
    let (revision, changes) = desk.registry.put_grant(&new, desk.now)?;
    desk.commit(changes);
    Ok(revision)
}

fn kill_grant(desk: &mut Desk, user: UserId, application: Application, revision: Option<u64>) -> usize {
    let (ended, changes) = desk.registry.kill_grant(user, application, revision, "invalid_grant", desk.now);
    desk.commit(changes);
    ended
}

#[test]
fn a_dead_grant_takes_the_families_of_its_user_and_application_along() {
    let mut desk = Desk::new(Bounds::default());
    put_grant(&mut desk, 5, Application::Read, None).unwrap();
    put_grant(&mut desk, 5, Application::Write, None).unwrap();
    desk.open(1, 5, "client");
    desk.open(2, 6, "client");
    let writer = NewFamily { application: Application::Write, ..family(3, 5, "client") };
    let changes = desk.registry.open_family(&writer, desk.now).unwrap();
    desk.commit(changes);
    assert_eq!(kill_grant(&mut desk, 5, Application::Read, None), 1);
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::GrantDead)));
    assert!(desk.alive(2, 6).is_ok() && desk.alive(3, 5).is_ok());
    let dead = desk.registry.grant(5, Application::Read).unwrap();
    assert_eq!(dead.state, GrantState::Dead { why: "invalid_grant".to_owned(), at: desk.now });
    assert!(dead.sealed.is_empty(), "what cannot be used is not kept");
    assert_eq!(desk.registry.grant(5, Application::Write).unwrap().state, GrantState::Live);
}

#[test]
fn a_refresh_that_comes_late_neither_overwrites_nor_revives_nor_kills() {
    let mut desk = Desk::new(Bounds::default());
    let first = put_grant(&mut desk, 5, Application::Read, None).unwrap();
    let second = put_grant(&mut desk, 5, Application::Read, Some(first)).unwrap();
    assert!(second > first, "also within one millisecond");
    assert_eq!(put_grant(&mut desk, 5, Application::Read, Some(first)), Err(Refused::Stale));
    desk.open(1, 5, "client");
    assert_eq!(kill_grant(&mut desk, 5, Application::Read, Some(first)), 0);
    assert!(desk.alive(1, 5).is_ok());
    assert_eq!(kill_grant(&mut desk, 5, Application::Read, Some(second)), 1);
    assert_eq!(put_grant(&mut desk, 5, Application::Read, Some(second)), Err(Refused::Stale));
    let dead = desk.registry.grant(5, Application::Read).unwrap().revision;
    assert_eq!(put_grant(&mut desk, 5, Application::Read, Some(dead)), Err(Refused::Stale));
    assert!(put_grant(&mut desk, 5, Application::Read, None).is_ok(), "a new login starts anew");
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::GrantDead)), "what has ended stays so");
}

#[test]
fn debug_shows_nothing_of_a_sealed_grant() {
    let mut desk = Desk::new(Bounds::default());
    put_grant(&mut desk, 5, Application::Read, None).unwrap();
    let shown = format!("{:?}", desk.registry.grant(5, Application::Read).unwrap());
    assert!(shown.contains("sealed_bytes: 12") && !shown.contains("115"), "{shown}");
}

#[test]
fn a_sealed_grant_out_of_bounds_is_refused() {
    let mut desk = Desk::new(Bounds::default());
    let long = vec![0; 16 * 1024 + 1];
    for sealed in [&long[..], b""] {
        let new = NewGrant {
            user: 5,
            application: Application::Read,
            sealed,
            scopes: "",
            access_expires: desk.now,
            refreshed_from: None,
        };
        assert!(matches!(desk.registry.put_grant(&new, desk.now), Err(Refused::BadLength(_))));
    }
    desk.commit(Vec::new());
}

#[test]
fn a_consent_is_remembered_until_it_idles_or_is_revoked() {
    let mut desk = Desk::new(Bounds { approval_idle: days(90), ..Bounds::default() });
    let changes = desk.registry.approve("client", 5, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    let approval = desk.registry.approval("client", 5, desk.now).unwrap();
    assert_eq!((approval.scopes, approval.redirect_uri.as_str()), (READ, REDIRECT));
    assert_eq!(desk.registry.approval("client", 6, desk.now), None);
    assert_eq!(desk.registry.approval("clien", 5, desk.now), None);
    desk.later(days(89));
    let changes = desk.registry.touch_approval("client", 5, desk.now);
    assert_eq!(changes.len(), 1);
    desk.commit(changes);
    assert_eq!(desk.registry.touch_approval("client", 5, desk.now), [], "once an hour");
    desk.later(days(90));
    assert!(desk.registry.approval("client", 5, desk.now).is_some());
    desk.later(seconds(1));
    assert_eq!(desk.registry.approval("client", 5, desk.now), None);
    let (found, changes) = desk.registry.revoke_approval("client", 5);
    desk.commit(changes);
    assert!(found);
    assert_eq!(desk.registry.revoke_approval("client", 5), (false, Vec::new()));
}

#[test]
fn the_least_recently_used_consent_makes_room() {
    let mut desk = Desk::new(Bounds { approvals: 3, ..Bounds::default() });
    for client in ["a", "b", "c"] {
        desk.later(days(1));
        let changes = desk.registry.approve(client, 5, REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    }
    desk.later(days(1));
    let changes = desk.registry.touch_approval("a", 5, desk.now);
    desk.commit(changes);
    let changes = desk.registry.approve("d", 6, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    assert!(desk.registry.approval("a", 5, desk.now).is_some());
    assert!(desk.registry.approval("b", 5, desk.now).is_none());
    let changes = desk.registry.approve("d", 6, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    assert_eq!(desk.registry.stats().approvals, 3, "renewing one costs no other");
}

#[test]
fn nobody_has_more_than_64_consents_and_the_least_recently_used_makes_room() {
    let mut desk = Desk::new(Bounds::default());
    let approve = |desk: &mut Desk, user: UserId, client: &str| {
        desk.later(seconds(3_600));
        let changes = desk.registry.approve(client, user, REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    };
    approve(&mut desk, 6, "client 0");
    for client in 0..64 {
        approve(&mut desk, 5, &format!("client {client}"));
    }
    desk.later(seconds(3_600));
    let changes = desk.registry.touch_approval("client 0", 5, desk.now);
    desk.commit(changes);
    approve(&mut desk, 5, "client 63");
    assert_eq!(desk.registry.stats().approvals, 65, "approving anew costs no other");
    approve(&mut desk, 5, "client 64");
    let known = |client: &str, user| desk.registry.approval(client, user, desk.now).is_some();
    assert!(known("client 0", 5) && known("client 2", 5) && known("client 64", 5));
    assert!(!known("client 1", 5), "it was not used for the longest time");
    assert!(known("client 0", 6), "another's is older and stays");
    assert_eq!(desk.registry.stats().approvals, 65);
}

#[test]
fn a_smaller_bound_counts_for_consents_that_are_there() {
    let mut desk = Desk::new(Bounds::default());
    for client in ["a", "b", "c", "d"] {
        desk.later(seconds(3_600));
        let changes = desk.registry.approve(client, 5, REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    }
    desk.registry.bounds.approvals_per_user = 2;
    desk.later(seconds(3_600));
    let changes = desk.registry.approve("a", 5, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    let left: Vec<&str> = ["a", "b", "c", "d"]
        .into_iter()
        .filter(|client| desk.registry.approval(client, 5, desk.now).is_some())
        .collect();
    assert_eq!(left, ["a", "d"]);
}

#[test]
fn a_revoked_client_loses_everything_and_is_refused_from_then_on() {
    let mut desk = Desk::new(Bounds::default());
    for user in [5, 6] {
        desk.open(user, i64::from(user), "client");
        let changes = desk.registry.approve("client", user.into(), REDIRECT, READ, desk.now).unwrap();
        desk.commit(changes);
    }
    desk.open(7, 5, "other");
    let changes = desk.registry.saw_client("client", "A client", ClientKind::Dynamic, desk.now).unwrap();
    desk.commit(changes);
    let (revoked, changes) = desk.registry.revoke_client("client", desk.now);
    desk.commit(changes);
    assert_eq!(revoked, Ok(ClientRevoked { families: 2, approvals: 2, codes: 0 }));
    assert_eq!(desk.alive(5, 5), Err(Dead::Ended(End::ClientRevoked)));
    assert!(desk.alive(7, 5).is_ok());
    desk.restart();
    assert!(desk.registry.client_refused("client"));
    let now = desk.now;
    let registry = &mut desk.registry;
    assert_eq!(registry.open_family(&family(8, 5, "client"), now), Err(Refused::ClientRevoked));
    assert_eq!(registry.approve("client", 5, REDIRECT, READ, now), Err(Refused::ClientRevoked));
    let seen = registry.saw_client("client", "", ClientKind::Dynamic, now);
    assert_eq!(seen, Err(Refused::ClientRevoked));
    let (found, changes) = desk.registry.allow_client("client");
    desk.commit(changes);
    assert!(found && !desk.registry.client_refused("client"));
    assert_eq!(desk.alive(5, 5), Err(Dead::Ended(End::ClientRevoked)), "what has ended stays so");
    desk.open(9, 5, "client");
}

#[test]
fn refusals_are_never_forgotten_and_a_full_list_says_so() {
    let mut desk = Desk::new(Bounds { refused_clients: 2, clients: 1, ..Bounds::default() });
    for client in ["a", "b", "a"] {
        let (revoked, changes) = desk.registry.revoke_client(client, desk.now);
        desk.commit(changes);
        assert!(revoked.is_ok());
    }
    desk.open(1, 5, "c");
    let (revoked, changes) = desk.registry.revoke_client("c", desk.now);
    desk.commit(changes);
    let ended = ClientRevoked { families: 1, ..ClientRevoked::default() };
    assert_eq!(revoked, Err(NotRefused::Full { limit: 2, ended }));
    assert!(revoked.unwrap_err().to_string().contains("is full (2)"));
    assert!(desk.alive(1, 5).is_err());
    desk.later(days(10_000));
    let changes = desk.registry.collect(desk.now);
    desk.commit(changes);
    assert!(desk.registry.client_refused("a") && desk.registry.client_refused("b"));
    assert!(!desk.registry.client_refused("c"));
}

#[test]
fn an_unreadable_refusal_still_refuses() {
    for value in [&b""[..], b"{", b"\xff", b"{\"v\":9}", &[b'x'; 100_000]] {
        let row = Row { table: Table::Meta, key: b"refused/client".to_vec(), value: value.to_vec() };
        let (registry, unreadable) = Registry::load([row], Bounds::default());
        assert!(registry.client_refused("client") && unreadable.is_empty());
    }
}

#[test]
fn a_family_of_a_refused_client_is_dead_however_it_came_into_the_store() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let refusal = Row { table: Table::Meta, key: b"refused/client".to_vec(), value: Vec::new() };
    let rows = desk.rows().into_iter().chain([refusal]);
    (desk.registry, _) = Registry::load(rows, Bounds::default());
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::ClientRevoked)));
}

#[test]
fn what_leaves_the_index_of_clients_goes_on_working() {
    let mut desk = Desk::new(Bounds { clients: 2, ..Bounds::default() });
    for (id, client) in ["a", "b", "c"].into_iter().enumerate() {
        desk.later(days(1));
        desk.open(u8::try_from(id).unwrap(), 5, client);
        let changes = desk.registry.saw_client(client, "Name", ClientKind::Document, desk.now).unwrap();
        desk.commit(changes);
    }
    assert_eq!(desk.registry.stats().clients, 2);
    assert!(desk.alive(0, 5).is_ok());
    assert!(!desk.registry.client_refused("a"));
    desk.open(3, 5, "a");
    let views = desk.registry.clients(desk.now);
    let names: Vec<(&str, &str, usize)> =
        views.iter().map(|view| (view.id.as_str(), view.name.as_str(), view.families)).collect();
    assert_eq!(names, [("a", "", 2), ("b", "Name", 1), ("c", "Name", 1)]);
}

#[test]
fn a_revoked_user_loses_everything_and_may_sign_in_again() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    desk.open(2, 5, "other");
    desk.open(3, 6, "client");
    let changes = desk.registry.saw_user(6, "bob", desk.now).unwrap();
    desk.commit(changes);
    put_grant(&mut desk, 5, Application::Read, None).unwrap();
    let changes = desk.registry.approve("client", 5, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    desk.put_code(1, 5).unwrap();
    let (revoked, changes) = desk.registry.revoke_user(Who::Login("ALICE"), desk.now);
    desk.commit(changes);
    let expected = UserRevoked { users: vec![5], families: 2, approvals: 1, grants: 1, codes: 1, unnoted: 0 };
    assert_eq!(revoked, expected);
    assert_eq!(desk.alive(1, 5), Err(Dead::Ended(End::UserRevoked)));
    assert_eq!(desk.take(1, &RIGHT), Err(BadCode::Burnt));
    assert!(desk.registry.grant(5, Application::Read).unwrap().sealed.is_empty());
    assert!(desk.alive(3, 6).is_ok());
    desk.open(4, 5, "client");
    assert!(desk.alive(4, 5).is_ok());
    let (nobody, changes) = desk.registry.revoke_user(Who::Login("carol"), desk.now);
    assert_eq!((nobody, changes), (UserRevoked::default(), Vec::new()));
}

#[test]
fn revoking_by_login_means_everybody_whose_newest_login_it_is() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "client");
    let changes = desk.registry.saw_user(5, "alicia", desk.now).unwrap();
    desk.commit(changes);
    desk.open(2, 6, "client");
    let (revoked, changes) = desk.registry.revoke_user(Who::Login("alice"), desk.now);
    desk.commit(changes);
    assert_eq!(revoked.users, [6], "5 is called alicia now");
    let (revoked, changes) = desk.registry.revoke_user(Who::Id(5), desk.now);
    desk.commit(changes);
    assert_eq!((revoked.users, revoked.families), (vec![5], 1));
    desk.open(3, 7, "client");
    desk.file.retain(|(table, _), _| *table != Table::Users);
    desk.restart();
    let (revoked, changes) = desk.registry.revoke_user(Who::Login("alice"), desk.now);
    desk.commit(changes);
    assert!(revoked.users.contains(&7) && desk.alive(3, 7).is_err(), "also when the user's row was lost");
}

#[test]
fn the_list_of_users_says_what_they_have() {
    let mut desk = Desk::new(Bounds::default());
    desk.open(1, 5, "b");
    desk.open(2, 5, "a");
    desk.open(3, 5, "a");
    let changes = desk.registry.end_family(&[1; 16], End::ClientAsked, desk.now);
    desk.commit(changes);
    put_grant(&mut desk, 5, Application::Read, None).unwrap();
    let changes = desk.registry.approve("z", 4, REDIRECT, READ, desk.now).unwrap();
    desk.commit(changes);
    let views = desk.registry.users(desk.now);
    assert_eq!(views.iter().map(|view| view.user).collect::<Vec<_>>(), [4, 5]);
    assert_eq!((views[0].login.as_str(), views[0].approvals), ("", 1));
    assert_eq!((views[1].login.as_str(), views[1].families), ("alice", 2));
    assert_eq!(views[1].clients, ["a"]);
    assert_eq!(views[1].grants, [(Application::Read, GrantState::Live)]);
    assert_eq!(views[1].last_seen, Some(desk.now));
}
