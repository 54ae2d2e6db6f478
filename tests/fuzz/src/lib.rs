//! A campaign: malformed inputs, one after another, into one function that must bear them all.
//!
//! First comes every file of `corpus/<name>`, then inputs made of them by changing, cutting and joining. What a
//! target returns says how it behaved; an input that made it behave in a new way joins the pool and is changed
//! further. That is less than the coverage of the code would tell, and it needs no instrumented build.
//!
//! Without `AEGIS_FUZZ_SECONDS` a campaign is short and the same every time, so it is a test like any other. With it,
//! it goes on for so long from a new seed. An input that fails is made small and kept in `target/fuzz`.

mod change;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Inputs of a campaign without a time.
const INPUTS: u32 = 400;
/// The longest input that is made.
const LONGEST: usize = 16 * 1024;
/// Inputs that are kept to be changed further.
const POOL: usize = 4096;
/// A target that takes longer for one input hangs, as far as a caller is concerned.
const SLOW: Duration = Duration::from_secs(10);
/// Attempts to make a failing input smaller.
const ATTEMPTS: u32 = 3000;

/// Give `target` malformed inputs. It panics where something is wrong, and otherwise returns how it behaved in a few
/// words; `words` are pieces that inputs of this kind are made of.
///
/// # Panics
/// `target` panicked or hung: the message tells where the input is.
pub fn campaign(name: &str, words: &[&str], target: impl Fn(&[u8]) -> String) {
    let mut pool = corpus(name);
    assert!(!pool.is_empty(), "tests/fuzz/corpus/{name} holds no inputs");
    let mut seen = BTreeSet::new();
    for input in &pool {
        seen.insert(attempt(name, input, &target));
    }
    let seconds = std::env::var("AEGIS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut chance = if until.is_some() { Rng::new() } else { Rng::with_seed(1) };
    let seed = chance.get_seed();
    let mut inputs = 0_u64;
    while until.map_or(inputs < u64::from(INPUTS), |until| Instant::now() < until) {
        let input = change::next(&pool, words, LONGEST, &mut chance);
        inputs += 1;
        if seen.insert(attempt(name, &input, &target)) && pool.len() < POOL {
            pool.push(input);
        }
    }
    if until.is_some() {
        println!("{name}: {inputs} inputs, {} behaviours, seed {seed:#x}", seen.len());
    }
}

/// The inputs on file, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let at = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let entries = fs::read_dir(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("an input")).collect()
}

fn attempt(name: &str, input: &[u8], target: &impl Fn(&[u8]) -> String) -> String {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
    let slow = begun.elapsed() > SLOW;
    match outcome {
        Ok(behaviour) if !slow => behaviour,
        Ok(_) => panic!("{name} took {:?}: {}", begun.elapsed(), kept(name, input)),
        Err(_) => {
            let small = smaller(input, |input| catch_unwind(AssertUnwindSafe(|| target(input))).is_err());
            panic!("{name} failed: {}", kept(name, &small));
        }
    }
}

/// Pieces are taken out for as long as it still fails.
fn smaller(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut input = input.to_vec();
    let (mut piece, mut attempts) = (input.len() / 2, 0);
    while piece > 0 {
        let mut at = 0;
        while at < input.len() && attempts < ATTEMPTS {
            attempts += 1;
            let mut less = input.clone();
            less.drain(at..(at + piece).min(input.len()));
            if fails(&less) {
                input = less;
            } else {
                at += piece;
            }
        }
        piece /= 2;
    }
    input
}

/// Where a failing input was put.
fn kept(name: &str, input: &[u8]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    let file = folder.join(format!("{name}-{:016x}", digest(input)));
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    let shown = String::from_utf8_lossy(&input[..input.len().min(300)]).into_owned();
    match written {
        Ok(()) => format!("{shown:?}, kept as {}: put it into tests/fuzz/corpus/{name}", file.display()),
        Err(error) => format!("{shown:?}, which could not be kept: {error}"),
    }
}

/// FNV-1a: a name for an input.
fn digest(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{change, smaller};

    #[test]
    fn a_failing_input_becomes_as_small_as_it_can() {
        let input = [vec![b'x'; 500], b"boom".to_vec(), vec![b'y'; 300]].concat();
        let fails = |input: &[u8]| input.windows(4).any(|window| window == b"boom");
        assert_eq!(smaller(&input, fails), b"boom");
    }

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_none_is_too_long() {
        let pool = [b"some input".to_vec(), vec![0; 64]];
        let made = |seed| {
            let mut chance = fastrand::Rng::with_seed(seed);
            (0..500).map(|_| change::next(&pool, &["word"], 100, &mut chance)).collect::<Vec<_>>()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        assert!(made(7).iter().all(|input| input.len() <= 100));
        let holds = |part: &[u8]| made(7).iter().any(|input| input.windows(part.len()).any(|w| w == part));
        assert!(holds(b"word"), "words come in");
    }

    #[test]
    #[should_panic(expected = "failed")]
    fn a_target_that_cannot_bear_an_input_fails_the_campaign() {
        super::attempt("fails-on-purpose", b"a/b", &|input: &[u8]| {
            assert!(!input.contains(&b'/'), "a slash");
            String::new()
        });
    }
}
