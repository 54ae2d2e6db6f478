//! The product logic of AegisGitea-MCP behind ports: MCP, tools, policy gate, replies.
