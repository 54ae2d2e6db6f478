//! What deliveries of the webhook start: runs like those of the scheduler, soon after the delivery was answered. A push that
//! finds no room waits for it, and is never forgotten without a word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

use super::Jobs;
use super::attend::{Ended, SHUTTING_DOWN, patient};
use super::run::{Apply, By, Order};
use crate::serve::Server;

/// Most runs that wait for their turn.
const MOST: usize = 256;
/// Most pauses that are remembered.
const MOST_PAUSES: usize = 16_384;

/// See the module.
pub(super) struct Deliveries {
    pauses: Mutex<Pauses>,
    queue: Sender<Waiting>,
    /// Until there is somebody to run what is delivered.
    unattended: Mutex<Option<Receiver<Waiting>>>,
}

/// A run that waits for its turn: the job, what to run, and what keeps the server from ending before it has said what became
/// of this.
type Waiting = (&'static str, Order, Box<dyn Send>);

impl Default for Deliveries {
    fn default() -> Self {
        let (queue, unattended) = channel(MOST);
        Self { pauses: Mutex::default(), queue, unattended: Mutex::new(Some(unattended)) }
    }
}

/// Until when a delivery does not start a job in a repository again.
#[derive(Default)]
struct Pauses(HashMap<(&'static str, String), Instant>);

impl Pauses {
    /// Begin one; not within another, and not where too many are remembered.
    fn begin(&mut self, job: &'static str, repository: &str, now: Instant, length: Duration) -> bool {
        if self.0.len() >= MOST_PAUSES {
            self.0.retain(|_, until| *until > now);
        }
        let place = (job, repository.to_ascii_lowercase());
        if self.0.get(&place).is_some_and(|until| *until > now) || self.0.len() >= MOST_PAUSES {
            return false;
        }
        self.0.insert(place, now.checked_add(length).unwrap_or(now));
        true
    }

    /// It came to nothing, so the next delivery may start it.
    fn take_back(&mut self, job: &'static str, repository: &str) {
        self.0.remove(&(job, repository.to_ascii_lowercase()));
    }
}

impl Deliveries {
    /// From now on there is somebody to run what is delivered.
    pub(super) fn attend(&self, server: &Arc<Server>, line: &Arc<Turns<()>>) {
        let waiting = self.unattended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            server.shared.runtime.spawn(in_turn(Arc::downgrade(server), waiting, line.clone()));
        }
    }
}

impl Jobs {
    /// Run a job since something was delivered, under the id of the request that delivered it. Whether it will be run.
    /// `pending` is let go when it has been said what became of it.
    pub(crate) fn deliver(
        &self,
        request_id: &str,
        job: &str,
        (owner, repo): (String, String),
        pause: Duration,
        pending: impl Send + 'static,
    ) -> bool {
        let known = self.all.iter().find(|known| known.name == job && known.enabled);
        let Some(job) = known.map(|job| job.name) else { return false };
        let repository = format!("{owner}/{repo}");
        let mut pauses = self.deliveries.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if !pauses.begin(job, &repository, Instant::now(), pause) {
            tracing::info!(event = "job_skipped", job, repository, "a delivery has started it here just now");
            return false;
        }
        let request_id = Some(request_id.to_owned());
        let order = Order { job: job.to_owned(), owner, repo, apply: Apply::WhereAllowed, request_id };
        let waits = self.deliveries.queue.try_send((job, order, Box::new(pending))).is_ok();
        if !waits {
            pauses.take_back(job, &repository);
            tracing::warn!(event = "job_skipped", job, repository, "too many runs wait");
        }
        waits
    }
}

/// Begin what waits in the order in which it came. What finds no room when it is its turn leaves the turn to the next.
async fn in_turn(server: Weak<Server>, mut waiting: Receiver<Waiting>, line: Arc<Turns<()>>) {
    while let Some((job, order, pending)) = waiting.recv().await {
        let turn = line.clone().lock_owned().await;
        let Some(server) = server.upgrade() else {
            let repository = format!("{}/{}", order.owner, order.repo);
            tracing::warn!(event = "job_run", job, repository, outcome = SHUTTING_DOWN);
            continue;
        };
        let runtime = server.shared.runtime.clone();
        runtime.spawn(async move {
            delivered(&server, job, &order, turn).await;
            drop(pending);
        });
    }
}

async fn delivered(server: &Arc<Server>, job: &'static str, order: &Order, turn: OwnedMutexGuard<()>) {
    let repository = format!("{}/{}", order.owner, order.repo);
    let outcome = match patient(server, By::Webhook, order, Some(turn)).await {
        Ended::Well(correlation_id) => {
            tracing::info!(event = "job_run", job, repository, correlation_id, outcome = "done");
            return;
        }
        Ended::Badly(reason) => reason,
        Ended::NotBegun => SHUTTING_DOWN.to_owned(),
    };
    tracing::warn!(event = "job_run", job, repository, outcome, "the next delivery may start it again");
    if let Some(automation) = &server.shared.automation {
        let pauses = &automation.jobs.deliveries.pauses;
        pauses.lock().unwrap_or_else(PoisonError::into_inner).take_back(job, &repository);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_holds_for_one_job_in_one_repository_until_it_is_over_or_taken_back() {
        let (mut pauses, now, hour) = (Pauses::default(), Instant::now(), Duration::from_secs(3_600));
        assert!(pauses.begin("a", "acme/site", now, hour));
        assert!(!pauses.begin("a", "ACME/Site", now, hour));
        assert!(pauses.begin("b", "acme/site", now, hour) && pauses.begin("a", "acme/other", now, hour));
        pauses.take_back("a", "Acme/site");
        assert!(pauses.begin("a", "acme/site", now, hour));
        assert!(pauses.begin("a", "acme/site", now + hour, hour));
    }

    #[test]
    fn so_many_pauses_are_remembered_and_those_that_are_over_make_room() {
        let (mut pauses, now, hour) = (Pauses::default(), Instant::now(), Duration::from_secs(3_600));
        for number in 0..MOST_PAUSES {
            assert!(pauses.begin("a", &format!("acme/{number}"), now, hour));
        }
        assert!(!pauses.begin("a", "acme/site", now, hour));
        assert!(pauses.begin("a", "acme/site", now + hour, hour));
        assert_eq!(pauses.0.len(), 1);
    }
}
