//! How large a campaign is, and choices that are the same for the same seed.

/// The size that a variable asks for, or this one.
pub fn size(variable: &str, short: usize) -> usize {
    std::env::var(variable)
        .map_or(short, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Choices (xorshift64*).
pub struct Luck(u64);

impl Luck {
    /// The choices of `AEGIS_TEST_SEED`, or of 1.
    pub fn new() -> Self {
        let seed = u64::try_from(size("AEGIS_TEST_SEED", 1)).expect("a seed");
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0, below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).expect("31 bits") % bound
    }
}
