//! A connection that hands hyper one judged request head at a time.
//!
//! hyper reads more forms of HTTP/1.1 than one (decision 007). Every head is held back here until it is whole and
//! [`super::framing`] has found that all readers frame it alike; its body follows by the length it gave. In the place of a
//! head that is refused hyper gets bytes that are no head, so that the answer (400, and the end of the connection) comes
//! after those to earlier requests. The bytes of a chunked body pass unread: hyper reads chunks strictly, and
//! [`super::intake`] lets such a request be the last of its connection, so that nothing behind it is ever a request.
//!
//! It must not change what it lets through, and waits for nothing by itself but for the end of what a client still sends when it
//! has been answered ([`super::linger`]): deadlines are hyper's.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::{Framing, Judged, MAX_HEAD_BYTES, judge};
use super::linger::Linger;

/// What no reader takes for a request.
const NO_HEAD: &[u8] = b"\0\r\n\r\n";

/// A stream whose reads have been judged; its writes pass.
pub(super) struct Heads<S> {
    stream: S,
    /// Read from the stream and not handed on.
    held: BytesMut,
    next: Next,
    /// It has been answered for the last time, and still sends.
    linger: Option<Linger>,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// A head, of which the lines before `seen` were looked at.
    Head { seen: usize },
    /// So many bytes of a judged head, and then what its body is framed by.
    Judged { bytes: usize, body: Framing },
    /// So many bytes of a body.
    Body(u64),
    /// Chunks, to the end of the connection.
    Chunks,
    /// So many bytes for hyper to refuse; it is given no more.
    Last(usize),
    /// What came of a head before the client ended, and that end.
    Ended,
}

impl<S> Heads<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, held: BytesMut::new(), next: Next::Head { seen: 0 }, linger: None }
    }

    /// Whether bytes of a request may still be on their way.
    fn is_sending(&self) -> bool {
        match self.next {
            Next::Head { .. } | Next::Ended => false,
            Next::Body(length) => length > 0,
            Next::Judged { .. } | Next::Chunks | Next::Last(_) => true,
        }
    }

    /// Hand on what is held, up to `most` bytes; how many went.
    fn hand_on(&mut self, most: usize, into: &mut ReadBuf<'_>) -> usize {
        let count = most.min(self.held.len()).min(into.remaining());
        into.put_slice(self.held.get(..count).unwrap_or_default());
        self.held.advance(count);
        count
    }

    /// Judge the head that is held.
    fn judge(&mut self, seen: usize) -> Next {
        // Empty lines before a request line are nothing (RFC 9112 section 2.2).
        while seen == 0 && self.held.starts_with(b"\r\n") {
            self.held.advance(2);
        }
        match judge(&self.held, seen) {
            Judged::Head { bytes, body } if bytes <= MAX_HEAD_BYTES => Next::Judged { bytes, body },
            Judged::Head { .. } => Next::Last(MAX_HEAD_BYTES),
            Judged::Partial { .. } if self.held.len() >= MAX_HEAD_BYTES => Next::Last(MAX_HEAD_BYTES),
            Judged::Partial { seen } => Next::Head { seen },
            Judged::TooManyLines { bytes } => Next::Last(bytes.min(MAX_HEAD_BYTES)),
            Judged::Refused => {
                self.held = BytesMut::from(NO_HEAD);
                Next::Last(NO_HEAD.len())
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Heads<S> {
    /// Read more of the stream into what is held; how much came, none at its end.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0_u8; 8 << 10];
        let mut piece = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut piece))?;
        self.held.extend_from_slice(piece.filled());
        Poll::Ready(Ok(piece.filled().len()))
    }

    /// The next bytes of a body. How many went, none at the end of the stream.
    fn poll_body(
        &mut self,
        context: &mut Context<'_>,
        most: u64,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<u64>> {
        if self.held.is_empty() {
            ready!(self.poll_more(context))?;
        }
        let went = self.hand_on(usize::try_from(most).unwrap_or(usize::MAX), into);
        Poll::Ready(Ok(u64::try_from(went).unwrap_or(u64::MAX)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.next {
                Next::Head { seen } => {
                    this.next = this.judge(seen);
                    if matches!(this.next, Next::Head { .. }) && ready!(this.poll_more(context))? == 0 {
                        this.next = Next::Ended;
                    }
                }
                Next::Judged { bytes: 0, body: Framing::Length(length) } => this.next = Next::Body(length),
                Next::Judged { bytes: 0, body: Framing::Chunks } => this.next = Next::Chunks,
                Next::Judged { bytes, body } => {
                    let went = this.hand_on(bytes, into);
                    this.next = Next::Judged { bytes: bytes.saturating_sub(went), body };
                    return Poll::Ready(Ok(()));
                }
                Next::Body(0) => this.next = Next::Head { seen: 0 },
                Next::Body(length) => {
                    let went = ready!(this.poll_body(context, length, into))?;
                    this.next = Next::Body(length.saturating_sub(went));
                    return Poll::Ready(Ok(()));
                }
                Next::Chunks => return this.poll_body(context, u64::MAX, into).map_ok(drop),
                Next::Ended => {
                    this.hand_on(usize::MAX, into);
                    return Poll::Ready(Ok(()));
                }
                // hyper refuses what it was given and closes; it has nothing to wait for.
                Next::Last(0) => return Poll::Pending,
                Next::Last(bytes) => {
                    let went = this.hand_on(bytes, into);
                    this.next = Next::Last(bytes.saturating_sub(went));
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            if !this.is_sending() {
                return Poll::Ready(Ok(()));
            }
        }
        this.linger.get_or_insert_with(Linger::new).poll(&mut this.stream, context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What hyper gets of these bytes, when they arrive in pieces of `size`.
    async fn handed_on(bytes: &[u8], size: usize) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(size);
        let mut heads = Heads::new(server);
        let bytes = bytes.to_vec();
        let sent = tokio::spawn(async move { client.write_all(&bytes).await });
        let (mut got, mut piece) = (Vec::new(), vec![0; size]);
        while !matches!(heads.next, Next::Last(0)) {
            match heads.read(&mut piece).await.unwrap() {
                0 => break,
                count => got.extend_from_slice(&piece[..count]),
            }
        }
        sent.abort();
        got
    }

    #[tokio::test]
    async fn requests_pass_unchanged_however_they_arrive() {
        let requests = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\nPOST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 26\r\n\r\n\
            \n\nGET / HTTP/1.1\nnot a headPOST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n";
        for size in [1, 2, 3, 7, 64, 1 << 16] {
            assert_eq!(handed_on(requests, size).await, requests, "{size}");
        }
    }

    #[tokio::test]
    async fn a_refused_head_is_handed_on_as_none_and_nothing_after_it() {
        let first = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n".as_slice();
        let requests = [first, b"GET /\n\n", first].concat();
        for size in [1, 5, 1 << 16] {
            assert_eq!(handed_on(&requests, size).await, [first, NO_HEAD].concat(), "{size}");
        }
    }

    #[tokio::test]
    async fn a_head_over_the_limit_is_handed_on_to_the_limit() {
        let giant = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(MAX_HEAD_BYTES));
        for size in [1_000, 1 << 20] {
            let got = handed_on(giant.as_bytes(), size).await;
            assert_eq!(got, giant.as_bytes()[..MAX_HEAD_BYTES], "{size}");
        }
    }

    #[tokio::test]
    async fn a_head_that_breaks_off_is_handed_on_and_ends() {
        assert_eq!(handed_on(b"GET / HTTP/1.1\r\nHos", 4).await, b"GET / HTTP/1.1\r\nHos");
    }
}
