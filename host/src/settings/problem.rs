//! What is wrong with a setting, told to a person. Never holds a secret.

use std::fmt;

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting's name, or the file and line.
    pub(crate) setting: String,
    /// The value, where it may be shown.
    pub(crate) value: Option<String>,
    /// What is allowed; continues the sentence that the name begins.
    pub(crate) message: String,
}

impl Problem {
    /// A problem whose value is of no interest or secret.
    pub(super) fn new(setting: impl Into<String>, message: impl Into<String>) -> Self {
        Self { setting: setting.into(), value: None, message: message.into() }
    }

    /// A problem with a value. What holds `@`, and an address with a query, is kept back: a password or a token may be inside.
    pub(super) fn of_value(setting: &str, value: &str, message: impl Into<String>) -> Self {
        let telling = value.contains('@') || (value.contains("://") && value.contains(['?', '#']));
        let value = (!telling).then(|| value.chars().take(120).collect());
        Self { setting: setting.to_owned(), value, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(formatter, "{}={value:?} {}", self.setting, self.message),
            None => write!(formatter, "{} {}", self.setting, self.message),
        }
    }
}

/// The name that `unknown` was probably meant to be.
pub(crate) fn nearest<'a>(unknown: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = unknown.len().div_euclid(3).max(1);
    names
        .map(|name| (distance(unknown, name), name))
        .filter(|(far, _)| *far <= limit)
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be put in, taken out or changed to get from one text to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, left) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut before = index.saturating_add(1);
        let mut next = vec![before];
        for (right, above) in to.chars().zip(row.iter().skip(1)) {
            let changed = diagonal.saturating_add(usize::from(left != right));
            diagonal = *above;
            before = changed.min(above.saturating_add(1)).min(before.saturating_add(1));
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
