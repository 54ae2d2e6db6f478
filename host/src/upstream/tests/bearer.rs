//! Gitea's own tokens from a client: what is refused costs no request, what is taken was made for us.

use aegis_custody::Timestamp;
use serde_json::{Value, json};

use super::super::people::GiteaToken;
use super::super::{Fault, TokenRefused, UpstreamError};
use super::signer::Signer;
use super::{
    DISCOVERY, Gitea, INTROSPECT, KEYS, NOW, READ, USERINFO, app, but, introspection, ok, secret, text,
};

async fn check(gitea: &Gitea, token: &str) -> Result<String, TokenRefused> {
    let found = gitea.upstream.check_access_token(&[&app("read")], &[], &secret(token)).await;
    found.map(|token| token.login)
}

/// A Gitea whose discovery and keys are known already.
async fn warm(algorithm: &'static str) -> Gitea {
    let gitea = Gitea::new(algorithm).await;
    check(&gitea, &gitea.key.token(&Gitea::access_claims())).await.unwrap();
    gitea.seen();
    gitea
}

#[tokio::test]
async fn a_good_token_is_taken_and_not_asked_about_again_for_a_minute() {
    let gitea = Gitea::new("RS256").await;
    let token = gitea.key.token(&Gitea::access_claims());
    let read = app("read");
    let found = gitea.upstream.check_access_token(&[&read], &[], &secret(&token)).await.unwrap();
    let expected = GiteaToken {
        subject: "7".to_owned(),
        login: "alice".to_owned(),
        words: READ.split(' ').map(str::to_owned).collect(),
        client_id: "id-read".to_owned(),
        expires: Some(Timestamp::from_unix_millis((NOW + 3_600) * 1_000)),
    };
    assert_eq!(found, expected);
    assert_eq!(gitea.asked(), [DISCOVERY, KEYS, INTROSPECT]);
    gitea.clock.set(NOW + 59);
    assert!(check(&gitea, &token).await.is_ok());
    assert!(gitea.asked().is_empty());
    // Another question, another answer: the kept one was for another client id.
    let found = gitea.upstream.check_access_token(&[&app("write")], &[], &secret(&token)).await;
    assert_eq!(found, Err(TokenRefused::OtherApplication));
    gitea.seen();
    gitea.clock.set(NOW + 60);
    assert!(check(&gitea, &token).await.is_ok());
    assert_eq!(gitea.asked(), [INTROSPECT]);
    // A clock that stepped back does not keep it alive.
    gitea.clock.set(NOW + 30);
    gitea.answers(INTROSPECT, text(401, "Failed to authenticate user"));
    assert_eq!(check(&gitea, &token).await, Err(TokenRefused::Inactive));
}

#[tokio::test]
async fn a_token_is_kept_no_longer_than_it_lives() {
    let gitea = warm("ES256").await;
    let token = gitea.key.token(&but(Gitea::access_claims(), "exp", json!(NOW + 5)));
    assert!(check(&gitea, &token).await.is_ok());
    gitea.seen();
    gitea.clock.set(NOW + 5);
    assert!(check(&gitea, &token).await.is_ok(), "within the leeway Gitea decides");
    assert_eq!(gitea.asked(), [INTROSPECT]);
    gitea.clock.set(NOW + 65);
    assert_eq!(check(&gitea, &token).await, Err(TokenRefused::Invalid(Fault::Expired)));
    assert!(gitea.asked().is_empty());
}

#[tokio::test]
async fn a_token_with_a_foreign_shape_or_header_is_refused_without_any_request() {
    for gitea in [Gitea::new("RS256").await, warm("RS256").await] {
        let key = &gitea.key;
        let claims = Gitea::access_claims().to_string();
        let head = |name: &str, value: Value| key.raw(&but(key.header(), name, value).to_string(), &claims);
        let good = key.token(&Gitea::access_claims());
        let public = key.jwk();
        let modulus = public["n"].as_str().unwrap();
        let confused = |algorithm, secret: &[u8]| {
            let mac = Signer::mac(algorithm, secret);
            mac.raw(&but(mac.header(), "kid", json!("key-1")).to_string(), &claims)
        };
        let doubled = claims.replacen('{', r#"{"tt":1,"#, 1);
        let twice = key.header().to_string().replacen('{', r#"{"alg":"none","#, 1);
        for (token, fault) in [
            (head("alg", json!("none")), Fault::Algorithm),
            (head("alg", json!("None")), Fault::Algorithm),
            (head("alg", json!("NONE")), Fault::Algorithm),
            (head("alg", json!("nOnE")), Fault::Algorithm),
            (head("alg", json!("")), Fault::Algorithm),
            (head("alg", json!("rs256")), Fault::Algorithm),
            (head("alg", json!("RS256 ")), Fault::Algorithm),
            (head("alg", json!("PS256")), Fault::Algorithm),
            (head("alg", json!("ES512")), Fault::Algorithm),
            (head("alg", json!("ES256K")), Fault::Algorithm),
            (head("alg", json!(["RS256"])), Fault::Algorithm),
            (head("alg", Value::Null), Fault::Algorithm),
            (confused("HS256", modulus.as_bytes()), Fault::Algorithm),
            (confused("HS384", public.to_string().as_bytes()), Fault::Algorithm),
            (confused("HS512", b""), Fault::Algorithm),
            (head("kid", json!("../../etc/passwd")), Fault::KeyId),
            (head("kid", json!("' OR 1=1 --")), Fault::KeyId),
            (head("kid", json!("https://evil.example/keys")), Fault::KeyId),
            (head("kid", json!("")), Fault::KeyId),
            (head("kid", json!("k".repeat(129))), Fault::KeyId),
            (head("kid", json!(["key-1"])), Fault::KeyId),
            (head("kid", Value::Null), Fault::KeyId),
            (head("jwk", public.clone()), Fault::Header),
            (head("jku", json!("https://evil.example/keys")), Fault::Header),
            (head("x5u", json!("https://evil.example/cert")), Fault::Header),
            (head("x5c", json!(["MIIB"])), Fault::Header),
            (head("x5t", json!("abc")), Fault::Header),
            (head("crit", json!(["exp"])), Fault::Header),
            (head("b64", json!(false)), Fault::Header),
            (head("zip", json!("DEF")), Fault::Header),
            (head("enc", json!("A128GCM")), Fault::Header),
            (head("cty", json!("JWT")), Fault::Header),
            (head("typ", json!("JWE")), Fault::Header),
            (head("typ", json!(7)), Fault::Header),
            (key.raw(&key.header().to_string(), &doubled), Fault::Malformed),
            (key.raw(&twice, &claims), Fault::Malformed),
            (key.raw("[]", &claims), Fault::Malformed),
            (key.raw(&key.header().to_string(), "\"x\""), Fault::Malformed),
            (key.raw(&key.header().to_string(), &good), Fault::Malformed),
            (format!("{good}.a.b"), Fault::Malformed),
            (format!("{good}.a"), Fault::Malformed),
            (format!(".{good}"), Fault::Malformed),
            (format!("{good} "), Fault::Malformed),
            (good.replacen('.', "..", 1), Fault::Malformed),
            (good.rsplit_once('.').unwrap().0.to_owned(), Fault::Malformed),
            (format!("{}.", good.rsplit_once('.').unwrap().0), Fault::Malformed),
            ("..".to_owned(), Fault::Malformed),
            (".".to_owned(), Fault::Malformed),
            (String::new(), Fault::Malformed),
            ("with space".to_owned(), Fault::Malformed),
            ("line\nend".to_owned(), Fault::Malformed),
            ("é".to_owned(), Fault::Malformed),
            ("a".repeat(1 << 20), Fault::TooLong),
            (format!("{good}{}", "a".repeat(1 << 20)), Fault::TooLong),
        ] {
            let shown: String = token.chars().take(300).collect();
            assert_eq!(check(&gitea, &token).await, Err(TokenRefused::Invalid(fault)), "{shown}");
            assert!(gitea.asked().is_empty(), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_token_with_wrong_claims_is_refused_without_any_request() {
    let gitea = warm("ES256").await;
    let with = |name: &str, value: Value| but(Gitea::access_claims(), name, value);
    for (claims, fault) in [
        (but(with("iat", json!(NOW - 3_600)), "exp", json!(NOW - 60)), Fault::Expired),
        (but(with("iat", json!(0)), "exp", json!(1)), Fault::Expired),
        (with("iat", json!(NOW + 61)), Fault::NotYet),
        (with("nbf", json!(NOW + 61)), Fault::NotYet),
        (but(with("iat", json!(NOW + 86_400)), "exp", json!(NOW + 90_000)), Fault::NotYet),
        (with("exp", json!(NOW - 1)), Fault::Times),
        (with("exp", json!((NOW + 3_600).to_string())), Fault::Times),
        (with("exp", json!(1_800_003_600.5)), Fault::Times),
        (with("exp", json!(1.8e9)), Fault::Times),
        (with("exp", json!(-1)), Fault::Times),
        (with("exp", json!(u64::MAX)), Fault::Times),
        (with("exp", json!(253_402_300_800_u64)), Fault::Times),
        (with("exp", json!([NOW + 3_600])), Fault::Times),
        (with("exp", json!(true)), Fault::Times),
        (with("exp", Value::Null), Fault::Times),
        (with("iat", json!("now")), Fault::Times),
        (with("iat", json!(-1)), Fault::Times),
        (with("iat", Value::Null), Fault::Times),
        (with("nbf", json!("0")), Fault::Times),
        (with("nbf", json!(NOW + 7_200)), Fault::Times),
        (with("iss", json!("https://evil.example")), Fault::Issuer),
        (with("aud", json!("id-other")), Fault::Audience),
        (with("aud", json!(["id-read", "id-other"])), Fault::Audience),
        (with("aud", json!([])), Fault::Audience),
        (with("aud", json!(7)), Fault::Audience),
        // A refresh token, a token of somebody else's making, and Gitea's ID token.
        (with("tt", json!(1)), Fault::Kind),
        (with("tt", json!(2)), Fault::Kind),
        (with("tt", json!("0")), Fault::Kind),
        (with("tt", json!(false)), Fault::Kind),
        (with("tt", Value::Null), Fault::Kind),
        (Gitea::id_claims(), Fault::Kind),
    ] {
        let found = check(&gitea, &gitea.key.token(&claims)).await;
        assert_eq!(found, Err(TokenRefused::Invalid(fault)), "{claims}");
        assert!(gitea.asked().is_empty(), "{claims}");
    }
    for claims in [
        but(with("iat", json!(NOW - 3_600)), "exp", json!(NOW - 59)),
        with("iat", json!(NOW + 60)),
        with("aud", json!("id-read")),
        with("aud", json!(["id-read"])),
    ] {
        assert_eq!(check(&gitea, &gitea.key.token(&claims)).await.as_deref(), Ok("alice"), "{claims}");
    }
}

#[tokio::test]
async fn a_signature_that_is_not_gitea_s_ends_before_introspection() {
    let gitea = warm("ES256").await;
    let foreign = Signer::new("ES256", "key-1").token(&Gitea::access_claims());
    assert_eq!(check(&gitea, &foreign).await, Err(TokenRefused::Invalid(Fault::Signature)));
    let other = Signer::new("EdDSA", "key-1").token(&Gitea::access_claims());
    assert_eq!(check(&gitea, &other).await, Err(TokenRefused::Invalid(Fault::Algorithm)));
    let unknown = Signer::new("ES256", "key-2").token(&Gitea::access_claims());
    assert_eq!(check(&gitea, &unknown).await, Err(TokenRefused::Invalid(Fault::UnknownKey)));
    assert!(gitea.asked().is_empty());
    assert_eq!(TokenRefused::Invalid(Fault::Signature).name(), "access_token_invalid:signature");
}

#[tokio::test]
async fn a_token_of_another_application_is_refused_and_one_of_either_of_ours_is_taken() {
    let gitea = warm("ES256").await;
    let token = gitea.key.token(&but(Gitea::access_claims(), "gnt", json!(4)));
    gitea.answers(INTROSPECT, ok(&but(introspection(), "aud", json!(["tea"]))));
    assert_eq!(check(&gitea, &token).await, Err(TokenRefused::OtherApplication));
    let extra = ["tea".to_owned()];
    let found = gitea.upstream.check_access_token(&[&app("read")], &extra, &secret(&token)).await.unwrap();
    assert_eq!(found.client_id, "tea");
    // Gitea 1.27 tells an application about its own tokens alone, so each of ours is asked.
    gitea.decides(INTROSPECT, |seen| {
        if seen.authorization.as_deref() == Some("Basic aWQtd3JpdGU6Z3RvX3dyaXRl") {
            ok(&but(introspection(), "aud", json!(["id-write"])))
        } else {
            ok(&json!({"active": false}))
        }
    });
    let (read, write) = (app("read"), app("write"));
    let token = gitea.key.token(&but(Gitea::access_claims(), "gnt", json!(5)));
    let found = gitea.upstream.check_access_token(&[&read, &write], &[], &secret(&token)).await.unwrap();
    assert_eq!(found.client_id, "id-write");
    let token = gitea.key.token(&but(Gitea::access_claims(), "gnt", json!(6)));
    let found = gitea.upstream.check_access_token(&[&read], &[], &secret(&token)).await;
    assert_eq!(found, Err(TokenRefused::Inactive));
}

#[tokio::test]
async fn what_cannot_be_checked_is_refused_and_not_remembered() {
    let gitea = warm("ES256").await;
    let token = gitea.key.token(&but(Gitea::access_claims(), "gnt", json!(4)));
    for (reply, refused) in [
        (text(401, "no valid authorization"), TokenRefused::Unchecked(UpstreamError::ClientRejected("read"))),
        (text(500, ""), TokenRefused::Unchecked(UpstreamError::Failed("its introspection endpoint", 500))),
        (text(401, "Failed to authenticate user"), TokenRefused::Inactive),
        (ok(&json!({"active": false})), TokenRefused::Inactive),
    ] {
        gitea.answers(INTROSPECT, reply);
        assert_eq!(check(&gitea, &token).await, Err(refused));
    }
    gitea.answers(INTROSPECT, ok(&introspection()));
    assert!(check(&gitea, &token).await.is_ok());
}

#[tokio::test]
async fn an_opaque_token_needs_introspection_and_userinfo_in_agreement() {
    let gitea = warm("ES256").await;
    assert_eq!(check(&gitea, "gto_opaque1").await.as_deref(), Ok("alice"));
    assert_eq!(gitea.asked(), [INTROSPECT, USERINFO]);
    assert!(check(&gitea, "gto_opaque1").await.is_ok());
    assert!(gitea.asked().is_empty());
    gitea.answers(USERINFO, ok(&json!({"sub": "8", "preferred_username": "alice"})));
    let differs = TokenRefused::Unchecked(UpstreamError::Disagreement("who the user is"));
    assert_eq!(check(&gitea, "gto_opaque2").await, Err(differs));
    gitea.answers(USERINFO, text(401, ""));
    assert_eq!(check(&gitea, "gto_opaque2").await, Err(TokenRefused::Inactive));
    // A personal access token: userinfo knows it, introspection never does.
    gitea.answers(USERINFO, ok(&json!({"sub": "7", "preferred_username": "alice"})));
    gitea.answers(INTROSPECT, ok(&json!({"active": false})));
    assert_eq!(check(&gitea, &"0123456789".repeat(4)).await, Err(TokenRefused::Inactive));
}
