//! `seal`: values that come back unchanged or not at all, bound to the caller where one was proved. What opens once is
//! claimed among all instances. The keys last (`root`), so these values do too.

use std::time::Duration;

use aegis_custody::oauth::registry::{Claim, ClaimKind};
use aegis_custody::oauth::seal::{OpenError, Opened, Purpose as Kind, Seal};
use aegis_custody::{Timestamp, oauth};
use sha2::{Digest as _, Sha256};

use crate::bindings::exports::aegis::gateway::seal::{Broken, Choice, Guest, Purpose};
use crate::{Adapter, environment, identity, records, root};

/// Largest value, in bytes.
const MAX_VALUE: usize = 8 << 10;

/// Longest life, in seconds.
const MAX_LIFE: u32 = 86_400;

/// Longest life of what opens once, in seconds: so long it is remembered.
const MAX_ONCE: u32 = 3_600;

/// What a value is bound to; none where it cannot be sealed now.
fn binding(purpose: Purpose) -> Option<Vec<u8>> {
    let caller = identity::current();
    let subject = caller.as_ref().map(|caller| caller.subject.clone().into_bytes()).unwrap_or_default();
    match purpose {
        Purpose::Consent | Purpose::Cursor => Some(subject),
        Purpose::Confirmation => {
            let client = caller?.client.unwrap_or_default().into_bytes();
            let length = u64::try_from(subject.len()).unwrap_or(u64::MAX).to_be_bytes();
            Some([length.as_slice(), &subject, &client].concat())
        }
    }
}

fn kind(purpose: Purpose) -> Kind {
    match purpose {
        Purpose::Consent => Kind::Consent,
        Purpose::Cursor => Kind::Cursor,
        Purpose::Confirmation => Kind::Confirmation,
    }
}

fn keyring() -> Option<oauth::keys::Keyring> {
    root::keyring().map_err(|why| environment::warn("keys_unavailable", &why)).ok()
}

fn unsealed(purpose: Purpose, sealed: &str) -> Result<Opened, Broken> {
    let binding = binding(purpose).ok_or(Broken::Forged)?;
    // Without keys nobody can tell: starting again is what helps.
    let keyring = keyring().ok_or(Broken::Expired)?;
    Seal::new(kind(purpose), &binding).open_text(&keyring, sealed, environment::now()).map_err(|error| {
        match error {
            OpenError::Expired => Broken::Expired,
            OpenError::Malformed | OpenError::UnknownKey | OpenError::Forged => Broken::Forged,
        }
    })
}

/// Use a sealed value up; one that was used, or of which that cannot be known, has expired.
fn used_up(kind: ClaimKind, sealed: &str, until: Timestamp) -> Result<(), Broken> {
    let id: [u8; 32] = Sha256::digest(sealed).into();
    let claimed = records::change(|registry, now| (registry.claim(kind, id, until, now), Vec::new()));
    match claimed {
        Ok(claim) if claim.won() => Ok(()),
        Ok(Claim::Full) => {
            environment::warn(
                "claims_full",
                "more is used up at this moment than is remembered: nothing is taken",
            );
            Err(Broken::Expired)
        }
        Ok(_) => Err(Broken::Expired),
        Err(records::Lost(why)) => {
            environment::warn("registry_unavailable", &why);
            Err(Broken::Expired)
        }
    }
}

impl Guest for Adapter {
    fn seal(purpose: Purpose, value: Vec<u8>, ttl_seconds: u32) -> Option<String> {
        let binding = binding(purpose).filter(|_| value.len() <= MAX_VALUE)?;
        let most = if purpose == Purpose::Cursor { MAX_LIFE } else { MAX_ONCE };
        let ends = environment::later(environment::now(), Duration::from_secs(ttl_seconds.min(most).into()));
        Seal::new(kind(purpose), &binding).seal_text(&keyring()?, &environment::Chance, &value, ends).ok()
    }

    fn open(purpose: Purpose, sealed: String) -> Result<Vec<u8>, Broken> {
        if purpose == Purpose::Consent {
            return Err(Broken::Forged);
        }
        let opened = unsealed(purpose, &sealed)?;
        if purpose == Purpose::Confirmation {
            used_up(ClaimKind::Confirmation, &sealed, opened.expires_at)?;
        }
        Ok(opened.content.to_vec())
    }

    /// Once, whatever was chosen: a second press of the button finds the page answered.
    fn answer(sealed: String, _choice: Choice) -> Result<Vec<u8>, Broken> {
        let opened = unsealed(Purpose::Consent, &sealed)?;
        used_up(ClaimKind::Consent, &sealed, opened.expires_at)?;
        Ok(opened.content.to_vec())
    }
}
