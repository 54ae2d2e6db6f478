//! Addresses of resources, and the variables in them (RFC 6570 levels 1 and 2: `{name}` and `{+rest}`).

use percent_encoding::percent_decode_str;

/// Most characters of an address that is looked at.
const MOST: usize = 8_192;

/// Where a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// At this address.
    One(&'static str),
    /// At every address of this form.
    Many(&'static str),
}

/// What stands in an address for the variables of its template, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(Vec<(&'static str, String)>);

impl Variables {
    /// The value of one; empty where the template has none of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

impl Address {
    /// The variables of `uri`, where it is an address of this form. A variable is never empty, and holds a slash only
    /// where it was encoded or the rest of the address is meant.
    #[must_use]
    pub fn matches(self, uri: &str) -> Option<Variables> {
        match self {
            Self::One(known) => (known == uri).then(Variables::default),
            Self::Many(template) if uri.len() <= MOST => variables(template, uri),
            Self::Many(_) => None,
        }
    }
}

fn variables(template: &'static str, uri: &str) -> Option<Variables> {
    let mut found = Vec::new();
    let (mut template, mut uri) = (template, uri);
    while let Some((fixed, after)) = template.split_once('{') {
        uri = uri.strip_prefix(fixed)?;
        let (name, rest) = after.split_once('}')?;
        template = rest;
        let (name, value) = match name.strip_prefix('+') {
            Some(name) => (name, std::mem::take(&mut uri)),
            None => {
                let (value, left) = uri.split_at(uri.find('/').unwrap_or(uri.len()));
                uri = left;
                (name, value)
            }
        };
        let value = percent_decode_str(value).decode_utf8().ok().filter(|value| !value.is_empty())?;
        found.push((name, value.into_owned()));
    }
    (uri == template).then_some(Variables(found))
}
