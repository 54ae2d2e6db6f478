//! Packs the pages of the manual for `aegis-mcp docs`: each as a line with its name, a line with its length in bytes, and
//! its text, all in one gzip stream. The same pages always make the same bytes.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::Outcome;

/// Write the pages of the folder `docs`, and of its runbooks, to `out`.
pub(super) fn pack(docs: &Path, out: &Path) -> Outcome<()> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    for folder in ["", "runbooks/"] {
        let place = docs.join(folder);
        println!("cargo::rerun-if-changed={}", place.display());
        let mut names = Vec::new();
        for entry in fs::read_dir(&place)? {
            let name =
                entry?.file_name().into_string().map_err(|name| format!("{} is no name", name.display()))?;
            names.extend(name.strip_suffix(".md").map(str::to_owned));
        }
        names.sort();
        for name in names {
            let text = fs::read_to_string(place.join(format!("{name}.md")))?;
            write!(packed, "{folder}{name}\n{}\n{text}", text.len())?;
        }
    }
    fs::write(out, packed.finish()?)?;
    Ok(())
}
