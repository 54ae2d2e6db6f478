//! Blocks of commands that are marked to be run, and what is said about them. Above a block stands one of
//!
//! - `<!-- run: SCENE -->`: run it in that scene, with all blocks of the document that name the same one, in their order; it
//!   succeeds. `exit=N` behind it: it ends with that code;
//! - `<!-- first: COMMANDS -->` above that: what has to be there before, of which the document need not speak;
//! - `<!-- says -->`: the block before it has said these lines, in which `…` stands for anything;
//! - `<!-- file: NAME -->`: what is in the block is in that file, in every scene of the document.

use super::markdown::{self, Block};

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Put text into a file.
    File(String, String),
    /// Run commands.
    Run(Run),
}

/// Commands to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where.
    pub scene: String,
    /// Commands that come first, and succeed.
    pub first: Vec<String>,
    /// The commands, for a shell.
    pub commands: String,
    /// What the shell has to end with.
    pub exit: i32,
    /// Lines that must have been said.
    pub says: Vec<String>,
    /// The line of the block in its document.
    pub line: usize,
}

/// The steps of a document.
///
/// # Panics
/// A mark cannot be understood.
#[must_use]
pub fn steps(text: &str) -> Vec<Step> {
    let mut found = Vec::new();
    for block in markdown::blocks(text) {
        let Some((mark, before)) = block.marks.split_last() else { continue };
        let (word, rest) = mark.split_once(':').unwrap_or((mark, ""));
        match word {
            "run" => found.push(Step::Run(run(&block, before, rest.trim()))),
            "says" => {
                let Some(Step::Run(run)) = found.last_mut() else {
                    panic!("line {}: nothing was run before", block.line)
                };
                run.says = block.text.lines().map(str::to_owned).collect();
            }
            "file" => found.push(Step::File(rest.trim().to_owned(), block.text)),
            _ => {}
        }
    }
    found
}

fn run(block: &Block, before: &[String], words: &str) -> Run {
    assert_eq!(block.language, "sh", "line {}: commands are for sh", block.line);
    let mut words = words.split_whitespace();
    let scene = words.next().unwrap_or_else(|| panic!("line {}: which scene?", block.line)).to_owned();
    let mut exit = 0;
    for word in words {
        let code = word.strip_prefix("exit=").and_then(|code| code.parse().ok());
        exit = code.unwrap_or_else(|| panic!("line {}: {word} means nothing", block.line));
    }
    let first = before.iter().map(|mark| {
        let first = mark.strip_prefix("first:");
        first.unwrap_or_else(|| panic!("line {}: {mark} means nothing", block.line)).trim().to_owned()
    });
    let first = first.collect();
    Run { scene, first, commands: block.text.clone(), exit, says: Vec::new(), line: block.line }
}

/// Whether a line was said, where an ellipsis stands for anything.
#[must_use]
pub fn was_said(line: &str, said: &str) -> bool {
    said.lines().any(|said| {
        let mut rest = Some(said);
        for (nth, part) in line.split('…').enumerate() {
            rest = rest.and_then(|rest| {
                let at = rest.find(part)?;
                (nth > 0 || at == 0).then(|| rest.get(at + part.len()..)).flatten()
            });
        }
        rest.is_some_and(|rest| rest.is_empty() || line.ends_with('…'))
    })
}
