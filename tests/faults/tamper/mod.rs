//! F6: every way to change a log, done to a log that a server wrote, and judged by three: the product's verification in
//! this process, the program itself, and a second verifier that was written from docs/audit-format.md alone.

mod base;
mod case;
mod judge;
mod ways;

use std::sync::Arc;

use aegis_tests::server::{Folder, program};

use crate::campaign::size;
use crate::second::Second;
use base::Base;
use case::{Case, Expect};
use judge::Judge;

/// Every so many bytes one is changed.
const STEP: &str = "AEGIS_TEST_FLIP_STEP";
/// Every so many lines one is dropped, repeated, exchanged, and the log is cut there.
const LINE_STEP: &str = "AEGIS_TEST_LINE_STEP";

/// What one thread found.
#[derive(Default)]
struct Found {
    cases: usize,
    damaged: usize,
    torn: usize,
}

/// Judge each case by the verification in this process, and, where there is one, by the second verifier.
fn judged(base: &Base, cases: impl Iterator<Item = Case>, mut second: Option<Second>) -> Found {
    if let Some(second) = &mut second {
        let whole = second.judge(&base.json());
        assert_eq!(whole["exit_code"], 0, "the log as it was written: {whole}");
    }
    let judge = Judge::new(base);
    let mut found = Found::default();
    for case in cases {
        let verdict = judge.verdict(&case);
        assert!(case.expect.allows(verdict.code), "{}: {verdict:?}", case.what);
        found.cases += 1;
        found.damaged += usize::from(verdict.code == 1);
        found.torn += usize::from(verdict.code == 3);
        if let Some(second) = &mut second {
            let other = second.judge(&case.json(base));
            assert_eq!(other["exit_code"], verdict.code, "{}: {verdict:?}, {other}", case.what);
            assert_eq!(
                other["problem"]["line"].as_u64(),
                verdict.line,
                "{}: {verdict:?}, {other}",
                case.what
            );
        }
    }
    found
}

/// All cases, on two threads.
fn all(base: &Arc<Base>, with_second: bool) -> Found {
    let (step, line_step) = (size(STEP, 97), size(LINE_STEP, 7));
    let threads: Vec<_> = (0..2)
        .map(|thread| {
            let base = base.clone();
            std::thread::spawn(move || {
                let second = with_second.then(Second::new);
                judged(&base, ways::all(&base, step, line_step).skip(thread).step_by(2), second)
            })
        })
        .collect();
    threads.into_iter().fold(Found::default(), |sum, thread| {
        let found = thread.join().expect("every change was found");
        Found {
            cases: sum.cases + found.cases,
            damaged: sum.damaged + found.damaged,
            torn: sum.torn + found.torn,
        }
    })
}

fn told(base: &Base, found: &Found, by: &str) {
    assert!(found.cases > base.lines.len(), "{} cases", found.cases);
    println!(
        "F6: {} lines, {} cases by {by}: {} damaged, {} with a torn tail, {} that are none, 0 missed",
        base.lines.len(),
        found.cases,
        found.damaged,
        found.torn,
        found.cases - found.damaged - found.torn
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_a_log_is_found() {
    let base = Arc::new(Base::of_a_server().await);
    let found = all(&base, false);
    told(&base, &found, "this program's verification");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs python3: `make faults-short`"]
async fn a_second_verifier_agrees_on_every_change() {
    let base = Arc::new(Base::of_a_server().await);
    let found = all(&base, true);
    told(&base, &found, "two verifiers that agree");
}

#[tokio::test]
async fn the_program_itself_says_what_its_verification_says() {
    let base = Base::of_a_server().await;
    let cases: Vec<Case> = ways::all(&base, 997, 31).collect();
    let step = cases.len() / size("AEGIS_TEST_BY_PROGRAM", 60).max(1);
    let (judge, mut count) = (Judge::new(&base), 0);
    for case in cases.iter().step_by(step.max(1)) {
        let folder = Folder::new();
        for (name, bytes) in case.files(&base) {
            std::fs::write(folder.0.join(name), bytes).expect("written");
        }
        let anchor = Folder::new();
        let anchor = anchor.0.join("anchor");
        std::fs::create_dir_all(anchor.parent().expect("a folder")).expect("made");
        std::fs::write(&anchor, &base.anchor).expect("written");
        let (folder, anchor) = (folder.0.display().to_string(), anchor.display().to_string());
        let mut arguments = vec!["audit", "verify", "--json", &folder];
        if case.anchored {
            arguments.extend(["--anchor", &anchor]);
        }
        arguments.extend(case.key.iter().flat_map(|key| ["--key", key.as_str()]));
        let (code, out, err) = program(&arguments, &[]).await;
        let said: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        let verdict = judge.verdict(case);
        assert_eq!(code, i32::from(verdict.code), "{}: {said}", case.what);
        assert_eq!(said["problem"]["line"].as_u64(), verdict.line, "{}: {said}", case.what);
        assert!(case.expect != Expect::Found || code == 1, "{}", case.what);
        count += 1;
    }
    println!("F6: the program agrees on {count} of {} cases", cases.len());
}
