//! What clients may ask a token for: this server, under each name that it has (RFC 8707 section 2).
//!
//! A token names the origin as its audience whichever of them was asked for: they are one server.

use crate::settings::Config;

/// The paths under which MCP is served, each a resource of its own to clients that compare URLs.
pub const PATHS: [&str; 3] = ["/mcp", "/mcp/", "/mcp/sse"];

/// The resource named is not this server: `invalid_target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTarget;

/// The origin of this server as clients know it: the issuer, and the beginning of every URL that is handed out.
/// Settings with `OAUTH_MODE` and without `PUBLIC_BASE_URL` do not load, so it is never empty where it is used.
#[must_use]
pub fn origin(config: &Config) -> &str {
    config.public_base_url.as_deref().unwrap_or("")
}

/// Checks the parameter `resource`. Clients of the first revision do not send it.
///
/// # Errors
/// [`InvalidTarget`]: it names something else.
pub fn check(config: &Config, resource: Option<&str>) -> Result<(), InvalidTarget> {
    let Some(resource) = resource else { return Ok(()) };
    let ours = origin(config);
    let named = normal(resource).ok_or(InvalidTarget)?;
    let path = named.strip_prefix(ours).filter(|_| !ours.is_empty()).ok_or(InvalidTarget)?;
    if path.is_empty() || path == "/" || PATHS.contains(&path) { Ok(()) } else { Err(InvalidTarget) }
}

/// Scheme and host in lower case and without the scheme's own port, as the setting has them (RFC 3986 sections
/// 6.2.2.1 and 6.2.3). The path stays as it is.
fn normal(resource: &str) -> Option<String> {
    let (scheme, rest) = resource.split_once("://")?;
    let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    let scheme = scheme.to_ascii_lowercase();
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(own_port).unwrap_or(authority).to_ascii_lowercase();
    Some(format!("{scheme}://{authority}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::fake::World;

    fn config(base: &str) -> Config {
        let world = World::new();
        world.set("PUBLIC_BASE_URL", base);
        Config::load(&world).unwrap()
    }

    #[test]
    fn names_this_server_by_its_origin_or_by_a_path_of_mcp() {
        let config = config("https://mcp.example.com");
        assert_eq!(check(&config, None), Ok(()));
        for resource in [
            "https://mcp.example.com",
            "https://mcp.example.com/",
            "https://mcp.example.com/mcp",
            "https://mcp.example.com/mcp/",
            "https://mcp.example.com/mcp/sse",
            "HTTPS://MCP.Example.com/mcp",
            "https://mcp.example.com:443/mcp",
        ] {
            assert_eq!(check(&config, Some(resource)), Ok(()), "{resource}");
        }
    }

    #[test]
    fn refuses_every_other_resource() {
        let config = config("https://mcp.example.com");
        for resource in [
            "",
            "mcp.example.com",
            "/mcp",
            "http://mcp.example.com/mcp",
            "https://mcp.example.com:8443/mcp",
            "https://mcp.example.com.evil.example/mcp",
            "https://mcp.example.com@evil.example/mcp",
            "https://evil.example/mcp",
            "https://mcp.example.com/MCP",
            "https://mcp.example.com//mcp",
            "https://mcp.example.com/mcp?x",
            "https://mcp.example.com/mcp#x",
            "https://mcp.example.com?x",
            "https://mcp.example.com/mcp/tools",
            "https://mcp.example.com/mcp/sse/",
            "https://mcp.example.com https://mcp.example.com",
            "https://mcp.example.com:80",
        ] {
            assert_eq!(check(&config, Some(resource)), Err(InvalidTarget), "{resource}");
        }
    }

    #[test]
    fn compares_ports_that_are_part_of_the_origin() {
        let config = config("http://127.0.0.1:8080");
        assert_eq!(check(&config, Some("http://127.0.0.1:8080/mcp")), Ok(()));
        assert_eq!(check(&config, Some("http://127.0.0.1/mcp")), Err(InvalidTarget));
        assert_eq!(check(&config, Some("http://127.0.0.1:80801/mcp")), Err(InvalidTarget));
        assert_eq!(check(&config, Some("http://localhost:8080/mcp")), Err(InvalidTarget));
    }
}
