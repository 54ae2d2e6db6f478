//! W3C Trace Context: `traceparent` and `tracestate` read and written. What is not of that form is as if it were not there, and
//! begins no error (section 2.2.2 there): nobody's call fails for a header that only helps to watch it.

use std::fmt;

use http::{HeaderMap, HeaderValue};

use aegis_custody::Random;

/// The longest `tracestate` that is passed on, in bytes, and its most members.
const STATE_MOST: usize = 512;
const STATE_MEMBERS: usize = 32;

/// A trace: what all its spans have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceId([u8; 16]);

/// A span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpanId([u8; 8]);

impl TraceId {
    pub(super) fn draw(random: &dyn Random) -> Self {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The half that samplers go by: the last eight bytes.
    pub(super) fn chance(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    pub(super) fn draw(random: &dyn Random) -> Self {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        Self(bytes)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::component::hex(&self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::component::hex(&self.0))
    }
}

/// Where a request says that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parent {
    pub(super) trace: TraceId,
    pub(super) span: SpanId,
    pub(super) sampled: bool,
    /// What other systems keep beside it.
    pub(super) state: Option<String>,
}

impl Parent {
    /// Of a request's headers; none where they name none, more than one, or nothing readable.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut named = headers.get_all("traceparent").iter();
        let (Some(one), None) = (named.next(), named.next()) else { return None };
        let mut states = headers.get_all("tracestate").iter().map(HeaderValue::to_str);
        // Several headers are one list (section 3.3).
        let state = states.try_fold(String::new(), |all, one| {
            one.map(|one| if all.is_empty() { one.to_owned() } else { format!("{all},{one}") })
        });
        Self::read(one.to_str().ok()?, &state.unwrap_or_default())
    }

    /// Of the two texts.
    pub(super) fn read(parent: &str, state: &str) -> Option<Self> {
        let mut parts = parent.split('-');
        let (version, trace) = (parts.next()?, parts.next()?);
        let (span, flags) = (parts.next()?, parts.next()?);
        let [version] = hex::<1>(version)?;
        // A version to come may have more behind these, this one has not.
        let [flags] = hex::<1>(flags)?;
        if version == 0xff || (version == 0 && parts.next().is_some()) {
            return None;
        }
        let (trace, span) = (hex::<16>(trace)?, hex::<8>(span)?);
        if trace == [0; 16] || span == [0; 8] {
            return None;
        }
        let state =
            Some(state.trim()).filter(|state| !state.is_empty() && is_state(state)).map(str::to_owned);
        Some(Self { trace: TraceId(trace), span: SpanId(span), sampled: flags & 1 == 1, state })
    }
}

/// `traceparent` of what this span sends out.
pub(super) fn traceparent(trace: TraceId, span: SpanId, sampled: bool) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("00-{trace}-{span}-0{}", u8::from(sampled))).ok()
}

/// So many bytes in lower-case hex digits.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0_usize..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at.saturating_add(2))?, 16).ok()?;
    }
    Some(bytes)
}

/// A list of members `key=value` (section 3.3.1).
fn is_state(text: &str) -> bool {
    let members: Vec<&str> = text.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
    text.len() <= STATE_MOST
        && (1..=STATE_MEMBERS).contains(&members.len())
        && members
            .iter()
            .all(|member| member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value)))
}

fn is_key(key: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
    (1..=256).contains(&key.len())
        && key.bytes().all(fits)
        && key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn read(parent: &str) -> Option<Parent> {
        Parent::read(parent, "")
    }

    #[test]
    fn a_parent_is_read_and_written_the_same() {
        let parent = read(GOOD).unwrap();
        assert!(parent.sampled);
        assert_eq!(traceparent(parent.trace, parent.span, parent.sampled).unwrap(), GOOD);
        assert!(!read(&GOOD.replace("-01", "-00")).unwrap().sampled);
        assert!(read(&GOOD.replace("-01", "-03")).unwrap().sampled, "other bits say nothing to us");
        assert!(read(&GOOD.replace("00-0af", "cc-0af")).is_some(), "a version to come");
        assert!(read(&format!("{}-what-comes", GOOD.replace("00-0af", "cc-0af"))).is_some());
    }

    #[test]
    fn what_is_no_parent_is_none() {
        for wrong in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
            "0é-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(Parent::of(&headers), None);
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        assert_eq!(Parent::of(&headers), read(GOOD));
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        assert_eq!(Parent::of(&headers), None, "two of them");
    }

    #[test]
    fn a_state_is_passed_on_as_it_is_and_left_out_where_it_is_none() {
        let state = |text: &str| Parent::read(GOOD, text).unwrap().state;
        for good in ["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "a@vendor=x y", "1a-_*/=!"] {
            assert_eq!(state(good).as_deref(), Some(good));
        }
        let (long, many) = (format!("a={}", "x".repeat(520)), vec!["a=1"; 33].join(","));
        for wrong in ["", " ", "a", "A=1", "a=", "=1", "a=1=2", "a=é", "_a=1", &long, &many] {
            assert_eq!(state(wrong), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.append("traceparent", HeaderValue::from_static(GOOD));
        headers.append("tracestate", HeaderValue::from_static("a=1"));
        headers.append("tracestate", HeaderValue::from_static("b=2"));
        assert_eq!(Parent::of(&headers).unwrap().state.as_deref(), Some("a=1,b=2"));
    }
}
