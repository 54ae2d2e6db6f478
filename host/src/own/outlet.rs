//! What leaves for one request: to its client, to another stream of the caller, to the log, and to Gitea. The server's
//! own secrets and the tokens that this request has used toward Gitea are starred out of the first three, and stop the
//! last. Found ones are counted, and told in one line of the audit log; what was found is told nowhere.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value};

use super::{Own, Places};
use crate::audit::{Entry, Event};
use crate::generation::Generation;
use crate::ports::telemetry::cut;
use crate::shared::Shared;

/// The reason of the line about what was starred out.
const MASKED: &str = "own_secret_masked";

/// The way out of one request.
pub(crate) struct Outlet {
    request_id: String,
    address: IpAddr,
    guest: Arc<Generation>,
    caller: OnceLock<String>,
    /// The tokens of people that this request went to Gitea with.
    used: Mutex<Vec<Arc<Own>>>,
    told: AtomicBool,
}

impl Outlet {
    /// For a request that nobody is known to have made.
    pub(crate) fn new(request_id: &str, address: IpAddr, guest: Arc<Generation>) -> Arc<Self> {
        Arc::new(Self {
            request_id: request_id.to_owned(),
            address,
            guest,
            caller: OnceLock::new(),
            used: Mutex::default(),
            told: AtomicBool::new(false),
        })
    }

    /// Who makes the request has been proved; for its line.
    pub(crate) fn called_by(&self, subject: &str) {
        let _ = self.caller.set(subject.to_owned());
    }

    /// This token is looked for too from now on.
    pub(crate) fn uses(&self, shared: &Shared, token: &[u8]) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if !shared.own.knows(token) && !used.iter().any(|known| known.knows(token)) {
            used.push(Arc::new(Own::single(token)));
        }
    }

    /// Whether a secret stands in there.
    pub(crate) fn holds(&self, shared: &Shared, text: &[u8]) -> bool {
        !self.places(shared, text).0.is_empty()
    }

    /// The same with stars in the place of each secret.
    pub(crate) fn bytes(&self, shared: &Shared, text: Bytes) -> Bytes {
        let places = self.places(shared, &text);
        if places.0.is_empty() {
            return text;
        }
        self.found(shared, places.0.len());
        let mut text = BytesMut::from(text);
        places.star(&mut text);
        text.freeze()
    }

    /// The same of a text.
    pub(crate) fn text(&self, shared: &Shared, text: String) -> String {
        let places = self.places(shared, text.as_bytes());
        if places.0.is_empty() {
            return text;
        }
        self.found(shared, places.0.len());
        let mut bytes = text.into_bytes();
        places.star(&mut bytes);
        // A secret is whole characters, and none of its spellings breaks one.
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The same of every value of an answer's head.
    pub(crate) fn headers(&self, shared: &Shared, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let clean = self.bytes(shared, Bytes::copy_from_slice(value.as_bytes()));
            if clean != value.as_bytes() {
                *value = HeaderValue::from_maybe_shared(clean).unwrap_or(HeaderValue::from_static("*"));
            }
        }
    }

    /// The same of every text in a line of the audit log.
    pub(crate) fn members(&self, shared: &Shared, members: &mut Map<String, Value>) {
        let mut left: Vec<&mut Value> = members.values_mut().collect();
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) => *text = self.text(shared, std::mem::take(text)),
                Value::Array(items) => left.extend(items),
                Value::Object(members) => left.extend(members.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    fn places(&self, shared: &Shared, text: &[u8]) -> Places {
        let mut places = Places::default();
        self.each(shared, |own| own.add_places(text, &mut places));
        places
    }

    fn begun(&self, shared: &Shared, text: &[u8]) -> usize {
        let mut begun = 0;
        self.each(shared, |own| begun = begun.max(own.begun(text)));
        begun
    }

    fn each(&self, shared: &Shared, mut with: impl FnMut(&Own)) {
        with(&shared.own);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        used.iter().for_each(|own| with(own));
    }

    fn found(&self, shared: &Shared, count: usize) {
        shared.metrics.own_secrets("masked", u64::try_from(count).unwrap_or(u64::MAX));
        if self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut members = Map::new();
        members.insert("request_id".into(), self.request_id.clone().into());
        members.insert("address".into(), self.address.to_string().into());
        if let Some(caller) = self.caller.get() {
            members.insert("principal".into(), caller.clone().into());
        }
        members.insert("component".into(), cut(self.guest.digest(), 16).into());
        members.insert("policy".into(), cut(&shared.in_force.policy().digest, 16).into());
        members.insert("reason".into(), MASKED.into());
        shared.trail.push(Entry { event: Event::SecurityEvent, members });
    }
}

/// A stream on its way out: nothing is kept back but an end that may be the beginning of a secret.
pub(crate) struct Flow {
    outlet: Arc<Outlet>,
    shared: Arc<Shared>,
    held: Held,
}

/// What is kept back: as it came, to be compared, and as it will leave.
#[derive(Default)]
struct Held {
    came: BytesMut,
    leaves: BytesMut,
}

impl Held {
    /// Take the next piece; `places` finds the secrets in what is at hand, and `begun` how much of its end stays here.
    /// What may leave now, and how many secrets have ended in this piece.
    fn piece(
        &mut self,
        piece: &[u8],
        places: impl FnOnce(&[u8]) -> Places,
        begun: impl FnOnce(&[u8]) -> usize,
    ) -> (Bytes, usize) {
        let before = self.came.len();
        self.came.extend_from_slice(piece);
        self.leaves.extend_from_slice(piece);
        let places = places(&self.came);
        places.star(&mut self.leaves);
        let ready = self.came.len().saturating_sub(begun(&self.came));
        self.came.advance(ready);
        let ended = places.0.iter().filter(|place| place.end > before).count();
        (self.leaves.split_to(ready).freeze(), ended)
    }

    /// What is left of it.
    fn rest(&mut self) -> Bytes {
        self.came.clear();
        self.leaves.split().freeze()
    }
}

impl Flow {
    /// Out of this outlet.
    pub(crate) fn new(outlet: Arc<Outlet>, shared: Arc<Shared>) -> Self {
        Self { outlet, shared, held: Held::default() }
    }

    /// What may leave now that this piece has come. Nothing, perhaps.
    pub(crate) fn piece(&mut self, piece: Bytes) -> Bytes {
        let (outlet, shared) = (&self.outlet, &self.shared);
        if self.held.came.is_empty() && outlet.begun(shared, &piece) == 0 {
            return outlet.bytes(shared, piece);
        }
        let (ready, found) =
            self.held.piece(&piece, |text| outlet.places(shared, text), |text| outlet.begun(shared, text));
        if found > 0 {
            outlet.found(shared, found);
        }
        ready
    }

    /// What was kept back, once there is nothing more to come.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.held.rest()
    }
}

#[cfg(test)]
mod tests;
