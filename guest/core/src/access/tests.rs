//! Scope, write mode and policy, and what each refusal says.

use std::collections::BTreeMap;

use super::*;

pub(super) struct Settled {
    values: BTreeMap<&'static str, String>,
    policy: Vec<(String, Vec<u8>)>,
}

impl Settings for Settled {
    fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    fn prepared(&self, key: &str) -> Option<Vec<u8>> {
        self.policy.iter().find(|(name, _)| name == key).map(|(_, entry)| entry.clone())
    }

    fn policy_digest(&self) -> String {
        String::new()
    }
}

pub(super) fn settled(policy: &str, values: &[(&'static str, &str)]) -> Settled {
    let mut all = BTreeMap::from([("GITEA_URL", "https://git.example.test".to_owned())]);
    all.extend(values.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let document = aegis_policy::Document::parse(policy.as_bytes()).expect("a good policy");
    Settled { values: all, policy: document.prepare() }
}

pub(super) fn decided(
    settled: &Settled,
    scopes: &[&str],
    class: Class,
    repository: Option<(&str, &str)>,
) -> Result<(), Refused> {
    let config = Config::load(settled).expect("good settings");
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let claims = Claims { subject: "s".into(), login: None, client: None, scopes };
    let target = Target { repository, ..Target::default() };
    let tool = match class {
        Class::Read => "list_issues",
        Class::Write => "create_issue",
    };
    decide(settled, &config, &claims, &Asked { tool, class, target: &target }).map(drop)
}

const OPEN: &str = "defaults: {read: allow, write: allow}\n";
const LISTED: &[(&str, &str)] =
    &[("WRITE_MODE", "true"), ("WRITE_REPOSITORY_WHITELIST", "Acme/Site,tools/*")];
const ANYWHERE: &[(&str, &str)] = &[("WRITE_MODE", "true"), ("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")];
pub(super) const SITE: Option<(&str, &str)> = Some(("acme", "site"));

#[test]
fn each_class_needs_its_own_scope() {
    let world = settled(OPEN, ANYWHERE);
    let missing = |needed| Err(Refused::Scope { needed });
    assert_eq!(decided(&world, &[READ_SCOPE], Class::Read, SITE), Ok(()));
    assert_eq!(decided(&world, &[WRITE_SCOPE], Class::Write, SITE), Ok(()));
    assert_eq!(decided(&world, &[WRITE_SCOPE], Class::Read, SITE), missing(READ_SCOPE));
    assert_eq!(decided(&world, &[READ_SCOPE], Class::Write, SITE), missing(WRITE_SCOPE));
    for odd in [
        &[][..],
        &["read"],
        &["read:repository "],
        &["READ:REPOSITORY"],
        &["read:repository,write:repository"],
    ] {
        assert_eq!(decided(&world, odd, Class::Read, SITE), missing(READ_SCOPE), "{odd:?}");
    }
}

#[test]
fn writes_are_off_unless_write_mode_is_on() {
    let world = settled(OPEN, &[("WRITE_MODE", "false"), ("WRITE_ALLOW_ALL_TOKEN_REPOS", "true")]);
    for scopes in [&[READ_SCOPE][..], &[WRITE_SCOPE], &[READ_SCOPE, WRITE_SCOPE], &[]] {
        let refused = decided(&world, scopes, Class::Write, SITE);
        assert_eq!(refused, Err(Refused::WriteModeOff), "no scope would help: {scopes:?}");
    }
    assert_eq!(
        decided(&world, &[WRITE_SCOPE], Class::Read, SITE),
        Err(Refused::Scope { needed: READ_SCOPE })
    );
}

#[test]
fn writes_need_a_listed_repository_in_any_case_of_letters() {
    let world = settled(OPEN, LISTED);
    for repository in [("acme", "site"), ("ACME", "SITE"), ("tools", "anything"), ("Tools", "x")] {
        assert_eq!(decided(&world, &[WRITE_SCOPE], Class::Write, Some(repository)), Ok(()), "{repository:?}");
    }
    for (owner, repo) in [("acme", "site2"), ("acme", "*"), ("acmee", "site"), ("*", "site"), ("other", "x")]
    {
        let refused = decided(&world, &[WRITE_SCOPE], Class::Write, Some((owner, repo)));
        assert_eq!(refused, Err(Refused::NotWritable { repository: Some(format!("{owner}/{repo}")) }));
    }
    let refused = decided(&world, &[WRITE_SCOPE], Class::Write, None);
    assert_eq!(refused, Err(Refused::NotWritable { repository: None }));
}

#[test]
fn the_policy_decides_even_where_write_mode_allows_everything() {
    let world = settled("defaults: {read: allow, write: deny}\n", ANYWHERE);
    let refused = decided(&world, &[WRITE_SCOPE], Class::Write, SITE).expect_err("denied");
    assert_eq!(refused.reason(), "policy_denied");
    assert!(
        refused.detail().iter().any(|(name, rule)| name == "rule" && rule.contains("defaults.write")),
        "{refused:?}"
    );
    let world = settled("tools: {deny: [list_issues]}\n", &[]);
    let refused = decided(&world, &[READ_SCOPE], Class::Read, SITE).expect_err("denied");
    assert!(refused.message().starts_with("The policy denies this: "), "{}", refused.message());
}

#[test]
fn an_unreadable_policy_denies_everything() {
    for entry in [None, Some(b"junk".to_vec())] {
        let mut world = settled(OPEN, ANYWHERE);
        world.policy.retain(|(name, _)| name != aegis_policy::GLOBALS_KEY);
        world.policy.extend(entry.map(|bytes| (aegis_policy::GLOBALS_KEY.to_owned(), bytes)));
        assert_eq!(decided(&world, &[READ_SCOPE], Class::Read, SITE), Err(Refused::PolicyUnreadable));
        assert!(!lists(&world, "acme", "site"));
    }
}

#[test]
fn every_refusal_names_what_would_allow_the_call() {
    let policy = Refused::Policy { reasons: vec![("defaults.write".into(), "set defaults.write".into())] };
    for (refused, named) in [
        (Refused::Scope { needed: WRITE_SCOPE }, "write:repository"),
        (Refused::WriteModeOff, "WRITE_MODE=true"),
        (
            Refused::NotWritable { repository: Some("acme/site".into()) },
            "add acme/site to WRITE_REPOSITORY_WHITELIST",
        ),
        (policy, "set defaults.write"),
        (Refused::PolicyUnreadable, "operator"),
    ] {
        assert!(refused.message().contains(named), "{}", refused.message());
        assert!(!refused.detail().is_empty());
    }
}

#[test]
fn a_path_is_judged_as_it_is_spelled_and_as_a_reader_sees_it() {
    let policy =
        "repositories: {acme/site: {paths: {allow: ['src/*', 'd\u{200b}ocs/*'], deny: ['src/secrets/*']}}}\n";
    let policy = policy.replace('\u{200b}', "?");
    let world = settled(&policy, &[]);
    let config = Config::load(&world).expect("good settings");
    let claims =
        Claims { subject: "s".into(), login: None, client: None, scopes: vec![READ_SCOPE.to_owned()] };
    for (path, allowed) in [
        ("src/main.rs", true),
        ("src/secrets/k", false),
        ("src/se\u{200b}crets/k", false),
        ("src/\u{feff}secrets/k", false),
        ("src/sec\u{ad}rets", false),
        ("src/se\u{202e}crets/k", false),
        ("src/ma\u{200b}in.rs", true),
        // An allow list has to open both.
        ("d\u{200b}ocs/x", false),
        // What a reader sees is no path.
        ("src/\u{200b}/x", false),
    ] {
        let target = Target { repository: SITE, paths: vec![path], reference: None };
        let asked = Asked { tool: "get_file_contents", class: Class::Read, target: &target };
        let decided = decide(&world, &config, &claims, &asked);
        assert_eq!(decided.is_ok(), allowed, "{path:?}: {:?}", decided.err());
    }
}
