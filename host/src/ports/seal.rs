//! `aegis:gateway/seal`: values that come back unchanged or not at all, bound to the caller where one was proved. The
//! request behind an approval page opens by its answer, once; a confirmation opens once.

use std::sync::Arc;
use std::time::Duration;

use aegis_custody::oauth::keys::Keyring as Keys;
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

/// What seals a value of one purpose, and what it is bound to.
struct Sealer<'a> {
    keyring: Keyring<'a>,
    binding: Vec<u8>,
}

/// The key of sign-in, which outlives the process, or the key of the process.
enum Keyring<'a> {
    Lasting(Arc<Keys>),
    OfProcess(&'a Keys),
}

impl Keyring<'_> {
    fn keys(&self) -> &Keys {
        match self {
            Self::Lasting(keys) => keys,
            Self::OfProcess(keys) => keys,
        }
    }
}

impl State {
    /// None where values of this purpose cannot be sealed now: a consent page without sign-in, a confirmation of nobody.
    fn sealer(&self, purpose: Purpose) -> Option<Sealer<'_>> {
        let principal = self.bound.principal.as_deref();
        let subject = principal.map(|principal| principal.subject.as_bytes()).unwrap_or_default();
        let lasting = || self.shared.sign_in.as_ref().map(|sign_in| Keyring::Lasting(sign_in.keyring()));
        let of_process = || Keyring::OfProcess(self.shared.seals.keyring());
        Some(match purpose {
            Purpose::Consent => Sealer { keyring: lasting()?, binding: subject.to_vec() },
            Purpose::Cursor => {
                Sealer { keyring: lasting().unwrap_or_else(of_process), binding: subject.to_vec() }
            }
            // Which ones were opened is known for as long as the process runs, so none may outlive it.
            Purpose::Confirmation => {
                let client = principal?.client.as_deref().unwrap_or_default().as_bytes();
                let length = u64::try_from(subject.len()).unwrap_or(u64::MAX).to_be_bytes();
                Sealer { keyring: of_process(), binding: [length.as_slice(), subject, client].concat() }
            }
        })
    }

    fn unsealed(&self, purpose: Purpose, sealed: &str) -> Result<Opened, Broken> {
        let sealer = self.sealer(purpose).ok_or(Broken::Forged)?;
        Seal::new(kind(purpose), &sealer.binding)
            .open_text(sealer.keyring.keys(), sealed, crate::sign_in::now())
            .map_err(|error| match error {
                OpenError::Expired => Broken::Expired,
                // Sealed before a restart, if it was ours at all.
                OpenError::UnknownKey if purpose == Purpose::Confirmation => Broken::Expired,
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
        let Some(sealer) = self.sealer(purpose).filter(|_| value.len() <= MAX_VALUE) else {
            return Ok(None);
        };
        let now = crate::sign_in::now();
        let ends = crate::sign_in::later(now, Duration::from_secs(ttl_seconds.min(MAX_LIFE).into()));
        let seal = Seal::new(kind(purpose), &sealer.binding);
        Ok(seal.seal_text(sealer.keyring.keys(), &SystemRandom, &value, ends).ok())
    }

    fn open(&mut self, purpose: Purpose, sealed: String) -> wasmtime::Result<Result<Vec<u8>, Broken>> {
        if purpose == Purpose::Consent {
            return Ok(Err(Broken::Forged));
        }
        let opened = match self.unsealed(purpose, &sealed) {
            Ok(opened) => opened,
            Err(broken) => return Ok(Err(broken)),
        };
        let once = purpose == Purpose::Confirmation;
        if once && !self.shared.seals.is_first(&sealed, opened.expires_at, crate::sign_in::now()) {
            tracing::info!(event = "confirmation_used", request_id = %self.bound.request_id);
            return Ok(Err(Broken::Expired));
        }
        Ok(Ok(opened.content.to_vec()))
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
