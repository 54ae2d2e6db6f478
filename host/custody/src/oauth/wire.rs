//! Reading and writing the compact binary form of what is inside our tokens and client ids. Numbers are big-endian;
//! texts carry their length in two bytes. A reader never goes past the end and tells when something is left over.

/// Appends fields to bytes.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// With room for so many bytes: within it, growing leaves no copy of a secret behind.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn byte(self, byte: u8) -> Self {
        self.bytes(&[byte])
    }

    pub(super) fn signed(self, number: i64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// A text with its length; none when it is longer than `longest` bytes.
    pub(super) fn text(self, text: &str, longest: u16) -> Option<Self> {
        let length = u16::try_from(text.len()).ok().filter(|length| *length <= longest)?;
        Some(self.bytes(&length.to_be_bytes()).bytes(text.as_bytes()))
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Takes fields off the front of bytes; none when there are too few.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A text of at most `longest` bytes.
    pub(super) fn text(&mut self, longest: u16) -> Option<&'a str> {
        let length = u16::from_be_bytes(self.array()?);
        if length > longest {
            return None;
        }
        let (head, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}
