//! gateway.wasm: `aegis-core` behind the WIT world `aegis:gateway/gateway`.
//!
//! Two thin layers and no decision: [`exchange`] turns a wasi-http request into a plain one and an answer back,
//! [`ports`] puts core's traits on top of the imported interfaces.

mod exchange;
mod ports;

/// The generated bindings; WASI's own types come from the `wasip2` crate.
mod bindings {
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
    });
}

use bindings::aegis::gateway::types::Problem;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Component;

#[expect(unsafe_code, reason = "generated code")]
mod exported {
    use super::{Component, bindings};

    bindings::export!(Component with_types_in bindings);
}

impl bindings::exports::wasi::http::incoming_handler::Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        exchange::handle(&request, out);
    }
}

impl bindings::Guest for Component {
    fn preflight(
        policy_yaml: Vec<u8>,
        settings: Vec<(String, String)>,
    ) -> Result<Vec<(String, Vec<u8>)>, Vec<Problem>> {
        aegis_core::preflight::preflight(&policy_yaml, &settings, &aegis_core::tools::CATALOGUE)
            .map_err(|problems| problems.into_iter().map(problem).collect())
    }

    fn operator(command: String) -> String {
        aegis_core::preflight::operator(&command, &aegis_core::tools::CATALOGUE)
    }
}

fn problem(found: aegis_core::preflight::Problem) -> Problem {
    Problem { source: found.source, line: found.line, column: found.column, message: found.message }
}
