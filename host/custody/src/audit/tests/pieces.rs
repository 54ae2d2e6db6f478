//! Lines that are read apart, in pieces of any size, are judged as they are one by one.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{LOG_ID, at, members};
use crate::audit::{
    Claims, EntryHash, Event, LogState, MAX_LINE, Piece, Seen, Segment, Tickets, TreeHash, Verifier,
};

/// Everything that a verification of one file comes to.
#[derive(Debug, PartialEq)]
struct Judged {
    segment: Segment,
    log: LogState,
    log_id: Option<String>,
    number: u64,
    roots: Vec<(u64, TreeHash)>,
    open: (u64, Vec<String>),
    signed: Option<(u64, u64)>,
    keys: Option<String>,
}

fn judged(verifier: &Verifier, segment: Segment, tickets: &Tickets, claims: &Claims) -> Judged {
    Judged {
        segment,
        log: verifier.log(),
        log_id: verifier.log_id().map(String::from),
        number: verifier.number(),
        roots: verifier.roots().iter().map(|(size, root)| (*size, *root)).collect(),
        open: (tickets.count(), tickets.named().iter().map(|open| format!("{open:?}")).collect()),
        signed: claims.signed(),
        keys: claims.key().map(ToString::to_string),
    }
}

fn one_by_one(files: &[(Vec<u8>, Option<u64>)]) -> Vec<Judged> {
    let mut verifier = Verifier::with_roots_at(0..20);
    let (mut tickets, mut claims) = (Tickets::default(), Claims::default());
    let each = files.iter().map(|(bytes, last)| {
        let segment = verifier.segment(&mut &bytes[..], *last, &mut |line| {
            tickets.observe(line);
            claims.observe(line);
        });
        judged(&verifier, segment.unwrap(), &tickets, &claims)
    });
    each.collect()
}

fn apart(files: &[(Vec<u8>, Option<u64>)], size: usize) -> Vec<Judged> {
    let mut verifier = Verifier::with_roots_at(0..20);
    let (mut tickets, mut claims) = (Tickets::default(), Claims::default());
    let each = files.iter().map(|(bytes, last)| {
        let mut rest = &bytes[..];
        let mut next = || {
            let whole = rest.iter().skip(size - 1).take(MAX_LINE + 1).position(|byte| *byte == b'\n');
            let cut = (size + whole.unwrap_or(MAX_LINE)).min(rest.len());
            let (piece, after) = rest.split_at(cut);
            rest = after;
            Ok((!piece.is_empty()).then(|| Piece::read(piece.to_vec(), EntryHash::of)))
        };
        let segment = verifier.pieces(&mut next, *last, &mut |seen| match seen {
            Seen::Whole(line) => {
                tickets.observe(line);
                claims.observe(line);
            }
            Seen::Part(told) => tickets.hear(told),
        });
        judged(&verifier, segment.unwrap(), &tickets, &claims)
    });
    each.collect()
}

/// What the lines of a log are, besides those that begin and end its files.
#[derive(Clone, Debug)]
enum Said {
    Intent(u8),
    Outcome(u8, &'static str, bool),
    Unknown(Option<u8>),
    Denied(String),
    Reopened,
    Rotate,
}

fn said() -> impl Strategy<Value = Said> {
    let status = prop_oneof![Just("success"), Just("aborted"), Just("denied")];
    prop_oneof![
        4 => (0_u8..6).prop_map(Said::Intent),
        4 => ((0_u8..6), status, any::<bool>()).prop_map(|(ticket, status, late)| Said::Outcome(ticket, status, late)),
        1 => proptest::option::of(0_u8..6).prop_map(Said::Unknown),
        2 => "\\PC{0,40}".prop_map(Said::Denied),
        1 => Just(Said::Reopened),
        1 => Just(Said::Rotate),
    ]
}

fn opening(log: &LogState, number: u64) -> Map<String, Value> {
    let key = crate::audit::PublicKey::new(LOG_ID, [u8::try_from(number % 3).unwrap(); 32]);
    members(json!({
        "log_id": LOG_ID, "number": number, "last_seq": log.tree().size(), "version": "1", "key": key.to_string(),
        "tree": log.tree().peaks().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "signed": {"number": number, "size": log.tree().size()}, "open_count": 2,
        "open": [{"ticket": "t1", "intent_seq": 1, "tool": "x"}],
    }))
}

/// The files of a log, each with the number of its last line where its name would state it.
fn files(lines: &[Said]) -> Vec<(Vec<u8>, Option<u64>)> {
    let (mut log, mut number, mut files, mut bytes) = (LogState::EMPTY, 1, Vec::new(), Vec::new());
    log.seal(&mut bytes, at(0), Event::LogOpen, &opening(&LogState::EMPTY, 1));
    for (index, said) in lines.iter().enumerate() {
        // The clock goes back now and then.
        let ts = at(i64::try_from(index * 7 % 5).unwrap());
        let (event, entry) = match said {
            Said::Intent(ticket) => (
                Event::ToolInvocation,
                json!({"ticket": format!("t{ticket}"), "tool": "a", "status": "pending"}),
            ),
            Said::Outcome(ticket, status, late) => (
                Event::ToolInvocation,
                json!({"ticket": format!("t{ticket}"), "tool": "a", "status": status, "late": late, "reason": "audit_unavailable"}),
            ),
            Said::Unknown(Some(ticket)) => (Event::OutcomeUnknown, json!({"ticket": format!("t{ticket}")})),
            Said::Unknown(None) => (Event::OutcomeUnknown, json!({"count": 1})),
            Said::Denied(text) => (Event::AccessDenied, json!({"reason": text})),
            Said::Reopened => (Event::LogOpen, Value::from(opening(&log, number))),
            Said::Rotate => {
                log.seal(&mut bytes, ts, Event::SegmentClose, &members(json!({"number": number})));
                files.push((std::mem::take(&mut bytes), Some(log.tree().size())));
                number += 1;
                (Event::SegmentOpen, Value::from(opening(&log, number)))
            }
        };
        let before = log.clone();
        let entry = if event == Event::SegmentOpen { opening(&before, number) } else { members(entry) };
        log.seal(&mut bytes, ts, event, &entry);
    }
    files.push((bytes, None));
    files
}

/// What somebody, or a failing disk, does to a file.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Append(Vec<u8>),
    Long,
    DropLine(prop::sample::Index),
    SwapLines(prop::sample::Index),
    Shorter,
    DropFile(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let some = || any::<prop::sample::Index>();
    let bytes = || prop::collection::vec(prop_oneof![Just(0_u8), Just(b'\n'), any::<u8>()], 1..30);
    prop_oneof![
        Just(Damage::None),
        (some(), 0_u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        some().prop_map(Damage::Cut),
        (some(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        bytes().prop_map(Damage::Append),
        Just(Damage::Long),
        some().prop_map(Damage::DropLine),
        some().prop_map(Damage::SwapLines),
        Just(Damage::Shorter),
        some().prop_map(Damage::DropFile),
    ]
}

fn damaged(
    mut files: Vec<(Vec<u8>, Option<u64>)>,
    which: prop::sample::Index,
    damage: &Damage,
) -> Vec<(Vec<u8>, Option<u64>)> {
    let file = which.index(files.len());
    let (bytes, last) = &mut files[file];
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    match damage {
        Damage::None => {}
        Damage::Flip(at, bit) => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
        Damage::Insert(at, more) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Damage::Append(more) => bytes.extend(more),
        Damage::Long => bytes.extend([&vec![b'x'; 3 * MAX_LINE][..], b"\n"].concat()),
        Damage::DropLine(at) => {
            lines.remove(at.index(lines.len()));
            *bytes = lines.concat();
        }
        Damage::SwapLines(at) => {
            let (at, all) = (at.index(lines.len()), lines.len());
            lines.swap(at, (at + 1) % all);
            *bytes = lines.concat();
        }
        // The name states a line before the last one: what follows was never acknowledged.
        Damage::Shorter => *last = last.map(|last| last.saturating_sub(1)),
        Damage::DropFile(at) => drop(files.remove(at.index(files.len()))),
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_log_with_any_damage_is_judged_alike_in_pieces_of_any_size(
        lines in prop::collection::vec(said(), 0..18),
        which in any::<prop::sample::Index>(),
        damage in damage(),
        size in prop_oneof![1_usize..40, 200_usize..2_000, Just(1 << 20)],
    ) {
        let files = damaged(files(&lines), which, &damage);
        prop_assert_eq!(apart(&files, size), one_by_one(&files));
    }
}

#[test]
fn damage_at_any_place_and_a_cut_at_any_is_judged_alike() {
    let lines = [Said::Intent(1), Said::Denied("x".into()), Said::Rotate, Said::Outcome(1, "success", false)];
    let whole = files(&lines);
    for file in 0..whole.len() {
        for index in (0..whole[file].0.len()).step_by(3) {
            let mut changed = whole.clone();
            changed[file].0[index] ^= 4;
            assert_eq!(apart(&changed, 300), one_by_one(&changed), "file {file} byte {index}");
            let mut cut = whole.clone();
            cut[file].0.truncate(index);
            assert_eq!(apart(&cut, 300), one_by_one(&cut), "file {file} cut at {index}");
        }
    }
}
