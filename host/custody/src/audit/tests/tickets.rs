//! Which calls a log leaves without an outcome, told from lines and from entries alike.

use serde_json::{Value, json};

use super::{LOG_ID, at, members, open};
use crate::audit::{CARRIED, Chain, Event, MAX_LINE, Tickets, Verifier};

const CALL: Event = Event::ToolInvocation;

fn call(ticket: &str, status: &str) -> (Event, Value) {
    (CALL, json!({"ticket": ticket, "status": status, "tool": "get_issue"}))
}

/// As many peaks as the tree of 100 lines has.
fn peaks() -> Vec<String> {
    vec!["0".repeat(64); 3]
}

/// The beginning of a second segment, and lines after it.
fn segment(open_count: u64, open: &Value, entries: &[(Event, Value)]) -> Tickets {
    let mut all = vec![(
        Event::SegmentOpen,
        json!({"log_id": LOG_ID, "number": 2, "last_seq": 100, "tree": peaks(), "open_count": open_count, "open": open}),
    )];
    all.extend_from_slice(entries);
    read(Chain::after(100, crate::audit::EntryHash::of(b"x")), &all)
}

/// The beginning of a log, and lines after it.
fn log(entries: &[(Event, Value)]) -> Tickets {
    let mut all = vec![(Event::LogOpen, Value::Object(open()))];
    all.extend_from_slice(entries);
    read(Chain::EMPTY, &all)
}

fn read(mut chain: Chain, entries: &[(Event, Value)]) -> Tickets {
    let mut bytes = Vec::new();
    for (event, entry) in entries {
        chain.seal(&mut bytes, at(0), *event, &members(entry.clone()));
    }
    let mut tickets = Tickets::default();
    let segment =
        Verifier::default().segment(&mut &bytes[..], None, &mut |line| tickets.observe(line)).unwrap();
    assert_eq!(segment.lines, u64::try_from(entries.len()).unwrap());
    tickets
}

fn ids(tickets: &Tickets) -> Vec<(&str, u64)> {
    tickets.named().into_iter().map(|open| (open.ticket.as_str(), open.seq)).collect()
}

fn named(ticket: &str, seq: u64) -> Value {
    json!({"ticket": ticket, "intent_seq": seq, "tool": "get_issue"})
}

#[test]
fn tickets_stay_open_until_an_outcome_or_the_word_that_it_is_unknown() {
    let entries = [
        call("a", "pending"),
        call("b", "pending"),
        call("c", "pending"),
        call("a", "success"),
        (Event::OutcomeUnknown, named("b", 3)),
        (Event::AccessDenied, json!({"ticket": "c", "status": "denied"})),
    ];
    let tickets = log(&entries);
    assert_eq!((ids(&tickets), tickets.count()), (vec![("c", 4)], 1));
    assert_eq!(tickets.named()[0].tool.as_deref(), Some("get_issue"));
    let mut recorded = Tickets::default();
    for (seq, (event, entry)) in (2..).zip(&entries) {
        recorded.record(seq, *event, &members(entry.clone()));
    }
    assert_eq!(recorded.named(), tickets.named());
}

#[test]
fn a_late_outcome_is_the_outcome() {
    let late = json!({"ticket": "a", "status": "success", "tool": "get_issue", "late": true});
    assert_eq!(log(&[call("a", "pending"), (CALL, late.clone())]).count(), 0);
    // And where the first attempt came to the disk after all, it closes nothing else.
    let twice = [call("b", "pending"), call("a", "pending"), call("a", "success"), (CALL, late)];
    assert_eq!(ids(&log(&twice)), [("b", 2)]);
}

#[test]
fn the_first_segment_that_is_read_says_what_was_open_before_it() {
    let before = json!([named("a", 7), named("b", 9)]);
    let tickets = segment(2, &before, &[call("c", "pending"), call("a", "success")]);
    assert_eq!((ids(&tickets), tickets.count()), (vec![("b", 9), ("c", 102)], 2));
}

#[test]
fn further_lines_name_more_of_what_was_open() {
    let more = (Event::OpenTickets, json!({"open": [named("b", 9), named("c", 10)]}));
    let tickets = segment(4, &json!([named("a", 7)]), &[more]);
    assert_eq!((tickets.count(), tickets.unnamed()), (4, 1));
    assert_eq!(ids(&tickets), [("a", 7), ("b", 9), ("c", 10)]);
}

#[test]
fn a_list_names_no_more_than_were_counted_and_nothing_that_is_no_ticket() {
    let odd = json!([1, {"ticket": 1, "intent_seq": 1}, {"ticket": "x"}, named("a", 7), named("a", 7), named("b", 9)]);
    let tickets = segment(1, &odd, &[]);
    assert_eq!((ids(&tickets), tickets.count()), (vec![("a", 7)], 1));
    assert_eq!(segment(0, &json!([named("a", 7)]), &[]).count(), 0);
    assert_eq!(segment(0, &json!("a"), &[]).count(), 0);
}

#[test]
fn what_a_segment_carries_means_nothing_where_the_lines_before_it_were_read() {
    let mut tickets = log(&[call("a", "pending")]);
    let (mut chain, mut bytes) = (Chain::after(100, crate::audit::EntryHash::of(b"x")), Vec::new());
    let carried = json!({"log_id": LOG_ID, "number": 2, "last_seq": 100, "tree": peaks(), "open_count": 9, "open": [named("z", 1)]});
    chain.seal(&mut bytes, at(0), Event::SegmentOpen, &members(carried));
    Verifier::default().segment(&mut &bytes[..], None, &mut |line| tickets.observe(line)).unwrap();
    assert_eq!((ids(&tickets), tickets.count()), (vec![("a", 2)], 1));
}

#[test]
fn in_doubt_a_call_that_is_only_counted_stays_open() {
    let with = |member: &str, value: Value| {
        let mut outcome = json!({"ticket": "x", "status": "aborted"});
        outcome[member] = value;
        segment(2, &Value::Null, &[(CALL, outcome)]).count()
    };
    assert_eq!(with("late", json!(true)), 2);
    assert_eq!(with("reason", json!("audit_unavailable")), 2);
    assert_eq!(with("late", json!(false)), 1);
    assert_eq!(with("reason", json!("deadline")), 1);
    let told =
        |count: u64| segment(5, &Value::Null, &[(Event::OutcomeUnknown, json!({"count": count}))]).count();
    assert_eq!((told(5), told(2), told(u64::MAX)), (0, 3, 0));
}

#[test]
fn what_is_carried_is_bounded_keeps_the_oldest_and_fits_into_lines() {
    let mut tickets = Tickets::default();
    for n in (1..=300).rev() {
        let intent = json!({"ticket": format!("{n:032x}"), "status": "pending", "tool": "t".repeat(64)});
        tickets.record(1_000_000_000 + n, CALL, &members(intent));
    }
    let lists = tickets.carried();
    assert_eq!(lists.iter().map(|list| list.as_array().unwrap().len()).sum::<usize>(), CARRIED);
    assert_eq!(lists[0][0]["ticket"], format!("{:032x}", 1));
    let tree = vec!["f".repeat(64); 64];
    for (index, list) in lists.into_iter().enumerate() {
        let tree = if index == 0 { tree.as_slice() } else { &[] };
        let begin = json!({
            "tree": tree, "key": "k".repeat(110), "signed": {"number": u64::MAX, "size": u64::MAX},
            "log_id": LOG_ID, "number": u32::MAX, "last_seq": u32::MAX, "reason": "sync_failed", "open_count": 300,
            "previous": format!("audit-{:020}-{:020}.jsonl", u64::MAX, u64::MAX), "open": list,
        });
        let mut bytes = Vec::new();
        Chain::EMPTY.clone().seal(&mut bytes, at(0), Event::SegmentOpen, &members(begin));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.len() <= MAX_LINE && !text.contains("\"cut\""), "{} bytes", text.len());
    }
    assert_eq!(Tickets::default().carried(), [] as [Value; 0]);
}

#[test]
fn a_log_of_intents_alone_does_not_fill_the_memory() {
    let mut tickets = Tickets::default();
    let count = 40_000_u64;
    for n in 0..count {
        tickets.record(n, CALL, &members(json!({"ticket": n.to_string(), "status": "pending"})));
    }
    assert_eq!(tickets.count(), count);
    assert!(tickets.named().len() < 20_000);
    for n in 0..count {
        tickets.record(count + n, CALL, &members(json!({"ticket": n.to_string(), "status": "success"})));
    }
    assert_eq!(tickets.count(), 0);
}
