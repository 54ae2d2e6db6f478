use serde_json::{Value, json};

use super::super::record::{Stage, entry, stranger};
use super::*;

fn every_request() -> Vec<Request> {
    let (id, login, path) = ("d1.abc".to_owned(), "alice".to_owned(), PathBuf::from("/b.redb"));
    vec![
        Request::ClientsList,
        Request::ClientsRevoke { id: id.clone() },
        Request::ClientsAllow { id },
        Request::UsersList,
        Request::UsersShow { login: login.clone() },
        Request::UsersRevoke { login: login.clone() },
        Request::UsersAllow { login },
        Request::Backup { path: path.clone() },
        Request::Restore { path },
        Request::KeysReload,
        Request::Timeline,
        Request::Status,
    ]
}

#[test]
fn every_request_is_read_as_it_was_written() {
    for request in every_request() {
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request, "{text}");
    }
}

#[test]
fn what_changes_something_is_on_record_with_who_asked_and_what_only_looks_is_not() {
    let looks = ["clients_list", "users_list", "users_show", "timeline", "status"];
    for request in every_request() {
        let name = serde_json::to_value(&request).unwrap()["request"].as_str().unwrap().to_owned();
        let entry = entry(&request, 1_000, Stage::Asked);
        assert_eq!(entry.is_none(), looks.contains(&name.as_str()), "{name}");
        let Some(entry) = entry else { continue };
        assert_eq!(entry.event, aegis_custody::audit::Event::SecurityEvent);
        assert_eq!(entry.members["detail"]["peer_uid"], 1_000);
        assert!(entry.members["reason"].as_str().unwrap().starts_with("operator_"), "{name}");
    }
}

#[test]
fn a_record_says_how_it_ended() {
    let request = Request::UsersRevoke { login: "alice".to_owned() };
    let detail =
        |answer: &Answer| entry(&request, 0, Stage::Answered(answer)).unwrap().members["detail"].clone();
    let ended = Ended { sessions: 2, approvals: 1, grants: 1, codes: 0 };
    let done = detail(&Answer::UserRevoked { users: vec![7], known: true, ended, kept: KEPT });
    let wanted = json!({
        "login": "alice", "peer_uid": 0, "stage": "done", "users": [7], "known": true, "sessions": 2, "approvals": 1, "grants": 1,
        "codes": 0, "durable": true, "kept_once": false,
    });
    assert_eq!(done, wanted);
    let failed = detail(&Answer::refused("unknown_user", "nobody"));
    assert_eq!(failed, json!({"login": "alice", "peer_uid": 0, "stage": "failed", "cause": "unknown_user"}));
    assert_eq!(stranger(4).members["reason"], "admin_peer_refused");
}

#[tokio::test]
async fn revoking_a_person_ends_everything_of_theirs_and_nothing_of_others() {
    let room = Room::with_alice();
    sign_in(&room.records, 8, "bob", "editor", 2);
    sign_in(&room.records, 7, "Alice", "other", 3);
    let answer = room.answer(Request::UsersRevoke { login: "aLICE".to_owned() }).await;
    let ended = Ended { sessions: 2, approvals: 2, grants: 1, codes: 0 };
    assert_eq!(answer, Answer::UserRevoked { users: vec![7], known: true, ended, kept: KEPT });
    assert!(!is_alive(&room.records, 1) && !is_alive(&room.records, 3));
    assert!(is_alive(&room.records, 2));
    let Answer::User { users } = room.answer(Request::UsersShow { login: "alice".to_owned() }).await else {
        panic!()
    };
    assert_eq!((users[0].user.sessions, users[0].user.grants[0].live), (0, false));
    assert!(users[0].approved.is_empty());
    // It is on the volume: a start from it knows no better.
    room.records.store.close().await;
    let again = records(&room.storage());
    assert!(!is_alive(&again, 1) && is_alive(&again, 2));
}

#[tokio::test]
async fn a_person_is_named_by_login_or_by_number_and_an_unknown_one_is_told() {
    let room = Room::with_alice();
    for login in ["", "bob", "id:", "id:0", "id:-2", "id:x", "7"] {
        let show = room.answer(Request::UsersShow { login: login.to_owned() }).await;
        assert_eq!(reason(&show), "unknown_user", "{login}");
        let revoke = room.answer(Request::UsersRevoke { login: login.to_owned() }).await;
        assert_eq!(reason(&revoke), "unknown_user", "{login}");
    }
    assert!(is_alive(&room.records, 1));
    // Somebody who was never here is shown to nobody, and is revoked all the same.
    assert_eq!(reason(&room.answer(Request::UsersShow { login: "id:8".to_owned() }).await), "unknown_user");
    let answer = room.answer(Request::UsersRevoke { login: "id:8".to_owned() }).await;
    assert!(matches!(answer, Answer::UserRevoked { known: false, users, .. } if users == [8]));
    assert!(room.records.read(|registry, _| registry.user_revoked_at(8)).is_some());
    assert!(is_alive(&room.records, 1));
    let answer = room.answer(Request::UsersRevoke { login: "id:7".to_owned() }).await;
    assert!(matches!(answer, Answer::UserRevoked { users, .. } if users == [7]));
    assert!(!is_alive(&room.records, 1));
}

#[tokio::test]
async fn a_revoked_client_is_refused_until_it_is_allowed_and_what_it_had_stays_ended() {
    let room = Room::with_alice();
    let id = "editor".to_owned();
    let answer = room.answer(Request::ClientsRevoke { id: id.clone() }).await;
    let ended = Ended { sessions: 1, approvals: 1, grants: 0, codes: 0 };
    assert_eq!(answer, Answer::ClientRevoked { id: id.clone(), known: true, ended, kept: KEPT });
    assert!(room.records.read(|registry, _| registry.client_refused("editor")));
    let Answer::Clients { clients } = room.answer(Request::ClientsList).await else { panic!() };
    assert!(clients[0].revoked_at.is_some() && clients[0].name == "An editor");
    let answer = room.answer(Request::ClientsAllow { id: id.clone() }).await;
    assert_eq!(answer, Answer::ClientAllowed { id: id.clone(), was_revoked: true, kept: KEPT });
    assert!(!room.records.read(|registry, _| registry.client_refused("editor")));
    assert!(!is_alive(&room.records, 1));
    let unknown = room.answer(Request::ClientsRevoke { id: "typo".to_owned() }).await;
    assert!(matches!(unknown, Answer::ClientRevoked { known: false, .. }));
    assert_eq!(
        reason(&room.answer(Request::ClientsRevoke { id: String::new() }).await),
        "client_not_revoked"
    );
}

#[tokio::test]
async fn a_backup_brings_back_what_was_lost_and_nothing_that_was_revoked_since() {
    let room = Room::with_alice();
    let path = room.folder.path().join("copy.redb");
    assert_eq!(
        room.answer(Request::Backup { path: path.clone() }).await,
        Answer::BackedUp { path: path.clone() }
    );
    // Once more over the first.
    assert_eq!(
        room.answer(Request::Backup { path: path.clone() }).await,
        Answer::BackedUp { path: path.clone() }
    );
    room.answer(Request::UsersRevoke { login: "alice".to_owned() }).await;
    let answer = room.answer(Request::Restore { path: path.clone() }).await;
    assert!(
        matches!(answer, Answer::Restored { rows, unreadable: 0, kept: KEPT, .. } if rows > 3),
        "{answer:?}"
    );
    assert!(!is_alive(&room.records, 1));
    let fresh = Room::new();
    fresh.answer(Request::Restore { path }).await;
    assert!(is_alive(&fresh.records, 1));
}

#[tokio::test]
async fn a_backup_is_not_written_over_anything_but_a_backup() {
    let room = Room::with_alice();
    let path = room.folder.path().join("audit.log");
    std::fs::write(&path, "a record").unwrap();
    assert_eq!(reason(&room.answer(Request::Backup { path: path.clone() }).await), "backup_target");
    assert_eq!(std::fs::read(&path).unwrap(), b"a record");
    let own = registry_beside(&room.storage());
    assert!(matches!(room.answer(Request::Backup { path: own }).await, Answer::Refused { .. }));
    let relative = PathBuf::from("copy.redb");
    assert_eq!(reason(&room.answer(Request::Backup { path: relative.clone() }).await), "backup_target");
    assert_eq!(reason(&room.answer(Request::Restore { path: relative }).await), "not_restored");
    assert_eq!(reason(&room.answer(Request::Restore { path }).await), "not_restored");
    assert!(is_alive(&room.records, 1));
}

#[tokio::test]
async fn no_answer_holds_what_was_granted() {
    let room = Room::with_alice();
    for request in [Request::UsersList, Request::UsersShow { login: "alice".to_owned() }, Request::Status] {
        let text = serde_json::to_string(&room.answer(request).await).unwrap();
        let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD_NO_PAD, b"sealed-bytes");
        assert!(!text.contains("sealed-bytes") && !text.contains(&encoded), "{text}");
    }
}

#[tokio::test]
async fn what_only_a_server_knows_is_not_made_up() {
    let room = Room::new();
    for request in [Request::Timeline, Request::KeysReload] {
        assert_eq!(reason(&room.answer(request).await), "no_server");
    }
    let Answer::Status { status } = room.answer(Request::Status).await else { panic!() };
    assert!(!status.running && status.durable && status.kids.is_empty() && status.origin.is_none());
    let status: Value = serde_json::to_value(&status).unwrap();
    assert_eq!(status["counts"]["users"], 0);
}
