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
    /// `/automation/webhook`.
    Webhook,
    /// `/automation/jobs/run`.
    RunJob,
    /// A step of signing in.
    SignIn(Step),
    /// Any other path.
    Other,
}

/// What there is besides where people sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// RFC 9728 for the resource at this path of the origin; empty for the origin itself.
    ResourceMetadata(&'static str),
    /// RFC 8414, at this path.
    ServerMetadata(&'static str),
    /// Client registration, at this path.
    Register(&'static str),
    /// Where a person approves, at this path.
    Authorize(&'static str),
    /// Where Gitea sends the browser back to.
    Callback,
    /// The token endpoint, at this path.
    Token(&'static str),
    /// Token revocation.
    Revoke,
}

/// Who reads the answers of a route, refusals included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A program that reads `{"error": name, "message": text}`.
    Plain,
    /// A script that makes direct calls.
    Direct,
    /// An OAuth client.
    Client,
    /// A person in front of a browser.
    Person,
}

impl Route {
    /// The route of a path. Where people do not sign in, nothing that belongs to it exists.
    pub(super) fn of(path: &str, sign_in: bool) -> Self {
        match path {
            "/" => Self::Root,
            "/mcp/tools" => Self::Tools,
            // Clients treat `/mcp/` as another URL and do not follow a redirect on POST.
            "/mcp" => Self::Mcp("/mcp"),
            "/mcp/" => Self::Mcp("/mcp/"),
            "/mcp/sse" => Self::Mcp("/mcp/sse"),
            "/mcp/tool/call" => Self::DirectCall,
            "/automation/webhook" => Self::Webhook,
            "/automation/jobs/run" => Self::RunJob,
            _ => Step::of(path).filter(|_| sign_in).map_or(Self::Other, Self::SignIn),
        }
    }

    /// The name under which the request is counted; never something a client made up.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Tools => "/mcp/tools",
            Self::Mcp("/mcp/") => "/mcp",
            Self::Mcp(template) => template,
            Self::DirectCall => "/mcp/tool/call",
            Self::Webhook => "/automation/webhook",
            Self::RunJob => "/automation/jobs/run",
            Self::SignIn(step) => step.template(),
            Self::Other => "other",
        }
    }

    /// Methods for `Allow` (RFC 9110 section 10.2.1).
    pub(super) fn allow(self) -> &'static str {
        match self {
            Self::Root | Self::Tools => "GET, HEAD",
            Self::Mcp(_) => "GET, POST",
            Self::DirectCall | Self::Webhook | Self::RunJob => "POST",
            Self::SignIn(step) => step.allow(),
            Self::Other => "",
        }
    }

    /// Who reads its answers.
    pub(super) fn reader(self) -> Reader {
        match self {
            Self::DirectCall | Self::Webhook | Self::RunJob => Reader::Direct,
            Self::SignIn(Step::Register(_) | Step::Token(_) | Step::Revoke) => Reader::Client,
            Self::SignIn(Step::Authorize(_) | Step::Callback) => Reader::Person,
            Self::SignIn(Step::ResourceMetadata(_) | Step::ServerMetadata(_))
            | Self::Root
            | Self::Tools
            | Self::Mcp(_)
            | Self::Other => Reader::Plain,
        }
    }

    /// The path, below the origin, of the protected resource that a client of this route has to sign in for.
    pub(super) fn resource(self) -> &'static str {
        match self {
            Self::Mcp(path) => path,
            Self::Root
            | Self::Tools
            | Self::DirectCall
            | Self::Webhook
            | Self::RunJob
            | Self::SignIn(_)
            | Self::Other => "",
        }
    }
}

impl Step {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/.well-known/oauth-protected-resource" => Self::ResourceMetadata(""),
            "/.well-known/oauth-protected-resource/mcp" => Self::ResourceMetadata("/mcp"),
            "/.well-known/oauth-protected-resource/mcp/" => Self::ResourceMetadata("/mcp/"),
            "/.well-known/oauth-protected-resource/mcp/sse" => Self::ResourceMetadata("/mcp/sse"),
            "/.well-known/oauth-authorization-server" => {
                Self::ServerMetadata("/.well-known/oauth-authorization-server")
            }
            "/.well-known/openid-configuration" => Self::ServerMetadata("/.well-known/openid-configuration"),
            "/register" => Self::Register("/register"),
            "/oauth/register" => Self::Register("/oauth/register"),
            "/oauth/authorize" => Self::Authorize("/oauth/authorize"),
            "/authorize" => Self::Authorize("/authorize"),
            "/oauth/callback" => Self::Callback,
            "/oauth/token" => Self::Token("/oauth/token"),
            "/token" => Self::Token("/token"),
            "/oauth/revoke" => Self::Revoke,
            _ => return None,
        })
    }

    fn template(self) -> &'static str {
        match self {
            Self::ResourceMetadata("/mcp/sse") => "/.well-known/oauth-protected-resource/mcp/sse",
            Self::ResourceMetadata("/mcp" | "/mcp/") => "/.well-known/oauth-protected-resource/mcp",
            Self::ResourceMetadata(_) => "/.well-known/oauth-protected-resource",
            Self::ServerMetadata(path) | Self::Register(path) | Self::Authorize(path) | Self::Token(path) => {
                path
            }
            Self::Callback => "/oauth/callback",
            Self::Revoke => "/oauth/revoke",
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::ResourceMetadata(_) | Self::ServerMetadata(_) => "GET, HEAD",
            Self::Register(_) | Self::Token(_) | Self::Revoke => "POST",
            Self::Authorize(_) => "GET, HEAD, POST",
            // Coming back uses the sign-in up, which HEAD must not do (RFC 9110 section 9.2.1).
            Self::Callback => "GET",
        }
    }
}
