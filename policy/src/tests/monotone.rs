//! Properties over a small, completely walked space of documents: more denies never allow more, and the
//! prepared rules agree with the language as `docs/policy.md` states it, written here a second time.

use super::rules;
use crate::{Class, Decision, Document, Effect, Request, Step, Verdict};

/// One small policy: every list holds none or one of two tools or paths.
#[derive(Clone, Copy, Debug)]
struct Small {
    read_allowed: bool,
    write_allowed: bool,
    globals: [Option<&'static str>; 2],
    owner: [Option<&'static str>; 4],
    repo: [Option<&'static str>; 4],
}

const TOOLS: [&str; 2] = ["one", "two"];
const PATTERNS: [&str; 2] = ["src/*", "src/secret/*"];
const PATHS: [&[&str]; 4] = [&[], &["src/a"], &["src/secret/a"], &["docs/a", "src/a"]];

impl Small {
    fn yaml(&self) -> String {
        let list = |name: &str, item: Option<&'static str>| item.map(|item| format!("{name}: [{item}]"));
        let lists = |allow: Option<&'static str>, deny: Option<&'static str>| {
            let lists: Vec<String> =
                [list("allow", allow), list("deny", deny)].into_iter().flatten().collect();
            format!("{{{}}}", lists.join(", "))
        };
        let entry = |[allow, deny, path_allow, path_deny]: [Option<&'static str>; 4]| {
            format!("{{tools: {}, paths: {}}}", lists(allow, deny), lists(path_allow, path_deny))
        };
        let word = |allowed| if allowed { "allow" } else { "deny" };
        format!(
            "defaults: {{read: {}, write: {}}}\ntools: {}\nrepositories:\n  a/*: {}\n  a/b: {}\n",
            word(self.read_allowed),
            word(self.write_allowed),
            lists(self.globals[0], self.globals[1]),
            entry(self.owner),
            entry(self.repo),
        )
    }

    /// The language once more, in one breath.
    fn expected(&self, tool: &str, class: Class, paths: &[&str]) -> Effect {
        let matches = |pattern: &str, path: &str| path.starts_with(pattern.trim_end_matches('*'));
        let denies = [self.globals[1], self.owner[1], self.repo[1]];
        let tool_denied = denies.contains(&Some(tool)) || denies.contains(&Some("'*'"));
        let path_denied = [self.owner[3], self.repo[3]]
            .iter()
            .flatten()
            .any(|pattern| paths.iter().any(|path| matches(pattern, path)));
        let list = self.repo[0].or(self.owner[0]);
        let path_list = self.repo[2].or(self.owner[2]);
        let closed = self.globals[0].is_some_and(|named| named != tool)
            || list.is_some_and(|named| named != tool)
            || path_list.is_some_and(|pattern| !paths.iter().all(|path| matches(pattern, path)));
        let named = list.or(self.globals[0]) == Some(tool);
        let open = match class {
            Class::Read => self.read_allowed,
            Class::Write => self.write_allowed,
        };
        if !tool_denied && !path_denied && !closed && (named || open) { Effect::Allow } else { Effect::Deny }
    }
}

/// All answers of a policy, in a fixed order of questions.
fn answers(small: &Small) -> Vec<Effect> {
    let yaml = small.yaml();
    let document = Document::parse(yaml.as_bytes()).unwrap_or_else(|problems| panic!("{problems:?}\n{yaml}"));
    let rules = rules(&document, Some(("a", "b")));
    let mut answers = Vec::new();
    for tool in TOOLS {
        for class in [Class::Read, Class::Write] {
            for paths in PATHS {
                let request = Request { tool, class, repository: Some(("a", "b")), paths };
                let decision = rules.decide(&request);
                let expected = small.expected(tool, class, paths);
                assert_eq!(decision.effect, expected, "{tool} {class:?} {paths:?}\n{yaml}{decision:?}");
                assert!(!decision.reasons.is_empty());
                told_alike(&rules.looked_at(&request), &decision);
                answers.push(decision.effect);
            }
        }
    }
    answers
}

/// What is told step by step is what was decided: the first rule that speaks is the one that the decision names.
fn told_alike(steps: &[Step], decision: &Decision) {
    let against: Vec<_> =
        steps.iter().filter(|s| matches!(s.verdict, Verdict::Denies | Verdict::Closes)).collect();
    match decision.effect {
        Effect::Deny => {
            assert_eq!(against.first().map(|step| step.rule.as_str()), Some(decision.rule()), "{steps:#?}");
        }
        Effect::Allow => {
            assert!(against.is_empty(), "{steps:#?}");
            let allows = |step: &Step| step.verdict == Verdict::Allows && step.rule == decision.rule();
            assert!(steps.iter().any(allows), "{decision:?} {steps:#?}");
        }
    }
}

/// Every policy of the space.
fn every_policy(mut visit: impl FnMut(Small)) {
    let tool = [None, Some(TOOLS[0]), Some(TOOLS[1])];
    let path = [None, Some(PATTERNS[0])];
    // The two classes never meet in a decision, so their defaults need not be crossed.
    for read_allowed in [true, false] {
        for global in tool {
            for owner_tool in tool {
                for repo_tool in tool {
                    for owner_path in path {
                        for repo_path in [None, Some(PATTERNS[0]), Some(PATTERNS[1])] {
                            visit(Small {
                                read_allowed,
                                write_allowed: !read_allowed,
                                globals: [global, None],
                                owner: [owner_tool, None, owner_path, None],
                                repo: [repo_tool, None, repo_path, None],
                            });
                        }
                    }
                }
            }
        }
    }
}

/// The policy with one deny more: at each place, each item.
fn with_one_deny_more(small: &Small) -> Vec<Small> {
    let mut more = Vec::new();
    for tool in TOOLS.into_iter().chain(["'*'"]) {
        more.push(Small { globals: [small.globals[0], Some(tool)], ..*small });
        more.push(Small { owner: with(small.owner, 1, tool), ..*small });
        more.push(Small { repo: with(small.repo, 1, tool), ..*small });
    }
    for pattern in PATTERNS {
        more.push(Small { owner: with(small.owner, 3, pattern), ..*small });
        more.push(Small { repo: with(small.repo, 3, pattern), ..*small });
    }
    more
}

fn with(mut lists: [Option<&'static str>; 4], place: usize, item: &'static str) -> [Option<&'static str>; 4] {
    lists[place] = Some(item);
    lists
}

#[test]
fn adding_a_deny_never_turns_a_deny_into_an_allow_and_every_answer_is_the_stated_one() {
    let (mut policies, mut narrowed) = (0, 0);
    every_policy(|small| {
        let before = answers(&small);
        for more in with_one_deny_more(&small) {
            policies += 1;
            let after = answers(&more);
            for (before, after) in before.iter().zip(&after) {
                assert!(*before == Effect::Allow || *after == Effect::Deny, "{small:?}\n{more:?}");
            }
            narrowed += u32::from(before != after);
        }
    });
    assert_eq!(policies, 2 * 27 * 6 * 13);
    assert!(narrowed > 1000, "the denies changed only {narrowed} policies");
}
