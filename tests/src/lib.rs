//! Black-box tests of AegisGitea-MCP: what they share.
//! Talks to the built program over HTTP alone; links none of its crates.

pub mod browser;
pub mod events;
#[path = "../forge/mod.rs"]
pub mod forge;
pub mod http;
pub mod manual;
pub mod outputs;
pub mod proxy;
pub mod server;
pub mod sign_in;
