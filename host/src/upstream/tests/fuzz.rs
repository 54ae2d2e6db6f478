//! Damaged and hostile ID tokens: as whole texts, and as headers and claims that somebody with the key has signed.

use std::collections::HashSet;

use aegis_custody::oauth::SecretText;
use aegis_custody::provider::signature::Material;
use aegis_fuzz::campaign;
use serde_json::{Map, Value};

use super::super::jwt::{LEEWAY, Parts, take_apart};
use super::super::provider;
use super::signer::Signer;
use super::{Gitea, NOW};

const MOST: usize = 16 * 1024;
const WORDS: &[&str] = &[
    r#"{"alg":"HS256","typ":"JWT"}"#,
    r#""alg":"none""#,
    r#""alg":"RS256""#,
    r#""kid":"key-1""#,
    r#""kid":"../../key""#,
    r#""jwk":{"kty":"oct","k":"AA"}"#,
    r#""crit":["exp"]"#,
    r#""exp":1800003600"#,
    r#""iat":1800000000"#,
    r#""nbf":1e3"#,
    r#""exp":18446744073709551616"#,
    "-1",
    "null",
    "\n",
    ".",
    "=",
    "eyJ",
    "\u{0}",
];

/// How a token was taken, and what must hold where it was.
fn behaviour(taken: &Parts<'_>, header: &str, claims: &str) -> String {
    let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("a JSON object");
    let (header, claims) = (object(header), object(claims));
    let names: HashSet<&str> = header.keys().map(String::as_str).collect();
    assert!(names.is_subset(&HashSet::from(["alg", "typ", "kid"])), "{header:?}");
    assert_ne!(header["alg"], "none");
    assert_eq!(taken.claims, claims);
    let times = taken.times(NOW);
    if let Ok(times) = times {
        assert!(
            times.expires > NOW - LEEWAY && times.issued <= NOW + LEEWAY && times.issued <= times.expires
        );
    }
    format!("{:?} {} {:?}", taken.algorithm, taken.kid.is_some(), times.map(|_| ()))
}

/// Texts: an independent reader takes whatever is taken here, and nothing is signed but what was signed.
#[test]
fn id_tokens() {
    let signer = Signer::mac("HS256", b"nobody knows this one");
    let key = Material::Secret(SecretText::new("nobody knows this one".to_owned()));
    let genuine = signer.token(&Gitea::id_claims());
    let (signed, _) = genuine.rsplit_once('.').expect("three parts");
    let words: Vec<&str> = [genuine.as_str(), signed].into_iter().chain(WORDS.iter().copied()).collect();
    campaign("id_tokens", &words, |input| {
        let text = String::from_utf8_lossy(input);
        let whole = match take_apart(&text, MOST) {
            Err(fault) => format!("{fault:?}"),
            Ok(parts) => {
                assert!(jsonwebtoken::decode_header(text.as_ref()).is_ok(), "{text}");
                let is_signed = parts.is_signed_by(&key, provider::verify);
                assert!(!is_signed || text.rsplit_once('.').is_some_and(|(all, _)| all == signed), "{text}");
                format!("taken {is_signed}")
            }
        };
        // The first line as a header, the rest as claims.
        let (header, claims) = text.split_once('\n').unwrap_or((&text, "{}"));
        let token = signer.raw(header, claims);
        let inside = match take_apart(&token, MOST) {
            Err(fault) => format!("{fault:?}"),
            Ok(parts) => behaviour(&parts, header, claims),
        };
        format!("{whole} {inside}")
    });
}
