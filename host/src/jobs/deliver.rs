//! What deliveries of the webhook start: runs like those of the scheduler, soon after the delivery was answered. A push that
//! finds no room waits for it, and is never forgotten without a word.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::attend::{Ended, patient};
use super::run::{Apply, By, Order};
use super::{Jobs, counted};
use crate::serve::Server;
use crate::settings::WEBHOOK;

/// Most runs that wait or are under way.
const MOST: usize = 256;
/// Most pauses that are remembered.
const MOST_PAUSES: usize = 16_384;

/// See the module.
#[derive(Default)]
pub(super) struct Deliveries {
    server: OnceLock<Weak<Server>>,
    pauses: Mutex<Pauses>,
    waiting: Arc<()>,
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
    pub(super) fn attend(&self, server: &Arc<Server>) {
        let _ = self.server.set(Arc::downgrade(server));
    }
}

impl Jobs {
    /// Run a job since something was delivered, under the id of the request that delivered it. Whether it will be run.
    pub(crate) fn deliver(
        &self,
        request_id: &str,
        job: &str,
        (owner, repo): (String, String),
        pause: Duration,
    ) -> bool {
        let known = self.all.iter().find(|known| known.name == job && known.enabled);
        let server = self.deliveries.server.get().and_then(Weak::upgrade);
        let (Some(job), Some(server)) = (known.map(|job| job.name), server) else { return false };
        let repository = format!("{owner}/{repo}");
        if Arc::strong_count(&self.deliveries.waiting) > MOST {
            tracing::warn!(event = "job_skipped", job, repository, "too many runs wait");
            counted(&server.shared, job, WEBHOOK, &repository, "refused", Some("too_many_waiting"));
            return false;
        }
        let mut pauses = self.deliveries.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        if !pauses.begin(job, &repository, Instant::now(), pause) {
            tracing::info!(event = "job_skipped", job, repository, "a delivery has started it here just now");
            return false;
        }
        drop(pauses);
        let (job_name, waits) = (job.to_owned(), self.deliveries.waiting.clone());
        let request_id = Some(request_id.to_owned());
        let order = Order { job: job_name, owner, repo, apply: Apply::WhereAllowed, request_id };
        let runtime = server.shared.runtime.clone();
        runtime.spawn(async move {
            delivered(&server, job, &order).await;
            drop(waits);
        });
        true
    }
}

async fn delivered(server: &Arc<Server>, job: &'static str, order: &Order) {
    let repository = format!("{}/{}", order.owner, order.repo);
    let outcome = match patient(server, By::Webhook, order).await {
        Ended::Well(correlation_id) => {
            tracing::info!(event = "job_run", job, repository, correlation_id, outcome = "done");
            return;
        }
        Ended::Badly(reason) => reason,
        Ended::NotBegun => "shutting_down".to_owned(),
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
