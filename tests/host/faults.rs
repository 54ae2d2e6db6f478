//! A Gitea in trouble, one row for each kind: the error that the client gets for a read and for a write, that it comes
//! although the trouble would never end, what Gitea was sent, what is on record, and that nothing piles up in memory.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::server::{KEY, Server};
use tokio::net::TcpListener;

use crate::scene::{READ, Scene, WRITE, call, outcomes};
use crate::tls::{Flaw, Tls, file};

/// A row: the trouble, how a read ends (status and name), how often it is sent, and the cause that a write names.
type Row = (&'static str, FaultKind, u16, &'static str, usize, Write);

/// How a write ends.
enum Write {
    /// Nobody knows whether it happened; this is why.
    Unknown(&'static str),
    /// Gitea refused it.
    Refused(u16, &'static str),
}

const TABLE: [Row; 16] = [
    ("silent", FaultKind::Hang, 504, "gitea_timeout", 1, Write::Unknown("gitea_timeout")),
    ("a byte a second", FaultKind::Drip, 504, "gitea_timeout", 1, Write::Unknown("gitea_timeout")),
    ("stops in the body", FaultKind::Stall, 504, "gitea_timeout", 1, Write::Unknown("gitea_timeout")),
    ("500", FaultKind::Status(500), 502, "gitea_failed", 1, Write::Unknown("gitea_failed")),
    ("501", FaultKind::Status(501), 502, "gitea_failed", 1, Write::Unknown("gitea_failed")),
    ("502", FaultKind::Status(502), 502, "gitea_failed", 3, Write::Unknown("gitea_failed")),
    ("503", FaultKind::Status(503), 429, "gitea_busy", 3, Write::Unknown("gitea_busy")),
    ("504", FaultKind::Status(504), 502, "gitea_failed", 3, Write::Unknown("gitea_failed")),
    ("reset", FaultKind::Close, 502, "gitea_answer_broken", 3, Write::Unknown("gitea_answer_broken")),
    (
        "reset in the body",
        FaultKind::CloseMidBody,
        502,
        "gitea_answer_broken",
        1,
        Write::Unknown("gitea_answer_broken"),
    ),
    (
        "wrong length",
        FaultKind::WrongLength,
        502,
        "gitea_answer_broken",
        1,
        Write::Unknown("gitea_answer_broken"),
    ),
    (
        "cut JSON",
        FaultKind::BadJson,
        502,
        "gitea_answer_not_json",
        1,
        Write::Unknown("gitea_answer_not_json"),
    ),
    (
        "a page of HTML",
        FaultKind::Html,
        502,
        "gitea_answer_not_json",
        1,
        Write::Unknown("gitea_answer_not_json"),
    ),
    (
        "a gigabyte",
        FaultKind::Gigabyte,
        502,
        "gitea_answer_too_large",
        1,
        Write::Unknown("gitea_answer_too_large"),
    ),
    (
        "429 for a minute",
        FaultKind::RetryAfter(429, "60"),
        429,
        "gitea_busy",
        1,
        Write::Refused(429, "gitea_busy"),
    ),
    (
        "503 for a minute",
        FaultKind::RetryAfter(503, "60"),
        429,
        "gitea_busy",
        1,
        Write::Unknown("gitea_busy"),
    ),
];

/// A call: status, name and message of its error.
async fn called(server: &Server, what: (&str, &str)) -> (u16, String, String) {
    let answer = call(&server.url, KEY, what).await.expect("it ran").expect("an answer");
    let error = answer.json()["error"].clone();
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    (answer.status, text("code"), text("message"))
}

/// The most memory that the server ever held, in KiB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn each_trouble_has_its_error_in_time_and_in_bounded_memory() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").set("REQUEST_TIMEOUT_SECONDS", "2").start().await;
    assert_eq!(called(&server, READ).await.0, 200);
    assert_eq!(called(&server, WRITE).await.0, 200);
    let before = peak(&server);
    for (name, kind, status, reason, tries, write) in TABLE {
        scene.forge.forget();
        scene.forge.every_fault(Fault::on("/repos/alice/demo", kind.clone()));
        let (found, code, _) = called(&server, READ).await;
        assert_eq!((found, code.as_str()), (status, reason), "{name}");
        assert_eq!(scene.forge.times("GET", "/api/v1/repos/alice/demo"), tries, "{name}");
        scene.forge.mend();
        let post = Fault { method: Some("POST".parse().expect("a method")), ..Fault::on("/issues", kind) };
        scene.forge.every_fault(post);
        let (found, code, message) = called(&server, WRITE).await;
        let (status, reason, word) = match write {
            Write::Unknown(because) => (504, "write_outcome_unknown", because),
            Write::Refused(status, reason) => (status, reason, ""),
        };
        assert_eq!((found, code.as_str()), (status, reason), "{name}: {message}");
        assert!(message.contains(word), "{name}: {message}");
        assert_eq!(scene.forge.times("POST", "/api/v1/repos/alice/demo/issues"), 1, "{name}: never again");
        scene.forge.mend();
        assert_eq!(scene.forge.violations(), [] as [String; 0], "{name}");
    }
    // Several of the largest at once.
    scene.forge.every_fault(Fault::on("/repos/alice/demo", FaultKind::Gigabyte));
    let several: Vec<_> = (0..6).map(|_| call(&server.url, KEY, READ)).collect();
    for one in several {
        assert_eq!(one.await.expect("it ran").expect("an answer").status, 502);
    }
    scene.forge.mend();
    let grown = peak(&server).saturating_sub(before);
    assert!(grown < 192 << 10, "{grown} KiB more than with small answers");
    assert_eq!(called(&server, READ).await.0, 200, "and afterwards all is well");
    let stopped = server.stop().await;
    let told = outcomes(&stopped.audit);
    let errors = told.iter().filter(|status| *status == "error").count();
    assert_eq!(errors, 2 * TABLE.len() + 6, "each is on record: {told:?}");
}

/// A Gitea that is not there, or whose TLS is none: a failure to connect, in time, and nothing of a write is sent.
#[tokio::test]
async fn what_cannot_be_connected_to_is_unreachable_for_reads_and_writes() {
    let scene = Scene::new().await;
    let tls = Tls::before(&scene.forge.url(), Flaw::Expired).await;
    let trusted = file(&scene.folder.0, "trusted.pem", &tls.pem).display().to_string();
    // Takes a connection and says nothing: no handshake ever ends.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let silent_url = format!("https://{}", silent.local_addr().expect("its address"));
    // One log for all three: what the servers before have written stands in it.
    for (before, (name, url)) in
        [("down", "http://127.0.0.1:1"), ("silent TLS", &silent_url), ("expired TLS", &tls.url)]
            .into_iter()
            .enumerate()
    {
        let setup = scene.setup().writes("alice/demo").set("GITEA_URL", url);
        let server = setup.set("GITEA_CA_FILE", &trusted).set("REQUEST_TIMEOUT_SECONDS", "2").start().await;
        for what in [READ, WRITE] {
            let (status, code, message) = called(&server, what).await;
            assert_eq!((status, code.as_str()), (502, "gitea_unreachable"), "{name}: {message}");
        }
        let stopped = server.stop().await;
        let errors = outcomes(&stopped.audit).iter().filter(|status| *status == "error").count();
        assert_eq!(errors, 2 * (before + 1), "{name}");
        assert!(scene.forge.requests().is_empty(), "{name}");
    }
}
