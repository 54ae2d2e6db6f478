//! What one instance leaves behind for the next: marks put everywhere an instance can write, and a search of
//! the whole linear memory for them.
//!
//! The mark stands in no constant, and the search holds it only masked, so that a find is a leak and not the
//! search looking at itself.

use core::arch::wasm32::memory_size;
use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};

const PAGE: usize = 64 << 10;
/// Bytes of one mark.
const MARK: usize = 32;
/// Bytes of fresh memory that are marked; the search asks for as many, so as to be given the same pages.
const HEAP: usize = 2 << 20;
/// Bytes of static data that are marked.
const STATIC: usize = 64 << 10;
const MASK: u8 = 0x55;

static KEPT: [AtomicU8; STATIC] = [const { AtomicU8::new(0) }; STATIC];

/// The mark under [`MASK`]: the same in every instance, and unknown to the compiler.
fn masked() -> [u8; MARK] {
    let (factor, start) = (black_box(0x9e37_79b1_u32), black_box(0x51_u32));
    let mut word = start;
    std::array::from_fn(|_| {
        word = word.wrapping_mul(factor).rotate_left(7) ^ factor;
        ((word >> 11) as u8 | 0x80) ^ MASK
    })
}

/// Mark static data, heap and stack; then show that the search would find it.
pub fn remember() -> String {
    let masked = masked();
    let mark = |at: usize| masked[at % MARK] ^ MASK;
    for (at, byte) in KEPT.iter().enumerate() {
        byte.store(mark(at), Ordering::Relaxed);
    }
    let heap: Vec<u8> = (0..HEAP).map(mark).collect();
    let stack: [u8; 16 << 10] = std::array::from_fn(mark);
    black_box((&heap, &stack));
    let said = recall();
    black_box((&heap, &stack));
    said
}

/// Search all of linear memory, after asking for as much of it as `remember` used.
pub fn recall() -> String {
    let fresh: Vec<u8> = Vec::with_capacity(HEAP + PAGE);
    black_box(fresh.as_ptr());
    let masked = masked();
    let end = memory_size(0) * PAGE;
    let (mut found, mut run) = (0_usize, 0_usize);
    // Address 0 cannot be read through a pointer; nothing is ever put there.
    for address in 1..end {
        let pointer = std::ptr::with_exposed_provenance::<u8>(address);
        #[allow(unsafe_code, reason = "the search under test")]
        // SAFETY: every address below `memory_size` can be read.
        let byte = unsafe { pointer.read_volatile() } ^ MASK;
        run = if byte == masked[run] { run + 1 } else { usize::from(byte == masked[0]) };
        if run == MARK {
            (found, run) = (found + 1, 0);
        }
    }
    drop(fresh);
    format!("found {found} marks in {end} bytes")
}
