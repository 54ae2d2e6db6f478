//! The guest and the policy as `serve` would take them: the component is compiled and linked, and its preflight run
//! on the document and the settings. Nobody is served.

use std::sync::Arc;

use super::super::in_force;
use super::report::{Finding, fail, pass, warn};
use crate::aside::{self, Aside, NotAside};
use crate::guest::{Linked, default_path};
use crate::settings::Settings;

/// What there is to say. `whole` says that the settings are in force, so that the guest's word on them counts.
pub(super) async fn look(settings: &Settings, whole: bool) -> Vec<Finding> {
    let path = default_path(settings.guest_path());
    let linked = match aside::load(settings) {
        Ok(linked) => Arc::new(linked),
        Err(error) => {
            let says = format!("{error}; GUEST_PATH names the component, which comes with the program");
            return vec![fail("guest", says)];
        }
    };
    let digest: String = linked.guest.digest.chars().take(12).collect();
    let mut findings = vec![pass("guest", format!("{} loads (sha256 {digest}...)", path.display()))];
    let (name, bytes) = match in_force::policy(settings) {
        Ok(found) => found,
        Err(error) => {
            findings.push(fail("policy", error.to_string()));
            return findings;
        }
    };
    findings.extend(preflight(settings, linked, &name, &bytes, whole).await);
    findings
}

async fn preflight(
    settings: &Settings,
    linked: Arc<Linked>,
    name: &str,
    policy: &[u8],
    whole: bool,
) -> Vec<Finding> {
    const CHECK: &str = "policy";
    // With a stand-in for an origin that `serve` would take from its socket.
    let values = in_force::guest_values(settings, &super::origin(settings));
    let aside = match Aside::new(linked, settings, &values) {
        Ok(aside) => aside,
        Err(NotAside::Unfit(why)) => return vec![fail(CHECK, why)],
        Err(not) => return vec![warn(CHECK, format!("{name} was not checked: {not}"))],
    };
    let answer = aside.preflight(policy, &values).await;
    let problems = match answer {
        Ok(Ok(_)) => return vec![pass(CHECK, format!("{name} is good"))],
        Ok(Err(problems)) => problems,
        Err(error) => {
            return vec![fail(CHECK, format!("{error}; use the component that came with this program"))];
        }
    };
    let said = problems.iter().filter_map(|problem| match problem.source.as_str() {
        "policy" => {
            Some(fail(CHECK, format!("{name}:{}:{}: {}", problem.line, problem.column, problem.message)))
        }
        setting => whole.then(|| fail("settings", format!("{setting} {}", problem.message))),
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() { vec![pass(CHECK, format!("{name} is good"))] } else { said }
}
