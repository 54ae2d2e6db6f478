//! Secrets known by what stands before them: near a keyword, in an `Authorization` header, in a URL, or
//! assigned to a name. It prefers missing a doubtful one to masking ordinary code.

use crate::class::Class;
use crate::scan::Scan;
use crate::table::Near;

/// The longest stretch of quotes, spaces and signs between a name and its value.
const SEPARATORS: usize = 12;
/// Lengths of an assigned value that may be a secret.
const VALUE: std::ops::RangeInclusive<usize> = 16..=512;

impl Scan<'_> {
    /// The first word within the window after a keyword that fits, on the same line.
    pub(crate) fn near(&mut self, from: usize, near: &Near) -> Option<(usize, usize)> {
        let last = from.saturating_add(near.window);
        let mut at = from;
        // Whether a value may begin here: after a separator, not in the middle of a path, a name or a version.
        let mut open = false;
        while at <= last {
            self.text.work = self.text.work.saturating_add(1);
            let byte = self.text.byte(at)?;
            match byte {
                b'\n' | b'\r' => return None,
                b'\\' => {
                    let (length, line_end) = self.escape(at);
                    if line_end {
                        return None;
                    }
                    at = at.saturating_add(length);
                    open = true;
                }
                b'%' => {
                    let code = self.text.rest(at).get(1..3);
                    let escaped = code.is_some_and(|code| code.iter().all(|byte| Class::HEX.has(*byte)));
                    at = at.saturating_add(if escaped { 3 } else { 1 });
                    open = escaped;
                }
                b'[' if self.text.rest(at).starts_with(b"[redacted:") => return None,
                _ if Class::ALNUM.has(byte) => {
                    if open
                        && let Some(end) = self.text.steps(at, near.steps)
                        && self.text.holds(at, end, near.needs)
                    {
                        return Some((at, end));
                    }
                    let end = self.text.run(at, Class::ALNUM, near.window);
                    let word = self.text.bytes.get(at..end)?;
                    if near.unless.iter().any(|bar| word.eq_ignore_ascii_case(bar.as_bytes())) {
                        return None;
                    }
                    at = end;
                    open = false;
                }
                _ => {
                    open = b"\"'`=: \t(>[,".contains(&byte);
                    at = at.saturating_add(1);
                }
            }
        }
        None
    }

    /// The length of the escape at `at`, and whether it stands for a line end.
    fn escape(&self, at: usize) -> (usize, bool) {
        match self.text.byte(at.saturating_add(1)) {
            Some(b'n' | b'r') => (2, true),
            Some(b'u') => (6, false),
            _ => (2, false),
        }
    }

    /// The credentials of an `Authorization` header (RFC 9110 section 11.6.2) whose name ends at `after`, in any
    /// notation: a header line, JSON, a call that sets it.
    pub(crate) fn authorization(&mut self, after: usize) -> Option<(usize, usize)> {
        let (value, _) = self.separators(after)?;
        let scheme = self.text.run(value, Class::ALNUM, 16);
        let named = ["bearer", "basic", "token", "apikey", "digest", "negotiate"];
        let word = self.text.bytes.get(value..scheme)?;
        let spaces = self.text.rest(scheme).iter().take(4).take_while(|byte| **byte == b' ').count();
        let encoded = if self.text.rest(scheme).starts_with(b"%20") { 3 } else { 0 };
        let known = named.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
        if known && spaces.max(encoded) > 0 {
            let start = scheme.saturating_add(spaces.max(encoded));
            let end = self.text.run(start, Class::TOKEN68, usize::MAX);
            let end = self.text.padding(end);
            let credentials = self.text.bytes.get(start..end)?;
            return is_credential(credentials).then_some((start, end));
        }
        let end = self.text.run(value, Class::TOKEN68, usize::MAX);
        let end = self.text.padding(end);
        let bare = self.text.bytes.get(value..end)?;
        looks_random(bare).then_some((value, end))
    }

    /// The password in the user part of a URL (RFC 3986 section 3.2.1); or its user, where a token stands there
    /// in place of a name. `after` is the place behind `://`.
    pub(crate) fn userinfo(&mut self, at: usize, after: usize) -> Option<(usize, usize)> {
        if !self.text.before(at, 1).is_some_and(|byte| Class::ALNUM.has(byte)) {
            return None;
        }
        let user_end = self.until_delimiter(after);
        let user = self.text.bytes.get(after..user_end)?;
        let lone = user.len() == 40 && user.iter().all(|byte| Class::HEX.has(*byte));
        match self.text.byte(user_end) {
            Some(b'@') if lone => Some((after, user_end)),
            Some(b':') => {
                let start = user_end.saturating_add(1);
                let end = self.last_at_sign(start)?;
                let password = self.text.bytes.get(start..end)?;
                if lone {
                    return Some((after, end));
                }
                let host = self.text.byte(end.saturating_add(1));
                let real =
                    host.is_some_and(|byte| Class::ALNUM.has(byte) || matches!(byte, b'[' | b'$' | b'{'));
                (real && is_password(password)).then_some((start, end))
            }
            _ => None,
        }
    }

    /// The last `@` of the authority that `from` is in: people write passwords with `@` in them, unescaped.
    fn last_at_sign(&mut self, from: usize) -> Option<usize> {
        let mut part = self.until_delimiter(from);
        let mut found = None;
        while self.text.byte(part) == Some(b'@') {
            found = Some(part);
            part = self.until_delimiter(part.saturating_add(1));
        }
        found
    }

    fn until_delimiter(&mut self, from: usize) -> usize {
        let length = self
            .text
            .rest(from)
            .iter()
            .take_while(|byte| !byte.is_ascii_whitespace() && !b"/:@?#\"'`<>()[]\\,".contains(byte))
            .count();
        self.text.work = self.text.work.saturating_add(length as u64);
        from.saturating_add(length)
    }

    /// The value assigned to a secret's name that ends at `after`: in quotes, or alone up to the end of the line.
    pub(crate) fn assignment(&mut self, after: usize) -> Option<(usize, usize)> {
        let suffixes = ["_key", "-key", "key", "_value", "_token"];
        let found = suffixes.iter().find(|suffix| self.text.starts(after, suffix, true));
        let name_end = after.saturating_add(found.map_or(0, |suffix| suffix.len()));
        let (start, quoted) = self.separators(name_end)?;
        let end = self.text.run(start, Class::VALUE, usize::MAX);
        let end = self.text.padding(end);
        let value = self.text.bytes.get(start..end)?;
        let closed = match self.text.byte(end) {
            None => true,
            Some(byte) if quoted => b"\"'`\\".contains(&byte),
            Some(byte) => b" \t\r\n,&}\\".contains(&byte),
        };
        (closed && (quoted || !is_constant(value)) && VALUE.contains(&value.len()) && looks_random(value))
            .then_some((start, end))
    }

    /// The place behind the signs that assign a value to the name before, and whether a quote opens it.
    fn separators(&mut self, from: usize) -> Option<(usize, bool)> {
        let rest = self.text.rest(from);
        let length = rest.iter().take(SEPARATORS).take_while(|byte| b" \t\"'`\\:=>,".contains(byte)).count();
        self.text.work = self.text.work.saturating_add(length as u64);
        let signs = rest.get(..length)?;
        let assigns = signs.iter().any(|byte| b":=,".contains(byte));
        let quoted = signs.last().is_some_and(|byte| b"\"'`".contains(byte));
        assigns.then(|| (from.saturating_add(length), quoted))
    }
}

/// Whether what follows an authorization scheme is a credential: not prose (`basic authentication`), not a
/// name that stands for one (`YOUR_TOKEN`).
fn is_credential(value: &[u8]) -> bool {
    let name = value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let inner = value.get(1..).unwrap_or_default();
    // With the sign of a parameter (`Digest username="me"`).
    let inner = inner.strip_suffix(b"=").unwrap_or(inner);
    let word = inner.iter().all(|byte| byte.is_ascii_lowercase() || b".-_".contains(byte));
    value.len() >= 8 && !name && (!word || value.len() >= 20)
}

/// Whether what stands in a URL's password is one, not a variable or a mask.
fn is_password(value: &[u8]) -> bool {
    let variable = value.first().is_some_and(|byte| b"${%*[".contains(byte))
        && !value.iter().any(u8::is_ascii_alphanumeric)
        || value.starts_with(b"$")
        || value.starts_with(b"{")
        || value.starts_with(b"[redacted");
    !value.is_empty() && !variable
}

/// Whether a value was made by a machine: letters and digits that keep changing places, many different ones.
/// Not UUIDs (they name things) and not paths.
fn looks_random(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let slashes = value.iter().filter(|byte| **byte == b'/').count();
    let upper = value.iter().any(u8::is_ascii_uppercase);
    let mut seen = 0_u128;
    let mut changes = 0_usize;
    let mut digit_before = None;
    for byte in value {
        seen |= 1_u128.checked_shl(u32::from(*byte)).unwrap_or(0);
        if byte.is_ascii_alphanumeric() {
            let digit = byte.is_ascii_digit();
            changes = changes.saturating_add(usize::from(digit_before.is_some_and(|before| before != digit)));
            digit_before = Some(digit);
        }
    }
    let path = slashes >= 2 && !upper;
    // Words joined by signs are a name (`pkcs-9-at-pkcs15Token`); chance puts fewer signs into a value.
    let signs = value.iter().filter(|byte| b"-_./".contains(byte)).count();
    let joined = signs.saturating_mul(8) >= value.len();
    value.len() >= *VALUE.start()
        && digits >= 2
        && letters >= 4
        && changes >= 3
        && seen.count_ones() >= 10
        && !path
        && !joined
        && !is_uuid(value)
}

/// Whether a bare value is the name of a constant (`D3D10_RETURN_TYPE`).
fn is_constant(value: &[u8]) -> bool {
    value.contains(&b'_') && !value.iter().any(u8::is_ascii_lowercase)
}

/// RFC 9562 section 4: 8-4-4-4-12 hex digits.
fn is_uuid(value: &[u8]) -> bool {
    let mut lengths = [8, 4, 4, 4, 12].into_iter();
    let mut parts = value.split(|byte| *byte == b'-');
    parts.all(|part| lengths.next() == Some(part.len()) && part.iter().all(|byte| Class::HEX.has(*byte)))
        && lengths.next().is_none()
}
