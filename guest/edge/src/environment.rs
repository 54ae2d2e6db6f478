//! Environment variables, the standard error stream, clocks and randomness: the runtime's own, by WASI. Nothing
//! here decides what a guest may learn of them.

use std::time::Duration;

use aegis_custody::{Random, Timestamp};
use wasip2::cli::{environment, stderr};
use wasip2::clocks::{monotonic_clock, wall_clock};

/// The value of a variable; an empty one counts as not set.
pub(crate) fn variable(name: &str) -> Option<String> {
    let found = environment::get_environment().into_iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value).filter(|value| !value.is_empty())
}

/// Write one line to standard error. A runtime without one loses it: logs never stand in for the audit trail.
pub(crate) fn print(line: &str) {
    let stream = stderr::get_stderr();
    // WASI takes at most 4096 bytes in one blocking write.
    for piece in format!("{line}\n").as_bytes().chunks(4096) {
        if stream.blocking_write_and_flush(piece).is_err() {
            return;
        }
    }
}

/// The wall clock.
pub(crate) fn now() -> Timestamp {
    let now = wall_clock::now();
    let millis = now.seconds.saturating_mul(1000).saturating_add(u64::from(now.nanoseconds / 1_000_000));
    Timestamp::from_unix_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

/// So much later.
pub(crate) fn later(now: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_unix_millis(now.unix_millis().saturating_add(millis))
}

/// Wait so long.
pub(crate) fn pause(span: Duration) {
    monotonic_clock::subscribe_duration(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)).block();
}

/// Nanoseconds on a clock that only moves forward.
pub(crate) fn ticks() -> u64 {
    monotonic_clock::now()
}

/// Unpredictable bytes of the runtime.
pub(crate) struct Chance;

impl Random for Chance {
    fn fill(&self, out: &mut [u8]) {
        let bytes = wasip2::random::random::get_random_bytes(out.len() as u64);
        // WASI promises as many as were asked for.
        out.copy_from_slice(&bytes);
    }
}

/// Something went wrong that no answer tells of.
pub(crate) fn warn(event: &str, why: &str) {
    crate::telemetry::write(
        crate::bindings::exports::aegis::gateway::telemetry::Level::Warning,
        event,
        &[("message", why)],
    );
}

/// 128 random bits as 32 hex digits.
pub(crate) fn random_id() -> String {
    hex(&wasip2::random::random::get_random_bytes(16))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
