use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::super::attend::keep;
use super::*;

fn attended(room: &Room, places: &Places) -> Attending {
    keep(places.clone(), room.clerk(), |_| true, Duration::from_millis(1))
}

/// Ask until this place answers.
async fn answers_at(path: &Path) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while asked(path.to_owned(), Request::Status).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "{} never answered", path.display());
    }
}

/// Wait until nothing has this name.
async fn is_gone(path: &Path) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while path.exists() {
        assert!(tokio::time::Instant::now() < deadline, "{} stayed", path.display());
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_places_are_beside_the_registry_and_beside_the_audit_log_under_its_name() {
    let places = Places::beside(Path::new("/data/clients.json"), Path::new("/trail/audit.log"));
    assert_eq!(places.home, Path::new("/data/admin.sock"));
    assert_eq!(places.stand_in, Path::new("/trail/audit.log.admin.sock"));
    let here = Places::beside(Path::new("clients.json"), Path::new("audit.log"));
    assert_eq!(here.home, Path::new("./admin.sock"));
    assert_eq!(here.stand_in, Path::new("./audit.log.admin.sock"));
}

#[tokio::test]
async fn without_a_place_beside_the_registry_the_door_is_beside_the_log_until_there_is_one() {
    let room = Room::with_alice();
    let registry = room.folder.path().join("registry");
    let places = Places::beside(&registry.join("clients.json"), &room.folder.path().join("audit.log"));
    let attending = attended(&room, &places);
    assert_eq!(std::fs::metadata(&places.stand_in).unwrap().permissions().mode() & 0o777, 0o600);
    let revoke = Request::UsersRevoke { login: "alice".to_owned() };
    let both = places.clone();
    let answer = tokio::task::spawn_blocking(move || ask(&both, &revoke)).await.unwrap();
    assert!(matches!(answer, Ok(Answer::UserRevoked { .. })), "{answer:?}");
    assert!(!is_alive(&room.records, 1));

    std::fs::create_dir(&registry).unwrap();
    answers_at(&places.home).await;
    is_gone(&places.stand_in).await;

    // A volume that goes away takes the socket along; operators are let in all the same.
    std::fs::remove_dir_all(&registry).unwrap();
    answers_at(&places.stand_in).await;
    drop(attending);
    is_gone(&places.stand_in).await;
    is_gone(&places.home).await;
}

#[tokio::test]
async fn where_no_door_can_be_made_at_all_one_is_made_as_soon_as_it_can() {
    let room = Room::new();
    let place = room.folder.path().join("later");
    let places = Places::beside(&place.join("clients.json"), &place.join("audit.log"));
    let attending = attended(&room, &places);
    let both = places.clone();
    let answer = tokio::task::spawn_blocking(move || ask(&both, &Request::Status)).await.unwrap();
    let Err(NotAsked::NoServer(tried)) = answer else { panic!("{answer:?}") };
    let text = tried.to_string();
    assert!(text.contains("later/admin.sock or ") && text.ends_with("later/audit.log.admin.sock"), "{text}");
    std::fs::create_dir(&place).unwrap();
    answers_at(&places.home).await;
    drop(attending);
}
