//! `aegis-core` behind the WIT world `aegis:gateway/gateway`, for whatever a guest offers.
//!
//! Two thin layers and no decision: `exchange` turns a wasi-http request into a plain one and an answer back, `ports`
//! puts core's traits on top of the imported interfaces. A component names what it offers and exports [`Shell`].

mod exchange;
mod ports;

/// The generated bindings; WASI's own types come from the `wasip2` crate.
#[expect(missing_docs, reason = "generated code")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "aegis:gateway/gateway",
        with: {
            "wasi:io/error@0.2.12": wasip2::io::error,
            "wasi:io/poll@0.2.12": wasip2::io::poll,
            "wasi:io/streams@0.2.12": wasip2::io::streams,
            "wasi:clocks/monotonic-clock@0.2.12": wasip2::clocks::monotonic_clock,
            "wasi:clocks/wall-clock@0.2.12": wasip2::clocks::wall_clock,
            "wasi:random/random@0.2.12": wasip2::random::random,
            "wasi:random/insecure-seed@0.2.12": wasip2::random::insecure_seed,
            "wasi:http/types@0.2.12": wasip2::http::types,
        },
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "aegis_shell::bindings",
    });
}

use core::marker::PhantomData;

use aegis_core::offer::Offer;
use bindings::aegis::gateway::types::Problem;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

/// What a component offers.
pub trait Offered {
    /// All of it.
    const OFFER: &'static Offer;
}

/// What a component exports.
pub struct Shell<O>(PhantomData<O>);

impl<O: Offered> bindings::exports::wasi::http::incoming_handler::Guest for Shell<O> {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        exchange::handle(O::OFFER, &request, out);
    }
}

impl<O: Offered> bindings::Guest for Shell<O> {
    fn preflight(
        policy_yaml: Vec<u8>,
        settings: Vec<(String, String)>,
    ) -> Result<Vec<(String, Vec<u8>)>, Vec<Problem>> {
        aegis_core::preflight::preflight(&policy_yaml, &settings, O::OFFER.tools)
            .map_err(|problems| problems.into_iter().map(problem).collect())
    }

    fn operator(command: String) -> String {
        aegis_core::operator::operator(&command, O::OFFER.tools)
    }
}

fn problem(found: aegis_core::preflight::Problem) -> Problem {
    Problem { source: found.source, line: found.line, column: found.column, message: found.message }
}
