//! Everything refused outside MCP: one name, one status, one audit line each, in one exhaustive map.
//!
//! A new refusal does not compile until it has all of them. Messages say what to do and never repeat what a
//! client sent.

use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::json;

use crate::admission::Refused;
use crate::ports::{Kind, Remark};
use crate::settings::Invalid;

/// How long a client waits before it asks again while credentials cannot be checked, in seconds.
const IDENTITY_RETRY_SECONDS: u32 = 5;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A setting cannot be read, so nothing is served.
    Misconfigured(Invalid),
    /// The request is addressed to a host that is not ours.
    UnknownHost,
    /// It comes from a page of an origin that is not allowed.
    ForeignOrigin,
    /// It carries a credential in its URL.
    TokenInQuery,
    /// It carries two `Authorization` headers.
    TwoCredentials,
    /// The path does not exist.
    NoSuchPath,
    /// The path exists, for these methods.
    MethodNotAllowed(&'static str),
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// The body is compressed or otherwise encoded.
    EncodedBody,
    /// The client does not accept JSON.
    NotAcceptable,
    /// The body of a direct call is not what it should be.
    MalformedBody(&'static str),
    /// Nobody was proved, or there is no room.
    Admission(Refused),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Admission(refused)
    }
}

/// A refusal on the wire and on record.
struct Line {
    kind: Kind,
    reason: &'static str,
    status: StatusCode,
    message: &'static str,
    header: Extra,
}

/// How a refusal is put on the wire.
pub enum Envelope<'a> {
    /// `{"error": reason, "message": …}`.
    Plain,
    /// The error of `POST /mcp/tool/call`, so that whoever reads `error.code` there reads it always.
    Direct {
        /// The id of the request: there is no ticket.
        correlation_id: &'a str,
    },
}

/// The header that a status asks for.
enum Extra {
    Nothing,
    Allow(&'static str),
    Challenge(&'static str),
    RetryAfter(u32),
}

impl Refusal {
    /// The name of this refusal, on the wire and in the audit trail.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.line().reason
    }

    /// The answer.
    #[must_use]
    pub fn response(&self, envelope: &Envelope<'_>) -> Response<Vec<u8>> {
        let line = self.line();
        let message = match self {
            Self::MalformedBody(why) => why,
            Self::Misconfigured(_)
            | Self::UnknownHost
            | Self::ForeignOrigin
            | Self::TokenInQuery
            | Self::TwoCredentials
            | Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::UnsupportedMediaType
            | Self::EncodedBody
            | Self::NotAcceptable
            | Self::Admission(_) => line.message,
        };
        let body = match envelope {
            Envelope::Plain => json!({ "error": line.reason, "message": message }),
            Envelope::Direct { correlation_id } => json!({
                "success": false,
                "error": { "code": line.reason, "message": message },
                "correlation_id": correlation_id,
            }),
        };
        let mut response = Response::new(body.to_string().into_bytes());
        *response.status_mut() = line.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match line.header {
            Extra::Nothing => None,
            Extra::Allow(methods) => headers.insert(ALLOW, HeaderValue::from_static(methods)),
            Extra::Challenge(text) => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(text)),
            // RFC 9110 section 10.2.3; zero would invite the next request at once.
            Extra::RetryAfter(seconds) => headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1))),
        };
        response
    }

    /// The audit line.
    #[must_use]
    pub fn remark(&self) -> Remark {
        let line = self.line();
        Remark {
            kind: line.kind,
            reason: line.reason.to_owned(),
            tool: None,
            owner: None,
            repo: None,
            paths: Vec::new(),
            detail: Vec::new(),
        }
    }

    fn line(&self) -> Line {
        use Extra::{Allow, Nothing};
        use Kind::{AccessDenied, SecurityEvent};
        match self {
            Self::Misconfigured(_) => line(
                AccessDenied,
                "settings_invalid",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server's settings are not valid. Its operator finds the setting's name in the log.",
                Nothing,
            ),
            Self::UnknownHost => line(
                SecurityEvent,
                "unknown_host",
                StatusCode::MISDIRECTED_REQUEST,
                "This server does not answer for the host in the request. Its operator can set PUBLIC_BASE_URL or \
                 add the name to ALLOWED_HOSTS.",
                Nothing,
            ),
            Self::ForeignOrigin => line(
                SecurityEvent,
                "foreign_origin",
                StatusCode::FORBIDDEN,
                "Pages of this origin may not use this server. Its operator can add the origin to ALLOWED_ORIGINS.",
                Nothing,
            ),
            Self::TokenInQuery => line(
                SecurityEvent,
                "token_in_query",
                StatusCode::BAD_REQUEST,
                "Never put a credential into a URL: treat this one as leaked. Send it as Authorization: Bearer.",
                Nothing,
            ),
            Self::TwoCredentials => line(
                SecurityEvent,
                "two_credentials",
                StatusCode::BAD_REQUEST,
                "Send one Authorization header.",
                Nothing,
            ),
            Self::NoSuchPath => line(
                AccessDenied,
                "no_such_path",
                StatusCode::NOT_FOUND,
                "There is nothing at this path. The MCP endpoint is /mcp.",
                Nothing,
            ),
            Self::MethodNotAllowed(methods) => line(
                AccessDenied,
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This path does not take this method. The header Allow names those it takes.",
                Allow(methods),
            ),
            Self::UnsupportedMediaType => line(
                AccessDenied,
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body as Content-Type: application/json.",
                Nothing,
            ),
            Self::EncodedBody => line(
                SecurityEvent,
                "encoded_body",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Send the body without Content-Encoding.",
                Nothing,
            ),
            Self::NotAcceptable => line(
                AccessDenied,
                "not_acceptable",
                StatusCode::NOT_ACCEPTABLE,
                "Answers are JSON: send Accept: application/json, text/event-stream.",
                Nothing,
            ),
            Self::MalformedBody(_) => line(
                AccessDenied,
                "malformed_body",
                StatusCode::BAD_REQUEST,
                "The body is not a tool call.",
                Nothing,
            ),
            Self::Admission(refused) => admission(*refused),
        }
    }
}

fn admission(refused: Refused) -> Line {
    use Extra::{Challenge, RetryAfter};
    use Kind::{AccessDenied, SecurityEvent};
    // RFC 6750 section 3.1: no error code where no credential was presented.
    let invalid = || Challenge("Bearer error=\"invalid_token\"");
    match refused {
        Refused::MissingCredential => line(
            AccessDenied,
            "missing_credential",
            StatusCode::UNAUTHORIZED,
            "Sign in: send Authorization: Bearer followed by your key.",
            Challenge("Bearer"),
        ),
        Refused::MalformedCredential => line(
            SecurityEvent,
            "malformed_credential",
            StatusCode::UNAUTHORIZED,
            "The Authorization header is not Bearer followed by one token.",
            invalid(),
        ),
        Refused::UnknownCredential => line(
            SecurityEvent,
            "invalid_credential",
            StatusCode::UNAUTHORIZED,
            "This credential is not known here. Check the key, or ask the operator for one.",
            invalid(),
        ),
        Refused::ExpiredCredential => line(
            AccessDenied,
            "expired_credential",
            StatusCode::UNAUTHORIZED,
            "This credential has expired. Get a new one.",
            invalid(),
        ),
        Refused::RateLimited(seconds) => line(
            AccessDenied,
            "rate_limited",
            StatusCode::TOO_MANY_REQUESTS,
            "Too many requests. Wait as long as Retry-After says.",
            RetryAfter(seconds),
        ),
        Refused::TooManyFailures(seconds) => line(
            SecurityEvent,
            "too_many_auth_failures",
            StatusCode::TOO_MANY_REQUESTS,
            "Too many refused credentials from this address. Wait as long as Retry-After says, then use a good one.",
            RetryAfter(seconds),
        ),
        Refused::TooManyConcurrent => line(
            AccessDenied,
            "too_many_concurrent",
            StatusCode::TOO_MANY_REQUESTS,
            "This caller has as many requests in flight as one may have. Wait for one of them to end.",
            RetryAfter(1),
        ),
        Refused::LacksScope => line(
            AccessDenied,
            "oauth_token_lacks_api_scope",
            StatusCode::FORBIDDEN,
            "This token of Gitea carries none of the scopes needed. Revoke the application in Gitea (Settings, \
             Applications) and sign in again.",
            Extra::Nothing,
        ),
        Refused::IdentityUnavailable => line(
            AccessDenied,
            "identity_unavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            "Credentials cannot be checked at the moment. Try again when Retry-After has passed.",
            RetryAfter(IDENTITY_RETRY_SECONDS),
        ),
    }
}

fn line(kind: Kind, reason: &'static str, status: StatusCode, message: &'static str, header: Extra) -> Line {
    Line { kind, reason, status, message, header }
}
