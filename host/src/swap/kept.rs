//! Guests that were swapped in, as they lie on the registry's volume: `DIGEST.wasm`, its signature where it has one, and
//! `history.json`. Files are written under another name and renamed. No native code is kept here: that is made anew from
//! the component, whose digest and signature are looked at again.

use std::fs::File as Opened;
use std::io;
use std::path::Path;

use super::record::File;
use super::{MAX_COMPONENT, MAX_SIGNATURE, Offered};
use crate::compiled::{keep, prepare};
use crate::regular;

const HISTORY: &str = "history.json";
/// Longest history that is read, in bytes.
const MAX_HISTORY: u64 = 1 << 20;

/// The history, where there is one.
///
/// # Errors
/// It is there and cannot be used.
pub(super) fn history(folder: &Path) -> Result<Option<File>, String> {
    let path = folder.join(HISTORY);
    let wrong = |why: String| format!("{} cannot be used: {why}", path.display());
    match regular::read(&path, MAX_HISTORY) {
        Ok(text) => File::parse(&text).map(Some).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// A component that was kept, with its signature.
///
/// # Errors
/// It is not there, or is another one by now.
pub(super) fn component(folder: &Path, digest: &str) -> Result<Offered, String> {
    let path = folder.join(format!("{digest}.wasm"));
    let read = regular::read(&path, MAX_COMPONENT);
    let bytes = read.map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if crate::component::digest(&bytes) != digest {
        return Err(format!("{} is not the component that its name says", path.display()));
    }
    let signature = regular::read(&folder.join(format!("{digest}.wasm.sig")), MAX_SIGNATURE);
    let signature = signature.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Offered { bytes, signature })
}

/// Keep the history, and those of its components that are new. What it names no more is removed.
///
/// # Errors
/// The folder is not ours alone, or cannot be written.
pub(super) fn write<'o>(
    folder: &Path,
    history: &File,
    new: impl Iterator<Item = (&'o str, &'o Offered)>,
) -> Result<(), String> {
    prepare(folder).map_err(|why| format!("{} cannot be used: {why}", folder.display()))?;
    let text = serde_json::to_vec_pretty(history).map_err(|error| error.to_string())?;
    let written = || {
        for (digest, offered) in new {
            keep(folder, &format!("{digest}.wasm"), &offered.bytes)?;
            match &offered.signature {
                Some(signature) => keep(folder, &format!("{digest}.wasm.sig"), signature.as_bytes())?,
                None => gone(&folder.join(format!("{digest}.wasm.sig")))?,
            }
        }
        keep(folder, HISTORY, &text)?;
        Opened::open(folder)?.sync_all()
    };
    written().map_err(|error: io::Error| format!("{} cannot be written: {error}", folder.display()))?;
    sweep(folder, &history.line);
    Ok(())
}

/// Remove components that the history does not name, and what a killed process left. What stays by mistake does no harm.
fn sweep(folder: &Path, line: &[String]) {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for file in files {
        let name = file.file_name();
        let Some(name) = name.to_str() else { continue };
        let of = name.strip_suffix(".wasm.sig").or_else(|| name.strip_suffix(".wasm"));
        if name.ends_with(".tmp") || of.is_some_and(|digest| !line.iter().any(|kept| kept == digest)) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

fn gone(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
