//! The ways to change a log.

use aegis_custody::Timestamp;
use aegis_custody::audit::{Checkpoint, EntryHash, Line, Note, PublicKey, Tree};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;

use super::base::{At, Base};
use super::case::{Case, Edit, Expect};

/// All of them; of changed bytes each `step`th, of lines each `line_step`th and the last.
pub fn all(base: &Base, step: usize, line_step: usize) -> impl Iterator<Item = Case> {
    flips(base, step)
        .chain(lines(base, line_step))
        .chain(cuts(base, line_step))
        .chain(files(base))
        .chain(checkpoints(base))
        .chain(rewritten(base))
}

fn put(file: &str, at: usize, cut: usize, put: &[u8]) -> Edit {
    Edit::Put { file: file.to_owned(), at, cut, put: put.to_vec() }
}

/// Each `step`th line, and the last ones.
fn some(base: &Base, step: usize) -> impl Iterator<Item = (usize, &At)> {
    let last = base.lines.len() - 4;
    base.lines.iter().enumerate().filter(move |(index, _)| index % step == 0 || *index >= last)
}

/// Every byte of lines and of checkpoints.
fn flips(base: &Base, step: usize) -> impl Iterator<Item = Case> {
    let last = base.lines.last().expect("lines");
    base.files.iter().flat_map(move |(name, bytes)| {
        (0..bytes.len()).step_by(step).map(move |at| {
            let bit = 1 << (at / step % 8);
            let edit = put(name, at, 1, &[bytes[at] ^ bit]);
            let what = format!("{name}: byte {at} with bit {bit} changed");
            let in_last = *name == last.file && at >= last.at;
            let case = Case::new(what, vec![edit], if in_last { Expect::FoundOrTorn } else { Expect::Found });
            // The last checkpoint may look as if it had never been finished; whoever kept it knows better.
            if name.ends_with("checkpoints") { case.anchored() } else { case }
        })
    })
}

/// Lines dropped, said twice, exchanged, put in, and changed with a hash that fits.
fn lines(base: &Base, step: usize) -> impl Iterator<Item = Case> {
    let count = base.lines.len();
    some(base, step).flat_map(move |(index, at)| {
        let seq = index + 1;
        let bytes = base.line(at);
        let mut cases = vec![
            Case::new(format!("line {seq} twice"), vec![put(&at.file, at.at, 0, bytes)], Expect::Found),
            Case::new(
                format!("a line of another kind put in front of line {seq}"),
                vec![put(&at.file, at.at, 0, &changed(bytes))],
                Expect::Found,
            ),
        ];
        let next = base.lines.get(index + 1).filter(|next| next.file == at.file);
        if let Some(next) = next {
            let swapped = [base.line(next), bytes].concat();
            cases.push(Case::new(
                format!("lines {seq} and {} exchanged", seq + 1),
                vec![put(&at.file, at.at, at.len + next.len, &swapped)],
                Expect::Found,
            ));
        }
        // Behind the last checkpoint nobody can tell whether the last line was ever there, or was another one.
        if seq < count {
            cases.push(Case::new(
                format!("line {seq} dropped"),
                vec![put(&at.file, at.at, at.len, b"")],
                Expect::Found,
            ));
            cases.push(Case::new(
                format!("line {seq} changed, with a hash that fits"),
                vec![put(&at.file, at.at, at.len, &changed(bytes))],
                Expect::Found,
            ));
        }
        cases
    })
}

/// Another time, and a hash of it.
fn changed(line: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(line).expect("text");
    let at = text.find(r#""ts":""#).expect("a time") + 6;
    sealed(&format!("{}1999{}", &text[..at], &text[at + 4..text.len() - 82]))
}

/// A line from what stands before its hash.
fn sealed(payload: &str) -> Vec<u8> {
    format!("{payload},\"entry_hash\":\"{}\"}}\n", EntryHash::of(payload.as_bytes())).into_bytes()
}

/// What is left where everything from a place on is gone.
fn cut_at(base: &Base, at: &At, keep: usize) -> Vec<Edit> {
    let begin = at.at + keep;
    let mut edits = vec![put(&at.file, begin, base.files[&at.file].len() - begin, b"")];
    let later = base.lines.iter().filter(|line| line.file > at.file).map(|line| &line.file);
    let mut later: Vec<&String> = later.collect();
    later.dedup();
    edits.extend(later.into_iter().map(|file| Edit::Remove(file.clone())));
    if at.at + keep == 0 {
        edits.push(Edit::Remove(at.file.clone()));
    }
    edits
}

/// The end cut off, at each line and within each; and the checkpoints with it.
fn cuts(base: &Base, step: usize) -> impl Iterator<Item = Case> {
    let notes = base.notes();
    some(base, step).skip(1).flat_map(move |(index, at)| {
        let expect = if index < base.covered { Expect::Found } else { Expect::Unsigned };
        let mut cases = vec![Case::new(format!("cut behind line {index}"), cut_at(base, at, 0), expect)];
        // A closed segment that is cut no longer holds what its name says.
        let closed = at.file.ends_with("jsonl");
        let torn = if index < base.covered || closed { Expect::Found } else { Expect::Unsigned };
        cases.push(Case::new(format!("cut within line {}", index + 1), cut_at(base, at, at.len / 2), torn));
        let (first, _) = notes[0];
        let mut silent = cut_at(base, at, 0);
        silent.push(put("audit.checkpoints", first, base.files["audit.checkpoints"].len(), b""));
        if index < base.covered {
            let what = format!("cut behind line {index}, and all checkpoints gone");
            cases.push(Case::new(what, silent, Expect::Found).anchored());
        }
        cases
    })
}

/// Whole files dropped, and those of another log in their place.
fn files(base: &Base) -> impl Iterator<Item = Case> {
    let mut cases = Vec::new();
    let segments: Vec<&String> = base.files.keys().filter(|name| !name.ends_with("checkpoints")).collect();
    for (index, name) in segments.iter().enumerate() {
        let expect = if index == 0 { Expect::Gap } else { Expect::Found };
        cases.push(Case::new(format!("{name} dropped"), vec![Edit::Remove((*name).clone())], expect));
        for (other, bytes) in base.other.iter().filter(|(name, _)| !name.ends_with("checkpoints")) {
            let edits = vec![put(name, 0, base.files[*name].len(), bytes)];
            cases.push(Case::new(format!("{other} of another log as {name}"), edits, Expect::Found));
        }
    }
    let whole = |name: &str| base.files[name].len();
    let theirs = &base.other["audit.checkpoints"];
    let edits = vec![put("audit.checkpoints", 0, whole("audit.checkpoints"), theirs)];
    cases.push(Case::new("the checkpoints of another log".to_owned(), edits, Expect::Found));
    let mut another: Vec<Edit> = base.files.keys().map(|name| Edit::Remove(name.clone())).collect();
    another.extend(base.other.iter().map(|(name, bytes)| put(name, 0, 0, bytes)));
    let what = "another log as a whole".to_owned();
    cases.push(Case::new(what.clone(), another.clone(), Expect::Believed));
    cases.push(Case::new(what.clone(), another.clone(), Expect::Found).anchored());
    cases.push(Case::new(what, another, Expect::Found).key(&base.key));
    cases.into_iter()
}

/// Checkpoints dropped, exchanged, said again and put in.
fn checkpoints(base: &Base) -> impl Iterator<Item = Case> {
    const FILE: &str = "audit.checkpoints";
    let bytes = &base.files[FILE];
    let notes = base.notes();
    let mut cases = vec![
        Case::new("no checkpoints".to_owned(), vec![Edit::Remove(FILE.to_owned())], Expect::Gap),
        Case::new("no checkpoints".to_owned(), vec![Edit::Remove(FILE.to_owned())], Expect::Gap)
            .key(&base.key),
    ];
    let last = notes.len() - 1;
    for (index, (from, to)) in notes.iter().copied().enumerate() {
        let number = index + 1;
        let dropped = Case::new(
            format!("checkpoint {number} dropped"),
            vec![put(FILE, from, to - from, b"")],
            Expect::Found,
        );
        cases.push(if index == last { dropped.anchored() } else { dropped });
        let tail = Case::new(
            format!("checkpoints from {number} on dropped"),
            vec![put(FILE, from, bytes.len() - from, b"")],
            if index == 0 { Expect::Gap } else { Expect::Found },
        );
        cases.push(if index == 0 { tail } else { tail.anchored() });
        if index < last {
            let again = vec![put(FILE, bytes.len(), 0, &bytes[from..to])];
            cases.push(Case::new(format!("checkpoint {number} again at the end"), again, Expect::Found));
            let (_, end) = notes[index + 1];
            let swapped = [&bytes[to..end], &bytes[from..to]].concat();
            let edits = vec![put(FILE, from, end - from, &swapped)];
            cases.push(Case::new(
                format!("checkpoint {number} and the next exchanged"),
                edits,
                Expect::Found,
            ));
        }
        let theirs = &base.other[FILE];
        cases.push(Case::new(
            format!("checkpoints of another log in front of {number}"),
            vec![put(FILE, from, 0, theirs)],
            Expect::Found,
        ));
    }
    cases.into_iter()
}

/// The log written anew from a line on, every hash and every tree with it, as whoever can write the volume would.
fn rewritten(base: &Base) -> impl Iterator<Item = Case> {
    let count = base.lines.len();
    (0..count).step_by(count / 20).flat_map(move |from| {
        let (edits, tree) = anew(base, from);
        let expect = if from < base.covered { Expect::Found } else { Expect::Unsigned };
        let mut cases =
            vec![Case::new(format!("written anew from line {}", from + 1), edits.clone(), expect)];
        if from < base.covered {
            let mut silent = edits.clone();
            silent.push(Edit::Remove("audit.checkpoints".to_owned()));
            let what = format!("written anew from line {}, and no checkpoint", from + 1);
            cases.push(Case::new(what.clone(), silent.clone(), Expect::Gap));
            cases.push(Case::new(what, silent, Expect::Found).anchored());
            let mut forged = edits;
            forged.push(put(
                "audit.checkpoints",
                0,
                base.files["audit.checkpoints"].len(),
                &signed_by_a_stranger(base, &tree),
            ));
            let what = format!("written anew from line {} and signed by a stranger", from + 1);
            cases.push(Case::new(what, forged, Expect::Found));
        }
        cases
    })
}

/// The edits, and the tree over the lines after them.
fn anew(base: &Base, from: usize) -> (Vec<Edit>, Tree) {
    let (mut tree, mut head) = (Tree::EMPTY, EntryHash::ZERO.to_string());
    let mut files = std::collections::BTreeMap::<&String, Vec<u8>>::new();
    for (index, at) in base.lines.iter().enumerate() {
        let mut line = base.line(at).to_vec();
        if index == from {
            line = changed(&line);
        }
        if index > from {
            let text = std::str::from_utf8(&line).expect("text");
            let value: Value = serde_json::from_str(text).expect("JSON");
            let mut payload =
                text[..text.len() - 82].replace(value["prev_hash"].as_str().expect("a hash"), &head);
            if let Some(old) = value.get("tree") {
                let peaks: Vec<String> = tree.peaks().iter().map(ToString::to_string).collect();
                payload = payload.replace(&old.to_string(), &Value::from(peaks).to_string());
            }
            line = sealed(&payload);
        }
        let parsed = Line::parse(line.strip_suffix(b"\n").expect("whole")).expect("a line");
        tree.push(parsed.hash());
        head = parsed.hash().to_string();
        files.entry(&at.file).or_default().extend(line);
    }
    let edits = files.into_iter().map(|(file, bytes)| put(file, 0, base.files[file].len(), &bytes));
    (edits.collect(), tree)
}

/// A checkpoint for these lines by a key that is none of the log's.
fn signed_by_a_stranger(base: &Base, tree: &Tree) -> Vec<u8> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let known: PublicKey = base.key.parse().expect("a key");
    let key = PublicKey::new(known.log_id(), pair.public_key().as_ref().try_into().expect("32 bytes"));
    let checkpoint = Checkpoint {
        log_id: known.log_id().to_owned(),
        size: tree.size(),
        root: tree.root(),
        number: 1,
        time: Timestamp::from_unix_millis(1_780_000_000_000),
    };
    let signature = pair.sign(checkpoint.text().as_bytes());
    let signature = signature.as_ref().try_into().expect("64 bytes");
    Note::signed(checkpoint, &key, signature).to_string().into_bytes()
}
