//! Reads a client metadata document (RFC 7591 metadata at a URL that is the client's id). Strict JSON: a member
//! that is there twice would be read differently by different readers.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Failure;

/// The most redirect URIs.
const REDIRECTS_MAX: usize = 16;

/// The longest redirect URI, in bytes.
const REDIRECT_MAX: usize = 512;

/// What a client says about itself. Its redirect URIs are still to be judged by the rules for redirects, and
/// its texts to be escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The URL of the document.
    pub(crate) client_id: String,
    /// What it calls itself.
    pub(crate) client_name: Option<String>,
    /// Where it wants answers; 1 to 16 of at most 512 bytes.
    pub(crate) redirect_uris: Vec<String>,
    /// Its home page.
    pub(crate) client_uri: Option<String>,
    /// Whether this is the copy that the program carries.
    pub(crate) is_built_in: bool,
}

/// Read the bytes of a document that was found at `url`.
///
/// # Errors
/// [`Failure::Invalid`] where it names no client; otherwise [`Failure::OtherClient`], [`Failure::AuthMethod`],
/// [`Failure::Unfit`].
pub(super) fn document(url: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let invalid = |why: &str| Failure::Invalid(why.to_owned());
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    let Json::Object(members) = value.map_err(|error| Failure::Invalid(error.to_string()))? else {
        return Err(invalid("it is not an object"));
    };
    match members.get("client_id") {
        Some(Json::Text(id)) if id == url => {}
        Some(Json::Text(_)) => return Err(Failure::OtherClient),
        _ => return Err(invalid("client_id is missing or no text")),
    }
    match members.get("token_endpoint_auth_method") {
        None => {}
        Some(Json::Text(method)) if method == "none" => {}
        Some(_) => return Err(Failure::AuthMethod),
    }
    // Everybody can read a document, so a secret in it is none.
    if members.contains_key("client_secret") {
        return Err(unfit("it holds a client_secret"));
    }
    let text = |name: &str| match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::Unfit(format!("{name} is no text"))),
    };
    Ok(Document {
        client_id: url.to_owned(),
        client_name: text("client_name")?,
        redirect_uris: redirects(members.get("redirect_uris"))?,
        client_uri: text("client_uri")?,
        is_built_in: false,
    })
}

fn unfit(why: &str) -> Failure {
    Failure::Unfit(why.to_owned())
}

fn redirects(value: Option<&Json>) -> Result<Vec<String>, Failure> {
    let Some(Json::Array(values)) = value else { return Err(unfit("redirect_uris is missing or no list")) };
    if values.is_empty() || values.len() > REDIRECTS_MAX {
        return Err(unfit("redirect_uris must hold 1 to 16 entries"));
    }
    let is_fit = |uri: &str| {
        (1..=REDIRECT_MAX).contains(&uri.len()) && uri.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let one = |value: &Json| {
        let uri = if let Json::Text(uri) = value { Some(uri.clone()) } else { None };
        uri.filter(|uri| is_fit(uri))
            .ok_or_else(|| unfit("a redirect URI is no text of 1 to 512 printable ASCII characters"))
    };
    values.iter().map(one).collect()
}

/// JSON as far as a document needs it.
enum Json {
    Null,
    /// A number or a truth value: no member that is read has one.
    Other,
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = entries.next_element_seed(Self)? {
            list.push(value);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom("a member is there twice"));
            }
            members.insert(name, entries.next_value_seed(Self)?);
        }
        Ok(Json::Object(members))
    }
}
