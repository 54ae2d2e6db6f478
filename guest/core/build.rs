//! Makes a typed function for each setting that guests may read, from `settings.toml`.
//!
//! `settings.rs` calls every one of them: a setting that nobody reads is an unused function, and a name that
//! is not in the table does not compile.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "a build script reads the table, writes code and speaks to cargo"
)]

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

#[derive(serde::Deserialize)]
struct Table {
    setting: Vec<Setting>,
}

#[derive(serde::Deserialize)]
struct Setting {
    name: String,
    r#type: String,
    #[serde(default)]
    default: String,
    required: Option<String>,
    reader: String,
    items: Option<String>,
    #[serde(default)]
    min: u64,
    #[serde(default)]
    max: u64,
    #[serde(default)]
    values: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let table = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../settings.toml");
    println!("cargo::rerun-if-changed={}", table.display());
    let table: Table = toml::from_str(&fs::read_to_string(table)?)?;
    let mut code = String::new();
    for setting in table.setting.iter().filter(|setting| setting.reader != "host") {
        function(&mut code, setting)?;
    }
    fs::write(Path::new(&env::var("OUT_DIR")?).join("settings.rs"), code)?;
    Ok(())
}

/// Writes the function that reads one setting.
fn function(code: &mut String, setting: &Setting) -> Result<(), Box<dyn Error>> {
    let Setting { name, default, min, max, .. } = setting;
    let (kind, call) = match (setting.r#type.as_str(), setting.items.as_deref()) {
        ("bool", _) => ("bool".to_owned(), "rule::flag".to_owned()),
        (width @ ("u16" | "u32" | "u64"), _) => {
            (width.to_owned(), format!("|text| rule::integer(text, {min}, {max})"))
        }
        ("address", _) => {
            ("String".to_owned(), "|text| rule::address(text).map(|found| found.to_string())".to_owned())
        }
        ("url", _) => ("String".to_owned(), "rule::url".to_owned()),
        ("origin", _) => ("String".to_owned(), "rule::origin".to_owned()),
        ("enum", _) => (camel(name), format!("|text| rule::choice(text, {}::CHOICES)", camel(name))),
        ("list", Some("repository")) => ("Vec<(String, String)>".to_owned(), many("repository")),
        ("list", Some(item @ ("host" | "origin" | "redirect" | "word"))) => {
            ("Vec<String>".to_owned(), many(item))
        }
        (other, items) => return Err(format!("{name}: no guest reads type {other} {items:?}").into()),
    };
    if setting.r#type == "enum" {
        choices(code, setting)?;
    }
    let function = name.to_lowercase();
    let always = setting.required.as_deref() == Some("always");
    // Lists are empty rather than unset, and what has a default or is required is always there.
    let (method, kind) = match () {
        () if always || !default.is_empty() => ("one", format!("Option<{kind}>")),
        () if setting.r#type == "list" => ("all", format!("Option<{kind}>")),
        () => ("perhaps", format!("Option<Option<{kind}>>")),
    };
    writeln!(code, "fn {function}(reading: &mut Reading<'_>) -> {kind} {{")?;
    writeln!(code, "    reading.{method}({name:?}, {default:?}, {call})\n}}\n")?;
    Ok(())
}

/// Writes the enum of a setting that is one word of several.
fn choices(code: &mut String, setting: &Setting) -> Result<(), Box<dyn Error>> {
    let kind = camel(&setting.name);
    let variants: Vec<String> = setting.values.iter().map(|value| camel(value)).collect();
    let pairs =
        setting.values.iter().zip(&variants).map(|(word, variant)| format!("({word:?}, Self::{variant})"));
    writeln!(code, "#[derive(Clone, Copy)]\nenum {kind} {{ {} }}\n", variants.join(", "))?;
    writeln!(
        code,
        "impl {kind} {{\n    const CHOICES: &[(&str, Self)] = &[{}];\n}}\n",
        pairs.collect::<Vec<_>>().join(", ")
    )?;
    Ok(())
}

fn many(item: &str) -> String {
    format!("|text| rule::list(text, rule::{item})")
}

/// `MAX_FILE` or `mask` as a type or variant name.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + &rest.to_lowercase()
    };
    name.split('_').map(word).collect()
}
