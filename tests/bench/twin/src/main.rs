//! `aegis-bench`: measures the built server against what it would be without a sandbox.
//!
//! One program in several roles, so that all that is compared is built alike: `run` starts and measures, `times` measures
//! the timed clauses of the attacks alone, `dear` the calls that take much, `secrets` redaction alone, `twin` is the product's core behind native
//! ports, `fixed` answers one file to everybody, `stock` some files to whoever asks for them. It is no part of the
//! product and may link `aegis-core`, which no other test may.

mod dear;
mod fixed;
mod load;
mod process;
mod report;
mod rounds;
mod run;
mod secrets;
mod start;
mod times;
mod twin;

use std::path::PathBuf;
use std::process::ExitCode;

/// Whatever stops a measurement; it is told and ends the program.
type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, Error>;

/// As in the host, so that the allocator is no difference between the two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: aegis-bench run|times|dear DIST OUTPUT.json | secrets OUTPUT.json [KINGFISHER] | twin | fixed FILE THREADS | \
     stock FOLDER";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run", dist, output] => run::run(&PathBuf::from(dist), &PathBuf::from(output)),
        ["times", dist, output] => run::times_alone(&PathBuf::from(dist), &PathBuf::from(output)),
        ["dear", dist, output] => run::dear_alone(&PathBuf::from(dist), &PathBuf::from(output)),
        ["secrets", output] => secrets::run(&PathBuf::from(output), None),
        ["secrets", output, kingfisher] => {
            secrets::run(&PathBuf::from(output), Some(&PathBuf::from(kingfisher)))
        }
        ["stock", folder] => dear::serve(&PathBuf::from(folder)),
        ["twin"] => twin::serve(),
        ["fixed", file, threads] => fixed::serve(&PathBuf::from(file), threads),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aegis-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
