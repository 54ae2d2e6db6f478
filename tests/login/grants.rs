//! What is asked of Gitea, and what a grant that comes back is worth.

use aegis_tests::browser::{Browser, Page};
use aegis_tests::forge::Forge;
use aegis_tests::server::{Server, of_event};
use aegis_tests::sign_in::{Client, Tokens, call, parameter};
use serde_json::json;

use crate::scene::{Scene, password};

/// What is asked of Gitea for somebody who reads.
pub const READ: &str = "openid profile read:user read:repository read:issue read:organization";
/// What is asked of Gitea where writes are possible.
pub const WRITE: &str =
    "openid profile read:user read:repository read:issue read:organization write:repository write:issue";

/// Approve as a person would, and stop before Gitea: where the browser is sent.
async fn departure(client: &Client, changed: &[(&str, &str)], access: Option<&str>) -> String {
    let mut browser = Browser::new();
    let page = browser.get(&client.authorize_url(changed)).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    let mut fields = vec![("decision", "approve")];
    fields.extend(access.map(|access| ("access", access)));
    let sent = browser.submit(&page.form("decision"), &fields).await;
    sent.redirect().unwrap_or_else(|| panic!("{}", sent.text()))
}

fn asked(url: &str) -> (String, String) {
    let of = |name| parameter(url, name).unwrap_or_else(|| panic!("no {name} in {url}"));
    (of("client_id"), of("scope"))
}

/// Sign in to a page that is not the client's redirect.
async fn to_a_page(client: &Client, login: &str, write: bool) -> (Browser, Page) {
    let mut browser = Browser::new();
    client.approve(&mut browser, write).await;
    browser.sign_in_at_gitea(login, &password(login)).await;
    let redirect = client.redirect.clone();
    let page = browser.follow_until(|url| url.starts_with(&redirect)).await.page();
    (browser, page)
}

/// What was asked of the forge by this server alone.
fn asked_of(forge: &Forge) -> Vec<String> {
    forge.upstream()
}

/// Wait for a line with this reason.
pub async fn line_with(server: &Server, event: &str, reason: &str) -> serde_json::Value {
    let is_it = |line: &serde_json::Value| line["event"] == event && line["reason"] == reason;
    let lines = server.audit_when(|lines| lines.iter().any(is_it)).await;
    lines.iter().find(|line| is_it(line)).unwrap().clone()
}

#[tokio::test]
async fn gitea_is_asked_for_the_constant_read_set_whatever_a_client_says() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    scene.forge.forget();
    for scope in
        ["", "read:repository", "read:repository offline_access", "openid profile email offline_access"]
    {
        let url = departure(&client, &[("scope", scope)], None).await;
        assert!(url.starts_with(&format!("{}/login/oauth/authorize?", scene.forge.url())), "{url}");
        assert_eq!(asked(&url), (scene.client_id.clone(), READ.to_owned()), "{scope:?}");
    }
    assert!(scene.forge.requests().is_empty(), "Gitea hears of nothing before the browser gets there");
}

#[tokio::test]
async fn with_one_application_the_write_scopes_are_always_asked_for_under_write_mode() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    for access in ["read", "write"] {
        for scope in
            ["read:repository", "read:repository write:repository", "write:repository offline_access"]
        {
            let url = departure(&client, &[("scope", scope)], Some(access)).await;
            assert_eq!(asked(&url), (scene.client_id.clone(), WRITE.to_owned()), "{access} {scope}");
        }
    }
}

#[tokio::test]
async fn with_two_applications_only_who_chooses_writes_grants_them() {
    let scene = Scene::new().await;
    let callback = format!("http://127.0.0.1:{}/oauth/callback", scene.port);
    let second = scene.forge.register("root", "AegisGitea-MCP, writes", &[&callback], true);
    let setup = || {
        scene
            .setup()
            .set("GITEA_OAUTH_WRITE_CLIENT_ID", &second.client_id)
            .set("GITEA_OAUTH_WRITE_CLIENT_SECRET", &second.client_secret)
    };
    // Writes are off at first, and nobody is asked for them.
    let server = setup().start().await;
    let client = Client::register(&server.url).await;
    assert_eq!(asked(&departure(&client, &[], None).await), (scene.client_id.clone(), READ.to_owned()));
    let reader = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(server.stop().await.code, 0);

    let server = setup().writes("alice/demo").start().await;
    let url = departure(&client, &[], Some("read")).await;
    assert_eq!(asked(&url), (scene.client_id.clone(), READ.to_owned()));
    let url = departure(&client, &[], Some("write")).await;
    assert_eq!(asked(&url), (second.client_id.clone(), WRITE.to_owned()));
    // Nobody has to revoke anything: the earlier grant stands, and reads go on with it.
    let answer = call(&server.url, &reader.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let writer = client.tokens("alice", &password("alice"), true).await;
    assert_eq!(writer.answer["scope"], "read:repository write:repository");
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "By a writer"});
    let answer = call(&server.url, &writer.access, "create_issue", &arguments).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut grants: Vec<_> = scene.forge.grants().into_iter().map(|g| (g.client_id, g.scope)).collect();
    grants.sort();
    let mut expected =
        vec![(scene.client_id.clone(), READ.to_owned()), (second.client_id.clone(), WRITE.to_owned())];
    expected.sort();
    assert_eq!(grants, expected);
    assert!(scene.forge.violations().is_empty(), "{:?}", scene.forge.violations());
}

#[tokio::test]
async fn an_old_read_grant_under_write_mode_gives_a_read_token_and_says_how_to_widen_it() {
    let scene = Scene::new().await;
    let server = scene.setup().writes("alice/demo").start().await;
    let client = Client::register(&server.url).await;
    let _ = scene.forge.mint("alice", &scene.client_id, READ);
    let (_browser, page) = to_a_page(&client, "alice", true).await;
    assert_eq!(page.status(), 200);
    let text = page.text();
    assert!(text.contains("write_not_granted") && text.contains("GITEA_OAUTH_WRITE_CLIENT_ID"), "{text}");
    assert!(text.contains(&format!("{}/user/settings/applications", scene.forge.url())), "{text}");
    let line = line_with(&server, "access_denied", "write_not_granted").await;
    assert_eq!(line["detail"]["client"], client.id.as_str());

    let at = text.find(&client.redirect).expect("a link to go on");
    let link = text[at..].split('"').next().unwrap().replace("&amp;", "&");
    let code = parameter(&link, "code").unwrap();
    let tokens = Tokens::of(&client.redeem(&code, &[]).await);
    assert_eq!(tokens.answer["scope"], "read:repository");
    scene.forge.forget();
    let arguments = json!({"owner": "alice", "repo": "demo", "title": "No"});
    let answer = call(&server.url, &tokens.access, "create_issue", &arguments).await;
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("insufficient_scope")));
    assert!(asked_of(&scene.forge).is_empty(), "{:?}", scene.forge.upstream());
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    // As the page says: revoked, and asked again, it is a grant for writes.
    assert!(scene.forge.revoke("alice", &scene.client_id));
    let tokens = client.tokens("alice", &password("alice"), true).await;
    assert_eq!(tokens.answer["scope"], "read:repository write:repository");
}

#[tokio::test]
async fn a_grant_of_more_than_this_server_asks_for_is_refused() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    // What is learnt once: where the endpoints are, and the key.
    client.tokens("bob", &password("bob"), false).await;
    let with_unknown = format!("{READ} offline_access");
    let full = format!("{READ} all");
    for (scope, introspected_first) in [
        ("", true),
        ("openid profile email groups", false),
        ("openid read:repositry", false),
        (&with_unknown, false),
        (&full, false),
        ("openid write:admin", false),
    ] {
        let _ = scene.forge.mint("alice", &scene.client_id, scope);
        scene.forge.forget();
        let (_, page) = to_a_page(&client, "alice", false).await;
        assert_eq!(page.status(), 403, "{scope:?}: {}", page.text());
        assert!(page.text().contains("grant_too_wide"), "{scope:?}: {}", page.text());
        assert!(page.text().contains("/user/settings/applications"), "it says what to do: {}", page.text());
        let mut expected = vec!["POST /login/oauth/access_token", "POST /login/oauth/introspect"];
        if !introspected_first {
            expected.push("GET /login/oauth/userinfo");
        }
        assert_eq!(asked_of(&scene.forge), expected, "{scope:?}");
        assert!(scene.forge.revoke("alice", &scene.client_id));
    }
    server.audit_when(|lines| refused(lines, "grant_too_wide") == 6).await;
    let told = |lines: &[serde_json::Value]| {
        of_event(lines, "security_event").iter().filter(|line| line["reason"] == "grant_too_wide").count()
    };
    server.audit_when(|lines| told(lines) == 6).await;
}

#[tokio::test]
async fn a_grant_that_lacks_part_of_the_read_set_is_refused() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let client = Client::register(&server.url).await;
    for scope in [
        "openid read:repository",
        "openid profile read:user read:repository read:issue",
        "read:repository",
        "read:user read:repository read:issue read:organization",
    ] {
        let _ = scene.forge.mint("alice", &scene.client_id, scope);
        let (_, page) = to_a_page(&client, "alice", false).await;
        assert_eq!(page.status(), 403, "{scope:?}: {}", page.text());
        assert!(page.text().contains("grant_too_narrow"), "{scope:?}: {}", page.text());
        assert!(scene.forge.revoke("alice", &scene.client_id));
    }
    let lines = server.audit_when(|lines| refused(lines, "grant_too_narrow") == 4).await;
    assert!(of_event(&lines, "tool_invocation").is_empty());
    let told = |lines: &[serde_json::Value]| {
        of_event(lines, "access_denied").iter().filter(|line| line["reason"] == "grant_too_narrow").count()
    };
    server.audit_when(|lines| told(lines) == 4).await;
    // Revoked, the person is asked anew, and is in.
    client.tokens("alice", &password("alice"), false).await;
    assert_eq!(scene.forge.grants()[0].scope, READ);
}

/// Logins that were refused for this cause.
fn refused(lines: &[serde_json::Value], cause: &str) -> usize {
    let refused = of_event(lines, "access_denied");
    refused
        .iter()
        .filter(|line| line["reason"] == "login_refused" && line["detail"]["cause"] == cause)
        .count()
}
