//! The lines of the audit log as others get them: all of them, as they stand in the log, and at nobody's cost.

use aegis_tests::http::Answer;
use aegis_tests::server::{KEY, Server, Stopped};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram};

use crate::scene::{READ, Scene, call, until};
use crate::tls::{Flaw, Tls};

async fn read(server: &Server) -> Answer {
    call(&server.url, KEY, READ).await.expect("no panic").expect("an answer")
}

/// The lines of a log as they stand there.
fn lines(stopped: &Stopped) -> Vec<String> {
    let text = std::fs::read_to_string(&stopped.audit_path).expect("a log");
    text.lines().map(str::to_owned).collect()
}

/// What follows the header of a syslog message.
fn line(message: &str) -> String {
    assert!(
        message.starts_with('<') && message.contains(">1 2") && message.contains(" aegis-mcp "),
        "{message}"
    );
    message.split_once(" - ").expect("a message").1.to_owned()
}

/// One message by its length in front.
async fn counted(peer: &mut TcpStream) -> Option<String> {
    let mut length = 0_usize;
    loop {
        match peer.read_u8().await {
            Ok(b' ') => break,
            Ok(digit) => length = length * 10 + usize::from(digit - b'0'),
            Err(_) => return None,
        }
    }
    let mut message = vec![0; length];
    peer.read_exact(&mut message).await.expect("a whole message");
    Some(String::from_utf8(message).expect("UTF-8"))
}

async fn warns(server: &Server, of: &str) -> bool {
    let ready = server.stranger("GET", "/ready", &[], b"").await.json();
    ready["warnings"].as_array().is_some_and(|all| all.contains(&of.into()))
}

#[tokio::test]
async fn syslog_gets_every_line_over_tcp_also_after_a_connection_that_broke() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("tcp://{}", listener.local_addr().expect("an address"));
    let server = scene.setup().set("AUDIT_SYSLOG_URL", &url).start().await;
    let (mut peer, _) = listener.accept().await.expect("it connects");
    let mut came = vec![line(&counted(&mut peer).await.expect("the first line"))];
    assert!(came[0].contains("\"event\":\"log_open\""), "{came:?}");
    drop(peer);
    assert_eq!(read(&server).await.status, 200);
    let (mut peer, _) = listener.accept().await.expect("it connects again");
    let rest = tokio::spawn(async move {
        let mut rest = Vec::new();
        while let Some(message) = counted(&mut peer).await {
            rest.push(line(&message));
        }
        rest
    });
    until("they are counted", async || {
        server.metric("aegis_audit_pushed_lines_total{receiver=\"syslog\"}").await > 2.5
    })
    .await;
    let stopped = server.stop().await;
    came.extend(rest.await.expect("no panic"));
    assert_eq!(came, lines(&stopped));
}

#[tokio::test]
async fn syslog_gets_every_line_as_datagrams() {
    let scene = Scene::new().await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("udp://{}", socket.local_addr().expect("an address"));
    let server = scene.setup().set("AUDIT_SYSLOG_URL", &url).start().await;
    assert_eq!(read(&server).await.status, 200);
    let stopped = server.stop().await;
    let expected = lines(&stopped);
    let mut came = Vec::new();
    let mut room = vec![0; 65_536];
    while came.len() < expected.len() {
        let length = socket.recv(&mut room).await.expect("a datagram");
        came.push(line(std::str::from_utf8(&room[..length]).expect("UTF-8")));
    }
    assert_eq!(came, expected);
}

#[tokio::test]
async fn syslog_gets_every_line_over_a_socket_of_this_machine() {
    let scene = Scene::new().await;
    let path = scene.folder.0.join("log.sock");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let server = scene.setup().set("AUDIT_SYSLOG_URL", &format!("unix:{}", path.display())).start().await;
    assert_eq!(read(&server).await.status, 200);
    let stopped = server.stop().await;
    let expected = lines(&stopped);
    let (mut came, mut room) = (Vec::new(), vec![0; 65_536]);
    while came.len() < expected.len() {
        let length = socket.recv(&mut room).await.expect("a datagram");
        came.push(line(std::str::from_utf8(&room[..length]).expect("UTF-8")));
    }
    assert_eq!(came, expected);
}

#[tokio::test]
async fn syslog_over_tls_trusts_the_named_authority_and_no_stranger() {
    for (flaw, comes) in [(Flaw::None, true), (Flaw::OtherName, false), (Flaw::Expired, false)] {
        let scene = Scene::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let place = format!("http://{}", listener.local_addr().expect("an address"));
        let tls = Tls::before(&place, flaw).await;
        let authority = scene.folder.0.join("ca.pem");
        std::fs::write(&authority, &tls.pem).expect("written");
        let setup = scene.setup().set("AUDIT_SYSLOG_URL", &format!("tls://{}", tls.authority()));
        let server = setup.set("GITEA_CA_FILE", &authority.display().to_string()).start().await;
        if !comes {
            until("it is told", async || warns(&server, "audit_syslog").await).await;
            assert_eq!(read(&server).await.status, 200);
            assert_eq!(server.stop().await.code, 0);
            continue;
        }
        let (mut peer, _) = listener.accept().await.expect("it connects");
        let mut came = vec![line(&counted(&mut peer).await.expect("the first line"))];
        assert_eq!(read(&server).await.status, 200);
        let rest = tokio::spawn(async move {
            let mut rest = Vec::new();
            while let Some(message) = counted(&mut peer).await {
                rest.push(line(&message));
            }
            rest
        });
        let stopped = server.stop().await;
        came.extend(rest.await.expect("no panic"));
        assert_eq!(came, lines(&stopped));
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_warned_of_and_holds_up_nothing() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = listener.local_addr().expect("an address");
    drop(listener);
    let server = scene.setup().set("AUDIT_SYSLOG_URL", &format!("tcp://{place}")).start().await;
    until("it is told", async || warns(&server, "audit_syslog").await).await;
    assert_eq!(read(&server).await.status, 200);
    assert!(server.log().contains("\"event\":\"audit_push_unavailable\""));
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

/// One request: its head and its body.
async fn request(peer: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.expect("a length").parse().expect("a number") {
                return (head.to_owned(), serde_json::from_str(body).expect("JSON"));
            }
        }
        let mut more = [0; 4096];
        let count = peer.read(&mut more).await.expect("a request");
        assert!(count > 0, "the request broke off: {text}");
        bytes.extend(&more[..count]);
    }
}

#[tokio::test]
async fn a_collector_gets_every_line_as_a_record_of_opentelemetry() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/v1/logs", listener.local_addr().expect("an address"));
    let collector = tokio::spawn(async move {
        let (mut came, mut refused) = (Vec::new(), false);
        loop {
            let (mut peer, _) = listener.accept().await.expect("it connects");
            let (head, body) = request(&mut peer).await;
            assert!(head.starts_with("POST /v1/logs HTTP/1.1\r\n"), "{head}");
            assert!(head.contains("content-type: application/json"), "{head}");
            // The first time there is no room: the same lines come again.
            let status = if std::mem::replace(&mut refused, true) { "200 OK" } else { "503 No" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
            peer.write_all(answer.as_bytes()).await.expect("an answer");
            if status == "503 No" {
                continue;
            }
            let records = &body["resourceLogs"][0]["scopeLogs"][0]["logRecords"];
            for record in records.as_array().expect("records") {
                came.push(record["body"]["stringValue"].as_str().expect("a line").to_owned());
                if record["eventName"] == "aegis.log_close" {
                    return came;
                }
            }
        }
    });
    let server = scene.setup().set("AUDIT_OTLP_URL", &url).start().await;
    assert_eq!(read(&server).await.status, 200);
    until("the first are taken", async || {
        server.metric("aegis_audit_pushed_lines_total{receiver=\"otlp\"}").await > 0.5
    })
    .await;
    let stopped = server.stop().await;
    assert_eq!(collector.await.expect("no panic"), lines(&stopped));
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_start_and_names_the_forms_there_are() {
    let scene = Scene::new().await;
    for (name, value, why) in [
        ("AUDIT_SYSLOG_URL", "logs.example.com", "tls://HOST:PORT"),
        ("AUDIT_SYSLOG_URL", "http://logs.example.com:514", "unix:/PATH"),
        ("AUDIT_OTLP_URL", "collector:4318", "http"),
    ] {
        let (code, said) = scene.setup().set(name, value).refused().await;
        assert!(code == 64 && said.contains(name) && said.contains(why), "{code} {said}");
    }
}
