//! The paths that exist, and nothing about them.
//!
//! Paths are compared byte by byte: no decoding, no slashes merged, no letters folded. `/health`, `/ready` and
//! `/metrics` are the host's and never arrive here.

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/`.
    Root,
    /// `/mcp/tools`.
    Tools,
    /// The MCP endpoint, under the name it was called by.
    Mcp(&'static str),
    /// `/mcp/tool/call`.
    DirectCall,
    /// Any other path.
    Other,
}

impl Route {
    /// The route of a path.
    pub(super) fn of(path: &str) -> Self {
        match path {
            "/" => Self::Root,
            "/mcp/tools" => Self::Tools,
            // Clients treat `/mcp/` as another URL and do not follow a redirect on POST.
            "/mcp" | "/mcp/" => Self::Mcp("/mcp"),
            "/mcp/sse" => Self::Mcp("/mcp/sse"),
            "/mcp/tool/call" => Self::DirectCall,
            _ => Self::Other,
        }
    }

    /// The name under which the request is counted; never something a client made up.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Tools => "/mcp/tools",
            Self::Mcp(template) => template,
            Self::DirectCall => "/mcp/tool/call",
            Self::Other => "other",
        }
    }

    /// Methods for `Allow` (RFC 9110 section 10.2.1).
    pub(super) fn allow(self) -> &'static str {
        match self {
            Self::Root | Self::Tools => "GET, HEAD",
            Self::Mcp(_) | Self::DirectCall => "POST",
            Self::Other => "",
        }
    }
}
