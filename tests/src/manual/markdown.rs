//! As much of Markdown as these documents use: headings, links and fenced blocks, outside of code.

use std::ops::Range;

/// A link `[text](target)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What is shown.
    pub text: String,
    /// Where it leads, as written.
    pub target: String,
    /// Where it stands, from the opening bracket to the closing one.
    pub at: Range<usize>,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The word behind the fence.
    pub language: String,
    /// Its lines, without what they stand in by.
    pub text: String,
    /// The comments `<!-- … -->` on the lines directly above it.
    pub marks: Vec<String>,
    /// The line of its fence, counted from 1.
    pub line: usize,
}

/// The lines of a text with where they begin; lines of fenced blocks are left out.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at, mut fenced) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.push((at, line));
        }
        at += line.len();
    }
    found
}

/// The names by which headings are reached, as Gitea makes them: letters, digits, `_` and `-` stay, a blank becomes `-`,
/// anything else goes; a name that is there already gets a number.
#[must_use]
pub fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        let level = line.len() - title.len();
        if !(1..=6).contains(&level) || !title.starts_with(' ') {
            continue;
        }
        let keep = |c: char| match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_lowercase().to_string()),
            c if c.is_whitespace() => Some("-".to_owned()),
            _ => None,
        };
        let name: String = title.trim().chars().filter_map(keep).collect();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !found.contains(name));
        found.extend(free);
    }
    found
}

/// The links of a text.
#[must_use]
pub fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (start, line) in prose(text) {
        let hidden = code_spans(line);
        let is_code = |at: usize| hidden.iter().any(|span| span.contains(&at));
        let mut from = 0;
        while let Some(middle) = line.get(from..).and_then(|rest| rest.find("](")).map(|at| at + from) {
            from = middle + 2;
            let Some(open) = opening(line, middle).filter(|_| !is_code(middle)) else { continue };
            let Some(length) = line.get(from..).and_then(|rest| rest.find(')')) else { continue };
            found.push(Link {
                text: line[open + 1..middle].to_owned(),
                target: line[from..from + length].to_owned(),
                at: start + open..start + from + length + 1,
            });
            from += length + 1;
        }
    }
    found
}

/// The bracket that the one at `close` closes.
fn opening(line: &str, close: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in line[..close].char_indices().rev() {
        match c {
            ']' => depth += 1,
            '[' if depth == 0 => return Some(at),
            '[' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Where code stands in a line: between runs of equally many backticks.
fn code_spans(line: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(open) = line.get(at..).and_then(|rest| rest.find('`')).map(|found| found + at) {
        let ticks = line[open..].bytes().take_while(|byte| *byte == b'`').count();
        let run = "`".repeat(ticks);
        let mut close = open + ticks;
        let end = loop {
            let Some(next) = line.get(close..).and_then(|rest| rest.find(&run)).map(|found| found + close)
            else {
                break None;
            };
            let length = line[next..].bytes().take_while(|byte| *byte == b'`').count();
            if length == ticks {
                break Some(next + ticks);
            }
            close = next + length;
        };
        match end {
            Some(end) => {
                found.push(open..end);
                at = end;
            }
            None => at = open + ticks,
        }
    }
    found
}

/// The fenced blocks of a text.
///
/// # Panics
/// A block is not closed.
#[must_use]
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut marks) = (Vec::new(), Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(language) = line.trim_start().strip_prefix("```") else {
            let mark = line.trim().strip_prefix("<!--").and_then(|line| line.strip_suffix("-->"));
            match mark {
                Some(mark) => marks.push(mark.trim().to_owned()),
                None => marks.clear(),
            }
            continue;
        };
        let mut inner = String::new();
        loop {
            let (_, line) =
                lines.next().unwrap_or_else(|| panic!("the block of line {} is not closed", number + 1));
            if line.trim_start().starts_with("```") {
                break;
            }
            inner.push_str(line.get(indent..).unwrap_or_else(|| line.trim_start()));
            inner.push('\n');
        }
        let (language, marks) = (language.trim().to_owned(), std::mem::take(&mut marks));
        found.push(Block { language, text: inner, marks, line: number + 1 });
    }
    found
}
