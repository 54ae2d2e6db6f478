//! HTTP by hand: bytes out, answers in. It frames answers itself, so that a connection that gets out of step shows.

use std::time::Duration;

use aegis_tests::http::Answer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long what must happen may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Everything that comes back for these bytes, until the other side closes. `authority` is `host:port`.
pub async fn exchange(authority: &str, bytes: &[u8]) -> Result<Vec<Answer>, String> {
    let said = async {
        let mut stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
        let (mut read, mut write) = stream.split();
        let mut all = Vec::new();
        // A server that has refused stops reading: that is no failure, its answer tells why.
        let sending = async { write.write_all(bytes).await.ok() };
        let reading = async {
            let mut buffer = [0; 16 << 10];
            while let Ok(count) = read.read(&mut buffer).await {
                if count == 0 {
                    break;
                }
                all.extend_from_slice(&buffer[..count]);
            }
        };
        tokio::join!(sending, reading);
        answers(&all)
    };
    tokio::time::timeout(PATIENCE, said)
        .await
        .map_err(|_| "the server neither answers nor closes".to_owned())?
}

/// The answers in what was read, without those of 1xx.
fn answers(mut bytes: &[u8]) -> Result<Vec<Answer>, String> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let end = find(bytes, b"\r\n\r\n").ok_or("an answer without an end of its head")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes = &bytes[end + 4..];
        let status: u16 =
            head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(|| format!("no status: {head}"))?;
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<(String, String)> =
            lines.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
        let (body, complete);
        if value("transfer-encoding").is_some() {
            (body, bytes, complete) = dechunked(bytes);
        } else {
            let length: usize =
                value("content-length").map_or(Ok(0), |text| text.parse()).map_err(|_| "length")?;
            complete = bytes.len() >= length;
            let (now, later) = bytes.split_at(length.min(bytes.len()));
            (body, bytes) = (now.to_vec(), later);
        }
        if status >= 200 {
            found.push(Answer { status, headers, body, complete });
        }
    }
    Ok(found)
}

/// Body, what follows, and whether the last chunk came.
fn dechunked(mut bytes: &[u8]) -> (Vec<u8>, &[u8], bool) {
    let mut body = Vec::new();
    while let Some(end) = find(bytes, b"\r\n") {
        let size = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        bytes = &bytes[end + 2..];
        if bytes.len() < size + 2 {
            break;
        }
        body.extend_from_slice(&bytes[..size]);
        bytes = &bytes[size + 2..];
        if size == 0 {
            return (body, bytes, true);
        }
    }
    (body, &[], false)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
