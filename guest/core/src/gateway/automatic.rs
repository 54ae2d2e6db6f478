//! The two endpoints of automation: what Gitea delivers, and jobs that a caller starts.
//!
//! A delivery is answered as soon as it is on record; the host runs what it starts.

use http::{Method, Response, StatusCode};

use super::media::{self, Body};
use super::route::Route;
use super::{Refusal, Visit, direct};
use crate::admission;
use crate::automation::{Desk, Refused, run, webhook};

/// Answers a request to one of the two.
pub(super) fn answer(visit: &Visit<'_>) -> Result<Response<Vec<u8>>, Refusal> {
    if !visit.config.automation.enabled {
        return visit.or_a_stranger(Err(Refused::Disabled.into()));
    }
    match (visit.route, visit.request.method()) {
        (Route::Webhook, &Method::POST) => delivery(visit),
        (Route::RunJob, &Method::POST) => started(visit).map(|answer| visit.guide(answer)),
        (Route::RunJob, _) => {
            visit.caller()?;
            Err(Refusal::MethodNotAllowed(visit.route.allow()))
        }
        (_, _) => visit.or_a_stranger(Err(Refusal::MethodNotAllowed(visit.route.allow()))),
    }
}

fn delivery(visit: &Visit<'_>) -> Result<Response<Vec<u8>>, Refusal> {
    let (desk, headers) = (desk(visit), visit.request.headers());
    let verified =
        visit.or_a_stranger(webhook::verify(&desk, headers, visit.request.body()).map_err(Refusal::from))?;
    admission::proved(&desk.ports, desk.config)?;
    media::check_body(headers, Body::Json)?;
    let accepted = match webhook::accept(&desk, verified)? {
        Ok(accepted) => accepted,
        Err(failed) => return Ok(direct::failed(&failed.error, &failed.correlation_id)),
    };
    webhook::hand_over(&desk, &accepted);
    let mut taken = Response::new(Vec::new());
    *taken.status_mut() = StatusCode::ACCEPTED;
    Ok(taken)
}

fn started(visit: &Visit<'_>) -> Result<Response<Vec<u8>>, Refusal> {
    let caller = visit.caller()?;
    media::check_body(visit.request.headers(), Body::Json)?;
    let asked = run::Asked::read(visit.request.body()).map_err(Refusal::MalformedBody)?;
    Ok(match run::run(&desk(visit), &*caller, &caller.claims(), &asked)? {
        Ok(ran) => direct::succeeded(ran.report, &ran.correlation_id),
        Err(failed) => direct::failed(&failed.error, &failed.correlation_id),
    })
}

fn desk<'a>(visit: &Visit<'a>) -> Desk<'a> {
    Desk { ports: visit.gateway.ports, config: visit.config, request_id: super::request_id(visit.request) }
}
