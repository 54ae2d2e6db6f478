//! Turns rules.toml into constant tables: rules, anchors sorted by their first three bytes, and a filter over
//! those. A mistake in rules.toml fails the build and names the rule.

use serde::Deserialize;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    token: Vec<Token>,
    near: Vec<Near>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    starts: Vec<String>,
    steps: Vec<Step>,
    #[serde(default)]
    needs: Vec<String>,
    behind: Option<Run>,
    #[serde(default)]
    fold: bool,
    #[serde(default)]
    keep: bool,
    #[serde(default)]
    free: bool,
    #[serde(default)]
    always: bool,
    dash: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Near {
    name: String,
    keywords: Vec<String>,
    window: usize,
    steps: Vec<Step>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Literal(String),
    Run(Run),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    class: String,
    min: usize,
    max: Option<usize>,
}

/// Classes that hold a dash: a token with such a run is not entered after a dash.
const WITH_DASH: [&str; 7] = ["base64url", "alnum-dash", "dotted", "tilde", "path", "token68", "base64-any"];

/// Rules whose shape is code, with the literals that start them.
const CODED: [(&str, &str, &[&str]); 5] = [
    ("private-key", "Pem", &["BEGIN ", "BEGIN+", "BEGIN%20"]),
    ("private-key", "EncodedPem", &["LS0tLS1CRUdJTi"]),
    ("authorization-header", "Authorization", &["authorization"]),
    ("url-password", "Userinfo", &["://"]),
    (
        "assigned-secret",
        "Assignment",
        &[
            "password",
            "passwd",
            "passphrase",
            "secret",
            "api_key",
            "api-key",
            "apikey",
            "access_key",
            "access-key",
            "accesskey",
            "token",
            "private_key",
            "credential",
        ],
    ),
];

#[derive(Default)]
struct Tables {
    names: Vec<(String, bool)>,
    statics: String,
    anchors: Vec<(u32, String)>,
}

impl Tables {
    fn rule(&mut self, name: &str, always: bool) -> usize {
        if let Some(found) = self.names.iter().position(|(known, _)| known == name) {
            return found;
        }
        self.names.push((name.to_owned(), always));
        self.names.len() - 1
    }

    fn anchor(&mut self, literal: &str, fold: bool, rule: usize, look: &str) -> Result<(), String> {
        let Some([a, b, c]) = literal.as_bytes().first_chunk::<3>() else {
            return Err(format!("`{literal}`: a start needs at least three bytes"));
        };
        let key = [a, b, c].iter().fold(0_u32, |key, byte| key << 8 | u32::from(**byte | 0x20));
        let entry = format!(
            "Anchor {{ key: {key}, literal: {literal:?}, fold: {fold}, rule: {rule}, look: {look} }},\n"
        );
        self.anchors.push((key, entry));
        Ok(())
    }

    fn token(&mut self, index: usize, token: &Token) -> Result<(), String> {
        let rule = self.rule(&token.name, token.always);
        let dashed = |run: &Run| WITH_DASH.contains(&run.class.as_str());
        let dash = token.dash.unwrap_or(true)
            && !token.behind.as_ref().is_some_and(dashed)
            && !token.steps.iter().any(|step| matches!(step, Step::Run(run) if dashed(run)));
        let behind = token.behind.as_ref().map_or("None".to_owned(), |run| {
            format!("Some(({}, {}, {}))", class(&run.class), run.min, run.max.unwrap_or(64))
        });
        let _ = writeln!(
            self.statics,
            "static TOKEN_{index}: Token = Token {{ behind: {behind}, steps: &[{}], needs: &[{}], keep: {}, free: {}, dash: {dash} }};",
            steps(&token.steps)?,
            needs(&token.needs),
            token.keep,
            token.free,
        );
        for start in &token.starts {
            self.anchor(start, token.fold, rule, &format!("Look::Token(&TOKEN_{index})"))?;
            if !token.keep && token.behind.is_none() && !token.fold {
                let look = format!("Look::Encoded(&TOKEN_{index}, {start:?})");
                self.anchor(&base64_head(start), false, rule, &look)?;
            }
        }
        Ok(())
    }

    fn near(&mut self, index: usize, near: &Near) -> Result<(), String> {
        let rule = self.rule(&near.name, false);
        let _ = writeln!(
            self.statics,
            "static NEAR_{index}: Near = Near {{ window: {}, steps: &[{}], needs: &[{}], unless: &{:?} }};",
            near.window,
            steps(&near.steps)?,
            needs(&near.needs),
            near.unless,
        );
        for keyword in &near.keywords {
            self.anchor(keyword, true, rule, &format!("Look::Near(&NEAR_{index})"))?;
        }
        Ok(())
    }

    fn source(mut self) -> String {
        // The sort is stable: for equal keys the order of rules.toml decides.
        self.anchors.sort_by_key(|(key, _)| *key);
        let mut filter = [0_u64; 64];
        for (key, _) in &self.anchors {
            let bit = (key.wrapping_mul(0x9E37_79B1) >> 20) as usize;
            if let Some(word) = filter.get_mut(bit >> 6) {
                *word |= 1 << (bit & 63);
            }
        }
        let mut out = self.statics;
        let _ = writeln!(out, "static FILTER: [u64; 64] = {filter:?};");
        let _ = writeln!(out, "pub(crate) static RULES: &[Rule] = &[");
        for (name, always) in &self.names {
            let _ = writeln!(out, "Rule {{ name: {name:?}, always: {always} }},");
        }
        let _ = writeln!(out, "];\nstatic ANCHORS: &[Anchor] = &[");
        for (_, entry) in &self.anchors {
            out.push_str(entry);
        }
        out.push_str("];\n");
        out
    }
}

fn class(name: &str) -> String {
    format!("Class::{}", name.to_uppercase().replace('-', "_"))
}

fn needs(kinds: &[String]) -> String {
    kinds.iter().map(|kind| class(if kind == "digit" { "digits" } else { kind }) + ", ").collect()
}

fn steps(steps: &[Step]) -> Result<String, String> {
    let mut out = String::new();
    for step in steps {
        let _ = match step {
            Step::Literal(text) => write!(out, "Step::Literal({text:?}), "),
            Step::Run(run) if run.max.is_some_and(|max| max < run.min) => {
                return Err(format!("run of {}: max is less than min", run.class));
            }
            Step::Run(run) => write!(
                out,
                "Step::Run {{ class: {}, min: {}, max: {} }}, ",
                class(&run.class),
                run.min,
                run.max.map_or("usize::MAX".to_owned(), |max| max.to_string()),
            ),
        };
    }
    Ok(out)
}

/// The characters that any Base64 text starting with these bytes starts with.
fn base64_head(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> =
        text.bytes().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1)).collect();
    bits.chunks_exact(6)
        .filter_map(|six| {
            let value = six.iter().fold(0_usize, |value, bit| value << 1 | usize::from(*bit));
            ALPHABET.get(value).map(|byte| char::from(*byte))
        })
        .collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build script reads its rules and writes its tables where cargo says"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println_cargo("rerun-if-changed=rules.toml");
    println_cargo("rerun-if-changed=build.rs");
    let rules: Rules = toml::from_str(&std::fs::read_to_string("rules.toml")?)?;
    let mut tables = Tables::default();
    for (index, token) in rules.token.iter().enumerate() {
        tables.token(index, token).map_err(|error| format!("{}: {error}", token.name))?;
    }
    for (index, near) in rules.near.iter().enumerate() {
        tables.near(index, near).map_err(|error| format!("{}: {error}", near.name))?;
    }
    for (name, look, literals) in CODED {
        let rule = tables.rule(name, false);
        for literal in literals {
            let fold = !look.ends_with("Pem");
            tables.anchor(literal, fold, rule, &format!("Look::{look}"))?;
        }
    }
    tables.anchor("[redacted:", false, 0, "Look::Placeholder")?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("rules.rs");
    std::fs::write(out, tables.source())?;
    Ok(())
}

#[expect(clippy::disallowed_macros, reason = "standard output is how a build script talks to cargo")]
fn println_cargo(directive: &str) {
    println!("cargo::{directive}");
}
