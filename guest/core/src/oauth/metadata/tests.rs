//! The public documents, whole.

use super::*;
use crate::mcp::fake::World;

fn config(settings: &[(&'static str, &str)]) -> Config {
    let world = World::new();
    world.set("OAUTH_MODE", "true");
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com/");
    for (name, value) in settings {
        world.set(name, value);
    }
    Config::load(&world).unwrap()
}

#[test]
fn describes_each_resource_under_its_own_name() {
    for (path, named) in [
        ("", "https://mcp.example.com"),
        ("/mcp", "https://mcp.example.com/mcp"),
        ("/mcp/", "https://mcp.example.com/mcp/"),
        ("/mcp/sse", "https://mcp.example.com/mcp/sse"),
    ] {
        assert_eq!(
            resource(&config(&[]), path),
            json!({
                "resource": named,
                "resource_name": "AegisGitea-MCP",
                "authorization_servers": ["https://mcp.example.com"],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["read:repository", "write:repository"],
            })
        );
    }
}

#[test]
fn names_gitea_only_where_its_tokens_are_accepted() {
    let page = "https://docs.example.com/mcp";
    let config = config(&[("ACCEPT_GITEA_TOKENS", "true"), ("RESOURCE_DOCUMENTATION", page)]);
    let document = resource(&config, "/mcp");
    assert_eq!(
        document["authorization_servers"],
        json!(["https://mcp.example.com", "https://git.example.com"])
    );
    assert_eq!(document["resource_documentation"], page);
    assert_eq!(server(&config)["service_documentation"], page);
    assert_eq!(server(&config)["issuer"], "https://mcp.example.com", "tokens are ours all the same");
}

#[test]
fn describes_the_authorization_server() {
    let methods = json!(["none", "client_secret_basic", "client_secret_post"]);
    let mut expected = json!({
        "issuer": "https://mcp.example.com",
        "authorization_endpoint": "https://mcp.example.com/oauth/authorize",
        "token_endpoint": "https://mcp.example.com/oauth/token",
        "token_endpoint_auth_methods_supported": methods,
        "registration_endpoint": "https://mcp.example.com/register",
        "revocation_endpoint": "https://mcp.example.com/oauth/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "scopes_supported": ["read:repository", "write:repository"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
    });
    assert_eq!(server(&config(&[])), expected);
    expected.as_object_mut().unwrap().remove("registration_endpoint");
    assert_eq!(server(&config(&[("DCR_ENABLED", "false")])), expected, "nothing is offered that is closed");
}
