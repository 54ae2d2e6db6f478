//! The write gate, in every combination: write mode, the list, allow-all, policy and scope, for both classes. What is
//! expected is written here a second time, in the words of the manual. Gitea's own permission comes after all of these
//! and is Gitea's to give; `tests/journeys/gate.rs` has it in a subset of this table.

use super::tests::{SITE, decided, settled};
use super::*;

/// `WRITE_REPOSITORY_WHITELIST`, and whether it has acme/site.
const LISTS: [(&str, bool); 7] = [
    ("", false),
    ("acme/other", false),
    ("other/site", false),
    ("acme/site", true),
    ("ACME/Site", true),
    ("acme/*", true),
    ("other/x,acme/site", true),
];

/// A policy, and what it says of a read and of a write on acme/site.
const POLICIES: [(&str, bool, bool); 10] = [
    ("defaults: {read: allow, write: deny}\n", true, false),
    ("defaults: {read: allow, write: allow}\n", true, true),
    ("defaults: {read: deny, write: deny}\n", false, false),
    ("defaults: {write: allow}\ntools: {deny: [create_issue]}\n", true, false),
    ("defaults: {write: allow}\ntools: {deny: ['*']}\n", false, false),
    ("tools: {allow: [create_issue]}\n", false, true),
    ("repositories: {acme/site: {tools: {allow: [create_issue, list_issues]}}}\n", true, true),
    ("repositories: {acme/*: {tools: {allow: [create_issue]}}}\n", false, true),
    ("defaults: {write: allow}\nrepositories: {ACME/site: {tools: {deny: [create_issue]}}}\n", true, false),
    (
        "repositories: {acme/*: {tools: {deny: [create_issue]}}, acme/site: {tools: {allow: [create_issue]}}}\n",
        false,
        false,
    ),
];

const SCOPES: [&[&str]; 4] = [&[], &[READ_SCOPE], &[WRITE_SCOPE], &[READ_SCOPE, WRITE_SCOPE]];

/// The name of the refusal of a write; none where every gate is open.
fn expected(mode: bool, scopes: &[&str], listed: bool, allowed: bool) -> Option<&'static str> {
    if !mode {
        Some("write_mode_disabled")
    } else if !scopes.contains(&WRITE_SCOPE) {
        Some("insufficient_scope")
    } else if !listed {
        Some("repository_not_writable")
    } else if !allowed {
        Some("policy_denied")
    } else {
        None
    }
}

#[test]
fn a_write_passes_where_every_gate_is_open_and_a_closed_one_names_itself() {
    let (mut combinations, mut passed) = (0, 0);
    for (policy, reads, writes) in POLICIES {
        for mode in [false, true] {
            for (list, has_site) in LISTS {
                for everywhere in [false, true] {
                    let nowhere = mode && list.is_empty() && !everywhere;
                    let values = [
                        ("WRITE_MODE", if mode { "true" } else { "false" }),
                        ("WRITE_REPOSITORY_WHITELIST", list),
                        ("WRITE_ALLOW_ALL_TOKEN_REPOS", if everywhere { "true" } else { "false" }),
                    ];
                    let world = settled(policy, &values);
                    if nowhere {
                        assert!(Config::load(&world).is_err(), "writes that lead nowhere do not start");
                        continue;
                    }
                    for scopes in SCOPES {
                        combinations += 1;
                        let told = format!("{policy}{values:?} {scopes:?}");
                        let refused = decided(&world, scopes, Class::Write, SITE).err().map(|no| no.reason());
                        assert_eq!(refused, expected(mode, scopes, has_site || everywhere, writes), "{told}");
                        passed += u32::from(refused.is_none());
                        let read = decided(&world, scopes, Class::Read, SITE).err().map(|no| no.reason());
                        let missing = (!scopes.contains(&READ_SCOPE)).then_some("insufficient_scope");
                        let denied = (!reads).then_some("policy_denied");
                        assert_eq!(read, missing.or(denied), "a read is not the gate's: {told}");
                    }
                }
            }
        }
    }
    assert_eq!(combinations, 10 * (28 - 1) * 4);
    // With writes on: allow-all with each list, or a list that has it; two of the scopes; four of the policies.
    assert_eq!(passed, (7 + 4) * 2 * 4);
}
