//! The `.env` file: `NAME=value` lines. Nothing is expanded and nothing is run.
//!
//! ```text
//! # a comment
//! MCP_PORT=8080          # the value ends before ` #`
//! GITEA_TOKEN='as it is, $ and # too'
//! LOG_LEVEL="with \" and \\ and \n"
//! ```
//!
//! An error names the line and never repeats it, since any line may hold a secret.

use zeroize::Zeroizing;

/// One line that sets something.
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: Zeroizing<String>,
}

/// Reads a whole file; an error is the line's number and what is wrong there.
pub(super) fn parse(text: &str) -> (Vec<Entry>, Vec<(usize, String)>) {
    let (mut entries, mut errors) = (Vec::<Entry>::new(), Vec::new());
    // A byte order mark is what some editors put in front.
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let number = index.saturating_add(1);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line) {
            Ok((name, value)) => match entries.iter().find(|earlier| earlier.name == name) {
                Some(earlier) => {
                    errors.push((number, format!("sets {name} again, after line {}", earlier.line)))
                }
                None => entries.push(Entry { line: number, name: name.to_owned(), value }),
            },
            Err(error) => errors.push((number, error.to_owned())),
        }
    }
    (entries, errors)
}

fn entry(line: &str) -> Result<(&str, Zeroizing<String>), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=').ok_or("must be NAME=value")?;
    let name = name.trim_end();
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err("must have a name of capital letters, digits and _ before the `=`");
    }
    Ok((name, value_of(value.trim())?))
}

pub(super) fn value_of(written: &str) -> Result<Zeroizing<String>, &'static str> {
    let mut characters = written.chars();
    let quote = match characters.next() {
        Some(quote @ ('\'' | '"')) => quote,
        Some('#') | None => return Ok(Zeroizing::default()),
        Some(_) => {
            let end = written.find(" #").or_else(|| written.find("\t#"));
            let value = end.and_then(|end| written.split_at_checked(end)).map_or(written, |(value, _)| value);
            return Ok(Zeroizing::new(value.trim_end().to_owned()));
        }
    };
    // Never longer than what is written, so that no copy of a secret is left behind by growing.
    let mut value = Zeroizing::new(String::with_capacity(written.len()));
    loop {
        match characters.next() {
            None => return Err("has a quote that is not closed"),
            Some(character) if character == quote => break,
            Some('\\') if quote == '"' => value.push(match characters.next() {
                Some('n') => '\n',
                Some(character @ ('"' | '\\' | '$')) => character,
                _ => return Err(r#"has an unknown escape; `\n`, `\"`, `\\` and `\$` are known"#),
            }),
            Some(character) => value.push(character),
        }
    }
    let rest = characters.as_str().trim_start();
    if rest.is_empty() || rest.starts_with('#') { Ok(value) } else { Err("has text after the closing quote") }
}
