//! Pure custody logic of AegisGitea-MCP: the audit line, its chain and its verification.

pub mod egress;
