//! The product's own verification, in this process for speed. A sample of the cases is judged by the program as well, which
//! shows that this says the same.

use std::collections::BTreeMap;

use aegis_custody::audit::{Claims, End, Evidence, Line, Lines, Note, Verifier};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::base::Base;
use super::case::{Case, Edit};

/// What verification says.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code.
    pub code: u8,
    /// The line of the first problem in its file.
    pub line: Option<u64>,
    /// What it is.
    pub what: String,
}

fn damaged(line: Option<u64>, what: impl Into<String>) -> Verdict {
    Verdict { code: 1, line, what: what.into() }
}

fn checked(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

/// Where the verification of an unchanged log stands in front of each of its files.
pub struct Judge<'a> {
    base: &'a Base,
    stands: BTreeMap<String, State>,
}

#[derive(Clone, Default)]
struct State {
    verifier: Verifier,
    claims: Claims,
    lines: u64,
    torn: bool,
    begins: u64,
}

impl State {
    /// Goes on with a file.
    fn file(&mut self, name: &str, bytes: &[u8]) -> Option<Verdict> {
        let named = name.strip_prefix("audit-").and_then(|name| name.strip_suffix(".jsonl"));
        let named = named.and_then(|numbers| numbers.split_once('-'));
        let named: Option<(u64, u64)> =
            named.map(|(first, last)| (first.parse().expect("a number"), last.parse().expect("a number")));
        let Self { verifier, claims, .. } = self;
        let observe = &mut |line: &Line<'_>| claims.observe(line);
        let segment = verifier.segment(&mut &bytes[..], named.map(|(_, last)| last), observe);
        let segment = segment.expect("memory");
        if let End::Bad { line, fault } = &segment.end {
            return Some(damaged(Some(*line), fault.to_string()));
        }
        let held = segment.first.zip(segment.last).map(|(first, last)| (first.seq, last.seq));
        if named.is_some() && held != named {
            return Some(damaged(None, "another name"));
        }
        if self.lines == 0 {
            self.begins = segment.first.map_or(1, |mark| mark.seq);
        }
        self.torn |= segment.end != End::Whole;
        self.lines += segment.lines;
        None
    }
}

/// The segments among files, in their order: the active one sorts behind the closed ones, as `.` sorts behind `-`.
fn segments(files: &BTreeMap<String, Vec<u8>>) -> impl Iterator<Item = (&String, &Vec<u8>)> {
    files.iter().filter(|(name, _)| name.ends_with("jsonl") || name.ends_with("log"))
}

impl<'a> Judge<'a> {
    pub fn new(base: &'a Base) -> Self {
        let (notes, _) = Note::parse_all(&base.files["audit.checkpoints"]).expect("checkpoints");
        let sizes = notes.iter().map(|note| note.checkpoint.size);
        let mut state = State { verifier: Verifier::with_roots_at(sizes), ..State::default() };
        let mut stands = BTreeMap::new();
        for (name, bytes) in segments(&base.files) {
            stands.insert(name.clone(), state.clone());
            assert_eq!(state.file(name, bytes), None, "the log as it was written");
        }
        Self { base, stands }
    }

    /// What verification says to the log after a change.
    pub fn verdict(&self, case: &Case) -> Verdict {
        if let [Edit::Put { file, .. }] = &case.edits[..]
            && let Some(state) = self.stands.get(file)
        {
            // What stands in front of the change is as it was.
            return verdict(self.base, case, Some((file, state)));
        }
        verdict(self.base, case, None)
    }
}

fn verdict(base: &Base, case: &Case, from: Option<(&String, &State)>) -> Verdict {
    let files = case.files(base);
    let mut own = Vec::new();
    if let Some(bytes) = files.get("audit.checkpoints") {
        match Note::parse_all(bytes) {
            Ok((notes, _)) => own = notes,
            Err(error) => return damaged(None, error.to_string()),
        }
    }
    let anchors =
        if case.anchored { Note::parse_all(&base.anchor).expect("a checkpoint").0 } else { Vec::new() };
    let sizes = own.iter().chain(&anchors).map(|note| note.checkpoint.size);
    let fresh = || State { verifier: Verifier::with_roots_at(sizes), ..State::default() };
    let mut state = from.map_or_else(fresh, |(_, state)| state.clone());
    for (name, bytes) in segments(&files).filter(|(name, _)| from.is_none_or(|(first, _)| *name >= first)) {
        if let Some(verdict) = state.file(name, bytes) {
            return verdict;
        }
    }
    let State { verifier, claims, lines, torn, begins } = state;
    if lines == 0 && !torn {
        return Verdict { code: 2, line: None, what: "no line".to_owned() };
    }
    let log = Lines {
        log_id: verifier.log_id().unwrap_or_default(),
        last: verifier.log().tree().size(),
        roots: verifier.roots(),
    };
    let key = case.key.as_ref().map(|key| key.parse().expect("a key"));
    let evidence = Evidence::of(log, &claims, &own, &anchors, key.as_ref(), &checked);
    if let Some(problem) = evidence.problems.first() {
        return damaged(None, problem);
    }
    let gap = !evidence.gaps.is_empty() || begins > 1;
    let code = if torn {
        3
    } else if gap {
        4
    } else {
        0
    };
    Verdict { code, line: None, what: evidence.gaps.join("; ") }
}
