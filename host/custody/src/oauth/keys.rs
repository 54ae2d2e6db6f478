//! Root secrets and the keys derived from them.
//!
//! A root is never used itself. HKDF-SHA256 (RFC 5869) turns it into one key for each use, told apart by a label,
//! and into a short public key id, by which what was made under an older root is found again. New things are made
//! under the newest root only. Keys do not leave this room, and `Debug` shows key ids alone.

use std::fmt;

use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// Most roots that a keyring holds at once.
pub const MAX_ROOTS: usize = 8;

/// Fewest bytes of a root.
pub const MIN_ROOT_BYTES: usize = 32;

/// Salt of every derivation: it separates this product from others that were given the same secret.
const SALT: &[u8] = b"AegisGitea-MCP keyring 1";

/// A secret that keys are derived from, wiped from memory when dropped.
#[derive(Clone)]
pub struct Root(Zeroizing<Vec<u8>>);

impl Root {
    /// A root of these bytes, at least [`MIN_ROOT_BYTES`] of them (checked by [`Keyring::new`]). The bytes of a
    /// text setting are taken as they stand.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root(..)")
    }
}

/// Public name of a root: four bytes derived from it under a label of their own. Shown as 8 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(pub [u8; 4]);

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why roots make no keyring. Positions count from 1, the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is no root at all.
    #[error("no root secret: set OAUTH_STATE_SECRET to at least 32 random characters")]
    Empty,
    /// More than [`MAX_ROOTS`].
    #[error("{given} root secrets and at most {MAX_ROOTS} are held: remove the oldest")]
    TooMany {
        /// How many were given.
        given: usize,
    },
    /// A root is shorter than [`MIN_ROOT_BYTES`].
    #[error("root secret {position} is shorter than {MIN_ROOT_BYTES} bytes: replace it with a random one")]
    TooShort {
        /// Which root.
        position: usize,
    },
    /// Two roots are one, or share their key id by chance, so that neither could be found by it.
    #[error("root secrets {first} and {second} have the same key id: remove one of them")]
    Same {
        /// The newer of the two.
        first: usize,
        /// The older of the two.
        second: usize,
    },
    /// The derivation failed, which no root can bring about.
    #[error("keys could not be derived")]
    Derivation,
}

/// A derived key, wiped from memory when dropped.
pub(super) struct Key([u8; 32]);

impl Key {
    fn derive(root: &Hkdf<Sha256>, label: &str) -> Result<Self, KeyringError> {
        let mut key = Self([0; 32]);
        expand(root, label, &mut key.0)?;
        Ok(key)
    }

    #[cfg(test)]
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 (RFC 2104) over `parts` one after the other. A caller with more than one part of free length
    /// must say their lengths among the parts.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A key shorter than the block of the hash is filled up with zeros by definition.
        let mut block = Zeroizing::new([0_u8; 64]);
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The cipher under this key.
    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.0).into())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

fn expand(root: &Hkdf<Sha256>, label: &str, out: &mut [u8]) -> Result<(), KeyringError> {
    root.expand_multi_info(&[b"aegis/", label.as_bytes(), b"/1"], out).or(Err(KeyringError::Derivation))
}

/// Declares the uses of a root: for each a name, a field and the label in the derivation.
macro_rules! labels {
    ($($name:ident $field:ident $label:literal,)+) => {
        /// What a derived key is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Label { $($name),+ }

        impl Label {
            /// The label as it enters derivations and associated data. Never change one: everything made under
            /// it would be refused.
            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => $label),+ }
            }

            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];
        }

        struct Derived { $($field: Key),+ }

        impl Derived {
            fn from(root: &Hkdf<Sha256>) -> Result<Self, KeyringError> {
                Ok(Self { $($field: Key::derive(root, $label)?),+ })
            }

            fn get(&self, label: Label) -> &Key {
                match label { $(Label::$name => &self.$field),+ }
            }
        }
    };
}

labels! {
    AccessToken access_token "access-token",
    RefreshToken refresh_token "refresh-token",
    State state "state",
    Consent consent "consent",
    Approval approval "approval",
    Cookie cookie "cookie",
    Csrf csrf "csrf",
    Grant grant "grant",
    Cursor cursor "cursor",
    Confirmation confirmation "confirmation",
    ClientId client_id "client-id",
    ClientSecret client_secret "client-secret",
    Fingerprint fingerprint "fingerprint",
}

/// Everything derived from one root.
pub(super) struct RootKeys {
    kid: Kid,
    derived: Derived,
}

impl RootKeys {
    fn from(root: &Root) -> Result<Self, KeyringError> {
        let root = Hkdf::<Sha256>::new(Some(SALT), root.bytes());
        let mut kid = [0; 4];
        expand(&root, "kid", &mut kid)?;
        Ok(Self { kid: Kid(kid), derived: Derived::from(&root)? })
    }

    pub(super) fn kid(&self) -> Kid {
        self.kid
    }

    pub(super) fn key(&self, label: Label) -> &Key {
        self.derived.get(label)
    }
}

/// The roots in use, newest first. Things are made under the newest and accepted under each.
pub struct Keyring {
    newest: RootKeys,
    older: Vec<RootKeys>,
}

impl Keyring {
    /// Derive the keys of these roots, newest first.
    ///
    /// # Errors
    /// [`KeyringError`] when there is none or more than [`MAX_ROOTS`], one is too short, or two share a key id.
    pub fn new(roots: &[Root]) -> Result<Self, KeyringError> {
        if roots.len() > MAX_ROOTS {
            return Err(KeyringError::TooMany { given: roots.len() });
        }
        let mut derived: Vec<RootKeys> = Vec::with_capacity(roots.len());
        for (index, root) in roots.iter().enumerate() {
            if root.bytes().len() < MIN_ROOT_BYTES {
                return Err(KeyringError::TooShort { position: index + 1 });
            }
            let keys = RootKeys::from(root)?;
            if let Some(other) = derived.iter().position(|other| other.kid == keys.kid) {
                return Err(KeyringError::Same { first: other + 1, second: index + 1 });
            }
            derived.push(keys);
        }
        let mut derived = derived.into_iter();
        let newest = derived.next().ok_or(KeyringError::Empty)?;
        Ok(Self { newest, older: derived.collect() })
    }

    /// Key ids of all roots, newest first.
    pub fn kids(&self) -> impl Iterator<Item = Kid> {
        std::iter::once(&self.newest).chain(&self.older).map(RootKeys::kid)
    }

    /// Key id of the root that new things are made under. What bears another one is due to be made again where it
    /// is kept for long.
    #[must_use]
    pub fn newest_kid(&self) -> Kid {
        self.newest.kid
    }

    pub(super) fn newest(&self) -> &RootKeys {
        &self.newest
    }

    pub(super) fn find(&self, kid: Kid) -> Option<&RootKeys> {
        std::iter::once(&self.newest).chain(&self.older).find(|keys| keys.kid == kid)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")?;
        f.debug_list().entries(self.kids()).finish()
    }
}
