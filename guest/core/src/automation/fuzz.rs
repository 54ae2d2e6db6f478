//! Damaged and hostile deliveries that are signed all the same: whoever has the secret may still write anything.

use aegis_fuzz::campaign;
use http::HeaderMap;
use serde_json::Value;

use super::{Desk, webhook};
use crate::tools::fake::World;

const WORDS: &[&str] = &[
    r#""repository":"#,
    r#"{"name":"site","owner":{"login":"acme"}}"#,
    r#""owner":{"login":"../.."}"#,
    r#""name":"a/b""#,
    r#""name":"%2e%2e""#,
    r#""login":null"#,
    r#""action":"opened""#,
    r#""action":["opened"]"#,
    r#""ref":"refs/heads/main""#,
    r#""default_branch":"main""#,
    "\u{202e}",
    "\u{0}",
    "{",
    "[[[[[[[[",
    "1e999",
];

/// What is on record and what is started: never without a repository that the delivery names, and nothing is asked of
/// Gitea before that.
#[test]
fn deliveries() {
    let pairs = [("x-gitea-signature", "good"), ("x-gitea-delivery", "d-1"), ("x-gitea-event", "issues")];
    let headers: HeaderMap =
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    campaign("deliveries", WORDS, |input| {
        let world = World::open();
        let config = world.config();
        let desk = Desk { ports: world.ports(), config: &config, request_id: "req-1" };
        let verified = webhook::verify(&desk, &headers, input).map_err(|refused| refused.line().reason);
        let accepted = verified
            .and_then(|verified| webhook::accept(&desk, verified).map_err(|refused| refused.line().reason));
        let how = match &accepted {
            Ok(Ok(accepted)) => {
                webhook::hand_over(&desk, accepted);
                "taken".to_owned()
            }
            Ok(Err(failed)) => failed.error.reason().to_owned(),
            Err(reason) => (*reason).to_owned(),
        };
        let state = world.state.borrow();
        assert!(state.requests.is_empty(), "nothing is asked for a delivery");
        assert!(state.handed.is_empty() || how == "taken", "{how}");
        if how == "taken" {
            // An independent reader finds the same repository.
            let body: Value = serde_json::from_slice(input).expect("JSON");
            let named = |at: &str| body.pointer(at).and_then(Value::as_str).map(str::to_owned);
            let event = state.events.first().expect("it is on record");
            assert_eq!(event.owner, named("/repository/owner/login"));
            assert_eq!(event.repo, named("/repository/name"));
        }
        format!("{how} {}", state.handed.len())
    });
}
