//! Every refusal, one after the other: its name, its status, its page and its line on record.

use super::super::page::fake::{CLAUDE, ORIGIN, REQUEST_ID, Stage, cookies, elements, header, text};
use super::*;
use crate::oauth::authorize;

fn sign_in_refusals() -> Vec<Refusal> {
    use SignInReason::{
        ApplicationRefused, CodeRefused, GiteaUnavailable, GrantTooNarrow, GrantTooWide, IdentityInvalid,
        NotAllowed, Overtaken, Used,
    };
    let all = [
        CodeRefused,
        ApplicationRefused,
        GiteaUnavailable,
        IdentityInvalid,
        GrantTooNarrow,
        GrantTooWide,
        NotAllowed,
        Used,
        Overtaken,
    ];
    all.map(|reason| Refusal::SignIn(SignInRefused { reason, text: "The host says <why> & how.".to_owned() }))
        .into()
}

/// Every refusal that a person is told, with the status of its page.
fn on_pages() -> Vec<(Refusal, u16)> {
    use NotOpened::{ClientGone, Expired, Invalid, OtherBrowser, Used};
    let mut all = vec![
        (Refusal::Malformed, 400),
        (Refusal::Repeated, 400),
        (Refusal::ClientMissing, 400),
        (Refusal::ClientUnknown, 400),
        (Refusal::ClientRevoked, 400),
        (Refusal::ClientHostNotAllowed, 400),
        (Refusal::ClientDocument("It has <b>6000</b> bytes.".to_owned()), 400),
        (Refusal::RedirectMissing, 400),
        (Refusal::RedirectRefused(BadRedirect::UserInfo), 400),
        (Refusal::RedirectNotRegistered, 400),
        (Refusal::TooMany(30), 429),
        (Refusal::Unavailable, 503),
        (Refusal::ConsentForeign, 403),
        (Refusal::ConsentMalformed, 400),
        (Refusal::ConsentForged, 403),
        (Refusal::ConsentExpired, 400),
        (Refusal::ConsentWritesOff, 403),
        (Refusal::CallbackMalformed, 400),
        (Refusal::GiteaError, 502),
        (Refusal::CodeNotIssued, 503),
    ];
    all.extend([Invalid, Expired, OtherBrowser, Used, ClientGone].map(|why| (Refusal::State(why), 400)));
    all.extend(sign_in_refusals().into_iter().zip([400, 502, 503, 502, 403, 403, 403, 400, 400]));
    all
}

/// Every refusal that a client is told, with the code of its error.
fn to_clients() -> [(Refusal, &'static str); 12] {
    [
        (Refusal::ResponseType, "unsupported_response_type"),
        (Refusal::ResponseMode, "invalid_request"),
        (Refusal::RequestObject, "request_not_supported"),
        (Refusal::RequestUri, "request_uri_not_supported"),
        (Refusal::Challenge, "invalid_request"),
        (Refusal::ChallengeMethod, "invalid_request"),
        (Refusal::StateMalformed, "invalid_request"),
        (Refusal::Resource, "invalid_target"),
        (Refusal::Scope, "invalid_scope"),
        (Refusal::PromptNone, "interaction_required"),
        (Refusal::ConsentDenied, "access_denied"),
        (Refusal::GiteaDenied, "access_denied"),
    ]
}

#[test]
fn every_name_is_of_one_refusal_and_one_audit_line() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let pages = on_pages().into_iter().map(|(refusal, _)| refusal);
    let mut names = Vec::new();
    for refusal in pages.chain(to_clients().map(|(refusal, _)| refusal)) {
        let _ = Failed::from(refusal.clone()).answer(&visit);
        let reasons = stage.reasons();
        assert_eq!(reasons.len(), 1, "{refusal:?}");
        names.extend(reasons);
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), all), (all, 46));
    let snake = |name: &String| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!(names.iter().all(snake), "{names:?}");
}

#[test]
fn every_page_says_what_happened_what_to_do_and_where_the_operator_looks() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let mut titles = Vec::new();
    for (refusal, status) in on_pages() {
        let response = Failed::from(refusal.clone()).answer(&visit);
        let (page, reason) = (text(&response), stage.reasons().concat());
        assert_eq!(response.status().as_u16(), status, "{refusal:?}");
        let seen = elements(page);
        let count = |name: &str| seen.iter().filter(|element| *element == name).count();
        for (element, times) in [
            ("h1", 1),
            ("h2", 2),
            ("main", 1),
            ("footer", 1),
            ("title", 1),
            ("style", 1),
            ("form", 0),
            ("script", 0),
        ] {
            assert_eq!(count(element), times, "{element} of {refusal:?}");
        }
        for part in [
            &format!("<code>{reason}</code>"),
            "What you can do",
            "For the operator",
            "lang=\"en\"",
            "<code>req-4f1c</code>",
        ] {
            assert!(page.contains(part), "{part} is missing for {refusal:?}");
        }
        assert!(cookies(&response).is_empty() && header(&response, "location").is_empty());
        titles.push(page.split("<title>").nth(1).unwrap().split("</title>").next().unwrap().to_owned());
    }
    titles.sort_unstable();
    let all = titles.len();
    titles.dedup();
    // Revoked before and meanwhile, used before and meanwhile: the same to a person.
    assert_eq!(titles.len(), all - 2);
}

#[test]
fn what_the_host_or_the_rules_say_is_shown_escaped() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let page = |refusal: Refusal| text(&Failed::from(refusal).answer(&visit)).to_owned();
    assert!(
        page(Refusal::ClientDocument("It has <b>6000</b> bytes.".to_owned()))
            .contains("It has &lt;b&gt;6000&lt;/b&gt; bytes.")
    );
    assert!(page(Refusal::RedirectRefused(BadRedirect::UserInfo)).contains(BadRedirect::UserInfo.why()));
    for refusal in sign_in_refusals() {
        assert!(page(refusal).contains("<p>The host says &lt;why&gt; &amp; how.</p>"));
    }
}

#[test]
fn a_grant_that_does_not_fit_links_to_where_it_is_revoked_and_says_not_who_is_allowed() {
    let stage = Stage::new();
    stage.world.set("GITEA_URL", "https://git.example.com/code");
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let href = "href=\"https://git.example.com/code/user/settings/applications\"";
    for (refusal, _) in on_pages() {
        let links = text(&Failed::from(refusal.clone()).answer(&visit)).contains(href);
        let reason = stage.reasons().concat();
        assert_eq!(links, reason.starts_with("grant_too_"), "{reason}");
    }
}

#[test]
fn a_client_is_told_by_redirect_with_its_state_and_the_issuer() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let back = Back { redirect_uri: CLAUDE.to_owned(), state: Some("é \r\n&=#".to_owned()) };
    for (refusal, error) in to_clients() {
        let response = Failed::from(refusal.clone()).back(&back).answer(&visit);
        assert_eq!(response.status(), 303, "{refusal:?}");
        let to = header(&response, "location");
        let (uri, query) = to.split_once('?').unwrap();
        assert_eq!(uri, CLAUDE);
        let names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
        assert_eq!(names, ["error", "error_description", "state", "iss"]);
        assert!(query.starts_with(&format!("error={error}&")), "{query}");
        assert!(
            query.ends_with("&state=%C3%A9%20%0D%0A%26%3D%23&iss=https%3A%2F%2Fmcp.example.com"),
            "{query}"
        );
        assert!(response.body().is_empty());
    }
}

#[test]
fn where_nothing_is_proved_a_client_is_not_told() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    for (refusal, _) in to_clients() {
        let response = Failed::from(refusal).answer(&visit);
        assert_eq!((response.status().as_u16(), header(&response, "location")), (400, ""));
        elements(text(&response));
    }
}

#[test]
fn the_answer_is_added_to_the_query_that_is_there() {
    let stage = Stage::new();
    let (ports, config) = (stage.ports(), stage.config());
    let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
    let iss = "iss=https%3A%2F%2Fmcp.example.com";
    for (uri, to) in [
        ("https://a.example/cb", format!("https://a.example/cb?code=x%20y&{iss}")),
        ("https://a.example", format!("https://a.example?code=x%20y&{iss}")),
        ("https://a.example/cb?", format!("https://a.example/cb?code=x%20y&{iss}")),
        ("https://a.example/cb?a=b%20c", format!("https://a.example/cb?a=b%20c&code=x%20y&{iss}")),
        ("https://a.example/cb?a=b&", format!("https://a.example/cb?a=b&code=x%20y&{iss}")),
        ("http://[::1]:9/cb", format!("http://[::1]:9/cb?code=x%20y&{iss}")),
        ("cursor://x/cb", format!("cursor://x/cb?code=x%20y&{iss}")),
    ] {
        let back = Back { redirect_uri: uri.to_owned(), state: None };
        assert_eq!(back.with(&visit, &[("code", "x y")]), to);
    }
}

#[test]
fn every_answer_forbids_framing_storing_and_guessing() {
    let stage = Stage::new();
    let back = Back { redirect_uri: CLAUDE.to_owned(), state: None };
    for (origin, hsts) in [(ORIGIN, "max-age=31536000"), ("http://127.0.0.1:8080", "")] {
        stage.world.set("PUBLIC_BASE_URL", origin);
        let (ports, config) = (stage.ports(), stage.config());
        let visit = Visit { ports: &ports, config: &config, request_id: REQUEST_ID };
        for failed in [Failed::from(Refusal::Malformed), Failed::from(Refusal::Scope).back(&back)] {
            let response = failed.answer(&visit);
            for (name, value) in [
                ("cache-control", "no-store"),
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("strict-transport-security", hsts),
            ] {
                assert_eq!(header(&response, name), value, "{name} at {origin}");
            }
            let policy = header(&response, "content-security-policy");
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert!(
                policy.ends_with("; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"),
                "{policy}"
            );
        }
    }
}

#[test]
fn who_is_stopped_by_the_limit_learns_when_to_come_back() {
    let stage = Stage::new();
    for (seconds, after) in [(30, "30"), (0, "1")] {
        let page = authorize::busy(&stage.ports(), &stage.config(), seconds, REQUEST_ID);
        assert_eq!((page.status().as_u16(), header(&page, "retry-after")), (429, after));
        assert_eq!(stage.reasons(), ["rate_limited"]);
        assert!(text(&page).contains("reload this page"));
    }
}
