//! An answer that stays open, read as it comes: for streams of events, which a test cannot wait for the end of.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long a test waits for something that must come; it is never waited out when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer on its way.
#[derive(Debug)]
pub struct Events {
    stream: TcpStream,
    /// Everything that came, head and framing included.
    came: Vec<u8>,
    /// The other side has closed.
    closed: bool,
}

impl Events {
    /// Ask with `GET` and a key, and read nothing yet.
    ///
    /// # Panics
    /// Nobody listens.
    pub async fn ask(base: &str, target: &str, token: &str) -> Self {
        let authority = base.strip_prefix("http://").unwrap_or(base);
        let mut stream = TcpStream::connect(authority).await.expect("it listens");
        let head =
            format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        Self { stream, came: Vec::new(), closed: false }
    }

    /// Everything that came so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.came).into_owned()
    }

    /// Read until this has come, and return everything.
    ///
    /// # Panics
    /// It does not come.
    pub async fn until(&mut self, text: &str) -> String {
        while !self.text().contains(text) {
            assert!(!self.closed, "{text:?} never came: {}", self.text());
            self.read().await;
        }
        self.text()
    }

    /// The rest of the line behind this text, which has to come.
    pub async fn value(&mut self, before: &str) -> String {
        let text = self.until(before).await;
        let (_, rest) = text.split_once(before).expect("it came");
        rest.lines().next().unwrap_or_default().to_owned()
    }

    /// Read to the end; whether the answer is whole: its last chunk came.
    ///
    /// # Panics
    /// It does not end.
    pub async fn end(&mut self) -> bool {
        while !self.closed && !self.came.ends_with(b"0\r\n\r\n") {
            self.read().await;
        }
        self.came.ends_with(b"0\r\n\r\n")
    }

    async fn read(&mut self) {
        let mut piece = [0; 64 << 10];
        let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut piece));
        let count = read.await.unwrap_or_else(|_| panic!("nothing more came: {}", self.text())).unwrap_or(0);
        self.closed |= count == 0;
        self.came.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}
