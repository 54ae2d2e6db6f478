//! The authorization server in front of Gitea: OAuth 2.1 as MCP clients speak it.
//!
//! What is decided here is protocol: which requests are well formed, which redirect URIs may be named, what a
//! person is asked, which error a client reads. Who a client is, who a person is, and what a code or a token is
//! worth is the host's to say, through the ports. This module knows neither the gateway that routes to it nor
//! who may make how many requests, and it must not tell a client more of a refusal than its name.

pub mod authorize;
pub mod callback;
pub mod challenge;
pub mod client_auth;
mod consent;
pub mod cookies;
pub mod form;
pub mod metadata;
pub mod notice;
mod page;
mod pages;
pub mod redirect;
pub mod refused;
pub mod register;
pub mod resource;
pub mod scope;
pub mod token;

#[cfg(test)]
pub(crate) mod scripted;
