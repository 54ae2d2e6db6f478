//! JSON in which every member stands once.
//!
//! Of two members with one name readers pick different ones, so a signed text could mean one thing here and another
//! at Gitea. Errors say nothing of the text: it may be a token.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The one object that `bytes` hold; none where they are anything else, or repeat a member at any depth.
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice::<Once>(bytes).ok()?.0 {
        Value::Object(members) => Some(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

/// A member that is a text.
pub fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Option<&'m str> {
    members.get(name).and_then(Value::as_str)
}

/// A member that is a list of texts and nothing else.
pub fn texts(members: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    members.get(name)?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A value without repeated members.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Once(value))) = entries.next_entry::<String, Once>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::{object, text, texts};

    #[test]
    fn an_object_with_each_member_once_is_read_whole() {
        let read = object(br#"{"a":"x","b":[1,-2,3.5,null,true],"c":{"a":"y"},"d":["p","q"]}"#).unwrap();
        assert_eq!(text(&read, "a"), Some("x"));
        assert_eq!(read["b"], serde_json::json!([1, -2, 3.5, null, true]));
        assert_eq!(read["c"]["a"], "y");
        assert_eq!(texts(&read, "d"), Some(vec!["p".to_owned(), "q".to_owned()]));
        assert_eq!(texts(&read, "b"), None);
    }

    #[test]
    fn repeated_members_and_anything_but_one_object_are_refused() {
        for bytes in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            r#"{"a":1} {"a":1}"#,
            r#"{"a":1e999}"#,
            "[]",
            "\"a\"",
            "",
            "{",
        ] {
            assert_eq!(object(bytes.as_bytes()), None, "{bytes}");
        }
        assert_eq!(
            object(&[b"{\"a\":".as_slice(), &b"[".repeat(200), &b"]".repeat(200), b"}"].concat()),
            None
        );
        assert_eq!(object(b"{\"a\":\"\xff\"}"), None);
    }
}
