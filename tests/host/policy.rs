//! `aegis-mcp policy`: checking, explaining, testing and replaying a policy with the built program, its exit codes, and
//! the schema for editors against what the program takes.

use std::path::{Path, PathBuf};

use aegis_tests::server::{Folder, KEY, dist, program};
use serde_json::{Value, json};

use crate::scene::{READ, Scene, WRITE, call};

const POLICY: &str = "\
defaults: {read: allow, write: deny}
repositories:
  acme/*: {paths: {deny: [src/secrets/*]}}
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// `aegis-mcp policy` with these settings besides where compiled guests are.
async fn policy_with(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let cache = dist().join("guests").display().to_string();
    let mut all = vec![("GUEST_CACHE_DIR", cache.as_str())];
    all.extend_from_slice(variables);
    program(&[&["policy"], arguments].concat(), &all).await
}

async fn policy(arguments: &[&str]) -> (i32, String, String) {
    policy_with(&[], arguments).await
}

/// As above, as JSON, with its exit code.
async fn answered(arguments: &[&str]) -> (i32, Value) {
    let (code, out, err) = policy(&[arguments, &["--json"]].concat()).await;
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}")))
}

fn file(folder: &Folder, name: &str, text: &[u8]) -> String {
    let path = folder.0.join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[tokio::test]
async fn check_names_every_mistake_with_its_place() {
    let folder = Folder::new();
    let good = file(&folder, "good.yaml", POLICY.as_bytes());
    let (code, out, _) = policy(&["check", &good]).await;
    assert!(code == 0 && out.contains("good.yaml is good"), "{out}");
    for (text, says) in [
        (
            &b"defaults:\n  raed: deny\n"[..],
            "bad.yaml:2:3: unknown key \"raed\" under defaults; allowed: read, write (did you mean \"read\"?)",
        ),
        (
            b"tools:\n  deny: [get_isue]\n",
            "bad.yaml:2:10: there is no tool named \"get_isue\" (did you mean \"get_issue\"?)",
        ),
        (b"tools: \xff\n", "bad.yaml:1:8: this is not UTF-8"),
        (b"", "bad.yaml:1:1: the file is empty"),
    ] {
        let bad = file(&folder, "bad.yaml", text);
        let (code, out, _) = policy(&["check", &bad]).await;
        assert!(code == 1 && out.contains(says) && out.contains("no server starts"), "{code} {out}");
        let (code, _, err) = policy(&["explain", "--tool", "get_issue", "--policy", &bad]).await;
        assert!(code == 2 && err.contains(says), "nothing is explained by it: {code} {err}");
    }
    let (code, _, err) = policy(&["check", "/not/there.yaml"]).await;
    assert!(code == 2 && err.contains("/not/there.yaml cannot be read"), "{code} {err}");
    // Longer than what is read at all is still an answer to `check`, and none to other questions.
    let long = file(&folder, "long.yaml", &vec![b'#'; 1 + (1 << 20)]);
    for (variables, arguments) in
        [(&[][..], &["check", &long][..]), (&[("POLICY_FILE_PATH", long.as_str())][..], &["check"][..])]
    {
        let (code, out, err) = policy_with(variables, arguments).await;
        assert!(
            code == 1 && out.contains("long.yaml:1:1: the file is larger than 1 MiB"),
            "{code} {out} {err}"
        );
        assert!(out.contains("no server starts"), "{out}");
    }
    let (code, told) = answered(&["check", &long]).await;
    assert_eq!((code, &told["good"]), (1, &json!(false)), "{told}");
    let (code, _, err) = policy(&["explain", "--tool", "get_issue", "--policy", &long]).await;
    assert!(code == 2 && err.contains("larger than 1 MiB"), "{code} {err}");
    let pipe = folder.0.join("pipe.yaml").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let (code, _, err) = policy(&["check", &pipe]).await;
    assert!(code == 2 && err.contains("it is no regular file"), "{code} {err}");
    // The document of the settings, and the built-in one.
    let (code, out, _) = policy_with(&[("POLICY_FILE_PATH", &good)], &["check"]).await;
    assert!(code == 0 && out.contains("good.yaml is good"), "{out}");
    assert!(policy(&["check"]).await.1.contains("the built-in policy is good"));
}

#[tokio::test]
async fn explain_says_what_was_looked_at_and_what_decided() {
    let folder = Folder::new();
    let file = file(&folder, "policy.yaml", POLICY.as_bytes());
    let asked = [
        "explain",
        "--user",
        "alice",
        "--tool",
        "get_file_contents",
        "--repo",
        "acme/site",
        "--policy",
        &file,
    ];
    let secret = [&asked[..], &["--path", "SRC/Secrets/key"]].concat();
    let (code, out, _) = policy(&secret).await;
    assert_eq!(code, 1);
    for says in [
        "> repositories.acme/*.paths.deny",
        "is covered by \"src/secrets/*\" (line 3)",
        "DENIED by repositories.acme/*.paths.deny",
        "Listings, diffs and searches leave out SRC/Secrets/key.",
        "is asked at each call what alice may do",
    ] {
        assert!(out.contains(says), "{says}\n{out}");
    }
    let (code, told) = answered(&[&asked[..], &["--path", "src/main.rs"]].concat()).await;
    assert_eq!((code, &told["rule"], &told["user"]), (0, &json!("defaults.read"), &json!("alice")));
    assert!(told["looked_at"].as_array().is_some_and(|steps| steps.len() > 5), "{told}");

    let write = ["explain", "--tool", "create_issue", "--repo", "acme/site"];
    let settings = [("WRITE_MODE", "true"), ("WRITE_REPOSITORY_WHITELIST", "acme/other")];
    let (code, out, _) = policy_with(&settings, &write).await;
    assert!(code == 1 && out.contains("add acme/site to WRITE_REPOSITORY_WHITELIST"), "{out}");
    let (code, _, err) = policy(&["explain", "--tool", "get_isue"]).await;
    assert!(code == 2 && err.contains("did you mean \"get_issue\"?"), "{err}");
    let (code, _, err) = policy_with(&[("WRITE_MODE", "perhaps")], &write).await;
    assert!(code == 2 && err.contains("WRITE_MODE"), "{err}");
}

#[tokio::test]
async fn what_the_guide_shows_of_explain_is_what_comes() {
    let guide = std::fs::read_to_string(root().join("docs/policy.md")).expect("the guide");
    let (_, rest) = guide.split_once("```text\ncall ").expect("the example");
    let (shown, _) = rest.split_once("\n```").expect("its end");
    let asked = ["explain", "--user", "alice", "--tool", "get_file_contents", "--repo", "acme/site"];
    let file = ["--path", "src/secrets/key", "--policy", "../policy/examples/keep-secrets-out.yaml"];
    let (_, out, _) = policy(&[&asked[..], &file].concat()).await;
    assert_eq!(out.trim_end().replace("../policy/", "policy/"), format!("call {shown}"));
}

/// What a guide shows in a fence of this language right after `before`, without the indent of a list.
fn shown(guide: &str, before: &str, language: &str) -> String {
    let text = std::fs::read_to_string(root().join(guide)).expect("the guide");
    let (_, rest) = text.split_once(before).expect(before);
    let (_, rest) = rest.split_once(&format!("```{language}\n")).expect("a fence");
    let (block, _) = rest.split_once("```").expect("its end");
    block.lines().map(|line| line.trim_start().to_owned() + "\n").collect()
}

#[tokio::test]
async fn the_guide_to_writing_leads_to_a_policy_that_says_yes() {
    let folder = Folder::new();
    let env = shown("docs/write-mode.md", "1. Name the repositories", "sh");
    let copied = shown("docs/write-mode.md", "2. Allow the tools", "sh");
    let asked = shown("docs/write-mode.md", "3. Ask before you start", "sh");
    assert_eq!(copied.trim(), "cp policy/examples/issue-triage.yaml policy.yaml");
    std::fs::copy(root().join("policy/examples/issue-triage.yaml"), folder.0.join("policy.yaml"))
        .expect("copied");
    // The guide's files are in the folder where one stands.
    let here = folder.0.join("policy.yaml").display().to_string();
    let env = file(&folder, "env", env.replace("policy.yaml", &here).as_bytes());
    let asked = asked.trim().replace(" .env", &format!(" {env}"));
    let arguments: Vec<&str> = asked.split(' ').skip(2).collect();
    let (code, out, err) = policy(&arguments).await;
    assert!(
        code == 0 && out.contains("ALLOWED by repositories.acme/site.tools.allow"),
        "{asked}: {out}{err}"
    );
    assert!(out.contains("settings  have nothing against it"), "{out}");
    let other: Vec<&str> =
        arguments.iter().map(|word| if *word == "update_issue" { "create_issue" } else { word }).collect();
    assert_ne!(other, arguments);
    assert_eq!(policy(&other).await.0, 1, "what the list does not name is closed, as the guide says");
}

#[tokio::test]
async fn a_name_of_automation_is_explained_without_its_class_and_a_wrong_one_is_not() {
    let (code, told) = answered(&["explain", "--tool", "automation_webhook", "--repo", "acme/site"]).await;
    assert_eq!((code, &told["class"], &told["rule"]), (0, &json!("read"), &json!("defaults.read")), "{told}");
    let (code, _, err) = policy(&["explain", "--tool", "automation_webhok", "--class", "read"]).await;
    assert!(code == 2 && err.contains("did you mean \"automation_webhook\"?"), "{code} {err}");
    let folder = Folder::new();
    let cases = b"cases:\n  - {it: x, tool: get_isue, class: read, expect: allow}\n";
    let (code, out, _) = policy(&["test", &file(&folder, "cases.yaml", cases)]).await;
    assert!(code == 1 && out.contains("did you mean \"get_issue\"?"), "{code} {out}");
}

#[tokio::test]
async fn test_runs_our_own_tables_and_says_what_an_operator_s_gets_wrong() {
    let mut run = 0;
    for entry in std::fs::read_dir(root().join("policy/cases")).expect("the tables") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let (code, told) = answered(&["test", &path.display().to_string()]).await;
        assert_eq!((code, &told["failed"]), (0, &json!([])), "{}", path.display());
        run += told["cases"].as_u64().expect("a number");
    }
    assert!(run >= 90, "{run}");

    let folder = Folder::new();
    let given = file(&folder, "policy.yaml", POLICY.as_bytes());
    let cases = b"cases:\n  - {it: reads, tool: list_issues, class: read, repository: acme/a, expect: allow}\n  - {it: writes, tool: create_issue, class: write, repository: acme/a, expect: allow}\n";
    let table = file(&folder, "cases.yaml", cases);
    let (code, out, _) = policy(&["test", &table, "--policy", &given]).await;
    assert_eq!(code, 1);
    assert!(out.contains("cases.yaml:3: writes\n    expected allow, got deny by defaults.write\n"), "{out}");
    assert!(out.contains("2 cases asked of the given policy") && out.contains("1 not as expected"), "{out}");
    let broken = file(&folder, "broken.yaml", b"case: []\n");
    let (code, _, err) = policy(&["test", &broken]).await;
    assert!(code == 2 && err.contains("broken.yaml:1:1: unknown key \"case\""), "{code} {err}");
}

#[tokio::test]
async fn replay_tells_which_recorded_calls_another_policy_would_decide_differently() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    for what in
        [READ, READ, ("get_file_contents", r#"{"owner":"alice","repo":"demo","filepath":"README.md"}"#)]
    {
        let answer = call(&server.url, KEY, what).await.expect("no panic").expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert_eq!(server.stop().await.code, 0);
    // With writes on, so that it is the policy that denies.
    let denied =
        scene.setup().writes("alice/demo").policy("defaults: {read: allow, write: deny}\n").start().await;
    let answer = call(&denied.url, KEY, WRITE).await.expect("no panic").expect("an answer");
    assert_eq!(answer.reason().as_deref(), Some("policy_denied"));
    assert_eq!(denied.stop().await.code, 0);

    let log = scene.audit.parent().expect("a folder").display().to_string();
    let same = file(&scene.folder, "same.yaml", b"defaults: {read: allow, write: deny}\n");
    let (code, told) = answered(&["replay", &log, &same]).await;
    assert_eq!((code, &told["calls"], &told["different"]), (0, &json!(4), &json!(0)), "{told}");
    let other = b"defaults: {read: allow, write: allow}\nrepositories: {alice/*: {paths: {deny: ['*.md']}, tools: {deny: [get_repository_info]}}}\n";
    let other = file(&scene.folder, "other.yaml", other);
    let (code, told) = answered(&["replay", &log, &other]).await;
    assert_eq!(
        (code, &told["different"], &told["allowed"], &told["denied"]),
        (1, &json!(4), &json!(3), &json!(1))
    );
    let rows: Vec<_> = told["differences"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            (
                row["tool"].as_str().unwrap_or_default(),
                row["times"].as_u64(),
                row["then"].as_str(),
                row["now"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("create_issue", Some(1), Some("deny"), Some("allow")),
            ("get_file_contents", Some(1), Some("allow"), Some("deny")),
            ("get_repository_info", Some(2), Some("allow"), Some("deny")),
        ]
    );
    let (_, out, _) = policy(&["replay", &log, &other]).await;
    assert!(
        out.contains("then allow, now deny, 2 times")
            && out.contains("get_file_contents on alice/demo README.md"),
        "{out}"
    );

    // A log that was tampered with answers nothing.
    let text = std::fs::read_to_string(&scene.audit).expect("the log");
    std::fs::write(&scene.audit, text.replace("README.md", "readme.md")).expect("written");
    let (code, _, err) = policy(&["replay", &log, &same]).await;
    assert!(code == 2 && err.contains("audit verify"), "{code} {err}");
    // Nor does one without a line: it would be good news about nothing.
    std::fs::write(&scene.audit, "").expect("written");
    let active = scene.audit.display().to_string();
    for log in [&log, &active] {
        let (code, out, err) = policy(&["replay", log, &same]).await;
        assert!(code == 2 && err.contains("holds no line"), "{code} {out} {err}");
    }
    let (code, _, err) = policy(&["replay", "/not/there", &same]).await;
    assert!(code == 2 && err.contains("/not/there"), "{code} {err}");
}

/// The YAML that editors read, as JSON.
fn yaml(text: &str) -> Option<Value> {
    serde_saphyr::from_str(text).ok()
}

#[tokio::test]
async fn the_schema_for_editors_takes_what_a_server_takes_and_no_shape_that_it_refuses() {
    let kept: Value =
        serde_json::from_slice(&std::fs::read(root().join("policy/schema.json")).expect("the schema"))
            .expect("JSON");
    let (code, out, _) = policy(&["schema"]).await;
    assert_eq!((code, serde_json::from_str::<Value>(&out).ok()), (0, Some(kept.clone())));
    let schema = jsonschema::validator_for(&kept).expect("a schema");
    let mut taken = 0;
    let mut take = |what: &str, text: &str| {
        taken += 1;
        let document = yaml(text).unwrap_or_else(|| panic!("{what}"));
        let wrong: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:?}");
    };
    take("the default", &std::fs::read_to_string(root().join("policy/default.yaml")).expect("readable"));
    for folder in ["policy/examples", "policy/cases"] {
        for entry in std::fs::read_dir(root().join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let Some(text) = path.is_file().then(|| std::fs::read_to_string(&path).expect("readable")) else {
                continue;
            };
            match yaml(&text).and_then(|file| file["policy"].as_str().map(str::to_owned)) {
                Some(policy) => take(&path.display().to_string(), &policy),
                None if folder.ends_with("examples") => take(&path.display().to_string(), &text),
                None => {}
            }
        }
    }
    assert!(taken >= 9, "{taken}");
    // Of the malformed ones it refuses those whose mistake is one of shape or name; the rest no schema can see.
    let malformed =
        std::fs::read_to_string(root().join("policy/cases/malformed/documents.yaml")).expect("readable");
    let (mut refused, mut unseen) = (0, Vec::new());
    for row in yaml(&malformed).expect("rows").as_array().expect("a list") {
        let Some(document) = yaml(row["document"].as_str().expect("a document")) else { continue };
        if schema.is_valid(&document) {
            unseen.push(row["it"].as_str().unwrap_or_default().to_owned())
        } else {
            refused += 1
        }
    }
    assert!(refused >= 30, "{refused}, and not seen: {unseen:#?}");
}
