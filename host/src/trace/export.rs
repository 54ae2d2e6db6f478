//! Ended traces on their way to the collector: a bounded queue, batches, a few tries. No request waits for it; what is not
//! taken is counted and forgotten, since a trace is no record.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::ratio::Ratio;
use super::span::{Told, request};
use crate::otlp::{Collector, NotTaken, rejected};
use crate::settings::Settings;
use crate::shared::{Shared, SystemRandom};
use crate::way::drawn;

/// Most spans that wait.
const QUEUE: usize = 4_096;
/// Spans after which a batch is sent.
const BATCH: usize = 512;
/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);
/// How often a batch is tried, and the pauses between.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(1);

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_TRACES_HEADERS";

/// What became of spans, and how many wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) sent: u64,
    /// There was no room, or the collector could not be reached.
    pub(crate) dropped: u64,
    /// The collector does not take them.
    pub(crate) refused: u64,
    pub(crate) waiting: usize,
}

impl Outcome {
    /// The most that may wait.
    pub(crate) const LIMIT: usize = QUEUE;
}

#[derive(Default)]
struct Standing {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    waiting: AtomicUsize,
    failed: AtomicBool,
}

/// Where ended traces go.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) ratio: Ratio,
    sender: UnboundedSender<Told>,
    standing: Arc<Standing>,
}

impl Queue {
    /// With whoever takes them out.
    pub(super) fn new(ratio: Ratio) -> (Self, UnboundedReceiver<Told>) {
        let (sender, receiver) = unbounded_channel();
        (Self { ratio, sender, standing: Arc::default() }, receiver)
    }

    /// Hand it over, where there is room.
    pub(super) fn push(&self, told: Told) {
        let count = told.spans.len();
        let waiting = &self.standing.waiting;
        let room = waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
            now.checked_add(count).filter(|all| *all <= QUEUE)
        });
        if room.is_err() {
            self.drop_spans(count);
        } else if self.sender.send(told).is_err() {
            waiting.fetch_sub(count, Ordering::AcqRel);
            self.drop_spans(count);
        }
    }

    /// So many are forgotten.
    pub(super) fn drop_spans(&self, count: usize) {
        self.standing.dropped.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    pub(super) fn told(&self) -> Outcome {
        let read = |count: &AtomicU64| count.load(Ordering::Acquire);
        Outcome {
            sent: read(&self.standing.sent),
            dropped: read(&self.standing.dropped),
            refused: read(&self.standing.refused),
            waiting: self.standing.waiting.load(Ordering::Acquire),
        }
    }
}

/// The collector that the settings name.
pub(crate) struct Exporter {
    collector: Collector,
    service: String,
    ratio: Ratio,
}

impl Exporter {
    /// Made ready; nothing is sent yet. None where no collector is named.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let Some(url) = settings.otel_exporter_otlp_traces_endpoint() else { return Ok(None) };
        let given = settings.otel_exporter_otlp_traces_headers().map(|text| text.expose());
        let headers = headers(given.unwrap_or_default()).map_err(|why| format!("{HEADERS} {why}"))?;
        Ok(Some(Self {
            collector: Collector::at(url, ENDPOINT, headers, settings.gitea_ca_file())?,
            service: settings.otel_service_name().to_owned(),
            ratio: settings.otel_traces_sampler_arg(),
        }))
    }

    /// Trace requests from now on, and send what ends.
    pub(crate) fn attend(self, shared: &Shared) -> Exporting {
        let (queue, receiver) = Queue::new(self.ratio);
        let standing = queue.standing.clone();
        shared.tracing.turn_on(queue);
        let (stop, stopping) = watch::channel(false);
        let sending = Sending { exporter: self, standing, stopping };
        Exporting(Some((tokio::spawn(sending.run(receiver)), stop)))
    }
}

/// What each value in the list of headers is, as it is written and as it is meant, with and without the word of its
/// scheme (`Bearer`, `Basic`): secrets of this server.
pub(crate) fn header_values(list: &str) -> impl Iterator<Item = String> {
    let values = list.split(',').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.trim());
    values.flat_map(|value| {
        let meant = percent_decode_str(value).decode_utf8_lossy().into_owned();
        let bare = meant.split_once(' ').map(|(_, credential)| credential.trim().to_owned());
        [Some(value.to_owned()), bare, Some(meant)].into_iter().flatten()
    })
}

/// `name=value` separated by commas, the values with percent signs (OTLP Exporter Configuration).
///
/// # Errors
/// What is wrong with it; continues a sentence that begins with the setting's name. Never holds a value.
pub(crate) fn headers(list: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let wrong = "must be a list of name=value, separated by commas, with %20 for a space in a value";
        let (name, value) = pair.split_once('=').ok_or(wrong)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong)?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| wrong)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Traces on their way.
#[derive(Default)]
pub(crate) struct Exporting(Option<(JoinHandle<()>, watch::Sender<bool>)>);

impl Exporting {
    /// Send what waits, though not for long.
    pub(crate) async fn end(self, patience: Duration) {
        let Some((task, stop)) = self.0 else { return };
        stop.send_replace(true);
        if tokio::time::timeout(patience, task).await.is_err() {
            tracing::warn!(event = "traces_cut_off", "the last traces were not handed over");
        }
    }
}

struct Sending {
    exporter: Exporter,
    standing: Arc<Standing>,
    stopping: watch::Receiver<bool>,
}

impl Sending {
    async fn run(mut self, mut queue: UnboundedReceiver<Told>) {
        let mut stopping = self.stopping.clone();
        let mut batch = Vec::new();
        loop {
            let more = tokio::select! {
                more = gather(&mut queue, &mut batch) => more,
                _ = stopping.wait_for(|stop| *stop) => false,
            };
            if !more {
                break;
            }
            self.hand_over(std::mem::take(&mut batch)).await;
        }
        while batch.is_empty() || spans(&batch) < BATCH {
            match queue.try_recv() {
                Ok(told) => batch.push(told),
                Err(_) if batch.is_empty() => return,
                Err(_) => break,
            }
        }
        self.hand_over(batch).await;
    }

    async fn hand_over(&mut self, batch: Vec<Told>) {
        let count = spans(&batch);
        let body = request(&self.exporter.service, &batch);
        drop(batch);
        let mut outcome = self.exporter.collector.post(&body).await;
        for round in 1..TRIES {
            let (Err(NotTaken::ForNow(why)), false) = (&outcome, *self.stopping.borrow()) else { break };
            self.tell(why);
            let pause = drawn(PAUSE.saturating_mul(1 << round), &SystemRandom);
            // Whoever stops does not wait for a pause to be over.
            let _ = tokio::time::timeout(pause, self.stopping.wait_for(|stop| *stop)).await;
            outcome = self.exporter.collector.post(&body).await;
        }
        self.standing.waiting.fetch_sub(count, Ordering::AcqRel);
        self.note(
            u64::try_from(count).unwrap_or(u64::MAX),
            outcome.map(|answer| rejected(&answer, "rejectedSpans")),
        );
    }

    fn note(&self, count: u64, outcome: Result<u64, NotTaken>) {
        match outcome {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.standing.sent.fetch_add(count - rejected, Ordering::AcqRel);
                self.standing.refused.fetch_add(rejected, Ordering::AcqRel);
                if self.standing.failed.swap(false, Ordering::AcqRel) {
                    tracing::info!(event = "traces_available");
                }
            }
            Err(NotTaken::ForNow(why)) => {
                self.standing.dropped.fetch_add(count, Ordering::AcqRel);
                self.tell(&why);
            }
            Err(NotTaken::ForGood(why)) => {
                self.standing.refused.fetch_add(count, Ordering::AcqRel);
                self.tell(&why);
            }
        }
    }

    /// Once, until they are taken again.
    fn tell(&self, why: &str) {
        if !self.standing.failed.swap(true, Ordering::AcqRel) {
            tracing::warn!(event = "traces_unavailable", error = %why, "traces are not taken; calls go on");
        }
    }
}

fn spans(batch: &[Told]) -> usize {
    batch.iter().map(|told| told.spans.len()).sum()
}

/// Add what ends to the batch, until it is large or old enough; `false` where there will be no more.
async fn gather(queue: &mut UnboundedReceiver<Told>, batch: &mut Vec<Told>) -> bool {
    if batch.is_empty() {
        match queue.recv().await {
            Some(told) => batch.push(told),
            None => return false,
        }
    }
    let until = Instant::now() + GATHER;
    while spans(batch) < BATCH {
        match timeout_at(until, queue.recv()).await {
            Ok(Some(told)) => batch.push(told),
            Ok(None) | Err(_) => break,
        }
    }
    true
}
