//! F7: somebody else's hand on the log of a server that serves: the next call is refused, nothing is sent to Gitea, the reason
//! is named. What is put back is gone on with; what is lost is shown by `verify`, and stops the next start.
//!
//! A second server (exit 75), a file moved away, appended to and emptied are in tests/host/trail.rs.

use std::path::Path;

use crate::stand::{Stand, read, result_of, until};

/// What somebody does to the log, and what the server says to it.
struct Hand {
    what: &'static str,
    done: fn(&Path, &Path),
    says: &'static str,
    /// Taken back, service goes on.
    back: Option<fn(&Path, &Path)>,
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).expect("copied");
}

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).expect("renamed");
}

const HANDS: [Hand; 5] = [
    Hand {
        what: "logrotate with copytruncate",
        done: |log, aside| {
            copy(log, aside);
            std::fs::OpenOptions::new().write(true).open(log).expect("the log").set_len(0).expect("cut");
        },
        says: "changed by somebody else",
        back: None,
    },
    Hand {
        what: "logrotate with create",
        done: |log, aside| {
            rename(log, aside);
            std::fs::write(log, b"").expect("made");
        },
        says: "replaced by somebody else",
        back: Some(|log, aside| rename(aside, log)),
    },
    Hand {
        what: "a copy in its place",
        done: |log, aside| {
            rename(log, aside);
            copy(aside, log);
        },
        says: "replaced by somebody else",
        back: Some(|log, aside| rename(aside, log)),
    },
    Hand {
        what: "a link in its place",
        done: |log, aside| {
            rename(log, aside);
            std::os::unix::fs::symlink(aside, log).expect("linked");
        },
        says: "replaced by somebody else",
        back: Some(|log, aside| rename(aside, log)),
    },
    Hand {
        what: "removed",
        done: |log, _| std::fs::remove_file(log).expect("removed"),
        says: "moved or removed by somebody else",
        back: None,
    },
];

#[tokio::test]
async fn a_foreign_hand_is_seen_by_the_next_call_and_stops_all() {
    for hand in HANDS {
        let stand = Stand::new().await;
        let server = stand.setup().start().await;
        for _ in 0..3 {
            assert!(result_of(&read(&server.url).await.expect("an answer")).is_some());
        }
        let (aside, sent) = (stand.folder.0.join("aside"), stand.forge.requests().len());
        (hand.done)(&stand.audit, &aside);
        let answer = read(&server.url).await.expect("an answer");
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (503, Some("audit_unavailable")),
            "{}: {}",
            hand.what,
            answer.text()
        );
        assert_eq!(stand.forge.requests().len(), sent, "{}: nothing is sent without a record", hand.what);
        until("the reason is named", async || server.log().contains(hand.says)).await;
        match hand.back {
            Some(back) => {
                back(&stand.audit, &aside);
                until("it serves again", async || {
                    read(&server.url).await.is_some_and(|answer| answer.status == 200)
                })
                .await;
                assert_eq!(server.stop().await.code, 0, "{}", hand.what);
                assert_eq!(stand.verify().await.0, 0, "{}", hand.what);
            }
            None => {
                server.stop().await;
                let (code, said) = stand.verify().await;
                assert!(code == 1 || code == 2, "{}: exit {code}: {said}", hand.what);
                let (code, said) = stand.setup().refused().await;
                assert!(code == 1 && said.contains("were signed"), "{}: exit {code}: {said}", hand.what);
            }
        }
    }
    println!("F7: {} kinds of foreign hands, each seen by the next call", HANDS.len());
}

/// Rights are looked at when a file is opened: taken away from a log that is open they take nothing from it.
#[tokio::test]
async fn a_log_whose_rights_were_taken_away_is_written_on_and_lost_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let stand = Stand::new().await;
    let server = stand.setup().start().await;
    let mode = |mode| {
        std::fs::set_permissions(&stand.audit, std::fs::Permissions::from_mode(mode)).expect("changed");
    };
    mode(0o000);
    let id = result_of(&read(&server.url).await.expect("an answer")).expect("served");
    assert_eq!(server.stop().await.code, 0);
    mode(0o600);
    stand.judge(&[id].into(), "rights taken away").await;
    assert_eq!(stand.verify().await.0, 0);
}

/// A closed segment that has the name already is nothing to write over.
#[tokio::test]
async fn a_name_that_is_taken_stops_the_closing_of_a_segment_and_no_more() {
    let stand = Stand::new().await;
    let server = stand.setup().start().await;
    assert!(result_of(&read(&server.url).await.expect("an answer")).is_some());
    // log_open, two lines of a call, one about the operator, and segment_close.
    let taken = stand.trail().join("audit-000000000001-000000000005.jsonl");
    std::fs::write(&taken, b"somebody else's").expect("written");
    let (code, said) = stand.operator(&["audit", "rotate"]).await;
    assert_ne!(code, 0, "{said}");
    let answer = read(&server.url).await.expect("an answer");
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (503, Some("audit_unavailable")),
        "{}",
        answer.text()
    );
    until("the reason is named", async || server.log().contains("exists already: move it away")).await;
    assert_eq!(std::fs::read(&taken).expect("there"), b"somebody else's");
    std::fs::remove_file(&taken).expect("moved away");
    until("it serves again", async || read(&server.url).await.is_some_and(|answer| answer.status == 200))
        .await;
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(stand.verify().await.0, 0);
}
