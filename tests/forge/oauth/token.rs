//! The token endpoint: codes and refresh tokens for access, refresh and ID tokens. Every error is a 400.

use ring::digest;
use serde_json::{Value, json};

use super::keys::{SigningKey, b64};
use super::open::display_name;
use super::uri::registered;
use super::{App, State, Visit, groups};
use crate::forge::auth::avatar_of;
use crate::forge::call::Answer;
use crate::forge::world::World;

/// Name and text of an OAuth error.
type Refusal = (&'static str, String);

/// `POST /login/oauth/access_token`.
pub(super) fn answer(visit: &Visit, world: &World, state: &mut State) -> Answer {
    match tokens(visit, world, state) {
        Ok(body) => Answer::json(200, &body),
        Err((error, why)) => Answer::json(400, &json!({ "error": error, "error_description": why })),
    }
}

fn tokens(visit: &Visit, world: &World, state: &mut State) -> Result<Value, Refusal> {
    let (id, secret) = client(visit)?;
    match visit.field("grant_type") {
        "authorization_code" => by_code(visit, world, state, &id, &secret),
        "refresh_token" => by_refresh_token(visit, world, state, &id, &secret),
        _ => Err((
            "unsupported_grant_type",
            "Only refresh_token or authorization_code grant type is supported".to_owned(),
        )),
    }
}

/// Client id and secret, from the body, completed by a Basic header, which must not contradict it.
fn client(visit: &Visit) -> Result<(String, String), Refusal> {
    let (id, secret) = (visit.field("client_id"), visit.field("client_secret"));
    let unneeded = !id.is_empty() && !secret.is_empty();
    if unneeded || visit.authorization.as_deref().unwrap_or_default().is_empty() {
        return Ok((id.to_owned(), secret.to_owned()));
    }
    let Some((basic_id, basic_secret)) = visit.basic() else {
        return Err(("invalid_request", "cannot parse basic auth header".to_owned()));
    };
    for (name, ours, theirs) in [("client_id", id, &basic_id), ("client_secret", secret, &basic_secret)] {
        if !ours.is_empty() && ours != theirs {
            let why = format!("{name} in request body inconsistent with Authorization header");
            return Err(("invalid_request", why));
        }
    }
    Ok((basic_id, basic_secret))
}

/// The application, if the secret is right or none is needed; the error's name differs by what is asked for.
fn proven<'a>(
    state: &'a State,
    id: &str,
    secret: &str,
    error: &'static str,
    quote: char,
) -> Result<&'a App, Refusal> {
    let Some(app) = state.app(id) else {
        return Err(("invalid_client", format!("cannot load client with client id: {quote}{id}{quote}")));
    };
    if app.confidential && app.secret != secret {
        let empty = if secret.is_empty() { "empty " } else { "" };
        return Err((error, format!("invalid {empty}client secret")));
    }
    Ok(app)
}

fn by_code(
    visit: &Visit,
    world: &World,
    state: &mut State,
    id: &str,
    secret: &str,
) -> Result<Value, Refusal> {
    let app = proven(state, id, secret, "unauthorized_client", '\'')?;
    let (app_id, redirect) = (app.id, visit.field("redirect_uri"));
    if !redirect.is_empty() && !registered(&app.redirect_uris, app.confidential, redirect) {
        return Err(("unauthorized_client", "unexpected redirect URI".to_owned()));
    }
    let at = state.codes.iter().position(|code| code.code == visit.field("code"));
    let Some((at, code)) = at.map(|at| (at, &state.codes[at])) else {
        return Err(("unauthorized_client", "client is not authorized".to_owned()));
    };
    let Some(grant) = state.grant(code.grant) else {
        return Err(("unauthorized_client", "client is not authorized".to_owned()));
    };
    let (grant_id, of_app) = (grant.id, grant.app);
    if code.ends <= state.now() {
        state.codes.remove(at);
        return Err(("invalid_grant", "authorization code expired".to_owned()));
    }
    if !proof(&code.method, &code.challenge, visit.field("code_verifier")) {
        return Err(("unauthorized_client", "failed PKCE code challenge".to_owned()));
    }
    if !code.redirect_uri.is_empty() && code.redirect_uri != redirect {
        let why = "redirect_uri differs from the original authorization request";
        return Err(("invalid_grant", why.to_owned()));
    }
    if of_app != app_id {
        return Err(("invalid_grant", "invalid grant".to_owned()));
    }
    state.codes.remove(at);
    issue(&visit.root, world, state, grant_id)
}

/// RFC 7636 section 4.6.
fn proof(method: &str, challenge: &str, verifier: &str) -> bool {
    if method.is_empty() && challenge.is_empty() {
        return true;
    }
    let derived = match method {
        "S256" => b64(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref()),
        "plain" => verifier.to_owned(),
        _ => return false,
    };
    !verifier.is_empty() && derived == challenge
}

fn by_refresh_token(
    visit: &Visit,
    world: &World,
    state: &mut State,
    id: &str,
    secret: &str,
) -> Result<Value, Refusal> {
    let app = proven(state, id, secret, "invalid_client", '"')?.id;
    let Some(claims) = state.key.open(visit.field("refresh_token"), state.now()) else {
        return Err(("unauthorized_client", "unable to parse refresh token".to_owned()));
    };
    let grant = claims["gnt"].as_u64().and_then(|id| state.grant(id));
    let Some(grant) = grant else {
        return Err(("invalid_grant", "grant does not exist".to_owned()));
    };
    if grant.app != app {
        return Err(("invalid_grant", "refresh token belongs to a different client".to_owned()));
    }
    // The kind of the token is not looked at: without a counter to compare, an access token refreshes too.
    let counter = claims["cnt"].as_u64().unwrap_or(0);
    if state.settings.invalidate_refresh_tokens && (counter == 0 || counter != grant.counter) {
        return Err(("unauthorized_client", "token was already used".to_owned()));
    }
    let grant = grant.id;
    issue(&visit.root, world, state, grant)
}

/// New tokens for a grant.
pub(super) fn issue(root: &str, world: &World, state: &mut State, grant: u64) -> Result<Value, Refusal> {
    let at = state.grants.iter().position(|known| known.id == grant);
    let Some(at) = at else { return Err(("invalid_grant", "grant does not exist".to_owned())) };
    if state.settings.invalidate_refresh_tokens {
        state.grants[at].counter += 1;
    }
    let now = state.now();
    let ends = now + state.settings.access_token_seconds;
    let access = json!({ "gnt": grant, "tt": 0, "exp": ends, "iat": now });
    let mut refresh =
        json!({ "gnt": grant, "tt": 1, "exp": now + state.settings.refresh_token_seconds, "iat": now });
    let counter = state.grants[at].counter;
    if counter > 0 {
        refresh["cnt"] = json!(counter);
    }
    let mut body = json!({
        "access_token": state.key.sign(&access),
        "token_type": "bearer",
        "expires_in": state.settings.access_token_seconds,
        "refresh_token": state.key.sign(&refresh),
    });
    if state.grants[at].scope.split(' ').any(|word| word == "openid")
        && let Some(token) = id_token(root, world, state, at, now)
    {
        body["id_token"] = json!(token);
    }
    Ok(body)
}

fn id_token(root: &str, world: &World, state: &mut State, at: usize, now: i64) -> Option<String> {
    let grant = &state.grants[at];
    let app = state.apps.iter().find(|app| app.id == grant.app)?;
    let account = world.account_by_id(grant.user);
    let asked = |word: &str| grant.scope.split(' ').any(|known| known == word);
    let mut claims = json!({
        "iss": state.issuer(root),
        "sub": grant.user.to_string(),
        "aud": [app.client_id],
        "exp": now + state.settings.access_token_seconds,
        "iat": now,
    });
    if !grant.nonce.is_empty() {
        claims["nonce"] = json!(grant.nonce);
    }
    if asked("profile") {
        claims["name"] = json!(state.seeding.text(display_name(account)));
        claims["preferred_username"] = json!(account.login);
        claims["profile"] = json!(format!("{}/{}", state.root(root), account.login));
        claims["picture"] = json!(avatar_of(root, account));
        claims["locale"] = json!("en-US");
        claims["updated_at"] = json!(account.created);
    }
    if asked("email") {
        claims["email"] = json!(account.email);
        claims["email_verified"] = json!(!account.disabled);
    }
    let groups = groups(world, account.id);
    if asked("groups") && !groups.is_empty() {
        claims["groups"] = json!(groups);
    }
    // With HS256 the client secret is the key, so that the client can check the token.
    let secret = match state.key.signing() {
        super::Signing::Hs256 => Some(SigningKey::secret(app.secret.as_bytes())),
        _ => None,
    };
    let flaw = state.flaws.pop_front();
    super::flaws::signed(secret.as_ref().unwrap_or(&state.key), claims, flaw)
}
