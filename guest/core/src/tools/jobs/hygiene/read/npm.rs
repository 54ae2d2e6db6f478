//! JavaScript: `package.json`, and the lock files of npm, yarn and pnpm.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::super::judge::{self, is_any_version, is_plain};
use super::super::lines::Keys;
use super::super::rule::Rule;
use super::super::sheet::{Malformed, Read, Sheet, Workspace};
use super::json::{self, Names};

const TABLES: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];
/// What npm takes for an address in git without a scheme.
const HOSTS: [&str; 4] = ["github:", "gitlab:", "bitbucket:", "gist:"];

pub(super) fn manifest(source: &str, sheet: &mut Sheet) -> Read {
    let document = json::object(source)?;
    let keys = Keys::of(source);
    for section in TABLES {
        let found = document.get(section).and_then(Value::as_object);
        for (name, range) in found.into_iter().flatten() {
            let line = keys.line(section, name);
            if let Some(range) = range.as_str() {
                judged(name, range.trim(), line, sheet);
            }
            if !is_local(range.as_str().unwrap_or_default()) {
                sheet.need(name, line);
            }
        }
    }
    if document.contains_key("workspaces") {
        sheet.workspace = Some(Workspace::default());
    }
    if !sheet.needs.is_empty() {
        sheet.lock = Some("package-lock.json");
    }
    Ok(())
}

/// Other folders of the repository, and what another file describes.
fn is_local(range: &str) -> bool {
    ["file:", "link:", "workspace:", "portal:"].iter().any(|scheme| range.starts_with(scheme))
}

fn judged(name: &str, range: &str, line: Option<u64>, sheet: &mut Sheet) {
    if is_local(range) || range.starts_with("catalog:") {
        return;
    }
    let what = format!("\"{name}\": \"{range}\"");
    if is_git(range) {
        let (address, revision) = match range.split_once('#') {
            Some((address, revision)) => (address, Some(revision)),
            None => (range, None),
        };
        // `#semver:` names versions, which the lock file makes one.
        let revision = revision.map(|word| if word.starts_with("semver:") { "v0" } else { word });
        judge::git(sheet, line, &what, address, revision);
        return;
    }
    if is_plain(range) {
        sheet.tell(Rule::PlainHttp, line, &what);
        return;
    }
    // `npm:other@range`.
    let range = match range.strip_prefix("npm:") {
        Some(alias) => alias.get(1..).and_then(|tail| tail.rsplit_once('@')).map_or("", |(_, range)| range),
        None => range,
    };
    // A word is a tag of the registry, such as `next`: whoever publishes moves it.
    let tag = !range.is_empty() && range.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    if tag || is_any_version(range) {
        sheet.tell(Rule::Wildcard, line, &what);
    }
}

fn is_git(range: &str) -> bool {
    if range.starts_with("git+")
        || range.starts_with("git://")
        || HOSTS.iter().any(|host| range.starts_with(host))
    {
        return true;
    }
    let address = range.split('#').next().unwrap_or(range);
    if address.contains("://") {
        return address.ends_with(".git");
    }
    // `user/repository`.
    let short = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    address.split_once('/').is_some_and(|(user, name)| {
        !user.is_empty()
            && !name.is_empty()
            && user.bytes().all(short)
            && name.bytes().all(short)
            && !user.starts_with('.')
    })
}

/// What npm writes. In the first version of the format packages stand in `dependencies`, later in `packages`.
#[derive(Deserialize)]
struct PackageLock {
    #[serde(rename = "lockfileVersion")]
    _version: IgnoredAny,
    #[serde(default)]
    packages: Names,
    #[serde(default)]
    dependencies: Names,
}

pub(super) fn package_lock(source: &str, sheet: &mut Sheet) -> Read {
    let lock: PackageLock = json::strictly(source)?;
    super::plain_sources(source, &["\"resolved\": \""], sheet);
    sheet.locked = Some(BTreeSet::new());
    for place in &lock.packages.0 {
        // `packages/a/node_modules/@scope/name`; another place is a folder of the repository.
        if let Some((_, name)) = place.rsplit_once("node_modules/") {
            sheet.lock_name(name);
        }
    }
    for name in &lock.dependencies.0 {
        sheet.lock_name(name);
    }
    sheet.partly |= lock.packages.1 || lock.dependencies.1;
    Ok(())
}

/// `"@scope/name@range", name@range:`, in the form of yarn 1 and of later ones.
pub(super) fn yarn_lock(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(BTreeSet::new());
    super::plain_sources(source, &["resolved \""], sheet);
    let mut known = false;
    for line in source.lines() {
        known |= line.starts_with("# yarn lockfile") || line.starts_with("__metadata:");
        let begins = line.bytes().next().is_some_and(|byte| !byte.is_ascii_whitespace() && byte != b'#');
        let Some(head) = line.trim_end().strip_suffix(':').filter(|_| begins) else { continue };
        for one in head.split(',') {
            let one = one.trim().trim_matches('"');
            let scope = usize::from(one.starts_with('@'));
            let at = one.get(scope..).and_then(|tail| tail.find('@')).map(|at| at.saturating_add(scope));
            if let Some(name) = at.and_then(|at| one.get(..at)) {
                sheet.lock_name(name);
            }
        }
    }
    if known { Ok(()) } else { Err(Malformed("it is no lock file of yarn".to_owned())) }
}

pub(super) fn pnpm_lock(source: &str, sheet: &mut Sheet) -> Read {
    sheet.locked = Some(BTreeSet::new());
    let mut known = false;
    super::yaml::walk(source, &mut |way, value, line| {
        known |= way.is(&["lockfileVersion"]);
        let root = [["dependencies", "*"], ["devDependencies", "*"], ["optionalDependencies", "*"]];
        let direct =
            root.iter().any(|[section, any]| way.is(&[section, any]) || way.is(&[section, any, "specifier"]));
        let of_one = root.iter().any(|[section, any]| way.is(&["importers", "*", section, any, "specifier"]));
        if direct {
            sheet.lock_name(way.key(1));
        } else if of_one {
            sheet.lock_name(way.key(3));
        } else if way.is(&["packages", "*", "resolution", "tarball"]) && is_plain(value) {
            sheet.tell(Rule::PlainHttp, Some(line), value);
        }
    })?;
    if known { Ok(()) } else { Err(Malformed("it is no lock file of pnpm".to_owned())) }
}

/// `pnpm-workspace.yaml` says by being there that folders below share one lock file.
pub(super) fn pnpm_workspace(_source: &str, sheet: &mut Sheet) -> Read {
    sheet.workspace = Some(Workspace::default());
    Ok(())
}

/// The members of a map, if it is one.
pub(super) fn members<'d>(
    document: &'d Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'d String, &'d Value)> + use<'d> {
    document.get(name).and_then(Value::as_object).into_iter().flatten()
}
