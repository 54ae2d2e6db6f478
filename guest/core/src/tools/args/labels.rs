//! What a label is made of.

use serde_json::json;

use super::choices::short_text;
use crate::audit;
use crate::ports::Recorded;
use crate::tools::kit::{Arg, ArgumentError, Arguments, Field, paragraph};

/// Longest short text in characters: what a database column holds.
const CHARACTERS: usize = 255;

/// The name of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct LabelName(pub(in crate::tools) String);

/// A colour as six hex digits in lower case, without `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct Color(pub(in crate::tools) String);

/// One line that may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::tools) struct ShortText(pub(in crate::tools) String);

impl Arg for LabelName {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": CHARACTERS }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        short_text(name, arguments.string(name)?).map(Self)
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

impl Arg for Color {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": 7 }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let given = arguments.string(name)?;
        let digits = given.strip_prefix('#').unwrap_or(&given).to_ascii_lowercase();
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) || !matches!(digits.len(), 3 | 6) {
            return Err(ArgumentError::new(name, "must be 3 or 6 hex digits, such as `#00aabb`"));
        }
        let doubled = |digit: char| [digit, digit];
        Ok(Self(if digits.len() == 3 { digits.chars().flat_map(doubled).collect() } else { digits }))
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::scalar(&self.0)));
    }
}

impl Arg for ShortText {
    fn fields(name: &'static str, doc: &[&str]) -> Vec<Field> {
        vec![Field::new(name, json!({ "type": "string", "maxLength": CHARACTERS }), paragraph(doc))]
    }

    fn from_args(name: &'static str, arguments: &mut Arguments) -> Result<Self, ArgumentError> {
        let text = arguments.string(name)?;
        let good = aegis_redaction::bound(&text, CHARACTERS).is_none() && !text.chars().any(char::is_control);
        let message = format!("must be one line of at most {CHARACTERS} characters");
        if good { Ok(Self(text)) } else { Err(ArgumentError::new(name, message)) }
    }

    fn recorded(&self, name: &'static str, recorded: &mut Vec<(String, Recorded)>) {
        recorded.push((name.to_owned(), audit::text(&self.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_three_or_six_hex_digits_with_or_without_the_sign() {
        for (given, expected) in [
            ("#00aabb", Some("00aabb")),
            ("00AABB", Some("00aabb")),
            ("#0aB", Some("00aabb")),
            ("fff", Some("ffffff")),
            ("", None),
            ("#", None),
            ("red", None),
            ("#12345", None),
            ("##00aabb", None),
            ("00aabb ", None),
            ("０００", None),
        ] {
            let mut arguments =
                Arguments::new(serde_json::Map::from_iter([("color".to_owned(), given.into())]));
            let found = Color::from_args("color", &mut arguments);
            assert_eq!(found.as_ref().ok().map(|color| color.0.as_str()), expected, "{given}: {found:?}");
        }
    }
}
