//! Changing an `.env` file and nothing else in it: lines, order and comments stay as somebody wrote them.
//!
//! Text in, text out; it touches no file. No error repeats a line, since any line may hold a secret.

use zeroize::Zeroizing;

use super::env_file;

/// What a file sets: name and value, in its order.
pub(crate) type Values = Vec<(String, Zeroizing<String>)>;

/// The names and values that a text sets.
///
/// # Errors
/// What is wrong with the text, each with the number of its line.
pub(crate) fn values(text: &str) -> Result<Values, Vec<String>> {
    let (entries, errors) = env_file::parse(text);
    if errors.is_empty() {
        return Ok(entries.into_iter().map(|entry| (entry.name, entry.value)).collect());
    }
    Err(errors.into_iter().map(|(line, error)| format!("line {line} {error}")).collect())
}

/// The text with these settings at these values. A setting that has a line keeps its place and what is remarked behind
/// it; others follow at the end, under `heading`. An empty value leaves a line without one, which counts as unset.
///
/// # Errors
/// A value that no line can hold.
pub(crate) fn with(
    text: &str,
    heading: &str,
    changes: &[(&str, &str)],
) -> Result<Zeroizing<String>, &'static str> {
    let room = changes.iter().map(|(name, value)| name.len() + 2 * value.len() + 4).sum::<usize>();
    let mut out = Zeroizing::new(String::with_capacity(text.len() + room + heading.len() + 8));
    let mut left: Vec<(&str, &str)> = changes.to_vec();
    for line in text.split_inclusive('\n') {
        let found = name_of(line).and_then(|name| left.iter().position(|(changed, _)| *changed == name));
        match found {
            Some(at) => {
                let (name, value) = left.remove(at);
                replace(&mut out, line, name, value)?;
            }
            None => out.push_str(line),
        }
    }
    left.retain(|(_, value)| !value.is_empty());
    if left.is_empty() {
        return Ok(out);
    }
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    if !heading.is_empty() && !text.contains(heading) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(heading);
        out.push('\n');
    }
    for (name, value) in left {
        out.push_str(name);
        out.push('=');
        out.push_str(&written(value)?);
        out.push('\n');
    }
    Ok(out)
}

/// The name that a line sets.
fn name_of(line: &str) -> Option<&str> {
    let line = line.trim_start_matches('\u{feff}').trim();
    if line.starts_with('#') {
        return None;
    }
    let (name, _) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
    Some(name.trim_end())
}

/// The line with another value: all before the `=` and all behind the old value stay.
fn replace(out: &mut String, line: &str, name: &str, value: &str) -> Result<(), &'static str> {
    let ending = line.trim_end_matches(['\r', '\n']);
    let Some((before, old)) = ending.split_once('=') else { return Err("cannot be read") };
    if env_file::value_of(old.trim()).is_ok_and(|old| *old == value) {
        out.push_str(line);
        return Ok(());
    }
    let before = if before.trim().is_empty() { name } else { before };
    out.push_str(before);
    out.push('=');
    out.push_str(&written(value)?);
    if let Some(remark) = remark(old) {
        out.push(' ');
        out.push_str(remark);
    }
    out.push_str(line.strip_prefix(ending).unwrap_or("\n"));
    Ok(())
}

/// The comment behind a value.
fn remark(old: &str) -> Option<&str> {
    let old = old.trim_start();
    let behind = match old.chars().next() {
        Some(quote @ ('\'' | '"')) => {
            let mut escaped = false;
            let end = old.char_indices().skip(1).find(|(_, c)| {
                let ends = *c == quote && !escaped;
                escaped = quote == '"' && *c == '\\' && !escaped;
                ends
            });
            old.get(end?.0..)?
        }
        Some('#') => return Some(old),
        _ => old,
    };
    let at = [" #", "\t#"].iter().filter_map(|mark| behind.find(mark)).min()?;
    behind.get(at..).map(str::trim_start)
}

/// A value as it stands in a line: bare where nobody can misread it, else in quotes.
fn written(value: &str) -> Result<Zeroizing<String>, &'static str> {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"._~+/=:,@%*-[]".contains(&byte);
    if value.bytes().all(bare) {
        return Ok(Zeroizing::new(value.to_owned()));
    }
    if value.chars().any(|c| c.is_control()) {
        return Err("holds a control character, which no line of an .env file can");
    }
    if !value.contains('\'') {
        return Ok(Zeroizing::new(format!("'{value}'")));
    }
    let mut quoted = Zeroizing::new(String::with_capacity(2 * value.len() + 2));
    quoted.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, changes: &[(&str, &str)]) -> String {
        with(text, "# new", changes).unwrap().to_string()
    }

    #[test]
    fn what_is_not_asked_for_stays_byte_for_byte() {
        let text = "# mine\n\nA=1 # why\n  export B='x y'\t# keep\nC=\r\n#A=9\nD=last";
        assert_eq!(after(text, &[]), text);
        assert_eq!(
            after(text, &[("A", "1"), ("B", "x y")]),
            text,
            "nothing changes where the value is the same"
        );
        let changed = after(text, &[("A", "2"), ("B", "z"), ("C", "c"), ("D", "d"), ("E", "e")]);
        assert_eq!(changed, "# mine\n\nA=2 # why\n  export B=z # keep\nC=c\r\n#A=9\nD=d\n\n# new\nE=e\n");
        assert_eq!(after(&changed, &[("F", "f")]), format!("{changed}F=f\n"), "one heading is enough");
        assert_eq!(after("", &[("A", "")]), "", "nothing is unset that was not set");
        assert_eq!(after("A=1\n", &[("A", "")]), "A=\n");
    }

    #[test]
    fn whatever_is_written_is_read_again() {
        for value in ["plain", "with space", "it's \"quoted\" $HOME \\", "a#b", " #c", "é", "x=y,z"] {
            let text = after("A=old # remark\n", &[("A", value), ("B", value)]);
            let read = values(&text).unwrap();
            assert!(read.iter().all(|(_, found)| found.as_str() == value), "{text}");
            assert!(text.contains("# remark"), "{text}");
        }
        assert!(with("", "", &[("A", "two\nlines")]).is_err());
    }

    #[test]
    fn a_remark_behind_quotes_is_told_from_what_is_in_them() {
        assert_eq!(after("A='x # y' # z\n", &[("A", "1")]), "A=1 # z\n");
        assert_eq!(after("A=\"x \\\" # y\" # z\n", &[("A", "1")]), "A=1 # z\n");
        assert_eq!(after("A=# only\n", &[("A", "1")]), "A=1 # only\n");
    }

    #[test]
    fn an_error_names_the_line_and_not_what_is_in_it() {
        let errors = values("A=1\nhunter2\nA=2\n").unwrap_err();
        assert_eq!(errors, ["line 2 must be NAME=value", "line 3 sets A again, after line 1"]);
    }
}
