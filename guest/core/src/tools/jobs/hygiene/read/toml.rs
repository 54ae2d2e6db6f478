//! TOML by the `toml` crate, with the lines of what it found. It bounds nesting; size and number of tokens are bounded
//! here, since what it builds takes many times the size of the text.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::lines::Lines;
use super::super::sheet::Malformed;

/// Largest text that is read at once, in bytes.
const BYTES: usize = 128 * 1024;
/// Most bytes that begin or end something: a bound of how much is built.
const MARKS: usize = 40_000;

/// A document and its lines.
pub(super) struct Document<'t> {
    pub(super) table: DeTable<'t>,
    pub(super) lines: Lines,
}

pub(super) fn parse(text: &str) -> Result<Document<'_>, Malformed> {
    let marks = text.bytes().filter(|byte| b"[]{},=.\n".contains(byte)).count();
    if text.len() > BYTES || marks > MARKS {
        return Err(Malformed("it holds more than is read of one file".to_owned()));
    }
    match DeTable::parse(text) {
        Ok(table) => Ok(Document { table: table.into_inner(), lines: Lines::of(text) }),
        Err(error) => {
            let line = error.span().map(|span| Lines::of(text).at(span.start));
            Err(Malformed(match line {
                Some(line) => format!("it is not TOML (line {line})"),
                None => "it is not TOML".to_owned(),
            }))
        }
    }
}

/// The table called so.
pub(super) fn table<'d, 't>(table: &'d DeTable<'t>, name: &str) -> Option<&'d DeTable<'t>> {
    table.get(name)?.get_ref().as_table()
}

/// The text called so.
pub(super) fn text<'d>(table: &'d DeTable<'_>, name: &str) -> Option<&'d str> {
    table.get(name)?.get_ref().as_str()
}

/// Entries of a list, or the one value that stands for a list of one.
pub(super) fn each<'d, 't>(value: &'d Spanned<DeValue<'t>>) -> Vec<&'d Spanned<DeValue<'t>>> {
    match value.get_ref().as_array() {
        Some(list) => list.iter().collect(),
        None => vec![value],
    }
}

/// The names of all packages of a lock file that lists them as `[[package]]`. Each is read by itself, so that a large
/// file takes no more room than its largest package.
pub(super) fn packages(text: &str, name: &mut dyn FnMut(&str)) -> Result<(), Malformed> {
    let mut rest = text;
    let mut behind_head = false;
    loop {
        let end = rest.get(1..).and_then(|tail| tail.find("\n[[package]]")).map(|at| at.saturating_add(2));
        let (part, tail) = match end.and_then(|end| rest.split_at_checked(end)) {
            Some(parts) => parts,
            None => (rest, ""),
        };
        let document = parse(part)?;
        let list = document.table.get("package").and_then(|value| value.get_ref().as_array());
        let tables = list.into_iter().flat_map(|list| list.iter()).filter_map(|one| one.get_ref().as_table());
        for package in tables {
            match text_of_name(package) {
                Some(found) => name(found),
                None => return Err(Malformed("a package in it has no name".to_owned())),
            }
            behind_head = true;
        }
        if tail.is_empty() {
            break;
        }
        rest = tail;
    }
    // `[[package]]` is missing where nothing is locked, and then the version of the format stands alone.
    if behind_head || text.contains("version") {
        Ok(())
    } else {
        Err(Malformed("it is no lock file".to_owned()))
    }
}

fn text_of_name<'d>(package: &'d DeTable<'_>) -> Option<&'d str> {
    text(package, "name")
}
