//! Keys that sign as Gitea would, and their published halves.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair,
};
use serde_json::{Value, json};

/// A key of 2048 bits made for these tests; it opens nothing anywhere.
const RSA: &str = "\
MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCsvxsBACAuGd79XUuwoJ2pAseTpqQMvZb8IoaaPBF8USDeeh3r\
VeWIaryMfp4Ve25M68+ghhFP7bD/JJl/7AZCTcagHUqekgyZ9hreBX25S4HpZxc+SUX8pZc1pkKkSX9YYYA013UXgg6IB5ehlbuc\
vmtfFj7vPeeTUdmXL43rB2vUh/XyBk8DrxSZR5rBcNGGIzsA2p6pHO8ptzxTGZ9kDV48JDpkrqKfwncEpunwpANZbe2F7fjjuwKB\
SmXz1GpCrj5RHM5XUy22VdtWd3H+SKmKevsGxPqjkWXTtrvC6xc+ci+GL2SwDjaRcy6HH63+r7BWrT8YEs8pQechXE8dAgMBAAEC\
ggEABB8+nzb9Yuw7cx3zTOsq5+9eNh/qATh9mQBKkvVE+4uaC6+r9W4kHy22Lb9luUsr4MpYYX220wqacx7Qn4n7xOrt3ECRWRhQ\
vv8YOV0LLiKRnoasZNBDIG9jx3lzVKVA/ym7G/JaORiMN+MVKLDAfHyEu7egV9LJKwLvJ27l5YpKlwgy4s3OWM63MKPIEMY49c4E\
N0xYAJc+N2zQ9Yx6obrMj8JarBM5FQhhN1ORNP89IapPUCy6SEeYmMLwmRURgiALDfKGVdu09XUXAaZ+rY6kRfk+KQZ9csS/U7wL\
sLDGled2UPnJ704vE773iqDuL+TwLVKGHEdyj9rKGAxN5wKBgQDVj71nVSB8suf3ogSM/GPekduqJK1gGwtgXLGk1WDDEt4PkCnW\
yB3QdOWO66UlKnL2eWjeK4lCRnREbhpkezu3VhbcUIlKLkWTwk3vdz6lgM+i1STCJxjJEyXmlQjQHZz4QIBq7f1vU2D8I2BT8lL3\
DQvf3oHbQbv3ZTQjUSB8zwKBgQDPEwic6K/Uj7zT5bkvPMANqQIuScqlx1nO+J2GTCGLcToQWNUFqMBSqFhurh5pJWRnY8fk5xZO\
08D+BfL38g/pmH7aWc6lyuslJ0nYDVuc+zJj1b8vzIy2gENt7D/0F5nQhdXLLhKm2jAnNOhhkFRs0P0L7ovm/lPCMJWJElSoUwKB\
gQC0/crxZi3QQPdi4UamDci9+jOGcOsWxhTQJ/7NyaDl8nmMCwvKYXMTFd7vTzp40w73YFHF6HO9XWRwEjf/7Ijhie557S9NVQXW\
ghf22MKZFR/jymwKt4PD9ZxrXOdJKa+8nT24YdYloS5SwdCDlJ1HjyD/K9416fHZa0XSoJC99QKBgB9tCg+WGKkvrz6RTItostTf\
417XABQsruqEPJPXFfgtlNxKPvn+5EEnH1ScxCy86gHu2LVahL4t0Mo8aOVMLTIMXKQSoRP0Ob+HuOM7E749OSaBl+RPLMO9r34N\
Lp+CvWsyBIIzWc1Mq6Ynl2THHKjvBpg6+axyyI9eBDOrPoHVAoGBAJlFKYGe+lEfT2PZttv9JkYeLXBzcNXN9XpTc/MF8uLsRMo/\
e93mBswxYZ1jkuXK7RSbUyJ8WM+q79t40NsHPYm6kvbH/aCRFtNkaYMAh+rzgF3vMf8q6L6TeTx7bvFppDRP1+g6UNK5br+lWP/n\
WekXA26B8MILFWyUlwap01Y/";

enum Kind {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Mac(hmac::Key),
}

/// A key under a name, for one algorithm.
pub(super) struct Signer {
    pub(super) algorithm: &'static str,
    pub(super) kid: String,
    kind: Kind,
}

impl Signer {
    pub(super) fn new(algorithm: &'static str, kid: &str) -> Self {
        let random = SystemRandom::new();
        let rsa = |encoding| {
            Kind::Rsa(Box::new(RsaKeyPair::from_pkcs8(&STANDARD.decode(RSA).unwrap()).unwrap()), encoding)
        };
        let curve = |curve| {
            let document = EcdsaKeyPair::generate_pkcs8(curve, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random).unwrap()
        };
        let kind = match algorithm {
            "ES256" => Kind::P256(curve(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            "ES384" => Kind::P384(curve(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            "EdDSA" => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Kind::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
            }
            "RS256" => rsa(&RSA_PKCS1_SHA256),
            "RS384" => rsa(&RSA_PKCS1_SHA384),
            "RS512" => rsa(&RSA_PKCS1_SHA512),
            "PS256" => rsa(&RSA_PSS_SHA256),
            other => panic!("{other} has no key of its own"),
        };
        Self { algorithm, kid: kid.to_owned(), kind }
    }

    /// HMAC with a secret.
    pub(super) fn mac(algorithm: &'static str, secret: &[u8]) -> Self {
        let with = match algorithm {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA512,
        };
        Self { algorithm, kid: String::new(), kind: Kind::Mac(hmac::Key::new(with, secret)) }
    }

    /// The published half, as Gitea writes it: numbers without their leading zeros.
    pub(super) fn jwk(&self) -> Value {
        let number = |bytes: &[u8]| {
            URL_SAFE_NO_PAD.encode(bytes.iter().copied().skip_while(|b| *b == 0).collect::<Vec<u8>>())
        };
        let point = |curve: &str, key: &EcdsaKeyPair| {
            let (x, y) = key.public_key().as_ref()[1..].split_at(key.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": curve, "x": number(x), "y": number(y)})
        };
        let mut jwk = match &self.kind {
            Kind::P256(key) => point("P-256", key),
            Kind::P384(key) => point("P-384", key),
            Kind::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key.public_key().as_ref())})
            }
            Kind::Rsa(key, _) => {
                let parts: ring::rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "n": number(&parts.n), "e": number(&parts.e)})
            }
            Kind::Mac(_) => return json!({"kty": "oct", "alg": self.algorithm, "use": "sig"}),
        };
        jwk["alg"] = self.algorithm.into();
        jwk["use"] = "sig".into();
        jwk["kid"] = self.kid.as_str().into();
        jwk
    }

    /// The header that Gitea writes.
    pub(super) fn header(&self) -> Value {
        if self.kid.is_empty() {
            json!({"alg": self.algorithm, "typ": "JWT"})
        } else {
            json!({"alg": self.algorithm, "typ": "JWT", "kid": self.kid})
        }
    }

    /// The signature of a text.
    pub(super) fn signature(&self, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.kind {
            Kind::P256(key) | Kind::P384(key) => {
                key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec()
            }
            Kind::Ed(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Kind::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(*encoding, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
            Kind::Mac(key) => hmac::sign(key, text.as_bytes()).as_ref().to_vec(),
        }
    }

    /// A token of these texts, whatever they say.
    pub(super) fn raw(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.signature(&signed));
        format!("{signed}.{signature}")
    }

    /// A token with the usual header.
    pub(super) fn token(&self, claims: &Value) -> String {
        self.raw(&self.header().to_string(), &claims.to_string())
    }
}
