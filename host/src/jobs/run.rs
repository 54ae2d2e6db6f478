//! One run: the request that a caller of `POST /automation/jobs/run` would send, answered by the same component on the same
//! path, for a caller that no credential leads to. So it meets the policy, the write gate, the record and the bounds of
//! every other run; and like a delivery it is good in its own repository alone.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};

use aegis_custody::Clock as _;

use super::report::Report;
use super::{counted, keep};
use crate::ports::identity::{Access, Found, Principal};
use crate::serve::{Server, from_guest, own_request};
use crate::settings::{COMMAND, SCHEDULE, WEBHOOK};
use crate::shared::{SystemClock, random_name};
use crate::sign_in::{READ, WRITE};

/// How long a run waits for a place among the requests under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The job's name, as it was given.
    pub(crate) job: String,
    /// The repository's owner.
    pub(crate) owner: String,
    /// The repository's name.
    pub(crate) repo: String,
    /// Whether it acts.
    pub(crate) apply: Apply,
    /// The id of the request that brought it about, where one did.
    pub(crate) request_id: Option<String>,
}

/// Whether a run acts on what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apply {
    /// It reports.
    No,
    /// It acts, or is refused.
    Yes,
    /// It acts where settings and policy let it, and reports elsewhere.
    WhereAllowed,
}

/// Who has started it, as the record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// An operator.
    Command,
    /// The scheduler.
    Schedule,
    /// A delivery of Gitea's webhook, on record.
    Webhook,
}

impl By {
    pub(super) fn subject(self) -> &'static str {
        match self {
            Self::Command => COMMAND,
            Self::Schedule => SCHEDULE,
            Self::Webhook => WEBHOOK,
        }
    }
}

/// A run that came to its end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ran {
    /// What the job reports.
    pub(crate) report: Value,
    /// Joins it with what is on record.
    pub(crate) correlation_id: String,
}

/// Why there is no report. Nothing of it was said by a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotRun {
    /// A name for programs, as on the wire.
    pub(crate) reason: String,
    /// For a person.
    pub(crate) text: String,
    /// Whether it is counted among the runs of the job already.
    pub(super) counted: bool,
}

/// This job is under way there.
pub(super) const RUNNING: &str = "job_running";
/// Reasons of having no room at the moment.
const PASSING: [&str; 5] = ["busy", "automation_busy", "jobs_busy", "rate_limited", "no_memory"];

impl NotRun {
    /// Whether it may be otherwise in a moment. Nothing was done.
    pub(super) fn is_passing(&self) -> bool {
        PASSING.contains(&self.reason.as_str())
    }

    fn new(reason: &str, text: &str) -> Self {
        Self { reason: reason.to_owned(), text: text.to_owned(), counted: false }
    }
}

/// Run it to its end. It goes on when whoever asked is gone.
///
/// # Errors
/// It was refused, or came to nothing.
pub(crate) async fn run(server: &Arc<Server>, by: By, order: Order) -> Result<Ran, NotRun> {
    let Some(automation) = &server.shared.automation else {
        return Err(NotRun::new(
            "automation_disabled",
            "automation is off: set AUTOMATION_ENABLED=true and restart",
        ));
    };
    let _pending = server.shared.pending.guard();
    let ran = asked(server, by, &order).await?;
    // A guest may say any name; only those of the settings are kept.
    if automation.jobs.all.iter().any(|known| known.name == order.job) {
        let place = format!("{}/{}", order.owner, order.repo);
        let now = SystemClock.now().to_string();
        let report = Report::new(&order.job, &place, by.subject(), &ran.correlation_id, &ran.report, now);
        report.log();
        automation.jobs.board.reported(report);
        keep(&server.shared, &automation.jobs.board);
    }
    Ok(ran)
}

/// Where a caller would have posted it.
const RUN: &str = "/automation/jobs/run";

async fn asked(server: &Arc<Server>, by: By, order: &Order) -> Result<Ran, NotRun> {
    let busy = || NotRun::new("busy", "every place for requests is taken: try again in a moment");
    let waited = tokio::time::timeout(PATIENCE, server.permits.clone().acquire_owned()).await;
    let permit = waited.ok().and_then(Result::ok).ok_or_else(busy)?;
    let slot = server.shared.keys.enter(by.subject()).ok_or_else(busy)?;
    let scopes = vec![READ.to_owned(), WRITE.to_owned()];
    let found = Found {
        subject: by.subject().to_owned(),
        login: None,
        client: None,
        scopes,
        access: Access::Service,
    };
    let mut principal = Principal::new(found, slot);
    principal.only_in = Some((order.owner.clone(), order.repo.clone()));
    let request_id = order.request_id.clone().unwrap_or_else(random_name);
    let request = request(server, order, &request_id)
        .ok_or_else(|| NotRun::new("internal_error", "the run cannot be put into words"))?;
    let mut bound = own_request(server, request_id, IpAddr::V4(Ipv4Addr::LOCALHOST));
    bound.outlet.called_by(&principal.subject);
    bound.principal = Some(Arc::new(principal));
    let trace = server.shared.tracing.begin(request.headers(), &server.shared.own);
    bound.trace = trace.clone();
    let tickets = bound.tickets.clone();
    let mut outcome = match from_guest(server, request, bound, permit).await {
        Ok(response) => {
            trace.answered(&Method::POST, RUN, response.status().as_u16());
            match response.into_body().collect().await {
                Ok(body) => read(&body.to_bytes()),
                Err(_) => Err(NotRun::new("internal_error", "the answer broke off")),
            }
        }
        Err(refusal) => {
            trace.refused(refusal.reason());
            Err(NotRun::new(refusal.reason(), refusal.message()))
        }
    };
    if let Err(not) = &mut outcome {
        not.counted = tickets.told_of_job();
        // One that is under way already has nothing to do with how that one ends.
        if !not.counted && !not.is_passing() && not.reason != RUNNING {
            // It was refused before the record knew of a job, so nobody else counts it.
            let place = format!("{}/{}", order.owner, order.repo);
            counted(&server.shared, &order.job, by.subject(), &place, "refused", Some(&not.reason));
            not.counted = true;
        }
    }
    outcome
}

/// The request, as it would have come to the port.
fn request(server: &Server, order: &Order, id: &str) -> Option<Request<Full<Bytes>>> {
    let apply = match order.apply {
        Apply::No => json!(false),
        Apply::Yes => json!(true),
        Apply::WhereAllowed => json!("where_allowed"),
    };
    let body = json!({"job": order.job, "owner": order.owner, "repo": order.repo, "apply": apply});
    let public = server.shared.guest_values.get("PUBLIC_BASE_URL").and_then(|url| url.split_once("://"));
    let host = public.map_or("127.0.0.1", |(_, rest)| rest.split('/').next().unwrap_or(rest));
    Request::builder()
        .method(Method::POST)
        .uri(RUN)
        .header(HOST, host)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header("x-request-id", id)
        .body(Full::new(Bytes::from(body.to_string())))
        .ok()
}

/// What the guest has said.
fn read(body: &[u8]) -> Result<Ran, NotRun> {
    let mut said: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |at: &str| said.pointer(at).and_then(Value::as_str).map(str::to_owned);
    if said.pointer("/success") == Some(&Value::Bool(true)) {
        let correlation_id = text("/correlation_id").unwrap_or_default();
        let report = said.pointer_mut("/result").map(Value::take).unwrap_or_default();
        return Ok(Ran { report, correlation_id });
    }
    // A call that came to nothing says so in `error`; what is refused before it, at the top.
    let reason = text("/error/code").or_else(|| text("/reason")).or_else(|| text("/error"));
    let message = text("/error/message").or_else(|| text("/message"));
    Err(NotRun {
        reason: reason.unwrap_or_else(|| "internal_error".to_owned()),
        text: message.unwrap_or_else(|| "the job gave no answer".to_owned()),
        counted: false,
    })
}
