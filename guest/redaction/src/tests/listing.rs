//! docs/secrets.md says which kinds there are: the list is made from rules/*.toml.

#![expect(clippy::disallowed_methods, reason = "a test may read this repository, and bless it")]

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::rules;

const GROUPS: [(&str, &str); 7] = [
    ("What is no provider's", include_str!("../../rules/own.toml")),
    ("Where code is hosted, built and packaged", include_str!("../../rules/code.toml")),
    ("Models and what is built around them", include_str!("../../rules/ai.toml")),
    ("Clouds, hosting and networks", include_str!("../../rules/cloud.toml")),
    ("Databases, and what watches over systems", include_str!("../../rules/data.toml")),
    ("Chat, mail, telephony, social networks", include_str!("../../rules/talk.toml")),
    ("Money, shops, and tools to work with", include_str!("../../rules/work.toml")),
];

const BEGIN: &str = "<!-- The list below is made from guest/redaction/rules by `make bless`. -->\n";

/// A name with what it is and how it is known.
struct Kind {
    name: String,
    what: String,
    marks: Vec<String>,
}

fn kinds(text: &str) -> Vec<Kind> {
    let table: toml::Table = text.parse().expect("TOML");
    let mut kinds: Vec<Kind> = Vec::new();
    for form in ["token", "near", "coded"] {
        for rule in table.get(form).and_then(toml::Value::as_array).into_iter().flatten() {
            let word = |key: &str| rule.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let words = |key: &str| rule.get(key).and_then(toml::Value::as_array).into_iter().flatten();
            let marks =
                words("starts").filter_map(toml::Value::as_str).map(|mark| format!("`{}`", mark.trim()));
            let near = words("keywords").take(1).filter_map(toml::Value::as_str);
            let near = near.map(|keyword| format!("near `{keyword}`"));
            let marks: Vec<String> = marks.chain(near).collect();
            let name = word("name").expect("a name");
            match kinds.iter_mut().find(|kind| kind.name == name) {
                Some(kind) => kind.marks.extend(marks),
                None => kinds.push(Kind { name, what: word("what").expect("what it is"), marks }),
            }
        }
    }
    kinds
}

#[test]
fn the_documentation_lists_every_kind() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/secrets.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    let (head, _) = page.split_once(BEGIN).expect("docs/secrets.md says where its list begins");
    let mut made = format!("{head}{BEGIN}");
    let mut seen = Vec::new();
    for (title, text) in GROUPS {
        let _ = write!(made, "\n### {title}\n\n| Name in a mask | What it is | Known by |\n|---|---|---|\n");
        for kind in kinds(text) {
            let mut marks = kind.marks;
            if marks.len() > 4 {
                marks.truncate(3);
                marks.push("…".to_owned());
            }
            let known = if marks.is_empty() { "its form".to_owned() } else { marks.join(", ") };
            let _ = writeln!(made, "| `{}` | {} | {} |", kind.name, kind.what, known.replace('|', "\\|"));
            seen.push(kind.name);
        }
    }
    for rule in rules() {
        assert!(seen.iter().any(|name| name == rule), "{rule} is not listed");
    }
    if env::var("BLESS").is_ok_and(|value| value == "1") {
        fs::write(&path, made).expect("the file can be written");
        return;
    }
    assert!(page == made, "docs/secrets.md is out of date: run `make bless` and review the change");
}
