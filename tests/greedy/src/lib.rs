//! A guest that would read files and open sockets if a host let it. It answers requests like any other, so
//! only its imports tell what it is.

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

struct Greedy;

#[allow(unsafe_code, reason = "generated code")]
mod exported {
    use super::Greedy;

    wasip2::http::proxy::export!(Greedy);
}

impl wasip2::exports::http::incoming_handler::Guest for Greedy {
    fn handle(_: IncomingRequest, _: ResponseOutparam) {
        let read = std::fs::read_to_string("/etc/hostname").is_ok();
        let reached = std::net::TcpStream::connect("127.0.0.1:1").is_ok();
        assert!(!read && !reached);
    }
}
