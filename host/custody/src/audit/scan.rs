//! A strict reader of JSON text (RFC 8259) that copies nothing. It accepts less than JSON: no space between
//! tokens, no name twice in an object, no lone surrogate, no raw hidden character, bounded depth.

use std::borrow::Cow;

use super::text::hidden;
use super::{Fault, MAX_DEPTH};

/// One member of the outermost object: its decoded name and the raw text of its value.
pub(super) type Member<'a> = (Cow<'a, str>, &'a str);

/// Read one object that is the whole text.
pub(super) fn object(text: &str) -> Result<Vec<Member<'_>>, Fault> {
    let mut scan = Scan { text, at: 0 };
    let members = scan.members(0)?;
    if scan.at == text.len() { Ok(members) } else { Err(scan.fault("something follows the object")) }
}

/// The content of a string value given as raw text with its quotes; none for any other value.
pub(super) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// The names that begin a line, and those that end it.
const FIXED: [&str; 6] = ["v", "seq", "ts", "event", "prev_hash", "entry_hash"];

/// As many members as a line of a call has.
const MEMBERS: usize = 24;

/// Whether the names stand as the writer puts them, which is the quick way to know that none stands twice: in the order of
/// their bytes, and in a line (depth 0) between the six that begin and end it.
fn sorted(members: &[Member<'_>], depth: usize) -> bool {
    let ascending = |members: &[Member<'_>]| {
        members.iter().zip(members.iter().skip(1)).all(|((before, _), (after, _))| before < after)
    };
    if depth > 0 {
        return ascending(members);
    }
    let [(v, _), (seq, _), (ts, _), (event, _), between @ .., (prev, _), (entry, _)] = members else {
        return false;
    };
    [v, seq, ts, event, prev, entry].map(AsRef::as_ref) == FIXED
        && ascending(between)
        && !between.iter().any(|(name, _)| FIXED.contains(&name.as_ref()))
}

/// Whether no name stands twice, in whatever order.
fn distinct(members: &[Member<'_>]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    !names.windows(2).any(|pair| pair.first() == pair.last())
}

/// How many bytes from the first on are printable ASCII and neither a quote nor a backslash; eight at a time.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    // Of each byte the highest bit is set by what it is itself (not ASCII), by the sum (a delete), and by the differences
    // where they fall below zero: of a control character, and of what is zero for being a quote or a backslash. What is
    // carried to or borrowed from the next byte makes false finds behind a true one alone.
    let finds = |word: u64| {
        let zero = (word ^ QUOTES).wrapping_sub(ONES) | (word ^ BACKSLASHES).wrapping_sub(ONES);
        (word | word.wrapping_add(ONES) | word.wrapping_sub(ONES << 5) | zero) & HIGH
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at: usize = 0;
    for word in words {
        let found = finds(u64::from_le_bytes(*word));
        if found != 0 {
            return at.saturating_add(usize::try_from(found.trailing_zeros() / 8).unwrap_or_default());
        }
        at = at.saturating_add(8);
    }
    let other = |byte: &u8| !matches!(byte, 0x20..0x7f) || matches!(byte, b'"' | b'\\');
    at.saturating_add(rest.iter().position(other).unwrap_or(rest.len()))
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn fault(&self, what: &'static str) -> Fault {
        Fault::Json { at: self.at + 1, what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.accept(byte) { Ok(()) } else { Err(self.fault(what)) }
    }

    fn since(&self, start: usize) -> Result<&'a str, Fault> {
        self.text.get(start..self.at).ok_or_else(|| self.fault("a character is broken"))
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Fault> {
        self.expect(b'{', "an object was expected")?;
        let mut found: Vec<Member<'a>> = Vec::with_capacity(if depth == 0 { MEMBERS } else { 4 });
        if !self.accept(b'}') {
            loop {
                let (name, escaped) = self.string()?;
                let name = match name.get(1..name.len().saturating_sub(1)).filter(|_| !escaped) {
                    Some(plain) => Cow::Borrowed(plain),
                    None => string(name).ok_or_else(|| self.fault("a name cannot be read"))?,
                };
                self.expect(b':', "a colon was expected")?;
                let start = self.at;
                self.value(depth + 1)?;
                found.push((name, self.since(start)?));
                if self.accept(b'}') {
                    break;
                }
                self.expect(b',', "a comma or closing brace was expected")?;
            }
        }
        if sorted(&found, depth) || distinct(&found) {
            return Ok(found);
        }
        Err(self.fault("a name stands twice in one object"))
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => Err(self.fault("it nests too deep")),
            Some(b'{') => self.members(depth).map(drop),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for word in ["null", "true", "false"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(());
            }
        }
        Err(self.fault("a value was expected"))
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.expect(b'[', "a list was expected")?;
        if self.accept(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.accept(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or closing bracket was expected")?;
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits()?;
        }
        if self.accept(b'.') {
            self.digits()?;
        }
        if self.accept(b'e') || self.accept(b'E') {
            let _sign = self.accept(b'+') || self.accept(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(self.fault("a digit was expected")) }
    }

    /// Read a string and return its raw text with the quotes, and whether there is an escape in it.
    fn string(&mut self) -> Result<(&'a str, bool), Fault> {
        let (start, mut escaped) = (self.at, false);
        self.expect(b'"', "a string was expected")?;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                None => return Err(self.fault("a string is not closed")),
                Some(b'"') => {
                    self.at += 1;
                    return Ok((self.since(start)?, escaped));
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => {
                    let c = self.text.get(self.at..).and_then(|rest| rest.chars().next());
                    let c = c.ok_or_else(|| self.fault("a character is broken"))?;
                    if hidden(c) {
                        return Err(self.fault("a hidden character is not escaped"));
                    }
                    self.at += c.len_utf8();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.unit()?;
                let lone = match unit {
                    0xd800..0xdc00 => !self.accept(b'\\') || !(0xdc00..0xe000).contains(&self.unit()?),
                    0xdc00..0xe000 => true,
                    _ => false,
                };
                if lone { Err(self.fault("a surrogate stands alone")) } else { Ok(()) }
            }
            _ => Err(self.fault("an unknown escape")),
        }
    }

    /// Read `u` and four hex digits.
    fn unit(&mut self) -> Result<u16, Fault> {
        self.expect(b'u', "a surrogate stands alone")?;
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.at += 4;
        unit.ok_or_else(|| self.fault("four hex digits were expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Member, distinct, plain, sorted};

    #[test]
    fn eight_bytes_at_a_time_end_where_one_at_a_time_ends() {
        for length in 0..20 {
            for place in 0..=length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'x'; length];
                    bytes.iter_mut().skip(place).for_each(|at| *at = byte);
                    let by_one =
                        bytes.iter().position(|byte| !matches!(byte, 0x20..0x7f) || b"\"\\".contains(byte));
                    assert_eq!(plain(&bytes), by_one.unwrap_or(length), "{bytes:?}");
                    // The bytes before it are the nearest to others that end a string.
                    for near in [b'!', b'#', b'[', b']', b'~', b' '] {
                        bytes.iter_mut().take(place).for_each(|at| *at = near);
                        assert_eq!(plain(&bytes), by_one.unwrap_or(length), "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_quick_way_never_takes_a_name_twice() {
        let line = |between: &[&'static str]| -> Vec<Member<'static>> {
            let names = ["v", "seq", "ts", "event"].iter().chain(between).chain(&["prev_hash", "entry_hash"]);
            names.map(|name| ((*name).into(), "1")).collect()
        };
        for (between, quick, alone) in [
            (&[][..], true, true),
            (&["a", "b", "c"], true, true),
            (&["b", "a"], false, true),
            (&["a", "a"], false, false),
            (&["a", "ts"], false, false),
            (&["prev_hash"], false, false),
        ] {
            assert_eq!((sorted(&line(between), 0), distinct(&line(between))), (quick, alone), "{between:?}");
        }
        let inner: Vec<Member<'_>> = ["a", "b", "b"].map(|name| (name.into(), "1")).to_vec();
        assert!(!sorted(&inner, 1) && !distinct(&inner) && sorted(&inner[..2], 1));
        assert!(!sorted(&inner, 0), "too few for a line");
    }
}
