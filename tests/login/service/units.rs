//! A team in Gitea may give code without issues. Through the service account a person reads what they themselves may
//! read, unit by unit, by whichever credential Gitea is asked.

use aegis_tests::forge::world::{ROOT_TOKEN, SVC_TOKEN, Unit};
use aegis_tests::forge::{Credential, Fault, FaultKind, Forge, Options};
use aegis_tests::http::Answer;
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::{Client, call};
use serde_json::{Value, json};

use super::{denials, denied, setup, step, story};
use crate::grants::READ;
use crate::scene::{Scene, password};

const VAULT: &str = "/api/v1/repos/acme/vault";
const DEMO: &str = "/api/v1/repos/alice/demo";
/// What a token without `read:issue` is told.
const LACKS: &str = "token does not have at least one of required scope(s), required=[read:issue], token scope=read:repository,read:user";

async fn issue(server: &Server, token: &str, owner: &str, repo: &str) -> Answer {
    call(&server.url, token, "get_issue", &json!({"owner": owner, "repo": repo, "issue_number": 1})).await
}

async fn issues(server: &Server, token: &str) -> Answer {
    call(&server.url, token, "list_issues", &json!({"owner": "acme", "repo": "vault", "state": "all"})).await
}

async fn file(server: &Server, token: &str) -> Answer {
    let arguments = json!({"owner": "acme", "repo": "vault", "filepath": "README.md"});
    call(&server.url, token, "get_file_contents", &arguments).await
}

/// The team that bob is in does not give these units of `acme/vault` any more.
fn leave_out(forge: &Forge, units: &[Unit]) {
    forge.change(|world| {
        let dev = world.teams.iter_mut().find(|team| team.name == "Dev").expect("bob's team");
        dev.without = units.to_vec();
    });
}

/// The denials that there are in the end: what was asked about, and why it was a no.
async fn told(server: &Server, count: usize) -> Vec<(String, String, String)> {
    let lines = server.audit_when(|lines| denials(lines).len() >= count).await;
    let found: Vec<_> = denials(&lines)
        .into_iter()
        .map(|line| {
            assert_eq!(line["login"], "bob", "{line}");
            let text = |name: &str| line["detail"][name].as_str().unwrap_or_default().to_owned();
            (text("repository"), text("asked"), text("cause"))
        })
        .collect();
    assert_eq!(found.len(), count, "{found:?}");
    found
}

fn no_right(repository: &str, asked: &str) -> (String, String, String) {
    (repository.to_owned(), asked.to_owned(), "no_right".to_owned())
}

/// What the last call sent to Gitea, as its outcome line has it.
fn last_outcome(lines: &[Value]) -> &Value {
    let found = of_event(lines, "tool_invocation").into_iter().rfind(|line| line["status"] != "pending");
    found.expect("an outcome")
}

#[tokio::test]
async fn who_sees_the_code_and_not_the_issues_reads_files_and_no_issue_through_the_account() {
    let scene = Scene::new().await;
    let settings = setup(&scene, SVC_TOKEN).writes("acme/vault").set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0");
    let server = settings.start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), true).await.access;
    // Pull requests are left to him: Gitea would show him a list, of those.
    leave_out(&scene.forge, &[Unit::Issues]);

    scene.forge.forget();
    let answer = file(&server, &bob).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = story(&scene.forge);
    assert_eq!(seen.first(), Some(&step(&format!("GET {VAULT}"), "bob", Credential::OAuth)));
    let contents = format!("GET {VAULT}/contents-ext/README.md");
    assert!(seen.contains(&step(&contents, "svc", Credential::Pat)), "{seen:?}");
    assert!(seen.iter().all(|(what, _, _)| !what.contains("/issues")), "{seen:?}");

    scene.forge.forget();
    denied(&issue(&server, &bob, "acme", "vault").await);
    assert_eq!(story(&scene.forge), [step(&format!("GET {VAULT}/issues/1"), "bob", Credential::OAuth)]);
    assert_eq!(told(&server, 1).await, [no_right("acme/vault", "issue")]);

    scene.forge.forget();
    denied(&issues(&server, &bob).await);
    let list = format!("GET {VAULT}/issues");
    assert_eq!(story(&scene.forge), [step(&list, "bob", Credential::OAuth)]);
    let query = scene.forge.requests().pop().expect("one").query;
    assert!(query.starts_with("type=issues&state=all&limit=1&before="), "{query}");

    scene.forge.forget();
    let arguments = json!({"owner": "acme", "repo": "vault", "title": "No"});
    denied(&call(&server.url, &bob, "create_issue", &arguments).await);
    let arguments = json!({"owner": "acme", "repo": "vault", "issue_number": 1, "body": "No"});
    denied(&call(&server.url, &bob, "create_issue_comment", &arguments).await);
    let seen = scene.forge.requests();
    assert!(seen.iter().all(|seen| seen.method == "GET"), "nothing is written: {seen:?}");
    let by_account = story(&scene.forge).into_iter().filter(|(_, who, _)| who == "svc");
    assert!(by_account.into_iter().all(|(what, _, _)| what == format!("GET {VAULT}")));

    let asked: Vec<String> = told(&server, 4).await.into_iter().map(|(_, asked, _)| asked).collect();
    assert_eq!(asked, ["issue", "issues", "issues", "issue"]);
    let lines = server.audit();
    let outcome = last_outcome(&lines);
    assert_eq!(
        (&outcome["status"], &outcome["reason"]),
        (&json!("denied"), &json!("repository_permission_denied"))
    );
    // With the unit given back, so is the reading.
    leave_out(&scene.forge, &[]);
    scene.forge.forget();
    let answer = issue(&server, &bob, "acme", "vault").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("Rotate the keys"));
    let get = format!("GET {VAULT}/issues/1");
    assert_eq!(
        story(&scene.forge),
        [step(&get, "bob", Credential::OAuth), step(&get, "svc", Credential::Pat)]
    );
    assert_eq!(issues(&server, &bob).await.status, 200);
    assert_eq!(denials(&server.audit()).len(), 4);
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn who_sees_issues_and_not_the_code_reads_issues_and_no_file_through_the_account() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await.access;
    leave_out(&scene.forge, &[Unit::Code]);
    // Answers are kept here, and a yes about issues is none about files.
    for round in 1..=2 {
        assert_eq!(issue(&server, &bob, "acme", "vault").await.status, 200, "round {round}");
        assert_eq!(issues(&server, &bob).await.status, 200, "round {round}");
        scene.forge.forget();
        denied(&file(&server, &bob).await);
        let expected = [step(&format!("GET {VAULT}"), "bob", Credential::OAuth)];
        assert_eq!(story(&scene.forge), expected[..if round == 1 { 1 } else { 0 }], "round {round}");
    }
    assert_eq!(told(&server, 2).await, vec![no_right("acme/vault", "read"); 2]);
}

#[tokio::test]
async fn a_yes_about_one_issue_is_none_about_another() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await.access;
    let read = async |number: u64| {
        let arguments = json!({"owner": "acme", "repo": "vault", "issue_number": number});
        call(&server.url, &bob, "get_issue", &arguments).await
    };
    assert_eq!(read(1).await.status, 200);
    scene.forge.forget();
    assert_eq!(read(1).await.status, 200);
    let get = format!("GET {VAULT}/issues/1");
    assert_eq!(story(&scene.forge), [step(&get, "svc", Credential::Pat)], "remembered");
    scene.forge.forget();
    denied(&read(999).await);
    assert_eq!(story(&scene.forge), [step(&format!("GET {VAULT}/issues/999"), "bob", Credential::OAuth)]);
    // An answer about another issue, or none of Gitea's, is no yes.
    for (number, kind) in [
        (2, FaultKind::Instead(200, json!({"number": 1}))),
        (3, FaultKind::Instead(200, json!({}))),
        (4, FaultKind::Html),
        (5, FaultKind::Status(500)),
        (6, FaultKind::Oversize(2 << 20)),
    ] {
        scene.forge.next_fault(Fault::on("/issues/", kind.clone()));
        scene.forge.forget();
        denied(&read(number).await);
        assert_eq!(story(&scene.forge).len(), 1, "{kind:?}");
    }
    assert!(story(&scene.forge).iter().all(|(_, who, _)| who == "bob"));
}

#[tokio::test]
async fn where_the_persons_own_token_lacks_the_scope_the_next_one_is_asked() {
    let lacks = || Fault::on("/issues", FaultKind::Instead(403, json!({ "message": LACKS })));
    let scene = Scene::with(Options { sudo: true, ..Options::default() }).await;
    let server = setup(&scene, SVC_TOKEN).set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await.access;
    // A collaborator has every unit, and the probe knows collaborators.
    let get = format!("GET {DEMO}/issues/1");
    let probe = |path: &str| format!("GET {path}/collaborators/bob/permission");
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    assert_eq!(issue(&server, &bob, "alice", "demo").await.status, 200);
    let asked: Vec<_> = story(&scene.forge).into_iter().map(|(what, who, _)| (what, who)).collect();
    let expected = [(get.clone(), "bob"), (probe(DEMO), "svc"), (get, "svc")];
    assert_eq!(asked, expected.map(|(what, who)| (what, who.to_owned())));
    // It knows nothing of teams, and then it is a no.
    for tried in ["get_issue", "list_issues"] {
        scene.forge.next_fault(lacks());
        scene.forge.forget();
        denied(&match tried {
            "get_issue" => issue(&server, &bob, "acme", "vault").await,
            _ => issues(&server, &bob).await,
        });
        let asked = scene.forge.upstream();
        assert_eq!((asked.len(), asked.last()), (2, Some(&probe(VAULT))), "{tried}: {asked:?}");
    }
    assert_eq!(told(&server, 2).await, [no_right("acme/vault", "issue"), no_right("acme/vault", "issues")]);
    assert_eq!(server.stop().await.code, 0);

    // Where the account may act as others, Gitea says for bob what his team gives, and runs the call as him.
    let settings = setup(&scene, ROOT_TOKEN).set("GITEA_TOKEN_SUDO", "true");
    let server = settings.set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let get = format!("GET {VAULT}/issues/1");
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    assert_eq!(issue(&server, &bob, "acme", "vault").await.status, 200);
    assert_eq!(scene.forge.upstream(), vec![get.clone(); 3]);
    leave_out(&scene.forge, &[Unit::Issues]);
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    denied(&issue(&server, &bob, "acme", "vault").await);
    assert_eq!(scene.forge.upstream(), vec![get; 2]);
    assert_eq!(told(&server, 3).await.last(), Some(&no_right("acme/vault", "issue")));
}

#[tokio::test]
async fn what_one_presented_token_was_told_is_no_answer_to_another() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).set("ACCEPT_GITEA_TOKENS", "true").start().await;
    let get = format!("GET {VAULT}/issues/1");
    let of_api = || {
        let all = scene.forge.upstream().into_iter();
        all.filter(|what| what.contains("/repos/")).collect::<Vec<_>>()
    };
    // One that lacks a scope is not taken at all beside a service account.
    let narrow = scene.forge.mint("bob", &scene.client_id, "openid profile read:user read:repository");
    let answer = issue(&server, &narrow.access_token, "acme", "vault").await;
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("oauth_token_lacks_api_scope")));
    assert_eq!(of_api(), Vec::<String>::new());
    assert!(scene.forge.revoke("bob", &scene.client_id));
    // One that Gitea finds too narrow later: who is asked next knows nothing of teams.
    let one = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    let lacks = FaultKind::Instead(403, json!({ "message": LACKS }));
    scene.forge.next_fault(Fault::on("/issues", lacks));
    scene.forge.forget();
    denied(&issue(&server, &one, "acme", "vault").await);
    assert_eq!(of_api(), [get.clone(), format!("GET {VAULT}/collaborators/bob/permission")]);
    // Another is asked for itself, and each is remembered for itself.
    scene.forge.pass(2);
    let another = scene.forge.mint("bob", &scene.client_id, READ).access_token;
    assert_ne!(one, another);
    scene.forge.forget();
    assert_eq!(issue(&server, &another, "acme", "vault").await.status, 200);
    assert_eq!(of_api(), [get.clone(), get.clone()]);
    scene.forge.forget();
    denied(&issue(&server, &one, "acme", "vault").await);
    assert_eq!(of_api(), Vec::<String>::new());
    assert_eq!(issue(&server, &another, "acme", "vault").await.status, 200);
    assert_eq!(of_api(), [get]);
    assert_eq!(told(&server, 2).await, vec![no_right("acme/vault", "issue"); 2]);
    assert!(!server.log().contains(&one) && !server.log().contains(&another));
}
