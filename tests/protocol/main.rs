//! Black-box tests of the wire: every endpoint, both eras of MCP, every refusal, and HTTP that is not HTTP.

mod asked;
mod bodies;
mod correlation;
mod credentials;
mod direct;
mod endpoints;
mod framing;
mod gates;
mod ground;
mod instance;
mod json;
mod legacy;
mod limits;
mod metrics;
mod modern;
mod modern_faults;
mod nginx;
mod open;
mod open_streams;
mod places;
mod proxied;
mod raw;
mod refusals;
mod selection;
mod streams;
mod views;
