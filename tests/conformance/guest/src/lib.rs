//! fixtures.wasm: the tools, resources and prompts that the official conformance suite asks for, on the product's core.
//!
//! The suite proves a protocol, and it can only do so with things of its own: a tool that answers with a picture, one
//! that asks its client three times. So this component has another catalogue and nothing else of its own. Whatever the
//! suite finds here about the protocol is the product's doing, since core, shell and host are the same. It asks Gitea
//! for nothing, and it must never be part of what is shipped.
//!
//! Names and texts are those of the scenarios' descriptions.

#![forbid(unsafe_code)]

mod prompts;
mod resources;
mod samples;
mod tools;

use aegis_core::offer::Offer;
use aegis_shell::{Offered, Shell};

/// What the suite expects of a server.
struct Fixtures;

static OFFER: Offer =
    Offer { tools: &tools::CATALOGUE, resources: resources::RESOURCES, prompts: prompts::PROMPTS };

impl Offered for Fixtures {
    const OFFER: &'static Offer = &OFFER;
}

type Component = Shell<Fixtures>;

aegis_shell::bindings::export!(Component with_types_in aegis_shell::bindings);
