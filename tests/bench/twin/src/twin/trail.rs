//! The twin's audit log: the same lines in the same chain by the same design, one thread that puts whatever
//! waits into one write and one sync. It does not rotate, recover or watch over its file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};

use aegis_custody::Timestamp;
use aegis_custody::audit::{Chain, Event};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::Result;

/// Most entries in one batch, and most that wait: as in the host.
const BATCH: usize = 1024;
const QUEUE: usize = 4096;

type Message = (Event, Map<String, Value>, Option<oneshot::Sender<bool>>);

/// A handle on the log.
pub struct Trail {
    queue: SyncSender<Message>,
}

impl Trail {
    /// Make a new log at `path`.
    ///
    /// # Errors
    /// The file exists or cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        let (queue, waiting) = sync_channel(QUEUE);
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || write(file, &waiting))?;
        Ok(Self { queue })
    }

    /// Make a line durable; whether it is.
    pub fn append(&self, event: Event, members: Map<String, Value>) -> bool {
        let (told, answer) = oneshot::channel();
        self.queue.try_send((event, members, Some(told))).is_ok() && answer.blocking_recv().unwrap_or(false)
    }

    /// Have a line written with the next batch.
    pub fn push(&self, event: Event, members: Map<String, Value>) {
        let _ = self.queue.try_send((event, members, None));
    }
}

fn write(mut file: File, waiting: &Receiver<Message>) {
    let mut chain = Chain::EMPTY;
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Message> = std::iter::once(first).chain(waiting.try_iter().take(BATCH - 1)).collect();
        let (now, mut bytes) = (now(), Vec::new());
        for (event, members, _) in &batch {
            chain.seal(&mut bytes, now, *event, members);
        }
        let durable = file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok();
        for told in batch.into_iter().filter_map(|(_, _, told)| told) {
            let _ = told.send(durable);
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
