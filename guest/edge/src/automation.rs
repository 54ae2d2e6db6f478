//! `automation`: there is none here. An instance may serve one request and be gone, so no delivery could be remembered
//! and nothing run after its answer (`docs/edge.md`).

use crate::Adapter;
use crate::bindings::exports::aegis::gateway::automation::{
    Caller, CallerBorrow, Guest, NotStarted, NotVerified,
};

impl Guest for Adapter {
    fn verify(_signature: String, _delivery: String, _body: Vec<u8>) -> Result<Caller, NotVerified> {
        Err(NotVerified::Disabled)
    }

    fn start(
        _caller: CallerBorrow<'_>,
        _job: String,
        _owner: String,
        _repo: String,
    ) -> Result<Caller, NotStarted> {
        Err(NotStarted::NotPermitted)
    }

    fn hand_over(_caller: CallerBorrow<'_>, _job: String, _pause_seconds: u32) -> bool {
        false
    }
}
