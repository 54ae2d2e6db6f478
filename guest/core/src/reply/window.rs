//! Some lines of a text, cut at line ends.

use serde_json::{Map, Value};

/// Which lines are wanted, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The first; without it, the first of the text.
    pub start: Option<u64>,
    /// The last; without it, the last of the text.
    pub end: Option<u64>,
}

/// A text and the lines wanted of it.
#[derive(Debug)]
pub(super) struct Window {
    whole: String,
    lines: Lines,
}

impl Window {
    pub(super) fn new(whole: String, lines: Lines) -> Self {
        Self { whole, lines }
    }

    pub(super) fn whole(&self) -> &str {
        &self.whole
    }

    /// The wanted lines of the cleaned text, as many as fit into `characters`; and what was cut.
    pub(super) fn cut(&self, cleaned: &str, characters: usize) -> (Map<String, Value>, Option<String>) {
        let total = count(cleaned.split_inclusive('\n').count());
        let start = self.lines.start.unwrap_or(1).max(1);
        let last = self.lines.end.unwrap_or(total).min(total);
        let mut kept = Kept { content: String::new(), left: characters, end: start.saturating_sub(1) };
        let skipped = usize::try_from(start.saturating_sub(1)).unwrap_or(usize::MAX);
        let mut cut = None;
        for line in cleaned.split_inclusive('\n').skip(skipped) {
            if kept.end >= last {
                break;
            }
            if let Err(reason) = kept.take(line) {
                cut = Some(reason);
                break;
            }
        }
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("content", kept.content.into());
        put("total_lines", total.into());
        if kept.end >= start {
            put("start_line", start.into());
            put("end_line", kept.end.into());
        }
        let next = kept.end.saturating_add(1);
        if cut.is_some() && next <= total {
            put("next_start_line", next.into());
        }
        let beyond = start > total.max(1);
        let told = cut.map(|how| how.told(next, total, characters));
        (
            fields,
            told.or_else(|| beyond.then(|| format!("start_line={start} is beyond the last line, {total}"))),
        )
    }
}

struct Kept {
    content: String,
    left: usize,
    end: u64,
}

/// Where a text was cut.
enum Cut {
    BetweenLines,
    WithinLine,
}

impl Kept {
    /// Keep a line if it fits. A first line that alone is too long is kept in part: else nothing could be read.
    fn take(&mut self, line: &str) -> Result<(), Cut> {
        match aegis_redaction::bound(line, self.left) {
            None => {
                self.left = self.left.saturating_sub(line.chars().count());
                self.content.push_str(line);
                self.end = self.end.saturating_add(1);
                Ok(())
            }
            Some(part) if self.content.is_empty() => {
                self.content.push_str(part);
                self.end = self.end.saturating_add(1);
                Err(Cut::WithinLine)
            }
            Some(_) => Err(Cut::BetweenLines),
        }
    }
}

impl Cut {
    fn told(&self, next: u64, total: u64, characters: usize) -> String {
        let rest = if next <= total {
            format!("; ask for start_line={next} to go on behind it")
        } else {
            String::new()
        };
        match self {
            Self::BetweenLines => format!("content ends before line {next} of {total}{rest}"),
            Self::WithinLine => format!(
                "content holds the first {characters} characters of a longer line (MAX_TOOL_RESPONSE_CHARS), the rest \
                 of which is in Gitea{rest}"
            ),
        }
    }
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}
