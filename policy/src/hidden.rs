//! Characters that a reviewer does not see, or sees somewhere else than they are. A file with one of them could show one
//! policy to people and another to the server. Nothing here removes anything: the file is refused.

/// The first character of `text` that is not to be in a policy, with the text before it. Line ends are LF or CR LF, and a
/// byte order mark may begin the file: some editors write both.
pub(crate) fn first(text: &str) -> Option<(&str, char)> {
    let mut before = None;
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        let fine = match c {
            '\n' | '\t' => true,
            '\r' => rest.peek().is_some_and(|(_, next)| *next == '\n'),
            '\u{feff}' => at == 0,
            _ if is_selector(c) => before
                .is_some_and(|drawn: char| !drawn.is_ascii() && !is_selector(drawn) && drawn != '\u{feff}'),
            _ => !is_hidden(c),
        };
        if !fine {
            return text.get(..at).map(|before| (before, c));
        }
        before = Some(c);
    }
    None
}

/// What is wrong with such a character, for a message.
pub(crate) fn told(c: char) -> String {
    let what = match c {
        '\r' => "a carriage return without a line feed",
        '\u{85}' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}' => {
            "a line end that editors do not show as one"
        }
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a control of the writing direction, which shows text in another order"
        }
        _ if c.is_whitespace() => "a blank that is not the usual one",
        _ => "a character that is not seen",
    };
    format!(
        "U+{:04X}, {what}; delete it, and where a pattern means it, write `?` or an escape in double quotes",
        u32::from(c)
    )
}

fn is_hidden(c: char) -> bool {
    match c {
        ' ' => false,
        // Letters, marks and fillers that draw nothing.
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{ffa0}' => true,
        '\u{2800}' | '\u{180b}'..='\u{180f}' => true,
        // Marks of direction, zero-width characters, joiners, invisible operators, isolates.
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff0}'..='\u{fffb}' => true,
        // Notation and musical controls, and all of the plane of tags, where nothing else draws.
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        // Line and paragraph separators and every other blank than the usual one are white space.
        _ => c.is_control() || c.is_whitespace(),
    }
}

/// A variation selector belongs to the character before it, such as that of a coloured sign in a comment.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn what_editors_write_and_people_see_is_fine() {
        for text in
            ["", "a: b\r\nc: d\r\n", "\u{feff}a: b\n", "# \u{26a0}\u{fe0f} fa\u{e7}ade \u{4e2d}\u{6587}\tx\n"]
        {
            assert_eq!(first(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_character_that_is_not_seen_is_found_where_it_stands() {
        for c in "\r\0\u{b}\u{c}\u{1b}\u{7f}\u{85}\u{a0}\u{ad}\u{61c}\u{180e}\u{200b}\u{200d}\u{200f}\u{2028}\u{2029}\u{202e}\u{202f}\u{2060}\u{2066}\u{3000}\u{3164}\u{fe0f}\u{feff}\u{e0041}\u{e0100}"
            .chars()
        {
            for (before, after) in [("# a", "b\n"), ("tools: {deny: [\"a", "\"]}\n"), ("a\n", "")] {
                let text = format!("{before}{c}{after}");
                assert_eq!(first(&text), Some((before, c)), "{text:?}");
            }
        }
        assert_eq!(first("\u{feff}\u{feff}"), Some(("\u{feff}", '\u{feff}')), "once, at the beginning");
        assert_eq!(
            first("\u{e9}\u{fe0f}\u{fe0f}"),
            Some(("\u{e9}\u{fe0f}", '\u{fe0f}')),
            "one, not a row of them"
        );
    }
}
