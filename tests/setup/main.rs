//! From nothing to a connected client: `aegis-mcp setup` by flags and at a terminal, `connect`, named keys, and `stdio`.
//! Every test runs the built program as somebody would type it, in an empty folder, beside a Gitea of its own.

mod connect;
mod dialogue;
mod documents;
mod errors;
mod interrupted;
mod keys;
mod real;
mod solo;
mod stage;
mod stdio;
mod team;
#[path = "../host/tls.rs"]
#[expect(dead_code, reason = "the proxy in it is for others")]
mod tls;
