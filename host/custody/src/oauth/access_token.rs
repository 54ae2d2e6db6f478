//! Access tokens: sealed, opaque, for our own origin, good for an hour at most.
//!
//! `aegis_at_` + base64url of the sealed claims + `_` + checksum. Nothing is stored for one: who it is for and until
//! when stands inside. Whether its family or user was revoked is for the caller to ask elsewhere, at every call.
//! A token never holds a Gitea credential.

use super::keys::Keyring;
use super::seal::{self, Seal};
use super::wire::{Reader, Writer};
use super::{SecretText, text};
use crate::{Random, Timestamp};

/// How every access token begins.
pub const PREFIX: &str = "aegis_at_";

/// Longest life of an access token in seconds.
pub const MAX_LIFETIME: i64 = 3600;

/// How far ahead of our clock the time of issue may lie, in seconds: a clock that was set back does not sign
/// everybody out. Expiry has no such leeway.
pub const ISSUE_LEEWAY: i64 = 60;

/// Longest token in characters.
pub const MAX_LENGTH: usize = 2048;

/// Longest audience, login and client id in bytes. An origin is at most 8 + 253 + 6 bytes.
const MAX_AUDIENCE: u16 = 300;
const MAX_LOGIN: u16 = 255;
const MAX_CLIENT: u16 = 512;

/// Version of the encoding of claims.
const VERSION: u8 = 1;

const READ: u8 = 1;
const WRITE: u8 = 2;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scopes {
    /// `read:repository`.
    pub read: bool,
    /// `write:repository`.
    pub write: bool,
}

impl Scopes {
    fn bits(self) -> u8 {
        (u8::from(self.read) * READ) | (u8::from(self.write) * WRITE)
    }

    /// None for no scope at all and for scopes that this version does not know.
    fn from_bits(bits: u8) -> Option<Self> {
        let known = bits != 0 && bits & !(READ | WRITE) == 0;
        known.then_some(Self { read: bits & READ != 0, write: bits & WRITE != 0 })
    }
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Our origin, the only place where the token is accepted; at most 300 bytes.
    pub audience: String,
    /// Gitea's id of the user, from 1.
    pub user_id: i64,
    /// Gitea's login of the user when the token was issued; at most 255 bytes.
    pub login: String,
    /// The client it was issued to; at most 512 bytes.
    pub client_id: String,
    /// What it is good for; at least one.
    pub scopes: Scopes,
    /// The family of tokens that came from one sign-in and are revoked together.
    pub family: [u8; 16],
    /// Name of this one token.
    pub jti: [u8; 16],
    /// Since when, in whole seconds.
    pub issued_at: Timestamp,
    /// From when on it is refused, in whole seconds; after `issued_at`, at most [`MAX_LIFETIME`] later.
    pub expires_at: Timestamp,
}

/// Why claims make no token. None of these comes of what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// It would expire before it is issued, or live longer than [`MAX_LIFETIME`].
    #[error("an access token lives from 1 to {MAX_LIFETIME} seconds")]
    Lifetime,
    /// Neither scope.
    #[error("an access token needs a scope")]
    NoScope,
    /// An id that is no person's.
    #[error("an access token needs the id of a Gitea user, from 1")]
    UserId,
    /// Audience, login or client id is empty or too long.
    #[error("{0} of an access token is empty or too long")]
    Field(&'static str),
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not one of our access tokens: another kind of token, cut off, or mistyped.
    #[error("not an access token of this server")]
    Malformed,
    /// Sealed under a root that is not in the keyring (any more).
    #[error("the access token was issued under a key that is not held")]
    UnknownKey,
    /// Changed, or not an access token inside.
    #[error("the access token is forged")]
    Forged,
    /// Genuine, and its hour is over.
    #[error("the access token has expired")]
    Expired,
    /// Genuine, and for another server that shares our root.
    #[error("the access token is for another server")]
    WrongAudience,
    /// Genuine, and issued more than [`ISSUE_LEEWAY`] after now: the clock was set back.
    #[error("the access token was issued in the future: check the clock of the server")]
    NotYetValid,
}

impl From<seal::OpenError> for OpenError {
    fn from(error: seal::OpenError) -> Self {
        match error {
            seal::OpenError::Malformed => Self::Malformed,
            seal::OpenError::UnknownKey => Self::UnknownKey,
            seal::OpenError::Forged => Self::Forged,
            seal::OpenError::Expired => Self::Expired,
        }
    }
}

/// Whether a text claims to be an access token of ours, by its first characters alone.
#[must_use]
pub fn looks_like(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// Issue a token under the newest root. Parts of times below a second are dropped.
///
/// # Errors
/// [`IssueError`] when the claims are outside their limits.
pub fn issue(claims: &Claims, keyring: &Keyring, random: &dyn Random) -> Result<SecretText, IssueError> {
    let lifetime = seal::seconds(claims.expires_at) - seal::seconds(claims.issued_at);
    if !(1..=MAX_LIFETIME).contains(&lifetime) {
        return Err(IssueError::Lifetime);
    }
    if claims.scopes.bits() == 0 {
        return Err(IssueError::NoScope);
    }
    if claims.user_id < 1 {
        return Err(IssueError::UserId);
    }
    let content = Writer::with_capacity(128)
        .byte(VERSION)
        .byte(claims.scopes.bits())
        .signed(claims.user_id)
        .signed(seal::seconds(claims.issued_at))
        .bytes(&claims.family)
        .bytes(&claims.jti);
    let content = named(content, "the audience", &claims.audience, MAX_AUDIENCE)?;
    let content = named(content, "the login", &claims.login, MAX_LOGIN)?;
    let content = named(content, "the client id", &claims.client_id, MAX_CLIENT)?.finish();
    let sealed = Seal::for_access_tokens().seal(keyring, random, &content, claims.expires_at);
    // The limits of the fields keep claims far below what can be sealed.
    Ok(text::frame(PREFIX, &sealed.or(Err(IssueError::Field("a field")))?))
}

fn named(writer: Writer, name: &'static str, value: &str, longest: u16) -> Result<Writer, IssueError> {
    if value.is_empty() {
        return Err(IssueError::Field(name));
    }
    writer.text(value, longest).ok_or(IssueError::Field(name))
}

/// What a presented token says, when it is genuine, for `audience`, and in its time.
///
/// # Errors
/// [`OpenError`] names what is wrong; to the client all of them are one `invalid_token` (RFC 6750 section 3.1).
pub fn open(token: &str, keyring: &Keyring, audience: &str, now: Timestamp) -> Result<Claims, OpenError> {
    let sealed = text::unframe(PREFIX, token, MAX_LENGTH).ok_or(OpenError::Malformed)?;
    let opened = Seal::for_access_tokens().open(keyring, &sealed, now)?;
    let claims = read(&opened.content, opened.expires_at).ok_or(OpenError::Forged)?;
    if claims.audience != audience {
        return Err(OpenError::WrongAudience);
    }
    if seal::seconds(claims.issued_at) > seal::seconds(now) + ISSUE_LEEWAY {
        return Err(OpenError::NotYetValid);
    }
    Ok(claims)
}

/// Claims from their encoding; none when they are not what [`issue`] writes, however well sealed.
fn read(content: &[u8], expires_at: Timestamp) -> Option<Claims> {
    let mut reader = Reader::new(content);
    if reader.byte()? != VERSION {
        return None;
    }
    let claims = Claims {
        scopes: Scopes::from_bits(reader.byte()?)?,
        user_id: reader.signed().filter(|id| *id >= 1)?,
        issued_at: seal::from_seconds(reader.signed()?),
        family: reader.array()?,
        jti: reader.array()?,
        audience: reader.text(MAX_AUDIENCE)?.to_owned(),
        login: reader.text(MAX_LOGIN)?.to_owned(),
        client_id: reader.text(MAX_CLIENT)?.to_owned(),
        expires_at,
    };
    let lifetime = seal::seconds(expires_at) - seal::seconds(claims.issued_at);
    (reader.rest().is_empty() && (1..=MAX_LIFETIME).contains(&lifetime)).then_some(claims)
}
