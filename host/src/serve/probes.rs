//! `/health`, `/ready`, `/metrics` and `/audit/checkpoint`: answered on the front runtime, exempt from the Host check.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::Server;
use super::answer::Body;
use super::refusal::Refusal;

/// The answer to a client, where the path is one of the four; with the route's name for metrics.
pub(crate) fn answer(
    server: &Server,
    method: &Method,
    path: &str,
    request_id: &str,
) -> Option<(&'static str, Response<Body>)> {
    let elsewhere = match path {
        "/metrics" => "/metrics",
        "/audit/checkpoint" => "/audit/checkpoint",
        _ => return observed(server, method, path, request_id),
    };
    if server.observed_apart {
        return Some((elsewhere, Refusal::NotFound.answer(&server.shared.metrics, request_id)));
    }
    observed(server, method, path, request_id)
}

/// The answer to whoever observes the server, at whatever address.
pub(crate) fn observed(
    server: &Server,
    method: &Method,
    path: &str,
    request_id: &str,
) -> Option<(&'static str, Response<Body>)> {
    let (route, kind, status, text) = match path {
        "/health" => ("/health", "application/json", StatusCode::OK, health()),
        "/ready" => {
            let (status, text) = ready(server);
            ("/ready", "application/json", status, text)
        }
        "/metrics" if !server.metrics_enabled => {
            return Some(("/metrics", Refusal::NotFound.answer(&server.shared.metrics, request_id)));
        }
        "/metrics" => (
            "/metrics",
            "text/plain; version=0.0.4; charset=utf-8",
            StatusCode::OK,
            super::gauges::text(server),
        ),
        "/audit/checkpoint" => {
            let (status, text) = match checkpoint(server) {
                Some(note) => (StatusCode::OK, note.as_ref().to_owned()),
                None => (StatusCode::SERVICE_UNAVAILABLE, "No checkpoint was signed yet.\n".to_owned()),
            };
            ("/audit/checkpoint", "text/plain; charset=utf-8", status, text)
        }
        _ => return None,
    };
    if method != Method::GET && method != Method::HEAD {
        return Some((route, Refusal::MethodNotAllowed.answer(&server.shared.metrics, request_id)));
    }
    let mut response = Response::new(Body::whole(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some((route, response))
}

/// The last signed checkpoint, for whoever keeps it elsewhere.
pub(super) fn checkpoint(server: &Server) -> Option<Arc<str>> {
    server.shared.trail.checkpoints().borrow().clone()
}

/// The process is alive and its front runtime answers.
fn health() -> String {
    json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION")}).to_string()
}

/// Whether tool calls can be served now, and if not, why.
fn ready(server: &Server) -> (StatusCode, String) {
    let mut reasons = Vec::new();
    let audit = server.shared.trail.health();
    if !audit.writable {
        reasons.push("audit_unavailable");
    }
    if server.draining() {
        reasons.push("draining");
    }
    reasons.extend(server.shared.look.standing.reason());
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Calls go on, but a restart forgets who has signed in.
    let registry = server.shared.sign_in.as_ref().map(|sign_in| sign_in.records.store.health());
    let mut warnings = Vec::new();
    if registry.as_ref().is_some_and(|health| !health.durable) {
        warnings.push("registry_volatile");
    }
    if registry.is_some_and(|health| health.revocations.is_some()) {
        warnings.push("revocations_volatile");
    }
    if audit.space_low {
        warnings.push("audit_space_low");
    }
    if audit.high_water_failed {
        warnings.push("audit_high_water");
    }
    if server.shared.anchored.has_failed() {
        warnings.push("audit_anchor");
    }
    warnings.extend(server.shared.pushed.told(audit.lines).into_iter().filter_map(|told| told.warning));
    warnings.extend(server.shared.look.standing.warning());
    if server.shared.gitea.is_left_alone() {
        // Ready all the same: calls fail at once and say why, which no proxy's page does.
        warnings.push("gitea_left_alone");
    }
    let force = server.shared.in_force.now();
    let text = json!({
        "status": if reasons.is_empty() { "ready" } else { "not_ready" },
        "reasons": reasons,
        "warnings": warnings,
        "version": env!("CARGO_PKG_VERSION"),
        "component": force.guest.digest(),
        "policy": force.policy.digest,
    });
    (status, text.to_string())
}
