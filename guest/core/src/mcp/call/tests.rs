//! The path of a call: what is recorded, in which order, and what is withheld.

use serde_json::{Value, json};

use std::cell::RefCell;

use super::*;
use crate::client::{Question, Silent};
use crate::offer::PRODUCT;
use crate::ports::{Class, Kind};
use crate::tools::fake::{OPEN_POLICY, Route, World, claims};

fn called(world: &World, tool: &str, arguments: Option<Value>) -> Called {
    scoped(world, &["read:repository", "write:repository"], tool, arguments)
}

fn scoped(world: &World, scopes: &[&str], tool: &str, arguments: Option<Value>) -> Called {
    let (config, claims) = (world.config(), claims(scopes));
    let session = Session {
        ports: world.ports(),
        config: &config,
        offer: &PRODUCT,
        selection: Selection::default(),
        caller: world,
        claims: &claims,
        request_id: "request-1",
    };
    call(&session, tool, arguments, &Silent)
}

fn site() -> Option<Value> {
    Some(json!({ "owner": "acme", "repo": "site" }))
}

fn with_site(world: World) -> World {
    world.on("GET /repos/acme/site", json!({ "full_name": "acme/site" }))
}

#[test]
fn the_intent_comes_before_any_request_and_the_outcome_before_the_answer() {
    let world = with_site(World::open());
    let called = called(&world, "get_repository_info", site());
    assert_eq!(called.result.expect("an answer").structured["repository"]["full_name"], "acme/site");
    assert_eq!(called.correlation_id, "ticket-1");
    let state = world.state.borrow();
    assert_eq!(state.order, ["intent", "request", "close"]);
    assert_eq!(state.outcomes, [Outcome { status: Status::Success, reason: None }]);
    assert_eq!(state.metrics, [("get_repository_info".to_owned(), "success".to_owned())]);
    assert_eq!(state.events[0].class, Class::Read);
    assert_eq!(state.events[0].owner.as_deref(), Some("acme"));
}

#[test]
fn without_an_intent_nothing_is_asked() {
    let world = with_site(World::open());
    world.state.borrow_mut().no_intents = true;
    let called = called(&world, "get_repository_info", site());
    assert_eq!(called.result.expect_err("refused"), CallError::AuditUnavailable);
    assert_eq!(called.correlation_id, "request-1");
    assert!(world.asked().is_empty());
}

#[test]
fn a_result_whose_outcome_is_not_on_record_is_withheld() {
    let world = with_site(World::open());
    world.state.borrow_mut().no_outcomes = true;
    let error = called(&world, "get_repository_info", site()).result.expect_err("withheld");
    assert_eq!(error.reason(), "outcome_not_recorded");
    assert!(error.message().contains("Nothing was changed") && !error.message().contains("acme/site"));

    let world = with_site(World::open()).route(Route::new(
        "POST /repos/acme/site/issues",
        201,
        json!({ "number": 8 }),
    ));
    world.state.borrow_mut().no_outcomes = true;
    let error =
        called(&world, "create_issue", Some(json!({ "owner": "acme", "repo": "site", "title": "t" })))
            .result
            .expect_err("withheld");
    assert!(
        error.message().contains("State unknown") && error.message().contains("ticket-1"),
        "{}",
        error.message()
    );
    assert_eq!(world.written().len(), 1);
}

/// World, scopes, tool, arguments, reason, status.
type Row<'a> = (World, &'a [&'a str], &'a str, Option<Value>, &'a str, Status);

#[test]
fn every_local_refusal_leaves_one_line_and_asks_nothing() {
    let closed = || World::with("tools: {deny: [get_issue]}\n", &[("WRITE_MODE", "false")]);
    let listed = || {
        World::with(
            OPEN_POLICY,
            &[("WRITE_ALLOW_ALL_TOKEN_REPOS", "false"), ("WRITE_REPOSITORY_WHITELIST", "acme/other")],
        )
    };
    let both: &[&str] = &["read:repository", "write:repository"];
    let title = Some(json!({ "owner": "acme", "repo": "site", "title": "t" }));
    let number = Some(json!({ "owner": "acme", "repo": "site", "issue_number": 1 }));
    let rows: [Row; 10] = [
        (closed(), both, "no_such_tool", site(), "unknown_tool", Status::Error),
        (closed(), both, "list_issues", Some(json!([])), "invalid_arguments", Status::Error),
        (closed(), both, "list_issues", None, "invalid_arguments", Status::Error),
        (
            closed(),
            both,
            "list_issues",
            Some(json!({ "owner": "..", "repo": "x" })),
            "invalid_arguments",
            Status::Error,
        ),
        (closed(), &[], "list_issues", site(), "insufficient_scope", Status::Denied),
        (listed(), &["read:repository"], "create_issue", title.clone(), "insufficient_scope", Status::Denied),
        (
            closed(),
            &["read:repository"],
            "create_issue",
            title.clone(),
            "write_mode_disabled",
            Status::Denied,
        ),
        (closed(), both, "create_issue", title.clone(), "write_mode_disabled", Status::Denied),
        (listed(), both, "create_issue", title, "repository_not_writable", Status::Denied),
        (closed(), both, "get_issue", number, "policy_denied", Status::Denied),
    ];
    for (world, scopes, tool, arguments, reason, status) in rows {
        let called = scoped(&world, scopes, tool, arguments);
        let error = called.result.expect_err(reason);
        assert_eq!((error.reason(), error.status()), (reason, status));
        assert_eq!(called.correlation_id, "request-1");
        let state = world.state.borrow();
        assert!(state.order.is_empty(), "{reason}: {:?}", state.order);
        assert_eq!(state.remarks.len(), 1, "{reason}");
        assert_eq!((state.remarks[0].kind, state.remarks[0].reason.as_str()), (Kind::AccessDenied, reason));
        assert_eq!(state.metrics.len(), 1, "{reason}");
    }
}

#[test]
fn a_made_up_name_becomes_no_label_and_leaves_cleaned() {
    let world = World::open();
    let name = format!("x\u{1b}[31m{}", "y".repeat(5000));
    let error = called(&world, &name, None).result.expect_err("unknown");
    assert!(error.message().chars().count() < 1400 && !error.message().contains('\u{1b}'));
    assert_eq!(world.state.borrow().metrics, [("unknown".to_owned(), "error".to_owned())]);
}

#[test]
fn a_refusal_by_gitea_is_recorded_as_denied_and_its_words_are_masked() {
    let token = ["aegis", "_at_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
    let world = World::open().route(Route::new(
        "GET /repos/acme/site",
        403,
        json!({ "message": format!("no \u{202e}{token}") }),
    ));
    let error = called(&world, "get_repository_info", site()).result.expect_err("denied");
    assert!(
        !error.message().contains(&token) && !error.message().contains('\u{202e}'),
        "{}",
        error.message()
    );
    let outcome = Outcome { status: Status::Denied, reason: Some("repository_permission_denied".to_owned()) };
    assert_eq!(world.state.borrow().outcomes, [outcome]);
}

#[test]
fn errors_of_gitea_keep_their_names_on_record() {
    for (status, reason) in [
        (404, "not_found"),
        (401, "gitea_unauthorized"),
        (500, "gitea_failed"),
        (429, "gitea_busy"),
        (423, "repository_locked"),
    ] {
        let world = World::open().route(Route::new("GET /repos/acme/site", status, json!({})));
        let error = called(&world, "get_repository_info", site()).result.expect_err("failed");
        assert_eq!(error.reason(), reason);
        let outcome = Outcome { status: Status::Error, reason: Some(reason.to_owned()) };
        assert_eq!(world.state.borrow().outcomes, [outcome]);
    }
}

#[test]
fn every_request_to_gitea_is_a_step_and_told_without_data() {
    #[derive(Default)]
    struct Heard {
        steps: RefCell<Vec<u32>>,
        said: RefCell<Vec<String>>,
    }
    impl Client for Heard {
        fn progress(&self, done: u32, _total: Option<u32>, message: &str) {
            self.steps.borrow_mut().push(done);
            self.said.borrow_mut().push(message.to_owned());
        }
        fn log(&self, _level: crate::ports::Level, message: &str) {
            self.said.borrow_mut().push(message.to_owned());
        }
        fn ask(&self, _questions: &[Question]) -> Result<Vec<Value>, Unasked> {
            panic!("nothing is asked");
        }
    }
    let world = with_site(World::open());
    let (config, claims) = (world.config(), claims(&["read:repository"]));
    let session = Session {
        ports: world.ports(),
        config: &config,
        offer: &PRODUCT,
        selection: Selection::default(),
        caller: &world,
        claims: &claims,
        request_id: "request-1",
    };
    let heard = Heard::default();
    assert!(call(&session, "get_repository_info", site(), &heard).result.is_ok());
    let requests = world.state.borrow().requests.len();
    assert_eq!(heard.steps.borrow().len(), requests);
    assert_eq!(heard.steps.borrow()[0], 0);
    assert!(heard.said.borrow().iter().all(|said| !said.contains("acme")), "{:?}", heard.said);
    assert!(heard.said.borrow().iter().any(|said| said == "GET /repos/{owner}/{repo}"), "{:?}", heard.said);
}
