//! The forge as a witness: what it records, what it calls a violation, the intent on disk, the faults.

use std::io::Write;
use std::path::PathBuf;

use aegis_tests::forge::world::ALICE_TOKEN;
use aegis_tests::forge::{Fault, FaultKind, Forge, Options};
use aegis_tests::http::{Answer, send};

use super::{forge, get};

async fn raw(forge: &Forge, method: &str, target: &str, headers: &[(&str, &str)]) -> std::io::Result<Answer> {
    send(&forge.url(), method, target, headers, b"").await
}

fn bearer() -> String {
    format!("Bearer {ALICE_TOKEN}")
}

#[tokio::test]
async fn records_each_request_with_who_sent_it_and_how_it_ended() {
    let forge = forge().await;
    let headers = [("authorization", bearer()), ("x-request-id", "t-1".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    raw(&forge, "GET", "/api/v1/repos/alice/demo/branches/feature%2Fone?x=%20y", &headers)
        .await
        .expect("an answer");
    let seen = forge.requests();
    assert_eq!(seen.len(), 1);
    let one = &seen[0];
    assert_eq!(
        (one.method.as_str(), one.path.as_str()),
        ("GET", "/api/v1/repos/alice/demo/branches/feature%2Fone")
    );
    assert_eq!((one.query.as_str(), one.status, one.has_authorization), ("x=%20y", 200, true));
    assert_eq!((one.user.as_deref(), one.x_request_id.as_deref()), (Some("alice"), Some("t-1")));
    assert_eq!(forge.violations(), [] as [String; 0]);
    forge.forget();
    assert!(forge.requests().is_empty());
}

#[tokio::test]
async fn calls_out_what_should_never_be_sent() {
    let cases = [
        ("GET", "/api/v1/admin/users", "unplanned request"),
        ("DELETE", "/api/v1/repos/alice/demo", "unplanned request"),
        ("GET", "/alice/demo", "unplanned request"),
        ("GET", "/api/v1/user?sudo=bob", "`sudo` in the query"),
        ("GET", "/api/v1/user?a=b&%74oken=x", "`token` in the query"),
        ("GET", "/api/v1/user?access_token=x", "`access_token` in the query"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/src/../x", "not clean"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/src/%2e%2e/x", "not clean"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/src%2F..%2Fx", "not clean"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/src//x", "not clean"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/a%5Cb", "not clean"),
        ("GET", "/api/v1/repos/alice/demo/contents-ext/a%00b", "not clean"),
    ];
    for (method, target, problem) in cases {
        let forge = forge().await;
        raw(&forge, method, target, &[("authorization", &bearer())]).await.expect("an answer");
        let violations = forge.violations();
        assert!(violations.iter().any(|violation| violation.contains(problem)), "{target}: {violations:?}");
    }
    let forge = forge().await;
    raw(&forge, "GET", "/api/v1/version", &[]).await.expect("an answer");
    assert!(forge.violations().is_empty());
    raw(&forge, "GET", "/api/v1/repos/alice/demo", &[]).await.expect("an answer");
    raw(&forge, "GET", "/api/v1/user", &[("authorization", &bearer()), ("sudo", "bob")])
        .await
        .expect("an answer");
    let violations = forge.violations();
    assert_eq!(violations.len(), 2);
    assert!(
        violations[0].contains("no Authorization") && violations[1].contains("Sudo header"),
        "{violations:?}"
    );
}

/// An audit file of its own for one test.
struct Trail(PathBuf);

impl Trail {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("aegis-forge-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("audit.log")
    }

    fn write(&self, text: &str) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.file()).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn line(&self, ticket: &str, status: &str) {
        self.write(&format!("{{\"seq\":1,\"ticket\":\"{ticket}\",\"status\":\"{status}\"}}\n"));
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _removed = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn answers_nothing_before_the_intent_is_on_disk() {
    let trail = Trail::new("intent");
    let forge = Forge::start(Options { audit: Some(trail.file()), ..Options::default() }).await;
    let status = async |ticket: Option<&str>| {
        let bearer = bearer();
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(ticket.map(|ticket| ("x-request-id", ticket)));
        raw(&forge, "GET", "/api/v1/repos/alice/demo", &headers).await.expect("an answer").status
    };
    assert_eq!(status(Some("t-1")).await, 500, "no file at all");
    trail.line("t-1", "pending");
    assert_eq!(status(Some("t-1")).await, 200);
    assert_eq!(status(Some("t-1")).await, 200, "one ticket may cover several requests");
    assert_eq!(status(None).await, 500);
    trail.line("t-2", "success");
    assert_eq!(status(Some("t-2")).await, 500, "an outcome is no intent");
    trail.write("{\"ticket\":\"t-3\",\"status\":\"pending\"");
    assert_eq!(status(Some("t-3")).await, 500, "half a line is not on disk yet");
    trail.write("}\n");
    assert_eq!(status(Some("t-3")).await, 200);
    trail.line("t-4", "pending");
    std::fs::rename(trail.file(), trail.0.join("audit-1-4.jsonl")).expect("rotated");
    trail.line("t-5", "pending");
    assert_eq!(
        (status(Some("t-5")).await, status(Some("t-4")).await),
        (200, 200),
        "a rotation loses nothing"
    );
    assert_eq!(forge.violations().len(), 4);
    forge.next_fault(Fault::on("/repos/", FaultKind::Status(503)));
    assert_eq!((status(Some("t-6")).await, status(Some("t-5")).await), (500, 503), "a fault excuses nothing");
    assert_eq!(forge.violations().len(), 5);
    let open = raw(&forge, "GET", "/api/v1/version", &[]).await.expect("an answer");
    assert_eq!(open.status, 200, "the two open routes need no ticket");
    assert_eq!(forge.violations().len(), 5);
}

#[tokio::test]
async fn goes_wrong_once_in_the_way_that_was_asked_for() {
    let forge = forge().await;
    let demo = "/repos/alice/demo";
    forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Status(503)));
    forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::BadJson));
    forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::CloseMidBody));
    forge.next_fault(Fault::on("/repos/alice/demo", FaultKind::Close));
    assert_eq!(get(&forge, ALICE_TOKEN, "/user").await.status, 200, "another path is spared");
    assert_eq!(get(&forge, ALICE_TOKEN, demo).await.status, 503);
    let odd = get(&forge, ALICE_TOKEN, demo).await;
    assert!(odd.status == 200 && serde_json::from_slice::<serde_json::Value>(&odd.body).is_err());
    let cut = get(&forge, ALICE_TOKEN, demo).await;
    assert!(cut.status == 200 && !cut.complete);
    let target = format!("/api/v1{demo}");
    assert!(raw(&forge, "GET", &target, &[("authorization", &bearer())]).await.is_err());
    assert_eq!(get(&forge, ALICE_TOKEN, demo).await.status, 200, "then all is well again");
    assert!(forge.violations().is_empty());
}

#[tokio::test]
async fn hangs_until_the_client_gives_up() {
    let forge = forge().await;
    forge.next_fault(Fault::on("/user", FaultKind::Hang));
    let hanging = tokio::spawn({
        let url = forge.url();
        async move { send(&url, "GET", "/api/v1/user", &[("authorization", &bearer())], b"").await }
    });
    while forge.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&forge, ALICE_TOKEN, "/user").await.status, 200, "others are served meanwhile");
    assert!(!hanging.is_finished());
    hanging.abort();
    assert_eq!(forge.requests()[0].status, 0);
}
