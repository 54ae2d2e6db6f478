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
        let mut found: Vec<Member<'a>> = Vec::new();
        if !self.accept(b'}') {
            loop {
                let name = self.string()?;
                let name = string(name).ok_or_else(|| self.fault("a name cannot be read"))?;
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
        let mut names: Vec<&str> = found.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(self.fault("a name stands twice in one object"));
        }
        Ok(found)
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

    /// Read a string and return its raw text with the quotes.
    fn string(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.expect(b'"', "a string was expected")?;
        loop {
            match self.peek() {
                None => return Err(self.fault("a string is not closed")),
                Some(b'"') => {
                    self.at += 1;
                    return self.since(start);
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..0x7f) => self.at += 1,
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
