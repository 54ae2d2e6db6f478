//! `OAUTH_CLIENTS_FILE`: clients that the operator wrote down. Their secrets are kept as hashes alone.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr as _;

use aegis_custody::oauth::client_id::AuthMethod;
use aegis_custody::oauth::client_secret::SecretHash;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// One client of the file.
pub(crate) struct Preregistered {
    /// As it is shown to people.
    pub(crate) name: Option<String>,
    /// Exact, save the port of loopback URIs.
    pub(crate) redirect_uris: Vec<String>,
    /// The hash of its secret, and where the client puts the secret; none for a public client.
    pub(crate) secret: Option<(SecretHash, AuthMethod)>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    client_id: String,
    #[serde(default)]
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    #[serde(default)]
    client_secret_hash: Option<String>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
}

/// Read the file: a JSON array of objects with `client_id`, `client_name`, `redirect_uris`, `client_secret_hash` and
/// `token_endpoint_auth_method`.
///
/// # Errors
/// What is wrong with which entry; no part of a hash is repeated.
pub(crate) fn read(path: &Path) -> Result<HashMap<String, Preregistered>, String> {
    let size = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_BYTES {
        return Err("is larger than 1 MiB".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    parse(&bytes)
}

/// The clients in the text of a file.
///
/// # Errors
/// As [`read`].
pub(crate) fn parse(bytes: &[u8]) -> Result<HashMap<String, Preregistered>, String> {
    let written: Vec<Written> = serde_json::from_slice(bytes).map_err(|error| misread(&error))?;
    let mut clients = HashMap::new();
    for (index, written) in written.into_iter().enumerate() {
        let at = |why: String| format!("has an entry {} that {why}", index.saturating_add(1));
        let (id, client) = client(written).map_err(at)?;
        if clients.insert(id, client).is_some() {
            return Err(at("repeats the client_id of an earlier one".to_owned()));
        }
    }
    Ok(clients)
}

/// Where, and not the reader's own words: they repeat what stands there, which may be a hash.
fn misread(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    let what = if error.is_data() {
        "something else than a list of objects with client_id and redirect_uris, and perhaps client_name, client_secret_hash \
         and token_endpoint_auth_method"
    } else {
        "no JSON"
    };
    format!("has at line {line}, column {column}: {what}")
}

fn client(written: Written) -> Result<(String, Preregistered), String> {
    let Written { client_id, client_name, redirect_uris, client_secret_hash, token_endpoint_auth_method } =
        written;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(1..=128).contains(&client_id.len())
        || !client_id.bytes().all(word)
        || client_id.starts_with(aegis_custody::oauth::client_id::PREFIX)
    {
        return Err(
            "has a client_id that is not 1 to 128 letters, digits and -._~ or begins with `d1.`".to_owned()
        );
    }
    let uris = 1..=16;
    if !uris.contains(&redirect_uris.len())
        || redirect_uris.iter().any(|uri| uri.is_empty() || uri.len() > 512)
    {
        return Err("needs 1 to 16 redirect_uris of at most 512 bytes each".to_owned());
    }
    let method = match token_endpoint_auth_method.as_deref() {
        None => None,
        Some("none") => Some(AuthMethod::None),
        Some("client_secret_basic") => Some(AuthMethod::Basic),
        Some("client_secret_post") => Some(AuthMethod::Post),
        Some(_) => {
            return Err("has a token_endpoint_auth_method other than none, client_secret_basic and client_secret_post"
                .to_owned());
        }
    };
    let secret = match (client_secret_hash, method) {
        (None, None | Some(AuthMethod::None)) => None,
        (None, Some(AuthMethod::Basic | AuthMethod::Post)) => {
            return Err("proves itself by a secret and has no client_secret_hash".to_owned());
        }
        (Some(_), Some(AuthMethod::None)) => {
            return Err("has a client_secret_hash and does not use it".to_owned());
        }
        (Some(hash), method) => {
            let hash = SecretHash::from_str(&hash)
                .map_err(|error| format!("has a client_secret_hash that {error}"))?;
            Some((hash, method.unwrap_or(AuthMethod::Basic)))
        }
    };
    Ok((client_id, Preregistered { name: client_name, redirect_uris, secret }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash() -> String {
        let secret = aegis_custody::oauth::client_secret::generate(&crate::shared::SystemRandom);
        SecretHash::of(secret.expose(), &crate::shared::SystemRandom).unwrap().to_string()
    }

    #[test]
    fn public_and_confidential_clients_are_read() {
        let text = format!(
            r#"[{{"client_id":"editor","client_name":"Editor","redirect_uris":["https://a.example/cb"]}},
                {{"client_id":"ci","redirect_uris":["http://127.0.0.1/cb"],"client_secret_hash":"{}"}}]"#,
            hash()
        );
        let clients = parse(text.as_bytes()).unwrap();
        assert!(clients["editor"].secret.is_none());
        assert_eq!(clients["ci"].secret.as_ref().unwrap().1, AuthMethod::Basic);
    }

    /// Whatever the file holds: what is read keeps the rules, and no part of a hash is repeated in an error.
    #[test]
    fn client_files() {
        let hash = hash();
        let words = [
            hash.as_str(),
            r#""client_secret_hash":"#,
            r#""client_id":"editor""#,
            r#""redirect_uris":["https://a.example/cb"]"#,
            r#""token_endpoint_auth_method":"client_secret_post""#,
            "d1.",
            "[]",
            "},{",
            "\u{0}",
        ];
        aegis_fuzz::campaign("client_files", &words, |input| match parse(input) {
            Err(why) => {
                assert!(!why.contains(&hash), "{why}");
                why.split(':').next().unwrap_or_default().chars().filter(|c| !c.is_ascii_digit()).collect()
            }
            Ok(clients) => {
                for (id, client) in &clients {
                    assert!((1..=128).contains(&id.len()) && !id.starts_with("d1."), "{id}");
                    assert!((1..=16).contains(&client.redirect_uris.len()), "{id}");
                    assert!(!matches!(client.secret, Some((_, AuthMethod::None))), "{id}");
                }
                format!("{} clients", clients.len().min(3))
            }
        });
    }

    #[test]
    fn a_mistake_is_told_by_its_entry() {
        let hash = hash();
        let cases = [
            (r#"{"client_id":"a","redirect_uris":[]}"#.to_owned(), "redirect_uris"),
            (r#"{"client_id":"d1.a","redirect_uris":["x:"]}"#.to_owned(), "client_id"),
            (r#"{"client_id":"a b","redirect_uris":["x:"]}"#.to_owned(), "client_id"),
            (
                r#"{"client_id":"a","redirect_uris":["x:"],"token_endpoint_auth_method":"client_secret_post"}"#.to_owned(),
                "no client_secret_hash",
            ),
            (
                r#"{"client_id":"a","redirect_uris":["x:"],"token_endpoint_auth_method":"private_key_jwt"}"#.to_owned(),
                "token_endpoint_auth_method",
            ),
            (
                format!(
                    r#"{{"client_id":"a","redirect_uris":["x:"],"token_endpoint_auth_method":"none","client_secret_hash":"{hash}"}}"#
                ),
                "does not use it",
            ),
            (r#"{"client_id":"a","redirect_uris":["x:"],"client_secret_hash":"hunter2"}"#.to_owned(), "client_secret_hash"),
        ];
        for (entry, why) in cases {
            let told = parse(format!("[{entry}]").as_bytes()).err().unwrap();
            assert!(told.starts_with("has an entry 1 that ") && told.contains(why), "{told}");
            assert!(!told.contains("hunter2"), "{told}");
        }
        assert!(parse(b"{}").is_err());
        let twice = r#"[{"client_id":"a","redirect_uris":["x:"]},{"client_id":"a","redirect_uris":["x:"]}]"#;
        assert!(parse(twice.as_bytes()).err().unwrap().contains("entry 2 that repeats"));
    }
}
