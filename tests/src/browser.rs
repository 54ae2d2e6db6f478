//! A small browser for tests: it keeps cookies, fills forms, and takes redirects one at a time, each recorded, with
//! the headers and the refusals of Chromium where a login depends on them. It runs no script and shows nothing.
//!
//! A login, from the authorize URL to the client's redirect:
//!
//! ```no_run
//! # use aegis_tests::browser::Browser;
//! # async fn walk(authorize: &str, gitea: &str, client: &str) {
//! let mut browser = Browser::new();
//! let consent = browser.get(authorize).await;
//! browser.submit(&consent.form("approve"), &[]).await;
//! browser.sign_in_at_gitea("alice", "alice-has-a-password").await;
//! let left = browser.follow_until(|url| url.starts_with(client)).await;
//! let redirect = left.stopped().expect("the client's redirect");
//! # }
//! ```

mod cookies;
mod html;
mod origin;
mod page;

use crate::http::{self, Answer};
use cookies::Jar;
pub use html::Form;
use origin::{allows_form, origin_of, referrer_policy, site_between};
pub use page::{Arrived, Hop, Page};

/// More redirects in a row than any browser takes.
const MOST_REDIRECTS: usize = 20;

/// A request in the making.
struct Outgoing {
    method: String,
    url: String,
    body: Vec<u8>,
    /// Where it comes from, as Chromium names it: `none`, `same-origin`, `same-site`, `cross-site`.
    site: &'static str,
    origin: Option<String>,
}

/// The browser. A new one knows nobody.
#[derive(Debug, Default)]
pub struct Browser {
    jar: Jar,
    page: Option<Page>,
    trail: Vec<Hop>,
    /// How the last answer was asked for, for a redirect that repeats the request.
    last: Option<(String, Vec<u8>, Option<String>)>,
    site: &'static str,
    /// The `form-action` that binds the redirects of a submitted form: the policy and its page.
    form_action: Option<(String, String)>,
}

impl Browser {
    /// A browser without cookies.
    #[must_use]
    pub fn new() -> Self {
        Self { site: "none", ..Self::default() }
    }

    /// Every request so far.
    #[must_use]
    pub fn trail(&self) -> &[Hop] {
        &self.trail
    }

    /// What the last request brought.
    #[must_use]
    pub fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// Value of a cookie that would be sent to a URL.
    #[must_use]
    pub fn cookie(&self, url: &str, name: &str) -> Option<String> {
        self.jar.sent_to(url, "none", "GET").into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// Names of all cookies that would be sent to a URL.
    #[must_use]
    pub fn cookies(&self, url: &str) -> Vec<String> {
        self.jar.sent_to(url, "none", "GET").into_iter().map(|(name, _)| name).collect()
    }

    /// Lose every cookie, as an embedded browser does between two windows.
    pub fn forget_cookies(&mut self) {
        self.jar = Jar::default();
    }

    /// Let so many seconds pass for cookies.
    pub fn pass(&mut self, seconds: i64) {
        self.jar.pass(seconds);
    }

    /// Ask for a URL as if it had been typed. A redirect is not followed.
    ///
    /// # Panics
    /// Nothing answers there.
    pub async fn get(&mut self, url: &str) -> Page {
        self.form_action = None;
        self.ask(Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            body: Vec::new(),
            site: "none",
            origin: None,
        })
        .await
    }

    /// Follow a link on the page that is shown. A redirect is not followed.
    ///
    /// # Panics
    /// Nothing answers there.
    pub async fn click(&mut self, url: &str) -> Page {
        self.form_action = None;
        let site = self.page.as_ref().map_or("none", |page| site_between(&page.url, url));
        self.ask(Outgoing {
            method: "GET".to_owned(),
            url: url.to_owned(),
            body: Vec::new(),
            site,
            origin: None,
        })
        .await
    }

    /// Submit a form of the page that is shown: what the page filled in, with these fields changed, and the first
    /// button unless a field names one. A redirect is not followed.
    ///
    /// # Panics
    /// The form has no field of such a name, or the page's policy does not let it be sent there.
    pub async fn submit(&mut self, form: &Form, fields: &[(&str, &str)]) -> Page {
        let filled = form.filled(fields);
        if form.method == "get" {
            let base = form.action.split(['?', '#']).next().unwrap_or(&form.action);
            let url = format!("{base}?{}", html::encoded(&filled));
            return self.click(&url).await;
        }
        self.send_form(&form.action, &filled).await
    }

    /// Send a form that no page holds from the page that is shown, as an attacker's page or script would. A redirect
    /// is not followed.
    ///
    /// # Panics
    /// Nothing answers there, or the page's policy does not let it be sent there.
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        let fields: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.send_form(url, &fields).await
    }

    /// Pretend that a page of this origin is shown, from which a form or a link leaves.
    pub fn stand_at(&mut self, url: &str) {
        let answer = Answer { status: 200, headers: Vec::new(), body: Vec::new(), complete: true };
        self.page = Some(Page { url: url.to_owned(), answer });
    }

    async fn send_form(&mut self, url: &str, fields: &[(String, String)]) -> Page {
        let (mut site, mut origin) = ("none", None);
        self.form_action = None;
        if let Some(page) = &self.page {
            let policy = page.answer.header("content-security-policy").and_then(origin::form_action);
            if let Some(policy) = policy {
                assert!(
                    allows_form(&policy, &page.url, url),
                    "the page's form-action does not allow {url}: {policy}"
                );
                self.form_action = Some((policy, page.url.clone()));
            }
            site = site_between(&page.url, url);
            origin = Some(origin::sent(&referrer_policy(page), &page.url, url));
        }
        let body = html::encoded(fields).into_bytes();
        self.ask(Outgoing { method: "POST".to_owned(), url: url.to_owned(), body, site, origin }).await
    }

    /// Take one redirect; none where the last answer was no redirect.
    ///
    /// # Panics
    /// Nothing answers there.
    pub async fn follow(&mut self) -> Option<Page> {
        let page = self.page.as_ref()?;
        let to = page.redirect()?;
        let (from, repeat) = (page.url.clone(), matches!(page.status(), 307 | 308));
        let (method, body, origin) =
            self.last.clone().unwrap_or_else(|| ("GET".to_owned(), Vec::new(), None));
        // A chain that once left its site stays foreign, even when it comes back.
        let step = site_between(&from, &to);
        let rank =
            |site: &str| ["none", "same-origin", "same-site", "cross-site"].iter().position(|s| *s == site);
        let site = if self.site == "none" || rank(self.site) >= rank(step) { self.site } else { step };
        let request = if repeat {
            let crossed = origin_of(&from) != origin_of(&to);
            let origin = origin.map(|origin| if crossed { "null".to_owned() } else { origin });
            Outgoing { method, url: to, body, site, origin }
        } else {
            Outgoing { method: "GET".to_owned(), url: to, body: Vec::new(), site, origin: None }
        };
        Some(self.ask(request).await)
    }

    /// Take redirects until an answer is none, or until one leads where the test wants to stop. The browser can go
    /// on from there by `follow_until` with another condition.
    ///
    /// # Panics
    /// There is no end of redirects, or nothing answers.
    pub async fn follow_until(&mut self, stop: impl Fn(&str) -> bool) -> Arrived {
        for _ in 0..MOST_REDIRECTS {
            let page = self.page.clone().unwrap_or_else(|| panic!("there is no page to go on from"));
            let Some(to) = page.redirect() else { return Arrived::Page(page) };
            if let Some((policy, at)) = &self.form_action
                && !allows_form(policy, at, &to)
            {
                return Arrived::Blocked(to);
            }
            if stop(&to) {
                return Arrived::Stopped(to);
            }
            self.follow().await;
        }
        panic!("more than {MOST_REDIRECTS} redirects: {:?}", self.trail)
    }

    /// From a redirect to Gitea, or from a page of it: sign in if Gitea asks, consent if it asks, and stop at the
    /// redirect that leaves it. A wrong password, a refusal or any other page of Gitea is handed back as a page.
    /// Works with the sample Gitea and with a real one since 1.20; two factors are not answered.
    ///
    /// # Panics
    /// There is no page to go on from.
    pub async fn sign_in_at_gitea(&mut self, login: &str, password: &str) -> Arrived {
        self.at_gitea(login, password, "true").await
    }

    /// The same, but say no to Gitea's consent page.
    ///
    /// # Panics
    /// There is no page to go on from.
    pub async fn refuse_at_gitea(&mut self, login: &str, password: &str) -> Arrived {
        self.at_gitea(login, password, "false").await
    }

    async fn at_gitea(&mut self, login: &str, password: &str, granted: &str) -> Arrived {
        let page = self.page.as_ref().unwrap_or_else(|| panic!("there is no page to go on from"));
        // Either Gitea's own redirect is the last answer, or one of somebody else that leads to it.
        let own = ["/user/login", "/login/oauth/authorize", "/login/oauth/grant"]
            .contains(&origin::path_of(&page.url).as_str());
        let gitea = page.redirect().filter(|_| !own).unwrap_or_else(|| page.url.clone());
        let gitea = origin_of(&gitea);
        let mut tried = false;
        loop {
            let arrived = self.follow_until(|url| origin_of(url) != gitea).await;
            let Arrived::Page(page) = arrived else { return arrived };
            let forms = page.forms();
            let form = |path: &str| {
                forms.iter().find(|form| form.action.split('?').next().is_some_and(|a| a.ends_with(path)))
            };
            if let Some(form) = form("/user/login").filter(|_| !tried) {
                tried = true;
                self.submit(form, &[("user_name", login), ("password", password)]).await;
            } else if let Some(form) = form("/login/oauth/grant") {
                self.submit(form, &[("granted", granted)]).await;
            } else {
                return Arrived::Page(page);
            }
        }
    }

    async fn ask(&mut self, request: Outgoing) -> Page {
        let Outgoing { method, url, body, site, origin } = request;
        let (base, target) = origin::split(&url);
        let cookies = self.jar.sent_to(&url, site, &method);
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("accept-language", "en-US,en;q=0.9"),
            ("sec-fetch-dest", "document"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-site", site),
            ("sec-fetch-user", "?1"),
            ("upgrade-insecure-requests", "1"),
        ];
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        if let Some(origin) = &origin {
            headers.push(("origin", origin));
        }
        if method == "POST" {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let sent = http::send(&base, &method, &target, &headers, &body).await;
        let answer = sent.unwrap_or_else(|error| panic!("{method} {url}: {error}"));
        self.jar.keep(&url, &answer);
        self.trail.push(Hop { method: method.clone(), url: url.clone(), status: answer.status });
        self.site = site;
        self.last = Some((method, body, origin));
        let page = Page { url, answer };
        self.page = Some(page.clone());
        page
    }
}
