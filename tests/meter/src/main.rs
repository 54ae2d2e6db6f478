//! The redactor alone, as a program for the sandbox: `host/tests/fuel.rs` counts the instructions that it takes.
//!
//! The first line of the input is the mode, the rest is the text. What it says is how many secrets it found and how
//! many hostile characters; `read` in place of a mode finds nothing, which is what reading alone costs.

use std::io::Read as _;
use std::process::ExitCode;

use aegis_redaction::{Mode, Redactor};

fn main() -> ExitCode {
    let mut input = String::new();
    if std::io::stdin().read_to_string(&mut input).is_err() {
        return ExitCode::FAILURE;
    }
    let Some((mode, text)) = input.split_once('\n') else { return ExitCode::FAILURE };
    if mode == "read" {
        print!("0 0");
        return ExitCode::SUCCESS;
    }
    let Ok(mode) = mode.parse::<Mode>() else { return ExitCode::FAILURE };
    let cleaned = Redactor::new(mode).clean(text);
    print!("{} {}", cleaned.secrets, cleaned.hostile);
    ExitCode::SUCCESS
}
