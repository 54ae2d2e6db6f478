//! Gitea's discovery document (OpenID Connect Discovery 1.0 section 4) and the addresses in it.
//!
//! Gitea writes its addresses from ROOT_URL, which people's browsers use; this host may reach Gitea by another one.
//! So every endpoint must lie under GITEA_URL, and only its path is taken over to the address that the host uses:
//! a document can send this host nowhere else.

use http::Uri;
use serde_json::{Map, Value};

use super::error::UpstreamError;
use super::signature::Algorithm;
use super::{jwt, strict};

/// What errors call it.
pub const WHAT: &str = "its discovery document";

/// A base address: scheme, host, port, and the path below which Gitea lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `scheme://host:port`, in lower case, the port always written.
    origin: String,
    /// Empty, or `/` and segments, without a slash at the end.
    path: String,
}

impl Place {
    /// An absolute `http` or `https` address without user, query, fragment, escapes or dot segments.
    pub fn parse(url: &str) -> Option<Self> {
        // `Uri` drops a fragment silently.
        let uri: Uri = if url.contains('#') { return None } else { url.parse().ok()? };
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = uri.authority()?;
        let port = authority.port().map_or(Some(usual), |port| port.as_str().parse().ok())?;
        let path = uri.path();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let steps = path.split('/').any(|segment| segment == "." || segment == "..");
        if authority.as_str().contains('@') || uri.query().is_some() || !path.bytes().all(plain) || steps {
            return None;
        }
        let origin = format!("{scheme}://{}:{port}", uri.host()?.to_ascii_lowercase());
        Some(Self { origin, path: path.strip_suffix('/').unwrap_or(path).to_owned() })
    }

    /// The path of `url` below this place, beginning with `/`; none where it is not below.
    fn below(&self, url: &str) -> Option<String> {
        let other = Self::parse(url)?;
        let rest = other.path.strip_prefix(&self.path)?;
        let below = other.origin == self.origin && rest.starts_with('/') && !rest.starts_with("//");
        below.then(|| rest.to_owned())
    }
}

/// The document, its endpoints at the address by which this host reaches Gitea.
#[derive(Debug)]
pub struct Discovery {
    /// As the document says it, without a slash at the end.
    pub issuer: String,
    /// The token endpoint.
    pub token: String,
    /// The key set.
    pub keys: String,
    /// The userinfo endpoint.
    pub userinfo: String,
    /// The introspection endpoint.
    pub introspection: String,
    /// The names under which ID tokens are signed, as listed. Gitea lists one.
    pub signing: Vec<String>,
}

impl Discovery {
    /// Reads a document for the Gitea known as `public` that this host reaches at `internal` (no slash at its end).
    pub fn read(body: &[u8], public: &str, internal: &str) -> Result<Self, UpstreamError> {
        let members = strict::object(body)
            .ok_or(UpstreamError::Unreadable(WHAT, "is not one JSON object with each member once"))?;
        let issuer = strict::text(&members, "issuer").ok_or(UpstreamError::Lacking("issuer"))?;
        if without_slash(issuer) != without_slash(public) {
            return Err(UpstreamError::IssuerDiffers);
        }
        let place = Place::parse(public).ok_or(UpstreamError::IssuerDiffers)?;
        let at = |name: &'static str| endpoint(&members, name, &place, internal);
        // The browser goes to it: it is not kept, but must be where this host sends the browser.
        at("authorization_endpoint")?;
        let names_s256 = |methods: Vec<String>| methods.iter().any(|method| method == "S256");
        if !strict::texts(&members, "code_challenge_methods_supported").is_some_and(names_s256) {
            return Err(UpstreamError::Lacking("S256 among code_challenge_methods_supported"));
        }
        let signing = strict::texts(&members, "id_token_signing_alg_values_supported")
            .filter(|names| !names.is_empty())
            .ok_or(UpstreamError::Lacking("id_token_signing_alg_values_supported"))?;
        Ok(Self {
            issuer: without_slash(issuer).to_owned(),
            token: at("token_endpoint")?,
            keys: at("jwks_uri")?,
            userinfo: at("userinfo_endpoint")?,
            introspection: at("introspection_endpoint")?,
            signing,
        })
    }

    /// Whether the document names this algorithm for ID tokens.
    pub fn signs_with(&self, algorithm: Algorithm) -> bool {
        self.signing.iter().any(|name| jwt::algorithm(name) == Some(algorithm))
    }

    /// Whether the document names this algorithm for ID tokens and no other.
    pub fn signs_only_with(&self, algorithm: Algorithm) -> bool {
        self.signing.len() == 1 && self.signs_with(algorithm)
    }
}

/// Issuers are compared without one slash at the end: Gitea wrote one before 1.25 and writes none since.
pub fn without_slash(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

fn endpoint(
    members: &Map<String, Value>,
    name: &'static str,
    place: &Place,
    internal: &str,
) -> Result<String, UpstreamError> {
    let url = strict::text(members, name).ok_or(UpstreamError::Lacking(name))?;
    let path = place.below(url).ok_or(UpstreamError::EndpointElsewhere(name))?;
    Ok(format!("{internal}{path}"))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn only_addresses_below_the_base_are_taken() {
        for (base, url, rest) in [
            ("https://git.example", "https://git.example/login/oauth/keys", Some("/login/oauth/keys")),
            ("https://git.example", "https://GIT.example:443/login/oauth/keys", Some("/login/oauth/keys")),
            ("https://git.example/", "https://git.example/k", Some("/k")),
            (
                "https://git.example/git",
                "https://git.example/git/login/oauth/keys",
                Some("/login/oauth/keys"),
            ),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/k", Some("/k")),
            ("http://[::1]:3000", "http://[::1]:3000/k", Some("/k")),
            ("https://git.example", "http://git.example/k", None),
            ("https://git.example", "https://git.example:8443/k", None),
            ("https://git.example", "https://git.example.evil/k", None),
            ("https://git.example", "https://evil/k", None),
            ("https://git.example", "https://git.example@evil/k", None),
            ("https://git.example", "https://user@git.example/k", None),
            ("https://git.example", "https://git.example/../k", None),
            ("https://git.example", "https://git.example/a/./k", None),
            ("https://git.example", "https://git.example/%2e%2e/k", None),
            ("https://git.example", "https://git.example/k?x=1", None),
            ("https://git.example", "https://git.example/k#x", None),
            ("https://git.example", "https://git.example//evil/k", None),
            ("https://git.example", "https://git.example\\evil/k", None),
            ("https://git.example", "https://git.example", None),
            ("https://git.example", "/login/oauth/keys", None),
            ("https://git.example", "file:///etc/passwd", None),
            ("https://git.example", "", None),
            ("https://git.example/git", "https://git.example/gitter/k", None),
            ("https://git.example/git", "https://git.example/login/oauth/keys", None),
        ] {
            assert_eq!(Place::parse(base).unwrap().below(url).as_deref(), rest, "{base} {url}");
        }
    }
}
