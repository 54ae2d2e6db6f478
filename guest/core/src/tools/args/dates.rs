//! Days and times. Gitea takes full RFC 3339 times only; people name days.

use serde_json::json;

use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest time in characters.
const CHARACTERS: usize = 40;
/// Gitea keeps the first of these for "never" and takes the year after the last for it.
const YEARS: core::ops::RangeInclusive<i64> = 1971..=9998;
const ALLOWED: &str = "must be a day such as `2026-12-31` (the end of that day, UTC) or a full time such as \
                       `2026-12-31T18:00:00+02:00`";

/// When something is due, as Gitea takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct DueDate(pub(in crate::tools) String);

impl Arg for DueDate {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": CHARACTERS }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        let full = if given.len() == 10 { format!("{given}T23:59:59Z") } else { given };
        let year = full.get(..4).and_then(|year| year.parse::<i64>().ok());
        if full.len() > CHARACTERS
            || instant(&full).is_none()
            || !year.is_some_and(|year| YEARS.contains(&year))
        {
            return Err(ArgumentError::new(name, ALLOWED));
        }
        Ok(Self(full))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

/// Seconds since 1970 of an RFC 3339 time, written as Gitea reads it; fractions of a second are left out. Servers
/// answer in their own zone, so times are compared as instants.
pub(in crate::tools) fn instant(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i64>().ok()
    };
    let marks: [(usize, &str); 5] = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    if !marks.iter().all(|(at, mark)| text.get(*at..at.saturating_add(1)) == Some(*mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if day < 1 || day > days_of(year, month)? || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = text.get(19..)?;
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
        if rest.len() == fraction.len() {
            return None;
        }
    }
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    days_since_1970(year, month, day)?.checked_mul(86_400)?.checked_add(seconds)?.checked_sub(offset(rest)?)
}

/// Seconds of `Z`, `+02:00` or `-05:30`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str, most: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| digits && *number <= most)
    };
    let (hours, minutes) = (number(hours, 23)?, number(minutes, 59)?);
    hours.checked_mul(60)?.checked_add(minutes)?.checked_mul(60)?.checked_mul(sign)
}

/// The beginning of a day, counted from 1970, as Gitea takes times; none before that.
pub(in crate::tools) fn day(days: i64) -> Option<String> {
    let (mut year, mut left) = (1970_i64, days.max(0));
    loop {
        let length = 365_i64.checked_add(i64::from(is_leap(year)))?;
        if left < length {
            break;
        }
        left = left.checked_sub(length)?;
        year = year.checked_add(1)?;
    }
    let mut month = 1_i64;
    while left >= days_of(year, month)? {
        left = left.checked_sub(days_of(year, month)?)?;
        month = month.checked_add(1)?;
    }
    Some(format!("{year:04}-{month:02}-{:02}T00:00:00Z", left.checked_add(1)?))
}

fn is_leap(year: i64) -> bool {
    let divides = |by: i64| year.checked_rem(by) == Some(0);
    divides(4) && (!divides(100) || divides(400))
}

fn days_of(year: i64, month: i64) -> Option<i64> {
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28_i64.checked_add(i64::from(is_leap(year)))?,
        _ => return None,
    })
}

fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let before = year.checked_sub(1)?;
    let leaps = |by: i64| before.checked_div(by);
    let leap_days = leaps(4)?.checked_sub(leaps(100)?)?.checked_add(leaps(400)?)?;
    let years = before.checked_mul(365)?.checked_add(leap_days)?;
    let months = (1..month).try_fold(0_i64, |sum, month| sum.checked_add(days_of(year, month)?))?;
    // 719,162 days lie between 0001-01-01 and 1970-01-01.
    years.checked_add(months)?.checked_add(day)?.checked_sub(719_163)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_instant_in_every_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-12-31T23:59:59Z", Some(1_798_761_599)),
            ("2027-01-01T01:59:59+02:00", Some(1_798_761_599)),
            ("2026-12-31T18:29:59.75-05:30", Some(1_798_761_599)),
            ("1969-12-31T23:59:59Z", Some(-1)),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn a_day_and_its_instant_are_the_same_over_four_hundred_years() {
        for days in (0..146_097).step_by(13).chain([0, 58, 59, 60, 364, 365, 10_956, 11_016, 20_779]) {
            let text = day(days).unwrap();
            assert_eq!(instant(&text), Some(days * 86_400), "{text}");
        }
        assert_eq!(day(20_779).as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(day(-1).as_deref(), Some("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn a_due_date_is_a_day_or_a_full_time_and_nothing_else() {
        let parse = |text: &str| {
            let given = serde_json::Map::from_iter([("due_on".to_owned(), text.into())]);
            DueDate::from_args("due_on", &mut Arguments::new(given))
        };
        assert_eq!(parse("2028-02-29"), Ok(DueDate("2028-02-29T23:59:59Z".to_owned())));
        assert_eq!(parse("2026-12-31T18:00:00+02:00"), Ok(DueDate("2026-12-31T18:00:00+02:00".to_owned())));
        for bad in [
            "",
            "tomorrow",
            "2026-12-32",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "26-12-31",
            "2026-1-1",
            "2026-12-31T23:59:59",
            "2026-12-31 23:59:59Z",
            "2026-12-31t23:59:59z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T23:59:60Z",
            "2026-12-31T23:59:59.Z",
            "2026-12-31T23:59:59+2:00",
            "9999-12-31",
            "1970-01-01",
            "2026-12-31T23:59:59+99:00",
            "2026-12-31Z",
            "２026-12-31",
            "+026-12-31",
        ] {
            assert_eq!(parse(bad).map_err(|error| error.message), Err(ALLOWED.to_owned()), "{bad}");
        }
    }
}
