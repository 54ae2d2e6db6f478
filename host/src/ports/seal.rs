//! `aegis:gateway/seal`: values that come back unchanged or not at all, bound to the caller where one was proved. The
//! request behind an approval page opens once.

use std::time::Duration;

use aegis_custody::oauth::seal::{OpenError, Purpose as Kind, Seal};

use crate::component::bindings::aegis::gateway::seal::{Broken, Host, Purpose};
use crate::counters::network_of;
use crate::instance::State;
use crate::shared::SystemRandom;

/// Largest value, in bytes.
const MAX_VALUE: usize = 8 << 10;
/// Longest life.
const MAX_LIFE: u32 = 86_400;

impl State {
    /// The subject of the caller; nothing where nobody was proved.
    fn seal_binding(&self) -> Vec<u8> {
        self.bound.principal.as_ref().map(|p| p.subject.clone().into_bytes()).unwrap_or_default()
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
        let Some(sign_in) = self.shared.sign_in.as_ref() else { return Ok(Err(Broken::Forged)) };
        let binding = self.seal_binding();
        let opened =
            Seal::new(kind(purpose), &binding).open_text(&sign_in.keyring(), &sealed, crate::sign_in::now());
        let network = network_of(self.bound.address);
        Ok(match opened {
            Ok(opened)
                if purpose == Purpose::Consent && !sign_in.press(&sealed, opened.expires_at, network) =>
            {
                tracing::info!(event = "consent_used", request_id = %self.bound.request_id);
                Err(Broken::Expired)
            }
            Ok(opened) => Ok(opened.content.to_vec()),
            Err(OpenError::Expired) => Err(Broken::Expired),
            Err(OpenError::Malformed | OpenError::UnknownKey | OpenError::Forged) => Err(Broken::Forged),
        })
    }
}

fn kind(purpose: Purpose) -> Kind {
    match purpose {
        Purpose::Consent => Kind::Consent,
        Purpose::Cursor => Kind::Cursor,
        Purpose::Confirmation => Kind::Confirmation,
    }
}
