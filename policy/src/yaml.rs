//! A small, strict reading of YAML: mappings with plain text keys, lists and scalars, each with its place.
//!
//! It is built on the event parser beneath `serde-saphyr` rather than on serde, because a policy needs what
//! deserialization throws away: the place of every key, the difference between `no` and `"no"`, the tags, and
//! all mistakes at once instead of the first.
//!
//! Refused, since each has let one file mean two things: anchors, aliases, merge keys, tags, directives, tabs,
//! several documents, keys that are not text, a key written twice, and characters that nobody sees. Size, depth and number of nodes are
//! bounded before anything grows with the input. Nothing here knows what a policy is.

use crate::hidden;
use crate::problem::{At, Problem, Problems, quoted};
use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::collections::BTreeMap;

/// Largest file, in bytes.
const FILE_BYTES: usize = 256 * 1024;

/// Most scalars, lists and mappings together, keys not counted.
const NODES: u32 = 20_000;

/// Deepest nesting of lists and mappings.
const DEPTH: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A scalar. `plain`: it was written without quotes and not as a block.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: At,
    pub(crate) key: String,
    pub(crate) value: Node,
}

/// Read one document.
///
/// # Errors
///
/// Every problem found. A syntax error ends the reading, so it comes last.
pub(crate) fn read(source: &[u8]) -> Result<Node, Vec<Problem>> {
    let mut problems = Problems::default();
    let Some(text) = acceptable(source, &mut problems) else {
        return Err(problems.or(()).err().unwrap_or_default());
    };
    let mut reader = Reader { source: text, parser: parser(text), nodes: 0, problems };
    let node = reader.document();
    reader.problems.or(node)?.map_err(|Abandoned| Vec::new())
}

/// The parse was given up; the reason is among the problems.
struct Abandoned;

/// The source as text, if its size, encoding, characters and blanks are acceptable.
fn acceptable<'s>(source: &'s [u8], problems: &mut Problems) -> Option<&'s str> {
    if source.len() > FILE_BYTES {
        problems.add(At::START, format!("the file is larger than {} KiB", FILE_BYTES / 1024));
        return None;
    }
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let good = source.get(..error.valid_up_to()).unwrap_or_default();
            let at = end_of(&String::from_utf8_lossy(good));
            problems.add(at, "this is not UTF-8; save the file in that encoding");
            return None;
        }
    };
    if let Some((before, c)) = hidden::first(text) {
        problems.add(end_of(before), hidden::told(c));
        return None;
    }
    for (line, number) in text.lines().zip(1_u32..) {
        let before_comment = line.split('#').next().unwrap_or_default();
        if let Some(column) = before_comment.chars().position(|c| c == '\t') {
            let at = At { line: number, column: count(column).saturating_add(1) };
            problems.add(at, "a tab; YAML is indented and spaced with blanks alone");
            return None;
        }
    }
    Some(text)
}

/// The place just after `text`.
fn end_of(text: &str) -> At {
    let last = text.rsplit('\n').next().unwrap_or_default();
    At {
        line: count(text.matches('\n').count()).saturating_add(1),
        column: count(last.chars().count()).saturating_add(1),
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = Options::default();
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.emit_anchor_events = true;
    options.set_emit_comments(false);
    // Deeper than DEPTH, which speaks first, but bounded for the parser's own sake.
    options.flow_nesting_limit = DEPTH.saturating_mul(4);
    options.block_nesting_limit = DEPTH.saturating_mul(4);
    Parser::new_from_str_with_options(text, options)
}

struct Reader<'s> {
    source: &'s str,
    parser: Parser<'s, StrInput<'s>>,
    nodes: u32,
    problems: Problems,
}

impl<'s> Reader<'s> {
    fn document(&mut self) -> Result<Node, Abandoned> {
        let (mut event, mut at) = self.next()?;
        if event == Event::StreamStart {
            (event, at) = self.next()?;
        }
        if !matches!(event, Event::DocumentStart(..)) {
            return self
                .give_up(at, "the file is empty; delete the setting that names it to use the default");
        }
        let (event, at) = self.next()?;
        let node = self.node(event, at, 0)?;
        let (event, at) = self.next()?;
        if event != Event::DocumentEnd {
            return self.give_up(at, "the document should end here");
        }
        let (event, at) = self.next()?;
        if event != Event::StreamEnd {
            return self.give_up(at, "a second document begins here; a file holds one");
        }
        Ok(node)
    }

    fn node(&mut self, event: Event<'s>, at: At, depth: usize) -> Result<Node, Abandoned> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES {
            return self.give_up(at, format!("the file holds more than {NODES} values"));
        }
        if depth > DEPTH {
            return self.give_up(at, format!("nested deeper than {DEPTH} levels"));
        }
        let deeper = depth.saturating_add(1);
        let value = match event {
            Event::Scalar(text, style, _, _) => {
                Value::Text { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(deeper)?,
            Event::MappingStart(..) => self.map(deeper)?,
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.problems
                    .add(at, "an alias (`*name`); write the value out, or quote text beginning with `*`");
                Value::Text { text: String::new(), plain: false }
            }
            // Starts and ends out of place, and (the enum is open) whatever a later parser adds.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::SequenceEnd
            | Event::MappingEnd
            | _ => return self.give_up(at, "a value should stand here"),
        };
        Ok(Node { at, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Abandoned> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, at) => items.push(self.node(event, at, depth)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Abandoned> {
        let mut entries = Vec::new();
        let mut seen = BTreeMap::new();
        loop {
            let (event, at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                key => key,
            };
            let key = self.key(event, at, depth)?;
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth)?;
            let Some(key) = key else { continue };
            if let Some(first) = seen.insert(key.clone(), at.line) {
                let message =
                    format!("the key {} is already on line {first}; keep one of them", quoted(&key));
                self.problems.add(at, message);
            }
            entries.push(Entry { at, key, value });
        }
    }

    /// The text of a key; none, and a problem, where it is something else.
    fn key(&mut self, event: Event<'s>, at: At, depth: usize) -> Result<Option<String>, Abandoned> {
        match self.node(event, at, depth)?.value {
            Value::Text { text, plain: true } if text == "<<" => {
                self.problems.add(at, "a merge key (`<<`); write the merged lines out");
                Ok(None)
            }
            Value::Text { text, .. } => Ok(Some(text)),
            Value::List(_) | Value::Map(_) => {
                self.problems.add(at, "a list or mapping as a key; keys are text");
                Ok(None)
            }
        }
    }

    /// The next event that is part of the tree. Tags and anchors become problems on the way.
    fn next(&mut self) -> Result<(Event<'s>, At), Abandoned> {
        loop {
            let (event, span) = match self.parser.next() {
                Some(Ok(next)) => next,
                Some(Err(error)) => return self.syntax(&error),
                None => return self.give_up(end_of(self.source), "the file ends in the middle of something"),
            };
            let at = place(&span);
            if event.tag().is_some() {
                let at = span.tag_start().map_or(at, |mark| at_mark(mark.line(), mark.col()));
                self.problems
                    .add(at, "a tag (`!name`); values have one type here: quote text beginning with `!`");
            }
            if matches!(event, Event::Anchor(..)) {
                self.problems
                    .add(at, "an anchor (`&name`); write values out, or quote text beginning with `&`");
                continue;
            }
            return Ok((event, at));
        }
    }

    fn syntax<T>(&mut self, error: &ScanError) -> Result<T, Abandoned> {
        let mark = error.marker();
        let mut message = format!("not YAML: {}", error.info());
        if let Some(c @ ('*' | '&' | '!' | '@' | '`' | '%')) = self.source.chars().nth(mark.index()) {
            message = format!("{message}; text beginning with `{c}` must stand in quotes");
        }
        self.give_up(at_mark(mark.line(), mark.col()), message)
    }

    fn give_up<T>(&mut self, at: At, message: impl Into<String>) -> Result<T, Abandoned> {
        self.problems.add(at, message);
        Err(Abandoned)
    }
}

fn place(span: &Span) -> At {
    at_mark(span.start.line(), span.start.col())
}

/// The parser counts lines from 1 and columns from 0.
fn at_mark(line: usize, column: usize) -> At {
    At { line: count(line).max(1), column: count(column).saturating_add(1) }
}
