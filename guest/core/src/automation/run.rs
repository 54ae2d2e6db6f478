//! A job, run because somebody asked for it by name.
//!
//! Who asks has to hold the scope of writes, whatever the job does. The job then runs as `automation`, and the record
//! says who started it; the host sees to it that it reaches no further than whoever asked.

use serde_json::Value;

use super::{Desk, Failed, Refused, job, may_act};
use crate::access::WRITE_SCOPE;
use crate::audit;
use crate::mcp::call::CallError;
use crate::mcp::json as strict;
use crate::ports::{Caller, Claims, NotStarted};
use crate::reply::Finished;
use crate::tools::jobs::Job;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    job: String,
    owner: String,
    repo: String,
    apply: Apply,
}

/// Whether a run acts on what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Apply {
    /// It reports.
    No,
    /// It acts, or is refused.
    Yes,
    /// It acts where settings and policy let it, and reports elsewhere: what nobody waits for.
    WhereAllowed,
}

/// What a run found, which may leave.
pub struct Ran {
    /// The report.
    pub report: Finished,
    /// Joins the answer and what is on record.
    pub correlation_id: String,
}

impl Asked {
    /// Read a body.
    ///
    /// # Errors
    /// What it should be.
    pub fn read(body: &[u8]) -> Result<Self, &'static str> {
        let document = strict::parse(body).map_err(|why| why.message())?;
        let Value::Object(mut members) = document else { return Err("The body is a JSON object.") };
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(_) | None => None,
        };
        let (job, owner, repo) = (text("job"), text("owner"), text("repo"));
        let apply = match members.remove("apply") {
            None | Some(Value::Bool(false)) => Apply::No,
            Some(Value::Bool(true)) => Apply::Yes,
            Some(Value::String(word)) if word == "where_allowed" => Apply::WhereAllowed,
            Some(_) => return Err("`apply` is true, false or \"where_allowed\"."),
        };
        match (job, owner, repo) {
            (Some(job), Some(owner), Some(repo)) if members.is_empty() => {
                Ok(Self { job, owner, repo, apply })
            }
            (Some(_), Some(_), Some(_)) => {
                Err("The body holds `job`, `owner`, `repo` and `apply`, nothing else.")
            }
            _ => Err("`job`, `owner` and `repo` are required and strings."),
        }
    }
}

/// Run it.
///
/// # Errors
/// The outer: there is no such job, or this caller may not start it. The inner: the run came to nothing.
pub fn run(
    desk: &Desk<'_>,
    caller: &dyn Caller,
    claims: &Claims,
    asked: &Asked,
) -> Result<Result<Ran, Failed>, Refused> {
    if !claims.scopes.iter().any(|scope| scope == WRITE_SCOPE) {
        let detail = [("needed_scope".to_owned(), WRITE_SCOPE.to_owned())];
        desk.ports.audit.note(&audit::denied("insufficient_scope", None, None, &detail));
        let error = CallError::InsufficientScope { needed: WRITE_SCOPE };
        return Ok(Err(Failed { error, correlation_id: desk.request_id.to_owned() }));
    }
    let found = Job::named(&asked.job).ok_or(Refused::UnknownJob)?;
    if !desk.config.automation.lists(found.name) {
        return Err(Refused::JobOff);
    }
    if asked.apply == Apply::Yes && !found.changes {
        return Err(Refused::ChangesNothing);
    }
    let automation = caller.start_job(found.name, &asked.owner, &asked.repo).map_err(|why| match why {
        NotStarted::Running => Refused::JobRunning,
        NotStarted::NotPermitted => Refused::NotPermitted,
        NotStarted::TooManyConcurrent => Refused::TooManyConcurrent,
    })?;
    let apply = match asked.apply {
        Apply::No => false,
        Apply::Yes => true,
        Apply::WhereAllowed => may_act(desk, &*automation, found, &asked.owner, &asked.repo),
    };
    let called = job(desk, &*automation, found, &asked.owner, &asked.repo, apply);
    let correlation_id = called.correlation_id;
    Ok(match called.result {
        Ok(report) => Ok(Ran { report, correlation_id }),
        Err(error) => Err(Failed { error, correlation_id }),
    })
}
