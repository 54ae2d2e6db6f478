//! Which fields of Gitea's answers leave, as data.
//!
//! A shape is total: what is null, missing or of another type than declared is left out, so no answer can fail
//! a call, and what leaves always fits the output schema.

use serde_json::{Map, Value, json};

use crate::reply::ADDED;

/// The fields of an object.
#[derive(Debug)]
pub struct Shape(pub &'static [Key]);

/// One field.
#[derive(Debug)]
pub struct Key {
    /// Its name in our answer.
    name: &'static str,
    /// Where it is in Gitea's object, as a JSON pointer.
    from: &'static str,
    kind: Kind,
    description: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// A time; Gitea's two ways to say "never" are left out.
    Time,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// The texts at this pointer within each entry of a list.
    Texts(&'static str),
    /// An object.
    Object(&'static Shape),
    /// A list of objects.
    Each(&'static Shape),
}

impl Key {
    /// The field `from` (a JSON pointer) as `name`.
    #[must_use]
    pub const fn pluck(
        name: &'static str,
        from: &'static str,
        kind: Kind,
        description: &'static str,
    ) -> Self {
        Self { name, from, kind, description }
    }

    /// A field that the tool itself puts into its answer.
    #[must_use]
    pub const fn own(name: &'static str, kind: Kind, description: &'static str) -> Self {
        Self { name, from: "", kind, description }
    }
}

impl Shape {
    /// The fields of `object` that leave.
    #[must_use]
    pub fn of(&self, object: &Value) -> Map<String, Value> {
        let mut out = Map::new();
        for key in self.0 {
            // A key of our own answer has no place in Gitea's object.
            let found = if key.from.is_empty() { None } else { object.pointer(key.from) };
            if let Some(value) = key.kind.of(found) {
                out.insert(key.name.to_owned(), value);
            }
        }
        out
    }

    /// The same for each entry of a list; anything else is an empty list.
    #[must_use]
    pub fn each(&self, list: &Value) -> Vec<Value> {
        list.as_array().into_iter().flatten().map(|item| Value::Object(self.of(item))).collect()
    }

    /// The output schema of a tool that answers with this shape.
    #[must_use]
    pub fn output_schema(&self) -> Value {
        let mut schema = self.schema();
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, kind, description) in ADDED {
                properties.insert((*name).to_owned(), json!({ "type": kind, "description": description }));
            }
        }
        schema
    }

    fn schema(&self) -> Value {
        let properties: Map<String, Value> =
            self.0.iter().map(|key| (key.name.to_owned(), key.schema())).collect();
        json!({ "type": "object", "properties": properties })
    }
}

impl Key {
    fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), self.description.into());
        }
        schema
    }
}

impl Kind {
    fn of(self, value: Option<&Value>) -> Option<Value> {
        match self {
            Self::Text => value?.as_str().map(Value::from),
            Self::Time => value?.as_str().filter(|time| !is_never(time)).map(Value::from),
            Self::Number => value.filter(|value| value.is_i64() || value.is_u64()).cloned(),
            Self::Flag => value?.as_bool().map(Value::from),
            Self::Object(shape) => {
                value.filter(|value| value.is_object()).map(|value| shape.of(value).into())
            }
            // A list that Gitea gives as null is an empty one.
            Self::Each(shape) => Some(value.map(|value| shape.each(value)).unwrap_or_default().into()),
            Self::Texts(pointer) => {
                let entries = value.and_then(Value::as_array).into_iter().flatten();
                let texts = entries.filter_map(|entry| entry.pointer(pointer)?.as_str().map(Value::from));
                Some(texts.collect::<Vec<_>>().into())
            }
        }
    }

    fn schema(self) -> Value {
        match self {
            Self::Text | Self::Time => json!({ "type": "string" }),
            Self::Number => json!({ "type": "integer" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Texts(_) => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Object(shape) => shape.schema(),
            Self::Each(shape) => json!({ "type": "array", "items": shape.schema() }),
        }
    }
}

/// Gitea gives the zero time of Go or of Unix where there is none.
fn is_never(time: &str) -> bool {
    time.is_empty() || time.starts_with("0001-01-01T") || time.starts_with("1970-01-01T00:00:00")
}
