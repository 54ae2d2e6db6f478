//! `aegis:gateway/settings`: non-secret settings and the prepared policy.

use crate::component::bindings::aegis::gateway::settings::Host;
use crate::instance::State;

impl Host for State {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        if name == "WRITE_MODE" && !self.bound.writes {
            return Ok(Some("false".to_owned()));
        }
        Ok(self.shared.guest_values.get(&name).cloned())
    }

    fn prepared(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.bound.policy.prepared.get(&key).cloned())
    }

    fn policy_digest(&mut self) -> wasmtime::Result<String> {
        Ok(self.bound.policy.digest.clone())
    }
}
