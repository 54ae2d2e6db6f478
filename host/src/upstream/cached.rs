//! One answer of Gitea kept for a while, asked for by one at a time.
//!
//! A value is used for at most its time to live. From half of it on a new one is asked for at most every 30
//! seconds, so that a short failure of Gitea is not noticed; after the whole nothing old is used. A value that
//! does not hold what is wanted (a key id nobody has seen) is asked for again under the same bound, which is what
//! makes a flood of unknown key ids cost one request.

use std::sync::{Arc, Mutex, PoisonError};

use aegis_custody::Clock;

use super::error::UpstreamError;

/// The least time between two requests for a value that is there, in milliseconds.
const SPACING: i64 = 30_000;
/// How long a failure answers for those who ask next where there is no value, in milliseconds: those who waited
/// for the failing request do not each wait for one of their own.
const FAILURE_HOLD: i64 = 2_000;

/// A value with its age.
pub(super) struct Cached<T> {
    state: Mutex<State<T>>,
    gate: tokio::sync::Mutex<()>,
    /// Time to live in milliseconds.
    ttl: i64,
}

struct State<T> {
    value: Option<(Arc<T>, i64)>,
    /// When it was asked for last.
    tried: Option<i64>,
    /// How that ended, where it failed.
    failure: Option<UpstreamError>,
}

/// What to do for one caller.
enum Turn<T> {
    Use(Arc<T>),
    /// What is wanted is not in it, and it was asked for lately.
    Lacking(Arc<T>),
    Fail(UpstreamError),
    /// Ask; the old value serves meanwhile, and if that fails.
    Renew(Arc<T>),
    /// Ask; there is nothing else.
    Ask,
}

impl<T> Cached<T> {
    /// Empty, for values that live so long.
    pub(super) fn new(ttl: std::time::Duration) -> Self {
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        Self {
            state: Mutex::new(State { value: None, tried: None, failure: None }),
            gate: tokio::sync::Mutex::new(()),
            ttl,
        }
    }

    /// The value, asked for with `ask` where it is missing, old or does not hold what is `wanted`.
    ///
    /// # Errors
    /// What `ask` failed with, now or within the last two seconds, and no value young enough is there.
    pub(super) async fn get<F, A>(
        &self,
        clock: &dyn Clock,
        wanted: impl Fn(&T) -> bool + Send + Sync,
        ask: F,
    ) -> Result<Arc<T>, UpstreamError>
    where
        F: FnOnce() -> A + Send,
        A: Future<Output = Result<T, UpstreamError>> + Send,
    {
        let _gate = match self.turn(clock, &wanted) {
            Turn::Use(value) => return Ok(value),
            Turn::Fail(error) => return Err(error),
            Turn::Renew(value) => match self.gate.try_lock() {
                Ok(gate) => gate,
                Err(_) => return Ok(value),
            },
            // Whoever asks right now may bring it.
            Turn::Lacking(value) => match self.gate.try_lock() {
                Ok(_) => return Ok(value),
                Err(_) => self.gate.lock().await,
            },
            Turn::Ask => self.gate.lock().await,
        };
        // Somebody else may have asked while this one waited.
        let old = match self.turn(clock, &wanted) {
            Turn::Use(value) | Turn::Lacking(value) => return Ok(value),
            Turn::Fail(error) => return Err(error),
            Turn::Renew(value) => Some(value),
            Turn::Ask => None,
        };
        let asked_at = clock.now().unix_millis();
        self.with(|state| {
            state.tried = Some(asked_at);
            state.failure = None;
        });
        match ask().await {
            Ok(value) => {
                let value = Arc::new(value);
                self.with(|state| state.value = Some((value.clone(), asked_at)));
                Ok(value)
            }
            Err(error) => {
                self.with(|state| state.failure = Some(error.clone()));
                old.ok_or(error)
            }
        }
    }

    fn turn(&self, clock: &dyn Clock, wanted: &(impl Fn(&T) -> bool + Send + Sync)) -> Turn<T> {
        let now = clock.now().unix_millis();
        self.with(|state| {
            // A clock that stepped back makes an age negative: then the value counts as old.
            let within = |since: i64, most: i64| (0..most).contains(&now.saturating_sub(since));
            let tried_lately = |most| state.tried.is_some_and(|tried| within(tried, most));
            if let Some((value, _)) = state.value.as_ref().filter(|(_, at)| within(*at, self.ttl)) {
                let young = state.value.as_ref().is_some_and(|(_, at)| within(*at, self.ttl / 2));
                return match (wanted(value), tried_lately(SPACING)) {
                    (true, _) if young => Turn::Use(value.clone()),
                    (true, true) => Turn::Use(value.clone()),
                    (true, false) => Turn::Renew(value.clone()),
                    (false, true) => {
                        state.failure.clone().map_or_else(|| Turn::Lacking(value.clone()), Turn::Fail)
                    }
                    (false, false) => Turn::Ask,
                };
            }
            match &state.failure {
                Some(error) if tried_lately(FAILURE_HOLD) => Turn::Fail(error.clone()),
                _ => Turn::Ask,
            }
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut State<T>) -> R) -> R {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
