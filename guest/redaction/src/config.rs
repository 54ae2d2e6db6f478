//! Passwords in the forms of configuration that have a grammar of their own: `.netrc`, Docker's `config.json`,
//! connection strings, PuTTY keys. It knows no provider.

use crate::class::Class;
use crate::encoded::decode;
use crate::scan::Scan;

/// The longest word of a `.netrc`, and the most pairs of an entry that are looked at.
const WORD: usize = 128;
const PAIRS: usize = 4;
/// The most spaces, line ends and marks between two words of it.
const GAP: usize = 16;
/// How far before the password of a connection string the pair before it is looked for.
const PAIR: usize = 48;
/// Keys that make a list of pairs the one of a connection, without spaces.
const KEYS: [&str; 15] = [
    "userid",
    "uid",
    "user",
    "username",
    "port",
    "database",
    "initialcatalog",
    "server",
    "host",
    "hostaddr",
    "datasource",
    "dbname",
    "sslmode",
    "driver",
    "trusted_connection",
];

impl Scan<'_> {
    /// The password of the `.netrc` entry whose `machine` ends (with its space) at `after`.
    pub(crate) fn netrc(&mut self, at: usize, after: usize) -> Option<(usize, usize)> {
        if !self.text.boundary(at, true) {
            return None;
        }
        let mut key = self.netrc_word(after)?;
        let mut login = false;
        for _ in 0..PAIRS {
            let word = self.netrc_word(key.1)?;
            let value = self.netrc_word(word.1)?;
            match self.text.bytes.get(word.0..word.1)? {
                b"password" if login => {
                    let first = self.text.byte(value.0)?;
                    return (!b"$<{[".contains(&first)).then_some(value);
                }
                b"login" => login = true,
                b"account" | b"port" | b"protocol" => {}
                _ => return None,
            }
            key = value;
        }
        None
    }

    /// The next word after spaces, line ends (which may be escapes) and marks of a diff.
    fn netrc_word(&mut self, from: usize) -> Option<(usize, usize)> {
        let mut start = from;
        let mut line = false;
        for _ in 0..GAP {
            let rest = self.text.rest(start);
            let width = match rest {
                [b' ' | b'\t' | b'\r', ..] => 1,
                [b'\n', ..] => {
                    line = true;
                    1
                }
                [b'\\', b'n' | b'r' | b't', ..] => 2,
                [b'+' | b'-', ..] if line => {
                    line = false;
                    1
                }
                _ => break,
            };
            start = start.saturating_add(width);
        }
        let word = self.text.rest(start).iter().take(WORD);
        let length = word.take_while(|byte| !b" \t\r\n\"'`\\".contains(byte)).count();
        self.text.work =
            self.text.work.saturating_add(start.saturating_sub(from).saturating_add(length) as u64);
        (length > 0 && length < WORD).then(|| (start, start.saturating_add(length)))
    }

    /// `"auth": "<Base64 of name:password>"`, where `"auth"` ends at `after`.
    pub(crate) fn docker_auth(&mut self, after: usize) -> Option<(usize, usize)> {
        let signs = self.text.rest(after).iter().take(8);
        let signs = signs.take_while(|byte| b" :\t\\\"".contains(byte)).count();
        let start = after.saturating_add(signs);
        if self.text.before(start, 1) != Some(b'"') {
            return None;
        }
        let end = self.text.run(start, Class::BASE64, 512);
        let inner = decode(self.text.bytes.get(start..end)?.iter());
        self.text.work = self.text.work.saturating_add(inner.len() as u64);
        let colon = inner.iter().position(|byte| *byte == b':')?;
        let readable = inner.iter().all(|byte| matches!(byte, 0x20..=0x7e));
        (colon > 0 && inner.len() > colon.saturating_add(4) && readable)
            .then(|| (start, self.text.padding(end)))
    }

    /// The password of a connection string (`Server=db;User Id=sa;Password=…;`, `host=db user=app password=…`)
    /// whose `password=` is at `at` and ends at `after`: only where a pair of such a string stands before it.
    pub(crate) fn connection(&mut self, at: usize, after: usize) -> Option<(usize, usize)> {
        let spaces =
            self.text.bytes.get(..at)?.iter().rev().take(2).take_while(|byte| **byte == b' ').count();
        let mut edge = at.checked_sub(spaces)?;
        let semicolon = self.text.before(edge, 1) == Some(b';');
        if semicolon {
            edge = edge.checked_sub(1)?;
        } else if spaces == 0 {
            return None;
        }
        if !self.pair_before(edge, semicolon) {
            return None;
        }
        let rest = self.text.rest(after);
        let open = rest.first().copied().filter(|byte| b"'\"".contains(byte));
        let start = after.saturating_add(usize::from(open.is_some()));
        let ends = |byte: u8| match open {
            Some(quote) => byte == quote || byte == b'\n',
            None => b";\"'`\n\r\\<>".contains(&byte) || !semicolon && byte == b' ',
        };
        let length = self.text.rest(start).iter().take(WORD).take_while(|byte| !ends(**byte)).count();
        self.text.work = self.text.work.saturating_add(length as u64);
        let end = start.saturating_add(length);
        let value = self.text.bytes.get(start..end)?;
        let first = value.first()?;
        let code = open.is_none() && is_code(value, semicolon);
        (!b"${%<[*".contains(first) && !code && length < WORD).then_some((start, end))
    }

    /// Whether what ends at `edge` is `key=value` with a key of a connection.
    fn pair_before(&mut self, edge: usize, semicolon: bool) -> bool {
        let from = edge.saturating_sub(PAIR);
        let seen = self.text.bytes.get(from..edge).unwrap_or_default();
        self.text.work = self.text.work.saturating_add(seen.len() as u64);
        let Some(sign) = seen.iter().rposition(|byte| *byte == b'=') else {
            return false;
        };
        let value = seen.get(sign.saturating_add(1)..).unwrap_or_default();
        let broken = value.iter().any(|byte| b";\"'\n".contains(byte) || !semicolon && *byte == b' ');
        if broken || is_code(value, semicolon) {
            return false;
        }
        let key = seen.get(..sign).unwrap_or_default();
        let begin = key.iter().rposition(|byte| !(Class::WORD.has(*byte) || semicolon && *byte == b' '));
        let key = key.get(begin.map_or(0, |place| place.saturating_add(1))..).unwrap_or_default();
        let key: Vec<u8> = key.iter().filter(|byte| **byte != b' ').map(u8::to_ascii_lowercase).collect();
        KEYS.iter().any(|known| known.as_bytes() == key)
    }

    /// The lines of a PuTTY key after `Private-Lines: `, as many as are there.
    pub(crate) fn putty(&mut self, after: usize) -> Option<(usize, usize)> {
        let digits = self.text.run(after, Class::DIGITS, 3);
        let (start, mut end) = self.putty_line(digits)?;
        while let Some((_, next)) = self.putty_line(end) {
            end = next;
        }
        (digits > after).then_some((start, end))
    }

    /// The line of Base64 behind the line end (which may be an escape) at `end`.
    fn putty_line(&mut self, end: usize) -> Option<(usize, usize)> {
        let rest = self.text.rest(end);
        let gap = rest.iter().take(24).take_while(|byte| b"\r\n\t \\nr+-".contains(byte)).count();
        let line_end = rest.get(..gap)?.iter().any(|byte| matches!(byte, b'\n' | b'\\'));
        let start = end.saturating_add(gap);
        let last = self.text.run(start, Class::BASE64, 80);
        let last = self.text.padding(last);
        (line_end && last.saturating_sub(start) >= 24).then_some((start, last))
    }
}

/// Whether a value of a list without semicolons is an argument of a call (`user=None, password=given)`).
fn is_code(value: &[u8], semicolon: bool) -> bool {
    !semicolon && value.iter().any(|byte| b",()".contains(byte))
        || [b"None".as_slice(), b"null", b"nil"].contains(&value)
}
