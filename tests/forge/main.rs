//! The sample Gitea as a program.

fn main() {}
