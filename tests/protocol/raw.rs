//! HTTP by hand: bytes out, answers in, on one connection. It frames answers itself, so that a desynchronised
//! connection shows.

use std::time::Duration;

use aegis_tests::server::{KEY, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// One answer on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A connection.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(authority(server)).await.expect("the server listens");
        Self { stream, read: Vec::new() }
    }

    /// Over a stream that the test has opened.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// Send bytes. A server that has closed already is no failure: its answer tells why.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next answer that is not 1xx; none at the end of the connection.
    pub async fn answer(&mut self) -> Option<Piece> {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("an answer or an end")
    }

    /// Every answer until the server closes.
    pub async fn rest(&mut self) -> Vec<Piece> {
        let mut all = Vec::new();
        while let Some(piece) = self.answer().await {
            all.push(piece);
        }
        all
    }

    async fn next(&mut self) -> Option<Piece> {
        loop {
            let end = loop {
                match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                    Some(at) => break at,
                    None => self.more().await?,
                }
            };
            let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
            self.read.drain(..end + 4);
            let status = head.get(9..12).and_then(|text| text.parse().ok()).expect("a status line");
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.map_or(0, |(_, text)| text.parse::<usize>().expect("a length"));
            while self.read.len() < length {
                self.more().await?;
            }
            let body = String::from_utf8_lossy(&self.read[..length]).into_owned();
            self.read.drain(..length);
            if status >= 200 {
                return Some(Piece { status, head, body });
            }
        }
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 16 << 10];
        // A reset is an end too: the server closed while bytes of ours were unread.
        match self.stream.read(&mut buffer).await {
            Ok(count) if count > 0 => {
                self.read.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Ok(_) | Err(_) => None,
        }
    }
}

/// Everything that comes back for these bytes, until the server closes.
pub async fn exchange(server: &Server, bytes: &[u8]) -> Vec<Piece> {
    let mut connection = Connection::open(server).await;
    connection.send(bytes).await;
    connection.rest().await
}

/// `127.0.0.1:PORT`.
pub fn authority(server: &Server) -> &str {
    server.url.strip_prefix("http://").expect("plain HTTP")
}

/// A plain `GET`.
pub fn get(server: &Server, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", authority(server)).into_bytes()
}

/// The last request of a connection; its answer shows that nothing before it was read as part of it, nor it as
/// part of anything before.
pub fn last(server: &Server) -> Vec<u8> {
    format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", authority(server)).into_bytes()
}

/// The head of a `POST` with the key and without its framing; ends after a header line.
pub fn post_head(server: &Server, target: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n",
        authority(server)
    )
}

/// A whole `POST` with the key.
pub fn post(server: &Server, target: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{}{more}Content-Length: {}\r\n\r\n{body}", post_head(server, target), body.len()).into_bytes()
}

/// Wait for a condition that must come about.
pub async fn until(condition: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "it never came to it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
