//! Secrets and hostile characters taken out of text that leaves AegisGitea-MCP.
