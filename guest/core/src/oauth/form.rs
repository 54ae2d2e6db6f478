//! `application/x-www-form-urlencoded`, in bodies and in queries, as RFC 6749 appendix B has it.
//!
//! Strict: what does not decode to UTF-8 is refused as a whole, nothing is repaired, and a parameter that is
//! there twice is never read. Values are secrets as often as not, so none of them is ever printed.

use core::fmt;

/// The longest form or query that is read, in bytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// Most parameters of one form.
pub const MAX_PARAMETERS: usize = 32;

/// Not a form: too long, too many parameters, `%` without two digits, or not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A parameter is there more than once (RFC 6749 section 3.1 forbids it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate;

/// The parameters of a form, in the order in which they were sent.
pub struct Form {
    pairs: Vec<(String, String)>,
}

impl fmt::Debug for Form {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Form").field("parameters", &self.pairs.len()).finish_non_exhaustive()
    }
}

impl Form {
    /// Reads a body, or the part of a URL after `?`.
    ///
    /// # Errors
    /// [`Malformed`]: more than [`MAX_BYTES`] or [`MAX_PARAMETERS`], or it does not decode.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let mut pairs = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PARAMETERS {
                return Err(Malformed);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
            pairs.push((decode(name).ok_or(Malformed)?, decode(value).ok_or(Malformed)?));
        }
        Ok(Self { pairs })
    }

    /// The value of a parameter. One without a value counts as left out (RFC 6749 section 3.1).
    ///
    /// # Errors
    /// [`Duplicate`]: it is there more than once, also where one of them has no value.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Duplicate> {
        let mut found = self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (value, None) => Ok(value.filter(|value| !value.is_empty())),
            (_, Some(_)) => Err(Duplicate),
        }
    }

    /// Whether every parameter, known or not, is there once.
    ///
    /// # Errors
    /// [`Duplicate`]: one is not.
    pub fn unrepeated(&self) -> Result<(), Duplicate> {
        self.pairs.iter().try_for_each(|(name, _)| self.one(name).map(|_| ()))
    }
}

/// Decodes one name or value. None where `%` is not followed by two digits, or the bytes are not UTF-8.
pub(super) fn decode(coded: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(coded.len());
    let mut bytes = coded.iter().copied();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                high << 4 | low
            }
            plain => plain,
        });
    }
    String::from_utf8(out).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], name: &str) -> Option<String> {
        Form::parse(text).unwrap().one(name).unwrap().map(str::to_owned)
    }

    #[test]
    fn decodes_as_appendix_b_of_rfc_6749_shows() {
        let text = b"+%25%26%2B%C2%A3%E2%82%AC";
        let form = [b"a=".as_slice(), text].concat();
        assert_eq!(read(&form, "a").as_deref(), Some(" %&+\u{a3}\u{20ac}"));
        assert_eq!(read(b"client%5Fid=x%3d%3D", "client_id").as_deref(), Some("x=="));
        assert_eq!(read(b"a=b=c", "a").as_deref(), Some("b=c"), "only the first `=` parts");
        assert_eq!(read(b"&&a=1&", "a").as_deref(), Some("1"));
    }

    #[test]
    fn takes_a_parameter_without_a_value_as_left_out() {
        for text in [&b""[..], b"b=1", b"a", b"a=", b"A=1", b"=1"] {
            assert_eq!(read(text, "a"), None, "{text:?}");
        }
    }

    #[test]
    fn refuses_to_read_what_is_there_twice() {
        for text in [&b"a=1&a=1"[..], b"a=1&b=2&a=3", b"a=1&a", b"a&a", b"a=1&%61=2"] {
            let form = Form::parse(text).unwrap();
            assert_eq!(form.one("a"), Err(Duplicate), "{text:?}");
            assert_eq!(form.unrepeated(), Err(Duplicate), "{text:?}");
        }
        let form = Form::parse(b"x=1&x=2&a=3").unwrap();
        assert_eq!(form.one("a"), Ok(Some("3")));
        assert_eq!(form.unrepeated(), Err(Duplicate), "unknown ones count");
        assert_eq!(Form::parse(b"a=1&b=1").unwrap().unrepeated(), Ok(()));
    }

    #[test]
    fn refuses_as_a_whole_what_does_not_decode() {
        for text in [&b"a=%"[..], b"a=%4", b"a=%zz", b"%g0=1", b"a=1&b=%ff", b"a=%c3%28", b"a=\xff", b"a=%+1"]
        {
            assert_eq!(Form::parse(text).err(), Some(Malformed), "{text:?}");
        }
    }

    #[test]
    fn reads_so_much_and_no_more() {
        let long = |bytes: usize| [b"a=".as_slice(), &vec![b'x'; bytes - 2]].concat();
        assert!(Form::parse(&long(MAX_BYTES)).is_ok());
        assert_eq!(Form::parse(&long(MAX_BYTES + 1)).err(), Some(Malformed));
        let many = |count: usize| vec!["a=1"; count].join("&");
        assert!(Form::parse(many(MAX_PARAMETERS).as_bytes()).is_ok());
        assert_eq!(Form::parse(many(MAX_PARAMETERS + 1).as_bytes()).err(), Some(Malformed));
    }

    #[test]
    fn never_prints_a_value() {
        let form = Form::parse(b"client_secret=hunter2").unwrap();
        assert!(!format!("{form:?}").contains("hunter2"));
    }
}
