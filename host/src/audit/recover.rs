//! What an interrupted write left behind the last valid line: kept beside the log, then cut off. It judges no line.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aegis_custody::audit::{Chain, End, Segment};

use super::fs::{LogFile, LogFs, Tail};
use super::names::Place;
use super::start::{OpenError, unwritable};

/// How many copies of cut-off bytes may lie beside the log for the same line.
const TORN_COPIES: u32 = 100;

/// Bytes that were cut off.
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) sha256: String,
    pub(super) copy: PathBuf,
    pub(super) after_seq: u64,
}

/// Copy what follows the last valid line beside the log, make the copy durable, then cut it off.
pub(super) fn recover(
    fs: &dyn LogFs,
    place: &Place,
    file: &mut dyn LogFile,
    segment: &Segment,
    chain: Chain,
) -> Result<Option<Torn>, OpenError> {
    let End::Torn { bytes, sha256 } = &segment.end else { return Ok(None) };
    let after_seq = chain.last_seq();
    let (path, mut copy) = create_copy(fs, place, after_seq.saturating_add(1))?;
    let done = copy_tail(file, segment.bytes, place, copy.as_mut(), &path).and_then(|()| {
        fs.sync_dir(&place.dir).map_err(unwritable(&place.dir))?;
        file.cut(segment.bytes).map_err(unwritable(&place.active))
    });
    if let Err(error) = done {
        // The bytes are still in the log. A server that tries again for hours would leave a copy each time.
        let _ = fs.remove(&path);
        return Err(error);
    }
    Ok(Some(Torn { bytes: *bytes, sha256: sha256.clone(), copy: path, after_seq }))
}

/// Make what follows the last valid line durable in another file.
fn copy_tail(
    file: &dyn LogFile,
    from: u64,
    place: &Place,
    copy: &mut dyn LogFile,
    path: &Path,
) -> Result<(), OpenError> {
    let mut tail = Tail { file, offset: from };
    let mut piece = vec![0_u8; 64 * 1024];
    loop {
        let count = tail.read(&mut piece).map_err(unwritable(&place.active))?;
        match piece.get(..count) {
            Some([]) | None => break,
            Some(read) => copy.append(read).map_err(unwritable(path))?,
        }
    }
    copy.sync().map_err(unwritable(path))
}

fn create_copy(fs: &dyn LogFs, place: &Place, seq: u64) -> Result<(PathBuf, Box<dyn LogFile>), OpenError> {
    let mut attempt = 1;
    loop {
        let path = place.torn(seq, attempt);
        match fs.create(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < TORN_COPIES => {
                attempt += 1
            }
            Err(source) => return Err(OpenError::Unwritable { path, source }),
        }
    }
}
