//! Where one request ends and the next begins, as the bytes say it: a head that two readers could frame differently is
//! told apart here from one that all read alike (RFC 9112 sections 2.2, 6 and 11.2).
//!
//! A judgement of bytes and nothing else: it reads no socket and answers nobody. What passes here is parsed again by
//! hyper, by the same rules or stricter ones.

use httparse::{EMPTY_HEADER, Error, Header, Request};

/// Header lines of one request; more is 431.
pub(super) const MAX_HEADERS: usize = 100;
/// Bytes of one request head, its empty line included; more is 431.
pub(super) const MAX_HEAD_BYTES: usize = 64 << 10;

/// What the first bytes of a connection, or those after a request, are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// Not a whole head yet. Lines before `seen` need no second look.
    Partial { seen: usize },
    /// A head of this many bytes, with what follows it.
    Head { bytes: usize, body: Framing },
    /// More header lines than [`MAX_HEADERS`] in a head of this many bytes.
    TooManyLines { bytes: usize },
    /// Nothing that all readers would frame alike.
    Refused,
}

/// How a body is told from the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes; none where the head gives no length.
    Length(u64),
    /// By chunks.
    Chunks,
}

/// Judge the bytes from the first line of a head on; `seen` is what [`Judged::Partial`] said of fewer of them.
pub(super) fn judge(bytes: &[u8], seen: usize) -> Judged {
    let head = match end_of_head(bytes, seen) {
        Lines::More { seen } => return Judged::Partial { seen },
        Lines::Bare => return Judged::Refused,
        Lines::End(end) => bytes.get(..end).unwrap_or_default(),
    };
    let mut lines = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut lines);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(Error::TooManyHeaders) => return Judged::TooManyLines { bytes: head.len() },
        Ok(httparse::Status::Partial) | Err(_) => return Judged::Refused,
    }
    let old = request.version == Some(0);
    framing(request.headers, old).map_or(Judged::Refused, |body| Judged::Head { bytes: head.len(), body })
}

/// One way to tell where the body ends, or none. A coding that is not `chunked` is answered by its own refusal, once
/// the request is read.
fn framing(lines: &[Header<'_>], old: bool) -> Option<Framing> {
    let values = |name: &'static str| {
        lines.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    };
    // An old library offers HTTP/2 by itself, and a server may pass over it (RFC 9110 section 7.8). Who asks for any
    // other protocol may take what follows for that one.
    if values("upgrade").any(|protocol| !protocol.eq_ignore_ascii_case(b"h2c")) {
        return None;
    }
    let coded = values("transfer-encoding").next().is_some();
    let mut lengths = values("content-length");
    match (coded, lengths.next(), lengths.next()) {
        (false, None, _) => Some(Framing::Length(0)),
        (false, Some(length), None) => decimal(length).map(Framing::Length),
        (true, None, _) if !old => Some(Framing::Chunks),
        _ => None,
    }
}

/// A length is digits and nothing else (RFC 9110 section 8.6): no sign, no list.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// What the lines of a head are.
enum Lines {
    /// Not at their end.
    More { seen: usize },
    /// A line feed without its carriage return, which some readers take for the end of a line and others do not.
    Bare,
    /// After the empty line that ends the head.
    End(usize),
}

fn end_of_head(bytes: &[u8], seen: usize) -> Lines {
    let mut start = seen;
    while let Some(rest) = bytes.get(start..) {
        let Some(feed) = memchr::memchr(b'\n', rest) else { break };
        match rest.get(..feed) {
            Some(b"\r") if start > 0 => return Lines::End(start + feed + 1),
            Some(line) if line.ends_with(b"\r") => start += feed + 1,
            _ => return Lines::Bare,
        }
    }
    Lines::More { seen: start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(lines: &str) -> Judged {
        judge(format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes(), 0)
    }

    #[test]
    fn what_follows_a_head_is_known_from_one_line_of_it() {
        for (lines, body) in [
            ("", Framing::Length(0)),
            ("Content-Length: 40\r\n", Framing::Length(40)),
            ("content-length:0040 \r\n", Framing::Length(40)),
            ("Transfer-Encoding: chunked\r\n", Framing::Chunks),
            ("Connection: Upgrade\r\nUpgrade: h2c\r\n", Framing::Length(0)),
        ] {
            assert!(matches!(head(lines), Judged::Head { body: of, .. } if of == body), "{lines:?}");
        }
    }

    #[test]
    fn what_two_readers_could_frame_differently_is_refused() {
        for lines in [
            "Content-Length: 40\r\nContent-Length: 40\r\n",
            "Content-Length: 40\r\nContent-Length: 5\r\n",
            "Content-Length: 40, 40\r\n",
            "Content-Length: +40\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: identity\r\nContent-Length: 0\r\n",
            "Content-Length: 40\n",
            "X: a\r\n b\r\n",
            "X: a\rb\r\n",
            "X : a\r\n",
            "X: a\0\r\n",
            "Upgrade: websocket\r\n",
            "Upgrade: h2c, websocket\r\n",
            "Upgrade: h2c\r\nUpgrade: foo\r\n",
        ] {
            assert_eq!(head(lines), Judged::Refused, "{lines:?}");
        }
        for whole in [
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\nHost: a\n\n",
            "\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\n",
            "PRI * HTTP/2.0\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
        ] {
            assert_eq!(judge(whole.as_bytes(), 0), Judged::Refused, "{whole:?}");
        }
    }

    #[test]
    fn a_head_is_the_same_head_however_its_bytes_arrive() {
        let whole = b"POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /";
        let mut seen = 0;
        let end = whole.len() - b"abcGET /".len();
        for count in 0..whole.len() {
            let judged = judge(&whole[..count], seen);
            if let Judged::Partial { seen: lines } = judged {
                assert!(count < end && lines <= count, "{count}");
                seen = lines;
            } else {
                assert!(count >= end, "{count}");
                assert_eq!(judged, Judged::Head { bytes: end, body: Framing::Length(3) }, "{count}");
            }
        }
    }

    #[test]
    fn more_lines_than_the_limit_are_named_so() {
        let lines = |count: usize| "X: 1\r\n".repeat(count);
        assert!(matches!(head(&lines(MAX_HEADERS - 1)), Judged::Head { .. }));
        assert!(matches!(head(&lines(MAX_HEADERS)), Judged::TooManyLines { .. }));
    }
}
