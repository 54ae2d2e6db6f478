//! Every block of commands that a document marks as such is run, in the order in which it stands there, and ends as it says.
//! What the marks mean is in `src/manual/marked.rs`.

use std::collections::{BTreeMap, BTreeSet};

use aegis_tests::manual::marked::{Step, steps, was_said};
use aegis_tests::manual::{documents, root};

use crate::scenes::{SCENES, Scene};

/// Run what is marked in a document.
async fn follow(document: &str) {
    let text = std::fs::read_to_string(root().join(document)).expect("the document");
    let steps = steps(&text);
    let mut scenes: BTreeMap<String, Scene> = BTreeMap::new();
    for step in &steps {
        if let Step::Run(run) = step
            && !scenes.contains_key(&run.scene)
        {
            scenes.insert(run.scene.clone(), Scene::new(&run.scene).await);
        }
    }
    for step in steps {
        match step {
            Step::File(name, text) => scenes.values().for_each(|scene| scene.file(&name, &text)),
            Step::Run(run) => {
                let scene = scenes.get(&run.scene).expect("made above");
                for first in &run.first {
                    let ran = scene.run(first).await;
                    assert_eq!(ran.code, 0, "{document}, line {}:\n{first}\nsaid:\n{}", run.line, ran.said);
                }
                let ran = scene.run(&run.commands).await;
                let place = format!("{document}, line {}:\n{}", run.line, run.commands);
                assert_eq!(ran.code, run.exit, "{place}\nsaid:\n{}", ran.said);
                for line in &run.says {
                    assert!(was_said(line, &ran.said), "{place}\ndid not say {line:?} but:\n{}", ran.said);
                }
            }
        }
    }
}

/// A test for each document, so that they run side by side and a failure names one.
macro_rules! followed {
    ($($name:ident: $document:literal,)*) => {
        const FOLLOWED: &[&str] = &[$($document),*];
        $(
            #[tokio::test]
            async fn $name() {
                follow($document).await;
            }
        )*
    };
}

followed! {
    api_reference: "docs/api-reference.md",
    audit: "docs/audit.md",
    audit_format: "docs/audit-format.md",
    audit_tampering: "docs/runbooks/audit-tampering.md",
    audit_volume: "docs/runbooks/audit-volume.md",
    automation: "docs/automation.md",
    backup: "docs/backup.md",
    bad_upgrade: "docs/runbooks/bad-upgrade.md",
    doctor: "docs/doctor.md",
    governance: "docs/governance.md",
    leaked_token: "docs/runbooks/leaked-token.md",
    operators: "docs/operators.md",
    policy: "docs/policy.md",
    scheduled_jobs: "docs/runbooks/scheduled-jobs.md",
    upgrade: "docs/upgrade.md",
    write_mode: "docs/write-mode.md",
}

#[test]
fn every_document_with_a_mark_is_followed() {
    let places = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "docs", "tests/README.md"];
    let all = places.iter().flat_map(|place| documents(&root(), place).expect("documents"));
    let mut marked = BTreeSet::new();
    let mut runs = 0;
    for document in all {
        let steps = steps(&document.text);
        runs += steps.iter().filter(|step| matches!(step, Step::Run(_))).count();
        for step in &steps {
            if let Step::Run(run) = step {
                assert!(
                    SCENES.contains(&run.scene.as_str()),
                    "{}, line {}: {}",
                    document.path,
                    run.line,
                    run.scene
                );
            }
        }
        if !steps.is_empty() {
            marked.insert(document.path);
        }
    }
    assert_eq!(marked, FOLLOWED.iter().map(|&path| path.to_owned()).collect());
    println!("{runs} marked blocks in {} documents", marked.len());
    assert!(runs > 10, "{runs}");
}

#[tokio::test]
async fn a_block_that_does_not_do_what_is_said_is_found() {
    let scene = Scene::new("files").await;
    assert_eq!(
        scene.run("true\nfalse\necho on").await.code,
        1,
        "a shell goes no further than the first failure"
    );
    assert_eq!(scene.run("aegis-mcp docs nothing-of-that-name").await.code, 2);
    let said = scene.run("echo 'one two three'").await.said;
    assert!(was_said("one … three", &said) && was_said("one…", &said) && was_said("one two three", &said));
    assert!(!was_said("two", &said) && !was_said("one two", &said) && !was_said("one…four", &said));
}

#[test]
fn marks_are_read_as_they_are_written() {
    let text = "<!-- file: a.txt -->\n```json\n{}\n```\n\n1. Do it:\n\n   <!-- first: zero -->\n   <!-- run: server exit=3 -->\n   ```sh\n   one \\\n     two\n   ```\n\n   \
                <!-- says -->\n   ```text\n   done …\n   ```\n\n```sh\nnot marked\n```\n";
    let steps = steps(text);
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[0], Step::File("a.txt".to_owned(), "{}\n".to_owned()));
    let Step::Run(run) = &steps[1] else { panic!("{steps:?}") };
    assert_eq!((run.scene.as_str(), run.exit, run.line), ("server", 3, 10));
    assert_eq!(run.first, ["zero"]);
    assert_eq!(run.commands, "one \\\n  two\n");
    assert_eq!(run.says, ["done …"]);
}
