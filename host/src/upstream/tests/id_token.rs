//! ID tokens: every algorithm with real keys, every claim and header wrong once, signatures bent in many ways.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::{Fault, Upstream, UpstreamError};
use super::signer::Signer;
use super::{DISCOVERY, Gitea, KEYS, NOW, app, but, document, ok};

async fn check(upstream: &Upstream, token: &str) -> Result<String, Fault> {
    match upstream.check_id_token(&app("read"), token, "n-1").await {
        Ok(subject) => Ok(subject),
        Err(UpstreamError::IdToken(fault)) => Err(fault),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_algorithm_of_gitea_with_a_public_key_is_checked() {
    for algorithm in ["RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA"] {
        let gitea = Gitea::new(algorithm).await;
        let token = gitea.key.token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &token).await.as_deref(), Ok("7"), "{algorithm}");
        if algorithm.starts_with("RS") {
            continue;
        }
        let other = Signer::new(algorithm, "key-1").token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &other).await, Err(Fault::Signature), "{algorithm}");
    }
}

#[tokio::test]
async fn a_point_whose_coordinate_begins_with_zero_is_padded_as_gitea_leaves_it_out() {
    let short = loop {
        let key = Signer::new("ES256", "key-1");
        let jwk = key.jwk();
        if ["x", "y"].iter().any(|n| URL_SAFE_NO_PAD.decode(jwk[n].as_str().unwrap()).unwrap().len() < 32) {
            break key;
        }
    };
    let gitea = Gitea::with(short, Duration::from_secs(60)).await;
    let token = gitea.key.token(&Gitea::id_claims());
    assert_eq!(check(&gitea.upstream, &token).await.as_deref(), Ok("7"));
}

#[tokio::test]
async fn a_bent_signature_is_refused_however_it_is_bent() {
    for algorithm in ["RS256", "ES256", "ES384", "EdDSA"] {
        let gitea = Gitea::new(algorithm).await;
        let token = gitea.key.token(&Gitea::id_claims());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let good = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut bent: Vec<Vec<u8>> = (0..good.len())
            .map(|at| {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << (at % 8);
                bytes
            })
            .collect();
        let half = good.len() / 2;
        bent.extend([
            good[1..].to_vec(),
            good[..good.len() - 1].to_vec(),
            [&[0], &good[..]].concat(),
            [&good[..], &[0]].concat(),
            vec![0; good.len()],
            vec![0xff; good.len()],
            [&vec![0; half], &good[half..]].concat(),
            [&good[..half], &vec![0; half]].concat(),
            [&good[half..], &good[..half]].concat(),
            good.iter().rev().copied().collect(),
            der(&good),
            vec![1],
        ]);
        for bytes in &bent {
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes));
            assert_eq!(check(&gitea.upstream, &token).await, Err(Fault::Signature), "{algorithm} {bytes:?}");
        }
        for text in [
            format!("{signed}."),
            format!("{signed}.{}", URL_SAFE.encode(&good).replace('=', "") + "=="),
            format!("{signed}.{signature} "),
            format!("{signed}.{signature}+"),
        ] {
            assert_eq!(check(&gitea.upstream, &text).await, Err(Fault::Malformed), "{algorithm}");
        }
        let (header, _) = signed.split_once('.').unwrap();
        let claims = URL_SAFE_NO_PAD.encode(but(Gitea::id_claims(), "sub", json!("1")).to_string());
        let swapped = format!("{header}.{claims}.{signature}");
        assert_eq!(check(&gitea.upstream, &swapped).await, Err(Fault::Signature), "{algorithm}");
    }
}

/// A fixed-length ECDSA signature in ASN.1, which JOSE does not use.
fn der(fixed: &[u8]) -> Vec<u8> {
    let number = |half: &[u8]| [&[2, u8::try_from(half.len() + 1).unwrap_or(0), 0][..], half].concat();
    let (r, s) = fixed.split_at(fixed.len() / 2);
    let body = [number(r), number(s)].concat();
    [vec![0x30, u8::try_from(body.len() % 256).unwrap_or(0)], body].concat()
}

#[tokio::test]
async fn another_padding_or_digest_is_another_algorithm() {
    let gitea = Gitea::new("RS256").await;
    let header = gitea.key.header().to_string();
    let claims = Gitea::id_claims().to_string();
    for algorithm in ["PS256", "RS384", "RS512"] {
        let token = Signer::new(algorithm, "key-1").raw(&header, &claims);
        assert_eq!(check(&gitea.upstream, &token).await, Err(Fault::Signature), "{algorithm}");
        let token = Signer::new(algorithm, "key-1").token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &token).await, Err(Fault::Algorithm), "{algorithm}");
    }
}

#[tokio::test]
async fn a_shared_secret_is_a_key_only_where_discovery_names_that_algorithm_alone() {
    for algorithm in ["HS256", "HS384", "HS512"] {
        let gitea = Gitea::with(Signer::mac(algorithm, b"gto_read"), Duration::from_secs(60)).await;
        let token = gitea.key.token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &token).await.as_deref(), Ok("7"), "{algorithm}");
        let foreign = Signer::mac(algorithm, b"gto_other").token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &foreign).await, Err(Fault::Signature), "{algorithm}");
        let other = if algorithm == "HS256" { "HS384" } else { "HS256" };
        let other = Signer::mac(other, b"gto_read").token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &other).await, Err(Fault::Algorithm), "{algorithm}");
    }
    // Beside a public key nobody may sign with a secret: not with ours, not with the public key's own text.
    for names in [json!(["RS256"]), json!(["RS256", "HS256"]), json!(["HS256", "HS384"])] {
        let gitea = Gitea::new("RS256").await;
        gitea.answers(DISCOVERY, ok(&but(document("RS256"), "id_token_signing_alg_values_supported", names)));
        let public = gitea.key.jwk()["n"].as_str().unwrap().to_owned();
        for secret in
            [b"gto_read".to_vec(), public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()]
        {
            for kid in [Value::Null, json!("key-1")] {
                let key = Signer::mac("HS256", &secret);
                let token =
                    key.raw(&but(key.header(), "kid", kid).to_string(), &Gitea::id_claims().to_string());
                assert_eq!(check(&gitea.upstream, &token).await, Err(Fault::Algorithm));
            }
        }
    }
}

#[tokio::test]
async fn each_claim_must_be_right() {
    let gitea = Gitea::new("ES256").await;
    let azp = |aud: Value, azp: Value| but(but(Gitea::id_claims(), "aud", aud), "azp", azp);
    let with = |name: &str, value: Value| but(Gitea::id_claims(), name, value);
    let (hour, ours) = (3_600, json!("id-read"));
    for (claims, result) in [
        (with("iss", json!("https://git.example/git/")), Ok("7")),
        (with("iss", json!("https://git.example/git//")), Err(Fault::Issuer)),
        (with("iss", json!("https://evil.example/git")), Err(Fault::Issuer)),
        (with("iss", json!(["https://git.example/git"])), Err(Fault::Issuer)),
        (with("iss", Value::Null), Err(Fault::Issuer)),
        (with("aud", ours.clone()), Ok("7")),
        (with("aud", json!("id-write")), Err(Fault::Audience)),
        (with("aud", json!([])), Err(Fault::Audience)),
        (with("aud", json!(["id-write"])), Err(Fault::Audience)),
        (with("aud", json!(["id-read", "id-write"])), Err(Fault::Audience)),
        (with("aud", json!(["id-read", 7])), Err(Fault::Audience)),
        (with("aud", json!({"id-read": 1})), Err(Fault::Audience)),
        (with("aud", Value::Null), Err(Fault::Audience)),
        (azp(json!(["id-read", "id-write"]), ours.clone()), Ok("7")),
        (azp(json!(["id-read", "id-write"]), json!("id-write")), Err(Fault::Audience)),
        (azp(json!(["id-read"]), json!("id-write")), Err(Fault::Audience)),
        (azp(ours.clone(), json!(["id-read"])), Err(Fault::Audience)),
        (with("nonce", json!("n-2")), Err(Fault::Nonce)),
        (with("nonce", json!("n-1 ")), Err(Fault::Nonce)),
        (with("nonce", json!("")), Err(Fault::Nonce)),
        (with("nonce", Value::Null), Err(Fault::Nonce)),
        (with("sub", json!("9223372036854775807")), Ok("9223372036854775807")),
        (with("sub", json!("9223372036854775808")), Err(Fault::Subject)),
        (with("sub", json!(7)), Err(Fault::Subject)),
        (with("sub", json!("0")), Err(Fault::Subject)),
        (with("sub", json!("-7")), Err(Fault::Subject)),
        (with("sub", json!("+7")), Err(Fault::Subject)),
        (with("sub", json!("07")), Err(Fault::Subject)),
        (with("sub", json!("alice")), Err(Fault::Subject)),
        (with("sub", json!("")), Err(Fault::Subject)),
        (with("sub", Value::Null), Err(Fault::Subject)),
        (but(with("iat", json!(NOW - hour)), "exp", json!(NOW - 59)), Ok("7")),
        (but(with("iat", json!(NOW - hour)), "exp", json!(NOW - 60)), Err(Fault::Expired)),
        (with("iat", json!(NOW + 60)), Ok("7")),
        (with("iat", json!(NOW + 61)), Err(Fault::NotYet)),
        (with("nbf", json!(NOW + 61)), Err(Fault::NotYet)),
        (with("nbf", json!("now")), Err(Fault::Times)),
        (with("exp", Value::Null), Err(Fault::Times)),
        (with("exp", json!("1800003600")), Err(Fault::Times)),
        (with("iat", Value::Null), Err(Fault::Times)),
    ] {
        let token = gitea.key.token(&claims);
        assert_eq!(check(&gitea.upstream, &token).await, result.map(str::to_owned), "{claims}");
    }
    let token = gitea.key.token(&with("nonce", json!("")));
    let found = gitea.upstream.check_id_token(&app("read"), &token, "").await;
    assert_eq!(found, Err(UpstreamError::IdToken(Fault::Nonce)), "a login without nonce matches nothing");
}

#[tokio::test]
async fn the_names_of_faults_are_the_errors_names() {
    assert_eq!(UpstreamError::IdToken(Fault::Signature).name(), "id_token_invalid:signature");
    assert_eq!(UpstreamError::AccessToken(Fault::Kind).name(), "access_token_invalid:kind");
}

#[tokio::test]
async fn keys_that_cannot_be_trusted_are_left_out() {
    let gitea = Gitea::new("RS256").await;
    let good = gitea.key.jwk();
    let modulus = URL_SAFE_NO_PAD.encode(vec![0xff; 128]);
    for bad in [
        but(good.clone(), "use", json!("enc")),
        but(good.clone(), "alg", json!("ES256")),
        but(good.clone(), "alg", json!("RS257")),
        but(good.clone(), "alg", Value::Null),
        but(good.clone(), "alg", json!("HS256")),
        but(good.clone(), "kty", json!("oct")),
        but(good.clone(), "kid", json!("../key-1")),
        but(good.clone(), "n", json!(modulus)),
        but(good.clone(), "n", json!("=")),
        but(good.clone(), "e", json!("")),
    ] {
        let gitea = Gitea::new("RS256").await;
        gitea.answers(KEYS, ok(&json!({"keys": [bad.clone()]})));
        let token = gitea.key.token(&Gitea::id_claims());
        assert_eq!(check(&gitea.upstream, &token).await, Err(Fault::UnknownKey), "{bad}");
    }
    for set in
        [json!({"keys": [good.clone(), good]}), json!({"keys": vec![json!({}); 17]}), json!({}), json!([])]
    {
        let gitea = Gitea::new("RS256").await;
        gitea.answers(KEYS, ok(&set));
        let token = gitea.key.token(&Gitea::id_claims());
        let found = gitea.upstream.check_id_token(&app("read"), &token, "n-1").await;
        assert!(matches!(found, Err(UpstreamError::Unreadable("its key set", _))), "{set}");
    }
}
