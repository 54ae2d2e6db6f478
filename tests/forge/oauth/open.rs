//! The endpoints that need no session: discovery, keys, userinfo, introspection, and the door to the token endpoint.

use serde_json::{Value, json};

use super::{State, Visit, groups, token};
use crate::forge::Version;
use crate::forge::auth::avatar_of;
use crate::forge::call::Answer;
use crate::forge::world::{Account, World};

/// `GET /.well-known/openid-configuration`.
pub(super) fn discovery(visit: &Visit, state: &mut State) -> Answer {
    let base = state.root(&visit.root);
    let at = |path: &str| format!("{base}/login/oauth/{path}");
    let body = json!({
        "issuer": state.issuer(&visit.root),
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("access_token"),
        "jwks_uri": at("keys"),
        "userinfo_endpoint": at("userinfo"),
        "introspection_endpoint": at("introspect"),
        "response_types_supported": ["code", "id_token"],
        "id_token_signing_alg_values_supported": [state.key.signing().name()],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid", "profile", "email", "groups"],
        "claims_supported": [
            "aud", "exp", "iat", "iss", "sub", "name", "preferred_username", "profile", "picture", "website",
            "locale", "updated_at", "email", "email_verified", "groups",
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
    });
    visit.with_session(state, bare_json(&body))
}

/// The endpoints that first look for a token on the request itself, wherever it stands: a dead one refuses the
/// request before the endpoint sees it, and a disabled user's gets a page.
pub(super) fn with_credential(visit: &Visit, world: &World, state: &mut State) -> Answer {
    let user = match visit.token() {
        Some(token) => match user_of(&token, world, state) {
            Some(user) => Some(user),
            None => {
                let refusal = Answer::plain(401, "Failed to authenticate user\n");
                return visit.with_session(state, refusal);
            }
        },
        None => None,
    };
    let session_user = visit.session().and_then(|id| state.signed_in(id));
    if user.or(session_user).is_some_and(|id| world.account_by_id(id).disabled) {
        return visit.with_session(state, super::pages::prohibited(visit));
    }
    let answer = match visit.path.as_str() {
        "/login/oauth/keys" => bare_json(&state.key.jwks()),
        "/login/oauth/userinfo" => userinfo(visit, world, state, user),
        "/login/oauth/introspect" => introspect(visit, world, state),
        _ => token::answer(visit, world, state),
    };
    visit.with_session(state, answer)
}

/// Whose token it is: an access token of OAuth, or a personal one.
fn user_of(token: &str, world: &World, state: &State) -> Option<u64> {
    if token.contains('.') {
        return state.bearer(token).map(|bearer| bearer.user);
    }
    world.tokens.iter().find(|known| known.secret == token).map(|known| known.owner)
}

fn userinfo(visit: &Visit, world: &World, state: &State, user: Option<u64>) -> Answer {
    let Some(user) = user else { return unauthorised("Bearer") };
    let account: &Account = world.account_by_id(user);
    let groups = groups(world, user);
    Answer::json(
        200,
        &json!({
            "sub": user.to_string(),
            "name": state.seeding.text(display_name(account)),
            "preferred_username": account.login,
            "email": account.email,
            "picture": avatar_of(&visit.root, account),
            "groups": if groups.is_empty() { Value::Null } else { json!(groups) },
        }),
    )
}

/// As people see somebody: the full name, or the login where there is none.
pub(super) fn display_name(account: &Account) -> &str {
    if account.full_name.is_empty() { &account.login } else { &account.full_name }
}

/// `POST /login/oauth/introspect`. It does not look at the kind of the token, so a refresh token that got past the
/// door (in a JSON body) is active. Since 1.27 an application sees its own tokens alone.
fn introspect(visit: &Visit, world: &World, state: &State) -> Answer {
    let asking = visit
        .basic()
        .and_then(|(id, secret)| state.app(&id).filter(|app| !app.secret.is_empty() && app.secret == secret));
    let Some(asking) = asking else { return unauthorised("Basic") };
    let inactive = || Answer::json(200, &json!({ "active": false }));
    let Some((grant, _)) = state.opened(visit.field("token")) else { return inactive() };
    let foreign = grant.app != asking.id;
    if foreign && visit.version == Version::V1_27 {
        return inactive();
    }
    let Some(app) = state.apps.iter().find(|app| app.id == grant.app) else { return inactive() };
    let mut body = json!({
        "active": true,
        "username": world.account_by_id(grant.user).login,
        "iss": state.issuer(&visit.root),
        "sub": grant.user.to_string(),
        "aud": [app.client_id],
    });
    if !grant.scope.is_empty() {
        body["scope"] = json!(grant.scope);
    }
    Answer::json(200, &body)
}

fn unauthorised(scheme: &str) -> Answer {
    Answer::text(401, "text/plain;charset=utf-8", "no valid authorization")
        .with("WWW-Authenticate", format!("{scheme} realm=\"Gitea OAuth2\""))
}

/// JSON under the media type alone.
fn bare_json(body: &Value) -> Answer {
    Answer::text(200, "application/json", &format!("{body}\n"))
}
