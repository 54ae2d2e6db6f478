//! `aegis:gateway/cache`: a bounded cache whose entries belong to one caller each.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;

use crate::component::bindings::aegis::gateway::cache::Host;
use crate::instance::State;
use crate::metrics::{Cached, Used};

/// Most entries of all callers together.
const MAX_ENTRIES: usize = 4_096;
/// Longest value and key kept, in bytes.
const MAX_VALUE: usize = 64 << 10;
const MAX_KEY: usize = 1_024;
/// Longest time to live.
const MAX_TTL: Duration = Duration::from_secs(3_600);
/// Most bytes of all values.
const MAX_BYTES: usize = 16 << 20;

type Key = (String, String, String);

/// The cache behind the interface.
pub(crate) struct SharedCache {
    inner: Mutex<Inner>,
}

struct Inner {
    entries: LruCache<Key, (Instant, Vec<u8>)>,
    bytes: usize,
    hits: u64,
    misses: u64,
}

impl SharedCache {
    /// An empty cache.
    pub(crate) fn new() -> Self {
        let entries = LruCache::new(NonZeroUsize::new(MAX_ENTRIES).unwrap_or(NonZeroUsize::MIN));
        Self { inner: Mutex::new(Inner { entries, bytes: 0, hits: 0, misses: 0 }) }
    }

    fn get(&self, key: &Key, now: Instant) -> Option<Vec<u8>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match inner.entries.get(key) {
            Some((until, value)) if *until > now => Some(value.clone()),
            Some(_) => {
                inner.remove(key);
                None
            }
            None => None,
        };
        let count = if found.is_some() { &mut inner.hits } else { &mut inner.misses };
        *count = count.saturating_add(1);
        found
    }

    /// For `/metrics`.
    pub(crate) fn cached(&self) -> Cached {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Cached {
            name: "guest",
            entries: Used { now: inner.entries.len(), limit: MAX_ENTRIES },
            bytes: Some(Used { now: inner.bytes, limit: MAX_BYTES }),
            hits: inner.hits,
            misses: inner.misses,
        }
    }

    fn put(&self, key: Key, value: Vec<u8>, ttl: Duration, now: Instant) {
        if value.len() > MAX_VALUE || key.1.len().saturating_add(key.2.len()) > MAX_KEY {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.remove(&key);
        inner.bytes = inner.bytes.saturating_add(value.len());
        if let Some((_, (_, old))) = inner.entries.push(key, (now + ttl.min(MAX_TTL), value)) {
            inner.bytes = inner.bytes.saturating_sub(old.len());
        }
        while inner.bytes > MAX_BYTES {
            let Some((_, (_, old))) = inner.entries.pop_lru() else { break };
            inner.bytes = inner.bytes.saturating_sub(old.len());
        }
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some((_, old)) = self.entries.pop(key) {
            self.bytes = self.bytes.saturating_sub(old.len());
        }
    }
}

impl Host for State {
    fn get(&mut self, space: String, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        let Some(principal) = &self.bound.principal else { return Ok(None) };
        Ok(self.shared.cache.get(&(principal.kept_under(), space, key), Instant::now()))
    }

    fn put(&mut self, space: String, key: String, value: Vec<u8>, ttl_seconds: u32) -> wasmtime::Result<()> {
        if let Some(principal) = &self.bound.principal {
            let ttl = Duration::from_secs(ttl_seconds.into());
            self.shared.cache.put((principal.kept_under(), space, key), value, ttl, Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(who: &str, key: &str) -> Key {
        (who.to_owned(), "refs".to_owned(), key.to_owned())
    }

    #[test]
    fn an_entry_belongs_to_its_caller_and_to_its_time() {
        let cache = SharedCache::new();
        let now = Instant::now();
        cache.put(key("alice", "main"), b"sha".to_vec(), Duration::from_secs(5), now);
        assert_eq!(cache.get(&key("alice", "main"), now), Some(b"sha".to_vec()));
        assert_eq!(cache.get(&key("bob", "main"), now), None);
        assert_eq!(cache.get(&key("alice", "main"), now + Duration::from_secs(5)), None);
        let told = cache.cached();
        assert_eq!((told.hits, told.misses, told.entries.now), (1, 2, 0));
    }

    #[test]
    fn the_bytes_of_all_values_are_bounded() {
        let cache = SharedCache::new();
        let now = Instant::now();
        for i in 0..1_000 {
            cache.put(key("alice", &i.to_string()), vec![0; MAX_VALUE], Duration::from_secs(60), now);
        }
        let inner = cache.inner.lock().unwrap();
        assert!(inner.bytes <= MAX_BYTES);
        assert_eq!(inner.bytes, inner.entries.iter().map(|(_, (_, value))| value.len()).sum::<usize>());
    }
}
