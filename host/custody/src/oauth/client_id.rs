//! Client ids of dynamic registration (RFC 7591) that carry their own registration.
//!
//! `d1.` + base64url of what was registered and a MAC over it. Registering writes nothing, so strangers cannot fill
//! anything, and an id is good for as long as its root is in the keyring, with or without a registry. It does not
//! expire by itself. Redirect URIs stand in it as hashes, which keeps it short. The secret of a confidential client
//! is derived from its id and kept nowhere. Whether an id was revoked is for the caller to know.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::keys::{Keyring, Kid, Label, RootKeys};
use super::wire::{Reader, Writer};
use super::{SecretText, redirect, text};
use crate::audit::HIDDEN;
use crate::{Random, Timestamp};

/// How every id of a dynamic registration begins.
pub const PREFIX: &str = "d1.";

/// How every secret of such a client begins.
pub const SECRET_PREFIX: &str = "aegis_cs_";

/// Longest id in characters.
pub const MAX_LENGTH: usize = 512;

/// Most redirect URIs of one registration.
pub const MAX_REDIRECTS: usize = 5;

/// Longest redirect URI in bytes.
pub const MAX_REDIRECT_BYTES: usize = 512;

/// Longest name in characters; the rest is cut off.
pub const MAX_NAME_CHARS: usize = 64;

const MAX_NAME_BYTES: u16 = 256;
const SECONDS_PER_DAY: i64 = 86_400;

/// How a client proves at the token endpoint who it is (`token_endpoint_auth_method`, RFC 7591 section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// `none`: a public client, which has no secret.
    None,
    /// `client_secret_basic`: id and secret in an `Authorization` header.
    Basic,
    /// `client_secret_post`: id and secret in the form.
    Post,
}

impl AuthMethod {
    /// The method as it stands in metadata.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Basic => 1,
            Self::Post => 2,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::None, Self::Basic, Self::Post].into_iter().find(|method| method.byte() == byte)
    }
}

/// What a client asks to be registered with. Its redirect URIs must have passed the rules for registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// How it will prove who it is.
    pub auth_method: AuthMethod,
    /// Its name for people, as sent; see [`clean_name`].
    pub name: String,
    /// Where it may send people back to: 1 to [`MAX_REDIRECTS`].
    pub redirect_uris: Vec<String>,
}

/// Why a registration makes no id. To the client: `invalid_redirect_uri` (RFC 7591 section 3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// No redirect URI.
    #[error("redirect_uris must hold at least one URI")]
    NoRedirect,
    /// More than [`MAX_REDIRECTS`].
    #[error("redirect_uris may hold at most {MAX_REDIRECTS} URIs")]
    TooManyRedirects,
    /// A redirect URI is longer than [`MAX_REDIRECT_BYTES`].
    #[error("a redirect URI may be at most {MAX_REDIRECT_BYTES} bytes long")]
    RedirectTooLong,
}

/// A new registration.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The id.
    pub client_id: String,
    /// The secret, unless the client is public.
    pub client_secret: Option<SecretText>,
}

/// A redirect URI as it stands in an id: the first 16 bytes of a SHA-256 over the chance of the id and the URI,
/// without the port where it is a loopback URI.
///
/// The chance is drawn after the URIs are known. Without it somebody could look beforehand for two URIs of one
/// hash, register the harmless one and be sent people at the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RedirectHash([u8; 16]);

impl RedirectHash {
    fn of(chance: &[u8; 8], uri: &str) -> Self {
        let uri = redirect::without_loopback_port(uri);
        let digest = Sha256::new().chain_update(chance).chain_update(uri.as_bytes()).finalize();
        let mut hash = [0; 16];
        for (to, from) in hash.iter_mut().zip(digest) {
            *to = from;
        }
        Self(hash)
    }
}

/// What a genuine id says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// How the client proves who it is.
    pub auth_method: AuthMethod,
    /// Its name, cleaned, maybe empty. Anybody may take any name: it proves nothing.
    pub name: String,
    /// The day of registration, at 00:00 UTC.
    pub issued_on: Timestamp,
    /// Where it may send people back to.
    pub redirects: Vec<RedirectHash>,
    chance: [u8; 8],
}

impl Registered {
    /// Whether the client may send people back to this URI, by the rule of [`redirect::matches`].
    #[must_use]
    pub fn permits(&self, redirect_uri: &str) -> bool {
        self.redirects.contains(&RedirectHash::of(&self.chance, redirect_uri))
    }
}

/// Why an id is not accepted. To the client each is `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdError {
    /// Not an id of ours: another form, cut off, or mistyped.
    #[error("not a client id of this server")]
    Malformed,
    /// Made under a root that is not in the keyring (any more): the client must register again.
    #[error("the client id was issued under a key that is not held: the client must register again")]
    UnknownKey,
    /// Changed, or made elsewhere.
    #[error("the client id is forged")]
    Forged,
}

/// Whether a text claims to be an id of a dynamic registration, by its first characters alone.
#[must_use]
pub fn looks_like(client_id: &str) -> bool {
    client_id.starts_with(PREFIX)
}

/// A name as it may be shown: white space as single spaces, nothing hidden or that turns the direction of text, at
/// most [`MAX_NAME_CHARS`]. It may end up empty. It is plain text still, to be escaped where it is shown.
#[must_use]
pub fn clean_name(name: &str) -> String {
    let mut clean = String::new();
    let spaced = name.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    for c in spaced.filter(|c| !hidden(*c)) {
        if c != ' ' || !(clean.is_empty() || clean.ends_with(' ')) {
            clean.push(c);
        }
    }
    let cut: String = clean.chars().take(MAX_NAME_CHARS).collect();
    cut.trim_end().to_owned()
}

fn hidden(c: char) -> bool {
    HIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)))
}

/// Register a client: its id, and its secret where it has one. Registering the same again gives other values.
///
/// # Errors
/// [`RegistrationError`] when there is no redirect URI, too many, or one too long.
pub fn issue(
    registration: &Registration,
    keyring: &Keyring,
    random: &dyn Random,
    now: Timestamp,
) -> Result<Issued, RegistrationError> {
    let uris = &registration.redirect_uris;
    if uris.is_empty() {
        return Err(RegistrationError::NoRedirect);
    }
    if uris.len() > MAX_REDIRECTS {
        return Err(RegistrationError::TooManyRedirects);
    }
    if uris.iter().any(|uri| uri.len() > MAX_REDIRECT_BYTES) {
        return Err(RegistrationError::RedirectTooLong);
    }
    let keys = keyring.newest();
    let bytes = write(registration, keys.kid(), random, now);
    let tag = tag(keys, &bytes);
    let client_id = format!("{PREFIX}{}", text::encode(&[bytes.as_slice(), &tag].concat()));
    let client_secret = match registration.auth_method {
        AuthMethod::None => None,
        AuthMethod::Basic | AuthMethod::Post => Some(secret(keys, &client_id)),
    };
    Ok(Issued { client_id, client_secret })
}

/// Key id, day, method, chance, name, hashes.
fn write(registration: &Registration, kid: Kid, random: &dyn Random, now: Timestamp) -> Vec<u8> {
    let mut chance = [0; 8];
    random.fill(&mut chance);
    // Sixteen bits count days until 2149.
    let day = u16::try_from(now.unix_millis() / 1000 / SECONDS_PER_DAY).unwrap_or(u16::MAX);
    let head = Writer::with_capacity(MAX_LENGTH).bytes(&kid.0).bytes(&day.to_be_bytes());
    let head = head.byte(registration.auth_method.byte()).bytes(&chance);
    let name = clean_name(&registration.name);
    // A cleaned name has at most 64 characters of 4 bytes.
    let length = u16::try_from(name.len()).unwrap_or(MAX_NAME_BYTES);
    let named = head.bytes(&length.to_be_bytes()).bytes(name.as_bytes());
    let hashes = registration.redirect_uris.iter().map(|uri| RedirectHash::of(&chance, uri));
    hashes.fold(named, |all, hash| all.bytes(&hash.0)).finish()
}

/// What an id says, when it is genuine.
///
/// # Errors
/// [`ClientIdError`] names what is wrong.
pub fn verify(client_id: &str, keyring: &Keyring) -> Result<Registered, ClientIdError> {
    let bytes = decode(client_id).ok_or(ClientIdError::Malformed)?;
    let (content, presented) = bytes.split_last_chunk::<16>().ok_or(ClientIdError::Malformed)?;
    let kid = Kid(Reader::new(content).array().ok_or(ClientIdError::Malformed)?);
    let keys = keyring.find(kid).ok_or(ClientIdError::UnknownKey)?;
    if !bool::from(tag(keys, content).ct_eq(presented)) {
        return Err(ClientIdError::Forged);
    }
    read(content).ok_or(ClientIdError::Malformed)
}

fn decode(client_id: &str) -> Option<Vec<u8>> {
    if client_id.len() > MAX_LENGTH {
        return None;
    }
    text::decode(client_id.strip_prefix(PREFIX)?)
}

fn read(content: &[u8]) -> Option<Registered> {
    let mut reader = Reader::new(content);
    let _kid = reader.array::<4>()?;
    let day = i64::from(u16::from_be_bytes(reader.array()?));
    let auth_method = AuthMethod::from_byte(reader.byte()?)?;
    let chance = reader.array()?;
    let name = reader.text(MAX_NAME_BYTES)?.to_owned();
    let (hashes, rest) = reader.rest().as_chunks::<16>();
    let whole = rest.is_empty() && (1..=MAX_REDIRECTS).contains(&hashes.len());
    whole.then(|| Registered {
        auth_method,
        name,
        issued_on: Timestamp::from_unix_millis(day * SECONDS_PER_DAY * 1000),
        redirects: hashes.iter().map(|hash| RedirectHash(*hash)).collect(),
        chance,
    })
}

/// Whether `presented` is the secret of this client. False for a public client and for an id that is not genuine,
/// after the same work as for a wrong secret.
#[must_use]
pub fn secret_matches(client_id: &str, presented: &str, keyring: &Keyring) -> bool {
    let kid = decode(client_id).and_then(|bytes| Reader::new(&bytes).array().map(Kid));
    let keys = kid.and_then(|kid| keyring.find(kid)).unwrap_or(keyring.newest());
    let right = secret(keys, client_id).expose().as_bytes().ct_eq(presented.as_bytes());
    let confidential =
        verify(client_id, keyring).is_ok_and(|registered| registered.auth_method != AuthMethod::None);
    bool::from(right) & confidential
}

fn tag(keys: &RootKeys, content: &[u8]) -> [u8; 16] {
    let mut tag = [0; 16];
    for (to, from) in tag.iter_mut().zip(keys.key(Label::ClientId).mac(&[content])) {
        *to = from;
    }
    tag
}

fn secret(keys: &RootKeys, client_id: &str) -> SecretText {
    let mac = keys.key(Label::ClientSecret).mac(&[client_id.as_bytes()]);
    SecretText::new(format!("{SECRET_PREFIX}{}", text::encode(&mac)))
}
