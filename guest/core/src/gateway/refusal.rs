//! Everything refused outside MCP: one name, one status, one audit line each, in one exhaustive map.
//!
//! A new refusal does not compile until it has all of them. Messages say what to do and never repeat what a
//! client sent.

mod wire;

use http::StatusCode;

use crate::admission::Refused;
use crate::automation;
use crate::oauth;
use crate::ports::{Kind, Remark};
use crate::selection::Unreadable;
use crate::settings::Invalid;

pub use wire::Envelope;
pub(super) use wire::challenge;

/// How long a client waits before it asks again while credentials cannot be checked, in seconds.
const IDENTITY_RETRY_SECONDS: u32 = 5;

/// How long Gitea waits while no more deliveries can be remembered, in seconds: some are forgotten every day.
const MEMORY_RETRY_SECONDS: u32 = 3_600;

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
    /// The body is not declared as what it has to be, and how to declare it.
    UnsupportedMediaType(&'static str),
    /// The body is compressed or otherwise encoded.
    EncodedBody,
    /// The client does not accept JSON.
    NotAcceptable,
    /// The client does not accept events, and the answer is a stream.
    EventsNotAccepted,
    /// An answer would go to a stream that is not there, is another caller's, or takes no more.
    NoSuchStream,
    /// A header by which the client chooses its tools cannot be understood.
    UnreadableSelection(Unreadable),
    /// The body of a direct call is not what it should be.
    MalformedBody(&'static str),
    /// Nobody was proved, or there is no room.
    Admission(Refused),
    /// Automation takes or starts nothing.
    Automation(automation::Refused),
    /// An OAuth client does not get what it asks for.
    Client(oauth::refused::Refused),
}

impl From<oauth::refused::Refused> for Refusal {
    fn from(refused: oauth::refused::Refused) -> Self {
        Self::Client(refused)
    }
}

impl From<automation::Refused> for Refusal {
    fn from(refused: automation::Refused) -> Self {
        Self::Automation(refused)
    }
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

/// The header that a status asks for.
enum Extra {
    Nothing,
    Allow(&'static str),
    /// Sign the body.
    Signature,
    /// Sign in; nothing was presented.
    Challenge,
    /// Sign in again; what was presented is no good.
    Invalid,
    /// A client tried to prove itself by Basic.
    Basic,
    RetryAfter(u32),
}

impl Refusal {
    /// The name of this refusal, on the wire and in the audit trail.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.line().reason
    }

    /// The audit line.
    #[must_use]
    pub fn remark(&self) -> Remark {
        if let Self::Client(refused) = self {
            return refused.remark();
        }
        let line = self.line();
        Remark {
            kind: line.kind,
            reason: line.reason.to_owned(),
            tool: None,
            owner: None,
            repo: None,
            paths: Vec::new(),
            detail: self.detail(),
        }
    }

    fn detail(&self) -> Vec<(String, String)> {
        match self {
            Self::UnreadableSelection(Unreadable { header, .. }) => {
                vec![("header".to_owned(), (*header).to_owned())]
            }
            Self::Misconfigured(_)
            | Self::UnknownHost
            | Self::ForeignOrigin
            | Self::TokenInQuery
            | Self::TwoCredentials
            | Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::UnsupportedMediaType(_)
            | Self::EncodedBody
            | Self::NotAcceptable
            | Self::EventsNotAccepted
            | Self::NoSuchStream
            | Self::MalformedBody(_)
            | Self::Admission(_)
            | Self::Automation(_)
            | Self::Client(_) => Vec::new(),
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
            Self::UnsupportedMediaType(_) => line(
                AccessDenied,
                "unsupported_media_type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Declare the body as what it is.",
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
            Self::EventsNotAccepted => line(
                AccessDenied,
                "events_not_accepted",
                StatusCode::NOT_ACCEPTABLE,
                "The answer is a stream of events: send Accept: text/event-stream.",
                Nothing,
            ),
            Self::NoSuchStream => line(
                AccessDenied,
                "no_such_stream",
                StatusCode::NOT_FOUND,
                "The stream that this request names has ended. Open a new one with GET, and post where it says.",
                Nothing,
            ),
            Self::UnreadableSelection(_) => line(
                AccessDenied,
                "malformed_tool_selection",
                StatusCode::BAD_REQUEST,
                "A header that chooses tools cannot be understood.",
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
            Self::Automation(refused) => of_automation(*refused),
            Self::Client(refused) => client(refused),
        }
    }
}

fn admission(refused: Refused) -> Line {
    use Extra::{Challenge, Invalid, RetryAfter};
    use Kind::{AccessDenied, SecurityEvent};
    match refused {
        Refused::MissingCredential => line(
            AccessDenied,
            "missing_credential",
            StatusCode::UNAUTHORIZED,
            "Sign in: send Authorization: Bearer followed by your key.",
            Challenge,
        ),
        Refused::MalformedCredential => line(
            SecurityEvent,
            "malformed_credential",
            StatusCode::UNAUTHORIZED,
            "The Authorization header is not Bearer followed by one token.",
            Invalid,
        ),
        Refused::UnknownCredential => line(
            SecurityEvent,
            "invalid_credential",
            StatusCode::UNAUTHORIZED,
            "This credential is not known here. Check the key, or ask the operator for one.",
            Invalid,
        ),
        Refused::ExpiredCredential => line(
            AccessDenied,
            "expired_credential",
            StatusCode::UNAUTHORIZED,
            "This credential has expired. Get a new one.",
            Invalid,
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

/// The map of automation is beside what it refuses.
fn of_automation(refused: automation::Refused) -> Line {
    use automation::Refused as Automation;
    let header = match refused {
        Automation::Unsigned | Automation::Forged => Extra::Signature,
        Automation::Full => Extra::RetryAfter(MEMORY_RETRY_SECONDS),
        Automation::TooManyConcurrent => Extra::RetryAfter(1),
        Automation::Disabled
        | Automation::Replayed
        | Automation::Malformed(_)
        | Automation::NotPermitted
        | Automation::UnknownJob
        | Automation::JobOff
        | Automation::JobRunning
        | Automation::ChangesNothing => Extra::Nothing,
    };
    let said = refused.line();
    line(said.kind, said.reason, said.status, said.message, header)
}

/// The map for clients is beside the endpoints that refuse them.
fn client(refused: &oauth::refused::Refused) -> Line {
    use oauth::refused::Refused as Client;
    let header = match refused {
        Client::Client { header: true, .. } => Extra::Basic,
        Client::Unavailable => Extra::RetryAfter(IDENTITY_RETRY_SECONDS),
        Client::Client { header: false, .. }
        | Client::TooLarge(_)
        | Client::MalformedForm
        | Client::RepeatedParameter
        | Client::MissingParameter(_)
        | Client::MalformedParameter(_)
        | Client::InvalidGrant { .. }
        | Client::UnsupportedGrantType
        | Client::InvalidScope
        | Client::InvalidTarget
        | Client::RegistrationClosed
        | Client::MalformedRegistration(_)
        | Client::RedirectNotAllowed(_) => Extra::Nothing,
    };
    let said = refused.line();
    line(said.kind, said.reason, said.status, said.description, header)
}

fn line(kind: Kind, reason: &'static str, status: StatusCode, message: &'static str, header: Extra) -> Line {
    Line { kind, reason, status, message, header }
}
