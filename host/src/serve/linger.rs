//! The end of a connection whose client is still sending. A socket that is closed with bytes unread is reset, and the client
//! loses the answer that it has not read yet; so what comes is read for a moment, and thrown away (RFC 9112 section 9.6).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

/// Longest that a client may take to read its answer and hang up.
const TIME: Duration = Duration::from_secs(2);

/// Most that is thrown away, in bytes.
const MOST: usize = 64 << 20;

/// How long it goes on.
pub(super) struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self { until: Box::pin(tokio::time::sleep(TIME)), left: MOST }
    }

    /// Ready once the client has hung up, or has had its time or its bytes.
    pub(super) fn poll<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut space = [0_u8; 8 << 10];
        while self.left > 0 && self.until.as_mut().poll(context).is_pending() {
            let mut piece = ReadBuf::new(&mut space);
            match Pin::new(&mut *stream).poll_read(context, &mut piece) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !piece.filled().is_empty() => {
                    self.left = self.left.saturating_sub(piece.filled().len());
                }
                Poll::Ready(Ok(()) | Err(_)) => break,
            }
        }
        Poll::Ready(())
    }
}
