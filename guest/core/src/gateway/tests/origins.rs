//! Hosts, origins and credentials in the wrong place: lists of look-alikes.

use super::{Answer, FEW, Gateway, JSON, KEY, PING, Reader, World, body, handle, refused, send, status};

#[test]
fn answers_for_its_own_names_and_loopback_only() {
    let world = World::new();
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com");
    world.set("ALLOWED_HOSTS", "inner.example.com");
    world.set("RATE_LIMIT_PER_MINUTE", "1000");
    for host in [
        "mcp.example.com",
        "MCP.example.com:8443",
        "inner.example.com",
        "inner.example.com:8080",
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.8.9.1:8080",
        "[::1]",
        "[::1]:8080",
    ] {
        assert_eq!(status(&world, "POST", &format!("http://{host}/mcp"), &[JSON, KEY]), 200, "{host}");
    }
    for host in [
        "evil.example",
        "mcp.example.com.evil.example",
        "xmcp.example.com",
        "mcp.example.com.",
        "localhost.evil.example",
        "localhost.",
        "127.0.0.1.evil.example",
        "128.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "10.0.0.1",
        "mcp.example.com@evil.example",
        "x@localhost",
        "user:pw@localhost",
    ] {
        let target = format!("http://{host}/mcp");
        assert_eq!(
            refused(&world, "POST", &target, &[JSON, KEY], PING),
            (421, "unknown_host".to_owned()),
            "{host}"
        );
    }
    let gateway = Gateway { ports: world.ports(), offer: &FEW, version: "1.2.3" };
    let bare = http::Request::get("/").body(Vec::new()).unwrap();
    let Answer::Whole(response) = handle(&gateway, bare, &mut Reader::default()) else { panic!("streamed") };
    assert_eq!(response.status(), 421, "no host at all");
}

#[test]
fn lets_no_forwarded_header_speak_for_the_host_or_the_origin() {
    let world = World::new();
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com");
    let forwarded = [
        ("x-forwarded-host", "mcp.example.com"),
        ("forwarded", "host=mcp.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-original-host", "mcp.example.com"),
        ("host", "mcp.example.com"),
        JSON,
        KEY,
    ];
    assert_eq!(status(&world, "POST", "http://evil.example/mcp", &forwarded), 421);
    let forged = [("x-forwarded-host", "evil.example"), JSON, KEY];
    let response = send(&world, "POST", "http://mcp.example.com/mcp", &forged, PING);
    assert_eq!(response.status(), 200);
    assert!(!format!("{:?}", response.headers()).contains("evil"));
}

#[test]
fn lets_pages_of_allowed_origins_in_and_no_others() {
    let world = World::new();
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com");
    world.set("ALLOWED_ORIGINS", "https://app.example.com,http://tool.example.com:3000");
    world.set("RATE_LIMIT_PER_MINUTE", "1000");
    let (public, local) = ("http://mcp.example.com/mcp", "/mcp");
    for (target, origin) in [
        (public, "https://mcp.example.com"),
        (public, "https://app.example.com"),
        (public, "http://tool.example.com:3000"),
        (local, "http://localhost:6274"),
        (local, "http://127.0.0.1:1"),
        (local, "https://[::1]:9"),
        (local, "http://localhost"),
        (local, "https://app.example.com"),
    ] {
        let response = send(&world, "POST", target, &[("origin", origin), JSON, KEY], PING);
        assert_eq!(response.status(), 200, "{origin}");
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }
    for (target, origin) in [
        (public, "null"),
        (public, "http://localhost:6274"),
        (public, "http://mcp.example.com"),
        (public, "https://mcp.example.com:444"),
        (public, "https://mcp.example.com.evil.example"),
        (public, "https://evil.example"),
        (public, "https://app.example.com/"),
        (public, "https://app.example.com.evil.example"),
        (public, "http://tool.example.com"),
        (public, "*"),
        (public, ""),
        (local, "null"),
        (local, "file://"),
        (local, "http://localhost.evil.example"),
        (local, "http://localhost/"),
        (local, "http://localhost@evil.example"),
        (local, "http://evil@localhost"),
        (local, "ftp://localhost"),
        (local, "http://localhost:1 http://localhost:2"),
        (local, "chrome-extension://localhost"),
        (local, "http://128.0.0.1"),
    ] {
        let headers = [("origin", origin), JSON, KEY];
        let response = send(&world, "POST", target, &headers, PING);
        assert_eq!(response.status(), 403, "{origin} at {target}");
        assert_eq!(body(&response)["error"], "foreign_origin");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "no reflection");
    }
    let twice = [("origin", "https://app.example.com"), ("origin", "https://app.example.com"), JSON, KEY];
    assert_eq!(refused(&world, "POST", public, &twice, PING), (403, "foreign_origin".to_owned()));
}

#[test]
fn answers_preflights_of_allowed_origins_without_credentials() {
    let world = World::new();
    world.set("ALLOWED_ORIGINS", "https://app.example.com");
    let response = send(&world, "OPTIONS", "/mcp", &[("origin", "https://app.example.com")], "");
    assert_eq!(response.status(), 204);
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://app.example.com");
    assert_eq!(headers["access-control-allow-methods"], "GET, POST");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap().to_ascii_lowercase();
    for needed in
        ["authorization", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name", "x-mcp-toolsets"]
    {
        assert!(allowed.contains(needed), "{needed}");
    }
    assert_eq!(headers["vary"], "Origin");
    assert!(!headers.contains_key("access-control-allow-credentials"));

    let plain = send(&world, "OPTIONS", "/mcp", &[], "");
    assert_eq!(plain.status(), 204);
    assert!(!plain.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    assert_eq!(status(&world, "OPTIONS", "/mcp", &[("origin", "https://evil.example")]), 403);
    assert_eq!(status(&world, "OPTIONS", "/nowhere", &[]), 404);
}

#[test]
fn refuses_a_credential_anywhere_but_in_one_header() {
    let world = World::new();
    for query in [
        "access_token=x",
        "token=x",
        "a=1&access_token=x",
        "ACCESS_TOKEN=x",
        "access%5Ftoken=x",
        "%74oken=x",
        "token",
        "a;token=x",
    ] {
        let target = format!("/mcp?{query}");
        assert_eq!(
            refused(&world, "POST", &target, &[JSON, KEY], PING),
            (400, "token_in_query".to_owned()),
            "{query}"
        );
        let said = format!("{:?}", world.notes.borrow().last().unwrap());
        assert!(!said.contains("token=x"), "{said}");
    }
    assert_eq!(status(&world, "POST", "/mcp?tokens=1&a=token&x%=1&%zz", &[JSON, KEY]), 200);
    let twice = [KEY, KEY, JSON];
    assert_eq!(refused(&world, "POST", "/mcp", &twice, PING), (400, "two_credentials".to_owned()));
    let cookie = [("cookie", "authorization=Bearer good; access_token=good"), JSON];
    assert_eq!(refused(&world, "POST", "/mcp", &cookie, PING), (401, "missing_credential".to_owned()));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(
        refused(&world, "POST", "/mcp", &form, "access_token=good"),
        (401, "missing_credential".to_owned())
    );
}
