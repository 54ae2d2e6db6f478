//! Where in a file something stands.

use std::collections::BTreeMap;

/// The starts of all lines.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, counted from 1.
    pub(super) fn at(&self, byte: usize) -> u64 {
        count(self.0.partition_point(|end| *end < byte)).saturating_add(1)
    }
}

/// Where the keys of a JSON text stand. `serde_json` does not say.
pub(super) struct Keys<'t>(BTreeMap<&'t str, Vec<u64>>);

impl<'t> Keys<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mut keys: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        let mut line = 1_u64;
        let mut rest = text;
        while let Some(at) = rest.find(['"', '\n']) {
            let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            let _ = head;
            if let Some(behind) = tail.strip_prefix('\n') {
                line = line.saturating_add(1);
                rest = behind;
                continue;
            }
            let inner = tail.get(1..).unwrap_or_default();
            let end = end_of_text(inner);
            let (word, behind) = inner.split_at_checked(end).unwrap_or((inner, ""));
            rest = behind.get(1..).unwrap_or_default();
            if rest.trim_start().starts_with(':') {
                keys.entry(word).or_default().push(line);
            }
        }
        Self(keys)
    }

    /// The line of `key` in the object called `section`: the first one behind that name.
    pub(super) fn line(&self, section: &str, key: &str) -> Option<u64> {
        let from = self.0.get(section).and_then(|lines| lines.first()).copied().unwrap_or(0);
        self.0.get(key)?.iter().copied().find(|line| *line >= from)
    }
}

/// Bytes of a JSON text up to the quote that ends it.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Lines of a text with their numbers.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1_u64..).zip(text.lines())
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::of("a\nbc\n\nd");
        let found: Vec<u64> = [0, 1, 2, 4, 5, 6, 99].into_iter().map(|at| lines.at(at)).collect();
        assert_eq!(found, [1, 1, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn keys_are_found_behind_their_section() {
        let keys =
            Keys::of("{\n \"a\": \"x\",\n \"s\": {\n  \"a\" : 1,\n  \"q\\\"\": 2\n }, \"v\": [\"a\"]\n}");
        assert_eq!(
            (keys.line("s", "a"), keys.line("none", "a"), keys.line("s", "b")),
            (Some(4), Some(2), None)
        );
        assert_eq!((keys.line("s", "q\\\""), keys.line("s", "v")), (Some(5), Some(6)));
        for odd in ["\"", "\"\\", "\"a", "", ":::", "\"a\""] {
            assert_eq!(Keys::of(odd).line("", "a"), None, "{odd}");
        }
    }
}
