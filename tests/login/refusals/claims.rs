//! ID tokens with a good signature that say the wrong thing (rows T3 and T4 of the attacks): each sign-in ends on a page,
//! with its cause on record, and Gitea is asked for nothing more.

use std::time::{SystemTime, UNIX_EPOCH};

use aegis_tests::forge::IdTokenFlaw;
use serde_json::{Value, json};

use super::Desk;

/// By how much a clock may be wrong, doubled, in seconds.
const TOO_FAR: u64 = 120;

fn claim(name: &str, value: Value) -> IdTokenFlaw {
    IdTokenFlaw::Claim(name.to_owned(), value)
}

/// Seconds since 1970; the sample Gitea goes by the machine's clock.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[tokio::test]
async fn an_id_token_out_of_its_time_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let day = 86_400;
    for (name, value, cause) in [
        ("exp", json!(now() - day), "times"),
        ("exp", json!((now() + day).to_string()), "times"),
        ("exp", json!((now() + day) as f64 + 0.5), "times"),
        ("exp", json!(-1), "times"),
        ("exp", json!(1e300), "times"),
        ("exp", Value::Null, "times"),
        ("iat", json!(now() + TOO_FAR), "not_yet"),
        ("iat", json!(now() + 3_650 * day), "times"),
        ("iat", json!("now"), "times"),
        ("iat", Value::Null, "times"),
        ("nbf", json!(now() + TOO_FAR), "not_yet"),
        ("nbf", json!(now() + 3_650 * day), "times"),
        ("nbf", json!(0.5), "times"),
    ] {
        desk.flaw(claim(name, value), &format!("id_token_invalid:{cause}")).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn an_id_token_from_or_for_somebody_else_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let ours = desk.scene.client_id.clone();
    let issuer = desk.scene.forge.url();
    for (name, value, cause) in [
        ("iss", json!(format!("{issuer}/evil")), "iss"),
        ("iss", json!(format!("{issuer}.evil.example")), "iss"),
        ("iss", json!([issuer]), "iss"),
        ("iss", Value::Null, "iss"),
        ("aud", json!([ours, "another"]), "aud"),
        ("aud", json!([ours, 7]), "aud"),
        ("aud", json!([]), "aud"),
        ("aud", json!(format!("{ours} ")), "aud"),
        ("aud", Value::Null, "aud"),
        ("azp", json!("another"), "aud"),
    ] {
        desk.flaw(claim(name, value), &format!("id_token_invalid:{cause}")).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn an_id_token_that_chooses_its_own_key_or_none_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let header = |name: &str, value: Value| IdTokenFlaw::Header(name.to_owned(), value);
    for (flaw, cause) in [
        (header("jku", json!("https://evil.example/keys")), "header"),
        (header("jwk", json!({"kty": "oct", "k": "AA"})), "header"),
        (header("x5u", json!("https://evil.example/chain")), "header"),
        (header("crit", json!(["exp"])), "header"),
        (header("kid", json!("../../keys")), "kid"),
        (header("alg", json!("ES256")), "algorithm"),
        (header("alg", json!("PS256")), "algorithm"),
        (IdTokenFlaw::Unsigned, "malformed"),
        (IdTokenFlaw::PublicKeyAsSecret, "algorithm"),
        (IdTokenFlaw::OtherKey, "signature"),
        (IdTokenFlaw::BrokenSignature, "signature"),
    ] {
        desk.flaw(flaw, &format!("id_token_invalid:{cause}")).await;
    }
    desk.end().await;
}
