//! Rust: `Cargo.toml` and `Cargo.lock`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::judge::{self, is_any_version, is_plain};
use super::super::lines::Lines;
use super::super::rule::Rule;
use super::super::sheet::{Need, Read, Sheet, Workspace};
use super::toml::{packages, parse, table, text};

const TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

pub(super) fn manifest(source: &str, sheet: &mut Sheet) -> Read {
    let document = parse(source)?;
    let (root, lines) = (&document.table, &document.lines);
    for name in TABLES {
        dependencies(table(root, name), lines, sheet);
    }
    for (_, target) in table(root, "target").into_iter().flatten() {
        for name in TABLES {
            dependencies(target.get_ref().as_table().and_then(|target| table(target, name)), lines, sheet);
        }
    }
    if let Some(workspace) = table(root, "workspace") {
        let list = workspace.get("exclude").and_then(|list| list.get_ref().as_array());
        let excluded = list.into_iter().flat_map(|list| list.iter());
        let mut found = Workspace {
            excluded: excluded.filter_map(|one| one.get_ref().as_str().map(str::to_owned)).collect(),
            ..Workspace::default()
        };
        for (name, value) in table(workspace, "dependencies").into_iter().flatten() {
            let line = Some(lines.at(name.span().start));
            judged(name.get_ref(), value, line, sheet);
            if let Some(other) = value.get_ref().as_table().and_then(|table| text(table, "package")) {
                found.renamed.insert(name.get_ref().to_string(), other.to_owned());
            }
        }
        sheet.workspace = Some(found);
    }
    if !sheet.needs.is_empty() {
        sheet.lock = Some("Cargo.lock");
    }
    Ok(())
}

fn dependencies(found: Option<&DeTable<'_>>, lines: &Lines, sheet: &mut Sheet) {
    for (name, value) in found.into_iter().flatten() {
        let line = Some(lines.at(name.span().start));
        judged(name.get_ref(), value, line, sheet);
        let inner = value.get_ref().as_table();
        let package = inner.and_then(|inner| text(inner, "package")).unwrap_or(name.get_ref());
        let flag = inner.and_then(|inner| inner.get("workspace")).and_then(|flag| flag.get_ref().as_bool());
        let inherited = flag == Some(true);
        sheet.needs_also(Need { name: package.to_owned(), line, inherited });
    }
}

fn judged(name: &str, value: &Spanned<DeValue<'_>>, line: Option<u64>, sheet: &mut Sheet) {
    if let Some(version) = value.get_ref().as_str() {
        if is_any_version(version) {
            sheet.tell(Rule::Wildcard, line, &format!("{name} = \"{version}\""));
        }
        return;
    }
    let Some(inner) = value.get_ref().as_table() else { return };
    if let Some(address) = text(inner, "git") {
        let revision = text(inner, "rev").or_else(|| text(inner, "tag"));
        let named = text(inner, "rev").is_some() || text(inner, "tag").is_some();
        let what = format!("{name} = {{ git = \"{address}\" }}");
        // A tag is named as such here, so it may have any name.
        judge::git(sheet, line, &what, address, if named { Some("v0") } else { revision });
        return;
    }
    if let Some(address) = text(inner, "registry-index").filter(|address| is_plain(address)) {
        sheet.tell(Rule::PlainHttp, line, &format!("{name} from {address}"));
    }
    let elsewhere = ["path", "workspace"].iter().any(|key| inner.get(*key).is_some());
    match text(inner, "version") {
        Some(version) if is_any_version(version) => {
            sheet.tell(Rule::Wildcard, line, &format!("{name} = {{ version = \"{version}\" }}"));
        }
        None if !elsewhere => sheet.tell(Rule::Wildcard, line, &format!("{name} without a version")),
        Some(_) | None => {}
    }
}

pub(super) fn lock(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(std::collections::BTreeSet::new());
    super::plain_sources(source, &["source = \"registry+", "source = \"git+"], sheet);
    packages(source, &mut |name| sheet.lock_name(name))
}
