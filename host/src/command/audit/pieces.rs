//! Reading a segment with several threads: one cuts the file at line feeds, the others read the pieces, and the pieces come
//! back in their order. What is held is bounded by the number of threads, whatever the size of the file. With one thread
//! there is no other.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use aegis_custody::audit::{EntryHash, HASH_PREFIX, MAX_LINE, Piece};
use ring::digest::{Context, SHA256};

/// Bytes of a piece, besides the rest of its last line.
pub(super) const PIECE: usize = 64 * 1024;
/// Pieces that each thread has before it or done.
const EACH: usize = 6;

/// What a thread is given: bytes, and where to put what they hold.
type Job = (Vec<u8>, SyncSender<Piece>);

/// A source of pieces, in their order; none at the end.
pub(super) type Next<'a> = dyn FnMut() -> io::Result<Option<Piece>> + 'a;

/// An implementation of [`EntryHash::of`].
type Hash = fn(&[u8]) -> EntryHash;

/// Have `use_of` draw the pieces of a file, which so many threads read.
pub(super) fn with<R>(
    reader: &mut dyn BufRead,
    threads: NonZeroUsize,
    size: usize,
    use_of: impl FnOnce(&mut Next<'_>) -> R,
) -> R {
    let (hash, alone) = (quickest(), threads == NonZeroUsize::MIN);
    let (jobs, taken) = channel::<Job>();
    let taken = Mutex::new(taken);
    std::thread::scope(|scope| {
        for _ in 0..if alone { 0 } else { threads.get() } {
            scope.spawn(|| work(&taken, hash));
        }
        let most = if alone { 1 } else { threads.get().saturating_mul(EACH) };
        let jobs = (!alone).then_some(jobs);
        let mut cutter = Cutter { reader, size, hash, jobs, waiting: VecDeque::new(), most, ended: None };
        // The threads end when the cutter, which gives them work, is dropped.
        use_of(&mut move || cutter.next())
    })
}

/// The implementation that this processor is quickest with: that of the crate `sha2` where it has instructions for SHA-256,
/// and else the one of `ring`.
fn quickest() -> Hash {
    #[cfg(target_arch = "x86_64")]
    let instructions = std::arch::is_x86_feature_detected!("sha");
    #[cfg(not(target_arch = "x86_64"))]
    let instructions = true;
    if instructions { EntryHash::of } else { by_ring }
}

fn by_ring(payload: &[u8]) -> EntryHash {
    let mut context = Context::new(&SHA256);
    context.update(HASH_PREFIX);
    context.update(payload);
    // A digest of SHA-256 has 32 bytes; any other would fit no line.
    EntryHash::from_bytes(context.finish().as_ref().try_into().unwrap_or_default())
}

fn work(jobs: &Mutex<Receiver<Job>>, hash: Hash) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((bytes, done)) = job else { return };
        // Nobody waits where the verification has ended before.
        let _ = done.send(Piece::read(bytes, hash));
    }
}

/// A piece on its way.
enum Waiting {
    Read(Piece),
    Given(Receiver<Piece>),
}

struct Cutter<'a> {
    reader: &'a mut dyn BufRead,
    size: usize,
    hash: Hash,
    /// The way to the threads; without it the cutter reads too.
    jobs: Option<Sender<Job>>,
    waiting: VecDeque<Waiting>,
    most: usize,
    /// How reading ended: well, or by an error, which is told once all before it was.
    ended: Option<io::Result<()>>,
}

impl Cutter<'_> {
    fn next(&mut self) -> io::Result<Option<Piece>> {
        while self.ended.is_none() && self.waiting.len() < self.most {
            self.cut();
        }
        match self.waiting.pop_front() {
            Some(Waiting::Read(piece)) => Ok(Some(piece)),
            Some(Waiting::Given(piece)) => {
                let gone = |_| io::Error::other("a thread of the verification has ended");
                piece.recv().map(Some).map_err(gone)
            }
            None => self.ended.replace(Ok(())).unwrap_or(Ok(())).map(|()| None),
        }
    }

    /// Take the next piece from the file and give it away.
    fn cut(&mut self) {
        let mut bytes = Vec::with_capacity(self.size.saturating_add(MAX_LINE));
        if let Err(error) = piece(self.reader, self.size, &mut bytes) {
            self.ended = Some(Err(error));
            // Lines that came whole before the error count, as they do when lines are read one by one.
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at.saturating_add(1));
            bytes.truncate(whole);
        } else if bytes.len() < self.size {
            self.ended = Some(Ok(()));
        }
        if bytes.is_empty() {
            return;
        }
        self.waiting.push_back(match &self.jobs {
            None => Waiting::Read(Piece::read(bytes, self.hash)),
            Some(jobs) => {
                let (done, piece) = sync_channel(1);
                // Where no thread is left to take it, nothing will come of it, which `next` tells.
                let _ = jobs.send((bytes, done));
                Waiting::Given(piece)
            }
        });
    }
}

/// Read so many bytes, and the rest of the line that they end in, as far as that is not too long for one.
fn piece(reader: &mut dyn BufRead, size: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    let bound = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    (&mut *reader).take(bound(size)).read_to_end(bytes)?;
    if bytes.len() >= size && !bytes.ends_with(b"\n") {
        (&mut *reader).take(bound(MAX_LINE)).read_until(b'\n', bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EntryHash, by_ring};

    #[test]
    fn both_implementations_come_to_the_same() {
        for length in 0..300 {
            let payload: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            assert_eq!(by_ring(&payload), EntryHash::of(&payload));
        }
    }
}
