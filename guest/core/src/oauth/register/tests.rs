//! What clients register, in the bodies that they send.

use super::*;
use crate::mcp::fake::{World, body};
use crate::oauth::scripted::Scripted;

const CALLBACK: &str = "http://127.0.0.1:33418/callback";

fn post_with(settings: &[(&'static str, &str)], host: &Scripted, text: &str) -> Result<Value, Refused> {
    let world = World::new();
    world.set("OAUTH_MODE", "true");
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com");
    for (name, value) in settings {
        world.set(name, value);
    }
    let config = Config::load(&world).unwrap();
    let response = answer(&host.ports(&world), &config, text.as_bytes())?;
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()["pragma"], "no-cache");
    Ok(body(&response))
}

fn post(document: &Value) -> Result<Value, Refused> {
    post_with(&[], &Scripted::default(), &document.to_string())
}

fn with(name: &str, value: Value) -> Value {
    let mut document = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
    document[name] = value;
    document
}

#[test]
fn answers_with_what_was_registered() {
    let host = Scripted::default();
    let sent = json!({
        "client_name": "Claude",
        "redirect_uris": [CALLBACK, "https://claude.ai/api/mcp/auth_callback"],
        "grant_types": ["refresh_token", "authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
        "scope": "read:repository",
        "software_id": "x",
        "contacts": ["a@example.com"],
    });
    let told = post_with(&[], &host, &sent.to_string()).unwrap();
    assert_eq!(
        told,
        json!({
            "client_id": "aegis_client_1",
            "client_id_issued_at": 1_900_000_000,
            "client_name": "Claude",
            "redirect_uris": [CALLBACK, "https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        })
    );
    let registered = host.registrations.borrow();
    assert_eq!(registered.len(), 1);
    assert_eq!(registered[0].name.as_deref(), Some("Claude"));
    assert_eq!(registered[0].authentication, Authentication::None);
    assert_eq!(registered[0].redirect_uris, [CALLBACK, "https://claude.ai/api/mcp/auth_callback"]);
}

#[test]
fn gives_a_secret_to_clients_that_can_keep_one() {
    for (document, method) in [
        (with("token_endpoint_auth_method", "client_secret_basic".into()), "client_secret_basic"),
        (with("token_endpoint_auth_method", "client_secret_post".into()), "client_secret_post"),
        (with("token_endpoint_auth_method", Value::Null), "client_secret_basic"),
        (json!({ "redirect_uris": [CALLBACK] }), "client_secret_basic"),
        (json!({ "redirect_uris": [CALLBACK], "application_type": "web" }), "client_secret_basic"),
        (json!({ "redirect_uris": [CALLBACK], "application_type": "native" }), "none"),
        (with("token_endpoint_auth_method", "none".into()), "none"),
    ] {
        let told = post(&document).unwrap();
        assert_eq!(told["token_endpoint_auth_method"], method, "{document}");
        let secret = method != "none";
        assert_eq!(told.get("client_secret").is_some(), secret, "{document}");
        assert_eq!(told.get("client_secret_expires_at"), secret.then_some(&json!(0)), "{document}");
    }
}

#[test]
fn shows_a_name_on_one_line_without_what_deceives() {
    let (long, cut) = ("n".repeat(65), "n".repeat(64));
    for (given, kept) in [
        (json!("  My\n\tClient  "), Some("My Client")),
        (json!("safe\u{202e}evil\u{200b}"), Some("safeevil")),
        (json!("\u{1b}[31mred"), Some("red")),
        (json!("<b>&\"'"), Some("<b>&\"'")),
        (json!(""), None),
        (json!("\u{200b} \u{feff}"), None),
        (Value::Null, None),
        (json!(long), Some(&*cut)),
    ] {
        let told = post(&with("client_name", given.clone())).unwrap();
        assert_eq!(told.get("client_name").and_then(Value::as_str), kept, "{given}");
    }
}

#[test]
fn refuses_metadata_that_it_could_not_honour() {
    for document in [
        json!([]),
        json!("x"),
        json!({}),
        json!({ "redirect_uris": CALLBACK }),
        with("redirect_uris", json!([])),
        with("redirect_uris", json!([1])),
        with("redirect_uris", json!([CALLBACK, CALLBACK, CALLBACK, CALLBACK, CALLBACK, CALLBACK])),
        with("redirect_uris", json!([format!("{CALLBACK}/{}", "x".repeat(512))])),
        with("client_name", json!(7)),
        with("token_endpoint_auth_method", json!("private_key_jwt")),
        with("token_endpoint_auth_method", json!("NONE")),
        with("token_endpoint_auth_method", json!(["none"])),
        with("grant_types", json!(["password"])),
        with("grant_types", json!(["refresh_token"])),
        with("grant_types", json!(["authorization_code", "client_credentials"])),
        with("grant_types", json!("authorization_code")),
        with("grant_types", json!([1])),
        with("response_types", json!(["token"])),
        with("response_types", json!(["code", "code token"])),
        with("response_types", json!([])),
    ] {
        let refused = post(&document).unwrap_err();
        let line = refused.line();
        assert_eq!((line.status.as_u16(), line.code), (400, "invalid_client_metadata"), "{document}");
        assert!(refused.description().len() > 20, "it says what would do: {document}");
    }
    let host = Scripted::default();
    for text in ["", "{", "\u{feff}{}", r#"{"redirect_uris":[],"redirect_uris":[]}"#, "a=b"] {
        let refused = post_with(&[], &host, text).unwrap_err();
        assert_eq!(refused.line().code, "invalid_client_metadata", "{text}");
    }
}

#[test]
fn refuses_redirect_uris_that_a_stranger_may_not_have() {
    for uri in [
        "https://evil.example/callback",
        "http://evil.example/callback",
        "javascript:alert(1)",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://claude.ai@evil.example/api/mcp/auth_callback",
        "http://127.0.0.1.evil.example/",
        "",
    ] {
        let refused = post(&with("redirect_uris", json!([CALLBACK, uri]))).unwrap_err();
        let line = refused.line();
        assert_eq!((line.status.as_u16(), line.code), (400, "invalid_redirect_uri"), "{uri}");
        let said = format!("{} {:?}", refused.description(), refused.remark());
        assert!(uri.is_empty() || !said.contains(uri), "what was sent is not repeated");
    }
    let listed = [("OAUTH_REDIRECT_ALLOWLIST", "cursor://anysphere.cursor-mcp/oauth/callback")];
    let document = with("redirect_uris", json!(["cursor://anysphere.cursor-mcp/oauth/callback"]));
    assert!(post_with(&listed, &Scripted::default(), &document.to_string()).is_ok());
}

#[test]
fn reads_so_much_and_no_more() {
    let padded = |bytes: usize| {
        let document = with("x", "".into()).to_string();
        let filled = "y".repeat(bytes - document.len());
        with("x", filled.into()).to_string()
    };
    let host = Scripted::default();
    assert!(post_with(&[], &host, &padded(MAX_BYTES)).is_ok());
    let refused = post_with(&[], &host, &padded(MAX_BYTES + 1)).unwrap_err();
    assert_eq!((refused.line().status.as_u16(), refused), (413, Refused::TooLarge(MAX_BYTES)));
}

#[test]
fn tells_a_closed_door_from_a_registration_that_is_too_long() {
    let host = Scripted::default();
    let text = with("client_name", "x".into()).to_string();
    let closed = post_with(&[("DCR_ENABLED", "false")], &host, "not even JSON").unwrap_err();
    assert_eq!((closed.line().status.as_u16(), closed), (403, Refused::RegistrationClosed));
    assert!(host.registrations.borrow().is_empty());
    host.not_registered.set(Some(NotRegistered::Disabled));
    assert_eq!(post_with(&[], &host, &text).unwrap_err(), Refused::RegistrationClosed);
    host.not_registered.set(Some(NotRegistered::TooLarge));
    assert_eq!(post_with(&[], &host, &text).unwrap_err().line().code, "invalid_client_metadata");
}
