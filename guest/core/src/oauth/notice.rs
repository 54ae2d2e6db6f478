//! A page for a browser whose request is refused before anybody looks at the sign-in in it: too many of them, a
//! host that is not ours, a method that is not taken. What is refused, and in which words, is decided elsewhere.

use http::{Response, StatusCode};

use super::page::html::{classed, el, saying};
use super::page::{Page, Visit};
use crate::ports::Ports;
use crate::settings::Config;

/// One request of a browser.
#[derive(Clone, Copy)]
pub struct Notice<'a> {
    /// What the world offers.
    pub ports: &'a Ports<'a>,
    /// The settings in force.
    pub config: &'a Config,
    /// The id of the request, by which the operator finds it in the log.
    pub request_id: &'a str,
}

impl Notice<'_> {
    /// The page; none where its headers cannot be sent, which the words can still.
    #[must_use]
    pub fn page(&self, status: StatusCode, reason: &str, message: &str) -> Option<Response<Vec<u8>>> {
        let title = match status {
            StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
            StatusCode::SERVICE_UNAVAILABLE => "Not available at the moment",
            _ => "This request is not accepted",
        };
        let operator = classed("section", "operator")
            .set("aria-labelledby", "operator")
            .all([saying("h2", "For the operator").set("id", "operator")])
            .all([el("p").text("Reason: ").all([saying("code", reason)])]);
        let content = vec![
            saying("h1", title),
            classed("p", "lead").text(message),
            saying("h2", "What you can do"),
            saying("p", "Go back to your assistant, wait a minute and connect again."),
            operator,
        ];
        let Self { ports, config, request_id } = *self;
        let page = Page { title: title.to_owned(), status, trouble: true, content, form_action: None };
        Visit { ports, config, request_id }.page(&page).ok()
    }
}
