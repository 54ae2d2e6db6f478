//! A guest that is out to sign somebody in who never signed in, to use what belongs to others, or to learn what no
//! guest may know. It gets nowhere, and what it tried is on record where something was at stake.

mod callers;
mod streams;

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::Server;
use aegis_tests::sign_in::{REDIRECT, VERIFIER, challenge, form, parameter};

use crate::scene::{Scene, password};

/// Gitea's token endpoint.
const TOKENS: &str = "/login/oauth/access_token";

/// A scene with the hostile guest in the place of the gateway.
struct Stage {
    scene: Scene,
    server: Server,
    client: String,
    /// Requests to Gitea's token endpoint before anybody signed in: the start looks at it.
    before: usize,
}

/// What a browser brings back from Gitea, and the cookie that it holds.
struct Return {
    state: String,
    code: String,
    cookie: (String, String),
}

impl Stage {
    async fn new() -> Self {
        let scene = Scene::new().await;
        let setup = scene.setup().set("MAX_AUTH_FAILURES", "1000000").set("STREAM_KEEPALIVE_SECONDS", "300");
        let server = setup.guest("hostile.wasm").start().await;
        let client = asked(&server, "register", &[("redirect", REDIRECT)]).await;
        assert!(client.starts_with("d1."), "{client}");
        let before = scene.forge.times("POST", TOKENS);
        Self { scene, server, client, before }
    }

    async fn asked(&self, attempt: &str, with: &[(&str, &str)]) -> String {
        asked(&self.server, attempt, with).await
    }

    /// The attempt ends the instance, and nothing else.
    async fn trapped(&self, attempt: &str, with: &[(&str, &str)]) {
        let answer = tried(&self.server, attempt, with, None).await;
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("internal_error")), "{attempt}");
        assert_eq!(self.server.stranger("GET", "/fine", &[], b"").await.text(), "fine", "after {attempt}");
    }

    /// Begin a flow, as the guest may: URL of Gitea, and the cookie's name and value.
    async fn begun(&self, client: &str) -> (String, (String, String)) {
        let challenge = challenge(VERIFIER);
        let with = [("client", client), ("redirect", REDIRECT), ("challenge", &challenge)];
        let told = self.asked("begin", &with).await;
        let lines: Vec<&str> = told.lines().collect();
        let [url, name, value] = lines[..] else { panic!("{told}") };
        (url.to_owned(), (name.to_owned(), value.to_owned()))
    }

    /// A person goes to Gitea with a flow that the guest began, and comes back.
    async fn returned(&self, login: &str) -> Return {
        self.returned_to(&self.client, login).await
    }

    async fn returned_to(&self, client: &str, login: &str) -> Return {
        let (url, cookie) = self.begun(client).await;
        let mut browser = Browser::new();
        browser.get(&url).await;
        let arrived = browser.sign_in_at_gitea(login, &password(login)).await;
        let Arrived::Stopped(back) = arrived else { panic!("{arrived:?}") };
        let one = |name: &str| parameter(&back, name).expect("Gitea sends both");
        Return { state: one("state"), code: one("code"), cookie }
    }

    /// The two codes that the guest asks for of one session.
    async fn codes(&self, back: &Return) -> String {
        self.asked("two-codes", &back.fields()).await
    }

    /// A code of ours for a person who signed in.
    async fn code(&self, login: &str) -> String {
        self.code_for(&self.client, login).await
    }

    async fn code_for(&self, client: &str, login: &str) -> String {
        let told = self.codes(&self.returned_to(client, login).await).await;
        told.split('"').nth(1).unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    /// An access token of a person who signed in.
    async fn token(&self, login: &str) -> String {
        self.token_for(&self.client, login).await
    }

    async fn token_for(&self, client: &str, login: &str) -> String {
        let told = self.redeemed(client, &self.code_for(client, login).await, VERIFIER).await;
        told.split('"')
            .nth(1)
            .filter(|token| token.starts_with("aegis_at_"))
            .unwrap_or_else(|| panic!("{told}"))
            .to_owned()
    }

    async fn redeemed(&self, client: &str, code: &str, verifier: &str) -> String {
        let with = [("client", client), ("code", code), ("verifier", verifier), ("redirect", REDIRECT)];
        self.asked("redeem", &with).await
    }

    fn exchanged(&self) -> usize {
        self.scene.forge.times("POST", TOKENS) - self.before
    }
}

impl Return {
    fn fields(&self) -> [(&str, &str); 4] {
        [("state", &self.state), ("code", &self.code), ("cookie", &self.cookie.0), ("value", &self.cookie.1)]
    }
}

async fn tried(server: &Server, attempt: &str, with: &[(&str, &str)], token: Option<&str>) -> Answer {
    let target = format!("/login/{attempt}?{}", form(with));
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = bearer.iter().map(|value| ("authorization", value.as_str())).collect();
    send(&server.url, "GET", &target, &headers, b"").await.expect("an answer")
}

async fn asked(server: &Server, attempt: &str, with: &[(&str, &str)]) -> String {
    let answer = tried(server, attempt, with, None).await;
    assert_eq!(answer.status, 200, "{attempt}: {}", answer.text());
    answer.text()
}

#[tokio::test]
async fn no_link_of_the_chain_can_be_made_out_of_nothing() {
    let stage = Stage::new().await;
    let with = [("client", stage.client.as_str()), ("redirect", REDIRECT), ("code", "x")];
    stage.trapped("begin-without-client", &with).await;
    stage.trapped("client-as-flow", &with).await;
    stage.trapped("session-from-nothing", &with).await;
    // A client that does not exist is none.
    stage.trapped("begin", &[("client", "d1.made-up"), ("redirect", REDIRECT)]).await;
    // One that does goes nowhere but where it said.
    for elsewhere in ["https://attacker.example/callback", "http://127.0.0.1:43117/other"] {
        let challenge = challenge(VERIFIER);
        let with = [("client", stage.client.as_str()), ("redirect", elsewhere), ("challenge", &challenge)];
        assert_eq!(stage.asked("begin", &with).await, "redirect-not-permitted");
    }
    let plain = [("client", stage.client.as_str()), ("redirect", REDIRECT), ("challenge", "plain")];
    assert_eq!(stage.asked("begin", &plain).await, "malformed");
    let challenge = challenge(VERIFIER);
    let write = [
        ("client", stage.client.as_str()),
        ("redirect", REDIRECT),
        ("challenge", &challenge),
        ("write", "true"),
    ];
    assert_eq!(stage.asked("begin", &write).await, "writes-off");
    assert_eq!(stage.exchanged(), 0);
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn a_flow_that_never_went_to_gitea_signs_nobody_in() {
    let stage = Stage::new().await;
    let back = stage.returned("alice").await;
    let challenge = challenge(VERIFIER);
    let with = [
        ("client", stage.client.as_str()),
        ("redirect", REDIRECT),
        ("challenge", &challenge),
        // A good code of somebody else's flow.
        ("code", &back.code),
    ];
    let told = stage.asked("never-at-gitea", &with).await;
    assert_eq!(told, ["Err(used)"; 3].join("\n"));
    assert_eq!(stage.exchanged(), 0, "Gitea was not even asked");
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn flows_cannot_be_hoarded() {
    let stage = Stage::new().await;
    let challenge = challenge(VERIFIER);
    let with = [("client", stage.client.as_str()), ("redirect", REDIRECT), ("challenge", &challenge)];
    stage.trapped("hoard", &with).await;
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn a_flow_is_used_once_by_one_browser() {
    let stage = Stage::new().await;
    let back = stage.returned("alice").await;
    // Neither without the cookie, nor with another one, nor with a state of the guest's own making.
    let mut without = back.fields();
    without[2].1 = "another";
    assert_eq!(stage.asked("open", &without).await, "Err(other-browser)");
    let (_, other) = stage.begun(&stage.client).await;
    let others = [("state", back.state.as_str()), ("cookie", &other.0), ("value", &other.1)];
    assert_eq!(stage.asked("open", &others).await, "Err(other-browser)");
    let renamed = [("state", back.state.as_str()), ("cookie", &back.cookie.0), ("value", &other.1)];
    assert_eq!(stage.asked("open", &renamed).await, "Err(other-browser)");
    let seal = async |purpose| stage.asked("seal", &[("purpose", purpose), ("value", "{\"user\":1}")]).await;
    assert_eq!(seal("confirmation").await, "", "nobody confirms nothing");
    for purpose in ["consent", "cursor"] {
        let sealed = seal(purpose).await;
        assert!(!sealed.is_empty());
        let made = [("state", sealed.as_str()), ("cookie", &back.cookie.0), ("value", &back.cookie.1)];
        assert_eq!(stage.asked("open", &made).await, "Err(invalid)", "{purpose}");
    }
    // None of that used it up; the right browser does, once.
    let told = stage.asked("twice", &back.fields()).await;
    assert_eq!(told, "Ok(alice)\nErr(used)\nErr(used)");
    assert_eq!(stage.asked("open", &back.fields()).await, "Err(used)");
    assert_eq!(stage.exchanged(), 1);
    let given_up = stage.returned("alice").await;
    assert_eq!(stage.asked("abandoned", &given_up.fields()).await, "Err(used)");
    assert_eq!(stage.exchanged(), 1);
    assert_eq!(stage.server.stop().await.code, 0);
}

#[tokio::test]
async fn a_code_of_another_flow_at_gitea_is_worth_nothing() {
    let stage = Stage::new().await;
    let (one, other) = (stage.returned("alice").await, stage.returned("bob").await);
    let mut crossed = one.fields();
    crossed[1].1 = &other.code;
    let told = stage.asked("twice", &crossed).await;
    assert!(!told.contains("Ok("), "{told}");
    let stopped = stage.server.stop().await;
    assert!(stopped.audit.iter().any(|line| line["reason"] == "login_refused"), "it is on record");
    assert!(!stopped.audit.iter().any(|line| line["reason"] == "signed_in"));
}

#[tokio::test]
async fn a_session_gives_one_code_and_it_is_good_for_its_client_alone() {
    let stage = Stage::new().await;
    let told = stage.codes(&stage.returned("alice").await).await;
    let (first, second) = told.split_once('\n').expect("two answers");
    assert!(first.starts_with("Some(") && second == "None", "{told}");
    let other = stage.asked("register", &[("redirect", REDIRECT)]).await;
    assert_ne!(other, stage.client);
    // Each wrong use burns it, also for whom it was meant.
    let wrong_verifier = "a".repeat(43);
    for (client, verifier) in
        [(other.as_str(), VERIFIER), (stage.client.as_str(), &wrong_verifier), (stage.client.as_str(), "")]
    {
        let code = stage.code("alice").await;
        assert_eq!(stage.redeemed(client, &code, verifier).await, "Err(invalid-grant)");
        assert_eq!(stage.redeemed(&stage.client, &code, VERIFIER).await, "Err(invalid-grant)");
    }
    let code = stage.code("alice").await;
    assert!(stage.redeemed(&stage.client, &code, VERIFIER).await.starts_with("Ok("));
    assert_eq!(stage.redeemed("nobody", &code, VERIFIER).await, "Err(invalid-client)");
    let lines = stage.server.stop().await.audit;
    assert_eq!(lines.iter().filter(|line| line["reason"] == "tokens_issued").count(), 1);
    assert!(
        lines
            .iter()
            .filter(|line| line["reason"] == "tokens_issued")
            .all(|line| line["detail"]["login"] == "alice")
    );
}

#[tokio::test]
async fn nothing_sealed_for_guests_passes_for_a_token_a_grant_or_an_approval() {
    let stage = Stage::new().await;
    let (token, back) = (stage.token("alice").await, stage.returned("bob").await);
    let code = stage.code("bob").await;
    for purpose in ["consent", "cursor", "confirmation"] {
        // What the host sealed for itself does not open.
        for own in [&token, &back.state, &stage.client, &code, &back.cookie.1] {
            let told = stage.asked("unseal", &[("purpose", purpose), ("value", own)]).await;
            assert_eq!(told, "Err(forged)", "{purpose}");
        }
        let claims = r#"{"user":1,"login":"root","client":"x"}"#;
        let sealed = stage.asked("seal", &[("purpose", purpose), ("value", claims)]).await;
        for dressed in [sealed.clone(), format!("aegis_at_{sealed}"), format!("aegis_rt_{sealed}")] {
            let answer = tried(&stage.server, "admitted", &[], Some(&dressed)).await;
            assert_eq!(answer.status, 500, "the guest finds no caller behind {dressed}");
            let with = [("client", stage.client.as_str()), ("token", &dressed)];
            assert_eq!(stage.asked("refresh", &with).await, "Err(invalid-grant)");
        }
        stage.trapped("begin", &[("client", &format!("d1.{sealed}")), ("redirect", REDIRECT)]).await;
        let cookie = format!("aegis-approved-{}", digest8(&stage.client));
        let with = [
            ("client", stage.client.as_str()),
            ("redirect", REDIRECT),
            ("cookie", &cookie),
            ("value", &sealed),
        ];
        assert_eq!(stage.asked("remembered", &with).await, "None");
        // Nor for another purpose of guests.
        let other = if purpose == "cursor" { "consent" } else { "cursor" };
        let told = stage.asked("unseal", &[("purpose", other), ("value", &sealed)]).await;
        assert_eq!(told, "Err(forged)");
    }
    assert_eq!(stage.server.stop().await.code, 0);
}

/// The first eight hex digits of a text's SHA-256.
fn digest8(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
