//! The authorization endpoint (RFC 6749 section 4.1.1): a request is checked and a person asked; the answer of
//! the person begins the way to Gitea.
//!
//! Until somebody approves, Gitea is not contacted and no cookie is set. The order of the checks is the rule of
//! RFC 6749 section 4.1.2.1: nothing is sent to a redirect URI before client and URI are proved.

use http::header::{CONTENT_TYPE, HeaderName, ORIGIN};
use http::{HeaderMap, Response};

use super::consent::{Asking, Question, SECONDS};
use super::form::Form;
use super::page::{FLOW_SECONDS, Visit, shown_name};
use super::pages::{Back, Failed, Refusal, remark};
use super::redirect::{self, Place};
use super::{resource, scope};
use crate::ports::{Approved, Broken, Choice, Client, Kind, Person, Ports, Purpose};
use crate::settings::Config;

/// Most bytes of a client id. Ids that prove themselves hold what was registered, so they are long.
const CLIENT_ID_BYTES: usize = 4096;

/// Most bytes of a client's state.
const STATE_BYTES: usize = 2048;

/// Most bytes of the form of the consent page.
const FORM_BYTES: usize = 16 * 1024;

/// `GET /oauth/authorize`: the consent page, or the way on where this browser remembers the approval.
///
/// `query` is the part of the URL after `?`; `cookies` are those of the request, in order.
#[must_use]
pub fn show(
    ports: &Ports<'_>,
    config: &Config,
    query: &str,
    cookies: &[(String, String)],
    request_id: &str,
) -> Response<Vec<u8>> {
    let visit = Visit { ports, config, request_id };
    ask(&visit, query, cookies).unwrap_or_else(|failed| failed.answer(&visit))
}

/// `POST /oauth/authorize`: what the person chose on the consent page.
#[must_use]
pub fn decide(
    ports: &Ports<'_>,
    config: &Config,
    headers: &HeaderMap,
    body: &[u8],
    request_id: &str,
) -> Response<Vec<u8>> {
    let visit = Visit { ports, config, request_id };
    chosen(&visit, headers, body).unwrap_or_else(|failed| failed.answer(&visit))
}

/// The page for a browser whose address has used up its minute, here or at the callback; `seconds` until it may
/// try again. The request is not looked at, so that reloading the page goes on with it.
#[must_use]
pub fn busy(ports: &Ports<'_>, config: &Config, seconds: u32, request_id: &str) -> Response<Vec<u8>> {
    let visit = Visit { ports, config, request_id };
    Failed::from(Refusal::TooMany(seconds)).answer(&visit)
}

fn ask(visit: &Visit<'_>, query: &str, cookies: &[(String, String)]) -> Result<Response<Vec<u8>>, Failed> {
    let parameters = Parameters::read(query)?;
    let client_id = client_id(&parameters)?;
    let redirect_uri = parameters.get("redirect_uri").ok_or(Refusal::RedirectMissing)?;
    let (client, place) = prove(visit, client_id, redirect_uri)?;

    // From here on the client may be told.
    let mut back = Back { redirect_uri: redirect_uri.to_owned(), state: None };
    let told = |back: &Back, refusal| Failed::from(refusal).back(back).detail("client", client_id);
    back.state = state(&parameters).map_err(|refusal| told(&back, refusal))?.map(str::to_owned);
    let asking = asking(visit, &parameters, client_id, &back).map_err(|refusal| told(&back, refusal))?;
    let prompt = Prompt::read(parameters.get("prompt"));
    if prompt == Prompt::None {
        return Err(told(&back, Refusal::PromptNone));
    }

    let person = client.remembered(redirect_uri, cookies);
    if skips(visit.config, place, prompt, person.as_ref()) {
        note(visit, "consent_remembered", &asking, false);
        return begin(visit, &*client, &asking, false);
    }
    // RFC 6749 has no length for a request; the seal has.
    let sealed = visit.ports.seal.seal(Purpose::Consent, &asking.to_bytes(), SECONDS);
    let sealed = sealed.ok_or(Refusal::Unavailable)?;
    let profile = client.profile();
    let remembered = person.and_then(|person| shown_name(&person.login));
    let question = Question {
        asking: &asking,
        profile: &profile,
        place,
        sealed: &sealed,
        remembered: remembered.as_deref(),
    };
    Ok(question.page(visit)?)
}

fn chosen(visit: &Visit<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Response<Vec<u8>>, Failed> {
    if !from_our_page(visit.config, headers) {
        return Err(Refusal::ConsentForeign.into());
    }
    if !is_form(headers) || body.len() > FORM_BYTES {
        return Err(Refusal::ConsentMalformed.into());
    }
    let form = Form::parse(body).map_err(|_| Refusal::ConsentMalformed)?;
    form.unrepeated().map_err(|_| Refusal::ConsentMalformed)?;
    let field = |name: &str| form.one(name).map_err(|_| Refusal::ConsentMalformed);
    let sealed = field("request")?.ok_or(Refusal::ConsentMalformed)?;
    let decision = Decision::read(field("decision")?, field("access")?).ok_or(Refusal::ConsentMalformed)?;
    let opened = visit.ports.seal.answer(sealed, decision.choice()).map_err(|broken| match broken {
        Broken::Forged => Refusal::ConsentForged,
        Broken::Expired => Refusal::ConsentExpired,
    })?;
    let asking = Asking::from_bytes(&opened).ok_or(Refusal::ConsentForged)?;
    // Minutes have passed: the client may be revoked and the rules may have changed.
    let (client, _) = prove(visit, &asking.client_id, &asking.redirect_uri)?;
    match decision {
        Decision::Deny => {
            let back = Back { redirect_uri: asking.redirect_uri.clone(), state: asking.state.clone() };
            Err(Failed::from(Refusal::ConsentDenied).back(&back).detail("client", &asking.client_id))
        }
        Decision::Approve { write: true } if !visit.config.write_mode => {
            Err(Refusal::ConsentWritesOff.into())
        }
        Decision::Approve { write } => {
            note(visit, "consent_approved", &asking, write);
            begin(visit, &*client, &asking, write)
        }
    }
}

/// What a person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Approve { write: bool },
    Deny,
}

impl Decision {
    /// Without a choice of access there was none to make: reading only.
    fn read(decision: Option<&str>, access: Option<&str>) -> Option<Self> {
        let write = match access {
            Some("write") => true,
            Some("read") | None => false,
            Some(_) => return None,
        };
        match decision {
            Some("approve") => Some(Self::Approve { write }),
            Some("deny") => Some(Self::Deny),
            Some(_) | None => None,
        }
    }

    fn choice(self) -> Choice {
        match self {
            Self::Approve { write: true } => Choice::Write,
            Self::Approve { write: false } => Choice::Read,
            Self::Deny => Choice::Deny,
        }
    }
}

/// What `prompt` (OpenID Connect Core section 3.1.2.1) asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    Free,
    Page,
    None,
}

impl Prompt {
    fn read(prompt: Option<&str>) -> Self {
        let mut words = prompt.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
        let first = words.next();
        match (first, words.next()) {
            (None, _) => Self::Free,
            (Some("none"), None) => Self::None,
            // Every other word asks for somebody to look at something.
            (Some(_), _) => Self::Page,
        }
    }
}

/// The parameters of a request.
// INVARIANT: made by `read` alone, so that none of them stands twice.
struct Parameters(Form);

impl Parameters {
    fn read(query: &str) -> Result<Self, Refusal> {
        let form = Form::parse(query.as_bytes()).map_err(|_| Refusal::Malformed)?;
        form.unrepeated().map_err(|_| Refusal::Repeated)?;
        Ok(Self(form))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.one(name).ok().flatten()
    }
}

fn client_id(parameters: &Parameters) -> Result<&str, Refusal> {
    let id = parameters.get("client_id").ok_or(Refusal::ClientMissing)?;
    let fits = id.len() <= CLIENT_ID_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(id) } else { Err(Refusal::ClientMissing) }
}

/// The client behind an id, if the URI is one that it may use here.
fn prove<'u>(
    visit: &Visit<'_>,
    client_id: &str,
    redirect_uri: &'u str,
) -> Result<(Box<dyn Client>, Place<'u>), Failed> {
    let failed = |refusal: Refusal| Failed::from(refusal).detail("client", client_id);
    let client = visit.ports.clients.lookup(client_id).map_err(|unknown| failed(unknown.into()))?;
    let failed = |refusal: Refusal| failed(refusal).detail("redirect_uri", redirect_uri);
    let place = redirect::judge_request(visit.config, client.profile().kind, redirect_uri)
        .map_err(|bad| failed(Refusal::RedirectRefused(bad)))?;
    if client.permits(redirect_uri) {
        Ok((client, place))
    } else {
        Err(failed(Refusal::RedirectNotRegistered))
    }
}

/// The client's state. One that is refused is not sent back either.
fn state(parameters: &Parameters) -> Result<Option<&str>, Refusal> {
    let state = parameters.get("state");
    let fits = state.is_none_or(|state| state.len() <= STATE_BYTES && !state.chars().any(char::is_control));
    if fits { Ok(state) } else { Err(Refusal::StateMalformed) }
}

/// The rest of the request.
fn asking(
    visit: &Visit<'_>,
    parameters: &Parameters,
    client_id: &str,
    back: &Back,
) -> Result<Asking, Refusal> {
    let get = |name| parameters.get(name);
    if get("request").is_some() {
        return Err(Refusal::RequestObject);
    }
    if get("request_uri").is_some() {
        return Err(Refusal::RequestUri);
    }
    if get("response_type") != Some("code") {
        return Err(Refusal::ResponseType);
    }
    if !matches!(get("response_mode"), None | Some("query")) {
        return Err(Refusal::ResponseMode);
    }
    let challenge = get("code_challenge").filter(|text| is_challenge(text)).ok_or(Refusal::Challenge)?;
    // RFC 7636 section 4.3: left out it means plain, which anybody who sees the request can answer.
    if get("code_challenge_method") != Some("S256") {
        return Err(Refusal::ChallengeMethod);
    }
    resource::check(visit.config, get("resource")).map_err(|_| Refusal::Resource)?;
    let asked = scope::asked(get("scope")).map_err(|_| Refusal::Scope)?;
    Ok(Asking {
        client_id: client_id.to_owned(),
        redirect_uri: back.redirect_uri.clone(),
        code_challenge: challenge.to_owned(),
        write: asked.write,
        state: back.state.clone(),
    })
}

/// 32 bytes in base64url without padding (RFC 7636 section 4.2).
fn is_challenge(challenge: &str) -> bool {
    challenge.len() == 43
        && challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether a remembered approval stands for a new one, and then whether it grants writes.
///
/// Only toward a web site: a loopback port or a scheme may belong to another program by now. And only where writes are
/// off: an approval of reading never hides the choice to add writes, and writes are never granted without a click,
/// since whoever sends somebody a link could otherwise begin a sign-in for them.
fn skips(config: &Config, place: Place<'_>, prompt: Prompt, person: Option<&Person>) -> bool {
    person.is_some() && !config.write_mode && matches!(place, Place::Site(_)) && prompt == Prompt::Free
}

/// The flow begins: its cookie binds it to this browser, which goes to Gitea.
fn begin(
    visit: &Visit<'_>,
    client: &dyn Client,
    asking: &Asking,
    write: bool,
) -> Result<Response<Vec<u8>>, Failed> {
    let flow = client.begin(&Approved {
        redirect_uri: asking.redirect_uri.clone(),
        code_challenge: asking.code_challenge.clone(),
        write,
        state: asking.state.clone(),
    });
    let flow =
        flow.map_err(|not_begun| Failed::from(Refusal::from(not_begun)).detail("client", &asking.client_id))?;
    let (name, value) = flow.cookie();
    Ok(visit.redirect(&flow.upstream_url(), &[visit.cookie(&name, &value, FLOW_SECONDS)])?)
}

fn note(visit: &Visit<'_>, reason: &str, asking: &Asking, write: bool) {
    let detail = [
        ("client", asking.client_id.as_str()),
        ("redirect_uri", &asking.redirect_uri),
        ("access", if write { "write" } else { "read" }),
    ];
    let detail = detail.map(|(name, value)| (name.to_owned(), value.to_owned()));
    visit.ports.audit.note(&remark(Kind::SecurityEvent, reason, &detail));
}

/// Whether the form was sent by a page of this server. A sealed request proves only that it was made here:
/// anybody can get one and have another's browser send it.
fn from_our_page(config: &Config, headers: &HeaderMap) -> bool {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        (values.next(), values.next())
    };
    match one(&ORIGIN) {
        (Some(origin), None) => {
            config.public_base_url.as_deref().is_some_and(|ours| origin.as_bytes() == ours.as_bytes())
        }
        (Some(_), Some(_)) => false,
        (None, _) => match one(&HeaderName::from_static("sec-fetch-site")) {
            (Some(site), None) => site.as_bytes() == b"same-origin",
            (Some(_), Some(_)) | (None, _) => false,
        },
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests;
