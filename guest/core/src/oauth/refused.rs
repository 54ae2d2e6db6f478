//! Every way a client is refused at `/register`, `/oauth/token` and `/oauth/revoke`: one name, one status, one
//! error code of its RFC and one audit line each.
//!
//! Descriptions say what to do and never repeat what a client sent. A client id stands in the record as a
//! fingerprint: ids of registered clients are long, and no secret should sit beside them.

use std::borrow::Cow;

use http::StatusCode;

use super::form::{Duplicate, Malformed};
use super::redirect::BadRedirect;
use super::resource::InvalidTarget;
use super::scope::InvalidScope;
use crate::audit;
use crate::ports::{Kind, Recorded, Remark};

/// Why a client does not get what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The body is longer than so many bytes.
    TooLarge(usize),
    /// The body is not a form.
    MalformedForm,
    /// A parameter is there more than once.
    RepeatedParameter,
    /// A parameter is not there.
    MissingParameter(&'static str),
    /// A parameter cannot be what it should be.
    MalformedParameter(&'static str),
    /// The client did not prove itself.
    Client {
        /// How it failed to.
        why: BadClient,
        /// Whether it tried by the header `Authorization`, which RFC 6749 section 5.2 wants answered in kind.
        header: bool,
        /// Fingerprint of the id that it gave.
        client: Option<String>,
    },
    /// The code or the refresh token is not good, or not this client's.
    InvalidGrant {
        /// Fingerprint of the client's id.
        client: String,
        /// Whether it may have been made up: whoever comes with what was good once has guessed nothing.
        guess: bool,
    },
    /// Neither a code nor a refresh token is offered.
    UnsupportedGrantType,
    /// A scope that does not exist, or more than was granted.
    InvalidScope,
    /// A resource that is not this server.
    InvalidTarget,
    /// Codes and tokens cannot be judged now.
    Unavailable,
    /// `DCR_ENABLED` is false.
    RegistrationClosed,
    /// The registration is not what RFC 7591 section 2 says, and which member is wrong.
    MalformedRegistration(&'static str),
    /// A redirect URI that nobody may register here, and what is wrong with it.
    RedirectNotAllowed(BadRedirect),
}

/// How a client failed to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadClient {
    /// It did not say who it is.
    Unnamed,
    /// It gave two proofs, or two names.
    TwoWays,
    /// What stands in `Authorization` is not Basic with an id and a secret.
    Unreadable,
    /// A method that is not offered here.
    UnknownMethod,
    /// Unknown id, wrong secret, or another method than the registered one. Nobody is told which.
    Wrong,
}

/// A refusal on the wire and on record.
pub struct Line {
    /// The kind of its audit line.
    pub kind: Kind,
    /// Its name.
    pub reason: &'static str,
    /// Its status.
    pub status: StatusCode,
    /// `error` (RFC 6749 section 5.2, RFC 7591 section 3.2.2, RFC 8707 section 2).
    pub code: &'static str,
    /// `error_description`: ASCII without `"` and `\`.
    pub description: &'static str,
}

impl From<Duplicate> for Refused {
    fn from(Duplicate: Duplicate) -> Self {
        Self::RepeatedParameter
    }
}

impl From<Malformed> for Refused {
    fn from(Malformed: Malformed) -> Self {
        Self::MalformedForm
    }
}

impl From<InvalidScope> for Refused {
    fn from(InvalidScope: InvalidScope) -> Self {
        Self::InvalidScope
    }
}

impl From<InvalidTarget> for Refused {
    fn from(InvalidTarget: InvalidTarget) -> Self {
        Self::InvalidTarget
    }
}

impl Refused {
    /// Whether it may have been a guess at a secret, a code or a token; guesses are counted.
    #[must_use]
    pub fn is_guess(&self) -> bool {
        match self {
            Self::InvalidGrant { guess, .. } => *guess,
            Self::Client { why, .. } => *why != BadClient::Unnamed,
            Self::TooLarge(_)
            | Self::MalformedForm
            | Self::RepeatedParameter
            | Self::MissingParameter(_)
            | Self::MalformedParameter(_)
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::Unavailable
            | Self::RegistrationClosed
            | Self::MalformedRegistration(_)
            | Self::RedirectNotAllowed(_) => false,
        }
    }

    /// `error_description`, with the parameter or the limit in question.
    #[must_use]
    pub fn description(&self) -> Cow<'static, str> {
        match self {
            Self::TooLarge(bytes) => format!("The body may have at most {bytes} bytes.").into(),
            Self::MissingParameter(name) => format!("The parameter {name} is required.").into(),
            Self::MalformedParameter(name) => {
                format!("The parameter {name} does not have the form that it must have.").into()
            }
            Self::MalformedRegistration(why) => (*why).into(),
            Self::RedirectNotAllowed(bad) => {
                format!("A redirect URI cannot be registered. {}", bad.why().replace('"', "'")).into()
            }
            Self::MalformedForm
            | Self::RepeatedParameter
            | Self::Client { .. }
            | Self::InvalidGrant { .. }
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::Unavailable
            | Self::RegistrationClosed => self.line().description.into(),
        }
    }

    /// The audit line.
    #[must_use]
    pub fn remark(&self) -> Remark {
        let detail = match self {
            Self::MissingParameter(name) | Self::MalformedParameter(name) => {
                Some(("parameter", (*name).to_owned()))
            }
            Self::MalformedRegistration(why) => Some(("why", (*why).to_owned())),
            Self::RedirectNotAllowed(bad) => Some(("why", bad.why().to_owned())),
            Self::Client { client, .. } => client.clone().map(|client| ("client", client)),
            Self::InvalidGrant { client, .. } => Some(("client", client.clone())),
            Self::TooLarge(_)
            | Self::MalformedForm
            | Self::RepeatedParameter
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::Unavailable
            | Self::RegistrationClosed => None,
        };
        let line = self.line();
        Remark {
            kind: line.kind,
            reason: line.reason.to_owned(),
            tool: None,
            owner: None,
            repo: None,
            paths: Vec::new(),
            detail: detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// What it is on the wire and on record.
    #[must_use]
    pub fn line(&self) -> Line {
        use Kind::{AccessDenied, SecurityEvent};
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let asked = "invalid_request";
        match self {
            Self::TooLarge(_) => {
                line(AccessDenied, "oauth_body_too_large", StatusCode::PAYLOAD_TOO_LARGE, asked, "")
            }
            Self::MalformedForm => line(
                AccessDenied,
                "malformed_form",
                BAD,
                asked,
                "The body is not application/x-www-form-urlencoded in UTF-8 with at most 32 parameters.",
            ),
            Self::RepeatedParameter => line(
                SecurityEvent,
                "repeated_parameter",
                BAD,
                asked,
                "A parameter is there more than once. Send each once.",
            ),
            Self::MissingParameter(_) => line(AccessDenied, "missing_parameter", BAD, asked, ""),
            Self::MalformedParameter(_) => line(AccessDenied, "malformed_parameter", BAD, asked, ""),
            Self::Client { why, .. } => bad_client(*why),
            Self::InvalidGrant { .. } => line(
                SecurityEvent,
                "invalid_grant",
                BAD,
                "invalid_grant",
                "The code or refresh token is not valid, was used, has expired, was revoked, or belongs to \
                 another client or redirect URI. Sign in again.",
            ),
            Self::UnsupportedGrantType => line(
                AccessDenied,
                "unsupported_grant_type",
                BAD,
                "unsupported_grant_type",
                "grant_type is authorization_code or refresh_token.",
            ),
            Self::InvalidScope => line(
                AccessDenied,
                "invalid_scope",
                BAD,
                "invalid_scope",
                "The scopes are read:repository and write:repository, and a refresh cannot add one.",
            ),
            Self::InvalidTarget => line(
                SecurityEvent,
                "invalid_target",
                BAD,
                "invalid_target",
                "resource names another server. Tokens given here are for this one.",
            ),
            Self::Unavailable => line(
                AccessDenied,
                "tokens_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "This cannot be checked at the moment. Try again when Retry-After has passed.",
            ),
            Self::RegistrationClosed => line(
                AccessDenied,
                "registration_closed",
                StatusCode::FORBIDDEN,
                "access_denied",
                "Clients cannot register themselves on this server. Use a client id metadata document, or ask \
                 the operator for a client id.",
            ),
            Self::MalformedRegistration(_) => {
                line(AccessDenied, "invalid_client_metadata", BAD, "invalid_client_metadata", "")
            }
            Self::RedirectNotAllowed(_) => {
                line(SecurityEvent, "invalid_redirect_uri", BAD, "invalid_redirect_uri", "")
            }
        }
    }
}

fn bad_client(why: BadClient) -> Line {
    use Kind::{AccessDenied, SecurityEvent};
    let client = |kind, reason, description| {
        line(kind, reason, StatusCode::UNAUTHORIZED, "invalid_client", description)
    };
    match why {
        BadClient::Unnamed => {
            client(AccessDenied, "client_not_named", "Say which client asks: send client_id.")
        }
        BadClient::TwoWays => client(
            SecurityEvent,
            "two_client_proofs",
            "A client proves itself in one way: in the header Authorization, or in the form.",
        ),
        BadClient::Unreadable => client(
            SecurityEvent,
            "unreadable_client_proof",
            "The header Authorization is not Basic with a client id and a client secret.",
        ),
        BadClient::UnknownMethod => client(
            AccessDenied,
            "unknown_client_method",
            "Clients prove themselves by none, client_secret_basic or client_secret_post.",
        ),
        BadClient::Wrong => client(
            SecurityEvent,
            "invalid_client",
            "The client is not known here, its secret is wrong, or it registered another way to prove itself. \
             Register again.",
        ),
    }
}

fn line(
    kind: Kind,
    reason: &'static str,
    status: StatusCode,
    code: &'static str,
    description: &'static str,
) -> Line {
    Line { kind, reason, status, code, description }
}

/// How a client id stands in the record: the first half of its SHA-256.
pub(super) fn fingerprint(client_id: &str) -> String {
    match audit::text(client_id) {
        Recorded::Text { sha256, .. } | Recorded::Scalar(sha256) => sha256.chars().take(32).collect(),
    }
}
