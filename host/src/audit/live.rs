//! Durable lines as they come, for whoever hands them on. Nobody waits for a listener: one that is too slow misses lines
//! and learns how many.

use std::sync::Arc;

use tokio::sync::broadcast;

/// Lines that are kept for the slowest listener, at most.
const KEPT: usize = 4096;

/// How many may listen.
pub(super) const LISTENERS: usize = 2;

/// A line without its end, as it stands in the log.
pub(crate) type LiveLine = Arc<str>;

/// Lines from the opening of the log on.
pub(crate) type LiveLines = broadcast::Receiver<LiveLine>;

/// Tells the listeners.
#[derive(Clone)]
pub(super) struct Live(broadcast::Sender<LiveLine>);

impl Live {
    /// With the listeners there may be: each hears every line, also those of the opening.
    pub(super) fn new() -> (Self, Vec<LiveLines>) {
        let (sender, first) = broadcast::channel(KEPT);
        let mut all = vec![first];
        all.resize_with(LISTENERS, || sender.subscribe());
        (Self(sender), all)
    }

    /// Lines that are durable.
    pub(super) fn tell(&self, bytes: &[u8]) {
        if self.0.receiver_count() == 0 {
            return;
        }
        // What was sealed is UTF-8.
        for line in std::str::from_utf8(bytes).unwrap_or_default().lines() {
            // Where the last listener has just gone, nobody misses it.
            let _ = self.0.send(line.into());
        }
    }
}
