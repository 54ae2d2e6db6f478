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
        let Advice { title, todo } = advice(status, reason);
        let operator = classed("section", "operator")
            .set("aria-labelledby", "operator")
            .all([saying("h2", "For the operator").set("id", "operator")])
            .all([el("p").text("Reason: ").all([saying("code", reason)])]);
        let mut content = vec![
            saying("h1", title),
            classed("p", "lead").text(message),
            saying("h2", "What you can do"),
            saying("p", todo),
        ];
        // Where the way back is an address, it is ours as the settings say, whatever the browser was sent to.
        let ours = self.config.public_base_url.as_deref().filter(|_| reason == UNKNOWN_HOST);
        content.extend(ours.map(|ours| el("p").put(saying("code", ours))));
        content.push(operator);
        let Self { ports, config, request_id } = *self;
        let (name, title) = (reason.to_owned(), title.to_owned());
        let page = Page { name, title, status, trouble: true, content, form_action: None };
        Visit { ports, config, request_id }.page(&page).ok()
    }
}

/// The name of the refusal that is about where the browser was sent.
const UNKNOWN_HOST: &str = "unknown_host";

/// What a person reads besides the message.
struct Advice {
    title: &'static str,
    todo: &'static str,
}

/// Waiting helps against crowds and failures alone. What is wrong with a request is wrong the next time too.
fn advice(status: StatusCode, reason: &str) -> Advice {
    let (title, todo) = match (reason, status) {
        (UNKNOWN_HOST, _) => (
            "This server has another address",
            "Change the address of this server in your assistant to the one that its operator gave you, then connect \
             again. Waiting does not help.",
        ),
        ("method_not_allowed", _) => (
            "This page cannot be opened like that",
            "It is a step of signing in that only works in its place. Go back to your assistant and connect from \
             there; do not reload this page.",
        ),
        ("token_in_query", _) => (
            "This link holds a secret",
            "Do not pass the link on. Have the secret in it replaced, then go back to your assistant and connect again.",
        ),
        (_, StatusCode::TOO_MANY_REQUESTS) => {
            ("Too many attempts", "Wait a minute, then go back to your assistant and connect again.")
        }
        (_, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR) => (
            "Not available at the moment",
            "Wait a few minutes, then go back to your assistant and connect again. If this page comes again, send the \
             operator the request id below.",
        ),
        _ => (
            "This request is not accepted",
            "Go back to your assistant and connect again. If this page comes again, send the operator the request id \
             below.",
        ),
    };
    Advice { title, todo }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::page::fake::{ORIGIN, REQUEST_ID, Stage, text};

    fn told(status: u16, reason: &str) -> String {
        let stage = Stage::new();
        let (ports, config) = (stage.ports(), stage.config());
        let notice = Notice { ports: &ports, config: &config, request_id: REQUEST_ID };
        let status = StatusCode::from_u16(status).unwrap();
        let page = notice.page(status, reason, "The message.").unwrap();
        assert_eq!(page.status(), status);
        let said = text(&page);
        assert!(
            said.contains("The message.") && said.contains(reason) && said.contains(REQUEST_ID),
            "{said}"
        );
        assert_eq!(stage.world.logs.borrow().len(), 1, "one line in the log");
        assert!(stage.world.logs.borrow()[0].contains(reason));
        said.to_owned()
    }

    #[test]
    fn waiting_is_advised_where_it_helps_and_nowhere_else() {
        for (status, reason) in
            [(429, "rate_limited"), (503, "identity_unavailable"), (500, "settings_invalid")]
        {
            assert!(told(status, reason).contains("Wait a "), "{reason}");
        }
        for (status, reason) in [
            (421, "unknown_host"),
            (405, "method_not_allowed"),
            (400, "token_in_query"),
            (415, "unsupported_media_type"),
            (403, "foreign_origin"),
        ] {
            assert!(!told(status, reason).contains("Wait a "), "{reason}");
        }
    }

    #[test]
    fn who_was_sent_to_another_name_reads_the_right_one_and_who_opened_a_step_starts_again() {
        let said = told(421, "unknown_host");
        assert!(said.contains(ORIGIN) && said.contains("Change the address"), "{said}");
        let said = told(405, "method_not_allowed");
        assert!(said.contains("connect from there") && !said.contains(ORIGIN), "{said}");
    }
}
