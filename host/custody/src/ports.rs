//! What pure code needs from the world, as traits. No implementation lives here, not even for tests.

use crate::Timestamp;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock now. It may step, also backwards; users of it must bear that.
    fn now(&self) -> Timestamp;
}

/// Where unpredictable bytes come from.
pub trait Random: Send + Sync {
    /// Fill `out` with bytes fit for keys. An implementation that cannot must not return: there is no weaker
    /// source to fall back to.
    fn fill(&self, out: &mut [u8]);
}
