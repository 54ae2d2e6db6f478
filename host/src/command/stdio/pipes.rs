//! Standard input and output, a line at a time, each on a thread of its own: a client that does not read or write holds
//! up nobody but itself.

use std::io::{self, BufRead, BufReader, Write};

use tokio::sync::{mpsc, oneshot};

/// Lines that wait to be taken.
const WAITING: usize = 16;

/// What came in as a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// Longer than may be; none of it was kept.
    TooLong,
}

/// Lines of standard input until it ends.
pub(super) fn input(most: usize) -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(WAITING);
    std::thread::spawn(move || {
        let mut input = BufReader::with_capacity(64 << 10, io::stdin());
        while let Ok(Some(line)) = next(&mut input, most) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Where lines go to standard output; the second part says when it is done, or cannot be written any more.
pub(super) fn output() -> (mpsc::Sender<Vec<u8>>, oneshot::Receiver<()>) {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(WAITING);
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let mut output = io::stdout();
        while let Some(mut line) = receiver.blocking_recv() {
            line.push(b'\n');
            if output.write_all(&line).and_then(|()| output.flush()).is_err() {
                break;
            }
        }
        let _ = done.send(());
    });
    (sender, ended)
}

/// The next line without its end, at most so long; none at the end of the input. An end without a line end counts as one.
fn next(input: &mut impl BufRead, most: usize) -> io::Result<Option<Line>> {
    let (mut line, mut is_too_long, mut has_begun) = (Vec::new(), false, false);
    loop {
        let piece = match input.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if piece.is_empty() {
            return Ok(has_begun.then(|| whole(line, is_too_long)));
        }
        has_begun = true;
        let end = memchr::memchr(b'\n', piece);
        let part = end.and_then(|end| piece.get(..end)).unwrap_or(piece);
        is_too_long |= line.len().saturating_add(part.len()) > most;
        if is_too_long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let used = end.map_or(piece.len(), |end| end.saturating_add(1));
        input.consume(used);
        if end.is_some() {
            return Ok(Some(whole(line, is_too_long)));
        }
    }
}

fn whole(mut line: Vec<u8>, is_too_long: bool) -> Line {
    if is_too_long {
        return Line::TooLong;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Line::Whole(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], most: usize) -> Vec<Line> {
        // Of two bytes, so that every line comes in pieces.
        let mut input = BufReader::with_capacity(2, text);
        std::iter::from_fn(|| next(&mut input, most).unwrap()).collect()
    }

    #[test]
    fn lines_come_whole_and_one_that_is_too_long_is_passed_over() {
        let found = lines(b"one\r\n\nlonger than ten bytes\nlast", 10);
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(found, [whole("one"), whole(""), Line::TooLong, whole("last")]);
        assert_eq!(lines(b"0123456789\n0123456789a", 10), [whole("0123456789"), Line::TooLong]);
        assert_eq!(lines(b"", 10), []);
    }
}
