//! The public documents by which clients find their way: RFC 9728 for this server as a resource, RFC 8414 for
//! it as an authorization server.
//!
//! Every URL is the origin of the settings with a path behind it, byte for byte: clients compare the issuer and
//! the resource with what they used to get here. Nothing of a request is repeated in them.

use serde_json::{Value, json};

use super::resource::origin;
use super::scope;
use crate::settings::Config;

/// How a client may prove itself.
const METHODS: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

/// RFC 9728 section 2, for the resource at this path of the origin; empty for the origin itself.
#[must_use]
pub fn resource(config: &Config, path: &str) -> Value {
    let ours = origin(config);
    let mut servers = vec![ours];
    if config.accept_gitea_tokens {
        servers.push(&config.gitea_url);
    }
    let mut document = json!({
        "resource": format!("{ours}{path}"),
        "resource_name": "AegisGitea-MCP",
        "authorization_servers": servers,
        "bearer_methods_supported": ["header"],
        "scopes_supported": scope::ALL,
    });
    if let (Some(page), Some(members)) = (&config.resource_documentation, document.as_object_mut()) {
        members.insert("resource_documentation".to_owned(), page.as_str().into());
    }
    document
}

/// RFC 8414 section 2. The same document stands at the path of OpenID Connect discovery, where some clients look
/// first; it claims nothing of OpenID Connect, for no ID token is issued here.
#[must_use]
pub fn server(config: &Config) -> Value {
    let ours = origin(config);
    let mut document = json!({
        "issuer": ours,
        "authorization_endpoint": format!("{ours}/oauth/authorize"),
        "token_endpoint": format!("{ours}/oauth/token"),
        "token_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint": format!("{ours}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": METHODS,
        "scopes_supported": scope::ALL,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": config.documents_allowed,
    });
    if let Some(members) = document.as_object_mut() {
        if config.dcr_enabled {
            members.insert("registration_endpoint".to_owned(), format!("{ours}/register").into());
        }
        if let Some(page) = &config.resource_documentation {
            members.insert("service_documentation".to_owned(), page.as_str().into());
        }
    }
    document
}

#[cfg(test)]
mod tests;
