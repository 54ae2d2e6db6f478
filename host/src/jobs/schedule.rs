//! When a job runs by itself: five fields of cron, in UTC. The crate `cronexpr` reads them and finds the next time; this
//! says what is wrong with one in words that name the field and the character.

use std::fmt;

use aegis_custody::Timestamp;
use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};

/// The fields, as they are told to people.
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];
/// 2024-01-01T00:00:00Z, the beginning of a leap year: what does not come in the years after it never comes.
const ANY_TIME: i64 = 1_704_067_200_000;

/// A schedule that comes again and again.
#[derive(Clone)]
pub(crate) struct Schedule {
    text: String,
    crontab: Crontab,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schedule").field(&self.text).finish()
    }
}

impl Schedule {
    /// Read one.
    ///
    /// # Errors
    /// What is wrong, and where; continues a sentence that begins with the setting.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(format!(
                "must have five fields ({}), in UTC, such as `17 3 * * 1`; it has {}",
                FIELDS.join(", "),
                fields.len()
            ));
        }
        // So that the places that are told are those of the text that is shown.
        let text = fields.join(" ");
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let crontab = cronexpr::parse_crontab_with(&text, options)
            .map_err(|error| told(&fields, &error.to_string()))?;
        let schedule = Self { text, crontab };
        match schedule.after(Timestamp::from_unix_millis(ANY_TIME)) {
            Some(_) => Ok(schedule),
            None => Err("names a day that never comes".to_owned()),
        }
    }

    /// As it was written, with single blanks.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The first time after this one.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        let from = MakeTimestamp::from_millisecond(time.unix_millis()).ok()?;
        let next = self.crontab.find_next(from).ok()?;
        Some(Timestamp::from_unix_millis(next.timestamp().as_millisecond()))
    }
}

/// The crate draws a caret below the text; a line of a log has no room for that.
fn told(fields: &[&str], drawn: &str) -> String {
    let caret = drawn.lines().rev().find_map(|line| {
        let place = line.find('^')?;
        line.get(place.saturating_add(1)..).map(|why| (place, why.trim()))
    });
    let Some((place, why)) = caret else { return format!("is no cron expression: {drawn}") };
    let mut begin = 0_usize;
    for (number, (field, name)) in fields.iter().zip(FIELDS).enumerate() {
        let end = begin.saturating_add(field.len());
        if place <= end {
            let (number, character) = (number.saturating_add(1), place.saturating_add(1));
            return format!(
                "cannot be read at character {character}, in field {number} ({name}, `{field}`): {why}"
            );
        }
        begin = end.saturating_add(1);
    }
    format!("cannot be read: {why}")
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn the_next_time_is_the_first_one_after() {
        // Expression, a time, the next time. 2026-11-22 is a Sunday.
        let table = [
            ("17 3 * * 1", "2026-11-22T20:48:37.000Z", "2026-11-23T03:17:00.000Z"),
            ("17 3 * * 1", "2026-11-23T03:17:00.000Z", "2026-11-30T03:17:00.000Z"),
            ("17 3 * * 1", "2026-11-23T03:16:59.999Z", "2026-11-23T03:17:00.000Z"),
            ("17 3 * * MON", "2026-11-22T20:48:37.000Z", "2026-11-23T03:17:00.000Z"),
            ("* * * * *", "2026-11-22T20:48:37.500Z", "2026-11-22T20:49:00.000Z"),
            ("*/15 * * * *", "2026-11-22T20:45:00.000Z", "2026-11-22T21:00:00.000Z"),
            ("0 0 31 * *", "2026-11-22T00:00:00.000Z", "2026-12-31T00:00:00.000Z"),
            ("0 0 29 2 *", "2026-11-22T00:00:00.000Z", "2028-02-29T00:00:00.000Z"),
            ("0 12 1,15 * *", "2026-12-31T23:59:59.000Z", "2027-01-01T12:00:00.000Z"),
            ("5-10 4 * * *", "2026-11-22T04:07:00.000Z", "2026-11-22T04:08:00.000Z"),
            // Both days given: either will do, as in every cron.
            ("0 0 1 * 3", "2026-11-22T00:00:00.000Z", "2026-11-25T00:00:00.000Z"),
            ("  0   0  * *   * ", "2026-11-22T00:00:00.000Z", "2026-11-23T00:00:00.000Z"),
        ];
        for (text, from, next) in table {
            let found = Schedule::parse(text).unwrap().after(from.parse().unwrap()).unwrap();
            assert_eq!(found.to_string(), next, "{text} after {from}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let table = [
            ("3 * * *", &["five fields", "it has 4"][..]),
            ("0 3 * * * UTC", &["five fields", "it has 6"]),
            ("@daily", &["five fields"]),
            ("60 3 * * 1", &["at character 1,", "field 1 (minute, `60`)", "0..=59"]),
            ("17 25 * * 1", &["at character 4,", "field 2 (hour, `25`)", "0..=23"]),
            ("17 3 0 * 1", &["field 3 (day of the month, `0`)"]),
            ("17 3 * 13 1", &["field 4 (month, `13`)"]),
            ("17 3 * FOO 1", &["field 4 (month, `FOO`)"]),
            ("17 3 * * 9", &["at character 10,", "field 5 (day of the week, `9`)"]),
            ("17 9-3 * * 1", &["field 2 (hour, `9-3`)", "ascending"]),
            ("*/0 * * * *", &["field 1 (minute, `*/0`)"]),
            ("0 0 30 2 *", &["never comes"]),
            ("H 3 * * *", &["field 1 (minute, `H`)"]),
        ];
        for (text, says) in table {
            let error = Schedule::parse(text).unwrap_err();
            for said in says {
                assert!(error.contains(said), "{text}: {error}");
            }
            assert!(!error.contains('\n'), "one line: {error}");
        }
    }
}
