//! As much of HTML as forms need: elements, attributes, character references. Not a parser of pages.

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Its id, or nothing.
    pub id: String,
    /// `get` or `post`.
    pub method: String,
    /// Where it is sent.
    pub action: String,
    /// What the page filled in, in order; boxes that are not checked are left out.
    pub fields: Vec<(String, String)>,
    /// Boxes that are not checked: name and value.
    pub unchecked: Vec<(String, String)>,
    /// Buttons that submit it: name and value, empty for a button without a name.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    /// Whether its action, its id or a button holds a word.
    #[must_use]
    pub fn mentions(&self, word: &str) -> bool {
        let button = |(name, value): &(String, String)| name.contains(word) || value.contains(word);
        self.action.contains(word) || self.id.contains(word) || self.buttons.iter().any(button)
    }

    /// A value that the page filled in.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The fields as they are sent: these ones changed, and one button.
    ///
    /// # Panics
    /// There is no field, box or button of such a name.
    pub(super) fn filled(&self, changed: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = self.fields.clone();
        for &(name, value) in changed {
            let known =
                self.fields.iter().chain(&self.unchecked).chain(&self.buttons).any(|(n, _)| n == name);
            assert!(known, "the form to {} has no field {name:?}: {self:?}", self.action);
            match all.iter_mut().find(|(n, _)| n == name) {
                Some(field) => value.clone_into(&mut field.1),
                None => all.push((name.to_owned(), value.to_owned())),
            }
        }
        let chosen = |(name, _): &(String, String)| changed.iter().any(|(n, _)| n == name);
        if !self.buttons.iter().any(chosen)
            && let Some(first) = self.buttons.first().filter(|(name, _)| !name.is_empty())
        {
            all.push(first.clone());
        }
        all
    }
}

/// A form's body.
pub(super) fn encoded(fields: &[(String, String)]) -> String {
    let word = |text: &str| {
        let mut out = String::new();
        for byte in text.bytes() {
            match byte {
                b' ' => out.push('+'),
                _ if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        out
    };
    fields.iter().map(|(name, value)| format!("{}={}", word(name), word(value))).collect::<Vec<_>>().join("&")
}

/// An element's opening or closing, and the text up to the next one.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn text_of(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

/// The content of `<meta name=...>`.
pub(super) fn meta(source: &str, name: &str) -> Option<String> {
    let found = tags(source).into_iter().find(|tag| tag.name == "meta" && tag.get("name") == Some(name));
    found.map(|tag| tag.text_of("content").to_ascii_lowercase())
}

/// All forms of a page, actions as written.
pub(super) fn forms(source: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let (mut open, mut select) = (false, None::<(String, bool)>);
    for tag in tags(source) {
        if tag.name == "form" {
            let method = tag.text_of("method").to_ascii_lowercase();
            forms.push(Form {
                id: tag.text_of("id"),
                method: if method == "post" { method } else { "get".to_owned() },
                action: tag.text_of("action"),
                fields: Vec::new(),
                unchecked: Vec::new(),
                buttons: Vec::new(),
            });
            open = true;
        }
        if tag.name == "/form" {
            open = false;
        }
        let Some(form) = forms.last_mut().filter(|_| open && tag.get("disabled").is_none()) else { continue };
        let named = tag.get("name").is_some_and(|name| !name.is_empty());
        let kind = tag.text_of("type").to_ascii_lowercase();
        let pair = (tag.text_of("name"), tag.text_of("value"));
        match (tag.name.as_str(), kind.as_str()) {
            ("input", "submit" | "image") => form.buttons.push(pair),
            ("button", "" | "submit") => form.buttons.push(pair),
            ("input", "button" | "reset" | "file") => {}
            ("input", "checkbox" | "radio") if named => {
                let value = tag.get("value").unwrap_or("on").to_owned();
                let checked = tag.get("checked").is_some();
                (if checked { &mut form.fields } else { &mut form.unchecked }).push((pair.0, value));
            }
            ("input", _) if named => form.fields.push(pair),
            ("textarea", _) if named => {
                form.fields.push((pair.0, tag.text.trim_start_matches('\n').to_owned()))
            }
            ("select", _) if named => select = Some((pair.0, false)),
            ("option", _) => {
                // The first option counts until one is marked.
                if let Some((name, seen)) = &mut select {
                    let value = tag.get("value").map_or_else(|| tag.text.trim().to_owned(), str::to_owned);
                    if !*seen || tag.get("selected").is_some() {
                        form.fields.retain(|(known, _)| known != name);
                        form.fields.push((name.clone(), value));
                    }
                    *seen = true;
                }
            }
            ("/select", _) => select = None,
            _ => {}
        }
    }
    forms
}

fn tags(source: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("!--") {
            rest = after.find("-->").map_or("", |end| &after[end..]);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            continue;
        }
        let (tag, after) = tag(rest);
        let end = after.find('<').unwrap_or(after.len());
        let text = decoded(&after[..end]);
        rest = after;
        // What is inside a script or a style is no element.
        if matches!(tag.name.as_str(), "script" | "style") {
            rest = after.find(&format!("</{}", tag.name)).map_or("", |end| &after[end..]);
        }
        found.push(Tag { text, ..tag });
    }
    found
}

/// One tag and what stands behind it.
fn tag(source: &str) -> (Tag, &str) {
    let ends = |c: char| c.is_ascii_whitespace() || c == '>';
    let end = source.find(ends).unwrap_or(source.len());
    let name = source[..end].trim_end_matches('/').to_ascii_lowercase();
    let name = if name.is_empty() { source[..end].to_ascii_lowercase() } else { name };
    let (mut attributes, mut rest) = (Vec::new(), &source[end..]);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            break;
        }
        if let Some(after) = rest.strip_prefix('>') {
            rest = after;
            break;
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace() || "=>".contains(c)).unwrap_or(rest.len());
        // A stray sign would otherwise never be passed.
        let end = end.max(rest.chars().next().map_or(1, char::len_utf8));
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| "\"'".contains(*c));
            let (text, behind) = match quote {
                Some(quote) => {
                    let inner = &after[1..];
                    let end = inner.find(quote).unwrap_or(inner.len());
                    (&inner[..end], inner.get(end + 1..).unwrap_or_default())
                }
                None => after.split_at(after.find(ends).unwrap_or(after.len())),
            };
            value = decoded(text);
            rest = behind;
        }
        attributes.push((name, value));
    }
    (Tag { name, attributes, text: String::new() }, rest)
}

/// Text with its character references resolved, as far as forms use them.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known =
            rest.find(';').filter(|end| *end < 12).and_then(|end| Some((end, reference(&rest[1..end])?)));
        match known {
            Some((end, c)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = name.strip_prefix('#')?;
            let hex = number.strip_prefix(['x', 'X']);
            let code = hex.map_or_else(|| number.parse().ok(), |hex| u32::from_str_radix(hex, 16).ok())?;
            char::from_u32(code)
        }
    }
}
