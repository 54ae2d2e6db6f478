//! Pure custody logic of AegisGitea-MCP: the audit line with its chain and verification, what may be sent to Gitea,
//! the cryptography of our authorization server, and state that instances share in a directory.
//!
//! Nothing here reads a clock, a file or a source of randomness: time and chance come through [`Clock`] and
//! [`Random`], bytes through readers that the caller opened.

pub mod audit;
pub mod egress;
pub mod journal;
pub mod oauth;
mod ports;
pub mod provider;
mod time;

pub use ports::{Clock, Random};
pub use time::{InvalidTime, Timestamp};
