//! Until when a server's certificate is good. It reads that one field of X.509 (RFC 5280 section 4.1); whether the
//! certificate is to be believed is rustls' business and settled before.

use aegis_custody::Timestamp;

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of validity of a certificate in DER; none where it cannot be found.
pub(super) fn not_after(der: &[u8]) -> Option<Timestamp> {
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
    let (_, _, end) = any(validity)?;
    let (kind, content, _) = any(end)?;
    time(kind, std::str::from_utf8(content).ok()?)
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
    fn the_end_of_validity_is_found() {
        // What rcgen writes where nobody sets it.
        assert_eq!(not_after(&certificate()).unwrap().to_string(), "4096-01-01T00:00:00.000Z");
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
            assert_eq!(not_after(&whole[..length]), None);
        }
        for bytes in [&[0x30, 0x84, 1, 1, 1, 1][..], &[0x30, 0x80], &[0x30, 0xff, 0xff], b"not a certificate"]
        {
            assert_eq!(not_after(bytes), None);
        }
    }
}
