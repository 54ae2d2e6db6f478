//! PHP: `composer.json` and `composer.lock`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::super::judge::{is_any_version, is_plain};
use super::super::lines::Keys;
use super::super::rule::Rule;
use super::super::sheet::{Read, Sheet};
use super::json::{self, Names};
use super::npm::members;

pub(super) fn manifest(source: &str, sheet: &mut Sheet) -> Read {
    let document = json::object(source)?;
    let keys = Keys::of(source);
    for section in ["require", "require-dev"] {
        for (name, range) in members(&document, section) {
            // What is not `vendor/name` is PHP itself or a part of the system.
            if !name.contains('/') {
                continue;
            }
            let line = keys.line(section, name);
            sheet.need(&name.to_ascii_lowercase(), line);
            let range = range.as_str().unwrap_or_default();
            let what = format!("\"{name}\": \"{range}\"");
            if is_any_version(range) {
                sheet.tell(Rule::Wildcard, line, &what);
            } else if range.starts_with("dev-") && !range.contains('#') {
                sheet.tell(Rule::GitWithoutRevision, line, &what);
            }
        }
    }
    let listed = document.get("repositories").and_then(Value::as_array).into_iter().flatten();
    let named = members(&document, "repositories").map(|(_, one)| one);
    for one in listed.chain(named) {
        if let Some(address) = one.get("url").and_then(Value::as_str).filter(|url| is_plain(url)) {
            sheet.tell(Rule::PlainHttp, keys.line("repositories", "url"), address);
        }
    }
    if !sheet.needs.is_empty() {
        sheet.lock = Some("composer.lock");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Lock {
    packages: Vec<Package>,
    #[serde(rename = "packages-dev", default)]
    packages_dev: Vec<Package>,
}

/// A package, and what it stands in for.
#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    provide: Names,
    #[serde(default)]
    replace: Names,
}

pub(super) fn lock(source: &str, sheet: &mut Sheet) -> Read {
    let lock: Lock = json::strictly(source)?;
    sheet.locked = Some(BTreeSet::new());
    for package in lock.packages.iter().chain(&lock.packages_dev) {
        sheet.lock_name(&package.name.to_ascii_lowercase());
        for name in package.provide.0.iter().chain(&package.replace.0) {
            sheet.lock_name(&name.to_ascii_lowercase());
        }
    }
    Ok(())
}
