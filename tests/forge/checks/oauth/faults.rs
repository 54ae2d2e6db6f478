//! Everything that can go wrong on the way to the provider, once or for as long as a test wants.

use aegis_tests::forge::{Fault, FaultKind, IdTokenFlaw, Version};
use aegis_tests::http::send;
use serde_json::{Value, json};

use super::{CALLBACK, Place, READING, parts, text};

const ENDPOINTS: [(&str, &str); 5] = [
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/login/oauth/keys"),
    ("POST", "/login/oauth/access_token"),
    ("GET", "/login/oauth/userinfo"),
    ("POST", "/login/oauth/introspect"),
];

#[tokio::test]
async fn every_endpoint_breaks_as_asked_until_it_is_mended() {
    let place = Place::forge(Version::V1_27).await;
    let forge = place.forge.as_ref().expect("a forge");
    for (method, path) in ENDPOINTS {
        let ask = async || send(&place.url, method, path, &[], b"").await;
        let usual = ask().await.expect("an answer");
        let set = |kind: FaultKind| forge.every_fault(Fault::on(path, kind));
        set(FaultKind::Status(503));
        assert_eq!((ask().await.expect("one").status, ask().await.expect("two").status), (503, 503));
        forge.next_fault(Fault::on(path, FaultKind::Instead(400, json!({ "error": "invalid_grant" }))));
        assert_eq!(
            ask().await.expect("it").json(),
            json!({ "error": "invalid_grant" }),
            "once, before the standing one"
        );
        assert_eq!(ask().await.expect("it").status, 503);
        forge.mend();
        set(FaultKind::Oversize(3_000_000));
        let long = ask().await.expect("it");
        assert_eq!((long.status, long.body.len()), (usual.status, usual.body.len() + 3_000_000));
        assert_eq!(long.json().is_null(), usual.json().is_null());
        forge.mend();
        set(FaultKind::Redirect("http://evil.example/x".to_owned()));
        let moved = ask().await.expect("it");
        assert_eq!((moved.status, moved.header("location")), (302, Some("http://evil.example/x")));
        forge.mend();
        set(FaultKind::Html);
        let page = ask().await.expect("it");
        assert_eq!((page.status, page.json()), (200, Value::Null));
        forge.mend();
        set(FaultKind::Close);
        assert!(ask().await.is_err());
        forge.mend();
        set(FaultKind::BadJson);
        assert_eq!(ask().await.expect("it").json(), Value::Null);
        forge.mend();
        assert_eq!(ask().await.expect("it").status, usual.status, "mended");
    }
}

#[tokio::test]
async fn one_field_of_an_answer_can_be_another() {
    let place = Place::forge(Version::V1_27).await;
    let forge = place.forge.as_ref().expect("a forge");
    let path = "/.well-known/openid-configuration";
    let change = json!({ "jwks_uri": "http://evil.example/keys", "userinfo_endpoint": null });
    forge.next_fault(Fault::on(path, FaultKind::Patch(change)));
    let changed = send(&place.url, "GET", path, &[], b"").await.expect("an answer").json();
    assert_eq!(changed["jwks_uri"], "http://evil.example/keys");
    assert_eq!((changed.get("userinfo_endpoint"), &changed["issuer"]), (None, &json!(place.url)));
}

#[tokio::test]
async fn a_fault_that_refuses_leaves_the_code_unused() {
    let place = Place::forge(Version::V1_27).await;
    let app = place.app(CALLBACK, true).await;
    let code = place.code(&app, READING, "bob").await;
    let forge = place.forge.as_ref().expect("a forge");
    forge.next_fault(Fault::on("access_token", FaultKind::Status(502)));
    assert_eq!(place.exchange(&app, &code, &[]).await.status, 502);
    assert_eq!(place.exchange(&app, &code, &[]).await.status, 200);
}

#[tokio::test]
async fn a_held_answer_waits_for_its_release() {
    let place = Place::forge(Version::V1_27).await;
    let forge = place.forge.as_ref().expect("a forge");
    forge.next_fault(Fault::on("/login/oauth/keys", FaultKind::Hold));
    let url = place.url.clone();
    let held = tokio::spawn(async move { send(&url, "GET", "/login/oauth/keys", &[], b"").await });
    while forge.times("GET", "/login/oauth/keys") == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!held.is_finished());
    forge.release(1);
    assert_eq!(held.await.expect("it ran").expect("an answer").status, 200);
}

#[tokio::test]
async fn the_next_id_token_carries_the_flaw_that_was_asked_for() {
    let place = Place::forge(Version::V1_27).await;
    let app = place.app(CALLBACK, true).await;
    let forge = place.forge.as_ref().expect("a forge");
    let next = async |flaw: IdTokenFlaw| {
        forge.spoil_id_token(flaw);
        place.sign_in(&app, READING, "bob").await["id_token"].clone()
    };
    let good = text(&place.sign_in(&app, READING, "bob").await, "id_token");
    let (header, _) = parts(&good);
    let past = forge.now() - 3600;
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("aud", json!(["other"])),
        ("nonce", json!("other")),
        ("nonce", Value::Null),
        ("exp", json!(past)),
        ("exp", json!("never")),
        ("iat", json!(past + 90_000)),
        ("sub", json!("1")),
    ] {
        let token = next(IdTokenFlaw::Claim(name.to_owned(), value.clone())).await;
        assert_eq!(parts(token.as_str().expect("a token")).1[name], value, "{name}");
    }
    let spoiled = async |flaw: IdTokenFlaw| {
        let token = next(flaw).await.as_str().expect("a token").to_owned();
        (parts(&token).0, token)
    };
    assert_eq!(
        spoiled(IdTokenFlaw::Header("jku".to_owned(), json!("http://x.example/"))).await.0["jku"],
        "http://x.example/"
    );
    let (none, token) = spoiled(IdTokenFlaw::Unsigned).await;
    assert!(none["alg"] == "none" && token.ends_with('.'));
    let (confused, _) = spoiled(IdTokenFlaw::PublicKeyAsSecret).await;
    assert_eq!((&confused["alg"], &confused["kid"]), (&json!("HS256"), &header["kid"]));
    assert_eq!(spoiled(IdTokenFlaw::OtherKey).await.0, header);
    assert_ne!(spoiled(IdTokenFlaw::UnknownKey).await.0["kid"], header["kid"]);
    assert_eq!(spoiled(IdTokenFlaw::BrokenSignature).await.0, header);
    assert_eq!(next(IdTokenFlaw::Garbage).await, "not.a.token");
    assert_eq!(next(IdTokenFlaw::Absent).await, Value::Null);
    forge.spoil_id_token(IdTokenFlaw::Absent);
    forge.mend();
    assert!(place.sign_in(&app, READING, "bob").await["id_token"].is_string(), "mended");
}
