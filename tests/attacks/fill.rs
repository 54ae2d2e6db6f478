//! Texts with names in them: `{{name}}`, `{{it.field}}`, `{{function argument}}`. What has no meaning stops the run.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A byte that is no UTF-8 stands as a character of the private use area until it is sent.
const BYTES: u32 = 0xf700;

/// Names and what they stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: BTreeMap<String, Value>,
    /// Looked for under this name first.
    pub prefix: Option<String>,
}

impl Names {
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let name = self.prefix.as_ref().map_or_else(|| name.to_owned(), |prefix| format!("{prefix}.{name}"));
        self.known.insert(name, value.into());
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let own = self.prefix.as_ref().and_then(|prefix| self.known.get(&format!("{prefix}.{name}")));
        if let Some(value) = own.or_else(|| self.known.get(name)) {
            return Some(value);
        }
        let (first, rest) = name.split_once('.')?;
        rest.split('.').try_fold(self.known.get(first)?, |value, part| match part.parse::<usize>() {
            Ok(number) => value.get(number),
            Err(_) => value.get(part),
        })
    }

    /// A whole value; a text that is one name becomes what the name stands for.
    pub fn value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => {
                let inner = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
                let name = inner.filter(|inner| !inner.contains("{{")).map(str::trim);
                match name.and_then(|name| Some((name, self.get(name)?))) {
                    Some((name, found)) if is_spelling(name) => self.value(found)?,
                    Some((_, found)) => found.clone(),
                    None => Value::String(self.text(text)?),
                }
            }
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let filled = members.iter().map(|(name, value)| Ok((self.text(name)?, self.value(value)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// A text.
    pub fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inner, after) = after.split_once("}}").ok_or_else(|| format!("no end of a name: {text}"))?;
            filled.push_str(before);
            filled.push_str(&self.named(inner)?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn named(&self, inner: &str) -> Result<String, String> {
        if let Some(value) = self.get(inner.trim()) {
            return if is_spelling(inner.trim()) { self.text(&plain(value)) } else { Ok(plain(value)) };
        }
        let (function, argument) = inner.split_once(' ').ok_or_else(|| format!("nobody knows `{inner}`"))?;
        let given = |text: &str| match self.get(text.trim()) {
            Some(_) => self.named(text),
            None => Ok(text.to_owned()),
        };
        let counted = || -> Result<(usize, String), String> {
            let (count, text) = argument.split_once(' ').unwrap_or((argument, " "));
            let count = given(count)?.parse().map_err(|_| format!("`{count}` in `{inner}` is no number"))?;
            Ok((count, given(text)?))
        };
        Ok(match function {
            "hex" => bytes_of_hex(argument)?,
            "repeat" => counted().map(|(count, text)| text.repeat(count))?,
            "cut" => counted().map(|(count, text)| text[..text.len().saturating_sub(count)].to_owned())?,
            "upper" => given(argument)?.to_uppercase(),
            "lower" => given(argument)?.to_lowercase(),
            "base64" => STANDARD.encode(to_bytes(&given(argument)?)),
            "base64url" => URL_SAFE_NO_PAD.encode(to_bytes(&given(argument)?)),
            "s256" => URL_SAFE_NO_PAD.encode(Sha256::digest(to_bytes(&given(argument)?))),
            "pct" => percent(&given(argument)?),
            "len" => to_bytes(&given(argument)?).len().to_string(),
            "hexlen" => format!("{:x}", to_bytes(&given(argument)?).len()),
            "json" => Value::String(given(argument)?).to_string().trim_matches('"').to_owned(),
            "hmac" => {
                let (key, text) = argument.split_once(' ').ok_or_else(|| format!("no text in `{inner}`"))?;
                hmac_of(&given(key)?, &given(text)?)
            }
            "flip" => flipped(&given(argument)?),
            "reverse" => given(argument)?.chars().rev().collect(),
            "dots" => dots(&given(argument)?)?,
            _ => return Err(format!("nobody knows `{inner}`")),
        })
    }
}

/// Spellings are filled where they are used, since they may name what a step before found out.
fn is_spelling(name: &str) -> bool {
    matches!(name.split('.').next(), Some("it" | "also"))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn bytes_of_hex(digits: &str) -> Result<String, String> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).ok()?;
        char::from_u32(BYTES + u32::from(u8::from_str_radix(text, 16).ok()?))
    };
    pairs.map(|pair| byte(pair).ok_or_else(|| format!("`{digits}` is not hexadecimal"))).collect()
}

/// HMAC-SHA256 in hex.
fn hmac_of(key: &str, text: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &to_bytes(key)), &to_bytes(text));
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text as it goes over the wire.
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(BYTES).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Every byte but letters, digits, `-`, `.`, `_` and `~` as `%XX`.
pub fn percent(text: &str) -> String {
    let one = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    to_bytes(text).iter().map(one).collect()
}

/// The same text with another character in its middle.
fn flipped(text: &str) -> String {
    let at = text.chars().count() / 2;
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    text.chars().enumerate().map(|(number, c)| if number == at { other(c) } else { c }).collect()
}

/// An address of its own for each number.
fn dots(number: &str) -> Result<String, String> {
    let number: u32 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
    let [_, second, third, fourth] = number.to_be_bytes();
    Ok(format!("198.{}.{third}.{fourth}", 51 + second))
}

/// `application/x-www-form-urlencoded`, or a query.
pub fn form(pairs: &[(String, String)]) -> String {
    let one = |(name, value): &(String, String)| format!("{}={}", percent(name), percent(value));
    pairs.iter().map(one).collect::<Vec<_>>().join("&")
}

/// A text from a query or form.
pub fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
