//! How this guest behaves when it is to replace another: a comment in the policy says so, which any guest reads past.

use std::time::Duration;

use crate::bindings::aegis::gateway::types::Problem;
use crate::bindings::aegis::gateway::{settings, telemetry};
use crate::spin;

/// The entry of a prepared policy that says that the manners of a gateway are wanted.
const POLITE: &str = "polite";

/// What `preflight` does with this policy.
pub fn preflight(policy: &str) -> Result<Vec<(String, Vec<u8>)>, Vec<Problem>> {
    let asked = policy.lines().find_map(|line| line.strip_prefix("# candidate: "));
    match asked {
        Some("trap") => panic!("on purpose, in preflight"),
        Some("loop") => spin(),
        Some("wait") => std::thread::sleep(Duration::from_secs(3600)),
        Some("slow") => {
            telemetry::log(telemetry::Level::Warning, "candidate_is_slow", &[]);
            std::thread::sleep(Duration::from_secs(6));
            return Ok(vec![(POLITE.to_owned(), Vec::new())]);
        }
        Some("problem") => {
            let message = "is not to its liking".to_owned();
            return Err(vec![Problem { source: "policy".to_owned(), line: 1, column: 1, message }]);
        }
        Some("polite") => return Ok(vec![(POLITE.to_owned(), Vec::new())]),
        Some(_) | None => {}
    }
    Ok(Vec::new())
}

/// What a gateway answers to somebody who shows nothing, where those manners are wanted.
pub fn polite(path: &str, presented: &str) -> Option<(u16, &'static str)> {
    settings::prepared(POLITE)?;
    match path {
        "/" => Some((200, "{}")),
        "/mcp/tools" => Some((200, r#"{"tools":[{"name":"trap"}]}"#)),
        "/mcp" | "/mcp/tool/call" if presented.is_empty() => Some((401, "{}")),
        _ => None,
    }
}
