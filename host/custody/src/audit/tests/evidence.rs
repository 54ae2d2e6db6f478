//! What checkpoints prove, and what is said where they do not.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LOG_ID, at, members};
use crate::audit::{Checkpoint, Claims, Event, Evidence, Lines, LogState, Note, PublicKey, Verifier};

/// Stands for a private key: whoever knows the number signs. What is tested here is who is believed, not Ed25519.
#[derive(Clone, Copy)]
struct Signer(u8);

impl Signer {
    fn key(self) -> PublicKey {
        PublicKey::new(LOG_ID, [self.0; 32])
    }

    fn sign(self, text: &str) -> [u8; 64] {
        let mut signature = [0; 64];
        signature[..32]
            .copy_from_slice(&Sha256::new().chain_update([self.0; 32]).chain_update(text).finalize());
        signature
    }
}

fn checked(key: &[u8; 32], text: &[u8], signature: &[u8]) -> bool {
    let hash: [u8; 32] = Sha256::new().chain_update(key).chain_update(text).finalize().into();
    signature.get(..32) == Some(&hash)
}

/// A log, and the checkpoints that were signed for it.
struct Log {
    state: LogState,
    bytes: Vec<u8>,
    notes: Vec<Note>,
}

impl Log {
    fn new(signer: Signer) -> Self {
        let mut log = Self { state: LogState::EMPTY, bytes: Vec::new(), notes: Vec::new() };
        log.line(Event::LogOpen, json!({"log_id": LOG_ID, "key": signer.key().to_string()}));
        log
    }

    fn line(&mut self, event: Event, entry: Value) {
        self.state.seal(&mut self.bytes, at(0), event, &members(entry));
    }

    fn lines(&mut self, count: u32) {
        (0..count).for_each(|n| self.line(Event::SecurityEvent, json!({"n": n})));
    }

    fn sign(&mut self, signer: Signer) {
        let number = self.notes.last().map_or(1, |note| note.checkpoint.number + 1);
        let tree = self.state.tree();
        let checkpoint = Checkpoint {
            log_id: LOG_ID.to_owned(),
            size: tree.size(),
            root: tree.root(),
            number,
            time: at(0),
        };
        let signature = signer.sign(&checkpoint.text());
        self.notes.push(Note::signed(checkpoint, &signer.key(), &signature));
    }

    fn hand_over(&mut self, from: Option<Signer>, to: Signer) {
        use base64::Engine as _;
        let text = to.key().handover_text();
        let signature = from.map(|from| base64::engine::general_purpose::STANDARD.encode(from.sign(&text)));
        self.line(Event::KeyHandover, json!({"key": to.key().to_string(), "signature": signature}));
    }

    fn judge(&self, anchors: &[Note], pinned: Option<&PublicKey>) -> Evidence {
        let all = self.notes.iter().chain(anchors);
        let mut verifier = Verifier::with_roots_at(all.map(|note| note.checkpoint.size));
        let mut claims = Claims::default();
        verifier.segment(&mut &self.bytes[..], None, &mut |line| claims.observe(line)).unwrap();
        let last = verifier.log().chain().last_seq();
        let lines = Lines { log_id: LOG_ID, last, roots: verifier.roots() };
        Evidence::of(lines, &claims, &self.notes, anchors, pinned, &checked)
    }

    fn problem(&self, anchors: &[Note]) -> String {
        let evidence = self.judge(anchors, None);
        assert_eq!(evidence.problems.len(), 1, "{evidence:?}");
        evidence.problems[0].clone()
    }
}

const ONE: Signer = Signer(1);
const TWO: Signer = Signer(2);

/// 11 lines with checkpoints at 1, 6 and 11.
fn honest() -> Log {
    let mut log = Log::new(ONE);
    for _ in 0..2 {
        log.sign(ONE);
        log.lines(5);
    }
    log.sign(ONE);
    log
}

#[test]
fn an_honest_log_is_covered_to_its_last_checkpoint() {
    let mut log = honest();
    log.lines(3);
    let evidence = log.judge(&[], Some(&ONE.key()));
    assert_eq!(evidence, Evidence { held: 3, covered: 11, ..Evidence::default() });
}

#[test]
fn a_log_that_was_cut_below_a_checkpoint_is_found() {
    let (log, mut short) = (honest(), Log::new(ONE));
    short.lines(4);
    short.notes = log.notes[..1].to_vec();
    assert_eq!(short.judge(&[], None).problems, [] as [&str; 0]);
    let problems = short.judge(&log.notes[1..2], None).problems;
    assert!(problems[0].contains("6 lines, and the log ends at 5"), "{problems:?}");
}

#[test]
fn a_log_that_was_written_anew_is_found_by_its_checkpoints_and_by_an_anchor() {
    let log = honest();
    let mut anew = Log::new(ONE);
    anew.line(Event::SecurityEvent, json!({"n": "another"}));
    anew.lines(9);
    assert!(anew.judge(&log.notes[2..], None).problems[0].contains("written anew"));
    anew.notes = log.notes;
    assert!(anew.judge(&[], None).problems[0].contains("checkpoint 2 does not fit the lines up to 6"));
}

#[test]
fn a_checkpoint_by_anybody_else_is_found() {
    let mut log = honest();
    log.lines(1);
    log.sign(TWO);
    assert_eq!(log.problem(&[]), "checkpoint 4 is not signed by the key of the log");
}

#[test]
fn checkpoints_that_are_missing_or_out_of_order_are_found() {
    for (index, said) in
        [(0, "the first checkpoint is number 2"), (1, "checkpoint 3 for 11 lines follows checkpoint 1")]
    {
        let mut log = honest();
        log.notes.remove(index);
        assert!(log.problem(&[]).contains(said));
    }
    let mut log = honest();
    log.notes.swap(1, 2);
    assert!(!log.judge(&[], None).problems.is_empty());
    let mut log = honest();
    let last = log.notes.pop().unwrap();
    assert!(log.problem(&[last]).contains("anchor 3 was signed after checkpoint 2"));
}

#[test]
fn a_line_tells_of_checkpoints_that_must_be_there() {
    let mut log = honest();
    log.line(
        Event::LogOpen,
        json!({"log_id": LOG_ID, "key": ONE.key().to_string(), "signed": {"number": 3, "size": 11}}),
    );
    assert_eq!(log.judge(&[], None).problems, [] as [&str; 0]);
    log.notes.pop();
    assert!(log.problem(&[]).contains("line seq 12 tells of checkpoint 3, and the last one kept is 2"));
    log.notes.clear();
    assert_eq!(log.judge(&[], None).gaps, ["no checkpoint was given: only the chain was checked"]);
}

#[test]
fn a_new_key_is_believed_where_the_one_before_it_signed_for_it() {
    let mut log = honest();
    log.hand_over(Some(ONE), TWO);
    log.lines(2);
    log.sign(TWO);
    for pinned in [None, Some(ONE.key()), Some(TWO.key())] {
        assert_eq!(log.judge(&[], pinned.as_ref()), Evidence { held: 4, covered: 14, ..Evidence::default() });
    }
    // And from then on it alone signs.
    log.lines(1);
    log.sign(ONE);
    assert_eq!(log.problem(&[]), "checkpoint 5 is not signed by the key of the log");
}

#[test]
fn checkpoints_of_a_segment_that_was_moved_away_are_no_damage_whichever_key_signed_them() {
    let mut log = honest();
    log.hand_over(Some(ONE), TWO);
    log.sign(TWO);
    let tree = log.state.tree();
    let peaks: Vec<String> = tree.peaks().iter().map(ToString::to_string).collect();
    let (last, key) = (tree.size(), TWO.key().to_string());
    log.bytes.clear();
    log.line(
        Event::SegmentOpen,
        json!({"log_id": LOG_ID, "number": 2, "last_seq": last, "tree": peaks, "key": key}),
    );
    log.sign(TWO);
    assert_eq!(log.judge(&[], None), Evidence { held: 2, covered: 13, ..Evidence::default() });
    // The first may have gone with the segment; one from the middle has not.
    log.notes.remove(0);
    assert_eq!(log.judge(&[], None).problems, [] as [&str; 0]);
    log.notes.remove(1);
    assert!(log.problem(&[]).contains("follows checkpoint 2"));
}

#[test]
fn a_new_key_that_nobody_signed_for_is_named_and_a_forged_word_for_it_is_damage() {
    let mut log = honest();
    log.hand_over(None, TWO);
    log.sign(TWO);
    let evidence = log.judge(&[], None);
    assert_eq!((evidence.problems.len(), evidence.gaps.len()), (0, 1), "{evidence:?}");
    assert!(evidence.gaps[0].contains("line seq 12 names a new key"));

    let mut silent = honest();
    silent.line(Event::LogOpen, json!({"log_id": LOG_ID, "key": TWO.key().to_string()}));
    assert_eq!(silent.judge(&[], None).gaps.len(), 1);

    let mut forged = honest();
    forged.hand_over(Some(TWO), TWO);
    assert!(forged.problem(&[]).contains("is not that of the key before it"));

    let mut garbled = honest();
    garbled.line(Event::KeyHandover, json!({"key": TWO.key().to_string(), "signature": "none of base64"}));
    assert!(garbled.problem(&[]).contains("is not that of the key before it"));
}

#[test]
fn a_key_that_is_known_from_elsewhere_must_be_among_those_of_the_log() {
    let evidence = honest().judge(&[], Some(&TWO.key()));
    assert_eq!(evidence.problems, ["the log was not signed by the key that was given"]);
}

#[test]
fn a_log_without_a_key_has_its_chain_alone() {
    let mut log = Log { state: LogState::EMPTY, bytes: Vec::new(), notes: Vec::new() };
    log.line(Event::LogOpen, json!({"log_id": LOG_ID}));
    assert_eq!(log.judge(&[], None).gaps, ["the log names no signing key: only its chain was checked"]);
    log.sign(ONE);
    assert_eq!(log.judge(&[], None).problems.len(), 1);
}
