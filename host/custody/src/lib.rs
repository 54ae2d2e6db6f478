//! Pure custody logic of AegisGitea-MCP: the audit line, its chain and its verification.
//!
//! Nothing here reads a clock, a file or a source of randomness: time and chance come through [`Clock`] and
//! [`Random`], bytes through readers that the caller opened.

pub mod audit;
pub mod egress;
pub mod oauth;
mod ports;
mod time;

pub use ports::{Clock, Random};
pub use time::{InvalidTime, Timestamp};
