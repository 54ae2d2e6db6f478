//! The host of AegisGitea-MCP: runs the guest in a sandbox, holds keys, volumes and network.
//!
//! `aegis-mcp serve` is the server; the other commands look at its parts. Exit codes: 0 done, 1 failed, 2 wrong
//! usage, 64 wrong settings or policy, 75 somebody else holds the audit log (sysexits.h).

mod audit;
mod budget;
mod command;
mod compiled;
mod component;
mod counters;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the login begins to use it next"))]
mod documents;
mod egress;
mod floods;
mod guest;
mod instance;
mod metrics;
mod ports;
mod serve;
mod settings;
mod shared;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the login begins to use it next"))]
mod store;
mod ticket;

use std::process::ExitCode;

use clap::Parser as _;

/// musl's allocator loses a third of the throughput under load (docs/decisions/006).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::run(command::Cli::parse())
}
