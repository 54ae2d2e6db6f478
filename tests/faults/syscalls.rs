//! F1: every system call by which a server keeps its log fails once, or is its last: at the start, while it serves, while a
//! segment is closed and a checkpoint signed, and at the stop.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::campaign::size;
use crate::stand::{Stand, read, result_of, write};
use crate::strace::{Call, around, calls, ended, injected, instances, required};

/// How many points, spread over all there are.
const POINTS: &str = "AEGIS_TEST_POINTS";
/// What happens at a point.
const FAULTS: [&str; 4] = ["error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL"];

/// What a life under strace came to.
#[derive(Default)]
struct Life {
    /// The server listened.
    began: bool,
    /// Calls that were answered with their result.
    answered: BTreeSet<String>,
    /// Calls that were refused.
    refused: usize,
    calls: Vec<Call>,
}

/// A log with something to recover: lines, checkpoints, and a torn line.
async fn before(stand: &Stand) -> BTreeSet<String> {
    let server = stand.setup().start().await;
    let mut answered = BTreeSet::new();
    for _ in 0..3 {
        answered.extend(result_of(&read(&server.url).await.expect("an answer")));
    }
    server.signal("KILL").await;
    server.wait().await;
    let mut log = std::fs::OpenOptions::new().append(true).open(&stand.audit).expect("the log");
    log.write_all(br#"{"v":1,"seq":"#).expect("torn");
    answered
}

/// Start, serve, close a segment, serve, stop; with this happening to it.
async fn life(stand: &Stand, inject: Option<&str>) -> Life {
    let trace = stand.folder.0.join("trace");
    let words = around(stand.trail(), &trace, inject);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut life = Life::default();
    let setup = stand.setup().writes("alice/demo").wrapped_in(&words);
    let Ok(server) = setup.try_start().await else {
        life.calls = calls(&trace);
        return life;
    };
    let process = server.pid();
    life.began = true;
    for round in 0..3 {
        for call in 0..5 {
            let answer = if call == 0 { write(&server.url).await } else { read(&server.url).await };
            match answer.as_ref().map(result_of) {
                Some(Some(id)) => drop(life.answered.insert(id)),
                Some(None) => life.refused += 1,
                // It was killed.
                None => {}
            }
        }
        if round < 2 {
            // Refused or without an answer where the fault strikes.
            stand.operator(&["audit", "rotate"]).await;
        }
    }
    server.try_signal("TERM").await;
    server.wait().await;
    life.calls = ended(&trace, process).await;
    life
}

/// One fault, and everything that must hold after it.
async fn struck(inject: &str) -> (usize, bool) {
    let stand = Stand::new().await;
    let mut answered = before(&stand).await;
    let life = life(&stand, Some(inject)).await;
    answered.extend(life.answered);
    let case = format!("{inject} ({} refused)", life.refused);
    stand.judge(&answered, &case).await;
    // The fault is over: the log goes on where it was, and says what became of it.
    let server = stand.setup().start().await;
    let answer = read(&server.url).await.expect("an answer");
    answered.extend(result_of(&answer));
    assert_eq!(answer.status, 200, "{case}: {}", answer.text());
    assert_eq!(server.stop().await.code, 0, "{case}");
    stand.judge(&answered, &case).await;
    assert_eq!(stand.verify().await.0, 0, "{case}: whole after a stop in good order");
    assert_eq!(stand.forge.violations(), Vec::<String>::new(), "{case}");
    (injected(&life.calls), life.began)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs strace: `make faults-short`"]
async fn a_fault_at_any_system_call_loses_nothing_that_was_answered() {
    required();
    let stand = Stand::new().await;
    before(&stand).await;
    let undisturbed = life(&stand, None).await;
    assert!(undisturbed.began && undisturbed.answered.len() == 15, "{} answers", undisturbed.answered.len());
    let instances = instances(&undisturbed.calls);
    let mut points = Vec::new();
    for (name, count) in &instances {
        for fault in FAULTS {
            points.extend((1..=*count).map(|when| format!("{name}:{fault}:when={when}")));
        }
    }
    let wanted = size(POINTS, 24).min(points.len());
    let chosen: Vec<String> =
        (0..wanted).map(|index| points[index * points.len() / wanted].clone()).collect();
    let (mut struck_in, mut refused_to_start) = (0, 0);
    for pair in chosen.chunks(2) {
        // Two at a time: each waits for disks and processes more than it works.
        let other = async {
            match pair.get(1) {
                Some(inject) => Some(struck(inject).await),
                None => None,
            }
        };
        let (one, other) = tokio::join!(struck(&pair[0]), other);
        for (count, began) in [one].into_iter().chain(other) {
            struck_in += usize::from(count > 0);
            refused_to_start += usize::from(!began);
        }
    }
    println!(
        "F1: {wanted} of {} points at {} calls, {struck_in} returned an error, {refused_to_start} stopped the start; 0 answers lost, all logs valid and continued",
        points.len(),
        instances.len(),
    );
}
