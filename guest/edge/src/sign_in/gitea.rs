//! Gitea as provider: where the browser is sent, what a code and a refresh are exchanged for, who signed in. What the
//! answers mean is `aegis_custody::provider`'s; this asks. Client secrets and tokens go to Gitea alone.

use aegis_custody::Timestamp;
use aegis_custody::oauth::SecretText;
use aegis_custody::oauth::registry::Application as Which;
use aegis_custody::provider::discovery::{self, Discovery};
use aegis_custody::provider::error::UpstreamError;
use aegis_custody::provider::fault::Fault;
use aegis_custody::provider::id_token::Expected;
use aegis_custody::provider::keys::Keys;
use aegis_custody::provider::people::{self, Identity, Introspection, Userinfo, same_person};
use aegis_custody::provider::scopes::{READ_SET, WRITE_SET};
use aegis_custody::provider::signature::Material;
use aegis_custody::provider::tokens::{self, Asked, Tokens};
use aegis_custody::provider::{Answer, jwt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wasip2::http::types::Method;
use zeroize::Zeroizing;

use super::{Application, Server, signature};
use crate::bindings::exports::aegis::gateway::gitea::Failure;
use crate::environment::{self, now};
use crate::gitea::USER_AGENT;
use crate::origin::Origin;
use crate::outgoing::Outgoing;

/// The most bytes of an answer.
const MOST: usize = 64 * 1024;

/// Most bytes of one piece of it.
const PIECE: u64 = 16 * 1024;

/// What is asked besides the API scopes: `openid` for the ID token, `profile` for the login in it.
const OPENID: [&str; 2] = ["openid", "profile"];

/// What errors call the key set.
const KEYS: &str = "its key set";

/// Who asks.
#[derive(Clone, Copy)]
enum As<'a> {
    Nobody,
    Application(&'a Application),
    Bearer(&'a str),
}

/// Where to send the browser: Gitea's authorization endpoint (RFC 6749 section 4.1.1) with PKCE S256 and a nonce.
///
/// # Errors
/// `GITEA_URL` cannot be used.
pub(super) fn authorize_url(
    server: &Server,
    which: Which,
    state: &str,
    nonce: &str,
    challenge: &str,
    writes: bool,
) -> Result<String, &'static str> {
    let public = public().ok_or("GITEA_URL is not set")?;
    Origin::read(&public)?;
    let write = WRITE_SET.into_iter().filter(|_| writes);
    let scope = OPENID.into_iter().chain(READ_SET).chain(write).collect::<Vec<_>>().join(" ");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("client_id", server.application(which).id.as_str()),
            ("redirect_uri", &redirect_uri(server)),
            ("response_type", "code"),
            ("scope", &scope),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    Ok(format!("{public}/login/oauth/authorize?{query}"))
}

fn redirect_uri(server: &Server) -> String {
    format!("{}/oauth/callback", server.origin)
}

/// As browsers reach Gitea and as Gitea writes its address.
fn public() -> Option<String> {
    environment::variable("GITEA_URL").map(|url| url.trim_end_matches('/').to_owned())
}

/// Exchange an authorization code (RFC 6749 section 4.1.3). Gitea takes a code once.
pub(super) fn exchange(
    server: &Server,
    application: &Application,
    code: &str,
    verifier: &str,
) -> Result<Tokens, UpstreamError> {
    let redirect_uri = redirect_uri(server);
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri.as_str()),
        ("code_verifier", verifier),
    ];
    trade(application, &form, Asked::Code)
}

/// Get new tokens (RFC 6749 section 6). The answer's refresh token replaces the one given, which may be dead from now on.
pub(super) fn refresh(application: &Application, refresh_token: &str) -> Result<Tokens, UpstreamError> {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    trade(application, &form, Asked::Refresh)
}

fn trade(application: &Application, form: &[(&str, &str)], asked: Asked) -> Result<Tokens, UpstreamError> {
    let discovery = discovery()?;
    let own = [("client_id", application.id.as_str()), ("client_secret", application.secret.expose())];
    let asked_at: Timestamp = now();
    let answer = post(tokens::WHAT, &discovery.token, As::Nobody, &[form, &own].concat())?;
    if answer.status != 200 {
        return Err(tokens::refusal(&answer, asked, application.name));
    }
    Tokens::read(&answer, asked_at)
}

/// Who signed in: the ID token is checked, then introspection must know the access token as ours and name the same user,
/// then userinfo gives login and groups of that user.
pub(super) fn identify(
    application: &Application,
    tokens: &Tokens,
    nonce: &str,
) -> Result<Identity, UpstreamError> {
    let id = tokens.id.as_ref().ok_or(UpstreamError::IdToken(Fault::Missing))?;
    let subject = check_id_token(application, id, nonce)?;
    let parts = jwt::take_apart(tokens.access.expose(), MOST).map_err(UpstreamError::AccessToken)?;
    if !parts.is_access_token() {
        return Err(UpstreamError::AccessToken(Fault::Kind));
    }
    let Introspection::Active(active) = introspect(application, tokens.access.expose())? else {
        return Err(UpstreamError::TokenInactive);
    };
    if !active.audience.contains(&application.id) {
        return Err(UpstreamError::OtherApplication);
    }
    if active.subject != subject {
        return Err(UpstreamError::Disagreement("who the user is"));
    }
    let info = userinfo(tokens.access.expose())?;
    same_person(&active, &info)?;
    Ok(Identity { subject, login: info.login, groups: info.groups, words: active.words })
}

/// What Gitea says about a token to one of our applications (RFC 7662).
pub(super) fn introspect(application: &Application, token: &str) -> Result<Introspection, UpstreamError> {
    let discovery = discovery()?;
    let who = As::Application(application);
    let answer = post(people::INTROSPECTION, &discovery.introspection, who, &[("token", token)])?;
    Introspection::read(&answer, application.name, &discovery.issuer)
}

/// Who holds an access token, with groups.
pub(super) fn userinfo(token: &str) -> Result<Userinfo, UpstreamError> {
    let answer = get(people::USERINFO, &discovery()?.userinfo, As::Bearer(token))?;
    Userinfo::read(&answer)
}

/// Gitea's discovery document, asked for each time: an instance may serve one request.
fn discovery() -> Result<Discovery, UpstreamError> {
    let unset = || UpstreamError::Unreachable("GITEA_URL is not set".to_owned());
    let public = public().ok_or_else(unset)?;
    let internal = environment::variable("GITEA_INTERNAL_URL").unwrap_or_else(|| public.clone());
    let internal = internal.trim_end_matches('/');
    let url = format!("{internal}/.well-known/openid-configuration");
    let answer = get(discovery::WHAT, &url, As::Nobody)?;
    match answer.status {
        200 => Discovery::read(&answer.body, &public, internal),
        404 => Err(UpstreamError::OauthDisabled(discovery::WHAT)),
        status => Err(UpstreamError::Failed(discovery::WHAT, status)),
    }
}

/// Check an ID token; its subject.
fn check_id_token(
    application: &Application,
    token: &SecretText,
    nonce: &str,
) -> Result<String, UpstreamError> {
    let parts = jwt::take_apart(token.expose(), MOST).map_err(UpstreamError::IdToken)?;
    let discovery = discovery()?;
    if !discovery.signs_with(parts.algorithm) {
        return Err(UpstreamError::IdToken(Fault::Algorithm));
    }
    let signed = if parts.algorithm.is_symmetric() {
        // The key is the client secret, so the algorithm must be Gitea's only one: beside a public key it would be the
        // way to sign with what everybody can read.
        if !discovery.signs_only_with(parts.algorithm) {
            return Err(UpstreamError::IdToken(Fault::Algorithm));
        }
        let key = Material::Secret(application.secret.clone());
        parts.is_signed_by(&key, signature::verify)
    } else {
        let kid = parts.kid.as_deref().ok_or(UpstreamError::IdToken(Fault::KeyId))?;
        let answer = get(KEYS, &discovery.keys, As::Nobody)?;
        let keys = match answer.status {
            200 => Keys::read(&answer.body)?,
            status => return Err(UpstreamError::Failed(KEYS, status)),
        };
        let key = keys.find(kid).ok_or(UpstreamError::IdToken(Fault::UnknownKey))?;
        if key.algorithm != parts.algorithm {
            return Err(UpstreamError::IdToken(Fault::Algorithm));
        }
        parts.is_signed_by(&key.key, signature::verify)
    };
    if !signed {
        return Err(UpstreamError::IdToken(Fault::Signature));
    }
    let seconds = now().unix_millis().div_euclid(1_000);
    let expected = Expected { discovery: &discovery, client_id: &application.id, nonce, now: seconds };
    expected.claims(&parts).map_err(UpstreamError::IdToken)
}

fn get(what: &'static str, url: &str, who: As<'_>) -> Result<Answer, UpstreamError> {
    send(what, Method::Get, url, who, None)
}

fn post(what: &'static str, url: &str, who: As<'_>, form: &[(&str, &str)]) -> Result<Answer, UpstreamError> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    send(what, Method::Post, url, who, Some(body.into_bytes()))
}

/// Bounded in time and bytes, no redirect followed. The addresses come from [`Discovery`], which takes none but below
/// the settings' own.
fn send(
    what: &'static str,
    method: Method,
    url: &str,
    who: As<'_>,
    body: Option<Vec<u8>>,
) -> Result<Answer, UpstreamError> {
    let origin = Origin::of_settings().map_err(|why| UpstreamError::Unreachable(why.to_owned()))?;
    let scheme = if origin.tls { "https://" } else { "http://" };
    let path = url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix(&origin.authority));
    let path = path.ok_or(UpstreamError::EndpointElsewhere(what))?.to_owned();
    let mut headers = vec![
        ("accept".to_owned(), b"application/json".to_vec()),
        ("accept-encoding".to_owned(), b"identity".to_vec()),
        ("user-agent".to_owned(), USER_AGENT.into()),
    ];
    match who {
        As::Nobody => {}
        As::Bearer(token) => {
            headers.push(("authorization".to_owned(), format!("Bearer {token}").into_bytes()))
        }
        As::Application(application) => {
            let pair = Zeroizing::new(format!("{}:{}", application.id, application.secret.expose()));
            let basic = format!("Basic {}", STANDARD.encode(pair.as_bytes()));
            headers.push(("authorization".to_owned(), basic.into_bytes()));
        }
    }
    if let Some(body) = &body {
        headers.push(("content-type".to_owned(), b"application/x-www-form-urlencoded".to_vec()));
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    }
    let sending = Outgoing { origin, method, path, headers, body }.send().map_err(failed)?;
    let mut incoming = sending.wait().map_err(failed)?;
    let header =
        |wanted: &str| incoming.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    if (300..400).contains(&incoming.status) {
        // Where Gitea sends the holder of a token who has to choose a new password first.
        let to_password = header("location").is_some_and(|to| to.ends_with("/user/settings/change_password"));
        return Err(if to_password { UpstreamError::UserBlocked } else { UpstreamError::Redirected(what) });
    }
    let date = header("date").cloned();
    // Room for all of it at once: growing would leave copies behind that nobody wipes.
    let mut body = Zeroizing::new(Vec::with_capacity(MOST));
    loop {
        let piece = Zeroizing::new(incoming.read(PIECE, sending.deadline).map_err(failed)?);
        if piece.is_empty() {
            return Ok(Answer { status: incoming.status, date, body });
        }
        if piece.len() > MOST - body.len() {
            return Err(UpstreamError::TooLarge(what));
        }
        body.extend_from_slice(&piece);
    }
}

fn failed(failure: Failure) -> UpstreamError {
    match failure {
        Failure::TimedOut => UpstreamError::TimedOut,
        Failure::Unreachable(why)
        | Failure::Broken(why)
        | Failure::Refused(why)
        | Failure::NotPermitted(why) => UpstreamError::Unreachable(why),
        Failure::TicketClosed | Failure::TooLarge | Failure::SignedOut => {
            UpstreamError::Unreachable("the answer broke off".to_owned())
        }
    }
}
