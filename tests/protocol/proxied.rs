//! Behind a reverse proxy of its own mind: who somebody is comes from the proxy and from nobody else, and both ends count
//! the same requests, however they are framed.

use aegis_tests::proxy::Proxy;
use aegis_tests::server::{KEY, Server, Setup};
use tokio::net::TcpSocket;

use crate::ground::Ground;
use crate::raw::{Connection, Piece};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The proxy alone is trusted: its neighbours on 127.0.0.0/8 are the clients here.
pub fn behind(setup: Setup) -> Setup {
    setup.set("TRUSTED_PROXIES", "127.0.0.1").set("MAX_AUTH_FAILURES", "1000000")
}

/// A connection to `to` from the machine's address 127.0.0.`last`.
pub async fn from(last: u8, to: &str) -> Connection {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((std::net::Ipv4Addr::new(127, 0, 0, last), 0).into()).expect("an address of loopback");
    Connection::over(socket.connect(to.parse().expect("an address")).await.expect("it listens"))
}

/// A request without a credential, with these header lines; its answer, on a connection of its own.
async fn stranger(last: u8, to: &str, lines: &str) -> Piece {
    let mut connection = from(last, to).await;
    let head = format!("POST /mcp HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\n{lines}");
    connection.send(format!("{head}Content-Length: {}\r\n\r\n{PING}", PING.len()).as_bytes()).await;
    connection.answer().await.expect("an answer")
}

/// The address on record of the request that got this answer.
async fn address(server: &Server, answer: &Piece) -> String {
    let id =
        answer.head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("an id").to_owned();
    let of_it = |line: &&serde_json::Value| line["request_id"] == id.as_str();
    let lines = server.audit_when(|lines| lines.iter().any(|line| of_it(&line))).await;
    lines
        .iter()
        .find(of_it)
        .map(|line| line["address"].as_str().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

const FORGED: [&str; 8] = [
    "",
    "X-Forwarded-For: 203.0.113.9\r\n",
    "X-Forwarded-For: 127.0.0.1\r\n",
    "X-Forwarded-For: 203.0.113.9, 127.0.0.1\r\n",
    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.10\r\n",
    "X-Forwarded-For: ,,127.0.0.1,\r\n",
    "x-forwarded-for: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n",
    "Connection: X-Forwarded-For\r\nX-Forwarded-For: 203.0.113.9\r\n",
];

#[tokio::test]
async fn the_address_on_record_is_the_one_that_the_proxy_saw_whatever_a_client_says() {
    let ground = Ground::with(behind).await;
    let proxy = Proxy::before(&ground.server.url).await;
    let server = ground.server.url.trim_start_matches("http://").to_owned();
    for lines in FORGED {
        for last in [5, 6] {
            let answer = stranger(last, &proxy.authority, lines).await;
            assert_eq!(answer.status, 401, "{lines:?}: {answer:?}");
            assert_eq!(address(&ground.server, &answer).await, format!("127.0.0.{last}"), "{lines:?}");
            // Past the proxy nothing that is said counts.
            let answer = stranger(last, &server, lines).await;
            assert_eq!(
                address(&ground.server, &answer).await,
                format!("127.0.0.{last}"),
                "{lines:?}, direct"
            );
        }
    }
    let trail = format!("{:?}", ground.server.audit());
    assert!(!trail.contains("203.0.113."), "no forged address is on record");
    assert_eq!(proxy.passed_on(), FORGED.len() * 2);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_limit_meets_the_client_behind_the_proxy_and_no_forged_header_lifts_it() {
    let ground = Ground::with(|setup| behind(setup).set("RATE_LIMIT_PER_MINUTE", "2")).await;
    let proxy = Proxy::before(&ground.server.url).await;
    for _ in 0..2 {
        assert_eq!(stranger(5, &proxy.authority, "").await.status, 401);
    }
    for lines in FORGED {
        assert_eq!(stranger(5, &proxy.authority, lines).await.status, 429, "{lines:?}");
    }
    assert_eq!(stranger(6, &proxy.authority, FORGED[1]).await.status, 401, "a neighbour is not kept out");
    ground.assert_nothing_upstream();
}

/// Requests that the server has answered so far, this question not counted.
pub async fn answered(server: &Server) -> usize {
    let text = server.stranger("GET", "/metrics", &[], b"").await.text();
    let counts = text.lines().filter(|line| line.starts_with("aegis_http_requests_total{"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

/// What two readers could frame differently: head lines after the usual ones, and what follows the head.
pub fn corpus() -> Vec<(String, String)> {
    let length = PING.len();
    let smuggled = "GET /mcp/tools HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ";
    let chunked = format!("{length:x}\r\n{PING}\r\n0\r\n\r\n");
    let pair = |lines: &str, body: &str| (lines.to_owned(), body.to_owned());
    vec![
        pair(&format!("Content-Length: {length}\r\n"), PING),
        pair("Transfer-Encoding: chunked\r\n", &chunked),
        pair(&format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), PING),
        pair(&format!("Content-Length: {length}\r\nContent-Length: 5\r\n"), PING),
        pair(&format!("Content-Length: {length}, {length}\r\n"), PING),
        pair(&format!("Content-Length: +{length}\r\n"), PING),
        pair("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{smuggled}")),
        pair("Transfer-Encoding: chunked\r\nContent-Length: 80\r\n", &format!("0\r\n\r\n{smuggled}")),
        pair("Transfer-Encoding: xchunked\r\n", &chunked),
        pair("Transfer-Encoding: chunked, identity\r\n", &chunked),
        pair("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", &chunked),
        pair("Transfer-Encoding : chunked\r\n", &chunked),
        pair("Transfer-Encoding:\r\n chunked\r\n", &chunked),
        pair("Transfer-Encoding: \u{b}chunked\r\n", &chunked),
        pair(
            "Transfer-Encoding: chunked\r\n",
            &format!("{length:x};a=b\r\n{PING}\r\n0\r\nHost: evil.example\r\n\r\n"),
        ),
        pair("Transfer-Encoding: chunked\r\n", &format!("fffffffffffffffff\r\n{PING}\r\n0\r\n\r\n")),
        pair("Transfer-Encoding: chunked\r\n", &format!("{length:x}\n{PING}\n0\n\n")),
        pair("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", ""),
        pair(&format!("X: a\r\n b\r\nContent-Length: {length}\r\n"), PING),
        pair(&format!("Content-Length: {length}\n"), PING),
        pair("Content-Length: 0\r\nTransfer-Encoding: identity\r\n", PING),
        pair("Content-Length: 0\n\nGET /mcp/tools HTTP/1.1\r\n", ""),
        pair("Connection: Upgrade\r\nUpgrade: websocket\r\n", smuggled),
    ]
}

#[tokio::test]
async fn proxy_and_server_count_the_same_requests_however_they_are_framed() {
    let ground = Ground::with(behind).await;
    let proxy = Proxy::before(&ground.server.url).await;
    for (number, (lines, body)) in corpus().into_iter().enumerate() {
        let (before, passed) = (answered(&ground.server).await, proxy.passed_on());
        let mut connection = from(5, &proxy.authority).await;
        let head =
            format!("POST /mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\n", proxy.authority);
        let last = format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", proxy.authority);
        let request = format!("{head}Content-Type: application/json\r\n{lines}\r\n{body}{last}");
        connection.send(request.as_bytes()).await;
        let answers = connection.rest().await;
        assert!(!answers.is_empty(), "{lines:?}");
        // Over the very connection that all of this went: the next client gets its own answer.
        let mut next = from(6, &proxy.authority).await;
        next.send(format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", proxy.authority).as_bytes()).await;
        let healthy = next.answer().await.expect("an answer");
        assert!(healthy.status == 200 && healthy.body.contains("healthy"), "{lines:?}: {healthy:?}");
        let passed = proxy.passed_on() - passed;
        // The first two are as they should be, so both requests of the client and the next client's arrive.
        assert!(number > 1 || (passed, answers.len()) == (3, 2), "{lines:?}: {passed} {answers:?}");
        // The first question about the count is counted by the second.
        assert_eq!(answered(&ground.server).await - before - 1, passed, "{lines:?}: {answers:?}");
        assert!(answers.len() <= passed, "{lines:?}: {answers:?}");
        assert!(!format!("{answers:?}").contains("list_issues"), "{lines:?} smuggled a request");
    }
    ground.assert_nothing_upstream();
}
