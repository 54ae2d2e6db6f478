//! File names as Git writes them into the header of a diff.
//!
//! Git quotes a name as in C where it holds a quote, a backslash, a control character or (by default) a byte
//! beyond ASCII. A name that cannot be read for sure is no name at all: the caller must not show such a file,
//! since nobody could say what the policy thinks of it.

/// Both names of a `diff --git` line, without `diff --git `, where it names the same file twice. Where it does
/// not (a rename), blanks in names make the line ambiguous, and Git names both files on lines of their own.
pub(super) fn same_twice(rest: &[u8]) -> Option<String> {
    let (old, new) = if rest.first() == Some(&b'"') {
        let (old, rest) = unquoted(rest)?;
        let (new, rest) = unquoted(rest.strip_prefix(b" ")?)?;
        (old, if rest.is_empty() { new } else { return None })
    } else {
        // `a/NAME b/NAME`: both halves are equally long, whatever the name holds.
        let half = rest.len().checked_sub(1)?.checked_div(2)?;
        let old = rest.get(..half)?.to_vec();
        (old, rest.get(half..)?.strip_prefix(b" ")?.to_vec())
    };
    let name = old.strip_prefix(b"a/")?;
    if new.strip_prefix(b"b/")? == name { text(name) } else { None }
}

/// The name on a `--- ` or `+++ ` line, without its prefix. `Some(None)` stands for `/dev/null`: no file.
pub(super) fn on_side(rest: &[u8], prefix: &[u8]) -> Option<Option<String>> {
    if rest == b"/dev/null" {
        return Some(None);
    }
    let name = if rest.first() == Some(&b'"') {
        let (name, rest) = unquoted(rest)?;
        if matches!(rest, b"" | b"\t") { name } else { return None }
    } else {
        // A tab ends a name with a blank in it, quoted or not. A tab of its own would have got it quoted.
        rest.strip_suffix(b"\t").unwrap_or(rest).to_vec()
    };
    text(name.strip_prefix(prefix)?).map(Some)
}

/// The name on a `rename` or `copy` line, which has no prefix.
pub(super) fn bare(rest: &[u8]) -> Option<String> {
    if rest.first() == Some(&b'"') {
        let (name, rest) = unquoted(rest)?;
        return if rest.is_empty() { text(&name) } else { None };
    }
    text(rest)
}

fn text(name: &[u8]) -> Option<String> {
    String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty())
}

/// A quoted name at the beginning of a line, and what follows it.
fn unquoted(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = line.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let (first, behind) = rest.split_first()?;
        rest = behind;
        match first {
            b'"' => return Some((name, rest)),
            b'\\' => {
                let (byte, behind) = escaped(rest)?;
                name.push(byte);
                rest = behind;
            }
            byte => name.push(*byte),
        }
    }
}

/// The byte that an escape stands for, without its backslash.
fn escaped(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (first, behind) = rest.split_first()?;
    let byte = match first {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        b'"' | b'\\' => *first,
        b'0'..=b'3' => {
            let digits = std::str::from_utf8(rest.get(..3)?).ok()?;
            return Some((u8::from_str_radix(digits, 8).ok()?, rest.get(3..)?));
        }
        _ => return None,
    };
    Some((byte, behind))
}

#[cfg(test)]
mod tests {
    use super::{bare, on_side, same_twice};

    #[test]
    fn a_line_that_names_one_file_twice_is_understood_whatever_the_name() {
        for (line, name) in [
            ("a/x b/x", Some("x")),
            ("a/src/main.rs b/src/main.rs", Some("src/main.rs")),
            ("a/with blank b/with blank", Some("with blank")),
            ("a/x b/x b/x b/x", Some("x b/x")),
            ("a/tail  b/tail ", Some("tail ")),
            (r#""a/\303\244 \"q\" \\.txt" "b/\303\244 \"q\" \\.txt""#, Some("ä \"q\" \\.txt")),
            (r#""a/tab\there" "b/tab\there""#, Some("tab\there")),
            // Two different files: only their own lines tell which.
            ("a/old b/new", None),
            ("a/x b/y b/z", None),
            (r#""a/\303\244" b/plain"#, None),
            (r#"a/plain "b/\303\244""#, None),
            // Not as Git writes it.
            ("x x", None),
            ("a/x b/x trailing", None),
            ("a/ b/", None),
            ("", None),
            (r#""a/open b/open"#, None),
            (r#""a/\xff" "b/\xff""#, None),
            (r#""a/\377" "b/\377""#, None),
            (r#""a/\40" "b/\40""#, None),
            (r#""a/x" "b/x" more"#, None),
        ] {
            assert_eq!(same_twice(line.as_bytes()).as_deref(), name, "{line}");
        }
    }

    #[test]
    fn the_lines_of_a_side_end_with_a_tab_where_a_name_has_a_blank() {
        let side = |line: &str| on_side(line.as_bytes(), b"a/");
        assert_eq!(side("a/x"), Some(Some("x".to_owned())));
        assert_eq!(side("a/with blank\t"), Some(Some("with blank".to_owned())));
        assert_eq!(side(r#""a/with\ttab""#), Some(Some("with\ttab".to_owned())));
        assert_eq!(side("\"a/w\\303\\251 th\"\t"), Some(Some("wé th".to_owned())));
        assert_eq!(side("/dev/null"), Some(None));
        assert_eq!(side("a//dev/null"), Some(Some("/dev/null".to_owned())));
        for bad in ["b/x", "x", "a/", r#""a/x""y""#, "\"a/x"] {
            assert_eq!(side(bad), None, "{bad}");
        }
        assert_eq!(bare(b"with blank"), Some("with blank".to_owned()));
        assert_eq!(bare(br#""\344\275\240""#), Some("\u{4f60}".to_owned()));
        assert_eq!(bare(b""), None);
    }
}
