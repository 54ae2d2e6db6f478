//! The prepared form, the digest, tool names, and everything that must fail closed outside the document.

use super::{decide, document, rules};
use crate::{
    Class, DEFAULT_DOCUMENT, Document, Effect, GLOBALS_KEY, Problem, Request, Rules, digest, entry_keys,
};

const POLICY: &str = "\
tools:
  deny: [search_code, '*']
repositories:
  Acme/*: {tools: {deny: [list_tags]}}
  ACME/Site:
    tools:
      allow:
        - get_issue
";

#[test]
fn one_entry_is_prepared_for_each_key_in_lower_case() {
    let keys: Vec<String> = document(POLICY).prepare().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [GLOBALS_KEY, "acme/*", "acme/site"]);
    assert_eq!(entry_keys("ACME", "Site"), ["acme/*", "acme/site"]);
}

#[test]
fn tool_names_are_listed_with_their_places_and_without_the_star() {
    let document = document(POLICY);
    let names: Vec<_> = document.tool_names().collect();
    assert_eq!(names, [("search_code", 2, 10), ("list_tags", 4, 27), ("get_issue", 8, 11)]);
}

#[test]
fn a_request_loads_the_globals_and_at_most_two_entries() {
    let document = document(POLICY);
    let prepared = document.prepare();
    let mut asked = Vec::new();
    let get = |key: &str| {
        asked.push(key.to_owned());
        prepared.iter().find(|(name, _)| name == key).map(|(_, bytes)| bytes.clone())
    };
    Rules::from_prepared(get, Some(("acme", "site"))).expect("sound");
    assert_eq!(asked, ["globals", "acme/site", "acme/*"]);
}

#[test]
fn missing_globals_are_corrupt_and_not_an_empty_policy() {
    let corrupt = Rules::from_prepared(|_| None, None).expect_err("nothing to load");
    assert!(corrupt.to_string().contains("every tool is denied"), "{corrupt}");
}

/// A way to spoil an entry.
type Damage = fn(&[u8]) -> Vec<u8>;

#[test]
fn an_entry_that_does_not_read_back_exactly_is_corrupt() {
    let prepared = document("repositories: {acme/site: {paths: {deny: [src/*]}}}").prepare();
    for (broken, _) in &prepared {
        let damage: [Damage; 5] = [
            |_| Vec::new(),
            |bytes| bytes[..bytes.len() - 1].to_vec(),
            |bytes| [bytes, b" x"].concat(),
            |bytes| String::from_utf8_lossy(bytes).replace("\"version\":2", "\"version\":1").into_bytes(),
            |bytes| String::from_utf8_lossy(bytes).replace("\"deny\"", "\"dent\"").into_bytes(),
        ];
        for damage in damage {
            let get = |key: &str| {
                let (_, bytes) = prepared.iter().find(|(name, _)| name == key)?;
                Some(if key == broken { damage(bytes) } else { bytes.clone() })
            };
            let corrupt = Rules::from_prepared(get, Some(("acme", "site"))).expect_err(broken);
            assert!(corrupt.to_string().contains(broken.as_str()), "{corrupt}");
        }
    }
}

#[test]
fn what_is_possible_somewhere_is_known_without_the_entries_of_repositories() {
    for (text, read, write) in [
        ("defaults: {read: allow, write: deny}", true, false),
        ("defaults: {read: deny, write: allow}", false, true),
        ("tools: {deny: ['*']}\nrepositories: {a/b: {tools: {allow: [reads, writes]}}}", false, false),
        ("tools: {deny: [reads]}\ndefaults: {write: allow}", false, true),
        ("tools: {allow: [writes]}", false, true),
        ("tools: {allow: [other]}\nrepositories: {a/b: {tools: {allow: [reads, writes]}}}", false, false),
        ("repositories: {a/b: {tools: {deny: ['*']}}}", true, false),
        ("repositories: {a/b: {tools: {allow: [writes]}}, a/c: {tools: {allow: [other]}}}", true, true),
        ("repositories: {a/b: {tools: {allow: [writes], deny: [writes]}}}", true, false),
        ("repositories: {a/b: {tools: {allow: [writes], deny: ['*']}}}", true, false),
        (
            "repositories: {a/b: {tools: {allow: [writes], deny: ['*']}}, a/*: {tools: {allow: [writes]}}}",
            true,
            true,
        ),
    ] {
        let document = document(text);
        for target in [None, Some(("a", "b")), Some(("x", "y"))] {
            let rules = rules(&document, target);
            let found = (rules.possible("reads", Class::Read), rules.possible("writes", Class::Write));
            assert_eq!(found, (read, write), "{text}");
        }
    }
}

#[test]
fn an_entry_under_another_key_is_corrupt() {
    let prepared = document("repositories: {a/b: {}, a/c: {}}").prepare();
    let get = |key: &str| {
        let key = if key == "a/b" { "a/c" } else { key };
        prepared.iter().find(|(name, _)| name == key).map(|(_, bytes)| bytes.clone())
    };
    assert!(Rules::from_prepared(get, Some(("a", "b"))).is_err());
}

#[test]
fn a_prepared_pattern_that_no_document_could_hold_is_corrupt() {
    let prepared = document("repositories: {acme/site: {paths: {deny: [src/*]}}}").prepare();
    let get = |key: &str| {
        let (_, bytes) = prepared.iter().find(|(name, _)| name == key)?;
        Some(String::from_utf8_lossy(bytes).replace("src/*", "../*").into_bytes())
    };
    assert!(Rules::from_prepared(get, Some(("acme", "site"))).is_err());
}

#[test]
fn rules_for_one_target_deny_requests_for_another() {
    let document = document("defaults: {read: allow, write: allow}");
    let ask = |target, repository| {
        let request = Request { tool: "list_issues", class: Class::Read, repository, paths: &[] };
        let decision = rules(&document, target).decide(&request);
        (decision.effect, decision.rule().to_owned())
    };
    let site = Some(("acme", "site"));
    assert_eq!(ask(site, Some(("ACME", "Site"))).0, Effect::Allow);
    assert_eq!(ask(None, None).0, Effect::Allow);
    let others = [None, Some(("acme", "other")), Some(("other", "site"))];
    for (target, repository) in others.map(|other| (site, other)).into_iter().chain([(None, site)]) {
        assert_eq!(ask(target, repository), (Effect::Deny, "request.repository".to_owned()));
    }
}

#[test]
fn a_repository_is_visible_where_its_information_may_be_read() {
    let policy = "repositories: {legal/*: {tools: {deny: ['*']}}, acme/a: {tools: {allow: [get_issue]}}}";
    let document = document(policy);
    let visible = |owner, repo| rules(&document, Some((owner, repo))).repository_visible();
    assert!(visible("acme", "b"));
    assert!(!visible("acme", "A"));
    assert!(!visible("Legal", "anything"));
    assert!(!visible("..", "b"));
    assert!(!rules(&document, None).repository_visible());
}

#[test]
fn path_rules_are_known_to_exist_or_not() {
    let document = document("repositories: {acme/a: {paths: {deny: [x]}}, acme/b: {tools: {deny: [z]}}}");
    assert!(rules(&document, Some(("acme", "a"))).has_path_rules());
    assert!(!rules(&document, Some(("acme", "b"))).has_path_rules());
    assert!(!rules(&document, None).has_path_rules());
}

#[test]
fn a_deny_says_which_line_decided_and_what_would_allow_it() {
    let document = document(POLICY);
    let decision = decide(&document, "get_tag", Class::Read, ("acme", "site"), &[]);
    let rules: Vec<_> = decision.reasons.iter().map(|reason| reason.rule.as_str()).collect();
    assert_eq!(rules, ["tools.deny", "repositories.acme/site.tools.allow"]);
    assert!(decision.reasons[0].message.contains("line 2"), "{decision:?}");
    assert!(decision.reasons[1].message.contains("line 8"), "{decision:?}");
    assert!(decision.reasons[1].message.contains("to allow `get_tag` there, name it"), "{decision:?}");
}

#[test]
fn a_flood_of_denied_paths_is_answered_with_few_reasons() {
    let document = document("repositories: {acme/site: {paths: {deny: [a]}}}");
    let paths = vec!["a/b"; 500];
    let decision = decide(&document, "some_tool", Class::Read, ("acme", "site"), &paths);
    assert_eq!((decision.effect, decision.reasons.len()), (Effect::Deny, 16));
}

#[test]
fn hostile_text_in_a_request_is_cut_and_escaped_in_the_reason() {
    let long = format!("a/../{}\u{202e}", "x".repeat(10_000));
    let decision = decide(&document(DEFAULT_DOCUMENT), "t", Class::Read, ("acme", "site"), &[&long]);
    assert_eq!(decision.rule(), "request.paths");
    assert!(decision.reasons[0].message.len() < 300, "{decision:?}");
    let decision = decide(&document(DEFAULT_DOCUMENT), "t", Class::Read, ("acme", "site"), &["a\nb"]);
    assert!(!decision.reasons[0].message.contains('\n'), "{decision:?}");
}

#[test]
fn the_digest_is_sha_256_in_hex() {
    assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn documents_over_their_limits_are_refused_before_they_cost_anything() {
    let says = |yaml: String, words: &str| {
        let problems = Document::parse(yaml.as_bytes()).expect_err(words);
        assert!(problems.iter().any(|p| p.message.contains(words)), "{words}: {problems:?}");
    };
    says("#".repeat(256 * 1024 + 1), "larger than 256 KiB");
    says(format!("tools: {{deny: [{}]}}", "a,".repeat(20_001)), "more than 20000 values");
    says(format!("tools: {{deny: [{}]}}", "a,".repeat(257)), "more than 256 items");
    says(format!("tools: {}{}", "[".repeat(20), "]".repeat(20)), "deeper than 8");
    says("[".repeat(100_000), "recursion limit");
    let many: String = (0..2001).map(|n| format!("  a/r{n}: {{}}\n")).collect();
    says(format!("repositories:\n{many}"), "more than 2000 repositories");
    says(format!("repositories: {{a/b: {{paths: {{deny: [{}]}}}}}}", "a".repeat(257)), "longer than 256");
}

#[test]
fn problems_come_in_the_order_of_the_file_and_not_without_end() {
    let yaml = "x: 1\ntools: {deny: [A, B]}\ny: 2\n";
    let found = Document::parse(yaml.as_bytes()).expect_err("four problems");
    assert_eq!(found.iter().map(|p| p.line).collect::<Vec<_>>(), [1, 2, 2, 3]);
    let many: String = (0..200).map(|n| format!("k{n}: 1\n")).collect();
    assert_eq!(Document::parse(many.as_bytes()).expect_err("many").len(), 50);
}

#[test]
fn a_problem_prints_as_a_place_that_editors_can_jump_to() {
    let problem = Problem { line: 12, column: 5, message: "unknown key".to_owned() };
    assert_eq!(problem.to_string(), "policy:12:5: unknown key");
}

#[test]
fn text_that_is_not_utf_8_is_refused_where_it_begins() {
    let found = Document::parse(b"tools:\n  deny: [a\xff]\n").expect_err("not UTF-8");
    assert_eq!((found[0].line, found[0].column), (2, 11));
}

#[test]
fn no_truncation_of_a_document_and_no_changed_byte_in_it_panics() {
    let source = include_bytes!("../../examples/keep-secrets-out.yaml");
    for end in 0..source.len() {
        let _ = Document::parse(&source[..end]);
        for byte in *b"\t*!{\xc3" {
            let mut changed = source.to_vec();
            changed[end] = byte;
            if let Err(problems) = Document::parse(&changed) {
                assert!(!problems.is_empty());
                assert!(problems.iter().all(|p| p.line > 0 && p.column > 0 && !p.message.is_empty()));
            }
        }
    }
}
