//! Makes the table of settings that the adapter answers for, from `settings.toml`: those a guest may read and
//! that are no secret, each with its default. A setting added there reaches the adapter without an edit here.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script reads files and talks to cargo by standard output"
)]

use std::fmt::Write as _;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Table {
    setting: Vec<Setting>,
}

#[derive(serde::Deserialize)]
struct Setting {
    name: String,
    reader: String,
    r#type: String,
    default: Option<String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Path::new("../../settings.toml");
    let policy = Path::new("../../policy/default.yaml");
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));

    let table: Table = toml::from_str(&read(table)?)?;
    let mut out = String::from("pub(crate) const READABLE: &[(&str, Option<&str>)] = &[\n");
    for setting in table.setting {
        let secret = matches!(setting.r#type.as_str(), "secret" | "keys");
        if !secret && matches!(setting.reader.as_str(), "guest" | "both") {
            writeln!(out, "    ({:?}, {:?}),", setting.name, setting.default)?;
        }
    }
    out.push_str("];\n");
    writeln!(out, "pub(crate) const DEFAULT_POLICY: &str = {:?};", read(policy)?)?;

    let target = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&target).join("settings.rs"), out)?;
    println!("cargo::rerun-if-changed=../../settings.toml");
    println!("cargo::rerun-if-changed=../../policy/default.yaml");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
