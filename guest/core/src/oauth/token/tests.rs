//! What a client may send for a token, what reaches the host of it, and what comes back.

use http::header::AUTHORIZATION;

use super::*;
use crate::mcp::fake::{World, body};
use crate::oauth::scripted::Scripted;

struct Desk {
    world: World,
    host: Scripted,
    config: Config,
}

fn desk() -> Desk {
    let world = World::new();
    world.set("OAUTH_MODE", "true");
    world.set("PUBLIC_BASE_URL", "https://mcp.example.com");
    let config = Config::load(&world).unwrap();
    Desk { world, host: Scripted::default(), config }
}

impl Desk {
    fn ask(&self, form: &str) -> Result<Response<Vec<u8>>, Refused> {
        answer(&self.host.ports(&self.world), &self.config, &HeaderMap::new(), form.as_bytes())
    }
    fn revoke(&self, form: &str) -> Result<Response<Vec<u8>>, Refused> {
        revoke(&self.host.ports(&self.world), &HeaderMap::new(), form.as_bytes())
    }
    fn asked(&self) -> Vec<String> {
        self.host.asked.borrow().clone()
    }
}

const CODE: &str = "grant_type=authorization_code&client_id=c&code=k";
const REFRESH: &str = "grant_type=refresh_token&client_id=c&refresh_token=r";

#[test]
fn trades_a_code_for_tokens() {
    let desk = desk();
    let form = format!(
        "{CODE}&code_verifier=v&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&resource=https%3A%2F%2Fmcp.example.com%2Fmcp&extra=1"
    );
    let response = desk.ask(&form).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["pragma"], "no-cache");
    assert_eq!(
        body(&response),
        json!({
            "access_token": "access",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "successor",
            "scope": "read:repository write:repository",
        })
    );
    assert_eq!(desk.asked(), ["redeem c nothing - k v http://127.0.0.1:1/cb"]);
    desk.ask(CODE).unwrap();
    assert_eq!(desk.asked()[1], "redeem c nothing - k - -", "what must be there stands in the code");
}

#[test]
fn trades_a_refresh_token_for_its_successor_and_may_narrow_it() {
    let desk = desk();
    desk.ask(REFRESH).unwrap();
    desk.ask(&format!("{REFRESH}&scope=read%3Arepository+offline_access")).unwrap();
    desk.ask(&format!("{REFRESH}&client_secret=s&scope=write%3Arepository")).unwrap();
    assert_eq!(
        desk.asked(),
        [
            "refresh c nothing - r -",
            "refresh c nothing - r read:repository",
            "refresh c post s r read:repository+write:repository",
        ]
    );
}

#[test]
fn says_each_denial_of_the_host_in_the_words_of_rfc_6749() {
    let desk = desk();
    for (denied, status, code, guess) in [
        (Denied::InvalidClient, 401, "invalid_client", true),
        (Denied::InvalidGrant, 400, "invalid_grant", true),
        (Denied::EndedGrant, 400, "invalid_grant", false),
        (Denied::InvalidScope, 400, "invalid_scope", false),
        (Denied::Unavailable, 503, "temporarily_unavailable", false),
    ] {
        desk.host.denied.set(Some(denied));
        for outcome in [desk.ask(CODE), desk.ask(REFRESH), desk.revoke("client_id=c&token=t")] {
            let refused = outcome.unwrap_err();
            let line = refused.line();
            assert_eq!((line.status.as_u16(), line.code, refused.is_guess()), (status, code, guess));
        }
    }
}

#[test]
fn finds_mistakes_before_the_host_burns_anything() {
    let desk = desk();
    let long = format!("{CODE}{}", "x".repeat(MAX_VALUE));
    let huge = format!("{CODE}&x={}", "x".repeat(MAX_BYTES));
    for (form, refused) in [
        ("", Refused::Client { why: super::super::refused::BadClient::Unnamed, header: false, client: None }),
        ("client_id=c", Refused::MissingParameter("grant_type")),
        ("client_id=c&grant_type=password", Refused::UnsupportedGrantType),
        ("client_id=c&grant_type=client_credentials", Refused::UnsupportedGrantType),
        ("client_id=c&grant_type=AUTHORIZATION_CODE&code=k", Refused::UnsupportedGrantType),
        ("client_id=c&grant_type=authorization_code", Refused::MissingParameter("code")),
        ("client_id=c&grant_type=authorization_code&code=", Refused::MissingParameter("code")),
        ("client_id=c&grant_type=refresh_token", Refused::MissingParameter("refresh_token")),
        ("client_id=c&grant_type=refresh_token&code=k", Refused::MissingParameter("refresh_token")),
        (&long, Refused::MalformedParameter("code")),
        (&huge, Refused::TooLarge(MAX_BYTES)),
        (&format!("{CODE}%0A"), Refused::MalformedParameter("code")),
        (&format!("{CODE}%00"), Refused::MalformedParameter("code")),
        (&format!("{CODE}&code_verifier=a+b"), Refused::MalformedParameter("code_verifier")),
        (&format!("{CODE}&redirect_uri=%C3%A9"), Refused::MalformedParameter("redirect_uri")),
        (&format!("{REFRESH}%7F"), Refused::MalformedParameter("refresh_token")),
        (&format!("{CODE}&code=k"), Refused::RepeatedParameter),
        (&format!("{CODE}&resource=&resource="), Refused::RepeatedParameter),
        (&format!("{REFRESH}&nobody=1&nobody=2"), Refused::RepeatedParameter),
        (&format!("{CODE}&x=%"), Refused::MalformedForm),
        (&format!("{CODE}&x=%FF"), Refused::MalformedForm),
        (
            "{\"grant_type\":\"authorization_code\",\"client_id\":\"c\",\"code\":\"k\"}",
            Refused::Client { why: super::super::refused::BadClient::Unnamed, header: false, client: None },
        ),
        (&format!("{CODE}&resource=https%3A%2F%2Fevil.example"), Refused::InvalidTarget),
        (&format!("{REFRESH}&resource=https%3A%2F%2Fevil.example"), Refused::InvalidTarget),
        (&format!("{REFRESH}&scope=admin"), Refused::InvalidScope),
    ] {
        assert_eq!(desk.ask(form).unwrap_err(), refused, "{}", form.chars().take(80).collect::<String>());
    }
    assert_eq!(desk.asked(), Vec::<String>::new());
}

#[test]
fn revokes_with_or_without_a_hint_and_says_nothing() {
    let desk = desk();
    for form in [
        "client_id=c&token=t",
        "client_id=c&token=t&token_type_hint=refresh_token",
        "client_id=c&token=t&token_type_hint=nonsense",
    ] {
        let response = desk.revoke(form).unwrap();
        assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
    }
    assert_eq!(desk.asked(), vec!["revoke c nothing - t"; 3]);
    assert_eq!(desk.revoke("client_id=c").unwrap_err(), Refused::MissingParameter("token"));
    assert_eq!(desk.revoke("client_id=c&token=a&token=b").unwrap_err(), Refused::RepeatedParameter);
    assert_eq!(desk.revoke("token=t").unwrap_err().line().code, "invalid_client");
    assert_eq!(desk.asked().len(), 3);
}

#[test]
fn hands_the_secret_of_basic_over_as_it_is() {
    let desk = desk();
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic Yzpz"));
    let form = b"grant_type=refresh_token&refresh_token=r";
    answer(&desk.host.ports(&desk.world), &desk.config, &headers, form).unwrap();
    assert_eq!(desk.asked(), ["refresh c basic s r -"]);
}
