//! YAML as a stream of scalars, each with the way to it. Nothing is built, so no document takes more room than its
//! longest way; aliases are not followed, so none multiplies.

use granit_parser::{Event, Options, Parser};

use super::super::sheet::Malformed;

/// Deepest nesting.
const DEPTH: usize = 48;
/// Most values and keys of one file.
const NODES: u32 = 400_000;

/// One step of the way to a value.
#[derive(Debug)]
enum Step {
    /// In a mapping; none between its entries.
    Key(Option<String>),
    Item,
}

/// The way to a value.
pub(super) struct Way<'s>(&'s [Step]);

impl Way<'_> {
    /// Whether it is this way, where `*` is any key and `[]` an entry of a list.
    pub(super) fn is(&self, pattern: &[&str]) -> bool {
        self.0.len() == pattern.len()
            && self.0.iter().zip(pattern).all(|(step, wanted)| match step {
                Step::Item => *wanted == "[]",
                Step::Key(key) => *wanted == "*" || key.as_deref() == Some(*wanted),
            })
    }

    /// The key at this place, counted from 0.
    pub(super) fn key(&self, nth: usize) -> &str {
        match self.0.get(nth) {
            Some(Step::Key(Some(key))) => key,
            Some(Step::Key(None) | Step::Item) | None => "",
        }
    }
}

/// Give every scalar with its way and line. One without a value is told as an empty text.
pub(super) fn walk(text: &str, on: &mut dyn FnMut(&Way<'_>, &str, u64)) -> Result<(), Malformed> {
    let mut options = Options::default();
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = DEPTH;
    options.block_nesting_limit = DEPTH;
    let mut steps: Vec<Step> = Vec::new();
    let mut nodes = 0_u32;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| {
            Malformed(format!("it is not YAML that can be read (line {})", error.marker().line().max(1)))
        })?;
        nodes = nodes.saturating_add(1);
        if nodes > NODES || steps.len() > DEPTH {
            return Err(Malformed("it holds more than is read of one file".to_owned()));
        }
        let line = u64::try_from(span.start.line()).unwrap_or(u64::MAX).max(1);
        match event {
            Event::Scalar(text, ..) => match steps.last_mut() {
                Some(Step::Key(key @ None)) => *key = Some(text.into_owned()),
                Some(Step::Key(Some(_)) | Step::Item) | None => {
                    on(&Way(&steps), &text, line);
                    done(&mut steps);
                }
            },
            Event::Alias(..) | Event::UnresolvedAlias(..) => {
                if let Some(Step::Key(key @ None)) = steps.last_mut() {
                    *key = Some(String::new());
                } else {
                    done(&mut steps);
                }
            }
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if matches!(steps.last(), Some(Step::Key(None))) {
                    return Err(Malformed(format!("a key in it is no text (line {line})")));
                }
                let list = matches!(event, Event::SequenceStart(..));
                steps.push(if list { Step::Item } else { Step::Key(None) });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                steps.pop();
                done(&mut steps);
            }
            // Starts and ends of documents, and (the enum is open) whatever a later parser adds.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..)
            | _ => {}
        }
    }
    Ok(())
}

/// The value of a key is there: the next scalar is a key.
fn done(steps: &mut [Step]) {
    if let Some(Step::Key(key)) = steps.last_mut() {
        *key = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Result<Vec<String>, Malformed> {
        let mut told = Vec::new();
        walk(text, &mut |way, value, line| {
            let list = way.is(&["a", "[]", "b"]);
            told.push(format!("{} {value} {line} {list}", way.key(0)));
        })?;
        Ok(told)
    }

    #[test]
    fn every_scalar_has_its_way_and_line() {
        let text = "a:\n  - b: 1\n    c: 2\n  - {b: x}\nd: &e y\nf: *e\n'g h': |\n  z\n";
        let expected = ["a 1 2 true", "a 2 3 false", "a x 4 true", "d y 5 false", "g h z\n 8 false"];
        assert_eq!(told(text).unwrap(), expected);
    }

    #[test]
    fn bombs_and_towers_take_no_more_than_they_are() {
        let bomb: String =
            (1..40).map(|nth| format!("a{nth}: &a{nth} [*a{}, *a{}]\n", nth - 1, nth - 1)).collect();
        assert_eq!(told(&format!("a0: &a0 x\n{bomb}")).unwrap(), ["a0 x 1 false"]);
        for tower in ["[".repeat(100_000), "{a: ".repeat(5_000), "- ".repeat(5_000), "? ".repeat(5_000)] {
            assert!(told(&tower).is_err());
        }
        assert!(told("a: [b").is_err() && told("{[a]: b}").is_err());
        assert_eq!(told("").unwrap(), [] as [&str; 0]);
    }
}
