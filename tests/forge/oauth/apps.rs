//! The part of the API that makes credentials: applications of the one who asks, and personal access tokens.

use serde_json::{Map, Value, json};

use super::{App, State, hex, uuid, word};
use crate::forge::call::{Answer, Call};
use crate::forge::scopes::normalised;
use crate::forge::time::{NEVER, rfc3339};
use crate::forge::world::{Token, World};

fn body(call: &Call) -> Map<String, Value> {
    let parsed: Value = serde_json::from_slice(&call.body).unwrap_or(Value::Null);
    parsed.as_object().cloned().unwrap_or_default()
}

fn words(value: Option<&Value>) -> Vec<String> {
    let all = value.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn shown(app: &App, secret: &str) -> Value {
    json!({
        "id": app.id,
        "name": app.name,
        "client_id": app.client_id,
        "client_secret": secret,
        "confidential_client": app.confidential,
        "skip_secondary_authorization": app.skip_secondary_authorization,
        "redirect_uris": app.redirect_uris,
        "created": rfc3339(app.created),
    })
}

/// Register an application; gives its place.
pub(super) fn register(
    state: &mut State,
    owner: u64,
    name: &str,
    redirect_uris: Vec<String>,
    confidential: bool,
    skip: bool,
) -> usize {
    let id = state.number();
    state.apps.push(App {
        id,
        owner,
        name: name.to_owned(),
        client_id: uuid(),
        secret: word("gto_"),
        redirect_uris,
        confidential,
        skip_secondary_authorization: skip,
        created: state.now(),
    });
    state.apps.len() - 1
}

/// `/user/applications/oauth2` and `/user/applications/oauth2/{id}`; none for a method that Gitea has not there.
pub(crate) fn applications(call: &Call, state: &mut State, id: Option<&str>) -> Option<Answer> {
    let Some(user) = call.viewer else { return Some(call.refuse(401, "token is required")) };
    let Some(id) = id else {
        return match call.method.as_str() {
            "GET" => {
                let mine: Vec<&App> = state.apps.iter().filter(|app| app.owner == user).rev().collect();
                let list: Value = mine.iter().map(|app| shown(app, "")).collect();
                let total = mine.len();
                Some(
                    Answer::json(200, &list)
                        .with("Access-Control-Expose-Headers", "X-Total-Count")
                        .with("X-Total-Count", total),
                )
            }
            "POST" => Some(create(call, state, user)),
            _ => None,
        };
    };
    let at = id
        .parse()
        .ok()
        .and_then(|id: u64| state.apps.iter().position(|app| app.id == id && app.owner == user));
    let Some(at) = at else { return Some(call.not_found()) };
    Some(match call.method.as_str() {
        "GET" => Answer::json(200, &shown(&state.apps[at], "")),
        "PATCH" => change(call, state, at),
        "DELETE" => {
            let id = state.apps.remove(at).id;
            let grants: Vec<u64> = state.grants.iter().filter(|g| g.app == id).map(|g| g.id).collect();
            state.codes.retain(|code| !grants.contains(&code.grant));
            state.grants.retain(|grant| grant.app != id);
            Answer::empty(204)
        }
        _ => return None,
    })
}

/// Name and redirects, both required.
fn required(call: &Call, body: &Map<String, Value>) -> Result<(String, Vec<String>), Answer> {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    let redirects = words(body.get("redirect_uris"));
    if name.is_empty() {
        return Err(call.refuse(422, "[Name]: Required"));
    }
    if redirects.is_empty() {
        return Err(call.refuse(422, "[RedirectURIs]: Required"));
    }
    Ok((name.to_owned(), redirects))
}

/// An application is public unless the request says that it is confidential.
fn flag(body: &Map<String, Value>, name: &str) -> bool {
    body.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn create(call: &Call, state: &mut State, user: u64) -> Answer {
    let body = body(call);
    let (name, redirects) = match required(call, &body) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let (confidential, skip) =
        (flag(&body, "confidential_client"), flag(&body, "skip_secondary_authorization"));
    let at = register(state, user, &name, redirects, confidential, skip);
    Answer::json(201, &shown(&state.apps[at], &state.apps[at].secret))
}

/// A change always makes a new secret.
fn change(call: &Call, state: &mut State, at: usize) -> Answer {
    let body = body(call);
    let (name, redirects) = match required(call, &body) {
        Ok(found) => found,
        Err(refusal) => return refusal,
    };
    let app = &mut state.apps[at];
    app.name = name;
    app.redirect_uris = redirects;
    app.confidential = flag(&body, "confidential_client");
    app.skip_secondary_authorization = flag(&body, "skip_secondary_authorization");
    app.secret = word("gto_");
    Answer::json(200, &shown(app, &app.secret))
}

/// `POST /users/{login}/tokens`: a password is needed, a token is not enough.
pub(crate) fn new_token(call: &Call, world: &mut World, login: &str) -> Answer {
    if !call.by_password {
        return call.refuse(401, "auth required");
    }
    let Some(user) = world.account(login).map(|account| account.id) else {
        return crate::forge::people::unknown_user(call, login, true);
    };
    let allowed = call.viewer.is_some_and(|id| id == user || world.account_by_id(id).admin);
    if !allowed {
        return call.refuse(403, "doer should be the site admin or be same as the contextUser");
    }
    let body = body(call);
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if world.tokens.iter().any(|token| token.owner == user && token.name == name) {
        return call.refuse(400, "access token name has been used already");
    }
    let asked = words(body.get("scopes"));
    // Gitea joins them before it reads them.
    let scopes = match normalised(asked.iter().flat_map(|word| word.split(','))) {
        Ok(scopes) => scopes,
        Err(word) => {
            let why = format!("invalid access token scope provided: invalid access token scope: {word}");
            return call.refuse(400, &why);
        }
    };
    if scopes.is_empty() {
        return call.refuse(400, "access token must have a scope");
    }
    let secret = hex::<20>();
    let created = world.tick();
    let id = world.tokens.iter().map(|token| token.id).max().unwrap_or(0) + 1;
    let last_eight = secret.get(32..).unwrap_or_default().to_owned();
    let answer = json!({
        "id": id,
        "name": name,
        "sha1": secret,
        "token_last_eight": last_eight,
        "scopes": scopes,
        "created_at": NEVER,
        "last_used_at": NEVER,
    });
    world.tokens.push(Token { id, secret, name, owner: user, scopes, created });
    Answer::json(201, &answer)
}
