//! What can be wrong with a JWT, in words that repeat nothing of it.

/// Declares the faults with their three texts, so that a new one cannot miss a name.
macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $variant:ident $name:literal $text:literal)+) => {
        /// Why a JWT is not believed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Fault {
            /// The name of the error when it is the ID token's.
            pub fn id_token_name(self) -> &'static str {
                match self { $(Self::$variant => concat!("id_token_invalid:", $name),)+ }
            }

            /// The name of the error when it is the access token's.
            pub fn access_token_name(self) -> &'static str {
                match self { $(Self::$variant => concat!("access_token_invalid:", $name),)+ }
            }
        }

        impl std::fmt::Display for Fault {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(match self { $(Self::$variant => $text,)+ })
            }
        }
    };
}

faults! {
    /// There is none.
    Missing "missing" "there is none"
    /// Longer than any that Gitea makes.
    TooLong "too_long" "it is too long"
    /// Not three parts of strict base64url with JSON objects in the first two, each member once (RFC 7515 section 4).
    Malformed "malformed" "it is not a well-formed JWT"
    /// A header member other than `alg`, `typ` and `kid`: Gitea writes no other, and those that exist name keys.
    Header "header" "its header says more than Gitea writes there"
    /// An algorithm that is not taken, or not the one that Gitea signs with (RFC 8725 section 3.1).
    Algorithm "algorithm" "its algorithm is not the one that Gitea signs with"
    /// A key id that is missing or not one word of base64url.
    KeyId "kid" "it does not name a key as Gitea does"
    /// A key that Gitea does not publish.
    UnknownKey "unknown_key" "Gitea publishes no such key"
    /// The signature is not the key's.
    Signature "signature" "its signature is wrong"
    /// `exp` or `iat` is missing or not a whole number of seconds, or they contradict each other.
    Times "times" "its times are missing or not numbers"
    /// `exp` has passed.
    Expired "expired" "it has expired"
    /// `iat` or `nbf` lies ahead.
    NotYet "not_yet" "it is from the future; compare the clocks of both machines"
    /// `iss` is not the issuer that discovery names.
    Issuer "iss" "another issuer made it"
    /// `aud` does not name us, or names others and `azp` is not us (OpenID Connect Core section 3.1.3.7).
    Audience "aud" "it is for another application"
    /// `sub` is not a Gitea user id.
    Subject "sub" "it names no user"
    /// `nonce` is not the login's.
    Nonce "nonce" "it belongs to another login"
    /// `tt` is not 0: a refresh token, an ID token, or not Gitea's.
    Kind "kind" "it is not an access token"
}
