//! Answers by which Gitea keeps a user out altogether: prohibited from signing in, not activated, or asked for a new
//! password first.
//!
//! Gitea says so with a 403 like any other, refreshing goes on, and only its own words tell it from a 403 about one
//! thing. So a 403 is looked into before it is handed on, bounded and without losing a byte of it. Anything that is
//! not word for word one of these is an ordinary refusal.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::Value;

use super::scrub::Scrub;
use crate::component::bindings::aegis::gateway::gitea::Failure;

/// Most bytes of a 403 that are looked into: the messages in question have about a hundred.
const MOST: usize = 4 << 10;
/// How Gitea's messages to people whom it keeps out begin (`verifyAuthWithOptions` in its `routers/api/v1/api.go`).
const MESSAGES: [&str; 3] = [
    "This account is prohibited from signing in",
    "This account is not activated",
    "You must change your password",
];

/// Whether an answer of the API keeps its user out.
pub(super) fn says(status: StatusCode, body: &Value) -> bool {
    let message = body.get("message").and_then(Value::as_str).unwrap_or_default();
    status == StatusCode::FORBIDDEN && MESSAGES.iter().any(|known| message.starts_with(known))
}

/// An answer whose body may have been looked into.
pub(super) struct Arrived {
    parts: http::response::Parts,
    /// The beginning of the body.
    first: Bytes,
    /// The rest of it.
    body: Incoming,
    /// What must not be in it.
    scrub: Scrub,
}

impl Arrived {
    /// As it came.
    pub(super) fn of(response: http::Response<Incoming>, scrub: Scrub) -> Self {
        let (parts, body) = response.into_parts();
        Self { parts, first: Bytes::new(), body, scrub }
    }

    /// With the beginning of a 403 at hand.
    ///
    /// # Errors
    /// It broke off.
    pub(super) async fn looked_into(
        response: http::Response<Incoming>,
        scrub: Scrub,
    ) -> Result<Self, Failure> {
        let mut arrived = Self::of(response, scrub);
        if arrived.status() != StatusCode::FORBIDDEN {
            return Ok(arrived);
        }
        let mut first = BytesMut::new();
        while first.len() <= MOST {
            match arrived.body.frame().await {
                None => break,
                Some(Err(error)) => return Err(Failure::Broken(error.to_string())),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        first.extend_from_slice(&data);
                    }
                }
            }
        }
        arrived.first = first.freeze();
        Ok(arrived)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.parts.status
    }

    /// Whether it keeps its user out. Only of an answer that was looked into.
    pub(super) fn keeps_out(&self) -> bool {
        serde_json::from_slice(&self.first).is_ok_and(|body| says(self.parts.status, &body))
    }

    /// Head, beginning, rest, and what must not be in them.
    pub(super) fn into_parts(self) -> (http::response::Parts, Bytes, Incoming, Scrub) {
        (self.parts, self.first, self.body, self.scrub)
    }
}

#[cfg(test)]
mod tests {
    use super::says;
    use http::StatusCode;
    use serde_json::json;

    #[test]
    fn only_gitea_s_own_words_about_the_account_keep_somebody_out() {
        let said = |message: &str| says(StatusCode::FORBIDDEN, &json!({ "message": message }));
        assert!(said("This account is prohibited from signing in, please contact your site administrator."));
        assert!(said("This account is not activated."));
        assert!(said(
            "You must change your password. Change it at: https://gitea.example/user/change_password"
        ));
        for ordinary in [
            "token does not have at least one of required scope(s), required=[read:issue], token scope=read:user",
            "user should have permission to write to this repository",
            "Only administrators allowed to sudo.",
            "Reason: This account is prohibited from signing in",
            "",
        ] {
            assert!(!said(ordinary), "{ordinary}");
        }
        let kept_out = json!({ "message": "This account is not activated." });
        assert!(!says(StatusCode::OK, &kept_out) && !says(StatusCode::NOT_FOUND, &kept_out));
        assert!(!says(StatusCode::FORBIDDEN, &json!("This account is not activated.")));
    }
}
