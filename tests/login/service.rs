//! A service account besides sign-in: it does the work on repositories, after Gitea has said that the person may do
//! the same. Any doubt is a no, and lists are the person's own.

mod releases;
mod units;

use aegis_tests::forge::world::{ROOT_TOKEN, SVC_TOKEN};
use aegis_tests::forge::{Credential, Fault, FaultKind, Forge, Options};
use aegis_tests::http::Answer;
use aegis_tests::server::{Server, Setup, of_event};
use aegis_tests::sign_in::{Client, Tokens, call};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

const DEMO: &str = "/api/v1/repos/alice/demo";
const LACKS: &str = "token does not have at least one of required scope(s), required=[read:repository], token scope=read:user";

fn setup(scene: &Scene, token: &str) -> Setup {
    scene.setup().set("GITEA_TOKEN", token)
}

async fn info(server: &Server, tokens: &Tokens, owner: &str, repo: &str) -> Answer {
    call(&server.url, &tokens.access, "get_repository_info", &json!({"owner": owner, "repo": repo})).await
}

/// Each request as method, path, who, and by what.
fn story(forge: &Forge) -> Vec<(String, String, Credential)> {
    let told = |seen: aegis_tests::forge::Seen| {
        (format!("{} {}", seen.method, seen.path), seen.user.unwrap_or_default(), seen.credential)
    };
    forge.requests().into_iter().map(told).collect()
}

fn step(what: &str, who: &str, by: Credential) -> (String, String, Credential) {
    (what.to_owned(), who.to_owned(), by)
}

fn denied(answer: &Answer) {
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.reason().as_deref(), Some("repository_permission_denied"), "{}", answer.text());
}

fn denials(lines: &[Value]) -> Vec<&Value> {
    let mut found = of_event(lines, "access_denied");
    found.retain(|line| line["reason"] == "repository_permission_denied");
    found
}

#[tokio::test]
async fn the_person_is_asked_about_first_and_then_the_account_acts() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), true).await;
    scene.forge.forget();
    let answer = info(&server, &bob, "alice", "demo").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let get = format!("GET {DEMO}");
    let asked = [step(&get, "bob", Credential::OAuth), step(&get, "svc", Credential::Pat)];
    assert_eq!(story(&scene.forge), asked);
    // Remembered for reading, not for writing, and not for another name.
    scene.forge.forget();
    assert_eq!(info(&server, &bob, "Alice", "DEMO").await.status, 200);
    assert_eq!(story(&scene.forge), [step("GET /api/v1/repos/Alice/DEMO", "svc", Credential::Pat)]);
    scene.forge.forget();
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "By the account"});
    let answer = call(&server.url, &bob.access, "create_issue", &arguments).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let post = format!("POST {DEMO}/issues");
    let story_of_write = story(&scene.forge);
    assert_eq!(story_of_write.first(), Some(&step(&get, "bob", Credential::OAuth)), "{story_of_write:?}");
    assert!(story_of_write.contains(&step(&post, "svc", Credential::Pat)), "{story_of_write:?}");
    // Whether he may write is asked once, whether he may see issues besides.
    let his: Vec<_> = story_of_write.iter().filter(|(_, who, _)| who == "bob").collect();
    assert_eq!(
        his,
        [&step(&get, "bob", Credential::OAuth), &step(&format!("{get}/issues"), "bob", Credential::OAuth)]
    );
    // The intent was on disk before the first of these: the forge looks for it at each.
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
    assert!(denials(&server.audit()).is_empty());
}

#[tokio::test]
async fn with_no_cache_the_person_is_asked_about_every_time() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    for _ in 0..3 {
        scene.forge.forget();
        assert_eq!(info(&server, &bob, "acme", "vault").await.status, 200, "rights of a team count");
        let who: Vec<_> = story(&scene.forge).into_iter().map(|(_, who, _)| who).collect();
        assert_eq!(who, ["bob", "svc"]);
    }
    // Out of the team: the next call is a no.
    scene.forge.change(|world| world.teams.iter_mut().for_each(|team| team.members.clear()));
    scene.forge.forget();
    denied(&info(&server, &bob, "acme", "vault").await);
    assert_eq!(story(&scene.forge).len(), 1);
}

#[tokio::test]
async fn who_may_not_gets_one_denial_and_nothing_is_sent_for_them() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let carol = client.tokens("carol", &password("carol"), true).await;
    scene.forge.forget();
    // She sees it, since it is public, and may not write to it.
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "No"});
    let answer = call(&server.url, &carol.access, "create_issue", &arguments).await;
    denied(&answer);
    assert!(answer.text().contains("permission"), "{}", answer.text());
    assert_eq!(story(&scene.forge), [step(&format!("GET {DEMO}"), "carol", Credential::OAuth)]);
    let lines = server.audit_when(|lines| !denials(lines).is_empty()).await;
    let found = denials(&lines);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["detail"]["repository"], "alice/demo");
    assert_eq!(found[0]["detail"]["cause"], "no_right");
    let outcome =
        of_event(&lines, "tool_invocation").into_iter().rfind(|line| !line["status"].is_null()).unwrap();
    assert_eq!(
        (&outcome["status"], &outcome["reason"]),
        (&json!("denied"), &json!("repository_permission_denied"))
    );
    // The bot sees this one; she does not.
    denied(&info(&server, &carol, "alice", "private").await);
    denied(&info(&server, &carol, "acme", "vault").await);
    assert!(story(&scene.forge).iter().all(|(_, who, _)| who == "carol"), "{:?}", story(&scene.forge));
    // A no is remembered as a yes is.
    scene.forge.forget();
    denied(&info(&server, &carol, "acme", "vault").await);
    assert!(story(&scene.forge).is_empty());
}

#[tokio::test]
async fn any_doubt_is_a_no() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    let doubts = [
        FaultKind::Status(500),
        FaultKind::Status(429),
        FaultKind::Close,
        FaultKind::CloseMidBody,
        FaultKind::BadJson,
        FaultKind::Html,
        FaultKind::Oversize(400_000),
        FaultKind::Redirect(format!("{}/api/v1/repos/alice/demo", scene.forge.url())),
        FaultKind::Instead(200, json!({})),
        FaultKind::Instead(200, json!({"permissions": {"pull": "true"}})),
        FaultKind::Instead(200, json!({"permissions": {"pull": false, "admin": true}})),
        FaultKind::Instead(403, json!({"message": "something else"})),
    ];
    let count = doubts.len();
    for kind in doubts {
        // What may pass is asked again, twice; the doubt lasts for as long.
        let asked = if matches!(kind, FaultKind::Close) { 3 } else { 1 };
        for _ in 0..asked {
            scene.forge.next_fault(Fault::on(DEMO, kind.clone()));
        }
        scene.forge.forget();
        let answer = info(&server, &bob, "alice", "demo").await;
        assert_eq!(
            answer.reason().as_deref(),
            Some("repository_permission_denied"),
            "{kind:?}: {}",
            answer.text()
        );
        let who: Vec<_> = story(&scene.forge).into_iter().map(|(_, who, _)| who).collect();
        assert_eq!(who, vec!["bob"; asked], "{kind:?}");
        assert_eq!(info(&server, &bob, "alice", "demo").await.status, 200, "{kind:?}: and it passes");
    }
    let lines = server.audit_when(|lines| denials(lines).len() >= count).await;
    assert_eq!(denials(&lines).len(), count);
}

#[tokio::test]
async fn where_the_persons_token_does_not_reach_the_probe_is_asked_last() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let client = Client::register(&server.url).await;
    let lacks = || Fault::on("/api/v1/repos/", FaultKind::Instead(403, json!({ "message": LACKS })));
    let bob = client.tokens("bob", &password("bob"), false).await;
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    assert_eq!(info(&server, &bob, "alice", "demo").await.status, 200);
    let probe = format!("GET {DEMO}/collaborators/bob/permission");
    let get = format!("GET {DEMO}");
    let asked: Vec<_> = story(&scene.forge).into_iter().map(|(what, who, _)| (what, who)).collect();
    let expected =
        [(get.clone(), "bob"), (probe, "svc"), (get, "svc")].map(|(what, who)| (what, who.to_owned()));
    assert_eq!(asked, expected);
    // It says less than is true for a team that is not admin: then it is a no.
    scene.forge.next_fault(lacks());
    denied(&info(&server, &bob, "acme", "vault").await);
    for kind in
        [FaultKind::Status(500), FaultKind::BadJson, FaultKind::Instead(200, json!({"permission": "Write"}))]
    {
        scene.forge.next_fault(lacks());
        scene.forge.next_fault(Fault::on("/collaborators/", kind.clone()));
        scene.forge.forget();
        let answer = info(&server, &bob, "alice", "demo").await;
        assert_eq!(answer.reason().as_deref(), Some("repository_permission_denied"), "{kind:?}");
        assert_eq!(story(&scene.forge).len(), 2, "{kind:?}: {:?}", story(&scene.forge));
        scene.forge.mend();
    }
}

#[tokio::test]
async fn an_administrators_token_lets_gitea_run_the_call_as_the_person() {
    let scene = Scene::with(Options { sudo: true, ..Options::default() }).await;
    let asks = |token: &str| {
        setup(&scene, token).set("GITEA_TOKEN_SUDO", "true").set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0")
    };
    let lacks = || Fault::on("/api/v1/repos/", FaultKind::Instead(403, json!({ "message": LACKS })));
    let server = asks(ROOT_TOKEN).start().await;
    let client = Client::register(&server.url).await;
    let bob = client.tokens("bob", &password("bob"), false).await;
    // Their own token answers: nobody acts as anybody.
    scene.forge.forget();
    assert_eq!(info(&server, &bob, "acme", "vault").await.status, 200);
    assert_eq!(scene.forge.requests().len(), 2);
    // It does not: Gitea answers as them, who are in a team, and runs the call as them.
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    assert_eq!(info(&server, &bob, "acme", "vault").await.status, 200);
    assert_eq!(scene.forge.upstream(), vec!["GET /api/v1/repos/acme/vault"; 3]);
    let carol = client.tokens("carol", &password("carol"), false).await;
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    denied(&info(&server, &carol, "acme", "vault").await);
    assert_eq!(scene.forge.upstream(), vec!["GET /api/v1/repos/acme/vault"; 2]);
    assert_eq!(server.stop().await.code, 0);

    // A token that may not act as others: the operator is told, and the probe decides.
    let server = asks(SVC_TOKEN).start().await;
    scene.forge.next_fault(lacks());
    scene.forge.forget();
    assert_eq!(info(&server, &bob, "alice", "demo").await.status, 200);
    let asked = scene.forge.upstream();
    let (get, probe) = (format!("GET {DEMO}"), format!("GET {DEMO}/collaborators/bob/permission"));
    assert_eq!(asked, [get.as_str(), &get, &probe, &get]);
    assert!(server.log().contains("sudo_refused"));
}

#[tokio::test]
async fn lists_are_the_persons_own_and_a_renamed_repository_is_a_no() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).start().await;
    let client = Client::register(&server.url).await;
    let mallory = client.tokens("mallory", &password("mallory"), false).await;
    scene.forge.forget();
    let answer = call(&server.url, &mallory.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (text, hers) = (answer.text(), "secret");
    assert!(text.contains(hers) && !text.contains("vault"), "what the bot sees is not hers: {text}");
    assert!(story(&scene.forge).iter().all(|(_, who, by)| who == "mallory" && *by == Credential::OAuth));
    scene.forge.forget();
    denied(&info(&server, &mallory, "alice", "old-name").await);
    assert_eq!(story(&scene.forge).len(), 1, "no redirect is followed");
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn who_revoked_or_is_disabled_signs_in_again_whatever_the_account_could_do() {
    let scene = Scene::new().await;
    let server = setup(&scene, SVC_TOKEN).set("REPO_AUTHZ_CACHE_TTL_SECONDS", "0").start().await;
    let client = Client::register(&server.url).await;
    for ended in ["revoked", "disabled"] {
        let bob = client.tokens("bob", &password("bob"), false).await;
        assert_eq!(info(&server, &bob, "alice", "demo").await.status, 200);
        if ended == "revoked" {
            assert!(scene.forge.revoke("bob", &scene.client_id));
        } else {
            scene.forge.disable("bob", true);
        }
        scene.forge.forget();
        let answer = info(&server, &bob, "alice", "demo").await;
        assert_eq!(
            (answer.status, answer.reason().as_deref()),
            (401, Some("signed_out_in_gitea")),
            "{ended}"
        );
        assert!(answer.header("www-authenticate").is_some());
        assert!(story(&scene.forge).iter().all(|(_, who, _)| who != "svc"), "{:?}", story(&scene.forge));
        assert_eq!(info(&server, &bob, "alice", "demo").await.status, 401, "{ended}: and from then on");
    }
}
