//! From when until when a server's certificate is good. It reads that one field of X.509 (RFC 5280 section 4.1); whether the
//! certificate is to be believed is rustls' business and settled before.

use aegis_custody::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Fewer days than these are few, whatever the certificate's lifetime. Robots replace one of three months a month before
/// its end.
const DAYS_WANTED: i64 = 14;
const MILLIS_PER_HOUR: i64 = 3_600_000;
const MILLIS_PER_DAY: i64 = 24 * MILLIS_PER_HOUR;

/// When a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Validity {
    /// Whether it should have been renewed by now: few days are left, and less than a third of its lifetime, since an
    /// authority of one's own may hand out certificates for hours that are renewed in time all the same.
    pub(super) fn is_near_its_end(self, now: Timestamp) -> bool {
        let left = self.left(now);
        let whole = self.until.unix_millis() - self.from.unix_millis();
        left < DAYS_WANTED * MILLIS_PER_DAY && left.saturating_mul(3) < whole
    }

    /// How much is left, in words: days, or hours of the last two.
    pub(super) fn left_in_words(self, now: Timestamp) -> String {
        let left = self.left(now);
        if left < 2 * MILLIS_PER_DAY {
            format!("{} more hours", left.div_euclid(MILLIS_PER_HOUR))
        } else {
            format!("{} more days", left.div_euclid(MILLIS_PER_DAY))
        }
    }

    fn left(self, now: Timestamp) -> i64 {
        self.until.unix_millis() - now.unix_millis()
    }
}

/// The validity of a certificate in DER; none where it cannot be found.
pub(super) fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        rest = any(rest)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        rest = any(rest)?.2;
    }
    let (validity, _) = element(rest, SEQUENCE)?;
    let (kind, begin, rest) = any(validity)?;
    let from = time(kind, std::str::from_utf8(begin).ok()?)?;
    let (kind, end, _) = any(rest)?;
    Some(Validity { from, until: time(kind, std::str::from_utf8(end).ok()?)? })
}

/// The content of the first element, which must be of this kind, and what follows it.
fn element(bytes: &[u8], kind: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any(bytes)?;
    (found == kind).then_some((content, rest))
}

/// Kind and content of the first element, and what follows it. Lengths of more than three bytes are nobody's
/// certificate.
fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (kind, rest) = bytes.split_first()?;
    let (first, mut rest) = rest.split_first()?;
    let mut length = usize::from(*first);
    if *first >= 0x80 {
        let digits = usize::from(first & 0x7f);
        if !(1..=3).contains(&digits) {
            return None;
        }
        let (number, after) = rest.split_at_checked(digits)?;
        length = number.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        rest = after;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*kind, content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that certificates may use (RFC 5280 section 4.1.2.5).
fn time(kind: u8, text: &str) -> Option<Timestamp> {
    let full = match kind {
        UTC_TIME => {
            let century = if text.get(..2)? >= "50" { "19" } else { "20" };
            format!("{century}{text}")
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |from: usize, to: usize| full.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    (full.get(14..)? == "Z").then_some(())?;
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}.000Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Vec<u8> {
        rcgen::generate_simple_self_signed(["mcp.example.com".to_owned()]).unwrap().cert.der().to_vec()
    }

    #[test]
    fn both_ends_of_validity_are_found() {
        // What rcgen writes where nobody sets it.
        let found = validity(&certificate()).unwrap();
        assert_eq!(found.from.to_string(), "1975-01-01T00:00:00.000Z");
        assert_eq!(found.until.to_string(), "4096-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_end_is_near_when_few_days_and_less_than_a_third_of_the_lifetime_are_left() {
        for (hours, left, near, words) in [
            // As Caddy's own authority makes them.
            (12, 12, false, "12 more hours"),
            (12, 4, false, "4 more hours"),
            (12, 3, true, "3 more hours"),
            (90 * 24, 40 * 24, false, "40 more days"),
            (90 * 24, 14 * 24, false, "14 more days"),
            (90 * 24, 14 * 24 - 1, true, "13 more days"),
            (365 * 24, 60 * 24, false, "60 more days"),
            (365 * 24, 5 * 24, true, "5 more days"),
            (90 * 24, -1, true, "-1 more hours"),
        ] {
            let hour = |hour: i64| Timestamp::from_unix_millis(hour * MILLIS_PER_HOUR);
            let validity = Validity { from: hour(1_000), until: hour(1_000 + hours) };
            let now = hour(1_000 + hours - left);
            assert_eq!(validity.is_near_its_end(now), near, "{hours} hours, {left} left");
            assert_eq!(validity.left_in_words(now), words);
        }
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let read = |kind, text| time(kind, text).map(|time| time.to_string());
        assert_eq!(read(UTC_TIME, "270131235959Z").as_deref(), Some("2027-01-31T23:59:59.000Z"));
        assert_eq!(read(UTC_TIME, "991231235959Z").as_deref(), Some("1999-12-31T23:59:59.000Z"));
        assert_eq!(read(GENERALIZED_TIME, "20510131235959Z").as_deref(), Some("2051-01-31T23:59:59.000Z"));
        assert_eq!(read(GENERALIZED_TIME, "20510131235959+0100"), None);
        assert_eq!(read(0x02, "270131235959Z"), None);
    }

    #[test]
    fn what_is_cut_off_or_strange_is_none() {
        let whole = certificate();
        for length in 0..whole.len().min(200) {
            assert_eq!(validity(&whole[..length]), None);
        }
        for bytes in [&[0x30, 0x84, 1, 1, 1, 1][..], &[0x30, 0x80], &[0x30, 0xff, 0xff], b"not a certificate"]
        {
            assert_eq!(validity(bytes), None);
        }
    }
}
