//! Authorization requests as clients send and attackers bend them, and what people choose.

mod choice;
mod page;

use super::*;
use crate::oauth::page::fake::{
    CHALLENGE, CLAUDE, CLIENT, ORIGIN, Stage, UPSTREAM, asking, cookies, elements, header, person, query,
    text,
};
use crate::ports::{ClientKind, NotBegun, UnknownClient};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const OURS: (&str, &str) = ("origin", ORIGIN);

/// The sealed request of a consent page.
fn sealed(page: &Response<Vec<u8>>) -> String {
    let (_, after) = text(page).split_once("name=\"request\" value=\"").expect("a sealed request");
    after.split('"').next().unwrap().to_owned()
}

fn approve(stage: &Stage, access: &str) -> Response<Vec<u8>> {
    let request = sealed(&stage.show(&asking(&[])));
    stage.reasons();
    stage.decide(&[FORM, OURS], &query(&[("request", &request), ("decision", "approve"), ("access", access)]))
}

/// A refusal on our page: nothing is begun, no cookie, no way to anywhere, one line on record.
fn on_our_page(stage: &Stage, response: &Response<Vec<u8>>, status: u16, reason: &str) {
    assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (status, reason));
    assert!(cookies(response).is_empty() && header(response, "location").is_empty(), "{reason}");
    assert!(stage.script.begun.borrow().is_empty(), "{reason}");
    elements(text(response));
}

#[test]
fn before_client_and_redirect_are_proved_everything_stays_on_our_page() {
    let stage = Stage::new();
    let long = "c".repeat(4097);
    for (changes, reason) in [
        (&[("-client_id", "")][..], "client_id_missing"),
        (&[("client_id", "")], "client_id_missing"),
        (&[("client_id", long.as_str())], "client_id_missing"),
        (&[("client_id", "a b")], "client_id_missing"),
        (&[("client_id", "other")], "client_unknown"),
        (&[("-redirect_uri", "")], "redirect_uri_missing"),
        (&[("redirect_uri", "https://claude.ai@evil.example/cb")], "redirect_uri_refused"),
        (&[("redirect_uri", "javascript:alert(1)")], "redirect_uri_refused"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/auth_callback/")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/AUTH_callback")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai/api/mcp/auth_callback?x")], "redirect_uri_not_registered"),
        (&[("redirect_uri", "https://claude.ai:443/api/mcp/auth_callback")], "redirect_uri_refused"),
        // However wrong the rest is, an unproved address hears nothing of it.
        (&[("client_id", "other"), ("response_type", "token"), ("-code_challenge", "")], "client_unknown"),
    ] {
        on_our_page(&stage, &stage.show(&asking(changes)), 400, reason);
    }
}

#[test]
fn repeated_and_unreadable_parameters_stay_on_our_page() {
    let stage = Stage::new();
    for name in
        ["client_id", "redirect_uri", "state", "scope", "resource", "code_challenge", "prompt", "unknown"]
    {
        let twice = format!("{}&{name}=1&{name}=2", asking(&[(&format!("-{name}"), "")]));
        on_our_page(&stage, &stage.show(&twice), 400, "authorize_repeated_parameter");
    }
    let many = vec!["a"; 40].join("&");
    let long = "x".repeat(16 * 1024 + 1);
    for query in ["client_id=%", "client_id=%ff", &many, &long] {
        on_our_page(&stage, &stage.show(query), 400, "authorize_malformed");
    }
}

#[test]
fn every_reason_why_there_is_no_client_has_its_page() {
    let stage = Stage::new();
    for (unknown, reason) in [
        (UnknownClient::NotFound, "client_unknown"),
        (UnknownClient::Revoked, "client_revoked"),
        (UnknownClient::HostNotAllowed, "client_host_not_allowed"),
        (UnknownClient::Document("It is not <JSON>.".to_owned()), "client_document_unusable"),
    ] {
        *stage.script.unknown.borrow_mut() = Some(unknown);
        on_our_page(&stage, &stage.show(&asking(&[])), 400, reason);
    }
}

#[test]
fn afterwards_the_client_is_told_by_redirect() {
    let stage = Stage::new();
    let short = CHALLENGE.trim_end_matches('M');
    let (long, odd) = (format!("{CHALLENGE}A"), format!("{short}="));
    for (changes, error, reason) in [
        (&[("-response_type", "")][..], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "code id_token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_mode", "fragment")], "invalid_request", "response_mode_unsupported"),
        (&[("response_mode", "form_post")], "invalid_request", "response_mode_unsupported"),
        (&[("request", "e30.e30.")], "request_not_supported", "request_object_unsupported"),
        (&[("request_uri", "https://a.example/r")], "request_uri_not_supported", "request_uri_unsupported"),
        (&[("-code_challenge", "")], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", short)], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", &long)], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", &odd)], "invalid_request", "code_challenge_invalid"),
        (&[("-code_challenge_method", "")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "plain")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "s256")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "S512")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("resource", "https://other.example/mcp")], "invalid_target", "resource_invalid"),
        (&[("resource", "https://mcp.example.com.evil.example")], "invalid_target", "resource_invalid"),
        (&[("scope", "admin")], "invalid_scope", "scope_invalid"),
        (&[("scope", "read:repository sudo")], "invalid_scope", "scope_invalid"),
        (&[("prompt", "none")], "interaction_required", "prompt_none"),
    ] {
        let response = stage.show(&asking(changes));
        assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (303, reason));
        let to = header(&response, "location");
        assert!(to.starts_with(&format!("{CLAUDE}?error={error}&error_description=")), "{to}");
        assert!(to.ends_with("&state=a%20b%26c%3Dd&iss=https%3A%2F%2Fmcp.example.com"), "{to}");
        assert!(cookies(&response).is_empty() && stage.script.begun.borrow().is_empty());
    }
}

#[test]
fn a_state_that_is_too_long_or_holds_controls_is_refused_and_not_sent_back() {
    let stage = Stage::new();
    for state in ["x".repeat(2049), "a\r\nb".to_owned(), "\0".to_owned(), "a\u{85}".to_owned()] {
        let response = stage.show(&asking(&[("state", &state)]));
        let to = header(&response, "location");
        assert!(
            to.starts_with(&format!("{CLAUDE}?error=invalid_request&")) && !to.contains("state="),
            "{to}"
        );
        assert_eq!(stage.reasons(), ["state_malformed"]);
    }
    let longest = "\u{e9}".repeat(1024);
    assert_eq!(stage.show(&asking(&[("state", &longest)])).status(), 200);
    assert_eq!(stage.show(&asking(&[("-state", "")])).status(), 200);
}

#[test]
fn this_server_is_a_resource_under_each_of_its_names() {
    let stage = Stage::new();
    for path in ["", "/", "/mcp", "/mcp/", "/mcp/sse"] {
        let resource = format!("{ORIGIN}{path}");
        assert_eq!(stage.show(&asking(&[("resource", &resource), ("response_mode", "query")])).status(), 200);
    }
}

#[test]
fn without_a_seal_no_page_is_shown() {
    let stage = Stage::new();
    stage.script.seals.set(false);
    on_our_page(&stage, &stage.show(&asking(&[])), 503, "sign_in_unavailable");
}
