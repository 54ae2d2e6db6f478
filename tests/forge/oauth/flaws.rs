//! ID tokens that a client must refuse: the next one issued carries what a test asked for.

use serde_json::{Value, json};

use super::keys::{SigningKey, b64};

/// What is wrong with an ID token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdTokenFlaw {
    /// A claim says something else; null leaves it out. The signature is right.
    Claim(String, Value),
    /// A field of the header says something else; null leaves it out. The signature is right.
    Header(String, Value),
    /// `alg` is `none`, the signature empty.
    Unsigned,
    /// HS256 with the published key as the secret, under the right `kid`.
    PublicKeyAsSecret,
    /// Signed by a key that is nowhere published, under the `kid` of the published one.
    OtherKey,
    /// Signed by a key that is nowhere published, under its own `kid`.
    UnknownKey,
    /// One bit of the signature is another.
    BrokenSignature,
    /// There is no ID token in the answer.
    Absent,
    /// Not a token at all.
    Garbage,
}

/// The token as it is sent; none where it is left out.
pub(super) fn signed(key: &SigningKey, mut claims: Value, flaw: Option<IdTokenFlaw>) -> Option<String> {
    let set = |object: &mut Value, name: &str, value: Value| {
        if let Some(fields) = object.as_object_mut() {
            if value.is_null() {
                fields.remove(name);
            } else {
                fields.insert(name.to_owned(), value);
            }
        }
    };
    let mut header = key.header();
    Some(match flaw {
        None => key.sign(&claims),
        Some(IdTokenFlaw::Absent) => return None,
        Some(IdTokenFlaw::Garbage) => "not.a.token".to_owned(),
        Some(IdTokenFlaw::Claim(name, value)) => {
            set(&mut claims, &name, value);
            key.sign(&claims)
        }
        Some(IdTokenFlaw::Header(name, value)) => {
            set(&mut header, &name, value);
            key.sign_under(&header, &claims)
        }
        Some(IdTokenFlaw::Unsigned) => {
            header["alg"] = json!("none");
            format!("{}.{}.", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()))
        }
        Some(IdTokenFlaw::PublicKeyAsSecret) => {
            header["alg"] = json!("HS256");
            SigningKey::secret(&key.public()).sign_under(&header, &claims)
        }
        Some(IdTokenFlaw::OtherKey) => SigningKey::stranger().sign_under(&header, &claims),
        Some(IdTokenFlaw::UnknownKey) => SigningKey::stranger().sign(&claims),
        Some(IdTokenFlaw::BrokenSignature) => {
            let token = key.sign(&claims);
            let (input, signature) = token.rsplit_once('.')?;
            // The first letter carries six whole bits, so any other letter is another signature.
            let other = if signature.starts_with('A') { 'B' } else { 'A' };
            format!("{input}.{other}{}", signature.get(1..)?)
        }
    })
}
