//! A guest that tries to be `automation` where nobody made it so, or further than it was made so. The path names the
//! attempt; what the host gave is the answer, in words that a test can look for.

use crate::bindings::aegis::gateway::audit::{self, Event};
use crate::bindings::aegis::gateway::automation;
use crate::bindings::aegis::gateway::identity::{self, Caller};
use crate::bindings::aegis::gateway::types::Class;
use crate::{call_on, event, get, post, success};

/// What the test signs, or does not.
const BODY: &[u8] = br#"{"repository":{"name":"demo","owner":{"login":"alice"}}}"#;

/// What the attempt came to; none where no attempt has this name. `signature` is what the test sent along.
pub fn attempt(path: &str, presented: &str, signature: &str) -> Option<String> {
    Some(match path {
        "/automation/forge" => forge(),
        "/automation/replay" => replay(signature),
        "/automation/another-body" => verified(automation::verify(signature, "d-1", b"{}")),
        "/automation/forged-start" => forged_start(),
        "/automation/start" => match identity::authenticate(presented) {
            Ok(caller) => started(start(&caller)),
            Err(refusal) => format!("{refusal:?}"),
        },
        "/automation/start-again" => start_again(presented),
        "/automation/beyond" => match automation::verify(signature, "d-2", BODY) {
            Ok(caller) => beyond(&caller),
            Err(why) => format!("{why:?}"),
        },
        "/automation/hand-over" => hand_over(presented, signature),
        "/automation/somebody-else" => somebody_else(presented, signature),
        // What the host itself asks for where an operator or the scheduler runs a job.
        "/automation/jobs/run" => own_run(),
        _ => return None,
    })
}

/// Signatures that are none.
fn forge() -> String {
    let made_up = ["", "0", &"0".repeat(64), &"f".repeat(64), &"A".repeat(64), "sha256="];
    let told: Vec<String> =
        made_up.iter().map(|signature| verified(automation::verify(signature, "d-0", BODY))).collect();
    told.join(" ")
}

fn replay(signature: &str) -> String {
    let first = verified(automation::verify(signature, "d-3", BODY));
    let second = verified(automation::verify(signature, "d-4", BODY));
    format!("{first} {second}")
}

fn forged_start() -> String {
    #[allow(unsafe_code, reason = "the forgery under test")]
    let caller = unsafe { Caller::from_handle(7) };
    started(start(&caller))
}

fn start(caller: &Caller) -> Result<Caller, automation::NotStarted> {
    automation::start(caller, "stale_issue_detection", "alice", "demo")
}

/// Jobs that no delivery on record has started.
fn hand_over(presented: &str, signature: &str) -> String {
    let ask = |caller: &Caller, job: &str| automation::hand_over(caller, job, 1);
    let somebody = identity::authenticate(presented).expect("a good key");
    let mut told = vec![ask(&somebody, "stale_issue_detection")];
    let job = start(&somebody).expect("it may");
    told.push(ask(&job, "stale_issue_detection"));
    let delivery = automation::verify(signature, "d-6", BODY).expect("signed");
    told.push(ask(&delivery, "stale_issue_detection"));
    let here = audit::intent(&delivery, &event()).expect("a ticket");
    told.push(ask(&delivery, "make_coffee"));
    told.push(ask(&delivery, "stale_issue_detection"));
    told.push(ask(&delivery, "stale_issue_detection"));
    here.close(&success()).expect("closed");
    format!("{told:?}")
}

/// From a job, another one: so a chain would lose who began it.
fn start_again(presented: &str) -> String {
    let caller = identity::authenticate(presented).expect("a good key");
    let job = start(&caller).expect("it may");
    started(start(&job))
}

/// What a caller that is tied to alice/demo is given elsewhere.
fn beyond(caller: &Caller) -> String {
    let elsewhere = Event { repo: Some("private".to_owned()), ..event() };
    let nowhere = Event { owner: None, repo: None, ..event() };
    let mut told = vec![ticket(caller, &elsewhere), ticket(caller, &nowhere)];
    match audit::intent(caller, &event()) {
        Ok(here) => told.push(call_on(&here, get("/repos/{owner}/{repo}", &["alice", "private"]))),
        Err(error) => told.push(error.message),
    }
    for request in [get("/user/repos", &[]), get("/repos/{owner}/{repo}", &["alice", "demo"])] {
        match audit::intent(caller, &event()) {
            Ok(here) => told.push(call_on(&here, request)),
            Err(error) => told.push(error.message),
        }
    }
    match audit::intent(caller, &Event { class: Class::Write, ..event() }) {
        Ok(here) => told.push(call_on(&here, post("/repos/{owner}/{repo}/issues", &["alice", "demo"]))),
        Err(error) => told.push(error.message),
    }
    told.join(" | ")
}

/// Proved twice in one request: as a caller with a key, and by a delivery.
fn somebody_else(presented: &str, signature: &str) -> String {
    let delivery = automation::verify(signature, "d-5", BODY).expect("signed");
    let elsewhere = Event { repo: Some("private".to_owned()), ..event() };
    let again = match identity::authenticate(presented) {
        Ok(caller) => format!("{} {}", caller.claims().subject, ticket(&caller, &elsewhere)),
        Err(refusal) => format!("{refusal:?}"),
    };
    format!("{} | {again}", started(start(&delivery)))
}

fn own_run() -> String {
    let caller = match identity::authenticate("") {
        Ok(caller) => caller,
        Err(refusal) => return format!("{refusal:?}"),
    };
    let mut told = vec![caller.claims().subject];
    told.push(beyond(&caller));
    match start(&caller) {
        Ok(job) => told.extend([job.claims().subject, beyond(&job)]),
        Err(why) => told.push(format!("{why:?}")),
    }
    let text = told.join(" | ").replace('"', "'").replace('\\', "/");
    format!(r#"{{"success":true,"correlation_id":"none","result":{{"text":"{text}"}}}}"#)
}

fn ticket(caller: &Caller, event: &Event) -> String {
    match audit::intent(caller, event) {
        Ok(_) => "GOT A TICKET".to_owned(),
        Err(error) => error.message,
    }
}

fn verified(result: Result<Caller, automation::NotVerified>) -> String {
    match result {
        Ok(_) => "VERIFIED".to_owned(),
        Err(why) => format!("{why:?}"),
    }
}

fn started(result: Result<Caller, automation::NotStarted>) -> String {
    match result {
        Ok(_) => "STARTED".to_owned(),
        Err(why) => format!("{why:?}"),
    }
}
