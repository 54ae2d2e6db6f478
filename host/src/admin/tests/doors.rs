use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use super::super::door::is_let_in;
use super::*;

/// Send bytes, end the sending side, and read what comes.
async fn sent(path: PathBuf, bytes: Vec<u8>) -> String {
    let talk = move || {
        let mut stream = UnixStream::connect(path).unwrap();
        // The other side may have heard enough before the end.
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        String::from_utf8(heard).unwrap()
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

#[tokio::test]
async fn the_socket_is_there_for_its_owner_alone_and_goes_with_the_server() {
    let room = Room::new();
    let door = room.open();
    let mode = std::fs::metadata(room.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(door);
    assert!(!room.socket().exists());
    assert!(!room.folder.path().join("admin.sock.new").exists());
}

#[test]
fn root_and_the_servers_own_user_are_let_in_and_nobody_else() {
    let admits = is_let_in(65_532);
    assert!(admits(0) && admits(65_532));
    assert!(!admits(1_000) && !admits(u32::MAX));
}

#[tokio::test]
async fn who_is_not_let_in_hears_so_and_is_noted_and_nothing_is_done() {
    let room = Room::with_alice();
    let _door = open(&room.socket(), room.clerk(), |_| false).unwrap();
    let answer = asked(room.socket(), Request::UsersRevoke { login: "alice".to_owned() }).await.unwrap();
    assert_eq!(reason(&answer), "forbidden");
    assert_eq!(*room.strangers.lock().unwrap(), [rustix::process::geteuid().as_raw()]);
    assert!(is_alive(&room.records, 1));
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_replaced_and_a_living_one_is_not() {
    let room = Room::new();
    drop(UnixListener::bind(room.socket()).unwrap());
    let door = room.open();
    assert!(matches!(asked(room.socket(), Request::Status).await, Ok(Answer::Status { .. })));
    let second = open(&room.socket(), room.clerk(), |_| true);
    assert_eq!(second.err().unwrap().kind(), std::io::ErrorKind::AddrInUse);
    assert!(matches!(asked(room.socket(), Request::Status).await, Ok(Answer::Status { .. })));
    drop(door);
}

#[tokio::test]
async fn a_server_that_ends_leaves_the_socket_of_another_alone() {
    let room = Room::new();
    let first = room.open();
    std::fs::remove_file(room.socket()).unwrap();
    let _second = room.open();
    drop(first);
    assert!(matches!(asked(room.socket(), Request::Status).await, Ok(Answer::Status { .. })));
}

#[tokio::test]
async fn something_else_by_the_sockets_name_is_left_alone() {
    let room = Room::new();
    std::fs::write(room.socket(), "mine").unwrap();
    assert!(open(&room.socket(), room.clerk(), |_| true).is_err());
    assert_eq!(std::fs::read(room.socket()).unwrap(), b"mine");
}

#[tokio::test]
async fn several_requests_on_one_connection_are_answered_in_turn() {
    let room = Room::with_alice();
    let _door = room.open();
    let text =
        sent(room.socket(), b"{\"request\":\"users_list\"}\n{\"request\":\"clients_list\"}\n".to_vec()).await;
    let answers: Vec<Answer> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(matches!(answers.as_slice(), [Answer::Users { .. }, Answer::Clients { .. }]), "{text}");
}

#[tokio::test]
async fn a_line_that_is_cut_off_is_no_request() {
    let room = Room::with_alice();
    let _door = room.open();
    let cut = sent(room.socket(), b"{\"request\":\"users_revoke\",\"login\":\"alice\"}".to_vec()).await;
    assert_eq!(cut, "");
    assert!(is_alive(&room.records, 1));
    let whole = sent(room.socket(), b"{\"request\":\"users_revoke\",\"login\":\"alice\"}\n".to_vec()).await;
    assert!(whole.contains("user_revoked"), "{whole}");
    assert!(!is_alive(&room.records, 1));
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let room = Room::new();
    let _door = room.open();
    let lines = [
        "",
        "{}",
        "[]",
        "\"status\"",
        "{\"request\":\"shell\"}",
        "{\"request\":\"users_revoke\"}",
        "{\"request\":\"users_revoke\",\"login\":\"a\",\"also\":1}",
        "{\"request\":\"users_revoke\",\"login\":7}",
        "\u{1}",
    ];
    for line in lines {
        let text = sent(room.socket(), format!("{line}\n").into_bytes()).await;
        let answer: Answer = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}: {text}"));
        assert_eq!(reason(&answer), "malformed", "{line}");
    }
}

#[tokio::test]
async fn a_request_of_64_kib_is_read_and_a_longer_one_is_refused() {
    let room = Room::new();
    let _door = room.open();
    let request = |length: usize| {
        let empty = "{\"request\":\"users_show\",\"login\":\"\"}\n".len();
        format!("{{\"request\":\"users_show\",\"login\":\"{}\"}}\n", "x".repeat(length - empty)).into_bytes()
    };
    let longest = sent(room.socket(), request(MAX_REQUEST)).await;
    assert!(longest.contains("unknown_user"), "{:.200}", longest);
    let longer = sent(room.socket(), request(MAX_REQUEST + 1)).await;
    assert!(longer.contains("too_long"), "{longer}");
}

#[tokio::test]
async fn more_than_a_few_connections_are_turned_away() {
    let room = Room::new();
    let _door = room.open();
    let held: Vec<UnixStream> = (0..4).map(|_| UnixStream::connect(room.socket()).unwrap()).collect();
    let answer = asked(room.socket(), Request::Status).await.unwrap();
    assert_eq!(reason(&answer), "busy");
    drop(held);
}

#[tokio::test]
async fn without_a_server_that_is_said_and_one_that_hangs_is_not_taken_for_none() {
    let room = Room::new();
    assert!(matches!(asked(room.socket(), Request::Status).await, Err(NotAsked::NoServer(_))));
    let hanging = UnixListener::bind(room.socket()).unwrap();
    let short = Duration::from_millis(20);
    let path = room.socket();
    let asked_it = tokio::task::spawn_blocking(move || ask_within(&path, &Request::Status, &[], short));
    assert!(matches!(asked_it.await.unwrap(), Err(NotAsked::Silent(..))));
    drop(hanging);
    assert!(matches!(asked(room.socket(), Request::Status).await, Err(NotAsked::NoServer(_))));
    let long = room.folder.path().join("x".repeat(200)).join("admin.sock");
    assert!(matches!(asked(long, Request::Status).await, Err(NotAsked::NoServer(_))));
}

#[tokio::test]
async fn an_answer_of_another_version_is_told_as_such() {
    let room = Room::new();
    let listener = UnixListener::bind(room.socket()).unwrap();
    let other = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"{\"answer\":\"from the future\"}\n").unwrap();
        // Until the other side has gone.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    assert!(matches!(asked(room.socket(), Request::Status).await, Err(NotAsked::Unreadable(_))));
    other.await.unwrap();
}
