//! How a refusal looks to whoever reads it: the same name, status and advice in four envelopes.
//!
//! What is refused, and under which name, is not decided here.

use std::borrow::Cow;

use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::json;

use super::{Extra, Line, Refusal};
use crate::admission::Refused;
use crate::oauth::challenge::SignIn;
use crate::oauth::notice::Notice;
use crate::selection::Unreadable;

/// How a refusal is put on the wire.
pub enum Envelope<'a> {
    /// `{"error": reason, "message": …}`.
    Plain,
    /// The error of `POST /mcp/tool/call`, so that whoever reads `error.code` there reads it always.
    Direct {
        /// The id of the request: there is no ticket.
        correlation_id: &'a str,
    },
    /// The error of RFC 6749 section 5.2, whose codes are the only ones that OAuth clients know.
    Client,
    /// A page for a person in front of a browser.
    Person(Notice<'a>),
}

impl Refusal {
    /// The answer. `sign_in` is where clients learn how to sign in; none where they have keys.
    #[must_use]
    pub fn response(&self, envelope: &Envelope<'_>, sign_in: Option<SignIn<'_>>) -> Response<Vec<u8>> {
        let line = self.line();
        let message = self.message(&line, sign_in.is_some());
        let mut response = self.enveloped(envelope, &line, &message);
        let headers = response.headers_mut();
        if matches!(envelope, Envelope::Client) {
            headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        }
        match line.header {
            Extra::Nothing => {}
            Extra::Allow(methods) => {
                headers.insert(ALLOW, HeaderValue::from_static(methods));
            }
            Extra::Challenge => {
                challenge(headers, &sign_in.map_or("Bearer".to_owned(), |sign_in| sign_in.missing()));
            }
            // RFC 6750 section 3.1: an error code only where a credential was presented.
            Extra::Invalid => {
                let bare = "Bearer error=\"invalid_token\"".to_owned();
                challenge(headers, &sign_in.map_or(bare, |sign_in| sign_in.invalid(&message)));
            }
            Extra::Signature => challenge(headers, "HMAC-SHA256 realm=\"X-Gitea-Signature\""),
            Extra::Basic => challenge(headers, "Basic realm=\"AegisGitea-MCP\", charset=\"UTF-8\""),
            // RFC 9110 section 10.2.3; zero would invite the next request at once.
            Extra::RetryAfter(seconds) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
        }
        response
    }

    fn enveloped(&self, envelope: &Envelope<'_>, line: &Line, message: &str) -> Response<Vec<u8>> {
        let plain = || json!({ "error": line.reason, "message": message });
        let document = match envelope {
            Envelope::Plain => plain(),
            Envelope::Direct { correlation_id } => json!({
                "success": false,
                "error": { "code": line.reason, "message": message },
                "correlation_id": correlation_id,
            }),
            Envelope::Client => json!({ "error": self.code(line.status), "error_description": message }),
            Envelope::Person(notice) => match notice.page(line.status, line.reason, message) {
                Some(page) => return page,
                None => plain(),
            },
        };
        let mut response = Response::new(document.to_string().into_bytes());
        *response.status_mut() = line.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// `error` for an OAuth client. What has none of its own gets the one that fits its status.
    fn code(&self, status: StatusCode) -> &'static str {
        if let Self::Client(refused) = self {
            return refused.line().code;
        }
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => "server_error",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            _ => "invalid_request",
        }
    }

    fn message(&self, line: &Line, signs_in: bool) -> Cow<'static, str> {
        match self {
            Self::MalformedBody(why) | Self::UnsupportedMediaType(why) => (*why).into(),
            Self::UnreadableSelection(Unreadable { header, why }) => {
                format!("The header {header} {why}.").into()
            }
            Self::Admission(refused) if signs_in => sign_in_message(*refused).unwrap_or(line.message).into(),
            Self::Client(refused) => refused.description(),
            Self::Misconfigured(_)
            | Self::UnknownHost
            | Self::ForeignOrigin
            | Self::TokenInQuery
            | Self::TwoCredentials
            | Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::EncodedBody
            | Self::NotAcceptable
            | Self::EventsNotAccepted
            | Self::NoSuchStream
            | Self::Automation(_)
            | Self::Admission(_) => line.message.into(),
        }
    }
}

/// What to do where people sign in and nobody has a key. ASCII without `"` and `\`: it stands in a header too.
fn sign_in_message(refused: Refused) -> Option<&'static str> {
    match refused {
        Refused::MissingCredential => {
            Some("Sign in first. The header WWW-Authenticate names the document that says how.")
        }
        Refused::UnknownCredential => {
            Some("This token was not given by this server for this server, or was revoked. Sign in again.")
        }
        Refused::ExpiredCredential => Some("This token has expired. Refresh it, or sign in again."),
        Refused::MalformedCredential
        | Refused::RateLimited(_)
        | Refused::TooManyFailures(_)
        | Refused::TooManyConcurrent
        | Refused::LacksScope
        | Refused::IdentityUnavailable => None,
    }
}

/// Puts a challenge on an answer. One that could not be a header is left out: the status says the same.
pub(crate) fn challenge(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(WWW_AUTHENTICATE, value);
    }
}
