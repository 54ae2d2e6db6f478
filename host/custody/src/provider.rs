//! Gitea as OAuth2 and OpenID provider: what its answers mean, and what about them is refused.
//!
//! Everything here is read from bytes that somebody else fetched. Signatures are checked by the caller's cryptography,
//! which is handed in ([`signature::Verify`]). Nothing asks the network or a clock, and no error repeats what Gitea wrote.

pub mod discovery;
pub mod error;
pub mod fault;
pub mod id_token;
pub mod jwt;
pub mod keys;
pub mod people;
pub mod scopes;
pub mod signature;
pub mod strict;
pub mod tokens;
pub mod version;

use zeroize::Zeroizing;

/// An answer that was read to its end. It may hold tokens.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Date` header.
    pub date: Option<String>,
    /// The body, wiped when it goes.
    pub body: Zeroizing<Vec<u8>>,
}
