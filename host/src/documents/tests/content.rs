//! What a document must be.

use super::*;
use crate::documents::parse::document;

#[tokio::test]
async fn reads_a_document_and_asks_for_it_plainly() {
    let scene = Scene::new().await;
    scene.good("/a?b=1");
    let found = scene.fetch("/a?b=1").await.unwrap();
    let expected = Document {
        client_id: url("/a?b=1"),
        client_name: Some("One".to_owned()),
        redirect_uris: vec!["https://one.test/cb".to_owned()],
        client_uri: None,
        is_built_in: false,
    };
    assert_eq!(*found, expected);
    let requests = scene.pages.requests.lock().unwrap();
    let head = requests[0].to_ascii_lowercase();
    assert!(
        head.starts_with("get /a?b=1 http/1.1\r\n") && head.contains("\r\nhost: docs.test\r\n"),
        "{head}"
    );
    assert!(!head.contains("cookie") && !head.contains("authorization"), "{head}");
}

#[test]
fn refuses_documents_that_say_too_little_too_much_or_the_wrong_thing() {
    let id = "https://docs.test/a";
    let with =
        |rest: &str| format!(r#"{{"client_id":"{id}","redirect_uris":["https://one.test/cb"]{rest}}}"#);
    let many = format!(r#"["{}"]"#, ["x"; 17].join(r#"",""#));
    let long = format!(r#"["{}"]"#, "x".repeat(513));
    let uris = |list: &str| format!(r#"{{"client_id":"{id}","redirect_uris":{list}}}"#);
    assert!(document(id, with("").as_bytes()).is_ok());
    assert!(document(id, with(r#","client_name":null,"logo_uri":7"#).as_bytes()).is_ok());
    assert!(document(id, with(r#","token_endpoint_auth_method":"none""#).as_bytes()).is_ok());
    assert!(document(id, uris(&format!(r#"["{}"]"#, ["x"; 16].join(r#"",""#))).as_bytes()).is_ok());
    for invalid in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        "\u{feff}{}".to_owned(),
        with("") + "x",
        with(r#","client_name":"a","client_name":"a""#),
        with(r#","other":{"x":1,"x":2}"#),
        with(r#","client_\u0069d":"https://docs.test/a""#),
        with(r#","client_name":"\ud800""#),
        with(&format!(r#","deep":{}{}"#, "[".repeat(400), "]".repeat(400))),
        r#"{"error":"blocked","redirect_uris":[]}"#.to_owned(),
        r#"{"client_id":7}"#.to_owned(),
    ] {
        let found = document(id, invalid.as_bytes());
        assert!(matches!(found, Err(Failure::Invalid(_))), "{invalid}: {found:?}");
    }
    for unfit in [
        with(r#","client_name":7"#),
        with(r#","client_uri":["x"]"#),
        with(r#","client_secret":"s""#),
        uris("[]"),
        uris("null"),
        uris(r#""https://one.test/cb""#),
        uris("[7]"),
        uris(r#"[""]"#),
        uris(r#"["https://one.test/\u0000"]"#),
        uris(r#"["https://one.test/ x"]"#),
        uris(&many),
        uris(&long),
    ] {
        let found = document(id, unfit.as_bytes());
        assert!(matches!(found, Err(Failure::Unfit(_))), "{unfit}: {found:?}");
    }
    assert!(matches!(document(id, b"{\"client_id\":\"\xff\"}"), Err(Failure::Invalid(_))));
    for other in
        ["https://docs.test/b", "https://DOCS.test/a", "https://docs.test/a/", "https://docs.test/%61"]
    {
        assert_eq!(document(other, with("").as_bytes()), Err(Failure::OtherClient));
    }
    for method in [r#""client_secret_basic""#, r#""private_key_jwt""#, "null", "7"] {
        let found = document(id, with(&format!(r#","token_endpoint_auth_method":{method}"#)).as_bytes());
        assert_eq!(found, Err(Failure::AuthMethod), "{method}");
    }
}
