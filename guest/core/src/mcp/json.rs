//! Strict JSON: one document, every object key once, nesting and number of values bounded (RFC 8259 sections 4
//! and 9).
//!
//! Two parsers that disagree about a repeated key are how a check is fooled: one reads the `owner` that is
//! allowed, the other the `owner` that is used. So a repeated key is refused, whatever its values. This module
//! must not repair, guess or skip anything.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How many arrays and objects may stand inside each other; the outermost counts as one.
pub const MAX_DEPTH: u8 = 32;

/// How many values a document may hold: texts, numbers, flags, arrays and objects together. A message of the
/// protocol holds some dozens; a document of many thousands costs time and is meant to.
pub const MAX_VALUES: u32 = 4096;

/// Why bytes are not accepted as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Not one JSON document in UTF-8, or a number that no parser can hold.
    Syntax,
    /// An object names a key twice.
    DuplicateKey,
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// More than [`MAX_VALUES`] values.
    TooMany,
}

impl Invalid {
    /// What was wrong, for the client.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Syntax => "The body is not one valid JSON document in UTF-8.",
            Self::DuplicateKey => "An object in the body names the same key twice. Send each key once.",
            Self::TooDeep => "The body nests more than 32 levels deep. Send a flatter document.",
            Self::TooMany => "The body holds more than 4096 values. Send less at once.",
        }
    }
}

/// Reads one JSON document.
///
/// # Errors
/// Anything that is not exactly one document with unique keys, at most [`MAX_DEPTH`] levels and at most
/// [`MAX_VALUES`] values.
pub fn parse(bytes: &[u8]) -> Result<Value, Invalid> {
    // Visitors can answer only with a text, so the reason travels beside it.
    let reason = Cell::new(Invalid::Syntax);
    let mut document = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { reason: &reason, values: &Cell::new(MAX_VALUES), room: MAX_DEPTH }
        .deserialize(&mut document);
    let value = value.map_err(|_| reason.get())?;
    document.end().map_err(|_| Invalid::Syntax)?;
    Ok(value)
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    reason: &'a Cell<Invalid>,
    /// Values that may still come.
    values: &'a Cell<u32>,
    room: u8,
}

impl Strict<'_> {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        match self.room.checked_sub(1) {
            Some(room) => Ok(Self { room, ..self }),
            None => Err(self.refuse(Invalid::TooDeep)),
        }
    }

    fn refuse<E: de::Error>(self, reason: Invalid) -> E {
        self.reason.set(reason);
        E::custom(reason.message())
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<Value, D::Error> {
        match self.values.get().checked_sub(1) {
            Some(left) => self.values.set(left),
            None => return Err(self.refuse(Invalid::TooMany)),
        }
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        let number = serde_json::Number::from_f64(value).ok_or_else(|| self.refuse(Invalid::Syntax))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return Err(self.refuse(Invalid::DuplicateKey));
            }
            let value = entries.next_value_seed(inner)?;
            all.insert(key, value);
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests;
