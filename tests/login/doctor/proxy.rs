//! What the doctor sees of a proxy in front that does something wrong.

use std::net::{Ipv4Addr, SocketAddr};

use aegis_tests::server::Setup;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::Patient;
use crate::scene::Scene;

/// What a proxy in front does wrong.
#[derive(Clone)]
enum Wrong {
    /// Another status for these user agents.
    Blocks(&'static str),
    /// It adds nothing and passes on what clients say of their address.
    PassesForwarded,
    /// The challenge is gone.
    DropsChallenge,
    /// Every request is sent elsewhere.
    Redirects,
    /// Nothing runs behind it.
    Dead,
    /// It calls the server by a name of its own.
    Renames,
}

/// A proxy on a port of its own, one request for each connection.
async fn proxy(to: u16, wrong: Wrong) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass_on(stream, to, wrong.clone()));
        }
    });
    format!("http://127.0.0.1:{port}")
}

async fn pass_on(mut client: TcpStream, to: u16, wrong: Wrong) {
    let mut reader = BufReader::new(&mut client);
    let (mut head, mut length) = (Vec::new(), 0_usize);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(number) = line.to_lowercase().strip_prefix("content-length:") {
            length = number.trim().parse().unwrap();
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.unwrap();
    let canned = match &wrong {
        Wrong::Blocks(agent) if head.iter().any(|line| line.contains(agent)) => Some("403 Forbidden\r\n"),
        Wrong::Redirects => Some("301 Moved Permanently\r\nlocation: https://elsewhere.example/mcp\r\n"),
        Wrong::Dead => Some("502 Bad Gateway\r\n"),
        _ => None,
    };
    if let Some(canned) = canned {
        let answer = format!("HTTP/1.1 {canned}content-length: 0\r\nconnection: close\r\n\r\n");
        let _ = client.write_all(answer.as_bytes()).await;
        return;
    }
    let named = |line: &String, name: &str| line.to_lowercase().starts_with(name);
    match wrong {
        Wrong::Renames => {
            head.retain(|line| !named(line, "host:"));
            head.push("host: backend.internal\r\n".to_owned());
        }
        Wrong::PassesForwarded => {}
        _ => head.retain(|line| !named(line, "x-forwarded-for:")),
    }
    let mut server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await.unwrap();
    server.write_all(format!("{}\r\n", head.concat()).as_bytes()).await.unwrap();
    server.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer).await;
    if matches!(wrong, Wrong::DropsChallenge) {
        let text = String::from_utf8_lossy(&answer).replace("www-authenticate", "x-www-authenticate");
        answer = text.into_bytes();
    }
    let _ = client.write_all(&answer).await;
}

#[tokio::test]
async fn each_thing_that_a_proxy_does_wrong_is_told() {
    let scene = Scene::new().await;
    for (wrong, check, verdict, words) in [
        (Wrong::Blocks("Claude-User"), "public_user_agents", "fail", "Claude-User gets 403"),
        (Wrong::Blocks("python-httpx"), "public_user_agents", "fail", "python-httpx"),
        (Wrong::PassesForwarded, "proxy_headers", "fail", "made up"),
        (Wrong::DropsChallenge, "public_challenge", "fail", "WWW-Authenticate"),
        (Wrong::Redirects, "public_address", "fail", "https://elsewhere.example/mcp"),
        (Wrong::Dead, "public_address", "warn", "nothing runs behind it"),
        (Wrong::Renames, "public_address", "fail", "Host"),
    ] {
        let url = proxy(scene.port, wrong).await;
        let set = |setup: Setup| setup.set("PUBLIC_BASE_URL", &url).set("TRUSTED_PROXIES", "127.0.0.1");
        let setup = set(scene.setup()).set("STARTUP_VALIDATE_GITEA", "false").set("MCP_HOST", "127.0.0.1");
        let server = setup.start().await;
        let patient = Patient::of(&scene).set("PUBLIC_BASE_URL", &url).set("TRUSTED_PROXIES", "127.0.0.1");
        patient.examine().await.says(check, verdict, words);
        assert_eq!(server.stop().await.code, 0);
    }
}

#[tokio::test]
async fn a_server_with_another_public_address_is_found_out() {
    let scene = Scene::new().await;
    let elsewhere = scene
        .setup()
        .set("PUBLIC_BASE_URL", "https://mcp.example.com")
        .set("STARTUP_VALIDATE_GITEA", "false");
    let server = elsewhere.start().await;
    let chart = Patient::of(&scene).examine().await;
    assert_eq!(chart.code, 1);
    chart
        .says("public_challenge", "fail", "another PUBLIC_BASE_URL")
        .says("public_resource_metadata", "fail", "https://mcp.example.com/mcp")
        .says("public_server_metadata", "fail", "https://mcp.example.com");
    assert_eq!(server.stop().await.code, 0);
}
