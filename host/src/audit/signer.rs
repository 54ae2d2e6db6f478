//! The Ed25519 key that signs checkpoints, and those it had before it. It reads and writes PEM; where a key file lies, and
//! what to do without one, is decided by the command that starts the server.

use std::fmt;

use aegis_custody::Random;
use aegis_custody::audit::{Note, PublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

/// What stands before the 32 secret bytes in PKCS #8 (RFC 8410 section 7, version 1).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Most keys in a file. An outgoing key is needed once, for its successor.
const MOST: usize = 16;

/// Why a text holds no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// No PEM block `PRIVATE KEY` is in it.
    #[error("holds no block -----BEGIN PRIVATE KEY-----; `openssl genpkey -algorithm ed25519` writes one")]
    None,
    /// More than anybody needs.
    #[error("holds more than {MOST} keys")]
    TooMany,
    /// One of them is something else; they count from 1.
    #[error("key {0} in it is not an Ed25519 key in PKCS #8")]
    NotEd25519(usize),
}

/// The key in force, and older ones that may hand over to it.
pub(crate) struct Signer {
    current: Ed25519KeyPair,
    older: Vec<Ed25519KeyPair>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("current", &self.current.public_key()).finish_non_exhaustive()
    }
}

impl Signer {
    /// The keys in a PEM text; the first is in force.
    ///
    /// # Errors
    /// It holds no key, too many, or something else than Ed25519.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (index, block) in PrivatePkcs8KeyDer::pem_slice_iter(text).enumerate() {
            let der = block.map_err(|_| KeyError::NotEd25519(index + 1))?;
            let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der());
            keys.push(pair.map_err(|_| KeyError::NotEd25519(index + 1))?);
            if keys.len() > MOST {
                return Err(KeyError::TooMany);
            }
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KeyError::None)?;
        Ok(Self { current, older: keys.collect() })
    }

    /// A key that nobody keeps.
    pub(crate) fn fresh(random: &dyn Random) -> Self {
        // What was just made is a key: there is no other way for this to end.
        match Self::from_pem(fresh_pem(random).as_bytes()) {
            Ok(signer) => signer,
            Err(_) => std::process::abort(),
        }
    }

    /// The public key under the name of a log.
    pub(crate) fn public(&self, log_id: &str) -> PublicKey {
        public(&self.current, log_id)
    }

    /// Sign a text with the key that a log names, or with the first one where it names none. None where that key is not
    /// among those given.
    pub(crate) fn sign_as(&self, named: Option<&PublicKey>, text: &str) -> Option<[u8; 64]> {
        let Some(named) = named else { return Some(sign(&self.current, text)) };
        let mut pairs = std::iter::once(&self.current).chain(&self.older);
        pairs.find(|pair| public(pair, named.log_id()) == *named).map(|pair| sign(pair, text))
    }

    /// Whether one of these keys signed a note.
    pub(crate) fn has_signed(&self, note: &Note) -> bool {
        let mut pairs = std::iter::once(&self.current).chain(&self.older);
        pairs.any(|pair| note.is_signed_by(&public(pair, &note.checkpoint.log_id), &checked))
    }

    /// The signature of the key `from` over the word that this one follows it, in base64. None where `from` is not among
    /// the older ones.
    pub(crate) fn handed_over(&self, from: &PublicKey) -> Option<String> {
        let old = self.older.iter().find(|old| public(old, from.log_id()) == *from)?;
        Some(STANDARD.encode(sign(old, &self.public(from.log_id()).handover_text())))
    }
}

fn public(pair: &Ed25519KeyPair, log_id: &str) -> PublicKey {
    let mut key = [0; 32];
    // An Ed25519 public key has 32 bytes (RFC 8032 section 5.1.5).
    key.iter_mut().zip(pair.public_key().as_ref()).for_each(|(to, from)| *to = *from);
    PublicKey::new(log_id, key)
}

fn sign(pair: &Ed25519KeyPair, text: &str) -> [u8; 64] {
    let mut signature = [0; 64];
    signature.iter_mut().zip(pair.sign(text.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    signature
}

/// Whether a signature over a message is that of an Ed25519 key.
pub(crate) fn checked(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

/// A new key as a PEM block.
pub(crate) fn fresh_pem(random: &dyn Random) -> Zeroizing<String> {
    let mut seed = Zeroizing::new([0_u8; 32]);
    random.fill(seed.as_mut_slice());
    let der = Zeroizing::new([PKCS8.as_slice(), seed.as_slice()].concat());
    let body = Zeroizing::new(STANDARD.encode(der.as_slice()));
    Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", body.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_ID: &str = "00112233445566778899aabbccddeeff";

    struct Dice(u8);

    impl Random for Dice {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn a_fresh_key_signs_and_its_public_half_checks() {
        let signer = Signer::from_pem(fresh_pem(&Dice(7)).as_bytes()).unwrap();
        let signature = signer.sign_as(None, "text").unwrap();
        let key = *signer.public(LOG_ID).as_bytes();
        assert!(checked(&key, b"text", &signature));
        assert!(!checked(&key, b"texT", &signature));
        assert!(!checked(&key, b"text", &signature[..63]));
    }

    #[test]
    fn the_key_of_rfc_8032_is_read_as_openssl_writes_it() {
        // RFC 8032 section 7.1, test 1.
        let pem = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        let signer = Signer::from_pem(pem).unwrap();
        let public = *signer.public(LOG_ID).as_bytes();
        assert_eq!((public[0], public[31]), (0xd7, 0x1a));
        assert_eq!(signer.sign_as(None, "").unwrap()[..4], [0xe5, 0x56, 0x43, 0x00]);
    }

    #[test]
    fn the_first_key_is_in_force_and_the_others_hand_over_to_it() {
        let (new, old) = (fresh_pem(&Dice(1)), fresh_pem(&Dice(2)));
        let both = Signer::from_pem([new.as_bytes(), old.as_bytes()].concat().as_slice()).unwrap();
        let (new, old) =
            (Signer::from_pem(new.as_bytes()).unwrap(), Signer::from_pem(old.as_bytes()).unwrap());
        assert_eq!(both.public(LOG_ID), new.public(LOG_ID));
        let signature = STANDARD.decode(both.handed_over(&old.public(LOG_ID)).unwrap()).unwrap();
        let text = new.public(LOG_ID).handover_text();
        assert!(checked(old.public(LOG_ID).as_bytes(), text.as_bytes(), &signature));
        assert_eq!(both.handed_over(&PublicKey::new(LOG_ID, [3; 32])), None);
    }

    #[test]
    fn what_is_no_key_is_named_and_never_shown() {
        let rsa = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
        for (text, error) in [
            ("", KeyError::None),
            ("secret", KeyError::None),
            (rsa, KeyError::NotEd25519(1)),
            (&format!("{}{rsa}", fresh_pem(&Dice(1)).as_str()), KeyError::NotEd25519(2)),
            (&fresh_pem(&Dice(1)).repeat(MOST + 1), KeyError::TooMany),
        ] {
            assert_eq!(Signer::from_pem(text.as_bytes()).unwrap_err(), error);
        }
        let shown = format!("{:?}", Signer::from_pem(fresh_pem(&Dice(9)).as_bytes()).unwrap());
        assert!(!shown.contains("older") && !shown.contains("CQkJ") && !shown.contains("9, 9, 9"), "{shown}");
    }
}
