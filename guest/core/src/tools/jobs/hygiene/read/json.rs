//! JSON by `serde_json`, which bounds nesting. Manifests are read whole and so are small; of lock files only names are
//! kept.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::super::sheet::Malformed;

/// Largest manifest, in bytes.
const BYTES: usize = 128 * 1024;
/// Names of one object that are kept.
const NAMES: usize = 20_000;

/// A manifest: an object.
pub(super) fn object(text: &str) -> Result<Map<String, Value>, Malformed> {
    if text.len() > BYTES {
        return Err(Malformed("it holds more than is read of one file".to_owned()));
    }
    match strictly::<Value>(text)? {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Malformed("it is no JSON object".to_owned()))
        }
    }
}

/// A document of this form and no other.
pub(super) fn strictly<T: DeserializeOwned>(text: &str) -> Result<T, Malformed> {
    serde_json::from_str(text).map_err(|error| {
        let what = if error.is_data() { "it is not of the form that is known" } else { "it is not JSON" };
        Malformed(format!("{what} (line {})", error.line().max(1)))
    })
}

/// The names in an object, and whether there were more.
#[derive(Default)]
pub(super) struct Names(pub(super) Vec<String>, pub(super) bool);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Names;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
        let mut names = Names::default();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if names.0.len() < NAMES {
                names.0.push(name);
            } else {
                names.1 = true;
            }
        }
        Ok(names)
    }
}
