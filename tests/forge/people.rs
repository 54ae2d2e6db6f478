//! Users, organisations, tokens, and the version and settings routes.

use serde_json::{Value, json};

use super::Version;
use super::auth::avatar_of;
use super::call::{Answer, Call};
use super::time::{NEVER, rfc3339};
use super::world::{Account, World};

/// `GET /version`.
pub(super) fn version(call: &Call) -> Answer {
    Answer::json(200, &json!({ "version": call.version.number() }))
}

/// `GET /settings/api`.
pub(super) fn settings() -> Answer {
    Answer::json(
        200,
        &json!({
            "max_response_items": super::paging::LARGEST_SIZE,
            "default_paging_num": super::paging::DEFAULT_SIZE,
            "default_git_trees_per_page": super::trees::LARGEST_PAGE,
            "default_max_blob_size": super::contents::LARGEST_BLOB,
            "default_max_response_size": 104_857_600,
        }),
    )
}

/// `GET /user`.
pub(super) fn myself(call: &Call, world: &World) -> Answer {
    match call.viewer {
        Some(id) => Answer::json(200, &user(call, world.account_by_id(id))),
        None => call.refuse(401, "token is required"),
    }
}

/// `GET /token`, since 1.27.
pub(super) fn token(call: &Call, world: &World) -> Answer {
    if call.version < Version::V1_27 {
        return Answer::no_route();
    }
    let Some(token) = call.token.and_then(|at| world.tokens.get(at)) else {
        // A token of OAuth is none of those that can be looked up here.
        let known = call.viewer.is_some();
        return if known {
            call.refuse(404, "access token not found")
        } else {
            call.refuse(401, "token is required")
        };
    };
    let owner = world.account_by_id(token.owner);
    Answer::json(
        200,
        &json!({
            "id": token.id,
            "name": call.seeding.text(&token.name),
            "scopes": token.scopes,
            "created_at": rfc3339(token.created),
            "last_used_at": rfc3339(world.clock),
            "user": { "id": owner.id, "login": owner.login },
        }),
    )
}

/// `GET /users/{login}`.
pub(super) fn account(call: &Call, world: &World, login: &str) -> Answer {
    match world.account(login) {
        Some(account) => Answer::json(200, &user(call, account)),
        None => unknown_user(call, login, true),
    }
}

/// The refusal for a user that does not exist. Some routes list the reason under `errors` on 1.26, some do not.
pub(super) fn unknown_user(call: &Call, login: &str, listed: bool) -> Answer {
    let reason = format!("user does not exist [uid: 0, name: {login}]");
    if listed { call.not_found_because("not found", &[reason]) } else { call.refuse(404, &reason) }
}

/// `GET /orgs/{org}`.
pub(super) fn organisation(call: &Call, world: &World, name: &str) -> Answer {
    let Some(org) = world.account(name).filter(|account| account.organisation) else {
        return call.not_found();
    };
    Answer::json(200, &render_organisation(call, org))
}

/// An organisation, alone or in a list.
pub(super) fn render_organisation(call: &Call, org: &Account) -> Value {
    json!({
        "id": org.id,
        "name": org.login,
        "full_name": call.seeding.text(&org.full_name),
        "email": org.email,
        "avatar_url": avatar(call, org),
        "description": call.seeding.text(""),
        "website": "",
        "location": call.seeding.text(""),
        "visibility": "public",
        "repo_admin_change_team_access": false,
        "username": org.login,
    })
}

/// A user as shown to the one who asks: what is private is filled in for the user alone.
pub(super) fn user(call: &Call, account: &Account) -> Value {
    let own = call.viewer == Some(account.id) || call.by_admin;
    render(call, account, own, call.viewer.is_some())
}

/// A user as shown where Gitea forgets who asks: the mail address is a placeholder.
pub(super) fn user_unseen(call: &Call, account: &Account) -> Value {
    render(call, account, false, false)
}

fn render(call: &Call, account: &Account, own: bool, signed_in: bool) -> Value {
    let email = if signed_in || account.organisation {
        account.email.clone()
    } else {
        format!("{}+{}@noreply.localhost", account.id, account.login)
    };
    json!({
        "id": account.id,
        "login": account.login,
        "login_name": "",
        "source_id": 0,
        "full_name": call.seeding.text(&account.full_name),
        "email": email,
        "avatar_url": avatar(call, account),
        "html_url": format!("{}/{}", call.root, account.login),
        "language": if own { "en-US" } else { "" },
        "is_admin": own && account.admin,
        "last_login": if own { rfc3339(account.created + 60) } else { NEVER.to_owned() },
        "created": rfc3339(account.created),
        "restricted": account.restricted,
        "active": own,
        "prohibit_login": own && account.disabled,
        "location": call.seeding.text(""),
        "website": "",
        "description": call.seeding.text(""),
        "visibility": "public",
        "followers_count": 0,
        "following_count": 0,
        "starred_repos_count": 0,
        "username": account.login,
    })
}

fn avatar(call: &Call, account: &Account) -> String {
    avatar_of(&call.root, account)
}
