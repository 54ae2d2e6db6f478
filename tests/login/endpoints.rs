//! Where clients find their way: metadata of every resource and of the authorization server, aliases, what a proxy says,
//! pages of other origins, and cookies of the neighbours.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{Client, REDIRECT, Tokens, parameter};
use serde_json::{Value, json};

use crate::refusals::{Desk, page_headers};
use crate::scene::{Scene, password};

const RESOURCES: [&str; 4] = ["", "/mcp", "/mcp/", "/mcp/sse"];

async fn get(url: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    send(url, "GET", target, headers, b"").await.expect("an answer")
}

/// Every URL that a document or a challenge hands out begins with this origin, or is one of Gitea's.
fn all_from(origin: &str, value: &Value) {
    match value {
        Value::String(text) if text.contains("://") => {
            assert!(text == origin || text.starts_with(&format!("{origin}/")), "{text} is not of {origin}");
        }
        Value::Array(items) => items.iter().for_each(|item| all_from(origin, item)),
        Value::Object(members) => members.values().for_each(|member| all_from(origin, member)),
        _ => {}
    }
}

/// The whole set of documents and challenges, as clients find them at `url` under these headers.
async fn found(url: &str, origin: &str, headers: &[(&str, &str)]) {
    for path in RESOURCES {
        let target = format!("/.well-known/oauth-protected-resource{path}");
        let answer = get(url, &target, headers).await;
        let said = answer.json();
        assert_eq!((answer.status, &said["resource"]), (200, &json!(format!("{origin}{path}"))), "{target}");
        assert_eq!(said["authorization_servers"], json!([origin]));
        assert_eq!(said["bearer_methods_supported"], json!(["header"]));
        assert_eq!(said["scopes_supported"], json!(["read:repository", "write:repository"]));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        all_from(origin, &said);

        let asked = if path.is_empty() { "/mcp/tool/call" } else { path };
        let mut all =
            vec![("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        all.extend_from_slice(headers);
        let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for method in ["POST", "GET", "DELETE"] {
            let answer = send(url, method, asked, &all, ping).await.expect("an answer");
            let said = answer.header("www-authenticate").unwrap_or_default();
            assert_eq!(answer.status, 401, "{method} {asked}: {}", answer.text());
            let own = format!("Bearer resource_metadata=\"{origin}{target}\", scope=\"read:repository\"");
            assert_eq!(said, own, "{method} {asked}");
        }
    }
    let server = get(url, "/.well-known/oauth-authorization-server", headers).await;
    let said = server.json();
    assert_eq!(said["issuer"], origin);
    for (name, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("registration_endpoint", "/register"),
        ("revocation_endpoint", "/oauth/revoke"),
    ] {
        assert_eq!(said[name], format!("{origin}{path}"));
    }
    assert_eq!(said["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(said["response_types_supported"], json!(["code"]));
    assert_eq!(said["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
    let methods = json!(["none", "client_secret_basic", "client_secret_post"]);
    assert_eq!(said["token_endpoint_auth_methods_supported"], methods);
    assert_eq!(said["authorization_response_iss_parameter_supported"], true);
    assert_eq!(said["client_id_metadata_document_supported"], true);
    for absent in
        ["jwks_uri", "id_token_signing_alg_values_supported", "userinfo_endpoint", "introspection_endpoint"]
    {
        assert_eq!(said.get(absent), None, "no ID token is issued here: {absent}");
    }
    all_from(origin, &said);
    // Some clients look there first.
    let openid = get(url, "/.well-known/openid-configuration", headers).await;
    assert_eq!((openid.status, openid.json()), (200, said));
}

#[tokio::test]
async fn every_path_has_its_own_metadata_and_each_challenge_points_to_it() {
    let desk = Desk::new().await;
    found(&desk.server.url, &desk.server.url, &[]).await;
    for path in ["/x", "/mcp/x", "/mcp//", "/MCP", "/mcp%2f"] {
        let answer =
            get(&desk.server.url, &format!("/.well-known/oauth-protected-resource{path}"), &[]).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for target in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"] {
        let head = send(&desk.server.url, "HEAD", target, &[], b"").await.expect("an answer");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("cache-control"), Some("public, max-age=300"));
    }
    assert_eq!(desk.scene.forge.upstream(), [] as [String; 0]);
    desk.end().await;
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_public_url_is_no_part_of_it() {
    let scene = Scene::new().await;
    let origin = format!("http://127.0.0.1:{}", scene.port);
    let server = scene.setup().set("PUBLIC_BASE_URL", &format!("{origin}/")).start().await;
    found(&server.url, &origin, &[]).await;
    let client = Client::register(&server.url).await;
    let url = client.sign_in(&mut Browser::new(), "alice", &password("alice"), false).await;
    assert_eq!(parameter(&url, "iss").as_deref(), Some(origin.as_str()));
}

#[tokio::test]
async fn a_public_url_that_is_no_origin_stops_the_start_by_name() {
    let scene = Scene::new().await;
    for wrong in [
        "https://mcp.example.com/aegis",
        "https://mcp.example.com/?x",
        "http://mcp.example.com",
        "mcp.example.com",
        "https://user@mcp.example.com",
    ] {
        let (code, said) = scene.setup().set("PUBLIC_BASE_URL", wrong).refused().await;
        assert_ne!(code, 0, "{wrong}");
        assert!(said.contains("PUBLIC_BASE_URL"), "{wrong}: {said}");
    }
}

#[tokio::test]
async fn behind_a_proxy_nothing_comes_from_the_request() {
    let scene = Scene::new().await;
    let origin = "https://mcp.example.com";
    let app =
        scene.forge.register("root", "behind a proxy", &["https://mcp.example.com/oauth/callback"], true);
    let setup = scene.setup().set("PUBLIC_BASE_URL", origin).set("GITEA_OAUTH_CLIENT_ID", &app.client_id);
    let setup =
        setup.set("GITEA_OAUTH_CLIENT_SECRET", &app.client_secret).set("ALLOWED_HOSTS", "internal.example");
    let server = setup.set("TRUSTED_PROXIES", "127.0.0.0/8").start().await;
    let lies = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "81"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "/evil"),
    ];
    // The client of these tests names 127.0.0.1 as the host, which is another name than the public one.
    found(&server.url, origin, &lies).await;
    let client = Client::register(&server.url).await;
    let target = client.authorize_url(&[]).trim_start_matches(&server.url).to_owned();
    let page = get(&server.url, &target, &lies).await;
    page_headers(&page);
    assert!(
        !page.text().contains("evil.example") && page.text().contains("mcp.example.com"),
        "{}",
        page.text()
    );
    let request = page
        .text()
        .split("name=\"request\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next().map(str::to_owned));
    let body = aegis_tests::sign_in::form(&[
        ("request", &request.expect("the sealed request")),
        ("decision", "approve"),
    ]);
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded"), ("origin", origin)];
    headers.extend_from_slice(&lies);
    let sent =
        send(&server.url, "POST", "/oauth/authorize", &headers, body.as_bytes()).await.expect("an answer");
    assert_eq!(sent.status, 303, "{}", sent.text());
    let to = sent.header("location").unwrap_or_default();
    assert!(to.starts_with(&scene.forge.url()), "{to}");
    assert_eq!(parameter(to, "redirect_uri").as_deref(), Some("https://mcp.example.com/oauth/callback"));
    let cookie = sent.header("set-cookie").unwrap_or_default();
    assert!(cookie.starts_with("__Host-aegis-flow-"), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn a_host_that_is_not_ours_learns_nothing_at_the_endpoints_of_signing_in() {
    let desk = Desk::new().await;
    for target in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/oauth/authorize",
        "/oauth/callback",
        "/oauth/token",
        "/register",
    ] {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = desk.server.url.trim_start_matches("http://");
        let mut socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let head = format!("GET {target} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut text = String::new();
        socket.read_to_string(&mut text).await.expect("an answer");
        assert!(text.starts_with("HTTP/1.1 421 "), "{target}: {text}");
        assert!(!text.contains("evil.example"), "{text}");
        if ["/oauth/authorize", "/oauth/callback"].contains(&target) {
            assert!(text.contains("Change the address of this server"), "{text}");
            assert!(text.contains(&format!("<code>{}</code>", desk.server.url)), "{text}");
        }
    }
    assert_eq!(desk.scene.forge.upstream(), [] as [String; 0]);
    desk.end().await;
}

#[tokio::test]
async fn a_page_of_the_way_that_is_opened_in_another_manner_sends_people_back_to_the_beginning() {
    let mut desk = Desk::new().await;
    for (method, target) in [("DELETE", "/oauth/authorize"), ("POST", "/oauth/callback")] {
        let answer = desk.server.stranger(method, target, &[], b"").await;
        assert_eq!(answer.status, 405, "{}", answer.text());
        assert!(answer.text().contains("connect from there") && !answer.text().contains("Wait a minute"));
        let page = aegis_tests::browser::Page { url: format!("{}{target}", desk.server.url), answer };
        desk.page(&page, 405, &[("access_denied", "method_not_allowed")], &[]).await;
    }
    desk.end().await;
}

#[tokio::test]
async fn a_redirect_that_could_never_be_used_stops_the_start_and_says_what_to_write() {
    let scene = Scene::new().await;
    let listed = "cursor://anysphere.cursor-mcp/oauth/callback,http://intranet.example/cb";
    let (code, said) = scene.setup().set("OAUTH_REDIRECT_ALLOWLIST", listed).refused().await;
    assert_eq!(code, 64, "{said}");
    assert!(
        said.contains("OAUTH_REDIRECT_ALLOWLIST") && said.contains("write https://intranet.example/cb"),
        "{said}"
    );
    let listed = "cursor://anysphere.cursor-mcp/oauth/callback,http://localhost:33418/cb";
    let server = scene.setup().set("OAUTH_REDIRECT_ALLOWLIST", listed).start().await;
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn the_aliases_lead_the_whole_way() {
    let desk = Desk::new().await;
    let body = json!({"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}).to_string();
    let json = [("content-type", "application/json")];
    let made =
        send(&desk.server.url, "POST", "/oauth/register", &json, body.as_bytes()).await.expect("an answer");
    assert_eq!((made.status, made.header("cache-control")), (201, Some("no-store")), "{}", made.text());
    let id = made.json()["client_id"].as_str().expect("an id").to_owned();
    let client = Client { server: desk.server.url.clone(), id, redirect: REDIRECT.to_owned() };
    let mut browser = Browser::new();
    let consent = browser.get(&client.authorize_url(&[]).replace("/oauth/authorize?", "/authorize?")).await;
    assert_eq!(consent.status(), 200);
    browser.submit(&consent.form("decision"), &[("decision", "approve")]).await;
    browser.sign_in_at_gitea("alice", &password("alice")).await;
    let arrived = browser.follow_until(|url| url.starts_with(REDIRECT)).await;
    let code = parameter(&arrived.stopped().expect("the redirect"), "code").expect("a code");
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("client_id", &client.id),
        ("code_verifier", aegis_tests::sign_in::VERIFIER),
        ("resource", &format!("{}/mcp/sse", desk.server.url)),
    ];
    let tokens = Tokens::of(&aegis_tests::sign_in::post_form(&desk.server.url, "/token", &fields).await);
    assert_eq!(tokens.answer["scope"], "read:repository");
    desk.end().await;
}

#[tokio::test]
async fn pages_of_other_origins_read_what_is_public_and_pages_that_are_allowed_may_sign_in() {
    let ours = "https://inspector.example";
    let mut desk = Desk::with(|setup| setup.set("ALLOWED_ORIGINS", ours)).await;
    for target in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        for origin in ["https://evil.example", "null", ours] {
            let answer = get(&desk.server.url, target, &[("origin", origin)]).await;
            assert_eq!(
                (answer.status, answer.header("access-control-allow-origin")),
                (200, Some("*")),
                "{target}"
            );
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        let asked = [("origin", "https://evil.example"), ("access-control-request-method", "GET")];
        let answer = send(&desk.server.url, "OPTIONS", target, &asked, b"").await.expect("an answer");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    }
    for target in ["/register", "/oauth/register", "/oauth/token", "/token", "/oauth/revoke"] {
        let asked = [("origin", ours), ("access-control-request-method", "POST")];
        let answer = send(&desk.server.url, "OPTIONS", target, &asked, b"").await.expect("an answer");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (204, Some(ours)),
            "{target}"
        );
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
        let headers = answer.header("access-control-allow-headers").unwrap_or_default();
        assert!(headers.contains("Authorization") && headers.contains("Content-Type"), "{headers}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        for foreign in ["https://evil.example", "null", "https://inspector.example.evil"] {
            for method in ["OPTIONS", "POST"] {
                let answer = send(&desk.server.url, method, target, &[("origin", foreign)], b"")
                    .await
                    .expect("an answer");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{target} {foreign}");
                desk.error(&answer, 403, "invalid_request", ("security_event", "foreign_origin"), &[]).await;
            }
        }
    }
    let headers = [("content-type", "application/json"), ("origin", ours)];
    let body = json!({"redirect_uris": [REDIRECT]}).to_string();
    let made =
        send(&desk.server.url, "POST", "/register", &headers, body.as_bytes()).await.expect("an answer");
    assert_eq!((made.status, made.header("access-control-allow-origin")), (201, Some(ours)));
    // A person's pages are nobody's to read.
    let page = get(&desk.server.url, "/oauth/authorize", &[("origin", ours)]).await;
    assert_eq!((page.status, page.header("access-control-allow-origin")), (400, None));
    desk.end().await;
}

#[tokio::test]
async fn cookies_of_the_neighbours_push_ours_out_of_nothing() {
    let desk = Desk::new().await;
    let mut browser = Browser::new();
    let client = Client::register(&desk.server.url).await;
    client.approve(&mut browser, false).await;
    let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
    let Arrived::Stopped(back) = arrived else { panic!("{arrived:?}") };
    let names = browser.cookies(&back);
    let flow = names.iter().find(|name| name.contains("aegis-flow-")).expect("the flow's cookie");
    let value = browser.cookie(&back, flow).expect("its value");
    let neighbours: Vec<String> = (0..80).map(|number| format!("theirs{number}=x")).collect();
    let cookie = format!("{}; {flow}={value}", neighbours.join("; "));
    let target = back.strip_prefix(&desk.server.url).expect("ours");
    let answer = get(&desk.server.url, target, &[("cookie", &cookie)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    desk.end().await;
}
