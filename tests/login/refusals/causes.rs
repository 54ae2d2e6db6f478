//! Every way in which Gitea's answers keep somebody from being signed in, by the page that the person reads and the finer
//! name that the operator finds on record.

use aegis_tests::browser::Browser;
use aegis_tests::forge::{Fault, FaultKind, IdTokenFlaw};
use aegis_tests::sign_in::parameter;
use serde_json::{Value, json};

use super::{Desk, Line, WHOLE_EXCHANGE};

const DENIED: &str = "access_denied";
const SECURITY: &str = "security_event";
const AT_TOKEN: &[&str] = &["POST /login/oauth/access_token"];
const TOKEN: &str = "/login/oauth/access_token";
const INTROSPECT: &str = "/login/oauth/introspect";
const USERINFO: &str = "/login/oauth/userinfo";

/// One way for Gitea to spoil a sign-in.
pub struct Spoiled<'a> {
    /// Of the page.
    pub status: u16,
    /// The guest's line; the host's comes before it.
    pub line: Line<'a>,
    /// The finer name in the host's line.
    pub cause: &'a str,
    /// What Gitea is asked for before it is given up.
    pub upstream: &'a [&'a str],
}

impl Desk {
    /// Come back to a Gitea that this was done to.
    pub async fn spoiled(&mut self, spoil: impl FnOnce(&Self), expected: &Spoiled<'_>) {
        let mut browser = Browser::new();
        let url = self.before_return(&mut browser, false).await;
        spoil(self);
        let page = browser.get(&url).await;
        let lines = [(DENIED, "login_refused"), expected.line];
        self.page(&page, expected.status, &lines, expected.upstream).await;
        let id = page.answer.header("x-request-id").unwrap_or_default();
        let trail = self.server.audit();
        let host = trail.iter().find(|line| line["request_id"] == id && line["reason"] == "login_refused");
        let host = host.expect("the host's line");
        assert_eq!(host["detail"]["cause"], expected.cause, "{host}");
        assert!(
            self.server.log().contains(&format!("\"reason\":\"{}\"", expected.cause)),
            "{}",
            self.server.log()
        );
        // It was used up: the browser cannot bring it again.
        let again = browser.get(&url).await;
        self.page(&again, 400, &[(SECURITY, "state_other_browser")], &[]).await;
        self.scene.forge.mend();
    }

    /// Come back to a Gitea where requests of this path go wrong.
    async fn fault(&mut self, path: &str, kind: FaultKind, expected: &Spoiled<'_>) {
        self.spoiled(|desk| desk.scene.forge.every_fault(Fault::on(path, kind)), expected).await;
    }

    /// Come back with this ID token.
    pub async fn flaw(&mut self, flaw: IdTokenFlaw, cause: &str) {
        let expected =
            Spoiled { status: 502, line: (SECURITY, "identity_invalid"), cause, upstream: AT_TOKEN };
        self.spoiled(|desk| desk.scene.forge.spoil_id_token(flaw), &expected).await;
    }
}

#[tokio::test]
async fn a_gitea_that_fails_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let unavailable =
        |cause, upstream| Spoiled { status: 503, line: (DENIED, "gitea_unavailable"), cause, upstream };
    desk.fault(TOKEN, FaultKind::Status(500), &unavailable("gitea_failed", AT_TOKEN)).await;
    desk.fault(TOKEN, FaultKind::Close, &unavailable("gitea_unreachable", AT_TOKEN)).await;
    desk.fault(INTROSPECT, FaultKind::Status(502), &unavailable("gitea_failed", &WHOLE_EXCHANGE[..2])).await;
    desk.fault(USERINFO, FaultKind::Status(503), &unavailable("gitea_failed", WHOLE_EXCHANGE)).await;
    desk.end().await;
}

#[tokio::test]
async fn a_gitea_that_is_set_up_in_another_way_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let broken = |cause| Spoiled {
        status: 502,
        line: (DENIED, "gitea_application_refused"),
        cause,
        upstream: AT_TOKEN,
    };
    desk.fault(TOKEN, FaultKind::Html, &broken("gitea_answer_unreadable")).await;
    desk.fault(TOKEN, FaultKind::BadJson, &broken("gitea_answer_unreadable")).await;
    desk.fault(TOKEN, FaultKind::Oversize(4 << 20), &broken("gitea_answer_too_large")).await;
    desk.fault(TOKEN, FaultKind::Redirect("http://127.0.0.1:1/".to_owned()), &broken("gitea_redirected"))
        .await;
    let refused = json!({"error": "invalid_client", "error_description": "x"});
    desk.fault(TOKEN, FaultKind::Instead(400, refused), &broken("gitea_client_rejected")).await;
    desk.end().await;
}

#[tokio::test]
async fn a_code_that_gitea_refuses_signs_nobody_in() {
    let mut desk = Desk::new().await;
    let line = (SECURITY, "gitea_code_refused");
    let refused = Spoiled { status: 400, line, cause: "gitea_refused_code", upstream: AT_TOKEN };
    let grant = json!({"error": "invalid_grant", "error_description": "x"});
    desk.fault(TOKEN, FaultKind::Instead(400, grant), &refused).await;
    // A code of somebody's own making, in a flow that is good.
    let mut browser = Browser::new();
    let url = desk.before_return(&mut browser, false).await;
    let state = parameter(&url, "state").expect("a state");
    desk.secret("gta_guessed_and_wrong");
    let url = format!("{}/oauth/callback?code=gta_guessed_and_wrong&state={state}", desk.server.url);
    let page = browser.get(&url).await;
    desk.page(&page, 400, &[(DENIED, "login_refused"), line], AT_TOKEN).await;
    desk.end().await;
}

#[tokio::test]
async fn who_is_not_proved_is_not_signed_in() {
    let mut desk = Desk::new().await;
    let claim = |name: &str, value: Value| IdTokenFlaw::Claim(name.to_owned(), value);
    desk.flaw(claim("aud", json!(["another"])), "id_token_invalid:aud").await;
    desk.flaw(claim("iss", json!("https://evil.example")), "id_token_invalid:iss").await;
    desk.flaw(claim("exp", json!(1)), "id_token_invalid:times").await;
    desk.flaw(claim("sub", Value::Null), "id_token_invalid:sub").await;
    desk.flaw(IdTokenFlaw::Unsigned, "id_token_invalid:malformed").await;
    desk.flaw(IdTokenFlaw::PublicKeyAsSecret, "id_token_invalid:algorithm").await;
    desk.flaw(IdTokenFlaw::OtherKey, "id_token_invalid:signature").await;
    desk.flaw(IdTokenFlaw::BrokenSignature, "id_token_invalid:signature").await;
    desk.flaw(IdTokenFlaw::Garbage, "id_token_invalid:malformed").await;

    let identity =
        |cause, upstream| Spoiled { status: 502, line: (SECURITY, "identity_invalid"), cause, upstream };
    let introspected = &WHOLE_EXCHANGE[..2];
    // Without one it is looked at what the grant is worth, so that an old one is told apart.
    let absent = identity("id_token_invalid:missing", introspected);
    desk.spoiled(|desk| desk.scene.forge.spoil_id_token(IdTokenFlaw::Absent), &absent).await;
    let inactive = FaultKind::Instead(200, json!({"active": false}));
    desk.fault(INTROSPECT, inactive, &identity("gitea_token_inactive", introspected)).await;
    let another = FaultKind::Patch(json!({"aud": ["another"]}));
    desk.fault(INTROSPECT, another, &identity("gitea_token_other_application", introspected)).await;
    let other = FaultKind::Patch(json!({"sub": "999"}));
    desk.fault(USERINFO, other, &identity("gitea_identity_disagrees", WHOLE_EXCHANGE)).await;
    desk.end().await;
}

#[tokio::test]
async fn a_sign_in_that_another_one_overtook_says_so_and_raises_no_alarm() {
    let mut desk = Desk::new().await;
    let claim = |value: Value| IdTokenFlaw::Claim("nonce".to_owned(), value);
    let overtaken = || Spoiled {
        status: 400,
        line: (DENIED, "sign_in_overtaken"),
        cause: "id_token_invalid:nonce",
        upstream: AT_TOKEN,
    };
    desk.spoiled(|desk| desk.scene.forge.spoil_id_token(claim(json!("another"))), &overtaken()).await;
    desk.spoiled(|desk| desk.scene.forge.spoil_id_token(claim(Value::Null)), &overtaken()).await;

    // Two of one person that cross each other: the newer one has Gitea's only nonce, and the older one hears why.
    let (mut older, mut newer) = (Browser::new(), Browser::new());
    let first = desk.before_return(&mut older, false).await;
    let second = desk.before_return(&mut newer, false).await;
    let page = older.get(&first).await;
    let lines = [(DENIED, "login_refused"), (DENIED, "sign_in_overtaken")];
    desk.page(&page, 400, &lines, AT_TOKEN).await;
    assert!(page.text().contains("began another sign-in"), "{}", page.text());
    assert!(!page.text().contains("clock") && !page.text().contains("GITEA_URL"), "{}", page.text());
    let came = newer.get(&second).await;
    assert!(came.redirect().is_some_and(|to| parameter(&to, "code").is_some()), "{}", came.text());
    desk.scene.forge.forget();
    desk.end().await;
}
