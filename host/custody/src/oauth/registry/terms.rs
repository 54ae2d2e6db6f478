//! The words that the registry's rows share: ids, scopes, reasons, and how long a text may be.

use serde::Deserialize;

/// Id of a user at Gitea. Logins change, this does not.
pub type UserId = i64;

/// Id of a token family: random, made by the host.
pub type FamilyId = [u8; 16];

/// Which root key made a refresh token.
pub type KeyId = [u8; 4];

/// Which of our two scopes something carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Scopes {
    /// `read:repository`.
    pub read: bool,
    /// `write:repository`.
    pub write: bool,
}

impl Scopes {
    /// Whether everything in `other` is here too.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        (self.read || !other.read) && (self.write || !other.write)
    }

    pub(super) fn bits(self) -> u8 {
        u8::from(self.read) | (u8::from(self.write) << 1)
    }

    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        (bits < 4).then_some(Self { read: bits & 1 != 0, write: bits & 2 != 0 })
    }
}

/// Which of the two applications at Gitea a login went through. A grant belongs to a user and one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Application {
    /// The ordinary one.
    Read,
    /// The second one, where writes have their own.
    Write,
}

impl Application {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// `read` or `write`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Why a token family was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A refresh token was presented again after its successor was issued: one of the two holders is a thief.
    RefreshReused,
    /// The authorization code it was issued from was presented again (RFC 6749 section 4.1.2).
    CodeReplayed,
    /// The client asked for it (RFC 7009).
    ClientAsked,
    /// An operator revoked the user.
    UserRevoked,
    /// An operator revoked the client.
    ClientRevoked,
    /// The user's grant at Gitea is dead.
    GrantDead,
    /// A refresh token was presented that is newer than this registry by more than one rotation: the registry
    /// was set back, and which of the tokens in between were used is not known any more.
    RegistryBehind,
}

impl End {
    /// The reason's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RefreshReused => "refresh_reused",
            Self::CodeReplayed => "code_replayed",
            Self::ClientAsked => "client_asked",
            Self::UserRevoked => "user_revoked",
            Self::ClientRevoked => "client_revoked",
            Self::GrantDead => "grant_dead",
            Self::RegistryBehind => "registry_behind",
        }
    }
}

/// Why the registry takes nothing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// An operator revoked this client.
    #[error("this client was revoked by an operator; allow it again or register another")]
    ClientRevoked,
    /// A text is empty or longer than its bound.
    #[error("{0} is empty or too long")]
    BadLength(&'static str),
    /// It was over before it began.
    #[error("it has expired already; start the login again")]
    Expired,
    /// There is no room and nothing that may make room.
    #[error("too many logins are under way; try again in a minute")]
    Full,
    /// Its id is in use.
    #[error("this id is in use already; draw another")]
    Exists,
    /// What it replaces is not what is there: it was replaced or ended meanwhile.
    #[error("the grant was replaced or ended meanwhile; read it again")]
    Stale,
}

/// A text that rows hold, with its bounds in bytes.
#[derive(Clone, Copy)]
pub(super) enum Text {
    Client,
    Login,
    Redirect,
    Challenge,
    Name,
    ScopeWords,
    Sealed,
    Reason,
}

impl Text {
    fn bounds(self) -> (&'static str, std::ops::RangeInclusive<usize>) {
        match self {
            Self::Client => ("the client id", 1..=512),
            Self::Login => ("the login", 1..=255),
            Self::Redirect => ("the redirect URI", 1..=512),
            Self::Challenge => ("the code challenge", 1..=128),
            Self::Name => ("the client's name", 0..=256),
            Self::ScopeWords => ("the list of scopes", 0..=1024),
            Self::Sealed => ("the sealed grant", 1..=16 * 1024),
            Self::Reason => ("the reason", 0..=256),
        }
    }

    pub(super) fn fits(self, length: usize) -> bool {
        self.bounds().1.contains(&length)
    }

    pub(super) fn check(self, length: usize) -> Result<(), Refused> {
        if self.fits(length) { Ok(()) } else { Err(Refused::BadLength(self.bounds().0)) }
    }
}
