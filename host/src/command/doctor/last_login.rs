//! `doctor --last-login`: the newest sign-in step by step, and in words where it stopped and why that may be.

use aegis_custody::Timestamp;

use super::report::{Finding, fail, pass, printable, warn};
use crate::sign_in::timeline::{Login, Step};

/// The name of the verdict among the findings.
const CHECK: &str = "last_login";
/// How long somebody may take for a step before it counts as stopped, in milliseconds.
const PATIENCE: i64 = 120_000;

/// What there is to say of the newest of these sign-ins.
pub(super) fn look(logins: &[Login], now: Timestamp) -> Vec<Finding> {
    let Some(login) = logins.iter().max_by_key(|login| login.steps.first().map(|step| step.at)) else {
        let says = "nobody has approved a sign-in since the server started; if somebody tried, their client or browser \
                    did not get as far as our consent page: run `aegis-mcp doctor` to see whether it can be reached";
        return vec![warn(CHECK, says)];
    };
    let mut findings: Vec<_> = login.steps.iter().map(|step| pass("step", told(step))).collect();
    findings.push(verdict(login, now));
    findings
}

/// `10:02:19 returned_from_gitea`
fn told(step: &Step) -> String {
    let detail = step.detail.as_deref().map(|detail| format!(" ({})", printable(detail))).unwrap_or_default();
    format!("{} {}{detail}", clock(step.at), printable(&step.what))
}

/// `10:02:20` in UTC.
fn clock(at: i64) -> String {
    let text = Timestamp::from_unix_millis(at).to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

fn verdict(login: &Login, now: Timestamp) -> Finding {
    let who = login.login.as_deref().map(|name| format!(" of {}", printable(name))).unwrap_or_default();
    let which = format!("sign-in{who} by {} (flow {})", printable(&login.client), printable(&login.flow));
    let Some(last) = login.steps.last() else {
        return warn(CHECK, format!("{which}: nothing is known of it"));
    };
    let refused = login.steps.iter().rev().find(|step| step.what.starts_with("refused"));
    let reached = |what: &str| login.steps.iter().any(|step| step.what == what);
    if reached("first_call") {
        return pass(CHECK, format!("{which}: complete, its first call came at {}", clock(last.at)));
    }
    // A wrong browser uses nothing up: the right one may have come after it.
    if let Some(step) = refused.filter(|_| !reached("code_issued")) {
        let detail = step.detail.as_deref().unwrap_or("no reason");
        let at = clock(step.at);
        let why = if step.what == "refused_at_gitea" { at_gitea(detail) } else { here(detail) };
        return fail(CHECK, format!("{which}: refused at {at} ({}): {why}", printable(detail)));
    }
    let says = format!("{which}: {}", stopped(&last.what, &clock(last.at)));
    if now.unix_millis() - last.at < PATIENCE {
        return warn(CHECK, format!("{says}; or it is still under way, then look again in two minutes"));
    }
    fail(CHECK, says)
}

/// What was done last, and what did not come after it.
fn stopped(what: &str, at: &str) -> String {
    match what {
        "approved" => format!(
            "approved {at}, nothing came back from Gitea: the person did not finish there, Gitea does not know the \
             redirect URI, or their browser cannot reach PUBLIC_BASE_URL/oauth/callback"
        ),
        "returned_from_gitea" => format!(
            "returned from Gitea {at}, the exchange with Gitea did not end: run `aegis-mcp doctor` to see whether this \
             server reaches Gitea"
        ),
        "signed_in" => format!(
            "signed in {at}, no code was issued: the client was revoked meanwhile, or there was no room; look for \
             login_refused in the audit log"
        ),
        "code_issued" => format!(
            "code issued {at}, never redeemed: the browser did not get back to the client (is it still running, and on \
             the machine of the browser?), or a proxy blocks the client at /oauth/token"
        ),
        "token_issued" => format!(
            "token issued {at}, no call followed: a proxy may be blocking the client's user agent; run `aegis-mcp \
             doctor` and look at public_user_agents"
        ),
        other => {
            format!("{} {at}, and nothing after it: look for its flow in the server's log", printable(other))
        }
    }
}

/// What Gitea sent the browser back with (RFC 6749 section 4.1.2.1).
fn at_gitea(error: &str) -> &'static str {
    match error {
        "access_denied" => "the person declined at Gitea; sign in again and authorize",
        "invalid_scope" | "unauthorized_client" | "invalid_request" => {
            "Gitea does not take the request of our application; run `aegis-mcp doctor` and look at gitea_application"
        }
        _ => "Gitea could not do it; look into Gitea's log, then sign in again",
    }
}

/// What this server refused it for.
fn here(reason: &str) -> &'static str {
    if reason == "id_token_invalid:nonce" {
        return "another sign-in of the same person came in between; sign in again, one at a time";
    }
    let group = reason.split(':').next().unwrap_or_default();
    match group {
        "state_of_another_browser" => {
            "it came back in another browser, or that browser keeps no cookies; sign in again in one window, not in an \
             embedded one"
        }
        "not_allowed" => "SIGNIN_ALLOW does not admit this account; add its login, organisation or team",
        "grant_too_narrow" | "grant_too_wide" => {
            "what the person granted in Gitea earlier does not fit and never changes by itself; they revoke the \
             application in Gitea (Settings, Applications) and sign in again"
        }
        "gitea_client_rejected" => {
            "Gitea does not take our client id and secret; compare GITEA_OAUTH_CLIENT_ID and \
             GITEA_OAUTH_CLIENT_SECRET with the application in Gitea"
        }
        "gitea_redirect_uri_rejected" => {
            "Gitea does not know our redirect URI; register exactly PUBLIC_BASE_URL/oauth/callback"
        }
        "gitea_unreachable" | "gitea_timed_out" | "gitea_failed" => {
            "this server did not get an answer from Gitea; run `aegis-mcp doctor`"
        }
        "gitea_user_blocked" => {
            "Gitea keeps this user out; they sign in at Gitea to see why (a new password, an activation), then here again"
        }
        "gitea_refused_code" => "Gitea's code was used up or too old; sign in again",
        "id_token_invalid" | "access_token_invalid" => {
            "what Gitea issued is not valid; run `aegis-mcp doctor` and look at gitea_clock, gitea_keys and \
             gitea_discovery"
        }
        "grant_not_kept" => {
            "what Gitea granted could not be kept; run `aegis-mcp doctor` and look at registry_volume"
        }
        _ => "look for its flow in the server's log and the audit log, then sign in again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Verdict;

    /// 2026-01-31T10:02:00Z
    const START: i64 = 1_769_853_720_000;

    fn login(steps: &[(&str, Option<&str>)]) -> Login {
        let step = |(index, (what, detail)): (i64, &(&str, Option<&str>))| Step {
            at: START + index * 5_000,
            what: (*what).to_owned(),
            detail: detail.map(str::to_owned),
        };
        Login {
            flow: "0a1b2c3d".to_owned(),
            client: "Claude".to_owned(),
            login: Some("alice".to_owned()),
            family: None,
            steps: (0..).zip(steps).map(step).collect(),
        }
    }

    fn verdict_of(steps: &[(&str, Option<&str>)]) -> Finding {
        look(&[login(steps)], Timestamp::from_unix_millis(START + 600_000)).pop().unwrap()
    }

    const WHOLE: [&str; 6] =
        ["approved", "returned_from_gitea", "signed_in", "code_issued", "token_issued", "first_call"];

    #[test]
    fn each_stop_is_explained() {
        for (reached, words) in [
            (1, "approved 10:02:00, nothing came back from Gitea"),
            (2, "returned from Gitea 10:02:05, the exchange with Gitea did not end"),
            (3, "signed in 10:02:10, no code was issued"),
            (4, "code issued 10:02:15, never redeemed"),
            (5, "token issued 10:02:20, no call followed: a proxy may be blocking the client's user agent"),
        ] {
            let steps: Vec<_> = WHOLE.iter().take(reached).map(|what| (*what, None)).collect();
            let found = verdict_of(&steps);
            assert_eq!(found.verdict, Verdict::Fail, "{found:?}");
            assert!(found.says.contains(words) && found.says.contains("alice"), "{found:?}");
        }
        let whole = verdict_of(&WHOLE.map(|what| (what, None)));
        assert_eq!(whole.verdict, Verdict::Pass);
        assert!(whole.says.contains("complete, its first call came at 10:02:25"), "{whole:?}");
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        for (what, reason, words) in [
            ("refused", "state_of_another_browser", "another browser"),
            ("refused", "not_allowed", "SIGNIN_ALLOW"),
            ("refused", "grant_too_narrow", "revoke the application in Gitea"),
            ("refused", "grant_too_wide", "revoke the application in Gitea"),
            ("refused", "gitea_client_rejected", "GITEA_OAUTH_CLIENT_SECRET"),
            ("refused", "gitea_redirect_uri_rejected", "/oauth/callback"),
            ("refused", "gitea_unreachable", "doctor"),
            ("refused", "gitea_timed_out", "doctor"),
            ("refused", "gitea_user_blocked", "password"),
            ("refused", "gitea_refused_code", "sign in again"),
            ("refused", "id_token_invalid:nonce", "another sign-in"),
            ("refused", "id_token_invalid:not_yet", "gitea_clock"),
            ("refused", "access_token_invalid:kind", "gitea_keys"),
            ("refused", "grant_not_kept", "registry_volume"),
            ("refused", "something_new", "log"),
            ("refused_at_gitea", "access_denied", "declined"),
            ("refused_at_gitea", "invalid_scope", "gitea_application"),
            ("refused_at_gitea", "server_error", "Gitea's log"),
        ] {
            let found = verdict_of(&[("approved", None), (what, Some(reason))]);
            assert_eq!(found.verdict, Verdict::Fail);
            assert!(found.says.contains(words) && found.says.contains("10:02:05"), "{reason}: {found:?}");
        }
    }

    #[test]
    fn the_right_browser_after_a_wrong_one_counts() {
        let steps = [
            ("approved", None),
            ("refused", Some("state_of_another_browser")),
            ("returned_from_gitea", None),
            ("signed_in", None),
            ("code_issued", None),
        ];
        assert!(verdict_of(&steps).says.contains("never redeemed"));
    }

    #[test]
    fn what_may_still_be_under_way_is_no_failure() {
        let now = Timestamp::from_unix_millis(START + 30_000);
        let found = look(&[login(&[("approved", None)])], now).pop().unwrap();
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(found.says.contains("still under way"), "{found:?}");
    }

    #[test]
    fn the_newest_is_told_and_nobody_is_told_too() {
        let mut newer = login(&[("approved", None)]);
        newer.client = "Newer".to_owned();
        newer.steps[0].at += 60_000;
        let found =
            look(&[newer, login(&WHOLE.map(|what| (what, None)))], Timestamp::from_unix_millis(START * 2));
        assert_eq!(found.len(), 2);
        assert!(found[1].says.contains("Newer"), "{found:?}");
        let none = look(&[], Timestamp::from_unix_millis(START)).pop().unwrap();
        assert_eq!(none.verdict, Verdict::Warn);
    }

    #[test]
    fn a_client_cannot_steer_the_terminal_by_its_name() {
        let mut hostile = login(&[("approved", None)]);
        hostile.client = "Cl\u{1b}[2Jaude\n".to_owned();
        let found = look(&[hostile], Timestamp::from_unix_millis(START * 2)).pop().unwrap();
        assert!(!found.says.contains(char::is_control), "{found:?}");
    }
}
