//! A request under way, as a guest holds it: its head, then its body piece by piece, within its time and its bytes.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::kept_out::Arrived;
use super::scrub::Scrub;
use crate::component::bindings::aegis::gateway::gitea::{Failure, Head};
use crate::ticket::Record;

/// Headers of Gitea's answers that guests may see.
const VISIBLE: &[&str] =
    &["content-length", "content-type", "link", "location", "retry-after", "x-hasmore", "x-total-count"];

/// A request under way, as a guest holds it.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Exchange {
    state: Progress,
    /// Nothing is read once it is closed: the outcome then on record would not be the whole story.
    ticket: Arc<Record>,
    is_write: bool,
    deadline: Instant,
    budget: u64,
    rest: Bytes,
    scrub: Scrub,
}

pub(super) enum Progress {
    Waiting(JoinHandle<Result<Arrived, Failure>>),
    Reading(Head, Incoming),
    Failed(Failure),
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // A read nobody waits for is cancelled; a write goes on in its task and reports to the ticket.
        if let (Progress::Waiting(task), false) = (&self.state, self.is_write) {
            task.abort();
        }
    }
}

impl Exchange {
    /// One that has got as far as this.
    pub(super) fn new(
        state: Progress,
        ticket: Arc<Record>,
        is_write: bool,
        deadline: Instant,
        budget: u64,
    ) -> Self {
        Self { state, ticket, is_write, deadline, budget, rest: Bytes::new(), scrub: Scrub::default() }
    }

    /// Status and visible headers, when they are there.
    pub(crate) async fn head(&mut self) -> Result<Head, Failure> {
        self.arrived().await.map(|(head, _)| head.clone())
    }

    /// Wait for the head; then it and the body are here.
    async fn arrived(&mut self) -> Result<(&Head, &mut Incoming), Failure> {
        if !self.ticket.is_open() {
            return Err(Failure::TicketClosed);
        }
        if let Progress::Waiting(task) = &mut self.state {
            self.state = match task.await {
                Ok(Ok(arrived)) => {
                    let (parts, first, body, scrub) = arrived.into_parts();
                    let left = self.budget.checked_sub(first.len() as u64);
                    self.budget = left.unwrap_or_default();
                    self.scrub = scrub;
                    self.rest = self.scrub.piece(first);
                    match left {
                        Some(_) => Progress::Reading(visible(&parts), body),
                        None => Progress::Failed(Failure::TooLarge),
                    }
                }
                Ok(Err(failure)) => Progress::Failed(failure),
                Err(_) => Progress::Failed(Failure::Broken("the request was cancelled".to_owned())),
            };
        }
        match &mut self.state {
            Progress::Reading(head, body) => Ok((head, body)),
            Progress::Failed(failure) => Err(failure.clone()),
            Progress::Waiting(_) => Err(Failure::Broken("the request was cancelled".to_owned())),
        }
    }

    /// The next piece of the body, at most `most` bytes; empty at the end.
    pub(crate) async fn read(&mut self, most: usize) -> Result<Vec<u8>, Failure> {
        // Before anything else: what has arrived may bring the beginning of the body with it.
        self.arrived().await?;
        while self.rest.is_empty() {
            let deadline = self.deadline;
            let (_, body) = self.arrived().await?;
            let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
                Err(_) => return self.fail(Failure::TimedOut),
                Ok(None) => {
                    self.rest = self.scrub.rest();
                    if self.rest.is_empty() {
                        return Ok(Vec::new());
                    }
                    break;
                }
                Ok(Some(Err(error))) => return self.fail(Failure::Broken(error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(data) = frame.into_data() {
                match self.budget.checked_sub(data.len() as u64) {
                    Some(left) => self.budget = left,
                    None => return self.fail(Failure::TooLarge),
                }
                self.rest = self.scrub.piece(data);
            }
        }
        let piece = self.rest.slice(..most.min(self.rest.len()));
        self.rest.advance(piece.len());
        Ok(piece.to_vec())
    }

    fn fail<T>(&mut self, failure: Failure) -> Result<T, Failure> {
        self.state = Progress::Failed(failure.clone());
        Err(failure)
    }
}

fn visible(parts: &http::response::Parts) -> Head {
    let headers = parts
        .headers
        .iter()
        .filter(|(name, _)| VISIBLE.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    Head { status: parts.status.as_u16(), headers }
}
