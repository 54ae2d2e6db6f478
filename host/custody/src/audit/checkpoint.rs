//! Checkpoints: what a log was at some moment, in few enough bytes to be kept by somebody else, as a C2SP signed note
//! (`tlog-checkpoint`, `signed-note`). It holds no key and does not sign; it says what is signed and reads what was.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::key::{ORIGIN, PublicKey, is_log_id};
use super::{TreeHash, hole};
use crate::Timestamp;

/// Longest text that is read as a note, in bytes. Ours have about 350; others may have added their signatures.
pub const MAX_NOTE: usize = 8 * 1024;

/// The state of a log at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's id, 32 lower-case hex digits.
    pub log_id: String,
    /// Lines in the log.
    pub size: u64,
    /// Root of the tree over them.
    pub root: TreeHash,
    /// How many were signed for this log, this one among them.
    pub number: u64,
    /// When it was signed.
    pub time: Timestamp,
}

impl Checkpoint {
    /// The text that is signed: origin, size and root in base64; then, as extension lines, number and time.
    #[must_use]
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root.as_bytes());
        format!(
            "{ORIGIN}{}\n{}\n{root}\nnumber {}\ntime {}\n",
            self.log_id, self.size, self.number, self.time
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let log_id = lines.next()?.strip_prefix(ORIGIN).filter(|id| is_log_id(id))?.to_owned();
        let size = lines.next().and_then(decimal)?;
        let root = TreeHash::from_bytes(STANDARD.decode(lines.next()?).ok()?.try_into().ok()?);
        let number = lines.next()?.strip_prefix("number ").and_then(decimal)?;
        let time = lines.next()?.strip_prefix("time ")?.parse().ok()?;
        lines.next().is_none().then_some(Self { log_id, size, root, number, time })
    }
}

/// A number as it is written: no sign, no zero in front.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A signature under a note, by whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
}

/// A checkpoint with its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was signed.
    pub checkpoint: Checkpoint,
    signatures: Vec<SignedBy>,
}

/// A text that is no checkpoint of an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a signed checkpoint of an audit log")]
pub struct NoteError;

/// Whether a signature over a message is that of an Ed25519 key.
pub type Checked<'a> = &'a dyn Fn(&[u8; 32], &[u8], &[u8]) -> bool;

impl Note {
    /// A checkpoint with the signature of its log's key over [`Checkpoint::text`].
    #[must_use]
    pub fn signed(checkpoint: Checkpoint, key: &PublicKey, signature: &[u8; 64]) -> Self {
        let by = SignedBy { name: key.name(), id: key.id(), signature: signature.to_vec() };
        Self { checkpoint, signatures: vec![by] }
    }

    /// Read one note.
    ///
    /// # Errors
    /// Where it is anything else. Signatures of keys that nobody here knows are read and left alone.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE {
            return Err(NoteError);
        }
        let (body, signatures) = text.split_once("\n\n").ok_or(NoteError)?;
        let checkpoint = Checkpoint::parse(&format!("{body}\n")).ok_or(NoteError)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError)?;
        let signatures: Option<Vec<SignedBy>> = signatures.split('\n').map(SignedBy::parse).collect();
        Ok(Self { checkpoint, signatures: signatures.ok_or(NoteError)? })
    }

    /// Read notes that stand one behind the other, and how many bytes they have. What follows the last one is the
    /// beginning of one that was never finished, or one whose first sectors a disk did not write before its last.
    ///
    /// # Errors
    /// Where a note follows something that is none.
    pub fn parse_all(bytes: &[u8]) -> Result<(Vec<Self>, usize), NoteError> {
        let (mut notes, mut read) = (Vec::new(), 0);
        let mut rest = bytes;
        while let Some(end) = end_of_note(rest) {
            let (note, after) = rest.split_at_checked(end).ok_or(NoteError)?;
            match str::from_utf8(note).or(Err(NoteError)).and_then(Self::parse) {
                Ok(note) => notes.push(note),
                Err(_) if hole::behind(bytes, read) => break,
                Err(error) => return Err(error),
            }
            read += end;
            rest = after;
        }
        Ok((notes, read))
    }

    /// Whether the key signed it.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey, checked: Checked<'_>) -> bool {
        let (name, id, text) = (key.name(), key.id(), self.checkpoint.text());
        key.log_id() == self.checkpoint.log_id
            && self.signatures.iter().any(|by| {
                by.name == name && by.id == id && checked(key.as_bytes(), text.as_bytes(), &by.signature)
            })
    }
}

/// Where the first note ends: behind the last of the signature lines that stand together.
fn end_of_note(bytes: &[u8]) -> Option<usize> {
    let (mut end, mut signed) = (0, false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let signature = line.starts_with("\u{2014} ".as_bytes()) && line.ends_with(b"\n");
        if signed && !signature {
            return Some(end);
        }
        signed |= signature;
        end += line.len();
    }
    signed.then_some(end)
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint.text())?;
        for by in &self.signatures {
            let bytes: Vec<u8> = by.id.iter().chain(&by.signature).copied().collect();
            writeln!(f, "\u{2014} {} {}", by.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl SignedBy {
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        if name.is_empty() || name.contains('+') {
            return None;
        }
        let bytes = STANDARD.decode(rest).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        Some(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::super::InvalidKey;
    use super::*;
    use crate::audit::{EntryHash, Tree};

    const LOG_ID: &str = "00112233445566778899aabbccddeeff";

    fn key() -> PublicKey {
        PublicKey::new(LOG_ID, [7; 32])
    }

    fn checkpoint(size: u64) -> Checkpoint {
        let mut tree = Tree::EMPTY;
        (0..size).for_each(|n| tree.push(EntryHash::of(&n.to_be_bytes())));
        Checkpoint {
            log_id: LOG_ID.to_owned(),
            size,
            root: tree.root(),
            number: 3,
            time: Timestamp::from_unix_millis(1_780_000_000_000),
        }
    }

    /// Not a signature: what the crate is given to check is what counts here.
    fn toy(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::new().chain_update(key).chain_update(message).finalize().into();
        signature.get(..32) == Some(&hash)
    }

    fn sign(key: &PublicKey, message: &str) -> [u8; 64] {
        let hash: [u8; 32] =
            Sha256::new().chain_update(key.as_bytes()).chain_update(message).finalize().into();
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&hash);
        signature
    }

    fn note(size: u64) -> Note {
        let checkpoint = checkpoint(size);
        let signature = sign(&key(), &checkpoint.text());
        Note::signed(checkpoint, &key(), &signature)
    }

    #[test]
    fn a_note_is_read_back_as_it_was_written() {
        for size in [0, 1, 7, 100] {
            let note = note(size);
            let text = note.to_string();
            assert_eq!(Note::parse(&text), Ok(note.clone()), "{text}");
            assert!(note.is_signed_by(&key(), &toy));
            assert_eq!(text.lines().nth(1), Some(size.to_string().as_str()));
        }
    }

    #[test]
    fn a_note_with_one_byte_changed_is_no_note_or_not_signed() {
        let text = note(9).to_string();
        for index in 0..text.len() {
            for bit in 0..7 {
                let mut bytes = text.clone().into_bytes();
                bytes[index] ^= 1 << bit;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                let signed = Note::parse(&changed).is_ok_and(|note| note.is_signed_by(&key(), &toy));
                // What follows the 32 bytes that the toy signature has, is nobody's business here.
                let ignored = index > text.len() - 46;
                assert!(!signed || ignored, "byte {index} bit {bit}: {changed}");
            }
        }
    }

    #[test]
    fn notes_behind_each_other_are_read_up_to_one_that_was_not_finished() {
        let texts: Vec<String> = (1..4).map(|size| note(size).to_string()).collect();
        let all = texts.concat();
        for cut in 0..=all.len() {
            let (notes, read) = Note::parse_all(&all.as_bytes()[..cut]).unwrap();
            let whole = texts.iter().scan(0, |end, text| {
                *end += text.len();
                Some(*end)
            });
            let whole: Vec<usize> = whole.take_while(|end| *end <= cut).collect();
            assert_eq!((notes.len(), read), (whole.len(), whole.last().copied().unwrap_or(0)), "{cut}");
        }
        assert_eq!(Note::parse_all(all.replacen("number", "nr", 1).as_bytes()), Err(NoteError));
    }

    #[test]
    fn a_note_whose_first_sectors_were_not_written_was_not_finished() {
        let mut torn = Vec::new();
        let (mut notes, mut end, mut sector) = (0, 0, 0);
        // The first one that is in two sectors, with its signature in the second.
        for size in 1.. {
            let text = note(size).to_string();
            (end, sector) = (torn.len(), torn.len().next_multiple_of(512));
            torn.extend(text.as_bytes());
            let signature = text.find("\n\u{2014} ").map(|at| end + at);
            if sector > end + 40 && signature.is_some_and(|at| at >= sector) {
                break;
            }
            notes += 1;
        }
        torn[end..sector].fill(0);
        assert_eq!(Note::parse_all(&torn).map(|(notes, read)| (notes.len(), read)), Ok((notes, end)));
        torn[end] = b'a';
        assert_eq!(Note::parse_all(&torn), Err(NoteError));
    }

    #[test]
    fn signatures_of_others_are_left_alone() {
        let text = format!("{}\u{2014} witness.example/w {}\n", note(3), STANDARD.encode([1; 76]));
        let read = Note::parse(&text).unwrap();
        assert!(read.is_signed_by(&key(), &toy));
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn a_key_of_another_log_or_another_key_did_not_sign() {
        let other_log = PublicKey::new("ffeeddccbbaa99887766554433221100", *key().as_bytes());
        assert!(!note(3).is_signed_by(&other_log, &toy));
        assert!(!note(3).is_signed_by(&PublicKey::new(LOG_ID, [8; 32]), &toy));
    }

    #[test]
    fn a_key_is_written_and_read() {
        let text = key().to_string();
        assert!(text.starts_with("aegis-audit/00112233445566778899aabbccddeeff+"), "{text}");
        assert_eq!(text.parse::<PublicKey>(), Ok(key()));
        for wrong in [
            "",
            "aegis-audit/x+1+1",
            &text.replace("aegis", "egis"),
            &format!("{text}="),
            text.get(..text.len() - 4).unwrap(),
        ] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(InvalidKey), "{wrong}");
        }
        let wrong_id = text.replacen(text.get(45..53).unwrap(), "00000000", 1);
        assert_eq!(wrong_id.parse::<PublicKey>(), Err(InvalidKey));
    }

    #[test]
    fn what_is_not_written_as_we_write_it_is_no_note() {
        let text = note(12).to_string();
        for (from, to) in [
            ("\n12\n", "\n012\n"),
            ("\n12\n", "\n+12\n"),
            ("number 3", "number 03"),
            ("number 3\n", ""),
            ("time ", "at "),
            ("aegis-audit/", "aegis-audit/x"),
            ("\n\n", "\n"),
            ("\n\n", "\nmore\n\n"),
            ("\u{2014} ", "- "),
        ] {
            assert_eq!(Note::parse(&text.replacen(from, to, 1)), Err(NoteError), "{from:?} to {to:?}");
        }
        assert_eq!(Note::parse(text.trim_end()), Err(NoteError));
        assert_eq!(Note::parse(&text.replace("time", &"x".repeat(MAX_NOTE))), Err(NoteError));
    }
}
