//! Redaction alone: milliseconds for 20 kB, natively, and what Kingfisher finds and we do not, and the reverse.
//!
//! Compared are our examples, one to a file, and the sources of all that Cargo.lock names, as cargo has unpacked them
//! here. What either finds on a line counts as one, whatever either calls it. Nothing leaves the machine.

mod compared;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aegis_redaction::{Mode, Redactor};
use serde_json::{Value, json};

use crate::Result;
use compared::Side;

const BYTES: usize = 20_000;
const ROUNDS: usize = 101;
/// Where this repository stands.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../..");

/// Measure, compare where there is a Kingfisher, print both, and write them to `output`.
pub fn run(output: &Path, kingfisher: Option<&Path>) -> Result<()> {
    let cost = cost();
    println!("\nRedaction of {BYTES} bytes, natively, the middle one of {ROUNDS}");
    for (name, milliseconds) in &cost {
        println!("  {milliseconds:8.3} ms  {name}");
    }
    let mut report =
        json!({ "milliseconds_for_20_kB": cost.iter().cloned().collect::<serde_json::Map<_, _>>() });
    match kingfisher {
        None => println!("There is no Kingfisher here: what it finds is not compared."),
        Some(kingfisher) => {
            let work = output.with_extension("d");
            let (examples, sources) = (work.join("examples"), sources()?);
            write_examples(&examples)?;
            for (name, folders) in [("examples", vec![examples]), ("sources", sources)] {
                let side = compared::sides(&folders, kingfisher, &work.join(name))?;
                print(name, &side);
                report[name] = side.told();
            }
        }
    }
    fs::write(output, serde_json::to_vec_pretty(&report)?)?;
    Ok(())
}

fn print(name: &str, side: &Side) {
    println!("\nKingfisher and we, over the {name}: {} files, {:.1} MB", side.files, side.bytes as f64 / 1e6);
    println!("  both: {}", side.both);
    for (who, counts) in [("only we", &side.ours), ("only Kingfisher", &side.theirs)] {
        println!("  {who}: {}", counts.values().sum::<u64>());
        for (kind, count) in counts {
            println!("    {count:5} {kind}");
        }
    }
}

fn cost() -> Vec<(String, Value)> {
    let token = ["gh", "p_", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"].concat();
    let begin = ["-----BEGIN ", "PRIVATE KEY-----\n"].concat();
    let pieces = [
        ("ordinary source", include_str!("run.rs").to_owned()),
        ("ordinary prose", include_str!("../../README.md").to_owned()),
        ("one word", "a".to_owned()),
        ("tokens", format!("{token} ")),
        ("Base64 of tokens", "Z2hwX2ExQjJjM0Q0ZTVGNmc3SDhpOUowazFMMm0zTjRvNVA2cTdSOA==\n".to_owned()),
        ("key blocks without an end", begin),
        ("URLs with passwords", "x://a:b@".to_owned()),
        ("escapes", "\\u0022%3D".to_owned()),
        ("directional characters", "a\u{202e}".to_owned()),
    ];
    let redactor = Redactor::new(Mode::Mask);
    let measured = pieces.into_iter().map(|(name, piece)| {
        let mut text = piece.repeat(BYTES.div_ceil(piece.len()));
        text.truncate(text.floor_char_boundary(BYTES));
        let mut times: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                std::hint::black_box(redactor.clean(std::hint::black_box(&text)));
                begun.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        times.sort_by(f64::total_cmp);
        (name.to_owned(), times.get(ROUNDS / 2).copied().unwrap_or_default().into())
    });
    measured.collect()
}

/// Our examples (`guest/redaction/examples`), put together, a file for each.
fn write_examples(to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let plain = |text: &str| text.replace("\\n", "\n").replace("\\s", " ");
    let mut number = 0;
    for file in fs::read_dir(Path::new(ROOT).join("guest/redaction/examples"))? {
        let text = fs::read_to_string(file?.path())?;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let cells: Vec<&str> =
                line.split(" |").map(|cell| cell.strip_prefix(' ').unwrap_or(cell)).collect();
            let [kind, _, before, parts, after, ..] = cells.as_slice() else {
                return Err(format!("an example of five cells: {line}").into());
            };
            let secret: String = parts.split(' ').map(plain).collect();
            let whole = format!("{}{secret}{}\n", plain(before), plain(after));
            number += 1;
            fs::write(to.join(format!("{number:04}-{kind}.txt")), whole)?;
        }
    }
    Ok(())
}

/// The folders of everything in Cargo.lock that cargo has unpacked here.
fn sources() -> Result<Vec<PathBuf>> {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock"))?;
    let value = |line: &str, name: &str| {
        line.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
    };
    let (mut name, mut names) = (String::new(), Vec::new());
    for line in lock.lines() {
        if let Some(found) = value(line, "name") {
            name = found;
        } else if let Some(version) = value(line, "version") {
            names.push(format!("{name}-{version}"));
        }
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = home.ok_or("neither CARGO_HOME nor HOME is set")?.join("registry/src");
    let mut found = Vec::new();
    for registry in fs::read_dir(registries)? {
        let registry = registry?.path();
        found.extend(names.iter().map(|name| registry.join(name)).filter(|folder| folder.is_dir()));
    }
    Ok(found)
}
