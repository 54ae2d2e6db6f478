//! The interfaces of `aegis:gateway` by standard WASI 0.2 alone, so that a gateway composed with this adapter
//! runs on any `wasi:http` runtime.
//!
//! It keeps the promises that a component can keep by itself: no Gitea call without a proved caller and a durable
//! intent line, the same list of requests and the same spelling of paths as the native host, no secret readable
//! through `settings`, single use and rotation among all instances that share a state directory. What it cannot keep
//! (source addresses, isolation of the credential from the gateway) is told in `docs/edge.md`. It must not import
//! anything but WASI, and keeps nothing of a caller in a static for longer than that caller lives.

mod audit;
mod automation;
mod directory;
mod environment;
mod gitea;
mod identity;
mod keys;
mod limits;
mod mailbox;
mod origin;
mod outgoing;
mod records;
mod root;
mod seals;
mod settings;
mod sign_in;
mod telemetry;
mod trail;

/// What `wit/` says, made into Rust.
#[expect(unsafe_code, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "adapter", generate_all });

    use super::Adapter;
    export!(Adapter with_types_in self);
}

/// The one type that carries every exported interface.
struct Adapter;

impl bindings::exports::aegis::gateway::cache::Guest for Adapter {
    /// Nothing is kept: an instance may serve one request or many callers, and losing an entry is allowed.
    fn get(_space: String, _key: String) -> Option<Vec<u8>> {
        None
    }

    fn put(_space: String, _key: String, _value: Vec<u8>, _ttl_seconds: u32) {}
}
