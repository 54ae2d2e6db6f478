//! Sign-ins that wait for a Gitea that does not answer: they never hold more than half of the server, and one network
//! never more than its share. Who finds no place is told at once to come back, and nothing is asked or written for them.

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::forge::{Fault, FaultKind};
use aegis_tests::http::{Answer, send};
use aegis_tests::sign_in::{Client, REDIRECT, call, form};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::refusals::Desk;
use crate::scene::password;

const TOKEN: &str = "/login/oauth/access_token";
const BUSY: &str = "aegis_host_refusals_total{reason=\"busy\"}";
/// Who signs in.
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "mallory"];
/// Places of one network where there are enough.
const EACH: usize = 64;

impl Desk {
    /// So many sign-ins, of a few people in turn, that stand before the way back: where they go, and their cookies.
    async fn people(&mut self, count: usize) -> Vec<(String, String)> {
        let mut people = Vec::new();
        for login in PEOPLE.iter().cycle().take(count) {
            let mut browser = Browser::new();
            self.client.approve(&mut browser, false).await;
            let arrived = browser.sign_in_at_gitea(login, &password(login)).await;
            let Arrived::Stopped(back) = arrived else { panic!("{arrived:?}") };
            let pair = |name: String| format!("{name}={}", browser.cookie(&back, &name).unwrap_or_default());
            let cookies: Vec<String> = browser.cookies(&back).into_iter().map(pair).collect();
            let target = back.strip_prefix(&self.server.url).expect("the way back leads here").to_owned();
            people.push((target, cookies.join("; ")));
        }
        self.scene.forge.forget();
        people
    }

    /// They all come back to a Gitea that keeps them waiting.
    async fn waiting(&self, people: Vec<(String, String)>) -> Vec<JoinHandle<Answer>> {
        let count = people.len();
        for _ in 0..count {
            self.scene.forge.next_fault(Fault::on(TOKEN, FaultKind::Hold));
        }
        let mut all = Vec::new();
        for (target, cookies) in people {
            let url = self.server.url.clone();
            all.push(tokio::spawn(async move {
                send(&url, "GET", &target, &[("cookie", &cookies)], b"").await.expect("an answer")
            }));
        }
        while self.scene.forge.times("POST", TOKEN) < count {
            assert!(all.iter().all(|one| !one.is_finished()), "everybody waits");
            tokio::task::yield_now().await;
        }
        self.scene.forge.forget();
        all
    }

    /// Everybody gets an answer; how many were signed in. Gitea keeps one grant and one nonce for each person, so of
    /// several sign-ins at once only a person's newest can be proved.
    async fn released(&self, waiting: Vec<JoinHandle<Answer>>) -> usize {
        self.scene.forge.release(waiting.len());
        let mut signed_in = 0;
        for one in waiting {
            let answer = one.await.expect("answered");
            let to = answer.header("location").unwrap_or_default();
            let unproved = answer.status == 400 && answer.text().contains("<code>sign_in_overtaken</code>");
            assert!(unproved || to.starts_with(REDIRECT), "{}: {}", answer.status, answer.text());
            signed_in += usize::from(answer.status == 303);
        }
        signed_in
    }

    /// Refused for want of a place: at once, with nothing asked of Gitea, counted, and in the log under its id.
    async fn busy(&self, method: &str, target: &str, headers: &[(&str, &str)]) {
        let (before, trail) = (self.server.metric(BUSY).await, self.server.audit().len());
        let answer = send(&self.server.url, method, target, headers, b"").await.expect("an answer");
        assert_eq!((answer.status, answer.reason().as_deref()), (503, Some("busy")), "{target}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{target}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(answer.header("set-cookie"), None, "{target}");
        assert_eq!(self.scene.forge.upstream(), [] as [String; 0], "{target}");
        assert!((self.server.metric(BUSY).await - before - 1.0).abs() < 0.5, "{target} is counted");
        // Strangers fill no audit log by finding no place: the metric and the log have it.
        assert_eq!(self.server.audit().len(), trail, "{target}");
        let id = answer.header("x-request-id").expect("every answer bears an id").to_owned();
        let told = |line: &str| line.contains(&id) && line.contains("\"reason\":\"busy\"");
        while !self.server.log().lines().any(told) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_that_wait_leave_half_of_the_server_to_calls() {
    let mut desk = Desk::with(|setup| setup.set("MAX_CONCURRENT_REQUESTS", "4")).await;
    let tokens = desk.tokens("alice", false).await;
    let people = desk.people(2).await;
    let waiting = desk.waiting(people).await;
    let authorize = desk.client.authorize_url(&[]).replace(&desk.server.url, "");
    for (method, target) in [
        ("GET", authorize.as_str()),
        ("POST", "/oauth/authorize"),
        ("GET", "/authorize?client_id=x"),
        ("GET", "/oauth/callback?state=x&code=y"),
        ("POST", "/oauth/token"),
        ("POST", "/token"),
        ("POST", "/oauth/revoke"),
        ("POST", "/register"),
        ("POST", "/oauth/register"),
    ] {
        desk.busy(method, target, &[]).await;
    }
    // Who has tokens goes on, and so does whoever looks for the way in.
    let answer = call(&desk.server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for target in
        ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp", "/health"]
    {
        assert_eq!(desk.server.stranger("GET", target, &[], b"").await.status, 200, "{target}");
    }
    assert_eq!(desk.released(waiting).await, 2);
    // The places were given back.
    assert_eq!(desk.client.refresh(&tokens.refresh, &[]).await.status, 200);
    Client::register(&desk.server.url).await;
    desk.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_network_that_waits_keeps_no_other_network_from_signing_in() {
    let mut desk =
        Desk::with(|setup| setup.set("MAX_CONCURRENT_REQUESTS", "256").set("TRUSTED_PROXIES", "127.0.0.0/8"))
            .await;
    let people = desk.people(EACH).await;
    let waiting = desk.waiting(people).await;
    let authorize = desk.client.authorize_url(&[]).replace(&desk.server.url, "");
    desk.busy("GET", &authorize, &[]).await;
    let other = [("x-forwarded-for", "198.51.100.7")];
    let page = send(&desk.server.url, "GET", &authorize, &other, b"").await.expect("an answer");
    assert_eq!(page.status, 200, "{}", page.text());
    let form =
        form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &desk.client.id)]);
    let headers = [("content-type", "application/x-www-form-urlencoded"), other[0]];
    let answer = send(&desk.server.url, "POST", "/oauth/token", &headers, form.as_bytes()).await;
    let answer = answer.expect("an answer");
    assert_eq!(
        (answer.status, answer.reason().as_deref()),
        (400, Some("invalid_grant")),
        "{}",
        answer.text()
    );
    assert_eq!(desk.released(waiting).await, PEOPLE.len());
    desk.end().await;
}
