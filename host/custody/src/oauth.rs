//! Pure parts of the authorization server. Nothing here reads a clock, a file or a source of randomness.

pub mod registry;
