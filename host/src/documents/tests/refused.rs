//! Answers that are no document, and the built-in copies.

use super::*;

#[tokio::test]
async fn refuses_every_answer_that_is_not_a_small_json_document() {
    let scene = Scene::new().await;
    let filled = |path: &str, length: usize| {
        let text = good(path);
        let pad = " ".repeat(length - text.len());
        text + &pad
    };
    scene.raw("/redirect", "HTTP/1.1 302 x\r\nlocation: https://docs.test/a\r\ncontent-length: 0\r\n\r\n");
    scene.page("/missing", 404, "application/json", &good("/missing"));
    scene.page("/created", 201, "application/json", &good("/created"));
    scene.page("/html", 200, "text/html", &good("/html"));
    scene.page("/json-ish", 200, "application/jsonp", &good("/json-ish"));
    scene.page("/large", 200, "application/json", &filled("/large", 5 * 1024 + 1));
    let text = filled("/chunked", 5 * 1024 + 1);
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let head = "HTTP/1.1 200 x\r\ncontent-type: application/json\r\n";
    scene.raw("/chunked", &format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}"));
    scene.raw("/gzip", &format!("{head}content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{{}}"));
    scene.raw("/short", &format!("{head}content-length: 2000\r\n\r\n{{}}"));
    scene.raw("/headers", &format!("HTTP/1.1 200 x\r\nx: {}\r\n\r\n", "x".repeat(40_000)));
    scene.raw("/garbage", "not http at all\r\n\r\n");
    let (gone, redirect) = (Failure::Status(404), Failure::Redirect(302));
    let exact = [
        ("/redirect", redirect),
        ("/missing", gone),
        ("/created", Failure::Status(201)),
        ("/html", Failure::ContentType),
        ("/json-ish", Failure::ContentType),
        ("/large", Failure::TooLarge),
        ("/chunked", Failure::TooLarge),
        ("/gzip", Failure::Encoded),
    ];
    for (path, expected) in exact {
        assert_eq!(scene.failure(path).await, expected, "{path}");
    }
    for path in ["/short", "/headers", "/garbage"] {
        let failure = scene.failure(path).await;
        assert!(matches!(failure, Failure::Unreachable(_)), "{path}: {failure}");
    }
    let heads = scene.pages.requests.lock().unwrap().clone();
    assert!(!heads.iter().any(|head| head.starts_with("GET /a ")), "a redirect was followed");

    scene.page("/fits", 200, "Application/Client+JSON; charset=utf-8", &filled("/fits", 5 * 1024));
    assert!(scene.fetch("/fits").await.is_ok());
}

#[tokio::test]
async fn gives_up_on_a_host_that_does_not_answer() {
    let rules =
        Rules { hosts: vec![HOST.to_owned()], allow_private: false, limit: Duration::from_millis(200) };
    let scene = Scene::with(rules).await;
    assert_eq!(scene.failure("/silent").await, Failure::TimedOut);
    // A body that never ends counts, too.
    scene.raw(
        "/drip",
        "HTTP/1.1 200 x
content-type: application/json
content-length: 10

{",
    );
    assert_eq!(scene.failure("/drip").await, Failure::TimedOut);
}

const CLAUDE: &str = "/oauth/mcp-oauth-client-metadata";

async fn claude(scene: &Scene) -> Result<Arc<Document>, Failure> {
    scene.documents.fetch(&format!("https://claude.ai{CLAUDE}")).await
}

#[tokio::test]
async fn a_built_in_copy_stands_in_for_a_challenge_or_an_absent_host_and_for_nothing_else() {
    for (status, kind) in [(403, "text/html"), (200, "text/html"), (503, "application/json")] {
        let scene = Scene::new().await;
        scene.page(CLAUDE, status, kind, "<title>Just a moment...</title>");
        let found = claude(&scene).await.unwrap();
        assert!(found.is_built_in);
        assert_eq!(found.redirect_uris[0], "https://claude.ai/api/mcp/auth_callback");
    }

    let scene = Scene::new().await;
    let own =
        format!(r#"{{"client_id":"https://claude.ai{CLAUDE}","redirect_uris":["https://new.test/cb"]}}"#);
    scene.page(CLAUDE, 200, "application/json", &own);
    let found = claude(&scene).await.unwrap();
    assert_eq!((found.is_built_in, found.redirect_uris[0].as_str()), (false, "https://new.test/cb"));

    let scene = Scene::new().await;
    scene.page(CLAUDE, 200, "application/json", "{}");
    assert!(matches!(claude(&scene).await, Err(Failure::Invalid(_))));

    let scene = Scene::new().await;
    *scene.wire.addresses.lock().unwrap() = vec!["10.0.0.1".parse().unwrap()];
    assert_eq!(claude(&scene).await.unwrap_err(), Failure::ForbiddenAddress);

    let rules = Rules { hosts: vec![HOST.to_owned()], allow_private: false, limit: Duration::from_secs(60) };
    let scene = Scene::with(rules).await;
    assert_eq!(claude(&scene).await.unwrap_err(), Failure::Host("claude.ai".to_owned()));

    for status in [404, 410] {
        let scene = Scene::new().await;
        scene.page(CLAUDE, status, "text/html", "");
        assert_eq!(claude(&scene).await.unwrap_err(), Failure::Status(status), "its publisher took it away");
    }

    let scene = Scene::new().await;
    scene.wire.addresses.lock().unwrap().clear();
    assert!(claude(&scene).await.unwrap().is_built_in, "no name, no host");

    let scene = Scene::new().await;
    scene.page("/unknown", 403, "text/html", "");
    assert_eq!(scene.failure("/unknown").await, Failure::Status(403));
}

#[test]
fn every_built_in_copy_is_a_valid_document_of_a_valid_url() {
    let urls = [
        ("https://claude.ai/oauth/mcp-oauth-client-metadata", 2),
        ("https://claude.ai/oauth/claude-code-client-metadata", 2),
        ("https://vscode.dev/oauth/client-metadata.json", 2),
        ("https://chatgpt.com/oauth/client.json", 1),
    ];
    for (url, redirects) in urls {
        assert!(crate::documents::url::Location::parse(url).is_ok());
        let copy = crate::documents::builtin::copy_of(url).expect(url);
        assert_eq!((copy.client_id.as_str(), copy.redirect_uris.len()), (url, redirects));
    }
    assert_eq!(crate::documents::builtin::copy_of("https://claude.ai/x"), None);
}
