use serde_json::{Value, json};

use super::{Question, probe};
use crate::egress::{Method, READ_ROWS, Refused, WRITE_ROWS};

const NO_QUERY: &[(&str, &str)] = &[];

fn of(method: Method, template: &str, changes: bool) -> Vec<Question> {
    let values = ["alice", "demo", "3", "4"];
    let values = &values[..template.matches('{').count()];
    Question::of(method, template, values, NO_QUERY, changes).expect("listed")
}

fn of_list(query: &[(&str, &str)]) -> Vec<Question> {
    let list = "/repos/{owner}/{repo}/issues";
    Question::of(Method::Get, list, &["alice", "demo"], query, false).expect("listed")
}

#[test]
fn what_is_read_of_a_repository_is_what_is_asked_about() {
    for (template, _) in READ_ROWS {
        let asked = of(Method::Get, template, false);
        let below = template.strip_prefix("/repos/{owner}/{repo}");
        let room = below.map(|below| below.split('/').nth(1).unwrap_or_default());
        let one = |text: &str| template.contains(text);
        let expected = match room {
            // Whose issues a job may look for is told to whoever may see issues.
            None if *template == "/user" => vec![Question::Issues],
            None => vec![],
            Some("issues") if one("/comments/{id}") => vec![Question::Comment("3".to_owned())],
            Some("issues") if one("{index}") => vec![Question::Issue("3".to_owned())],
            Some("issues") => vec![Question::Issues, Question::Pulls],
            Some("pulls") if one("{index}") => vec![Question::Read, Question::Issue("3".to_owned())],
            Some("pulls") => vec![Question::Read, Question::Pulls],
            Some("releases") if one("/latest") => vec![Question::Releases],
            // A draft is shown by a right that no question asks about: the person reads it, or nobody does.
            Some("releases") => vec![],
            Some(_) => vec![Question::Read],
        };
        assert_eq!(asked, expected, "{template}");
    }
}

#[test]
fn every_request_of_a_change_asks_for_writing_first() {
    for &(method, template, _) in WRITE_ROWS {
        for changes in [false, true] {
            let asked = of(method, template, changes);
            let unit = match template.trim_start_matches("/repos/{owner}/{repo}") {
                "/issues" => Some(Question::Issues),
                "/issues/comments/{id}" => Some(Question::Comment("3".to_owned())),
                "/pulls" => Some(Question::Pulls),
                "/releases" | "/releases/{id}" => Some(Question::Releases),
                "/labels" | "/labels/{id}" | "/milestones" | "/branches" => None,
                _ => Some(Question::Issue("3".to_owned())),
            };
            let expected: Vec<Question> = [Some(Question::Write), unit].into_iter().flatten().collect();
            assert_eq!(asked, expected, "{template}");
        }
    }
    assert_eq!(of(Method::Get, "/repos/{owner}/{repo}", true), [Question::Write]);
    let issue = [Question::Write, Question::Issue("3".to_owned())];
    assert_eq!(of(Method::Get, "/repos/{owner}/{repo}/issues/{index}", true), issue);
    assert_eq!(of(Method::Get, "/user/repos", true), []);
    assert_eq!(of(Method::Get, "/repos/{owner}/{repo}/releases/{id}", true), []);
}

#[test]
fn a_list_asks_about_one_kind_only_where_exactly_that_kind_is_named() {
    assert_eq!(of_list(&[("type", "issues"), ("state", "all")]), [Question::Issues]);
    assert_eq!(of_list(&[("type", "pulls")]), [Question::Pulls]);
    let both = [Question::Issues, Question::Pulls];
    for query in [
        &[][..],
        &[("type", "")],
        &[("type", "Issues")],
        &[("Type", "issues")],
        &[("type", "pulls"), ("type", "issues")],
        &[("type", "issues"), ("type", "issues")],
        &[("types", "issues")],
    ] {
        assert_eq!(of_list(query), both, "{query:?}");
    }
    // A new issue is an issue whatever the query says.
    let post = Question::of(
        Method::Post,
        "/repos/{owner}/{repo}/issues",
        &["alice", "demo"],
        &[("type", "pulls")],
        true,
    );
    assert_eq!(post, Ok(vec![Question::Write, Question::Issues]));
}

#[test]
fn nothing_is_asked_about_what_is_never_sent() {
    for (method, template) in [
        (Method::Get, "/repos/{owner}/{repo}/hooks"),
        (Method::Delete, "/repos/{owner}/{repo}"),
        (Method::Post, "/repos/{owner}/{repo}/issues/{index}"),
        (Method::Post, "/repos/{owner}/{repo}/pulls/{index}/merge"),
    ] {
        let asked = Question::of(method, template, &["alice", "demo", "3"], NO_QUERY, true);
        assert!(matches!(asked, Err(Refused::NotListed { .. })), "{template}: {asked:?}");
    }
}

#[test]
fn a_question_is_spelled_by_the_rules_for_every_request() {
    let target = |question: Question| question.target("alice", "demo");
    assert_eq!(target(Question::Read).as_deref(), Ok("/repos/alice/demo"));
    assert_eq!(target(Question::Write).as_deref(), Ok("/repos/alice/demo"));
    assert_eq!(target(Question::Issue("7".to_owned())).as_deref(), Ok("/repos/alice/demo/issues/7"));
    for (question, kind) in [(Question::Issues, "issues"), (Question::Pulls, "pulls")] {
        let expected =
            format!("/repos/alice/demo/issues?type={kind}&state=all&limit=1&before=1970-01-02T00%3A00%3A00Z");
        assert_eq!(target(question), Ok(expected));
    }
    assert_eq!(
        target(Question::Comment("7".to_owned())).as_deref(),
        Ok("/repos/alice/demo/issues/comments/7")
    );
    assert_eq!(target(Question::Releases).as_deref(), Ok("/repos/alice/demo/releases?limit=1"));
    assert!(target(Question::Issue("7/../8".to_owned())).is_err());
    assert!(Question::Read.target("..", "demo").is_err());
    assert_eq!(
        probe("alice", "demo", "bob").as_deref(),
        Ok("/repos/alice/demo/collaborators/bob/permission")
    );
    assert!(probe("alice", "demo", "..").is_err());
}

#[test]
fn only_the_very_answer_is_a_yes() {
    let rights = |pull: Value, push: Value| json!({"permissions": {"pull": pull, "push": push}});
    assert!(Question::Read.is_yes(&rights(json!(true), json!(false))));
    assert!(!Question::Write.is_yes(&rights(json!(true), json!(false))));
    assert!(Question::Write.is_yes(&rights(json!(true), json!(true))));
    assert!(!Question::Read.is_yes(&rights(json!("true"), json!(1))));
    assert!(Question::Issues.is_yes(&json!([])) && Question::Pulls.is_yes(&json!([{"number": 1}])));
    assert!(Question::Releases.is_yes(&json!([])) && !Question::Releases.is_yes(&json!({})));
    let comment = Question::Comment("7".to_owned());
    assert!(comment.is_yes(&json!({"id": 7})) && !comment.is_yes(&json!({"id": 8})));
    let issue = Question::Issue("007".to_owned());
    assert!(issue.is_yes(&json!({"number": 7})));
    for other in [json!({"number": 8}), json!({"number": "7"}), json!({}), json!([]), Value::Null] {
        assert!(!issue.is_yes(&other), "{other}");
    }
    assert!(!Question::Issue(String::new()).is_yes(&json!({"number": null})));
    for question in [Question::Read, Question::Write, Question::Issues, Question::Pulls] {
        for doubt in [Value::Null, json!({}), json!("yes"), json!(true)] {
            assert!(!question.is_yes(&doubt), "{question:?}: {doubt}");
        }
    }
}
