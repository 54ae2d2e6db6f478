//! Refused at registration and at the token endpoint, in the words of RFC 6749, 7009, 7591 and 8707.

use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{REDIRECT, form, post_form, register};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::Desk;

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";
const FORM: &str = "application/x-www-form-urlencoded";

/// A registration as it is, under either path.
async fn post_registration(desk: &Desk, path: &str, body: &[u8]) -> Answer {
    desk.server.stranger("POST", path, &[("content-type", "application/json")], body).await
}

/// A form to the token endpoint with an `Authorization` header.
async fn with_header(desk: &Desk, authorization: &str, fields: &[(&str, &str)]) -> Answer {
    let headers = [("content-type", FORM), ("authorization", authorization)];
    send(&desk.server.url, "POST", "/oauth/token", &headers, form(fields).as_bytes())
        .await
        .expect("an answer")
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

#[tokio::test]
async fn a_registration_that_cannot_be_honoured_is_refused() {
    let mut desk = Desk::new().await;
    let with = |name: &str, value: Value| {
        let mut body = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"});
        body[name] = value;
        body.to_string()
    };
    let six: Vec<String> = (0..6).map(|port| format!("http://127.0.0.1:{}/x", 4000 + port)).collect();
    let malformed = [
        "{}".to_owned(),
        "[]".to_owned(),
        "not json".to_owned(),
        r#"{"redirect_uris":["http://127.0.0.1/a"],"redirect_uris":["http://127.0.0.1/b"]}"#.to_owned(),
        with("redirect_uris", json!([])),
        with("redirect_uris", json!("http://127.0.0.1/")),
        with("redirect_uris", json!([7])),
        with("redirect_uris", json!(six)),
        with("redirect_uris", json!([format!("http://127.0.0.1/{}", "x".repeat(512))])),
        with("token_endpoint_auth_method", json!("private_key_jwt")),
        with("token_endpoint_auth_method", json!(1)),
        with("grant_types", json!(["implicit"])),
        with("grant_types", json!(["refresh_token"])),
        with("response_types", json!(["token"])),
        with("client_name", json!({"a": 1})),
    ];
    for (at, body) in malformed.iter().enumerate() {
        let path = if at % 2 == 0 { "/register" } else { "/oauth/register" };
        let answer = post_registration(&desk, path, body.as_bytes()).await;
        desk.error(&answer, 400, "invalid_client_metadata", (DENIED, "invalid_client_metadata"), &[]).await;
    }
    for uri in
        ["https://evil.example/cb", "javascript:alert(1)", "http://10.0.0.1/", "cursor://x", "http://127.1/"]
    {
        let answer = register(&desk.server.url, &json!({"redirect_uris": [REDIRECT, uri]})).await;
        desk.error(&answer, 400, "invalid_redirect_uri", (SECURITY, "invalid_redirect_uri"), &[]).await;
        assert!(!answer.text().contains("evil.example"), "nothing is repeated");
    }
    let answer =
        post_registration(&desk, "/register", with("client_name", json!("x".repeat(9000))).as_bytes()).await;
    desk.error(&answer, 413, "invalid_request", (DENIED, "oauth_body_too_large"), &[]).await;
    let answer = post_form(&desk.server.url, "/register", &[("client_name", "x")]).await;
    desk.error(&answer, 415, "invalid_request", (DENIED, "unsupported_media_type"), &[]).await;
    let answer = send(&desk.server.url, "GET", "/register", &[], b"").await.expect("an answer");
    assert_eq!(answer.header("allow"), Some("POST"));
    desk.error(&answer, 405, "invalid_request", (DENIED, "method_not_allowed"), &[]).await;
    desk.end().await;
}

#[tokio::test]
async fn where_registration_is_closed_it_is_neither_offered_nor_done() {
    let scene = crate::scene::Scene::new().await;
    let server = scene.setup().set("DCR_ENABLED", "false").start().await;
    let answer = register(&server.url, &json!({"redirect_uris": [REDIRECT]})).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (403, Some("access_denied")),
        "{}",
        answer.text()
    );
    let lines =
        server.audit_when(|lines| lines.iter().any(|line| line["reason"] == "registration_closed")).await;
    let lines: Vec<_> = lines.iter().filter(|line| line["reason"] == "registration_closed").collect();
    assert_eq!((lines.len(), lines[0]["event"].as_str()), (1, Some(DENIED)));
    let metadata = server.stranger("GET", "/.well-known/oauth-authorization-server", &[], b"").await.json();
    assert_eq!(metadata.get("registration_endpoint"), None);
    assert!(!server.stranger("GET", "/", &[], b"").await.text().contains("/register"));
}

#[tokio::test]
async fn a_request_for_tokens_with_a_mistake_is_refused_and_burns_nothing() {
    let mut desk = Desk::new().await;
    let code = desk.code("alice").await;
    let id = desk.client.id.clone();
    let url = desk.server.url.clone();
    let usual = form(&[("grant_type", "authorization_code"), ("code", &code), ("client_id", &id)]);
    let raw = |body: String| {
        let url = url.clone();
        async move {
            send(&url, "POST", "/oauth/token", &[("content-type", FORM)], body.as_bytes())
                .await
                .expect("an answer")
        }
    };
    for body in [
        format!("{usual}&x=%zz"),
        format!("{usual}&x=%ff"),
        format!("{usual}{}", (0..33).map(|n| format!("&x{n}=1")).collect::<String>()),
    ] {
        desk.error(&raw(body).await, 400, "invalid_request", (DENIED, "malformed_form"), &[]).await;
    }
    for name in ["code", "client_id", "grant_type", "unknown"] {
        let body = format!("{usual}&unknown=1&{name}=1");
        desk.error(&raw(body).await, 400, "invalid_request", (SECURITY, "repeated_parameter"), &[]).await;
    }
    let body = format!("{usual}&x={}", "x".repeat(16 * 1024));
    desk.error(&raw(body).await, 413, "invalid_request", (DENIED, "oauth_body_too_large"), &[]).await;

    let redeem = |changed: &'static [(&'static str, &'static str)]| {
        let (client, code) = (desk.client.clone(), code.clone());
        async move { client.redeem(&code, changed).await }
    };
    let answer = redeem(&[("grant_type", "")]).await;
    desk.error(&answer, 400, "invalid_request", (DENIED, "missing_parameter"), &[]).await;
    let answer = desk.client.redeem("", &[]).await;
    desk.error(&answer, 400, "invalid_request", (DENIED, "missing_parameter"), &[]).await;
    let answer = desk.client.refresh("", &[]).await;
    desk.error(&answer, 400, "invalid_request", (DENIED, "missing_parameter"), &[]).await;
    let answer = desk.client.redeem("two words", &[]).await;
    desk.error(&answer, 400, "invalid_request", (DENIED, "malformed_parameter"), &[]).await;
    let answer = desk.client.redeem(&"c".repeat(2049), &[]).await;
    desk.error(&answer, 400, "invalid_request", (DENIED, "malformed_parameter"), &[]).await;
    for grant in ["password", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code"] {
        let answer = desk.client.redeem(&code, &[("grant_type", grant)]).await;
        desk.error(&answer, 400, "unsupported_grant_type", (DENIED, "unsupported_grant_type"), &[]).await;
    }
    for resource in ["https://other.example/mcp", "mcp"] {
        let answer = desk.client.redeem(&code, &[("resource", resource)]).await;
        desk.error(&answer, 400, "invalid_target", (SECURITY, "invalid_target"), &[]).await;
    }
    let json = [("content-type", "application/json")];
    let answer = send(&desk.server.url, "POST", "/oauth/token", &json, b"{}").await.expect("an answer");
    desk.error(&answer, 415, "invalid_request", (DENIED, "unsupported_media_type"), &[]).await;
    let answer = send(&desk.server.url, "GET", "/oauth/token", &[], b"").await.expect("an answer");
    desk.error(&answer, 405, "invalid_request", (DENIED, "method_not_allowed"), &[]).await;
    // Nothing of all that has used the code up.
    assert_eq!(desk.client.redeem(&code, &[]).await.status, 200);
    desk.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_prove_itself_gets_nothing() {
    let mut desk = Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1000")).await;
    let code = desk.code("alice").await;
    let id = desk.client.id.clone();
    let code_fields = [("grant_type", "authorization_code"), ("code", code.as_str())];
    let fields = |more: &[(&'static str, &'static str)]| {
        let mut all = vec![("grant_type", "authorization_code"), ("code", "aegis_ac_x")];
        all.extend_from_slice(more);
        all
    };
    let answer = post_form(&desk.server.url, "/oauth/token", &code_fields).await;
    assert_eq!(answer.header("www-authenticate"), None, "no header was tried");
    desk.error(&answer, 401, "invalid_client", (DENIED, "client_not_named"), &[]).await;

    let answer = with_header(&desk, &basic(&id, "secret"), &fields(&[("client_secret", "secret")])).await;
    assert!(
        answer.header("www-authenticate").is_some_and(|said| said.starts_with("Basic realm=")),
        "{answer:?}"
    );
    desk.error(&answer, 401, "invalid_client", (SECURITY, "two_client_proofs"), &[]).await;
    let answer = with_header(&desk, &basic(&id, "secret"), &fields(&[("client_id", "another")])).await;
    desk.error(&answer, 401, "invalid_client", (SECURITY, "two_client_proofs"), &[]).await;

    for header in ["Basic !!!", "Basic bm8tY29sb24=", "Basic Onh4"] {
        let answer = with_header(&desk, header, &fields(&[])).await;
        assert!(answer.header("www-authenticate").is_some());
        desk.error(&answer, 401, "invalid_client", (SECURITY, "unreadable_client_proof"), &[]).await;
    }
    for header in ["Bearer aegis_at_x", "Digest x", "Basic"] {
        let answer = with_header(&desk, header, &fields(&[])).await;
        desk.error(&answer, 401, "invalid_client", (DENIED, "unknown_client_method"), &[]).await;
    }
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let answer = post_form(
        &desk.server.url,
        "/oauth/token",
        &fields(&[("client_id", "x"), ("client_assertion_type", kind)]),
    )
    .await;
    desk.error(&answer, 401, "invalid_client", (DENIED, "unknown_client_method"), &[]).await;

    // Unknown, a public client with a secret, and confidential ones with none, a wrong one, or in the wrong place.
    desk.secret("a-secret-that-is-wrong");
    let wrong = [("client_secret", "a-secret-that-is-wrong")];
    let answer = desk.client.redeem(&code, &[("client_id", "nobody")]).await;
    desk.error(&answer, 401, "invalid_client", (SECURITY, "invalid_client"), &[]).await;
    let answer = desk.client.redeem(&code, &wrong).await;
    desk.error(&answer, 401, "invalid_client", (SECURITY, "invalid_client"), &[]).await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let body = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": method});
        let made = register(&desk.server.url, &body).await.json();
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        let (id, secret) = (text("client_id"), text("client_secret"));
        desk.secret(&secret);
        let usual = [("grant_type", "authorization_code"), ("code", code.as_str())];
        let in_form = |secret: &str| {
            let mut all = usual.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
            all.push(("client_id".to_owned(), id.clone()));
            if !secret.is_empty() {
                all.push(("client_secret".to_owned(), secret.to_owned()));
            }
            all
        };
        let mut answers = Vec::new();
        for given in ["", "a-secret-that-is-wrong", &secret[..secret.len() - 1]] {
            let all = in_form(given);
            let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            answers.push((false, post_form(&desk.server.url, "/oauth/token", &all).await));
        }
        if method == "client_secret_basic" {
            let all = in_form(&secret);
            let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            answers.push((false, post_form(&desk.server.url, "/oauth/token", &all).await));
            answers.push((true, with_header(&desk, &basic(&id, "a-secret-that-is-wrong"), &usual).await));
        } else {
            answers.push((true, with_header(&desk, &basic(&id, &secret), &usual).await));
        }
        for (header, answer) in answers {
            assert_eq!(answer.header("www-authenticate").is_some(), header, "{method}: answered in kind");
            desk.error(&answer, 401, "invalid_client", (SECURITY, "invalid_client"), &[]).await;
        }
    }
    // The code is still its client's.
    assert_eq!(desk.client.redeem(&code, &[]).await.status, 200);
    desk.end().await;
}

#[tokio::test]
async fn a_code_that_is_not_good_is_an_invalid_grant() {
    let mut desk = Desk::with(|setup| setup.set("MAX_AUTH_FAILURES", "1000")).await;
    let other = aegis_tests::sign_in::Client::register(&desk.server.url).await;
    let good = desk.code("alice").await;
    let mut tampered = good.clone();
    let last = tampered.pop().unwrap_or_default();
    tampered.push(if last == 'A' { 'B' } else { 'A' });
    for unknown in ["aegis_ac_nothing", "gta_from_gitea", "x", &tampered] {
        let answer = desk.client.redeem(unknown, &[]).await;
        desk.error(&answer, 400, "invalid_grant", (SECURITY, "invalid_grant"), &[]).await;
    }
    assert!(desk.server.log().contains("\"reason\":\"code_unknown\""), "{}", desk.server.log());
    // What belongs to another, or comes without its verifier, is refused and burnt.
    let changes: [(&[(&str, &str)], &str); 4] = [
        (&[("code_verifier", "another-verifier-that-is-long-enough-to-be-one-x")], "wrong_verifier"),
        (&[("code_verifier", "")], "wrong_verifier"),
        (&[("redirect_uri", "http://127.0.0.1:43117/other")], "other_redirect"),
        (&[("redirect_uri", "")], "other_redirect"),
    ];
    for (changed, why) in changes {
        let code = desk.code("alice").await;
        let answer = desk.client.redeem(&code, changed).await;
        desk.error(&answer, 400, "invalid_grant", (SECURITY, "invalid_grant"), &[]).await;
        assert!(desk.server.log().contains(&format!("\"reason\":\"{why}\"")), "{why}: {}", desk.server.log());
        let answer = desk.client.redeem(&code, &[]).await;
        desk.error(&answer, 400, "invalid_grant", (SECURITY, "invalid_grant"), &[]).await;
        assert!(desk.server.log().contains("\"reason\":\"code_burnt\""), "{}", desk.server.log());
    }
    let code = desk.code("alice").await;
    let answer = other.redeem(&code, &[]).await;
    desk.error(&answer, 400, "invalid_grant", (SECURITY, "invalid_grant"), &[]).await;
    assert!(desk.server.log().contains("\"reason\":\"other_client\""), "{}", desk.server.log());
    desk.end().await;
}

#[tokio::test]
async fn while_gitea_cannot_be_asked_a_refresh_is_put_off_and_nothing_is_lost() {
    let mut desk = Desk::new().await;
    let tokens = desk.tokens("alice", false).await;
    desk.scene.forge.every_fault(Fault::on("/login/oauth/userinfo", FaultKind::Status(500)));
    let answer = desk.client.refresh(&tokens.refresh, &[]).await;
    assert!(
        answer.header("retry-after").is_some_and(|text| text.parse::<u32>().is_ok_and(|seconds| seconds > 0))
    );
    let line = (DENIED, "tokens_unavailable");
    desk.error(&answer, 503, "temporarily_unavailable", line, &["GET /login/oauth/userinfo"]).await;
    desk.scene.forge.mend();
    assert_eq!(desk.client.refresh(&tokens.refresh, &[]).await.status, 200);
    desk.end().await;
}
