//! What a disk does with writes that nobody synced: it keeps some sectors and not others, in no order, now or when the
//! power goes; and it fails once in a while. Names change in their order, as a journal keeps them.

use std::io;

use super::{Sim, State};

/// What a disk writes as one.
const SECTOR: usize = 512;

/// Choices that are the same for the same seed (xorshift64*).
#[derive(Clone)]
pub(in crate::audit::tests) struct Luck(u64);

impl Luck {
    pub(in crate::audit::tests) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0, below `bound`.
    pub(in crate::audit::tests) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % bound
    }

    pub(in crate::audit::tests) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// What happens at any operation.
pub(super) struct Weather {
    luck: Luck,
    /// One operation in so many fails; none where this is 0.
    errors: usize,
}

impl Sim {
    /// From now on sectors are written back at any time, and one operation in `errors` fails (0: none).
    pub(in crate::audit::tests) fn weather(&self, seed: u64, errors: usize) {
        self.state().weather = Some(Weather { luck: Luck::new(seed), errors });
    }

    /// The power goes and comes back.
    pub(in crate::audit::tests) fn crash(&self, luck: &mut Luck) {
        let mut state = self.state();
        for inode in &mut state.inodes {
            inode.now = torn(&inode.durable, &inode.now, luck);
            inode.durable = inode.now.clone();
            inode.spoiled = false;
        }
        let kept = luck.below(state.later_names.len() + 1);
        let names = kept.checked_sub(1).map_or(&state.durable_names, |kept| &state.later_names[kept]);
        state.names = names.clone();
        state.durable_names = state.names.clone();
        state.later_names.clear();
        (state.plan, state.down, state.weather) = (None, None, None);
    }

    /// The same disk once more, to try something on it.
    pub(in crate::audit::tests) fn copy(&self) -> Self {
        let state = self.state();
        let copy = State {
            inodes: state.inodes.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            ..State::default()
        };
        Self(std::sync::Arc::new(std::sync::Mutex::new(copy)))
    }
}

impl State {
    /// Names changed, and may not be durable.
    pub(super) fn renamed(&mut self) {
        self.later_names.push(self.names.clone());
    }

    /// The disk writes back what it likes, or fails.
    pub(super) fn weather(&mut self) -> io::Result<()> {
        let Some(Weather { luck, errors }) = &mut self.weather else { return Ok(()) };
        if luck.one_in(4) && !self.inodes.is_empty() {
            let inode = luck.below(self.inodes.len());
            let inode = &mut self.inodes[inode];
            // What a failed sync left is clean in the eyes of the kernel, and stays where it is.
            if !inode.spoiled {
                inode.durable = torn(&inode.durable, &inode.now, luck);
            }
        }
        if *errors > 0 && luck.one_in(*errors) {
            let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other, io::ErrorKind::Interrupted];
            return Err(kinds[luck.below(kinds.len())].into());
        }
        Ok(())
    }
}

/// A file of which some sectors are as they were and some as they are to be, of either length or with some of the sectors
/// between them.
fn torn(old: &[u8], new: &[u8], luck: &mut Luck) -> Vec<u8> {
    if old == new {
        return new.to_vec();
    }
    let (shorter, longer) = (old.len().min(new.len()), old.len().max(new.len()));
    let len = match luck.below(4) {
        0 => old.len(),
        1 | 2 => new.len(),
        _ => ((shorter + luck.below(longer - shorter + 1)) / SECTOR * SECTOR).clamp(shorter, longer),
    };
    let mut kept = vec![0; len];
    for (index, sector) in kept.chunks_mut(SECTOR).enumerate() {
        let from = if luck.one_in(2) { old } else { new };
        let from = from.get(index * SECTOR..).unwrap_or_default();
        let count = from.len().min(sector.len());
        sector[..count].copy_from_slice(&from[..count]);
    }
    kept
}
