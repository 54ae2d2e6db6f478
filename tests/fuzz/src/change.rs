//! One input made of others.

use fastrand::Rng;

/// Bytes that parsers are known to stumble over.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\x7f",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"%2e%2e%2f",
    b"%00",
    b"..",
    b"//",
    b"\\",
    b"\r\n",
    b"\x1b[31m",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x98\x80",
    b"-1",
    b"0",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1e400",
    b"null",
    b"\"",
    b"{",
    b"[",
    b" ",
    b"\t",
    b"\n",
];

/// A changed input of the pool; now and then bytes by chance.
pub(crate) fn next(pool: &[Vec<u8>], words: &[&str], longest: usize, chance: &mut Rng) -> Vec<u8> {
    let mut input = if chance.u8(..) < 8 {
        let length = chance.usize(..256);
        (0..length).map(|_| chance.u8(..)).collect()
    } else {
        pool[chance.usize(..pool.len())].clone()
    };
    for _ in 0..chance.u32(1..6) {
        once(&mut input, pool, words, chance);
    }
    input.truncate(longest);
    input
}

fn once(input: &mut Vec<u8>, pool: &[Vec<u8>], words: &[&str], chance: &mut Rng) {
    let at = chance.usize(..=input.len());
    let end = at + chance.usize(..=(input.len() - at).min(64));
    match chance.u8(..9) {
        0 if at < input.len() => input[at] ^= 1 << chance.u8(..8),
        1 if at < input.len() => input[at] = chance.u8(..),
        2 => drop(input.drain(at..end)),
        3 => {
            let copy = input[at..end].to_vec();
            drop(input.splice(at..at, copy));
        }
        4 => input.truncate(at),
        5 => {
            let other = &pool[chance.usize(..pool.len())];
            let from = chance.usize(..=other.len());
            let to = from + chance.usize(..=(other.len() - from).min(1024));
            drop(input.splice(at..end, other[from..to].iter().copied()));
        }
        6 => {
            let times = chance.usize(1..400);
            let byte = input.get(at).copied().unwrap_or(b'a');
            drop(input.splice(at..at, std::iter::repeat_n(byte, times)));
        }
        7 if !words.is_empty() => {
            let word = words[chance.usize(..words.len())];
            drop(input.splice(at..end, word.bytes()));
        }
        _ => {
            let odd = ODD[chance.usize(..ODD.len())];
            drop(input.splice(at..at, odd.iter().copied()));
        }
    }
}
