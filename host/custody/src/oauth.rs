//! Pure cryptography and formats of our authorization server.
//!
//! Everything secret begins as a root in [`keys`]; each use of a root has a key of its own, so that nothing made
//! for one use is accepted for another. [`seal`] hides and protects bytes for a purpose and a time. On these two
//! stand the formats that clients hold: [`access_token`], [`refresh_token`], [`code`], [`client_id`]. The rest are
//! rules of RFC 7636 ([`pkce`]) and RFC 8252 ([`redirect`]), secrets of clients that the operator lists
//! ([`client_secret`]), who may sign in ([`allow`]), and the text of the file that roots are rotated in
//! ([`keyring_file`]).
//!
//! None of these remembers anything: whether a code was used or a family revoked is what [`registry`] knows. Nothing
//! reads a clock or a source of randomness; both are parameters. Secrets do not appear in `Debug` or in errors, and
//! are compared in constant time.

pub mod access_token;
pub mod allow;
pub mod client_id;
pub mod client_secret;
pub mod code;
pub mod keyring_file;
pub mod keys;
pub mod pkce;
pub mod redirect;
pub mod refresh_token;
pub mod registry;
pub mod seal;
mod secret;
mod text;
mod wire;

pub use secret::SecretText;

#[cfg(test)]
mod tests;
