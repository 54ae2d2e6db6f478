//! What is shipped for those who watch a server: the dashboard and the alerts name metrics that there are, and tell what to do.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::metrics::{documented, family};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../");

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{ROOT}{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).expect("YAML")
}

/// Every text under this name, however deep.
fn texts(value: &Value, name: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(name).and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| texts(member, name, found));
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, name, found)),
        _ => {}
    }
}

/// The metrics of this server that expressions name.
fn named(expressions: &[String]) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = expressions.iter().flat_map(|text| text.split(word));
    words.filter(|word| word.starts_with("aegis_")).map(str::to_owned).collect()
}

/// All of them are in the table, histograms by one of their three parts.
fn families(names: &BTreeSet<String>) -> BTreeSet<String> {
    let rows = documented();
    let known: BTreeSet<&str> = rows.iter().flat_map(|row| &row.names).map(String::as_str).collect();
    let timed = rows.iter().filter(|row| row.kind == "histogram");
    let histograms: BTreeSet<&str> = timed.flat_map(|row| &row.names).map(String::as_str).collect();
    let found = names.iter().map(|name| {
        let family = family(name, &histograms);
        assert!(known.contains(family.as_str()), "{name} is no metric of docs/observability.md");
        assert_eq!(histograms.contains(family.as_str()), family != *name, "{name}");
        family
    });
    found.collect()
}

#[test]
fn the_dashboard_shows_every_metric_and_no_other() {
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/aegis-mcp.json")).expect("JSON");
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 50, "{}", expressions.len());
    let shown = families(&named(&expressions));
    let all: BTreeSet<String> = documented().into_iter().flat_map(|row| row.names).collect();
    assert_eq!(shown, all);
}

#[test]
fn alerts_are_about_metrics_that_there_are_say_what_to_do_and_are_tested() {
    let rules = yaml("packaging/prometheus/alerts.yml");
    let tests = yaml("packaging/prometheus/alerts_test.yml");
    let rules = rules["groups"][0]["rules"].as_array().expect("rules");
    let page = read("docs/observability.md");
    assert!(page.contains(&format!("are {} alerts", rules.len())), "{}", rules.len());
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .expect("tests")
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array())
        .flatten()
        .collect();
    for rule in rules {
        let name = rule["alert"].as_str().expect("a name");
        let expression = rule["expr"].as_str().expect("an expression").to_owned();
        let names = named(std::slice::from_ref(&expression));
        assert!(!families(&names).is_empty() || expression.starts_with("up{"), "{name}: {expression}");
        let page = rule["annotations"]["what_to_do"].as_str().expect("a page");
        assert!(std::path::Path::new(&format!("{ROOT}{page}")).is_file(), "{name}: {page}");
        assert!(
            rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(),
            "{name}"
        );
        let of_it = || cases.iter().filter(|case| case["alertname"] == name);
        let fires = |case: &Value| case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        let (loud, quiet) = (of_it().any(|case| fires(case)), of_it().any(|case| !fires(case)));
        assert!(loud && quiet, "{name} needs a test where it fires and one where it does not");
    }
}
