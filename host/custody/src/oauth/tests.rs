//! What the tests of this room share: chance that can be told beforehand, roots, and times.

mod client_id;
mod formats;
mod keyring_file;
mod keys;
mod redirect;
mod seal;
mod tokens;
mod vectors;

use std::sync::atomic::{AtomicU8, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::keys::{Keyring, Root};
use crate::{Random, Timestamp};

/// Bytes that count up from 0, going on from call to call.
#[derive(Default)]
struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// 2027-01-15T08:00:00Z, in seconds.
const NOW: i64 = 1_800_000_000;

const FAMILY: [u8; 16] = [7; 16];
const JTI: [u8; 16] = [9; 16];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(seconds * 1000)
}

fn root(text: &str) -> Root {
    Root::new(text.into())
}

/// The root that the fixed values were computed with.
fn known() -> Root {
    root("0123456789abcdef0123456789abcdef")
}

fn other() -> Root {
    root("another root of thirty-two chars")
}

fn ring(roots: &[Root]) -> Keyring {
    Keyring::new(roots).unwrap()
}

fn ring_of_known() -> Keyring {
    ring(&[known()])
}

/// Runs a property on the same cases every time, without writing what failed to a file.
fn runner() -> TestRunner {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The first `end` bytes of a text.
fn cut(text: &str, end: usize) -> &str {
    text.get(..end).unwrap()
}

/// A text from its byte `start` on.
fn past(text: &str, start: usize) -> &str {
    text.get(start..).unwrap()
}

/// The bytes with each of their bits turned over, one at a time.
fn single_bit_flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// The texts that come of turning over a single bit of a text; what is no text any more never reaches us.
fn single_bit_flips_of_text(text: &str) -> impl Iterator<Item = String> {
    single_bit_flips(text.as_bytes()).filter_map(|bytes| String::from_utf8(bytes).ok())
}
