//! The share of traces that are kept, as OTEL_TRACES_SAMPLER_ARG has it.

/// Parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio(u32);

/// All of them.
const ALL: u32 = 1_000_000;

impl Ratio {
    /// A number from 0 to 1 with at most six digits behind the point.
    ///
    /// # Errors
    /// What is wrong with it; continues a sentence that begins with its name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be a number from 0 to 1 with at most six decimals, such as 0.05".to_owned();
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !matches!(whole, "0" | "1") || !digits(part) || part.len() > 6 {
            return Err(wrong());
        }
        let millionths = format!("{whole}{part:0<6}").parse().map_err(|_| wrong())?;
        if millionths > ALL {
            return Err(wrong());
        }
        Ok(Self(millionths))
    }

    /// Whether a trace with this chance is one of them. It is the same for the same trace everywhere.
    pub(super) fn takes(self, chance: u64) -> bool {
        (u128::from(chance) * u128::from(ALL)) >> 64 < u128::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_from_zero_to_one() {
        for (text, millionths) in
            [("0", 0), ("1", ALL), ("1.0", ALL), ("0.5", 500_000), ("0.05", 50_000), ("0.000001", 1)]
        {
            assert_eq!(Ratio::parse(text), Ok(Ratio(millionths)), "{text}");
        }
        for wrong in ["", "2", "-1", "1.1", "0.0000001", ".5", "0.", "1e-3", "half", "0,5", "00.5"] {
            assert!(Ratio::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn none_and_all_are_exact_and_a_half_is_half_of_all_chances() {
        for chance in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(Ratio(ALL).takes(chance));
            assert!(!Ratio(0).takes(chance));
        }
        assert!(Ratio(500_000).takes(u64::MAX / 2));
        assert!(!Ratio(500_000).takes(u64::MAX / 2 + 1));
    }
}
