//! Everything that goes wrong while somebody signs in: one name, one status, one audit line and one text each,
//! in one exhaustive map.
//!
//! What goes wrong before the redirect URI is proved stays on a page of ours; afterwards the client is told by
//! redirect (RFC 6749 section 4.1.2.1). Nothing that a client or a browser sent is repeated.

mod words;

use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::page::html::{Element, classed, el, link, saying};
use super::page::{Page, Unsendable, Visit, bake};
use super::redirect::BadRedirect;
use crate::audit;
use crate::ports::{Kind, NotBegun, NotOpened, Remark, SignInReason, SignInRefused, UnknownClient};
use words::Words;

/// Why somebody does not get on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The query of an authorization request cannot be read.
    Malformed,
    /// A parameter stands twice.
    Repeated,
    /// There is no `client_id`, or none that could be one.
    ClientMissing,
    /// Nobody knows this client.
    ClientUnknown,
    /// The operator revoked it.
    ClientRevoked,
    /// The host of its document is not allowed.
    ClientHostNotAllowed,
    /// Its document cannot be used; the host says why.
    ClientDocument(String),
    /// There is no `redirect_uri`.
    RedirectMissing,
    /// No client may use this redirect URI here.
    RedirectRefused(BadRedirect),
    /// This client may not use it.
    RedirectNotRegistered,
    /// The address has used up its minute; seconds to wait.
    TooMany(u32),
    /// Nothing can be sealed, or what the host gave cannot be sent.
    Unavailable,
    /// The approval does not come from our page.
    ConsentForeign,
    /// The approval is not a form of ours.
    ConsentMalformed,
    /// The request in it was not sealed here.
    ConsentForged,
    /// The page was open for too long, or its answer was sent before.
    ConsentExpired,
    /// Writes were approved and are off.
    ConsentWritesOff,
    /// What Gitea sent the browser back with cannot be read.
    CallbackMalformed,
    /// The state does not open.
    State(NotOpened),
    /// Gitea's error, other than that the person said no.
    GiteaError,
    /// Nobody is signed in.
    SignIn(SignInRefused),
    /// Somebody has signed in, and the host has no code for the client.
    CodeNotIssued,
    /// The client: `response_type` is not `code`.
    ResponseType,
    /// The client: `response_mode` is not `query`.
    ResponseMode,
    /// The client: `request`.
    RequestObject,
    /// The client: `request_uri`.
    RequestUri,
    /// The client: no challenge of 43 characters.
    Challenge,
    /// The client: not S256.
    ChallengeMethod,
    /// The client: a state that is too long or holds control characters.
    StateMalformed,
    /// The client: another server's resource.
    Resource,
    /// The client: a scope that does not exist.
    Scope,
    /// The client: no page may be shown, and one has to be.
    PromptNone,
    /// The person said no here.
    ConsentDenied,
    /// The person said no in Gitea.
    GiteaDenied,
}

/// A refusal on record and on its way.
struct Line {
    kind: Kind,
    reason: &'static str,
    way: Way,
}

/// Who is told, and how.
enum Way {
    /// The person, on a page of ours.
    Page(StatusCode, Words),
    /// The client, by redirect: `error` and `error_description`.
    Client(&'static str, &'static str),
}

/// Where a client is told: its proved redirect URI and its own state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) redirect_uri: String,
    pub(super) state: Option<String>,
}

/// A refusal with what its answer and its audit line need besides.
#[derive(Debug)]
pub(super) struct Failed {
    refusal: Refusal,
    rest: Box<Rest>,
}

#[derive(Debug, Default)]
struct Rest {
    back: Option<Back>,
    cookies: Vec<String>,
    detail: Vec<(String, String)>,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, rest: Box::default() }
    }
}

impl From<Unsendable> for Failed {
    fn from(_: Unsendable) -> Self {
        Refusal::Unavailable.into()
    }
}

impl From<UnknownClient> for Refusal {
    fn from(unknown: UnknownClient) -> Self {
        match unknown {
            UnknownClient::NotFound => Self::ClientUnknown,
            UnknownClient::Revoked => Self::ClientRevoked,
            UnknownClient::HostNotAllowed => Self::ClientHostNotAllowed,
            UnknownClient::Document(why) => Self::ClientDocument(why),
        }
    }
}

impl From<NotBegun> for Refusal {
    fn from(not_begun: NotBegun) -> Self {
        match not_begun {
            NotBegun::RedirectNotPermitted => Self::RedirectNotRegistered,
            NotBegun::Malformed => Self::ConsentMalformed,
            NotBegun::WritesOff => Self::ConsentWritesOff,
        }
    }
}

impl Back {
    /// The client's redirect URI with our answer added to its query (RFC 6749 section 3.1.2) and with `iss`, which
    /// every answer carries (RFC 9207).
    pub(super) fn with(&self, visit: &Visit<'_>, answer: &[(&str, &str)]) -> String {
        let issuer = visit.config.public_base_url.as_deref().unwrap_or_default();
        let state = self.state.as_deref().map(|state| ("state", state));
        let mut to = self.redirect_uri.clone();
        for (name, value) in answer.iter().copied().chain(state).chain([("iss", issuer)]) {
            if !to.contains('?') {
                to.push('?');
            } else if !to.ends_with(['?', '&']) {
                to.push('&');
            }
            push_pair(&mut to, name, value);
        }
        to
    }
}

fn push_pair(to: &mut String, name: &str, value: &str) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    to.push_str(name);
    to.push('=');
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

impl Failed {
    /// Told to the client instead of the person, where the refusal is one for clients.
    pub(super) fn back(mut self, back: &Back) -> Self {
        self.rest.back = Some(back.clone());
        self
    }

    /// With cookies in the answer.
    pub(super) fn cookies(mut self, cookies: Vec<String>) -> Self {
        self.rest.cookies = cookies;
        self
    }

    /// With a line for the record.
    pub(super) fn detail(mut self, name: &str, value: &str) -> Self {
        self.rest.detail.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts the refusal on record and answers it.
    pub(super) fn answer(&self, visit: &Visit<'_>) -> Response<Vec<u8>> {
        let line = self.refusal.line();
        visit.ports.audit.note(&remark(line.kind, line.reason, &self.rest.detail));
        self.response(visit, &line).unwrap_or_else(|Unsendable| {
            // Only constants are left out of what could not be sent, so this one can.
            let mut bare = Response::new(b"Sign-in is not available at the moment.\n".to_vec());
            *bare.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            bare
        })
    }

    fn response(&self, visit: &Visit<'_>, line: &Line) -> Result<Response<Vec<u8>>, Unsendable> {
        let (status, words) = match (&line.way, &self.rest.back) {
            (Way::Client(error, description), Some(back)) => {
                let answer = [("error", *error), ("error_description", *description)];
                return visit.redirect(&back.with(visit, &answer), &self.rest.cookies);
            }
            // Nothing is sent to an address that is not proved.
            (Way::Client(_, description), None) => (StatusCode::BAD_REQUEST, words::request(description)),
            (Way::Page(status, words), _) => (*status, *words),
        };
        let content = self.refusal.content(visit, line.reason, &words);
        let title = words.title.to_owned();
        let name = line.reason.to_owned();
        let page = Page { name, title, status, trouble: true, content, form_action: None };
        let mut response = visit.page(&page)?;
        bake(&mut response, &self.rest.cookies)?;
        if let Refusal::TooMany(seconds) = self.refusal {
            // RFC 9110 section 10.2.3; zero would invite the next request at once.
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        Ok(response)
    }
}

/// A line for the record. Details are masked and cut.
pub(super) fn remark(kind: Kind, reason: &str, detail: &[(String, String)]) -> Remark {
    Remark { kind, ..audit::denied(reason, None, None, detail) }
}

impl Refusal {
    /// What only this refusal can say: why the host or the rules refuse.
    fn said(&self) -> Option<&str> {
        let text = if let Self::ClientDocument(why) = self {
            why
        } else if let Self::RedirectRefused(bad) = self {
            bad.why()
        } else if let Self::SignIn(refused) = self {
            &refused.text
        } else {
            ""
        };
        Some(text).filter(|text| !text.is_empty())
    }

    fn content(&self, visit: &Visit<'_>, reason: &str, words: &Words) -> Vec<Element> {
        let mut content = vec![saying("h1", words.title), classed("p", "lead").text(words.happened)];
        content.push(saying("h2", "What you can do"));
        match words.todo {
            [one] => content.push(saying("p", one)),
            steps => content.push(
                el(if words.either { "ul" } else { "ol" }).all(steps.iter().map(|step| saying("li", step))),
            ),
        }
        if words.settings {
            let to = visit.gitea_applications();
            content.push(
                classed("p", "buttons")
                    .put(link(&to, "Open your applications in Gitea").set("class", "button main")),
            );
        }
        let operator = classed("section", "operator")
            .set("aria-labelledby", "operator")
            .put(saying("h2", "For the operator").set("id", "operator"))
            .put(saying("p", words.operator));
        let operator = operator.all(self.said().map(|said| saying("p", said)));
        content.push(operator.put(el("p").text("Reason: ").put(saying("code", reason))));
        content
    }

    #[rustfmt::skip]
    fn line(&self) -> Line {
        use Kind::{AccessDenied, SecurityEvent};
        match self {
            Self::Malformed => page(AccessDenied, "authorize_malformed", words::MALFORMED),
            Self::Repeated => page(SecurityEvent, "authorize_repeated_parameter", words::REPEATED),
            Self::ClientMissing => page(AccessDenied, "client_id_missing", words::CLIENT_MISSING),
            Self::ClientUnknown => page(SecurityEvent, "client_unknown", words::CLIENT_UNKNOWN),
            Self::ClientRevoked => page(SecurityEvent, "client_revoked", words::CLIENT_REVOKED),
            Self::ClientHostNotAllowed => page(AccessDenied, "client_host_not_allowed", words::CLIENT_HOST),
            Self::ClientDocument(_) => page(AccessDenied, "client_document_unusable", words::CLIENT_DOCUMENT),
            Self::RedirectMissing => page(AccessDenied, "redirect_uri_missing", words::REDIRECT_MISSING),
            Self::RedirectRefused(_) => page(SecurityEvent, "redirect_uri_refused", words::REDIRECT_REFUSED),
            Self::RedirectNotRegistered => page(SecurityEvent, "redirect_uri_not_registered", words::REDIRECT_NOT_REGISTERED),
            Self::TooMany(_) => at(StatusCode::TOO_MANY_REQUESTS, AccessDenied, "rate_limited", words::TOO_MANY),
            Self::Unavailable => at(StatusCode::SERVICE_UNAVAILABLE, AccessDenied, "sign_in_unavailable", words::UNAVAILABLE),
            Self::ConsentForeign => at(StatusCode::FORBIDDEN, SecurityEvent, "consent_foreign", words::CONSENT_FOREIGN),
            Self::ConsentMalformed => page(AccessDenied, "consent_malformed", words::CONSENT_MALFORMED),
            Self::ConsentForged => at(StatusCode::FORBIDDEN, SecurityEvent, "consent_forged", words::CONSENT_FORGED),
            Self::ConsentExpired => page(AccessDenied, "consent_expired", words::CONSENT_EXPIRED),
            Self::ConsentWritesOff => at(StatusCode::FORBIDDEN, AccessDenied, "consent_writes_off", words::WRITES_OFF),
            Self::CallbackMalformed => page(AccessDenied, "callback_malformed", words::CALLBACK_MALFORMED),
            Self::State(not_opened) => state(*not_opened),
            Self::GiteaError => at(StatusCode::BAD_GATEWAY, AccessDenied, "gitea_error", words::GITEA_ERROR),
            Self::SignIn(refused) => sign_in(refused.reason),
            Self::CodeNotIssued => at(StatusCode::SERVICE_UNAVAILABLE, AccessDenied, "code_not_issued", words::CODE_NOT_ISSUED),
            Self::ResponseType => client("response_type_unsupported", "unsupported_response_type", "response_type must be code"),
            Self::ResponseMode => client("response_mode_unsupported", "invalid_request", "response_mode must be query or left out"),
            Self::RequestObject => client("request_object_unsupported", "request_not_supported", "the parameter request is not supported"),
            Self::RequestUri => client("request_uri_unsupported", "request_uri_not_supported", "the parameter request_uri is not supported"),
            Self::Challenge => client("code_challenge_invalid", "invalid_request", "PKCE is required: code_challenge must be 43 characters of base64url"),
            Self::ChallengeMethod => client("code_challenge_method_unsupported", "invalid_request", "code_challenge_method must be S256"),
            Self::StateMalformed => client("state_malformed", "invalid_request", "state must have at most 2048 bytes and no control characters"),
            Self::Resource => client("resource_invalid", "invalid_target", "resource must be this server's origin or one of its MCP endpoints"),
            Self::Scope => client("scope_invalid", "invalid_scope", "the scopes are read:repository and write:repository"),
            Self::PromptNone => client("prompt_none", "interaction_required", "signing in needs a person, so prompt=none cannot be answered"),
            Self::ConsentDenied => client("consent_denied", "access_denied", "the person did not approve"),
            Self::GiteaDenied => client("gitea_denied", "access_denied", "the person did not authorize the application in Gitea"),
        }
    }
}

#[rustfmt::skip]
fn state(not_opened: NotOpened) -> Line {
    use Kind::{AccessDenied, SecurityEvent};
    match not_opened {
        NotOpened::Invalid => page(SecurityEvent, "state_invalid", words::STATE_INVALID),
        NotOpened::Expired => page(AccessDenied, "state_expired", words::STATE_EXPIRED),
        NotOpened::OtherBrowser => page(SecurityEvent, "state_other_browser", words::OTHER_BROWSER),
        NotOpened::Used => page(SecurityEvent, "state_used", words::STATE_USED),
        NotOpened::ClientGone => page(SecurityEvent, "state_client_gone", words::CLIENT_REVOKED),
        NotOpened::TooMany => at(StatusCode::TOO_MANY_REQUESTS, AccessDenied, "state_too_many", words::TOO_MANY),
    }
}

#[rustfmt::skip]
fn sign_in(reason: SignInReason) -> Line {
    use Kind::{AccessDenied, SecurityEvent};
    match reason {
        SignInReason::CodeRefused => page(SecurityEvent, "gitea_code_refused", words::CODE_REFUSED),
        SignInReason::ApplicationRefused => at(StatusCode::BAD_GATEWAY, AccessDenied, "gitea_application_refused", words::APPLICATION_REFUSED),
        SignInReason::GiteaUnavailable => at(StatusCode::SERVICE_UNAVAILABLE, AccessDenied, "gitea_unavailable", words::GITEA_UNAVAILABLE),
        SignInReason::IdentityInvalid => at(StatusCode::BAD_GATEWAY, SecurityEvent, "identity_invalid", words::IDENTITY_INVALID),
        SignInReason::Overtaken => page(AccessDenied, "sign_in_overtaken", words::OVERTAKEN),
        SignInReason::GrantTooNarrow => at(StatusCode::FORBIDDEN, AccessDenied, "grant_too_narrow", words::GRANT_TOO_NARROW),
        SignInReason::GrantTooWide => at(StatusCode::FORBIDDEN, SecurityEvent, "grant_too_wide", words::GRANT_TOO_WIDE),
        SignInReason::NotAllowed => at(StatusCode::FORBIDDEN, AccessDenied, "sign_in_not_allowed", words::NOT_ALLOWED),
        SignInReason::Used => page(SecurityEvent, "sign_in_used", words::STATE_USED),
        SignInReason::OtherPerson => at(StatusCode::FORBIDDEN, SecurityEvent, "sign_in_other_person", words::OTHER_PERSON),
    }
}

fn page(kind: Kind, reason: &'static str, words: Words) -> Line {
    at(StatusCode::BAD_REQUEST, kind, reason, words)
}

fn at(status: StatusCode, kind: Kind, reason: &'static str, words: Words) -> Line {
    Line { kind, reason, way: Way::Page(status, words) }
}

fn client(reason: &'static str, error: &'static str, description: &'static str) -> Line {
    Line { kind: Kind::AccessDenied, reason, way: Way::Client(error, description) }
}

#[cfg(test)]
mod tests;
