//! Black-box tests of AegisGitea-MCP and the sample Gitea they run against.
