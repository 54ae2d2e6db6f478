//! Where Gitea sends the browser back to: the flow is opened, the person proved, and the client gets its code.
//!
//! Every failure is a page with a way on. It must not send the browser back to Gitea, which would go round in
//! circles, and must not hand anything to a client whose flow this browser did not approve.

use http::{Response, StatusCode};

use super::form::Form;
use super::page::html::{classed, el, link, saying};
use super::page::{Page, Unsendable, Visit, bake};
use super::pages::{Back, Failed, Refusal, remark};
use crate::ports::{Flow, Kind, Ports, SignedIn};
use crate::settings::Config;

/// Most bytes of a state or a code that Gitea brings back.
const LONGEST: usize = 8 * 1024;

/// Most bytes of the name of an error (RFC 6749 section 4.1.2.1).
const ERROR_BYTES: usize = 64;

/// `GET /oauth/callback`. `query` is the part of the URL after `?`; `cookies` are those of the request.
#[must_use]
pub fn answer(
    ports: &Ports<'_>,
    config: &Config,
    query: &str,
    cookies: &[(String, String)],
    request_id: &str,
) -> Response<Vec<u8>> {
    let visit = Visit { ports, config, request_id };
    arrive(&visit, query, cookies).unwrap_or_else(|failed| failed.answer(&visit))
}

/// What Gitea says.
enum Brought<'a> {
    Code(&'a str),
    Error(&'a str),
}

fn arrive(visit: &Visit<'_>, query: &str, cookies: &[(String, String)]) -> Result<Response<Vec<u8>>, Failed> {
    let form = Form::parse(query.as_bytes()).map_err(|_| Refusal::CallbackMalformed)?;
    form.unrepeated().map_err(|_| Refusal::CallbackMalformed)?;
    let one = |name: &str| form.one(name).map_err(|_| Refusal::CallbackMalformed);
    let fits = |text: &&str| text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    let state = one("state")?.filter(fits).ok_or(Refusal::CallbackMalformed)?;
    let brought = match (one("code")?, one("error")?) {
        (Some(code), None) if fits(&code) => Brought::Code(code),
        (None, Some(error)) => Brought::Error(error),
        _ => return Err(Refusal::CallbackMalformed.into()),
    };
    // RFC 9207 section 2.4. Gitea sends none today; one that names somebody else is a mix-up.
    let ours = |iss: &str| iss.trim_end_matches('/') == visit.config.gitea_url;
    if one("iss")?.is_some_and(|iss| !ours(iss)) {
        return Err(Failed::from(Refusal::CallbackMalformed).detail("parameter", "iss"));
    }
    let flow = visit.ports.login.open(state, cookies).map_err(Refusal::State)?;
    // Used up, whatever comes of it.
    let spent = visit.cookie(&flow.cookie().0, "", 0);
    let failed = |failed: Failed| failed.cookies(vec![spent.clone()]).detail("client", &flow.client().id);
    match brought {
        Brought::Error(error) => Err(failed(refused_by_gitea(&*flow, error))),
        Brought::Code(code) => {
            let session = flow.exchange(code).map_err(|refused| failed(Refusal::SignIn(refused).into()))?;
            let code = session.issue_code().ok_or_else(|| failed(Refusal::CodeNotIssued.into()))?;
            Ok(signed_in(visit, &*flow, &*session, &code, spent.clone())?)
        }
    }
}

/// The person said no, which the client should hear; or something is wrong between Gitea and this server, which
/// no client can mend.
fn refused_by_gitea(flow: &dyn Flow, error: &str) -> Failed {
    let plain =
        error.len() <= ERROR_BYTES && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let error = if plain { error } else { "unreadable" };
    flow.abandon(error);
    if error == "access_denied" {
        Failed::from(Refusal::GiteaDenied).back(&back(flow))
    } else {
        Failed::from(Refusal::GiteaError).detail("error", error)
    }
}

fn signed_in(
    visit: &Visit<'_>,
    flow: &dyn Flow,
    session: &dyn SignedIn,
    code: &str,
    spent: String,
) -> Result<Response<Vec<u8>>, Unsendable> {
    let mut cookies = vec![spent];
    cookies.extend(session.remembrance().map(|(name, value, seconds)| visit.cookie(&name, &value, seconds)));
    let to = back(flow).with(visit, &[("code", code)]);
    if session.who().narrowed {
        let detail = [("client".to_owned(), flow.client().id)];
        visit.ports.audit.note(&remark(Kind::AccessDenied, "write_not_granted", &detail));
        let mut response = visit.page(&narrowed(visit, &to))?;
        bake(&mut response, &cookies)?;
        return Ok(response);
    }
    visit.redirect(&to, &cookies)
}

fn back(flow: &dyn Flow) -> Back {
    let approved = flow.approved();
    Back { redirect_uri: approved.redirect_uri, state: approved.state }
}

/// Somebody approved writes, and an older grant in Gitea does not carry them. They are told before they go on:
/// afterwards nobody would know why nothing can be changed.
fn narrowed(visit: &Visit<'_>, to: &str) -> Page {
    let title = "Signed in, for reading only";
    let content = vec![
        saying("h1", title),
        classed("p", "lead").text(
            "You approved changes, but you authorized this server in Gitea before for reading, and Gitea keeps to that \
             until you revoke it.",
        ),
        classed("p", "buttons").put(link(to, "Continue for reading").set("class", "button main")),
        classed("p", "note").text("Continue within a minute: afterwards the sign-in is over and has to be started again."),
        saying("h2", "To allow changes later"),
        el("ol")
            .put(
                saying("li", "Revoke this server’s application in Gitea, under ")
                    .put(link(&visit.gitea_applications(), "Settings, Applications"))
                    .text("."),
            )
            .put(saying("li", "Connect again from your assistant, and choose reading and making changes.")),
        classed("section", "operator")
            .set("aria-labelledby", "operator")
            .put(saying("h2", "For the operator").set("id", "operator"))
            .put(saying(
                "p",
                "A grant in Gitea never grows. With a second application for writes (GITEA_OAUTH_WRITE_CLIENT_ID) \
                 nobody has to revoke anything.",
            ))
            .put(saying("p", "Reason: ").put(saying("code", "write_not_granted"))),
    ];
    Page {
        name: "write_not_granted".to_owned(),
        title: title.to_owned(),
        status: StatusCode::OK,
        trouble: false,
        content,
        form_action: None,
    }
}

#[cfg(test)]
mod tests;
