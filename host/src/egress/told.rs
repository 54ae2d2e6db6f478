//! What is told of the way to Gitea to those who watch: figures for `/metrics`, and how an attempt ended for its trace.

use std::sync::atomic::Ordering;

use hyper::body::Incoming;

use super::Gitea;
use crate::metrics::{Cached, GiteaGauges};
use crate::trace::Open;

impl Gitea {
    /// Whether Gitea is left alone now.
    pub(crate) fn is_left_alone(&self) -> bool {
        self.way.breaker.is_open()
    }

    /// For `/metrics`.
    pub(crate) fn gauges(&self) -> GiteaGauges<'_> {
        GiteaGauges {
            left_alone: self.is_left_alone(),
            kept_back: self.way.breaker.kept_back(),
            repeated: self.repeated.load(Ordering::Relaxed),
            in_flight: self.way.traffic.in_flight(),
            took: self.way.traffic.took(),
        }
    }

    /// For `/metrics`: what people may do, as it is remembered.
    pub(crate) fn cached(&self) -> Cached {
        self.answers.cached()
    }
}

/// What is told of an attempt to a collector.
pub(super) fn note(
    traced: &mut Open,
    sent: &Result<http::Response<Incoming>, hyper_util::client::legacy::Error>,
) {
    match sent {
        Ok(response) => {
            let status = response.status();
            traced.set("http.response.status_code", status.as_u16());
            if status.is_client_error() || status.is_server_error() {
                traced.fail(status.as_str());
            }
        }
        Err(error) if error.is_connect() => traced.fail("unreachable"),
        Err(_) => traced.fail("broken"),
    }
}
