//! Turns rules/*.toml into constant tables: rules, anchors sorted by their first three bytes, and a filter over
//! those. A mistake in a rule fails the build and names the rule.

use serde::Deserialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The files, in the order in which rules for one place are tried. The product's own credentials come first.
const FILES: [&str; 7] = ["own", "code", "ai", "cloud", "data", "talk", "work"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(default)]
    token: Vec<Token>,
    #[serde(default)]
    near: Vec<Near>,
    #[serde(default)]
    coded: Vec<Coded>,
}

/// A rule whose shape is code. `what` of each rule is for people: docs/secrets.md is made from it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Coded {
    name: String,
    what: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    what: Option<String>,
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
    what: Option<String>,
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
const WITH_DASH: [&str; 9] =
    ["base64url", "alnum-dash", "dotted", "tilde", "path", "token68", "base64-any", "value", "django"];

/// Rules whose shape is code, with the literals that start them.
const CODED: [(&str, &str, &[&str]); 9] = [
    ("private-key", "Pem", &["BEGIN ", "BEGIN+", "BEGIN%20"]),
    ("private-key", "PemEnd", &["END ", "END+", "END%20"]),
    ("private-key", "Putty", &["Private-Lines: "]),
    ("netrc-password", "Netrc", &["machine "]),
    ("docker-auth", "DockerAuth", &["\"auth\"", "\\\"auth\\\""]),
    ("connection-string-password", "Connection", &["password=", "pwd="]),
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
    /// The place of a rule, new or known. Its first mention says what it is.
    fn named(&mut self, name: &str, what: Option<&String>, always: bool) -> Result<usize, String> {
        let known = self.names.iter().position(|(known, _)| known == name);
        match (known, what) {
            (Some(found), None) => Ok(found),
            (None, Some(_)) => {
                self.names.push((name.to_owned(), always));
                Ok(self.names.len() - 1)
            }
            (Some(_), Some(_)) => Err("`what` is said twice".to_owned()),
            (None, None) => Err("`what` is missing".to_owned()),
        }
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
        let rule = self.named(&token.name, token.what.as_ref(), token.always)?;
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
        }
        Ok(())
    }

    fn near(&mut self, index: usize, near: &Near) -> Result<(), String> {
        let rule = self.named(&near.name, near.what.as_ref(), false)?;
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
        // The sort is stable: for equal keys the order of the rules decides.
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

#[expect(
    clippy::disallowed_methods,
    reason = "a build script reads its rules and writes its tables where cargo says"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println_cargo("rerun-if-changed=rules");
    println_cargo("rerun-if-changed=build.rs");
    let mut tables = Tables::default();
    let (mut tokens, mut nears) = (0, 0);
    for file in FILES {
        let rules: Rules = toml::from_str(&std::fs::read_to_string(format!("rules/{file}.toml"))?)?;
        for token in &rules.token {
            tables.token(tokens, token).map_err(|error| format!("{}: {error}", token.name))?;
            tokens += 1;
        }
        for near in &rules.near {
            tables.near(nears, near).map_err(|error| format!("{}: {error}", near.name))?;
            nears += 1;
        }
        for coded in &rules.coded {
            let name = &coded.name;
            tables.named(name, coded.what.as_ref(), false).map_err(|error| format!("{name}: {error}"))?;
        }
    }
    for (name, look, literals) in CODED {
        let rule = tables.named(name, None, false).map_err(|error| format!("{name}: {error}"))?;
        for literal in literals {
            tables.anchor(literal, !look.starts_with("Pem"), rule, &format!("Look::{look}"))?;
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
