//! The entries of an archive, as `git archive` writes them: ustar headers, and before a header that is too small for
//! what it says, records of pax (POSIX.1-2001, "pax Extended Header").
//!
//! The `tar` crate splits these records at line breaks, which a name may hold; the policy would then judge another name
//! than the one in Git. So it gives the headers alone, and the records are read here, by the lengths that they state.
//! Whatever Git does not write ends the reading: guessing would name files wrongly.

use std::io;

use tar::{Archive, Entry, EntryType};

use super::folder::{Folder, Mistakable};
use super::look::{Look, Next};

/// Most bytes of the records before one header. Git knows no path that is nearly as long; the target of a link may
/// be.
const RECORDS_BYTES: u64 = 64 * 1024;
/// Most digits of the length of a record.
const LENGTH_DIGITS: usize = 8;

/// How the reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// To the end, or as far as is wanted.
    Enough,
    /// It cannot be told how the names are to be read. Nothing was looked into.
    Mistakable,
}

/// What the records before a header say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Path(Vec<u8>),
    /// They are too long to be read.
    TooMuch,
}

/// Give every regular file to whoever looks.
///
/// # Errors
/// The archive is damaged, breaks off, is not as Git writes it, or reaches a bound.
pub(super) fn read<R: io::Read>(
    archive: &mut Archive<R>,
    folder: &mut Folder,
    look: &mut dyn Look,
) -> io::Result<Read> {
    let most = look.bounds().entries;
    let mut content = Vec::new();
    let mut said = Said::Nothing;
    for (nth, entry) in (0_u32..).zip(archive.entries()?.raw(true)) {
        let mut entry = entry?;
        if nth >= most {
            return Err(ended(format!("the archive has more than {most} entries (SEARCH_MAX_ENTRIES)")));
        }
        match (entry.header().entry_type(), &said) {
            (EntryType::XHeader, Said::Nothing) => said = records(&mut entry)?,
            (EntryType::XGlobalHeader, Said::Nothing) => {}
            (EntryType::Directory, Said::TooMuch) | (EntryType::Symlink, _) => said = Said::Nothing,
            (EntryType::Directory | EntryType::Regular, _) => {
                let said = std::mem::replace(&mut said, Said::Nothing);
                match one(&mut entry, said, folder, look, &mut content)? {
                    Step::Next(Next::GoOn) => {}
                    Step::Next(Next::Enough) => return Ok(Read::Enough),
                    Step::Mistakable => return Ok(Read::Mistakable),
                }
            }
            _ => return Err(ended("the archive holds what Git does not write".to_owned())),
        }
    }
    Ok(Read::Enough)
}

/// What follows from one entry.
enum Step {
    Next(Next),
    Mistakable,
}

/// Read the name of a file or directory, and look into it if it is a file that is wanted.
fn one<R: io::Read>(
    entry: &mut Entry<'_, R>,
    said: Said,
    folder: &mut Folder,
    look: &mut dyn Look,
    content: &mut Vec<u8>,
) -> io::Result<Step> {
    let name = match said {
        Said::Nothing => entry.header().path_bytes().into_owned(),
        Said::Path(path) => path,
        // Records may also state the length of the content. Without it, what follows cannot be found.
        Said::TooMuch => return Err(ended("the archive holds a path that is too long".to_owned())),
    };
    let name = String::from_utf8(name).ok();
    let path = match name.as_deref().map(|name| folder.path(name)) {
        Some(Ok(path)) => path,
        Some(Err(Mistakable)) => return Ok(Step::Mistakable),
        None => None,
    };
    if entry.header().entry_type() != EntryType::Regular {
        return Ok(Step::Next(Next::GoOn));
    }
    let Some(path) = path else {
        look.unnamed();
        return Ok(Step::Next(look.time()));
    };
    if !look.wants(path, entry.size()) {
        return Ok(Step::Next(look.time()));
    }
    content.clear();
    io::Read::read_to_end(entry, content)?;
    Ok(Step::Next(look.file(path, content)))
}

/// Read the records before a header.
fn records<R: io::Read>(entry: &mut Entry<'_, R>) -> io::Result<Said> {
    if entry.size() > RECORDS_BYTES {
        return Ok(Said::TooMuch);
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(entry, &mut bytes)?;
    let mut said = Said::Nothing;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (record, behind) = record(rest).ok_or_else(|| ended("the archive is damaged".to_owned()))?;
        rest = behind;
        match record {
            (b"path", path) => said = Said::Path(path.to_vec()),
            // Git states a length only where the header has no room for it, and then writes 0 there.
            (b"size", _) => {
                return Err(ended(
                    "the archive holds a file of 8 GiB or more; what follows is left".to_owned(),
                ));
            }
            _ => {}
        }
    }
    Ok(said)
}

/// A keyword and its value.
type Record<'b> = (&'b [u8], &'b [u8]);

/// The first record, `<length> <keyword>=<value>\n`, by its length alone, and what is behind it.
fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let blank = bytes.iter().take(LENGTH_DIGITS.saturating_add(1)).position(|byte| *byte == b' ')?;
    let (digits, _) = bytes.split_at_checked(blank)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, behind) = bytes.split_at_checked(length)?;
    let inner = record.get(blank.saturating_add(1)..)?.strip_suffix(b"\n")?;
    let equals = inner.iter().position(|byte| *byte == b'=')?;
    let (keyword, value) = inner.split_at_checked(equals)?;
    Some(((keyword, value.strip_prefix(b"=")?), behind))
}

/// A reason of ours why a reading ended, to be told as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Ended(String);

pub(super) fn ended(why: String) -> io::Error {
    io::Error::other(Ended(why))
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn a_record_is_as_long_as_it_says() {
        let (first, rest) = record(b"15 path=a\nb\ncd\n9 x=1234\n").unwrap();
        assert_eq!(first, (b"path".as_slice(), b"a\nb\ncd".as_slice()));
        assert_eq!(record(rest).unwrap(), ((b"x".as_slice(), b"1234".as_slice()), b"".as_slice()));
        assert_eq!(record(b"6 a==\n").unwrap().0, (b"a".as_slice(), b"=".as_slice()));
        assert_eq!(record(b"5 a=\n").unwrap().0, (b"a".as_slice(), b"".as_slice()));
    }

    #[test]
    fn a_record_that_lies_is_none() {
        for lie in [
            "",
            " ",
            "a",
            "=",
            "\n",
            "5",
            "0 a=\n",
            "2 a=\n",
            "3 a=\n",
            "4 a=\n",
            "6 a=\n",
            "5 a=b\n",
            "7 a=b\n",
            "-5 a=\n",
            "+5 a=\n",
            " 5 a=\n",
            "5a=\n\n",
            "99999999999999999999 a=\n",
            "18446744073709551615 a=\n",
            "4 a\n",
            "2 ",
            "5 a=b",
            "00000000000005 a=\n",
        ] {
            assert_eq!(record(lie.as_bytes()), None, "{lie:?}");
        }
    }
}
