//! Points in time and their one written form. It knows no clock and no time zone but UTC.

use std::fmt;
use std::str::FromStr;

/// Last millisecond of the year 9999, the last that RFC 3339 can write.
const LATEST: i64 = 253_402_300_799_999;
const MILLIS_PER_DAY: i64 = 86_400_000;
/// Days between 0000-03-01, where the calendar computation starts its years, and 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

/// A point in time in milliseconds since 1970-01-01T00:00:00Z, from then to the end of the year 9999.
///
/// It is written as RFC 3339 with exactly three decimals and `Z`, always 24 characters, so that the text
/// sorts like the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// A text that is not a time in the one accepted form, `YYYY-MM-DDTHH:MM:SS.mmmZ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the form 2026-01-31T23:59:59.000Z")]
pub struct InvalidTime;

impl Timestamp {
    /// The point in time so many milliseconds after the Unix epoch. Values outside the range that can be
    /// written become its nearest end.
    #[must_use]
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LATEST))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn unix_millis(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / MILLIS_PER_DAY);
        let rest = self.0 % MILLIS_PER_DAY;
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let bytes: &[u8; 24] = text.as_bytes().try_into().or(Err(InvalidTime))?;
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            m0,
            m1,
            b'-',
            d0,
            d1,
            b'T',
            h0,
            h1,
            b':',
            n0,
            n1,
            b':',
            s0,
            s1,
            b'.',
            f0,
            f1,
            f2,
            b'Z',
        ] = bytes
        else {
            return Err(InvalidTime);
        };
        let number = |digits: &[&u8]| {
            digits.iter().try_fold(0_i64, |number, digit| {
                digit.is_ascii_digit().then(|| number * 10 + i64::from(**digit & 0x0f)).ok_or(InvalidTime)
            })
        };
        let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?, number(&[d0, d1])?);
        let (hour, minute) = (number(&[h0, h1])?, number(&[n0, n1])?);
        let (second, milli) = (number(&[s0, s1])?, number(&[f0, f1, f2])?);
        let of_month = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        };
        let right = year >= 1970 && (1..=12).contains(&month) && (1..=of_month).contains(&day);
        if !right || hour > 23 || minute > 59 || second > 59 {
            return Err(InvalidTime);
        }
        let in_day = ((hour * 60 + minute) * 60 + second) * 1_000 + milli;
        Ok(Self::from_unix_millis(days(year, month, day) * MILLIS_PER_DAY + in_day))
    }
}

/// Year, month and day of a day since the epoch (proleptic Gregorian, years counted from March).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + DAYS_TO_EPOCH;
    let era = shifted / DAYS_PER_ERA;
    let day_of_era = shifted % DAYS_PER_ERA;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Day since the epoch of a date: the inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH
}

#[cfg(test)]
mod tests {
    use super::{LATEST, Timestamp};

    #[test]
    fn writes_known_points_in_time() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (LATEST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::from_unix_millis(millis).to_string(), text);
            assert_eq!(text.parse(), Ok(Timestamp::from_unix_millis(millis)));
        }
    }

    #[test]
    fn days_of_every_month_and_year_read_back_as_written() {
        for day in (0..=(LATEST / 86_400_000)).step_by(13) {
            let time = Timestamp::from_unix_millis(day * 86_400_000 + day % 86_400_000);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn every_day_that_is_read_is_written_the_same() {
        for year in ["1969", "1970", "1999", "2000", "2023", "2024", "2100", "9999"] {
            for (month, day) in (0..14).flat_map(|month| (0..33).map(move |day| (month, day))) {
                let text = format!("{year}-{month:02}-{day:02}T23:59:59.999Z");
                match text.parse::<Timestamp>() {
                    Ok(time) => assert_eq!(time.to_string(), text),
                    Err(_) => {
                        let may_be = (1..=12).contains(&month) && (1..=28).contains(&day);
                        assert!(year < "1970" || !may_be, "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn out_of_range_becomes_the_nearest_end() {
        assert_eq!(Timestamp::from_unix_millis(-5).unix_millis(), 0);
        assert_eq!(Timestamp::from_unix_millis(i64::MAX).unix_millis(), LATEST);
    }

    #[test]
    fn refuses_every_other_form() {
        for text in [
            "",
            "2026-02-29T00:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-01T00:00:00.000Z",
            "2026-01-00T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:00:60.000Z",
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.0000Z",
            "2026-01-01 00:00:00.000Z",
            "2026-01-01T00:00:00.000z",
            "2026-01-01T00:00:00.000+00:00",
            "1969-12-31T23:59:59.999Z",
            "+026-01-01T00:00:00.000Z",
            "２０26-01-01T00:00:00.000Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
