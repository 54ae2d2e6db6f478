//! `aegis:gateway/seal`: values that come back unchanged or not at all, bound to the caller where one was proved. The
//! request behind an approval page opens by its answer, once.

use std::time::Duration;

use aegis_custody::oauth::seal::{OpenError, Opened, Purpose as Kind, Seal};

use crate::component::bindings::aegis::gateway::seal::{Broken, Choice, Host, Purpose};
use crate::counters::network_of;
use crate::instance::State;
use crate::shared::SystemRandom;
use crate::sign_in::presses;

/// Largest value, in bytes.
const MAX_VALUE: usize = 8 << 10;
/// Longest life.
const MAX_LIFE: u32 = 86_400;

impl State {
    /// The subject of the caller; nothing where nobody was proved.
    fn seal_binding(&self) -> Vec<u8> {
        self.bound.principal.as_ref().map(|p| p.subject.clone().into_bytes()).unwrap_or_default()
    }

    fn unsealed(&self, purpose: Purpose, sealed: &str) -> Result<Opened, Broken> {
        let sign_in = self.shared.sign_in.as_ref().ok_or(Broken::Forged)?;
        let binding = self.seal_binding();
        Seal::new(kind(purpose), &binding)
            .open_text(&sign_in.keyring(), sealed, crate::sign_in::now())
            .map_err(|error| match error {
                OpenError::Expired => Broken::Expired,
                OpenError::Malformed | OpenError::UnknownKey | OpenError::Forged => Broken::Forged,
            })
    }
}

impl Host for State {
    fn seal(
        &mut self,
        purpose: Purpose,
        value: Vec<u8>,
        ttl_seconds: u32,
    ) -> wasmtime::Result<Option<String>> {
        let Some(sign_in) = self.shared.sign_in.as_ref().filter(|_| value.len() <= MAX_VALUE) else {
            return Ok(None);
        };
        let life = Duration::from_secs(ttl_seconds.min(MAX_LIFE).into());
        let ends = crate::sign_in::later(crate::sign_in::now(), life);
        let binding = self.seal_binding();
        let sealed =
            Seal::new(kind(purpose), &binding).seal_text(&sign_in.keyring(), &SystemRandom, &value, ends);
        Ok(sealed.ok())
    }

    fn open(&mut self, purpose: Purpose, sealed: String) -> wasmtime::Result<Result<Vec<u8>, Broken>> {
        if purpose == Purpose::Consent {
            return Ok(Err(Broken::Forged));
        }
        Ok(self.unsealed(purpose, &sealed).map(|opened| opened.content.to_vec()))
    }

    fn answer(&mut self, sealed: String, choice: Choice) -> wasmtime::Result<Result<Vec<u8>, Broken>> {
        let opened = match self.unsealed(Purpose::Consent, &sealed) {
            Ok(opened) => opened,
            Err(broken) => return Ok(Err(broken)),
        };
        let choice = match choice {
            Choice::Deny => presses::Choice::Deny,
            Choice::Read => presses::Choice::Read,
            Choice::Write => presses::Choice::Write,
        };
        let network = network_of(self.bound.address);
        let sign_in = self.shared.sign_in.as_ref();
        self.bound.answered =
            sign_in.and_then(|sign_in| sign_in.press(&sealed, choice, opened.expires_at, network));
        if self.bound.answered.is_none() {
            tracing::info!(event = "consent_used", request_id = %self.bound.request_id);
            return Ok(Err(Broken::Expired));
        }
        Ok(Ok(opened.content.to_vec()))
    }
}

fn kind(purpose: Purpose) -> Kind {
    match purpose {
        Purpose::Consent => Kind::Consent,
        Purpose::Cursor => Kind::Cursor,
        Purpose::Confirmation => Kind::Confirmation,
    }
}
