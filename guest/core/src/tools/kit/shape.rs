//! Which fields of Gitea's answers leave, as data.
//!
//! What a client is shown of a shape is names and types; what the fields mean is for people and stands in
//! `docs/tools.md`, since most clients put output schemas before their model with every request.
//!
//! A shape is total: what is null, missing or of another type than declared is left out, so no answer can fail
//! a call, and what leaves always fits the output schema.

use serde_json::{Map, Value, json};

use crate::reply::ADDED;

/// So deep an output schema lists fields: those of the answer, and of its objects and entries. What is within
/// those is a plain object to a client.
const DEEP: u32 = 2;

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

/// A field as the documentation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The way to it: `issues[].number`.
    pub name: String,
    /// Its type in words.
    pub kind: &'static str,
    /// What it means.
    pub meaning: &'static str,
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
    /// The same, whose fields only the documentation names: what every write may say.
    Notes(&'static Shape),
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

    /// The same for each entry of a list.
    #[must_use]
    pub fn each(&self, list: &[Value]) -> Vec<Value> {
        list.iter().map(|item| Value::Object(self.of(item))).collect()
    }

    /// The output schema of a tool that answers with this shape.
    #[must_use]
    pub fn output_schema(&self) -> Value {
        self.schema_down_to(DEEP)
    }

    /// The same with every field at any depth, to hold answers against.
    #[cfg(test)]
    pub(crate) fn whole_schema(&self) -> Value {
        self.schema_down_to(u32::MAX)
    }

    fn schema_down_to(&self, deep: u32) -> Value {
        let mut schema = self.schema(deep);
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            for (name, kind, _) in ADDED {
                properties.insert((*name).to_owned(), json!({ "type": kind }));
            }
        }
        schema
    }

    /// Every field with its type and meaning, for people. What is within an object or an entry of a list follows
    /// it, with the way to it before its name.
    #[must_use]
    pub fn explained(&self) -> Vec<Explained> {
        let mut rows = Vec::new();
        self.explain("", &mut rows);
        rows
    }

    fn explain(&self, way: &str, rows: &mut Vec<Explained>) {
        for key in self.0 {
            let (kind, inner, mark) = match key.kind {
                Kind::Text => ("string", None, ""),
                Kind::Time => ("time", None, ""),
                Kind::Number => ("integer", None, ""),
                Kind::Flag => ("boolean", None, ""),
                Kind::Texts(_) => ("list of strings", None, ""),
                Kind::Object(shape) => ("object", Some(shape), "."),
                Kind::Each(shape) | Kind::Notes(shape) => ("list of objects", Some(shape), "[]."),
            };
            let name = format!("{way}{}", key.name);
            rows.push(Explained { name: name.clone(), kind, meaning: key.description });
            if let Some(shape) = inner {
                shape.explain(&format!("{name}{mark}"), rows);
            }
        }
    }

    fn schema(&self, deep: u32) -> Value {
        if deep == 0 {
            return json!({ "type": "object" });
        }
        let properties: Map<String, Value> =
            self.0.iter().map(|key| (key.name.to_owned(), key.kind.schema(deep))).collect();
        json!({ "type": "object", "properties": properties })
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
            Self::Each(shape) | Self::Notes(shape) => Some(
                shape.each(value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()).into(),
            ),
            Self::Texts(pointer) => {
                let entries = value.and_then(Value::as_array).into_iter().flatten();
                let texts = entries.filter_map(|entry| entry.pointer(pointer)?.as_str().map(Value::from));
                Some(texts.collect::<Vec<_>>().into())
            }
        }
    }

    fn schema(self, deep: u32) -> Value {
        match self {
            Self::Text | Self::Time => json!({ "type": "string" }),
            Self::Number => json!({ "type": "integer" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Texts(_) => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Object(shape) => shape.schema(deep.saturating_sub(1)),
            Self::Notes(_) if deep <= DEEP => json!({ "type": "array", "items": { "type": "object" } }),
            Self::Each(shape) | Self::Notes(shape) => {
                json!({ "type": "array", "items": shape.schema(deep.saturating_sub(1)) })
            }
        }
    }
}

/// Gitea gives the zero time of Go or of Unix where there is none.
fn is_never(time: &str) -> bool {
    time.is_empty() || time.starts_with("0001-01-01T") || time.starts_with("1970-01-01T00:00:00")
}
