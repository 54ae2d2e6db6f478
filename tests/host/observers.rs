//! Those who observe the server at an address of their own.

use aegis_tests::http::send;
use aegis_tests::server::free_port;

use crate::scene::Scene;

const APART: [&str; 2] = ["/metrics", "/audit/checkpoint"];
const BOTH: [&str; 2] = ["/health", "/ready"];

#[tokio::test]
async fn what_observers_read_can_have_an_address_of_its_own() {
    let scene = Scene::new().await;
    let place = format!("127.0.0.1:{}", free_port());
    let server = scene.setup().set("ADMIN_BIND", &place).start().await;
    assert!(server.log().contains(&format!("\"observers\":\"{place}\"")), "{}", server.log());
    let url = format!("http://{place}");
    for path in APART.iter().chain(&BOTH) {
        let answer = send(&url, "GET", path, &[], b"").await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.header("x-request-id").is_some(), "{path}");
        let post = send(&url, "POST", path, &[], b"").await.expect("an answer");
        assert_eq!(post.status, 405, "{path}");
    }
    for path in APART {
        let answer = server.stranger("GET", path, &[], b"").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (404, Some("not_found")), "{path}");
    }
    for path in BOTH {
        assert_eq!(server.stranger("GET", path, &[], b"").await.status, 200, "{path}");
    }
    // Nothing of what clients use is there.
    for path in ["/", "/mcp", "/mcp/tools", "/mcp/tool/call", "/.well-known/oauth-protected-resource"] {
        for method in ["GET", "POST"] {
            assert_eq!(send(&url, method, path, &[], b"{}").await.expect("an answer").status, 404, "{path}");
        }
    }
    assert!(
        scene.forge.requests().iter().all(|request| request.path.contains("version")),
        "no call was made"
    );
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn an_address_of_observers_that_is_taken_or_none_stops_the_start() {
    let scene = Scene::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = taken.local_addr().expect("an address").to_string();
    let (code, said) = scene.setup().set("ADMIN_BIND", &place).refused().await;
    assert!(code == 1 && said.contains("ADMIN_BIND") && said.contains(&place), "{code} {said}");
    let (code, said) = scene.setup().set("ADMIN_BIND", "9090").refused().await;
    assert!(code == 64 && said.contains("ADMIN_BIND") && said.contains("127.0.0.1:9090"), "{code} {said}");
}
