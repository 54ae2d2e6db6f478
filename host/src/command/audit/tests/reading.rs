//! Rows and figures: what is joined, what is given up, and that neither names nor days nor calls fill the memory.

use std::ops::ControlFlow;

use aegis_custody::Timestamp;
use aegis_custody::audit::{Event, Line, LogState};
use serde_json::{Value, json};

use super::super::figures::{Figures, HAPPENED, NOBODY, WRITES};
use super::super::rows::{Begun, Joined, Outcome, Row};
use super::object;

/// The lines of a log, a second after each other.
fn lines(entries: &[(Event, Value)]) -> Vec<u8> {
    let (mut log, mut bytes) = (LogState::EMPTY, Vec::new());
    for (index, (event, members)) in entries.iter().enumerate() {
        let ts = Timestamp::from_unix_millis(1_780_000_000_000 + i64::try_from(index).unwrap() * 1_000);
        log.seal(&mut bytes, ts, *event, &object(members.clone()));
    }
    bytes
}

fn each(bytes: &[u8], mut observe: impl FnMut(&Line<'_>)) {
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .for_each(|line| observe(&Line::unproven(line).unwrap()));
}

fn joined(entries: &[(Event, Value)]) -> (Vec<Row>, u64) {
    let (mut joined, mut rows) = (Joined::default(), Vec::new());
    let mut emit = |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    each(&lines(entries), |line| assert!(joined.observe(line, &mut emit).is_continue()));
    assert!(joined.finish(&mut emit).is_continue());
    (rows, joined.without_intent)
}

fn intent(ticket: &str) -> (Event, Value) {
    let said = json!({"ticket": ticket, "tool": "create_issue", "class": "write", "status": "pending", "principal": "alice"});
    (Event::ToolInvocation, said)
}

fn outcome(ticket: &str, status: &str) -> (Event, Value) {
    (Event::ToolInvocation, json!({"ticket": ticket, "tool": "create_issue", "status": status, "late": true}))
}

fn told(rows: &[Row]) -> Vec<(&str, Option<Outcome>, Option<u64>)> {
    rows.iter().map(|row| (row.ticket.as_deref().unwrap_or("-"), row.outcome, row.millis())).collect()
}

#[test]
fn calls_are_joined_by_their_tickets_in_whatever_order_they_end() {
    let (rows, without) = joined(&[
        intent("a"),
        intent("b"),
        outcome("b", "success"),
        outcome("a", "error"),
        // An outcome may stand there twice, and one may be that of a call that began before these lines.
        outcome("b", "success"),
        outcome("c", "success"),
        outcome("c", "success"),
        intent("d"),
        (Event::OutcomeUnknown, json!({"ticket": "d", "intent_seq": 8})),
        intent("e"),
    ]);
    let expected = [
        ("b", Some(Outcome::Success), Some(1_000)),
        ("a", Some(Outcome::Error), Some(3_000)),
        ("c", Some(Outcome::Success), None),
        ("d", Some(Outcome::Unknown), None),
        ("e", Some(Outcome::Open), None),
    ];
    assert_eq!((told(&rows), without), (expected.to_vec(), 1));
    assert!(rows[1].writes() && rows[1].user.as_deref() == Some("alice"), "what the intent said is kept");
}

#[test]
fn an_intent_whose_ticket_comes_again_ends_the_one_before() {
    let (rows, _) = joined(&[intent("a"), intent("a"), outcome("a", "success")]);
    assert_eq!(told(&rows), [("a", Some(Outcome::Open), None), ("a", Some(Outcome::Success), Some(1_000))]);
}

#[test]
fn calls_that_never_end_are_given_up_oldest_first() {
    let many: Vec<(Event, Value)> = (0..4_100).map(|n| intent(&format!("t{n}"))).collect();
    let (mut joined, mut early) = (Joined::default(), 0);
    each(&lines(&many), |line| {
        let _ = joined.observe(line, &mut |row| {
            assert_eq!(row.ticket, Some(format!("t{early}")));
            early += 1;
            ControlFlow::Continue(())
        });
    });
    assert_eq!(early, 4, "4096 wait");
    let mut left = 0;
    let _ = joined.finish(&mut |_| {
        left += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(left, 4_096);
}

#[test]
fn whoever_has_seen_enough_is_shown_no_more() {
    let mut joined = Joined::default();
    each(&lines(&[intent("a"), intent("b")]), |line| {
        let _ = joined.observe(line, &mut |_| ControlFlow::Continue(()));
    });
    let mut shown = 0;
    let ended = joined.finish(&mut |_| {
        shown += 1;
        ControlFlow::Break(())
    });
    assert!(ended.is_break() && shown == 1);
}

#[test]
fn line_by_line_an_outcome_says_what_its_intent_said_at_its_own_time() {
    let mut begun = Begun::default();
    let mut rows = Vec::new();
    each(&lines(&[intent("a"), outcome("a", "denied"), outcome("b", "denied")]), |line| {
        rows.push(begun.row(line))
    });
    assert_eq!((rows[1].seq, rows[1].millis(), rows[1].user.as_deref()), (2, Some(1_000), Some("alice")));
    assert_eq!((rows[2].millis(), rows[2].user.as_deref()), (None, None));
}

/// A refusal at a day, of a person.
fn refusal(day: i64, user: &str) -> Row {
    let bytes = lines(&[(Event::AccessDenied, json!({"reason": "policy_denied", "principal": user}))]);
    let mut row = None;
    each(&bytes, |line| row = Some(Row::of(line)));
    let mut row = row.unwrap();
    row.time = Timestamp::from_unix_millis(day * 86_400_000);
    row
}

#[test]
fn calls_are_shown_by_day_and_where_there_are_too_many_by_month_or_year() {
    let of = |days: &[i64]| {
        let mut figures = Figures::new();
        days.iter().for_each(|day| figures.take(refusal(*day, "x"), true));
        figures.periods()
    };
    assert_eq!(of(&[]), []);
    let days = of(&[20_000, 20_002]);
    let names: Vec<&str> = days.iter().map(|period| period.name.as_str()).collect();
    assert_eq!(names, ["2024-10-04", "2024-10-05", "2024-10-06"], "days without a call are days too");
    assert_eq!(days.iter().map(|day| day.count.all()).collect::<Vec<_>>(), [1, 0, 1]);
    assert_eq!(
        of(&[20_000, 20_062]).iter().map(|period| period.name.clone()).collect::<Vec<_>>(),
        ["2024-10", "2024-12"]
    );
    let years = of(&(0..4_000).map(|n| n * 30).collect::<Vec<_>>());
    assert_eq!(years.len(), 62);
    assert!(years.iter().all(|period| period.name.len() == 4), "{years:?}");
}

#[test]
fn however_many_names_days_changes_and_events_there_are_all_are_counted_and_few_are_kept() {
    let mut figures = Figures::new();
    for n in 0..12_000 {
        figures.take(refusal(n, &format!("user {n}")), true);
    }
    figures.take(refusal(1, "outside"), false);
    assert_eq!((figures.all.all(), figures.users.names_but(NOBODY)), (12_000, 10_000));
    assert_eq!(figures.other_days.all(), 8_000);
    let (top, rest) = figures.users.top(10);
    assert_eq!((top.len(), rest.map(|(names, count)| (names, count.all()))), (10, Some((9_990, 11_990))));
    let mut change = refusal(1, "x");
    change.class = Some("write".to_owned());
    let mut start = change.clone();
    (start.kind, start.event) = (super::super::rows::Kind::Event, "log_open".to_owned());
    for n in 0..2_000 {
        change.seq = n;
        figures.take(change.clone(), true);
        figures.take(start.clone(), true);
    }
    assert_eq!((figures.changes.all(), figures.changes.iter().count()), (2_000, WRITES));
    assert_eq!(figures.changes.iter().next().unwrap().seq, 1_000, "the newest are kept");
    assert_eq!((figures.happened.all(), figures.happened.iter().count()), (2_000, HAPPENED));
    assert!(figures.happened.iter().all(|happened| happened.after_a_crash), "none stopped in good order");
}
