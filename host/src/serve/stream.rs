//! A streamed answer while its instance works: pieces pass as they come, without the server's own secrets, but for those
//! that carry a result while a ticket is open, and silence between events is broken.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use super::answer::{CutOff, Instance};
use crate::early::Leave;
use crate::mailbox::{KEEP_ALIVE, KeepSlot, Open};
use crate::own::outlet::Flow;
use crate::shared::Shared;
use crate::ticket::Tickets;

/// What a stream comes from.
pub(super) struct Source {
    pub(super) body: HyperOutgoingBody,
    pub(super) tickets: Arc<Tickets>,
    pub(super) instance: Instance,
    /// The instance has ended, and well.
    pub(super) over: bool,
    /// What all of it goes through.
    pub(super) flow: Flow,
}

/// A streamed answer and the instance that writes it.
pub(crate) struct Stream {
    source: Source,
    shared: Arc<Shared>,
    /// What the answer goes on with when the guest has said all.
    keep: KeepSlot,
    deadline: Pin<Box<Sleep>>,
    silence: Pin<Box<Sleep>>,
    every: Duration,
    /// What left last.
    tail: Tail,
    /// A piece with a result that came while a ticket was open; it leaves only when the instance has ended well.
    held: Option<Bytes>,
    ended: bool,
}

type Piece = Option<Result<Bytes, CutOff>>;

impl Stream {
    pub(super) fn new(source: Source, shared: Arc<Shared>, keep: KeepSlot, deadline: Instant) -> Self {
        let every = shared.mailbox.every;
        Self {
            source,
            keep,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
            silence: Box::pin(tokio::time::sleep(every)),
            every,
            tail: Tail::default(),
            held: None,
            ended: false,
            shared,
        }
    }

    /// The next piece, or none when the guest has said all and nothing of it is held back any more.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        if self.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(CutOff)));
        }
        while let Poll::Ready(piece) = self.poll_guest(context) {
            let piece = match piece {
                Some(Ok(piece)) => Some(Ok(self.source.flow.piece(piece))),
                None => Some(self.source.flow.rest()).filter(|rest| !rest.is_empty()).map(Ok),
                failed @ Some(Err(_)) => failed,
            };
            if let Some(Ok(piece)) = &piece {
                if piece.is_empty() {
                    continue;
                }
                self.tail.follow(piece);
                self.silence.as_mut().reset(Instant::now() + self.every);
            }
            return Poll::Ready(piece);
        }
        while self.silence.as_mut().poll(context).is_ready() {
            self.silence.as_mut().reset(Instant::now() + self.every);
            if self.tail.is_between_events() {
                return Poll::Ready(Some(Ok(KEEP_ALIVE)));
            }
        }
        Poll::Pending
    }

    /// The stream that was kept, where one was: the answer goes on with it.
    pub(super) fn kept(&mut self) -> Option<Open> {
        let keep = self.keep.lock().unwrap_or_else(PoisonError::into_inner).take();
        Some(keep?.open(&self.shared))
    }

    fn poll_guest(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        while !self.ended {
            let frame = match ready!(Pin::new(&mut self.source.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(_)) => return Poll::Ready(Some(Err(CutOff))),
                None => {
                    self.ended = true;
                    break;
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            match self.source.tickets.judge(&data) {
                Leave::Now => return Poll::Ready(Some(Ok(data))),
                Leave::Never => {}
                Leave::Later if self.held.replace(data).is_some() => return Poll::Ready(Some(Err(CutOff))),
                Leave::Later => {}
            }
        }
        self.poll_end(context)
    }

    /// The guest has written everything: what was held leaves if the tickets are closed by now, and a stream is kept
    /// only by an instance that has ended well.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Piece> {
        let keeps = self.keep.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if self.held.is_none() && !keeps {
            return Poll::Ready(None);
        }
        if !self.source.over {
            self.source.over = ready!(self.source.instance.poll_ended(context));
            if !(self.source.over && self.source.tickets.all_closed()) {
                return Poll::Ready(Some(Err(CutOff)));
            }
        }
        Poll::Ready(self.held.take().map(Ok))
    }
}

/// The last two bytes that left.
#[derive(Default)]
struct Tail {
    last: Option<[u8; 2]>,
}

impl Tail {
    fn follow(&mut self, piece: &[u8]) {
        let before = self.last.unwrap_or_default();
        self.last = match piece {
            [] => self.last,
            [only] => Some([before[1], *only]),
            [.., one, two] => Some([*one, *two]),
        };
    }

    /// Nothing was said, or whole events were: only there a comment does not break into one.
    fn is_between_events(&self) -> bool {
        self.last.is_none_or(|last| last == *b"\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn a_comment_fits_only_behind_an_empty_line() {
        let after = |pieces: &[&str]| {
            let mut tail = Tail::default();
            pieces.iter().for_each(|piece| tail.follow(piece.as_bytes()));
            tail.is_between_events()
        };
        for between in [[""; 3], ["data: 1\n\n", "", ""], ["data: 1", "\n", "\n"], ["data: 1\n", "\n", ""]] {
            assert!(after(&between), "{between:?}");
        }
        for within in [["data: 1\n", "", ""], ["\n\n", "d", ""], ["data: 1\n\n", "event: message\n", ""]] {
            assert!(!after(&within), "{within:?}");
        }
    }
}
