//! Lines of the audit log for others, as they come to the disk: AUDIT_SYSLOG_URL and AUDIT_OTLP_URL. No call waits for it,
//! and the log on disk is what counts: what could not be handed on is counted, and a gap in `seq` shows it to the receiver.

mod otlp;
mod record;
mod syslog;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::task::JoinHandle;

use crate::audit::{LiveLine, LiveLines};
use crate::settings::Settings;
use crate::shared::{Shared, SystemRandom};
use crate::way::drawn;

pub(crate) use syslog::Address as SyslogAddress;

/// Most lines that are handed on at once.
const BATCH: usize = 256;

/// What one attempt may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pauses between attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Why lines were not taken.
enum Refused {
    /// It may take them later.
    ForNow(String),
    /// It will not take these, or so many of them.
    ForGood(String, u64),
}

/// Somebody who takes lines.
trait Receiver: Send + 'static {
    /// The name in metrics, `/ready` and the log.
    const NAME: &'static str;

    /// Hand lines on, all of them or none; within [`PATIENCE`].
    fn take(&mut self, lines: &[LiveLine]) -> impl Future<Output = Result<(), Refused>> + Send;

    /// There will be no more: end the connection so that what is on its way arrives.
    fn end(self) -> impl Future<Output = ()> + Send;
}

/// How one receiver is doing.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    asked: AtomicBool,
    taken: AtomicU64,
    lost: AtomicU64,
    failed: AtomicBool,
}

/// How the receivers are doing.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    syslog: Arc<Standing>,
    otlp: Arc<Standing>,
}

/// What is told of one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// `syslog` or `otlp`.
    pub(crate) name: &'static str,
    /// Lines that it has taken.
    pub(crate) taken: u64,
    /// Lines that it will never get from here.
    pub(crate) lost: u64,
    /// Lines that it has yet to take.
    pub(crate) waiting: u64,
    /// The warning of `/ready`, while it takes none.
    pub(crate) warning: Option<&'static str>,
}

impl Pushed {
    /// Those that the settings name, where so many `lines` are on disk since the start.
    pub(crate) fn told(&self, lines: u64) -> Vec<Told> {
        let both = [
            (&self.syslog, syslog::Syslog::NAME, "audit_syslog"),
            (&self.otlp, otlp::Otlp::NAME, "audit_otlp"),
        ];
        let asked = both.into_iter().filter(|(standing, ..)| standing.asked.load(Ordering::Acquire));
        let told = asked.map(|(standing, name, warning)| {
            let (taken, lost) =
                (standing.taken.load(Ordering::Acquire), standing.lost.load(Ordering::Acquire));
            Told {
                name,
                taken,
                lost,
                waiting: lines.saturating_sub(taken).saturating_sub(lost),
                warning: standing.failed.load(Ordering::Acquire).then_some(warning),
            }
        });
        told.collect()
    }
}

/// The receivers that the settings name.
pub(crate) struct Receivers {
    syslog: Option<syslog::Syslog>,
    otlp: Option<otlp::Otlp>,
}

impl Receivers {
    /// Made ready; nothing is sent yet.
    ///
    /// # Errors
    /// A setting cannot be used.
    pub(crate) fn of(settings: &Settings) -> Result<Self, String> {
        Ok(Self { syslog: syslog::Syslog::of(settings)?, otlp: otlp::Otlp::of(settings)? })
    }

    /// Hand on each line from now on, until the log is closed.
    pub(crate) fn attend(self, shared: &Shared) -> Pushing {
        let (mut tasks, pushed) = (Vec::new(), &shared.pushed);
        let count = usize::from(self.syslog.is_some()) + usize::from(self.otlp.is_some());
        let mut lines = shared.trail.live(count).into_iter();
        if let Some(syslog) = self.syslog
            && let Some(lines) = lines.next()
        {
            tasks.push(begin(syslog, lines, &pushed.syslog));
        }
        if let Some(otlp) = self.otlp
            && let Some(lines) = lines.next()
        {
            tasks.push(begin(otlp, lines, &pushed.otlp));
        }
        Pushing(tasks)
    }
}

/// Lines on their way.
pub(crate) struct Pushing(Vec<JoinHandle<()>>);

impl Pushing {
    /// Once the log is closed, wait for the last lines to be handed on, though not for long.
    pub(crate) async fn end(self, patience: Duration) {
        let all = async {
            for task in self.0 {
                // A receiver that ended by a panic has nothing more to hand on.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!(
                event = "audit_push_cut_off",
                "the last audit lines were not handed on; they are in the log"
            );
        }
    }
}

fn begin<R: Receiver>(receiver: R, lines: LiveLines, standing: &Arc<Standing>) -> JoinHandle<()> {
    standing.asked.store(true, Ordering::Release);
    tokio::spawn(push(lines, receiver, Arc::clone(standing)))
}

async fn push<R: Receiver>(mut lines: LiveLines, mut receiver: R, standing: Arc<Standing>) {
    while let Some(batch) = gather::<R>(&mut lines, &standing).await {
        let mut pause = PAUSES.0;
        while let Err(why) = hand_on(&mut receiver, &batch, &standing).await {
            if !standing.failed.swap(true, Ordering::AcqRel) {
                tracing::warn!(event = "audit_push_unavailable", receiver = R::NAME, error = %why, "audit lines are not taken: it is tried again, and calls go on");
            }
            tokio::time::sleep(drawn(pause, &SystemRandom)).await;
            pause = pause.saturating_mul(2).min(PAUSES.1);
        }
        if standing.failed.swap(false, Ordering::AcqRel) {
            tracing::info!(event = "audit_push_available", receiver = R::NAME);
        }
    }
    receiver.end().await;
}

/// An error where the same lines are to be tried again.
async fn hand_on<R: Receiver>(
    receiver: &mut R,
    batch: &[LiveLine],
    standing: &Standing,
) -> Result<(), String> {
    let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
    let taken = tokio::time::timeout(PATIENCE, receiver.take(batch)).await;
    match taken.unwrap_or_else(|_| Err(Refused::ForNow("it took too long".to_owned()))) {
        Ok(()) => {
            standing.taken.fetch_add(count, Ordering::AcqRel);
            Ok(())
        }
        Err(Refused::ForGood(why, lost)) => {
            standing.taken.fetch_add(count.saturating_sub(lost), Ordering::AcqRel);
            lose(standing, R::NAME, lost, &why);
            Ok(())
        }
        Err(Refused::ForNow(why)) => Err(why),
    }
}

/// The next lines; none where there will be no more.
async fn gather<R: Receiver>(lines: &mut LiveLines, standing: &Standing) -> Option<Vec<LiveLine>> {
    let slow = "it takes lines more slowly than they come";
    let mut batch = loop {
        match lines.recv().await {
            Ok(line) => break vec![line],
            Err(RecvError::Lagged(lost)) => lose(standing, R::NAME, lost, slow),
            Err(RecvError::Closed) => return None,
        }
    };
    while batch.len() < BATCH {
        match lines.try_recv() {
            Ok(line) => batch.push(line),
            Err(TryRecvError::Lagged(lost)) => lose(standing, R::NAME, lost, slow),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    Some(batch)
}

fn lose(standing: &Standing, receiver: &str, lost: u64, why: &str) {
    standing.lost.fetch_add(lost, Ordering::AcqRel);
    tracing::warn!(
        event = "audit_push_lost",
        receiver,
        lost,
        why,
        "audit lines were not handed on; they are in the log"
    );
}
