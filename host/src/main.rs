//! The host of AegisGitea-MCP: runs the guest in a sandbox, holds keys, volumes and network.
//!
//! `aegis-mcp serve` is the server; the other commands look at its parts. Exit codes: 0 done, 1 failed, 2 wrong
//! usage, 64 wrong settings or policy, 69 no server answers, 75 somebody else holds the audit log (sysexits.h).

mod admin;
mod anchor;
mod aside;
mod audit;
mod automation;
mod budget;
mod command;
mod compiled;
mod component;
mod counters;
mod documents;
mod early;
mod egress;
mod floods;
mod generation;
mod guest;
mod https;
mod instance;
mod jobs;
mod long_work;
mod look;
mod mailbox;
mod mend;
mod metrics;
mod otlp;
mod own;
mod policy;
mod ports;
mod push;
mod regular;
mod reload;
mod seals;
mod serve;
mod settings;
mod shared;
mod sign_in;
mod standing;
mod store;
mod swap;
mod ticket;
mod trace;
mod upstream;
mod watch;
mod way;
mod writes;

use std::process::ExitCode;

use clap::Parser as _;

/// musl's allocator loses a third of the throughput under load (docs/decisions/006).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    no_core_dumps();
    command::run(command::Cli::parse())
}

/// A memory image would hold every key and token of this process.
fn no_core_dumps() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // Where even that is refused there is nothing to be done about it, and the limit is likely zero already.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}
