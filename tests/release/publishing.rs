//! Which image is pushed under which tags, by what started the pipeline: `scripts/publish-image --dry-run`.

use std::process::Command;

use crate::{read, root, said};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const IMAGE: &str = "registry.example.com/org/aegis-gitea-mcp";
const TOKEN: &str = "a-token-that-nobody-may-see";

/// The dry run with all settings, a push to `main`, and these changes to that; an empty value takes one away.
fn dry_run(changes: &[(&str, &str)]) -> (i32, String, String) {
    let mut script = Command::new("scripts/publish-image");
    script.arg("--dry-run").current_dir(root()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    script.envs([
        ("PUSH_IMAGE", "true"),
        ("REGISTRY_IMAGE", IMAGE),
        ("REGISTRY_USER", "robot"),
        ("REGISTRY_TOKEN", TOKEN),
        ("GITHUB_EVENT_NAME", "push"),
        ("GITHUB_REF", "refs/heads/main"),
        ("GITHUB_SHA", COMMIT),
        ("GITHUB_REPOSITORY", "org/aegis"),
    ]);
    for (name, value) in changes {
        if value.is_empty() {
            script.env_remove(name)
        } else {
            script.env(name, value)
        };
    }
    let answer = said(&script.output().expect("it runs"));
    assert!(!format!("{}{}", answer.1, answer.2).contains(TOKEN), "the token is printed");
    answer
}

/// That exactly these tags would be pushed, the commit's first.
fn pushes(changes: &[(&str, &str)], tags: &[&str]) {
    let expected: String = std::iter::once("sign in to registry.example.com\n".to_owned())
        .chain(std::iter::once(&COMMIT).chain(tags).map(|tag| format!("push {IMAGE}:{tag}\n")))
        .collect();
    assert_eq!(dry_run(changes), (0, expected, String::new()), "{changes:?}");
}

/// That nothing would be pushed, and why.
fn is_idle(changes: &[(&str, &str)], why: &str) {
    assert_eq!(dry_run(changes), (0, format!("Nothing to publish: {why}\n"), String::new()), "{changes:?}");
}

/// That it fails, and how.
fn fails(changes: &[(&str, &str)], why: &str) {
    assert_eq!(dry_run(changes), (78, String::new(), format!("Not published: {why}\n")), "{changes:?}");
}

fn version() -> String {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    manifest["workspace"]["package"]["version"].as_str().expect("a version").to_owned()
}

const REVIEW: [(&str, &str); 5] = [
    ("GITHUB_EVENT_NAME", "pull_request_review"),
    ("GITHUB_REF", "refs/pull/7/head"),
    ("REVIEW_TYPE", "pull_request_review_approved"),
    ("REVIEW_BASE", "main"),
    ("REVIEW_HEAD", "org/aegis"),
];

#[test]
fn a_push_is_published_from_main_and_dev() {
    pushes(&[], &["latest"]);
    pushes(&[("GITHUB_REF", "refs/heads/dev")], &["dev"]);
    for branch in ["feature", "main2", "x/main", "maintenance", "v1.2.3"] {
        let reference = format!("refs/heads/{branch}");
        is_idle(&[("GITHUB_REF", &reference)], &format!("{branch} is neither main nor dev, and no version."));
    }
}

#[test]
fn a_version_is_published_where_it_is_the_trees_own() {
    let version = version();
    for tag in [version.clone(), format!("{version}-rc.1")] {
        pushes(&[("GITHUB_REF", &format!("refs/tags/v{tag}"))], &[&tag]);
    }
    for other in ["1.2.3", "1.2.3-rc.1", "01.0.0"] {
        let why = format!("the tag is v{other}, and the version in Cargo.toml is {version}.");
        fails(&[("GITHUB_REF", &format!("refs/tags/v{other}"))], &why);
    }
    for no in ["1.2", "1.2.3.4", "1.2.3-", "1.2.3 latest", "1.2.3-a:b", "ersion"] {
        fails(&[("GITHUB_REF", &format!("refs/tags/v{no}"))], &format!("v{no} is no version."));
    }
}

#[test]
fn an_approved_review_publishes_its_commit_and_no_name_that_moves() {
    pushes(&REVIEW, &[]);
    let but = |name: &'static str, value: &'static str| {
        let mut changed = REVIEW.to_vec();
        changed.push((name, value));
        changed
    };
    pushes(&but("REVIEW_BASE", "dev"), &[]);
    pushes(&but("REVIEW_TYPE", "approved"), &[]);
    for other in ["pull_request_review_rejected", "pull_request_review_comment", ""] {
        is_idle(&but("REVIEW_TYPE", other), "the review approves nothing.");
    }
    for other in ["feature", ""] {
        is_idle(&but("REVIEW_BASE", other), "what was approved goes into neither main nor dev.");
    }
    for other in ["mallory/aegis", ""] {
        is_idle(&but("REVIEW_HEAD", other), "what was approved comes from another repository.");
    }
    let mut nameless = REVIEW.to_vec();
    nameless.extend([("REVIEW_HEAD", ""), ("GITHUB_REPOSITORY", "")]);
    is_idle(&nameless, "what was approved comes from another repository.");
}

#[test]
fn another_event_publishes_nothing() {
    for event in ["pull_request", "schedule", "workflow_dispatch"] {
        is_idle(&[("GITHUB_EVENT_NAME", event)], &format!("the event is {event}."));
    }
    is_idle(&[("GITHUB_EVENT_NAME", "")], "the event is not named.");
    for unset in ["", "false", "TRUE", "1"] {
        is_idle(&[("PUSH_IMAGE", unset)], "PUSH_IMAGE is not true.");
    }
}

#[test]
fn a_setting_that_is_missing_or_wrong_fails_it() {
    for name in ["REGISTRY_IMAGE", "REGISTRY_USER", "REGISTRY_TOKEN"] {
        fails(&[(name, "")], &format!("{name} is not set."));
    }
    for sha in ["", "main", "0123456789abcdef", "0123456789ABCDEF0123456789abcdef01234567"] {
        fails(&[("GITHUB_SHA", sha)], "GITHUB_SHA is no commit.");
    }
    let named = "REGISTRY_IMAGE must be HOST/PATH in lower case, without a tag.";
    for image in [
        "aegis",
        "Registry.example.com/x",
        "a.example.com/x:latest",
        "a.example.com/x@sha256:00",
        "a.example.com/x y",
        "-x/y/../z",
    ] {
        fails(&[("REGISTRY_IMAGE", image)], named);
    }
    fails(&[("REGISTRY_HOST", "https://registry.example.com/")], "REGISTRY_HOST must be the name of a host.");
    fails(&[("REGISTRY_HOST", "a b")], "REGISTRY_HOST must be the name of a host.");
}

#[test]
fn another_host_may_be_signed_in_to() {
    let (code, shown, _) = dry_run(&[("REGISTRY_HOST", "login.example.com:5000")]);
    assert_eq!((code, shown.lines().next()), (0, Some("sign in to login.example.com:5000")));
    let (_, shown, _) = dry_run(&[("REGISTRY_IMAGE", "127.0.0.1:5000/aegis")]);
    assert_eq!(shown.lines().next(), Some("sign in to 127.0.0.1:5000"));
}
