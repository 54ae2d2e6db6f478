//! One argument: its wire fields, its schema, its parse and its bounds in one implementation, so that they
//! cannot disagree.

use serde_json::{Map, Value, json};

use crate::access::Target;
use crate::ports::Recorded;

/// One field on the wire.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its JSON schema, with one type and a description.
    pub schema: Value,
    /// Whether a call without it is refused.
    pub required: bool,
}

impl Field {
    /// A required field. `schema` is an object; the description, where there is one, is put into it.
    #[must_use]
    pub fn new(name: &'static str, mut schema: Value, description: impl Into<String>) -> Self {
        let description = description.into();
        if let Some(object) = schema.as_object_mut().filter(|_| !description.is_empty()) {
            object.insert("description".to_owned(), Value::String(description));
        }
        Self { name, schema, required: true }
    }

    /// A required field that means the same in every tool: its meaning is told once, with the instructions.
    #[must_use]
    pub fn shared(name: &'static str, schema: Value) -> Self {
        Self { name, schema, required: true }
    }

    /// The same, not required.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }
}

/// An argument that is missing, unknown, of the wrong type or out of bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {message}")]
pub struct ArgumentError {
    /// The wire field.
    pub field: String,
    /// What is allowed.
    pub message: String,
}

impl ArgumentError {
    /// `message` goes on after the field's name: "must be ...".
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The arguments of one call that no field has taken yet.
#[derive(Debug)]
pub struct Arguments {
    left: Map<String, Value>,
}

impl Arguments {
    /// All arguments of a call.
    #[must_use]
    pub fn new(left: Map<String, Value>) -> Self {
        Self { left }
    }

    /// Take a field. An explicit null counts as absent: many clients send it for what they leave out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name).filter(|value| !value.is_null())
    }

    /// Take a field that must be there.
    ///
    /// # Errors
    /// It is missing.
    pub fn required(&mut self, name: &str) -> Result<Value, ArgumentError> {
        self.take(name).ok_or_else(|| ArgumentError::new(name, "is required"))
    }

    /// Take a string that must be there.
    ///
    /// # Errors
    /// It is missing or no string.
    pub fn string(&mut self, name: &str) -> Result<String, ArgumentError> {
        match self.required(name)? {
            Value::String(text) => Ok(text),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(ArgumentError::new(name, "must be a string"))
            }
        }
    }

    fn has(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|value| !value.is_null())
    }

    /// Refuse fields that the tool does not have.
    ///
    /// # Errors
    /// Names the first unknown field and all that are allowed.
    pub fn refuse_unknown(&self, fields: &[Field]) -> Result<(), ArgumentError> {
        let unknown = self.left.keys().find(|key| fields.iter().all(|field| field.name != key.as_str()));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let shown = aegis_redaction::bound(unknown, 60).unwrap_or(unknown);
        let allowed: Vec<String> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
        let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        Err(ArgumentError::new(shown, format!("is not an argument of this tool; allowed: {allowed}")))
    }
}

/// A type that arguments are made of.
pub trait Arg: Sized {
    /// Its wire fields. `name` and `doc` are those of the struct field; composite types have their own.
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field>;
    /// Take, parse and check.
    ///
    /// # Errors
    /// Names the wire field and what is allowed.
    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError>;
    /// Add what it names to the policy target.
    fn target<'a>(&'a self, _target: &mut Target<'a>) {}
    /// Add to the record what the target does not hold.
    fn recorded(&self, _name: &'static str, _recorded: &mut Vec<(String, Recorded)>) {}
}

impl<T: Arg> Arg for Option<T> {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        T::fields(name, doc).into_iter().map(Field::optional).collect()
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let there = T::fields(name, &[]).iter().any(|field| arguments.has(field.name));
        if there { T::from_args(name, arguments).map(Some) } else { Ok(None) }
    }

    fn target<'a>(&'a self, target: &mut Target<'a>) {
        if let Some(value) = self {
            value.target(target);
        }
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        if let Some(value) = self {
            value.recorded(name, recorded);
        }
    }
}

/// The lines of a doc comment as one paragraph.
pub(crate) fn paragraph(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The schema of a whole call.
pub(super) fn schema(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.schema.clone())).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
