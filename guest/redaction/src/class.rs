//! Classes of ASCII bytes, as bit sets. It decides nothing about secrets.

/// A set of byte kinds. Bytes from 0x80 belong to no class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Class(u16);

const DIGIT_2_7: u16 = 1;
const DIGIT_OTHER: u16 = 1 << 1;
const UPPER_HEX: u16 = 1 << 2;
const UPPER_OTHER: u16 = 1 << 3;
const LOWER_HEX: u16 = 1 << 4;
const LOWER_OTHER: u16 = 1 << 5;
const UNDERSCORE: u16 = 1 << 6;
const MINUS: u16 = 1 << 7;
const DOT: u16 = 1 << 8;
const SLASH: u16 = 1 << 9;
const PLUS: u16 = 1 << 10;
const WAVE: u16 = 1 << 12;
const SIGN: u16 = 1 << 13;
const BRACKET: u16 = 1 << 14;

const fn kind(byte: u8) -> u16 {
    match byte {
        b'2'..=b'7' => DIGIT_2_7,
        b'0' | b'1' | b'8' | b'9' => DIGIT_OTHER,
        b'A'..=b'F' => UPPER_HEX,
        b'G'..=b'Z' => UPPER_OTHER,
        b'a'..=b'f' => LOWER_HEX,
        b'g'..=b'z' => LOWER_OTHER,
        b'_' => UNDERSCORE,
        b'-' => MINUS,
        b'.' => DOT,
        b'/' => SLASH,
        b'+' => PLUS,
        b'~' => WAVE,
        b'!' | b'@' | b'#' | b'$' | b'%' | b'^' | b'*' => SIGN,
        b'&' | b'(' | b')' | b'=' => BRACKET,
        _ => 0,
    }
}

impl Class {
    pub(crate) const DIGITS: Self = Self(DIGIT_2_7 | DIGIT_OTHER);
    pub(crate) const UPPER: Self = Self(UPPER_HEX | UPPER_OTHER);
    pub(crate) const LOWER: Self = Self(LOWER_HEX | LOWER_OTHER);
    pub(crate) const LETTER: Self = Self::UPPER.and(Self::LOWER);
    pub(crate) const HEX: Self = Self(UPPER_HEX | LOWER_HEX).and(Self::DIGITS);
    /// Base32 in lower case, RFC 4648 section 6 (Gitea's own alphabet).
    pub(crate) const BASE32: Self = Self(DIGIT_2_7).and(Self::LOWER);
    pub(crate) const BASE32_UPPER: Self = Self(DIGIT_2_7).and(Self::UPPER);
    pub(crate) const ALNUM: Self = Self::LETTER.and(Self::DIGITS);
    pub(crate) const ALNUM_LOWER: Self = Self::LOWER.and(Self::DIGITS);
    pub(crate) const ALNUM_UPPER: Self = Self::UPPER.and(Self::DIGITS);
    pub(crate) const ALNUM_DASH: Self = Self(MINUS).and(Self::ALNUM);
    pub(crate) const WORD: Self = Self(UNDERSCORE).and(Self::ALNUM);
    pub(crate) const BASE64URL: Self = Self(MINUS).and(Self::WORD);
    /// Without `=`: padding is no part of a run, or a run could be entered again behind each `=` in it.
    pub(crate) const BASE64: Self = Self(PLUS | SLASH).and(Self::ALNUM);
    pub(crate) const BASE64_ANY: Self = Self::BASE64.and(Self::BASE64URL);
    /// Base64url parts joined by dots. A dot at the end is a full stop and does not count.
    pub(crate) const DOTTED: Self = Self(DOT).and(Self::BASE64URL);
    pub(crate) const TILDE: Self = Self(WAVE).and(Self::DOTTED);
    pub(crate) const PATH: Self = Self(SLASH).and(Self::BASE64URL);
    /// The alphabet of crypt(5): `./0-9A-Za-z`.
    pub(crate) const CRYPT: Self = Self(DOT | SLASH).and(Self::ALNUM);
    /// `token68` of RFC 9110 section 11.2: what follows the scheme in an `Authorization` header.
    pub(crate) const TOKEN68: Self = Self(WAVE | DOT).and(Self::BASE64_ANY);
    /// What an assigned secret may be made of, without `=`, quotes and spaces.
    pub(crate) const VALUE: Self = Self(WAVE | DOT | PLUS | SLASH | SIGN).and(Self::BASE64URL);

    /// What Django makes keys of (`get_random_secret_key`).
    pub(crate) const DJANGO: Self = Self(BRACKET | PLUS | SIGN).and(Self::BASE64URL);

    const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, byte: u8) -> bool {
        self.0 & kind(byte) != 0
    }

    /// Whether a run of this class may be followed by the padding of Base64.
    pub(crate) const fn padded(self) -> bool {
        self.0 & PLUS != 0 && self.0 & BRACKET == 0
    }

    /// Whether a byte of this class may be trimmed as the full stop of a sentence.
    pub(crate) const fn has_dot(self) -> bool {
        self.0 & DOT != 0
    }
}
