//! `aegis:gateway/limits`: the subject of every count is the host's to say.

use std::time::{Duration, Instant};

use wasmtime::component::Resource;

use crate::component::bindings::aegis::gateway::limits::{Admission, Bucket, Host, HostSlot};
use crate::counters::{Subject, network_of};
use crate::instance::State;
use crate::long_work::Slot;

impl State {
    fn subject(&self, bucket: Bucket) -> Option<Subject> {
        let network = || network_of(self.bound.address);
        match bucket {
            Bucket::Address => Some(Subject::Address(network())),
            Bucket::AuthenticationFailures => Some(Subject::Failures(network())),
            Bucket::Registration => Some(Subject::Registration(network())),
            Bucket::Authorization => Some(Subject::Authorization(network())),
            Bucket::Token => Some(Subject::Token(network())),
            Bucket::TokenFailures => Some(Subject::TokenFailures(network())),
            Bucket::Metadata => Some(Subject::Metadata(network())),
            Bucket::Principal => self.bound.principal.as_ref().map(|p| Subject::Principal(p.subject.clone())),
        }
    }
}

impl Host for State {
    fn admit(&mut self, bucket: Bucket, limit: u32, window_seconds: u32) -> wasmtime::Result<Admission> {
        let Some(subject) = self.subject(bucket) else {
            return Ok(Admission::Refused(window_seconds));
        };
        let window = Duration::from_secs(window_seconds.into());
        Ok(match self.shared.counters.admit(subject, limit, window, Instant::now()) {
            Ok(left) => Admission::Admitted(left),
            Err(wait) => Admission::Refused(wait),
        })
    }

    fn exhausted(
        &mut self,
        bucket: Bucket,
        limit: u32,
        window_seconds: u32,
    ) -> wasmtime::Result<Option<u32>> {
        let Some(subject) = self.subject(bucket) else {
            return Ok(Some(window_seconds));
        };
        Ok(self.shared.counters.exhausted(&subject, limit, Instant::now()))
    }

    fn long_work(&mut self) -> wasmtime::Result<Result<Resource<Slot>, u32>> {
        let Some(principal) = self.bound.principal.clone() else { return Ok(Err(1)) };
        match self.shared.long_work.enter(&principal.subject) {
            Ok(slot) => {
                self.compute_longer();
                Ok(Ok(self.table.push(slot)?))
            }
            Err(wait) => Ok(Err(wait)),
        }
    }
}

impl HostSlot for State {
    fn drop(&mut self, slot: Resource<Slot>) -> wasmtime::Result<()> {
        self.compute_as_usual();
        self.table.delete(slot)?;
        Ok(())
    }
}
