//! Reading a segment with several threads: one cuts the file at line feeds, the others read the pieces, and the pieces come
//! back in their order. What is held is bounded by the number of threads, whatever the size of the file.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};

use aegis_custody::audit::{EntryHash, MAX_LINE, Piece};

/// Bytes of a piece, besides the rest of its last line.
pub(super) const PIECE: usize = 256 * 1024;
/// Pieces that each thread has before it or done.
const EACH: usize = 3;

/// What a thread is given: bytes, and where to put what they hold.
type Job = (Vec<u8>, SyncSender<Piece>);

/// A source of pieces, in their order; none at the end.
pub(super) type Next<'a> = dyn FnMut() -> io::Result<Option<Piece>> + 'a;

/// Have `use_of` draw the pieces of a file, which so many threads read.
pub(super) fn with<R>(
    reader: &mut dyn BufRead,
    threads: NonZeroUsize,
    size: usize,
    use_of: impl FnOnce(&mut Next<'_>) -> R,
) -> R {
    let (jobs, taken) = channel::<Job>();
    let taken = Mutex::new(taken);
    std::thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| work(&taken));
        }
        let mut cutter =
            Cutter { reader, size, jobs, waiting: VecDeque::new(), most: threads.get() * EACH, ended: None };
        // The threads end when the cutter, which gives them work, is dropped.
        use_of(&mut move || cutter.next())
    })
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((bytes, done)) = job else { return };
        // Nobody waits where the verification has ended before.
        let _ = done.send(Piece::read(bytes, EntryHash::of));
    }
}

struct Cutter<'a> {
    reader: &'a mut dyn BufRead,
    size: usize,
    jobs: Sender<Job>,
    waiting: VecDeque<Receiver<Piece>>,
    most: usize,
    /// How reading ended: well, or by an error, which is told once all before it was.
    ended: Option<io::Result<()>>,
}

impl Cutter<'_> {
    fn next(&mut self) -> io::Result<Option<Piece>> {
        while self.ended.is_none() && self.waiting.len() < self.most {
            self.cut();
        }
        let gone = |_| io::Error::other("a thread of the verification has ended");
        match self.waiting.pop_front() {
            Some(piece) => piece.recv().map(Some).map_err(gone),
            None => self.ended.replace(Ok(())).unwrap_or(Ok(())).map(|()| None),
        }
    }

    /// Read the next piece and give it away.
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
        if !bytes.is_empty() {
            let (done, piece) = sync_channel(1);
            // Where no thread is left to take it, nothing will come of it, which `next` tells.
            let _ = self.jobs.send((bytes, done));
            self.waiting.push_back(piece);
        }
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
