//! Work that nobody waits for: deliveries of Gitea's webhook, and jobs.
//!
//! A job is a tool that no client sees ([`crate::tools::jobs`]), and runs by the same path as every call: policy, intent,
//! outcome. What differs is who calls: the principal `automation`, which the host alone hands out, for a delivery that
//! Gitea signed or for a caller who may start jobs. This module must not read a clock, choose a credential or decide on
//! a policy.

mod refused;
pub mod run;
pub mod webhook;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use aegis_redaction::Mode;
use serde_json::{Value, json};

use crate::access::{self, Asked, Target};
use crate::client::Silent;
use crate::mcp::call::{self, CallError, Called, Session};
use crate::offer::Offer;
use crate::ports::{Caller, Class, Ports};
use crate::selection::Selection;
use crate::settings::{Automation, Config, Invalid, Tools};
use crate::tools::jobs::{CHANGES, JOBS, Job, REPORTS};

pub use refused::{Line, Refused};

/// What a request to automation stands on.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// What the world offers.
    pub ports: Ports<'a>,
    /// The settings in force.
    pub config: &'a Config,
    /// The id of the HTTP request.
    pub request_id: &'a str,
}

/// A call that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub error: CallError,
    /// Joins the answer and what is on record.
    pub correlation_id: String,
}

static LOOKING: Offer = Offer { tools: &REPORTS, resources: &[], prompts: &[] };
static ACTING: Offer = Offer { tools: &CHANGES, resources: &[], prompts: &[] };

/// One of automation's own tools, called as everything is called.
fn call(desk: &Desk<'_>, caller: &dyn Caller, offer: &'static Offer, tool: &str, arguments: Value) -> Called {
    // What is offered to clients is no concern of jobs: they have a list of their own.
    // What a job finds is kept, logged and written into issues, where others read than whoever turned detection off.
    let mode = match desk.config.secret_detection_mode {
        Mode::Off | Mode::Mask => Mode::Mask,
        Mode::Block => Mode::Block,
    };
    let config = Config { tools: Tools::default(), secret_detection_mode: mode, ..desk.config.clone() };
    let claims = caller.claims();
    let session = Session {
        ports: desk.ports,
        config: &config,
        offer,
        selection: Selection::default(),
        caller,
        claims: &claims,
        request_id: desk.request_id,
    };
    call::call(&session, tool, Some(arguments), &Silent)
}

/// Run a job on a repository; `apply` to act on what it finds.
fn job(desk: &Desk<'_>, caller: &dyn Caller, job: &Job, owner: &str, repo: &str, apply: bool) -> Called {
    let offer = if apply { &ACTING } else { &LOOKING };
    call(desk, caller, offer, job.tool, json!({ "owner": owner, "repo": repo }))
}

/// Whether the job can act, and settings and policy let it in this repository. Where they do not it still reports; so it
/// does where a person is to confirm each change, since there is nobody to ask.
fn may_act(desk: &Desk<'_>, caller: &dyn Caller, job: &Job, owner: &str, repo: &str) -> bool {
    let target = Target { repository: Some((owner, repo)), paths: Vec::new(), reference: None };
    let asked = Asked { tool: job.tool, class: Class::Write, target: &target };
    job.changes
        && !desk.config.write_confirmation
        && access::decide(desk.ports.settings, desk.config, &caller.claims(), &asked).is_ok()
}

/// Names in `AUTOMATION_JOBS` that are no job: whoever wrote one believes that it runs.
#[must_use]
pub fn unknown_jobs(settings: &Automation) -> Option<Invalid> {
    let is_none = |name: &String| name.eq_ignore_ascii_case("none");
    let known = |name: &String| is_none(name) || JOBS.iter().any(|job| job.name.eq_ignore_ascii_case(name));
    if settings.jobs.len() > 1 && settings.jobs.iter().any(is_none) {
        let message = "is none and names jobs as well: write none alone, or take it out".to_owned();
        return Some(Invalid { name: "AUTOMATION_JOBS", message });
    }
    let place = settings.jobs.iter().position(|name| !known(name))?.saturating_add(1);
    let names: Vec<&str> = JOBS.iter().map(|job| job.name).collect();
    let message = format!("has an entry {place} that is no job; there are: {}, or none", names.join(", "));
    Some(Invalid { name: "AUTOMATION_JOBS", message })
}
