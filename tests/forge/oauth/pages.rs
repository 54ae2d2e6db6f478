//! What a person sees: sign-in, consent, the list of authorized applications. Enough HTML to be driven by a browser
//! or a test; fields, statuses, cookies and redirects as Gitea has them.

use super::uri::{encoded, registered, with_query};
use super::visit::session_cookie;
use super::{App, CODE_SECONDS, Code, Session, State, Visit, hex, word};
use crate::forge::Version;
use crate::forge::call::Answer;
use crate::forge::scopes;
use crate::forge::world::World;

/// Text for HTML.
fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

fn page(visit: &Visit, status: u16, title: &str, body: &str) -> Answer {
    let text = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<meta charset=\"utf-8\">\n\
         \t<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         \t<title>{} - Gitea: Git with a cup of tea</title>\n</head>\n<body>\n{body}\n\
         <footer>Powered by Gitea Version: {}</footer>\n</body>\n</html>\n",
        html(title),
        visit.version.number(),
    );
    Answer::text(status, "text/html; charset=utf-8", &text).with("X-Frame-Options", "SAMEORIGIN")
}

/// A redirect as Go sends it: only the answer to a GET has a body.
fn redirect(visit: &Visit, to: &str) -> Answer {
    let answer = if visit.method == "GET" {
        let body = format!("<a href=\"{}\">See Other</a>.\n\n", html(to));
        Answer::text(303, "text/html; charset=utf-8", &body)
    } else {
        Answer::empty(303)
    };
    answer.with("Location", to)
}

/// What a user who may not sign in gets on every page, and on OAuth endpoints too: status 200.
pub(super) fn prohibited(visit: &Visit) -> Answer {
    let body = "<div role=\"main\" aria-label=\"Sign-In Prohibited\" class=\"page-content user activate\">\n\
        <p>Your account is prohibited from signing in. Please contact your site administrator.</p>\n</div>";
    page(visit, 200, "Sign-In Prohibited", body)
}

/// A page for signed-in people: others are sent to sign in and come back; a write from another site is refused.
pub(super) fn signed_in(
    visit: &Visit,
    world: &World,
    state: &mut State,
    then: fn(&Visit, &World, &mut State, u64) -> Answer,
) -> Answer {
    let user = visit.session().and_then(|id| state.signed_in(id));
    if user.is_some_and(|id| world.account_by_id(id).disabled) {
        return visit.with_session(state, prohibited(visit));
    }
    if let Some(why) = visit.cross_origin() {
        return visit.with_session(state, Answer::plain(403, &format!("{why}\n")));
    }
    let Some(user) = user else {
        let to = format!("/user/login?redirect_to={}", encoded(&visit.target));
        return visit.with_session(state, redirect(visit, &to));
    };
    then(visit, world, state, user)
}

/// `/user/login` and `/user/logout`.
pub(super) fn session(visit: &Visit, world: &World, state: &mut State) -> Option<Answer> {
    let signed_in = visit.session().and_then(|id| state.signed_in(id));
    let gone = |name: &str| format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    if visit.path == "/user/logout" {
        if let Some(at) = visit.known_session(state) {
            state.sessions.remove(at);
        }
        return Some(redirect(visit, "/").with("Set-Cookie", gone("i_like_gitea")));
    }
    if signed_in.is_some() {
        return Some(redirect(visit, &within_site(visit.field("redirect_to"))));
    }
    Some(match visit.method.as_str() {
        "GET" => {
            let to = within_site(visit.field("redirect_to"));
            let cookie = format!("redirect_to={}; Path=/; HttpOnly; SameSite=Lax", encoded(&to));
            visit.with_session(state, login_form(visit, "")).with("Set-Cookie", cookie)
        }
        "POST" => {
            let answer = log_in(visit, world, state);
            if answer.status == 303 { answer.with("Set-Cookie", gone("redirect_to")) } else { answer }
        }
        _ => return None,
    })
}

/// `GET /`.
pub(super) fn front(visit: &Visit, state: &mut State) -> Answer {
    visit.with_session(state, page(visit, 200, "Dashboard", "<h1>Gitea: Git with a cup of tea</h1>"))
}

/// A path of this site, or its front page.
fn within_site(to: &str) -> String {
    let inside = to.starts_with('/') && !to.starts_with("//") && !to.starts_with("/\\");
    if inside { to.to_owned() } else { "/".to_owned() }
}

fn login_form(visit: &Visit, flash: &str) -> Answer {
    let flash = if flash.is_empty() {
        String::new()
    } else {
        format!("<div class=\"ui negative message flash-message flash-error\">{}</div>\n", html(flash))
    };
    let body = format!(
        "{flash}<h4>Sign In</h4>\n<form class=\"ui form\" action=\"/user/login\" method=\"post\">\n\
         <label for=\"user_name\">Username or Email Address</label>\n\
         <input id=\"user_name\" type=\"text\" name=\"user_name\" value=\"{}\" autofocus required tabindex=\"1\">\n\
         <label for=\"password\">Password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" value=\"\" autocomplete=\"current-password\" required tabindex=\"2\">\n\
         <label>Remember This Device</label>\n<input name=\"remember\" type=\"checkbox\" tabindex=\"5\">\n\
         <button class=\"ui primary button tw-w-full\" tabindex=\"3\">Sign In</button>\n</form>",
        html(visit.field("user_name")),
    );
    page(visit, 200, "Sign In", &body)
}

fn log_in(visit: &Visit, world: &World, state: &mut State) -> Answer {
    let name = visit.field("user_name");
    let account =
        world.accounts.iter().filter(|account| !account.organisation).find(|account| {
            account.login.eq_ignore_ascii_case(name) || account.email.eq_ignore_ascii_case(name)
        });
    let right = account.filter(|account| account.password == visit.field("password"));
    let Some(account) = right else {
        return visit.with_session(state, login_form(visit, "Username or password is incorrect."));
    };
    if account.disabled {
        return visit.with_session(state, prohibited(visit));
    }
    // The session is a new one after signing in, so that nobody can have planted it.
    if let Some(at) = visit.known_session(state) {
        state.sessions.remove(at);
    }
    let id = hex::<8>();
    let cookie = session_cookie(&id);
    state.sessions.push(Session { id, user: Some(account.id), ..Session::default() });
    let asked = visit.field("redirect_to");
    let to = if asked.is_empty() {
        visit.cookie_text("redirect_to").unwrap_or_default()
    } else {
        asked.to_owned()
    };
    redirect(visit, &within_site(&to)).with("Set-Cookie", cookie)
}

/// A refusal that the person sees: nobody is redirected to an address that is not registered.
fn grant_error(visit: &Visit, why: &str) -> Answer {
    let body = format!(
        "<h1>Authorization failed</h1>\n<h3>{}</h3>\n<p>The authorization failed because we detected an invalid \
         request. Please contact the maintainer of the app you have tried to authorize.</p>",
        html(why)
    );
    page(visit, 400, "Authorization failed", &body)
}

/// A refusal that the application is told.
fn told(visit: &Visit, redirect_uri: &str, error: &str, why: &str) -> Answer {
    let more = [("error", error), ("error_description", why), ("state", visit.field("state"))];
    redirect(visit, &with_query(redirect_uri, &more))
}

/// `GET` or `POST /login/oauth/authorize`.
pub(super) fn authorize(visit: &Visit, world: &World, state: &mut State, user: u64) -> Answer {
    let Some(app) = state.app(visit.field("client_id")) else {
        return grant_error(visit, "Client ID not registered");
    };
    let to = visit.field("redirect_uri");
    if !registered(&app.redirect_uris, app.confidential, to) {
        return grant_error(visit, "Unregistered Redirect URI");
    }
    if visit.field("response_type") != "code" {
        return told(visit, to, "unsupported_response_type", "Only code response type is supported.");
    }
    let (method, challenge) = (visit.field("code_challenge_method"), visit.field("code_challenge"));
    if method.is_empty() && !app.confidential {
        return told(visit, to, "invalid_request", "PKCE is required for public clients");
    }
    if !matches!(method, "" | "S256" | "plain") {
        return told(visit, to, "invalid_request", "unsupported code challenge method");
    }
    let (app_id, direct) = (app.id, app.confidential || app.skip_secondary_authorization);
    let consent = consent_page(visit, world, app);
    let (at, _) = visit.open_session(state);
    if !method.is_empty() {
        state.sessions[at].method = method.to_owned();
        state.sessions[at].challenge = challenge.to_owned();
    }
    if direct && let Some(grant) = state.grant_of(user, app_id).map(|grant| grant.id) {
        return with_code(visit, state, grant, challenge, method);
    }
    let session = &mut state.sessions[at];
    session.client_id = Some(visit.field("client_id").to_owned());
    session.redirect_uri = Some(to.to_owned());
    session.state = Some(visit.field("state").to_owned());
    consent
}

fn consent_page(visit: &Visit, world: &World, app: &App) -> Answer {
    let field = |name: &str| {
        let value = html(visit.field(name));
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">\n")
    };
    let everything = scopes::of_grant(visit.field("scope")) == ["all"];
    let warning = if everything {
        "<b>If you grant the access, it will be able to access and write to all your account information, including \
         private repos and organisations.</b><br>\n"
    } else {
        ""
    };
    let maker = match app.owner {
        0 => "Gitea: Git with a cup of tea".to_owned(),
        owner => format!("@{}", world.account_by_id(owner).login),
    };
    let body = format!(
        "<h3>Authorize \"{}\" to access your account?</h3>\n<p>{warning}This application was created by {}.<br>\n\
         With scopes: <b>{}</b></p>\n<p>You will be redirected to <strong>{}</strong> if you authorize this \
         application.</p>\n<form method=\"post\" action=\"/login/oauth/grant\">\n{}{}{}{}{}\
         <button type=\"submit\" id=\"authorize-app\" name=\"granted\" value=\"true\">Authorize Application</button>\n\
         <button type=\"submit\" name=\"granted\" value=\"false\">Cancel</button>\n</form>",
        html(&app.name),
        html(&maker),
        html(visit.field("scope")),
        html(visit.field("redirect_uri")),
        field("client_id"),
        field("state"),
        field("scope"),
        field("nonce"),
        field("redirect_uri"),
    );
    page(visit, 200, "Authorize", &body)
}

/// Send the browser back with a new code.
fn with_code(visit: &Visit, state: &mut State, grant: u64, challenge: &str, method: &str) -> Answer {
    let redirect_uri = visit.field("redirect_uri");
    let code = word("gta_");
    state.codes.push(Code {
        code: code.clone(),
        grant,
        redirect_uri: redirect_uri.to_owned(),
        challenge: challenge.to_owned(),
        method: method.to_owned(),
        ends: state.now() + CODE_SECONDS,
    });
    let nonce = visit.field("nonce");
    if !nonce.is_empty()
        && let Some(grant) = state.grants.iter_mut().find(|known| known.id == grant)
    {
        nonce.clone_into(&mut grant.nonce);
    }
    let mut more = vec![("code", code.as_str())];
    if !visit.field("state").is_empty() {
        more.push(("state", visit.field("state")));
    }
    redirect(visit, &with_query(redirect_uri, &more))
}

/// `POST /login/oauth/grant`: only what the session's last consent page showed.
pub(super) fn grant(visit: &Visit, _: &World, state: &mut State, user: u64) -> Answer {
    let bad = || Answer::plain(400, "Bad Request\n");
    let Some(session) = visit.known_session(state).map(|at| &state.sessions[at]) else { return bad() };
    let same = |held: &Option<String>, name: &str| held.as_deref() == Some(visit.field(name));
    if !same(&session.client_id, "client_id")
        || !same(&session.state, "state")
        || !same(&session.redirect_uri, "redirect_uri")
    {
        return bad();
    }
    let (challenge, method) = (session.challenge.clone(), session.method.clone());
    let to = visit.field("redirect_uri");
    if !matches!(visit.field("granted"), "true" | "on" | "1") {
        return told(visit, to, "access_denied", "the request is denied");
    }
    let Some(app) = state.app(visit.field("client_id")).map(|app| app.id) else { return bad() };
    let scope = visit.field("scope");
    let grant = match state.grant_of(user, app) {
        Some(grant) if grant.scope != scope => {
            return told(visit, to, "server_error", "a grant exists with different scope");
        }
        Some(grant) => grant.id,
        None => state.allow(user, app, scope),
    };
    with_code(visit, state, grant, &challenge, &method)
}

/// `GET /user/settings/applications`: what was authorized, and where each can be revoked.
pub(super) fn applications(visit: &Visit, _: &World, state: &mut State, user: u64) -> Answer {
    let class = match visit.version {
        Version::V1_27 => "link-action",
        Version::V1_26 | Version::V1_24 => "delete-button",
    };
    let mut rows = String::new();
    for grant in state.grants.iter().filter(|grant| grant.user == user) {
        let Some(app) = state.apps.iter().find(|app| app.id == grant.app) else { continue };
        rows.push_str(&format!(
            "<div>{} <button class=\"ui red tiny button {class}\" \
             data-url=\"/user/settings/applications/oauth2/{}/revoke/{}\">Revoke</button></div>\n",
            html(&app.name),
            app.id,
            grant.id
        ));
    }
    page(visit, 200, "Applications", &format!("<h4>Authorized OAuth2 Applications</h4>\n{rows}"))
}

/// Application and grant of a path that revokes.
pub(super) fn revoked(path: &str) -> Option<(u64, u64)> {
    let rest = path.strip_prefix("/user/settings/applications/oauth2/")?;
    let (app, grant) = rest.split_once("/revoke/")?;
    Some((app.parse().ok()?, grant.parse().ok()?))
}

/// `POST /user/settings/applications/oauth2/{app}/revoke/{grant}`: the same answer whether there was one or not.
pub(super) fn revoke(visit: &Visit, _: &World, state: &mut State, user: u64) -> Answer {
    if let Some((app, grant)) = revoked(&visit.path) {
        state.revoke(user, app, grant);
    }
    Answer::json(200, &serde_json::json!({ "redirect": "/user/settings/applications" })).with(
        "Set-Cookie",
        "gitea_flash=success%3DAccess%2Brevoked%2Bsuccessfully.; Path=/; HttpOnly; SameSite=Lax",
    )
}
