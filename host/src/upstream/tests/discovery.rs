//! The discovery document: what it must say, and where its addresses lead.

use serde_json::{Value, json};

use super::super::{Discovery, UpstreamError};
use super::{DISCOVERY, Gitea, PUBLIC, Reply, but, document, ok, text};

#[tokio::test]
async fn endpoints_are_called_at_the_internal_address() {
    let gitea = Gitea::new("ES256").await;
    let found: std::sync::Arc<Discovery> = gitea.upstream.discovery().await.unwrap();
    let internal = format!("http://{}/below", gitea.address());
    assert_eq!(found.token, format!("{internal}/login/oauth/access_token"));
    assert_eq!(found.keys, format!("{internal}/login/oauth/keys"));
    assert_eq!(found.issuer, PUBLIC);
}

#[tokio::test]
async fn a_document_that_would_lead_elsewhere_is_refused() {
    let with = |name: &str, value: Value| ok(&but(document("ES256"), name, value));
    let elsewhere = UpstreamError::EndpointElsewhere;
    for (reply, error) in [
        (with("jwks_uri", json!("https://evil.example/git/keys")), elsewhere("jwks_uri")),
        (with("jwks_uri", json!("http://git.example/git/keys")), elsewhere("jwks_uri")),
        (with("jwks_uri", json!("https://git.example:8443/git/keys")), elsewhere("jwks_uri")),
        (with("jwks_uri", json!("https://git.example/keys")), elsewhere("jwks_uri")),
        (with("token_endpoint", json!("https://git.example/git/../x")), elsewhere("token_endpoint")),
        (with("userinfo_endpoint", json!("https://a@git.example/git/x")), elsewhere("userinfo_endpoint")),
        (with("introspection_endpoint", json!("//git.example/git/x")), elsewhere("introspection_endpoint")),
        (with("authorization_endpoint", json!("https://evil.example/")), elsewhere("authorization_endpoint")),
        (with("issuer", json!("https://git.example")), UpstreamError::IssuerDiffers),
        (with("issuer", json!("https://GIT.example/git")), UpstreamError::IssuerDiffers),
        (with("issuer", Value::Null), UpstreamError::Lacking("issuer")),
        (with("token_endpoint", json!(7)), UpstreamError::Lacking("token_endpoint")),
        (with("introspection_endpoint", Value::Null), UpstreamError::Lacking("introspection_endpoint")),
        (
            with("code_challenge_methods_supported", json!(["plain"])),
            UpstreamError::Lacking("S256 among code_challenge_methods_supported"),
        ),
        (
            with("id_token_signing_alg_values_supported", json!([])),
            UpstreamError::Lacking("id_token_signing_alg_values_supported"),
        ),
        (text(404, "not found"), UpstreamError::OauthDisabled("its discovery document")),
        (text(503, ""), UpstreamError::Failed("its discovery document", 503)),
        (
            Reply { headers: vec![("location", "https://evil.example/".to_owned())], ..text(301, "") },
            UpstreamError::Redirected("its discovery document"),
        ),
        (ok(&json!({"pad": "x".repeat(70_000)})), UpstreamError::TooLarge("its discovery document")),
        (
            text(
                200,
                &document("ES256").to_string().replacen('{', r#"{"issuer":"https://evil.example","#, 1),
            ),
            UpstreamError::Unreadable(
                "its discovery document",
                "is not one JSON object with each member once",
            ),
        ),
    ] {
        let gitea = Gitea::new("ES256").await;
        gitea.answers(DISCOVERY, reply);
        assert_eq!(gitea.upstream.discovery().await.unwrap_err(), error);
        assert_eq!(gitea.asked(), [DISCOVERY]);
    }
}

#[tokio::test]
async fn an_issuer_with_a_slash_at_its_end_is_the_same() {
    let gitea = Gitea::new("ES256").await;
    gitea.answers(DISCOVERY, ok(&but(document("ES256"), "issuer", json!(format!("{PUBLIC}/")))));
    assert_eq!(gitea.upstream.discovery().await.unwrap().issuer, PUBLIC);
}
