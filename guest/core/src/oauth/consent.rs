//! The consent page and the request that it carries.
//!
//! It shows which program asks, where the person will be sent and what the program may do, before Gitea hears of
//! anything. Names are the client's own words and are shown as such. The page must not promise what the server
//! does not hold to, and it carries nothing that another page could make up: the request is sealed.

use http::{Response, StatusCode};

use super::page::html::{Element, classed, el, link, name, saying};
use super::page::{Page, Unsendable, Visit, host, shown_name};
use super::redirect::Place;
use crate::ports::{ClientKind, Profile};

/// How long an approval may take, in seconds.
pub(super) const SECONDS: u32 = 600;

/// The form of what is sealed. A change of it gets another name, so that an old page does not open.
const VERSION: &str = "1";

/// An authorization request that is well formed, of a client that exists, to a redirect URI of this client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) client_id: String,
    pub(super) redirect_uri: String,
    pub(super) code_challenge: String,
    /// Whether the client asks to write.
    pub(super) write: bool,
    pub(super) state: Option<String>,
}

impl Asking {
    /// The bytes to be sealed: one line each. No part holds a line break, since all of them were read as visible
    /// ASCII or as text without control characters.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let write = if self.write { "write" } else { "read" };
        let state = self.state.as_deref().unwrap_or_default();
        [VERSION, &self.client_id, &self.redirect_uri, &self.code_challenge, write, state]
            .join("\n")
            .into_bytes()
    }

    /// What was sealed; none where it has another form.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let lines: Vec<&str> = text.split('\n').collect();
        let [VERSION, client_id, redirect_uri, code_challenge, access, state] = lines.as_slice() else {
            return None;
        };
        let write = match *access {
            "write" => true,
            "read" => false,
            _ => return None,
        };
        Some(Self {
            client_id: (*client_id).to_owned(),
            redirect_uri: (*redirect_uri).to_owned(),
            code_challenge: (*code_challenge).to_owned(),
            write,
            state: Some((*state).to_owned()).filter(|state| !state.is_empty()),
        })
    }
}

/// What the page is about.
pub(super) struct Question<'a> {
    pub(super) asking: &'a Asking,
    pub(super) profile: &'a Profile,
    pub(super) place: Place<'a>,
    /// The request, sealed.
    pub(super) sealed: &'a str,
    /// Whose read approval this browser remembers.
    pub(super) remembered: Option<&'a str>,
}

impl Question<'_> {
    /// The page.
    pub(super) fn page(&self, visit: &Visit<'_>) -> Result<Response<Vec<u8>>, Unsendable> {
        let shown = self.profile.name.as_deref().and_then(shown_name);
        let (title, heading) = match (&shown, self.profile.kind) {
            // A name that anybody could have chosen stands in quotation marks, which no line parts from it.
            (Some(client), ClientKind::Registered) => {
                let quoted = classed("span", "whole").text("“").put(name(client)).text("”");
                (
                    format!("Connect “{client}” to Gitea?"),
                    el("h1").text("Connect ").put(quoted).text(" to Gitea?"),
                )
            }
            (Some(client), ClientKind::Document | ClientKind::Preregistered) => {
                let heading = el("h1").text("Connect ").put(name(client)).text(" to Gitea?");
                (format!("Connect {client} to Gitea?"), heading)
            }
            (None, _) => (UNNAMED.to_owned(), saying("h1", UNNAMED)),
        };
        let lead =
            classed("p", "lead").text("It would act in Gitea as you, within what you may do there yourself.");
        let mut content = vec![heading, lead, self.facts(shown.as_deref())];
        content.extend(self.warning());
        content.push(self.form(visit));
        visit.page(&Page {
            name: "consent".to_owned(),
            title,
            status: StatusCode::OK,
            trouble: false,
            content,
            form_action: Some(self.form_action(visit)),
        })
    }

    /// Who asks, and where it leads.
    fn facts(&self, shown: Option<&str>) -> Element {
        let called = |name_of: &str, tag| el("dd").put(name(name_of)).put(classed("span", "tag").text(tag));
        let (who_label, who) = match (self.profile.kind, shown) {
            (ClientKind::Document, _) => {
                let who = el("dd")
                    .put(classed("span", "host").text(host(&self.profile.id)))
                    .put(classed("span", "tag").text("address verified"))
                    .put(classed("span", "small").address(&self.profile.id));
                ("Published by", who)
            }
            (ClientKind::Registered, Some(shown)) => {
                ("The program calls itself", called(shown, "name not checked"))
            }
            (ClientKind::Registered, None) => ("Program", saying("dd", "It gives no name.")),
            (ClientKind::Preregistered, _) => {
                ("Program", called(shown.unwrap_or(&self.profile.id), "set up by the operator"))
            }
        };
        let (to, what) = match self.place {
            Place::Site(site) => (site.to_owned(), None),
            Place::Loopback(at) => (at.to_owned(), Some("a program on this computer")),
            Place::Scheme(scheme) => (format!("{scheme}:"), Some("an app on this computer")),
        };
        let to = classed("span", "host").text(&to);
        let what = what.map(|what| classed("span", "tag").text(what));
        let full = classed("span", "small").address(&self.asking.redirect_uri);
        el("dl").put(el("div").put(saying("dt", who_label)).put(who)).put(
            el("div")
                .put(saying("dt", "Afterwards you are sent to"))
                .put(el("dd").put(to).all(what).put(full)),
        )
    }

    fn warning(&self) -> Option<Element> {
        let text = match self.place {
            Place::Site(_) => return None,
            Place::Loopback(at) => format!(
                "Access goes to whichever program on this computer listens at {at}. Approve only if you have just \
                 started connecting from a program here, and this page opened because of it."
            ),
            Place::Scheme(scheme) => format!(
                "Access goes to whichever app on this computer opens {scheme}: links. Approve only if you have just \
                 started connecting from that app."
            ),
        };
        Some(classed("div", "warning").put(saying("p", &text)))
    }

    fn form(&self, visit: &Visit<'_>) -> Element {
        let gitea = visit.gitea_host();
        let next = classed("li", "next")
            .put(saying("strong", "Next"))
            .text(" you sign in to Gitea at ")
            .put(saying("strong", gitea))
            .text(". Your password stays there.");
        let end = classed("li", "end")
            .put(saying("strong", "At any time"))
            .text(" you can end this access under ")
            .put(link(&visit.gitea_applications(), "Settings, Applications in Gitea"))
            .text("; that ends it for every program connected through this server.");
        let never = classed("li", "never").put(saying("strong", "Never")).text(NEVER);
        el("form")
            .set("method", "post")
            .set("action", "/oauth/authorize")
            .set("accept-charset", "utf-8")
            .put(el("input").set("type", "hidden").set("name", "request").set("value", self.sealed))
            .put(if visit.config.write_mode { self.choice() } else { reading_only() })
            .all(self.remembered.map(|login| {
                let text = "In this browser, reading was approved before as ";
                classed("p", "note").text(text).put(name(login)).text(".")
            }))
            .put(classed("ul", "notes").put(never).put(next).put(end))
            .put(
                classed("div", "buttons")
                    .put(button("approve", "Approve").set("class", "button main"))
                    .put(button("deny", "Deny").set("class", "button")),
            )
    }

    /// Both choices stand there whatever the client asks for: the person decides.
    fn choice(&self) -> Element {
        let write = self.asking.write;
        let wants = if write { "It asks to read and to change things." } else { "It asks to read only." };
        el("fieldset")
            .put(saying("legend", "What may it do?"))
            .put(classed("p", "note").text(wants))
            .put(option("read", !write, "Read only", READS))
            .put(option("write", write, "Read and make changes", WRITES))
    }

    /// Every address on the way: ours, Gitea's, and the client's own. A source expression cannot name `[::1]`.
    fn form_action(&self, visit: &Visit<'_>) -> String {
        let mut sources = "'self' https:".to_owned();
        let gitea = &visit.config.gitea_url;
        if gitea.starts_with("http://") {
            sources.push_str(&http_source(visit.gitea_host()));
        }
        match self.place {
            Place::Site(_) => {}
            Place::Loopback(at) => sources.push_str(&http_source(at)),
            Place::Scheme(scheme) => {
                sources.push(' ');
                sources.push_str(scheme);
                sources.push(':');
            }
        }
        sources
    }
}

const UNNAMED: &str = "Connect a program to Gitea?";

const READS: &str = "See what you can see: repositories, files, commits, issues, pull requests, releases.";

const WRITES: &str = "Also make changes with this server’s tools: create issues, comments, labels, branches, pull \
                      requests and releases, in the repositories that the operator has opened for it.";

const NEVER: &str = " can it merge, change files, force a push, delete repositories or branches, or administer \
                     anything.";

fn http_source(host: &str) -> String {
    if host.starts_with('[') { " http:".to_owned() } else { format!(" http://{host}") }
}

fn reading_only() -> Element {
    el("div").put(saying("h2", "What it may do")).put(
        classed("p", "only")
            .put(saying("strong", "Read only"))
            .text(READS)
            .text(" Changes are switched off on this server."),
    )
}

fn option(value: &'static str, checked: bool, title: &str, text: &str) -> Element {
    let radio = el("input").set("type", "radio").set("name", "access").set("value", value);
    let radio = if checked { radio.set("checked", "") } else { radio };
    classed("label", "choice")
        .put(radio)
        .put(el("span").put(saying("strong", title)).put(saying("span", text)))
}

fn button(value: &'static str, text: &str) -> Element {
    el("button").set("type", "submit").set("name", "decision").set("value", value).text(text)
}
