//! The host of AegisGitea-MCP: runs the guest in a sandbox, holds keys, volumes and network.

fn main() {}
