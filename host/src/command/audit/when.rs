//! Points in time as an operator types them: a day, a day with a time of it, or how long ago. All are UTC, as in the log.

use std::str::FromStr;

use aegis_custody::Timestamp;

const DAY: i64 = 86_400_000;

/// A time that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// A whole day: its beginning where something begins, its end where something ends.
    Day(Timestamp),
    /// A point in time.
    At(Timestamp),
    /// So many milliseconds before now.
    Ago(i64),
}

impl When {
    /// The first point in time that belongs to what begins then.
    pub(super) fn begins(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(at) | Self::At(at) => at,
            Self::Ago(millis) => Timestamp::from_unix_millis(now.unix_millis().saturating_sub(millis)),
        }
    }

    /// The first point in time that no longer belongs to what ends then.
    pub(super) fn ends(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(at) => Timestamp::from_unix_millis(at.unix_millis().saturating_add(DAY)),
            Self::At(_) | Self::Ago(_) => self.begins(now),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = |more: &str| format!("{text}{more}").parse::<Timestamp>().ok();
        let padded =
            |more: &str| text.strip_suffix('Z').and_then(|text| format!("{text}{more}").parse().ok());
        parsed("T00:00:00.000Z")
            .map(Self::Day)
            .or_else(|| parsed("").or_else(|| padded(".000Z")).or_else(|| padded(":00.000Z")).map(Self::At))
            .or_else(|| ago(text).map(Self::Ago))
            .ok_or("use 2026-05-28, 2026-05-28T20:26Z, 2026-05-28T20:26:40Z (UTC), or how long ago: 90m, 24h, 7d, 2w")
    }
}

fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let millis = match unit {
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let count = text.strip_suffix(unit)?;
    let plain = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| count.parse::<i64>().ok()?.checked_mul(millis)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_all_of_it_and_a_time_is_one_point() {
        let now = at("2026-06-01T12:00:00.000Z");
        let both = |text: &str| {
            let when: When = text.parse().unwrap();
            (when.begins(now).to_string(), when.ends(now).to_string())
        };
        for (text, begins, ends) in [
            ("2026-05-28", "2026-05-28T00:00:00.000Z", "2026-05-29T00:00:00.000Z"),
            ("2026-05-28T20:26Z", "2026-05-28T20:26:00.000Z", "2026-05-28T20:26:00.000Z"),
            ("2026-05-28T20:26:40Z", "2026-05-28T20:26:40.000Z", "2026-05-28T20:26:40.000Z"),
            ("2026-05-28T20:26:40.250Z", "2026-05-28T20:26:40.250Z", "2026-05-28T20:26:40.250Z"),
            ("90m", "2026-06-01T10:30:00.000Z", "2026-06-01T10:30:00.000Z"),
            ("24h", "2026-05-31T12:00:00.000Z", "2026-05-31T12:00:00.000Z"),
            ("2w", "2026-05-18T12:00:00.000Z", "2026-05-18T12:00:00.000Z"),
        ] {
            assert_eq!(both(text), (begins.to_owned(), ends.to_owned()), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "yesterday", "2026-02-30", "20:26", "2026-05-28T20:26", "-1d", "d", "1y", "+1d", "1.5h", "é"]
        {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_age_beyond_all_time_is_no_age() {
        assert!("99999999999999999w".parse::<When>().is_err());
        assert_eq!(When::Ago(i64::MAX).begins(at("2026-06-01T12:00:00.000Z")).unix_millis(), 0);
    }
}
