//! The frame of every page and the headers of every answer that a browser gets while somebody signs in.
//!
//! There is no script, no image and no request to anywhere: one inline stylesheet, allowed by its hash. Every page
//! bears the id of its request, and none is sent without a line in the log under that id. What is said on a page is
//! not decided here.

#[cfg(test)]
pub(super) mod fake;
#[cfg(test)]
mod gallery;
pub(super) mod html;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::ports::{Level, Ports};
use crate::settings::Config;
use html::{Element, classed, el, saying};

/// The one stylesheet.
const STYLE: &str = include_str!("page/style.css");

/// How long the cookie that binds a sign-in to a browser lives, in seconds.
pub(super) const FLOW_SECONDS: u32 = 600;

/// Most characters of a name that somebody else chose.
const NAME_CHARACTERS: usize = 64;

/// One request of a browser.
#[derive(Clone, Copy)]
pub(super) struct Visit<'a> {
    pub(super) ports: &'a Ports<'a>,
    pub(super) config: &'a Config,
    /// Shown at the foot of every page, so that a person can name it to the operator.
    pub(super) request_id: &'a str,
}

/// A page before it is put in its frame.
pub(super) struct Page {
    /// What it is called in the log: the refusal's name, where it tells of one.
    pub(super) name: String,
    /// The title, which is its heading too.
    pub(super) title: String,
    pub(super) status: StatusCode,
    /// Whether it says that something went wrong.
    pub(super) trouble: bool,
    /// What stands in `main`, heading included.
    pub(super) content: Vec<Element>,
    /// Where its form may lead; none where it has no form.
    pub(super) form_action: Option<String>,
}

/// A text that cannot be a header: the host or the settings gave something that no browser may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsendable;

impl Visit<'_> {
    /// The page in its frame, ready to be sent.
    pub(super) fn page(&self, page: &Page) -> Result<Response<Vec<u8>>, Unsendable> {
        let status = page.status.as_u16().to_string();
        self.ports.telemetry.log(Level::Info, "page_shown", &[("page", &page.name), ("status", &status)]);
        let policy = policy(page.form_action.as_deref());
        // A form sent from a page without a referrer says `Origin: null`, which says nothing.
        let referrer = if page.form_action.is_some() { "same-origin" } else { "no-referrer" };
        let mut response = Response::new(self.frame(page).document().into_bytes());
        *response.status_mut() = page.status;
        self.dress(&mut response, &policy, referrer)?;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Ok(response)
    }

    /// The way on to another address. 303, so that a form is never sent on (RFC 9700 section 4.12).
    pub(super) fn redirect(&self, to: &str, cookies: &[String]) -> Result<Response<Vec<u8>>, Unsendable> {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::SEE_OTHER;
        self.dress(&mut response, &policy(None), "no-referrer")?;
        response.headers_mut().insert(LOCATION, value(to)?);
        bake(&mut response, cookies)?;
        Ok(response)
    }

    /// A cookie for this server alone. `SameSite=Lax`, since it comes back with a navigation from Gitea.
    pub(super) fn cookie(&self, name: &str, value: &str, seconds: u32) -> String {
        // The host names it without the prefix where the server is reached by plain http on loopback: there
        // `Secure` cannot be had in every browser.
        let secure = if self.secure() || name.starts_with("__Host-") { " Secure;" } else { "" };
        format!("{name}={value}; Path=/;{secure} HttpOnly; SameSite=Lax; Max-Age={seconds}")
    }

    /// Where somebody looks after what they granted in Gitea.
    pub(super) fn gitea_applications(&self) -> String {
        format!("{}/user/settings/applications", self.config.gitea_url)
    }

    /// Gitea's host, as a person recognises it.
    pub(super) fn gitea_host(&self) -> &str {
        host(&self.config.gitea_url)
    }

    fn secure(&self) -> bool {
        self.config.public_base_url.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    fn dress(
        &self,
        response: &mut Response<Vec<u8>>,
        policy: &str,
        referrer: &'static str,
    ) -> Result<(), Unsendable> {
        let headers = response.headers_mut();
        let always: [(HeaderName, &'static str); 4] = [
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, referrer),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
        ];
        for (name, value) in always {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(CONTENT_SECURITY_POLICY, value(policy)?);
        if self.secure() {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        Ok(())
    }

    fn frame(&self, page: &Page) -> Element {
        let here = self.config.public_base_url.as_deref().map_or("", host);
        let head = el("head")
            .put(el("meta").set("charset", "utf-8"))
            .put(el("meta").set("name", "viewport").set("content", "width=device-width, initial-scale=1"))
            .put(el("meta").set("name", "robots").set("content", "noindex"))
            .put(saying("title", &format!("{} – AegisGitea-MCP", page.title)))
            .put(Element::stylesheet(STYLE));
        let brand = el("header")
            .put(classed("span", "mark").set("aria-hidden", "true"))
            .put(el("p").put(saying("strong", "AegisGitea-MCP")).put(saying("span", here)));
        let main = if page.trouble { classed("main", "trouble") } else { el("main") };
        let foot = el("footer").put(el("p").text("Request id ").put(saying("code", self.request_id)));
        let body = el("body").put(brand).put(main.all(page.content.iter().cloned())).put(foot);
        el("html").set("lang", "en").put(head).put(body)
    }
}

/// Adds cookies to an answer.
pub(super) fn bake(response: &mut Response<Vec<u8>>, cookies: &[String]) -> Result<(), Unsendable> {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, value(cookie)?);
    }
    Ok(())
}

/// A name that somebody else chose, fit to be shown: without characters that hide, reorder or break lines, and
/// of at most 64 characters. None where nothing is left.
pub(super) fn shown_name(name: &str) -> Option<String> {
    let cleaned = aegis_redaction::Redactor::new(aegis_redaction::Mode::Mask).clean(name).text.into_owned();
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let name = words.join(" ");
    let cut = aegis_redaction::bound(&name, NAME_CHARACTERS).map(|start| format!("{}…", start.trim_end()));
    Some(cut.unwrap_or(name)).filter(|name| !name.is_empty())
}

/// The host of an address, with its port.
pub(super) fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Content-Security-Policy. Nothing is loaded; Chromium holds the redirects that follow a form to `form-action`
/// too, so that the whole way to Gitea and on to the client is named.
fn policy(form_action: Option<&str>) -> String {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let form = form_action.unwrap_or("'none'");
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form}; frame-ancestors 'none'; base-uri 'none'"
    )
}

fn value(text: &str) -> Result<HeaderValue, Unsendable> {
    let plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    // Nothing at all, or a cookie without a name, is how a host says that it has none to give.
    let given = !text.is_empty() && !text.starts_with('=');
    if plain && given { HeaderValue::from_str(text).map_err(|_| Unsendable) } else { Err(Unsendable) }
}
