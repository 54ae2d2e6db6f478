//! The YAML policy of AegisGitea-MCP: a document and a request in, a decision with reasons out.
