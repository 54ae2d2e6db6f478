//! Which files say what a repository depends on, and how each is read. Nothing in a file is run or followed, and every
//! reader is bounded in depth and in what it builds.

mod cargo;
mod containers;
mod go;
mod json;
mod jvm;
mod npm;
mod php;
mod python;
mod ruby;
mod toml;
mod yaml;

use super::judge::is_plain;
use super::lines::numbered;
use super::rule::Rule;
use super::sheet::{Read, Sheet};

/// Folders that hold what others wrote: their manifests are not this repository's.
const OF_OTHERS: &[&str] = &["node_modules", "vendor", "third_party", "site-packages", ".venv"];
/// Folders of workflows.
const WORKFLOWS: &[&str] = &[".gitea/workflows", ".github/workflows", ".forgejo/workflows"];

/// Whose manifests and lock files belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ecosystem {
    Cargo,
    Npm,
    Python,
    Go,
    Ruby,
    Php,
    /// There are no lock files.
    None,
}

impl Ecosystem {
    /// Names of the lock files, any of which will do.
    pub(super) const fn locks(self) -> &'static [&'static str] {
        match self {
            Self::Cargo => &["Cargo.lock"],
            Self::Npm => &[
                "package-lock.json",
                "npm-shrinkwrap.json",
                "yarn.lock",
                "pnpm-lock.yaml",
                "bun.lock",
                "bun.lockb",
            ],
            Self::Python => &["poetry.lock", "uv.lock", "pdm.lock"],
            Self::Go => &["go.sum"],
            Self::Ruby => &["Gemfile.lock"],
            Self::Php => &["composer.lock"],
            Self::None => &[],
        }
    }
}

/// A file that says something.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) ecosystem: Ecosystem,
    pub(super) is_lock: bool,
    /// None where the file counts by being there alone.
    pub(super) read: Option<fn(&str, &mut Sheet) -> Read>,
}

/// What a file is, by its path.
pub(super) fn known(path: &str) -> Option<Known> {
    if path.split('/').any(|part| OF_OTHERS.contains(&part)) {
        return None;
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let manifest = |ecosystem, read: fn(&str, &mut Sheet) -> Read| {
        Some(Known { ecosystem, is_lock: false, read: Some(read) })
    };
    let lock = |ecosystem, read: Option<fn(&str, &mut Sheet) -> Read>| {
        Some(Known { ecosystem, is_lock: true, read })
    };
    match name {
        "Cargo.toml" => manifest(Ecosystem::Cargo, cargo::manifest),
        "Cargo.lock" => lock(Ecosystem::Cargo, Some(cargo::lock)),
        "package.json" => manifest(Ecosystem::Npm, npm::manifest),
        "pnpm-workspace.yaml" => manifest(Ecosystem::Npm, npm::pnpm_workspace),
        "package-lock.json" | "npm-shrinkwrap.json" => lock(Ecosystem::Npm, Some(npm::package_lock)),
        "yarn.lock" => lock(Ecosystem::Npm, Some(npm::yarn_lock)),
        "pnpm-lock.yaml" => lock(Ecosystem::Npm, Some(npm::pnpm_lock)),
        "bun.lock" | "bun.lockb" => lock(Ecosystem::Npm, None),
        "pyproject.toml" => manifest(Ecosystem::Python, python::pyproject),
        "poetry.lock" | "uv.lock" | "pdm.lock" => lock(Ecosystem::Python, Some(python::lock)),
        "go.mod" => manifest(Ecosystem::Go, go::manifest),
        "go.sum" => lock(Ecosystem::Go, Some(go::sum)),
        "Gemfile" => manifest(Ecosystem::Ruby, ruby::manifest),
        "Gemfile.lock" => lock(Ecosystem::Ruby, Some(ruby::lock)),
        "composer.json" => manifest(Ecosystem::Php, php::manifest),
        "composer.lock" => lock(Ecosystem::Php, Some(php::lock)),
        "pom.xml" => manifest(Ecosystem::None, jvm::pom),
        "build.gradle" | "build.gradle.kts" => manifest(Ecosystem::None, jvm::gradle),
        "action.yml" | "action.yaml" => manifest(Ecosystem::None, containers::workflow),
        _ if is_requirements(name) => manifest(Ecosystem::None, python::requirements),
        _ if is_dockerfile(name) => manifest(Ecosystem::None, containers::dockerfile),
        _ if is_yaml(name) && is_compose(name) => manifest(Ecosystem::None, containers::compose),
        _ if is_yaml(name) && WORKFLOWS.contains(&folder) => manifest(Ecosystem::None, containers::workflow),
        _ => None,
    }
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yml") || name.ends_with(".yaml")
}

fn is_compose(name: &str) -> bool {
    ["compose.", "docker-compose.", "docker-compose-"].iter().any(|start| name.starts_with(start))
}

fn is_requirements(name: &str) -> bool {
    name.starts_with("requirements") && name.ends_with(".txt")
}

fn is_dockerfile(name: &str) -> bool {
    let named =
        |word: &str| name == word || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('.'));
    named("Dockerfile")
        || named("Containerfile")
        || name.ends_with(".Dockerfile")
        || name.ends_with(".dockerfile")
}

/// Plain addresses in a lock file, behind any of these.
fn plain_sources(source: &str, before: &[&str], sheet: &mut Sheet) {
    for (line, text) in numbered(source) {
        let address = before.iter().find_map(|mark| text.split_once(mark)).map(|(_, behind)| behind);
        let address = address.map(|behind| behind.split(['"', '\'']).next().unwrap_or(behind));
        if let Some(address) = address.filter(|address| is_plain(address)) {
            sheet.tell(Rule::PlainHttp, Some(line), address);
        }
    }
}
