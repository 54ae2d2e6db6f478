//! How clients that are turned away learn to sign in.

use serde_json::{Map, Value, json};

use super::super::KEY;
use super::{BAD, JSON, ORIGIN, PING, Server, body};
use crate::access::{Door, Target};
use crate::gitea;
use crate::offer::Offer;
use crate::ports::{Class, Recorded, Refusal as Credential};
use crate::reply::Reply;
use crate::tools::kit::{ArgumentError, Entry, Error, Prepared};
use crate::tools::{Catalogue, Toolset};

#[test]
fn every_401_leads_to_the_document_of_its_own_resource() {
    let server = Server::with("RATE_LIMIT_PER_MINUTE", "1000");
    for (path, document, resource) in [
        ("/mcp", "/.well-known/oauth-protected-resource/mcp", "/mcp"),
        ("/mcp/", "/.well-known/oauth-protected-resource/mcp/", "/mcp/"),
        ("/mcp/sse", "/.well-known/oauth-protected-resource/mcp/sse", "/mcp/sse"),
        ("/mcp/tool/call", "/.well-known/oauth-protected-resource", ""),
    ] {
        for method in ["POST", "GET", "DELETE", "HEAD"] {
            let response = server.send(method, path, &[JSON], PING);
            assert_eq!(response.status(), 401, "{method} {path}");
            assert_eq!(
                response.headers()["www-authenticate"],
                format!("Bearer resource_metadata=\"{ORIGIN}{document}\", scope=\"read:repository\"")
                    .as_str()
            );
        }
        let found = server.send("GET", document, &[], "");
        assert_eq!(body(&found)["resource"], format!("{ORIGIN}{resource}"));
    }
}

#[test]
fn a_token_that_is_no_good_is_told_to_sign_in_again() {
    let server = Server::with("MAX_AUTH_FAILURES", "1000");
    server.world.set("RATE_LIMIT_PER_MINUTE", "1000");
    for refusal in [Credential::Malformed, Credential::Unknown, Credential::Expired] {
        server.world.refusal.set(refusal);
        for path in ["/mcp", "/mcp/sse", "/mcp/tool/call"] {
            let response = server.send("POST", path, &[JSON, BAD], PING);
            assert_eq!(response.status(), 401);
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            let said = body(&response);
            let said = said["message"].as_str().or(said["error"]["message"].as_str()).unwrap();
            assert!(challenge.starts_with(&format!("Bearer resource_metadata=\"{ORIGIN}/.well-known/")));
            assert!(challenge.contains("scope=\"read:repository\", error=\"invalid_token\""), "{challenge}");
            assert!(challenge.ends_with(&format!("error_description=\"{said}\"")), "{challenge}");
            assert!(!said.contains("key") && !said.contains("bad"), "{said}");
            assert_eq!(challenge.matches('"').count(), 8, "nothing breaks out of a quoted string");
        }
    }
    let missing = server.send("POST", "/mcp", &[JSON], PING);
    assert!(body(&missing)["message"].as_str().unwrap().starts_with("Sign in"));
}

#[test]
fn a_missing_scope_asks_for_all_that_the_token_should_have() {
    let server = Server::with("WRITE_MODE", "true");
    server.world.set("WRITE_ALLOW_ALL_TOKEN_REPOS", "true");
    *server.world.scopes.borrow_mut() = vec!["read:repository"];
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write"}}"#;
    for (path, text, document) in [
        ("/mcp", call, "/.well-known/oauth-protected-resource/mcp"),
        ("/mcp/sse", call, "/.well-known/oauth-protected-resource/mcp/sse"),
        ("/mcp/tool/call", r#"{"tool":"write"}"#, "/.well-known/oauth-protected-resource"),
    ] {
        let response = server.send("POST", path, &[JSON, KEY], text);
        assert_eq!(response.status(), 403);
        assert_eq!(
            response.headers()["www-authenticate"],
            format!(
                "Bearer error=\"insufficient_scope\", scope=\"read:repository write:repository\", \
                 resource_metadata=\"{ORIGIN}{document}\", error_description=\"Sign in again and grant it.\""
            )
            .as_str()
        );
    }
    assert_eq!(server.world.reasons(), ["insufficient_scope"; 3]);
}

/// A tool whose user has revoked in Gitea what they granted.
struct Gone;

static GONE: Offer = Offer {
    tools: &Catalogue { toolsets: &[Toolset { name: "gone", tools: &[&Gone] }], instructions: "" },
    resources: &[],
    prompts: &[],
};

impl Entry for Gone {
    fn name(&self) -> &'static str {
        "gone"
    }
    fn title(&self) -> &'static str {
        "gone"
    }
    fn class(&self) -> Class {
        Class::Read
    }
    fn reads(&self) -> &'static [&'static str] {
        &[]
    }

    fn writes(&self) -> &'static [&'static gitea::Write] {
        &[]
    }

    fn answer(&self) -> &'static crate::tools::kit::Shape {
        &crate::tools::kit::Shape(&[])
    }

    fn definition(&self) -> Value {
        json!({})
    }
    fn parse(&self, _arguments: Map<String, Value>) -> Result<Box<dyn Prepared>, ArgumentError> {
        Ok(Box::new(Gone))
    }
}

impl Prepared for Gone {
    fn target(&self) -> Target<'_> {
        Target::default()
    }
    fn recorded(&self) -> Vec<(String, Recorded)> {
        Vec::new()
    }
    fn run(self: Box<Self>, _door: Door<'_>) -> Result<Reply, Error> {
        Err(Error::Gitea(gitea::Error::SignedOut))
    }
}

#[test]
fn a_grant_that_ended_in_gitea_makes_clients_sign_in_again() {
    let server = Server::new();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"gone"}}"#;
    for (path, text) in [("/mcp", call), ("/mcp/tool/call", r#"{"tool":"gone"}"#)] {
        let response = server.send_to(&GONE, "POST", path, &[JSON, KEY], text);
        assert_eq!(response.status(), 401);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("resource_metadata=") && challenge.contains("error=\"invalid_token\""));
        let said = body(&response);
        let reason = said["error"]["data"]["reason"].as_str().or(said["error"]["code"].as_str());
        assert_eq!(reason, Some("signed_out_in_gitea"));
    }
}
