//! The product: everything AegisGitea-MCP decides, behind ports.
//!
//! The modules stand in the order a request meets them, and each uses only those below it (`tests/layers.rs`
//! holds that). Nothing here reads a clock, a file, the environment or the network: the ports do, and in the
//! product the native host stands behind them (see `wit/`).
//!
//! - [`operator`]: what the command line asks: the catalogue, and what a policy means.
//! - [`preflight`]: policy and settings checked before anything is served.
//! - [`gateway`]: one HTTP request in, one answer out; routes, hosts, origins, refusals on the wire.
//! - [`admission`]: who is calling and whether there is room for one more request.
//! - [`oauth`]: the authorization server in front of Gitea: clients, consent, tokens on the wire.
//! - [`automation`]: deliveries of Gitea's webhook and jobs, which nobody waits for.
//! - [`mcp`]: the Model Context Protocol in both eras; `mcp::call` is the path of every tool call.
//! - [`offer`]: what a guest offers in all.
//! - [`prompts`]: beginnings of conversations.
//! - [`resources`]: what can be read by address.
//! - [`completion`]: suggestions for what somebody is typing.
//! - [`selection`]: which tools there are for one request, by settings and headers.
//! - [`tools`]: the catalogue. One struct in one file for each tool.
//! - [`access`]: where scope, write mode and policy meet; hands out the only doors to Gitea.
//! - [`gitea`]: requests to Gitea and what its answers mean.
//! - [`reply`]: the one place that bounds, cleans and masks what leaves.
//! - [`audit`]: what the record says about a call.
//! - [`client`]: what the client is told and asked before the answer.
//! - [`settings`]: the settings a guest may read, typed.
//! - [`ports`]: what the world offers.

pub mod access;
pub mod admission;
pub mod audit;
pub mod automation;
pub mod client;
pub mod completion;
pub mod gateway;
pub mod gitea;
pub mod mcp;
pub mod oauth;
pub mod offer;
pub mod operator;
pub mod ports;
pub mod preflight;
pub mod prompts;
pub mod reply;
pub mod resources;
pub mod selection;
pub mod settings;
pub mod tools;
