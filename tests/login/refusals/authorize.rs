//! Refused at the authorization endpoint, before anybody was asked: on a page of ours while client and redirect URI are
//! not proved, to the client afterwards. Gitea hears of none of it.

use aegis_tests::browser::Browser;
use aegis_tests::http::send;

use super::Desk;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";

/// Parameters of a request that are not as usual.
type Changed<'a> = &'a [(&'a str, &'a str)];

/// The length that no state may have.
fn long() -> String {
    "s".repeat(2049)
}

#[tokio::test]
async fn before_the_client_is_proved_the_person_reads_why_and_nobody_is_redirected() {
    let mut desk = Desk::with(|setup| setup.set("CIMD_ALLOWED_HOSTS", "localhost:9")).await;
    let url = |changed: &[(&str, &str)]| desk.client.authorize_url(changed);
    let cut = desk.client.id.chars().rev().skip(1).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let long_id = "d".repeat(4097);
    let cases = [
        (format!("{}&x=%zz", url(&[])), DENIED, "authorize_malformed"),
        (format!("{}&x=%ff", url(&[])), DENIED, "authorize_malformed"),
        (format!("{}{}", url(&[]), "&x=".repeat(33)), DENIED, "authorize_malformed"),
        (format!("{}&scope=read%3Arepository", url(&[])), SECURITY, "authorize_repeated_parameter"),
        (format!("{}&client_id=", url(&[])), SECURITY, "authorize_repeated_parameter"),
        (format!("{}&unknown=1&unknown=1", url(&[])), SECURITY, "authorize_repeated_parameter"),
        (url(&[("client_id", "")]), DENIED, "client_id_missing"),
        (url(&[("client_id", "two words")]), DENIED, "client_id_missing"),
        (url(&[("client_id", &long_id)]), DENIED, "client_id_missing"),
        (url(&[("client_id", "nobody")]), SECURITY, "client_unknown"),
        (url(&[("client_id", &cut)]), SECURITY, "client_unknown"),
        (url(&[("client_id", "https://evil.example/client.json")]), DENIED, "client_host_not_allowed"),
        (url(&[("client_id", "https://localhost:9/client.json")]), DENIED, "client_document_unusable"),
        (url(&[("redirect_uri", "")]), DENIED, "redirect_uri_missing"),
        (url(&[("redirect_uri", "https://evil.example/callback")]), SECURITY, "redirect_uri_refused"),
        (url(&[("redirect_uri", "javascript:alert(1)")]), SECURITY, "redirect_uri_refused"),
        (url(&[("redirect_uri", "http://127.0.0.1:43117/other")]), SECURITY, "redirect_uri_not_registered"),
        (
            url(&[("redirect_uri", "http://localhost:43117/callback")]),
            SECURITY,
            "redirect_uri_not_registered",
        ),
    ];
    for (url, event, reason) in cases {
        let page = Browser::new().get(&url).await;
        desk.page(&page, 400, &[(event, reason)], &[]).await;
        let text = page.text();
        assert!(!text.contains("evil.example") && !text.contains("alert(1)"), "nothing is repeated: {text}");
    }
    desk.end().await;
}

#[tokio::test]
async fn a_client_that_is_proved_is_told_what_is_wrong_with_its_request() {
    let mut desk = Desk::new().await;
    let state = long();
    let cases: [(Changed<'_>, &str, &str); 22] = [
        (&[("response_type", "")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_type", "code id_token")], "unsupported_response_type", "response_type_unsupported"),
        (&[("response_mode", "fragment")], "invalid_request", "response_mode_unsupported"),
        (&[("response_mode", "form_post")], "invalid_request", "response_mode_unsupported"),
        (&[("request", "e30.e30.")], "request_not_supported", "request_object_unsupported"),
        (&[("request_uri", "https://a.example/r")], "request_uri_not_supported", "request_uri_unsupported"),
        (&[("code_challenge", "")], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge", "short")], "invalid_request", "code_challenge_invalid"),
        (&[("code_challenge_method", "")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "plain")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("code_challenge_method", "s256")], "invalid_request", "code_challenge_method_unsupported"),
        (&[("state", &state)], "invalid_request", "state_malformed"),
        (&[("state", "two\r\nlines")], "invalid_request", "state_malformed"),
        (&[("resource", "https://other.example/mcp")], "invalid_target", "resource_invalid"),
        (&[("resource", "mcp")], "invalid_target", "resource_invalid"),
        (&[("scope", "admin")], "invalid_scope", "scope_invalid"),
        (&[("scope", "read:repository all")], "invalid_scope", "scope_invalid"),
        (&[("scope", "READ:REPOSITORY")], "invalid_scope", "scope_invalid"),
        (&[("prompt", "none")], "interaction_required", "prompt_none"),
        (&[("prompt", "none"), ("scope", "x")], "invalid_scope", "scope_invalid"),
        (&[("request", "x"), ("response_type", "x")], "request_not_supported", "request_object_unsupported"),
    ];
    for (changed, error, reason) in cases {
        let page = Browser::new().get(&desk.client.authorize_url(changed)).await;
        desk.told(&page, error, &[(DENIED, reason)], &[]).await;
        let back = aegis_tests::sign_in::parameter(&page.redirect().unwrap_or_default(), "state");
        let kept = (reason != "state_malformed").then_some("the client's own state");
        assert_eq!(back.as_deref(), kept, "a state comes back as it was, or not at all");
    }
    desk.end().await;
}

#[tokio::test]
async fn the_alias_refuses_in_the_same_words_and_a_look_without_reading_too() {
    let mut desk = Desk::new().await;
    let url = desk.client.authorize_url(&[("client_id", "nobody")]);
    let alias = url.replace("/oauth/authorize?", "/authorize?");
    let page = Browser::new().get(&alias).await;
    desk.page(&page, 400, &[(SECURITY, "client_unknown")], &[]).await;
    let target = url.trim_start_matches(&desk.server.url).to_owned();
    let head = send(&desk.server.url, "HEAD", &target, &[], b"").await.expect("an answer");
    assert_eq!((head.status, head.body.len()), (400, 0));
    desk.recorded(&head, &[(SECURITY, "client_unknown")], &[]).await;
    for (method, path) in
        [("PUT", "/oauth/authorize"), ("DELETE", "/authorize"), ("OPTIONS", "/oauth/authorize")]
    {
        let answer = send(&desk.server.url, method, path, &[], b"").await.expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
        desk.recorded(&answer, &[(DENIED, "method_not_allowed")], &[]).await;
    }
    for method in ["POST", "HEAD", "OPTIONS"] {
        let answer = send(&desk.server.url, method, "/oauth/callback", &[], b"").await.expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{method}");
        desk.recorded(&answer, &[(DENIED, "method_not_allowed")], &[]).await;
    }
    desk.end().await;
}
