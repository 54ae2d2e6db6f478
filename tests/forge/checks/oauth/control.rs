//! What a test can set and move: algorithms, keys, time, addresses, people; and what it can look up afterwards.

use aegis_tests::browser::Browser;
use aegis_tests::forge::{CANARY, Credential, Forge, Options, Settings, Signing, Version};
use aegis_tests::http::send;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature;
use serde_json::{Value, json};

use super::{App, CALLBACK, Place, READING, bearer, parts, refusal, text};

async fn place_with(oauth: Settings) -> Place {
    let forge = Forge::start(Options { oauth, ..Options::default() }).await;
    Place { url: forge.url(), forge: Some(forge), ..Place::forge(Version::V1_27).await }
}

impl Place {
    fn controls(&self) -> &Forge {
        self.forge.as_ref().expect("a forge")
    }

    async fn json(&self, path: &str) -> Value {
        send(&self.url, "GET", path, &[], b"").await.expect("an answer").json()
    }
}

fn raw(key: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text(key, name)).expect("base64url")
}

/// Whether a token was signed by the key that is published.
fn verified(token: &str, key: &Value) -> bool {
    let (input, signed) = token.rsplit_once('.').expect("a token");
    let signed = URL_SAFE_NO_PAD.decode(signed).expect("base64url");
    let input = input.as_bytes();
    match text(key, "alg").as_str() {
        "RS256" => signature::RsaPublicKeyComponents { n: raw(key, "n"), e: raw(key, "e") }
            .verify(&signature::RSA_PKCS1_2048_8192_SHA256, input, &signed)
            .is_ok(),
        "ES256" => {
            let point = [vec![4], raw(key, "x"), raw(key, "y")].concat();
            let known = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
            known.verify(input, &signed).is_ok()
        }
        "EdDSA" => signature::UnparsedPublicKey::new(&signature::ED25519, raw(key, "x"))
            .verify(input, &signed)
            .is_ok(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn signs_by_the_algorithm_that_it_publishes() {
    for signing in [Signing::Rs256, Signing::Es256, Signing::EdDsa] {
        let place = place_with(Settings { signing, ..Settings::default() }).await;
        let app = place.app(CALLBACK, true).await;
        let tokens = place.sign_in(&app, READING, "bob").await;
        let discovery = place.json("/.well-known/openid-configuration").await;
        assert_eq!(discovery["id_token_signing_alg_values_supported"], json!([signing.name()]));
        let key = place.json("/login/oauth/keys").await["keys"][0].clone();
        for name in ["access_token", "refresh_token", "id_token"] {
            assert!(verified(&text(&tokens, name), &key), "{name} {}", signing.name());
        }
    }
    assert_eq!(Settings::default().signing, Signing::Rs256, "Gitea's default");
}

#[tokio::test]
async fn publishes_no_key_where_the_client_secret_is_the_key() {
    let place = place_with(Settings { signing: Signing::Hs256, ..Settings::default() }).await;
    let app = place.app(CALLBACK, true).await;
    let tokens = place.sign_in(&app, READING, "bob").await;
    assert_eq!(
        place.json("/login/oauth/keys").await,
        json!({ "keys": [{ "alg": "HS256", "kty": "oct", "use": "sig" }] })
    );
    let token = text(&tokens, "id_token");
    assert_eq!(parts(&token).0, json!({ "alg": "HS256", "typ": "JWT" }));
    let (input, signed) = token.rsplit_once('.').expect("a token");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, app.secret.as_bytes());
    let signed = URL_SAFE_NO_PAD.decode(signed).expect("base64url");
    assert!(ring::hmac::verify(&key, input.as_bytes(), &signed).is_ok());
}

#[tokio::test]
async fn a_rotation_publishes_another_key_and_kills_every_token() {
    for signing in [Signing::Rs256, Signing::Es256] {
        let place = place_with(Settings { signing, ..Settings::default() }).await;
        let app = place.app(CALLBACK, true).await;
        let before = place.sign_in(&app, READING, "bob").await;
        let old = place.json("/login/oauth/keys").await["keys"][0].clone();
        place.controls().rotate_key();
        let new = place.json("/login/oauth/keys").await["keys"][0].clone();
        assert_ne!(old["kid"], new["kid"]);
        assert_eq!(place.api("GET", "/user", &bearer(&before), None).await.status, 401);
        let refused = refusal(&place.refresh(&app, &text(&before, "refresh_token")).await);
        assert_eq!(refused.1, "unable to parse refresh token");
        let after = place.sign_in(&app, READING, "bob").await;
        assert!(verified(&text(&after, "id_token"), &new) && !verified(&text(&before, "id_token"), &new));
    }
}

#[tokio::test]
async fn lets_time_pass_for_codes_and_tokens() {
    let place = place_with(Settings { access_token_seconds: 60, ..Settings::default() }).await;
    let app = place.app(CALLBACK, true).await;
    let forge = place.controls();
    let code = place.code(&app, READING, "bob").await;
    forge.pass(601);
    let late = refusal(&place.exchange(&app, &code, &[]).await);
    assert_eq!(late, ("invalid_grant".to_owned(), "authorization code expired".to_owned()));
    let tokens = place.sign_in(&app, READING, "bob").await;
    assert_eq!(tokens["expires_in"], 60);
    let (_, claims) = parts(&text(&tokens, "access_token"));
    assert_eq!(claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(end, start)| end - start), Some(60));
    assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 200);
    forge.pass(61);
    assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 401);
    assert_eq!(place.introspect(&app, &text(&tokens, "access_token")).await.status, 401);
    assert_eq!(place.refresh(&app, &text(&tokens, "refresh_token")).await.status, 200);
    forge.pass(730 * 3600);
    assert_eq!(
        refusal(&place.refresh(&app, &text(&tokens, "refresh_token")).await).1,
        "unable to parse refresh token"
    );
}

#[tokio::test]
async fn names_the_issuer_and_the_root_that_the_operator_set() {
    let settings = Settings {
        issuer: Some("https://id.example/".to_owned()),
        root_url: Some("https://git.example".to_owned()),
        ..Settings::default()
    };
    let place = place_with(settings).await;
    let app = place.app(CALLBACK, true).await;
    let discovery = place.json("/.well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], "https://id.example/");
    assert_eq!(discovery["token_endpoint"], "https://git.example/login/oauth/access_token");
    let tokens = place.sign_in(&app, READING, "bob").await;
    assert_eq!(parts(&text(&tokens, "id_token")).1["iss"], "https://id.example/");
    let seen = place.introspect(&app, &text(&tokens, "access_token")).await.json();
    assert_eq!(seen["iss"], "https://id.example/");
}

#[tokio::test]
async fn the_canary_is_in_peoples_names_and_in_nothing_that_names_them() {
    let forge = Forge::start(Options { canary: true, ..Options::default() }).await;
    let place = Place { url: forge.url(), forge: Some(forge), ..Place::forge(Version::V1_27).await };
    let app = place.app(CALLBACK, true).await;
    let tokens = place.sign_in(&app, &format!("{READING} email groups"), "alice").await;
    let (_, claims) = parts(&text(&tokens, "id_token"));
    for answer in [claims, place.userinfo(&bearer(&tokens)).await.json()] {
        assert!(text(&answer, "name").contains(CANARY));
        for (name, value) in answer.as_object().expect("an object").iter().filter(|(name, _)| *name != "name")
        {
            assert!(!value.to_string().contains(CANARY), "{name}");
        }
    }
}

#[tokio::test]
async fn has_no_oauth_at_all_where_the_operator_turned_it_off() {
    let place = place_with(Settings::default()).await;
    place.controls().configure(|settings| settings.enabled = false);
    for path in ["/.well-known/openid-configuration", "/login/oauth/keys", "/login/oauth/authorize"] {
        let answer = send(&place.url, "GET", path, &[], b"").await.expect("an answer");
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_disabled_user_gets_pages_for_answers_and_can_still_refresh() {
    let place = place_with(Settings::default()).await;
    let app = place.app(CALLBACK, true).await;
    let forge = place.controls();
    let mut browser = Browser::new();
    browser.get(&format!("{}/user/login", place.url)).await;
    browser.sign_in_at_gitea("bob", &place_password()).await;
    let tokens = place.sign_in(&app, READING, "bob").await;
    forge.disable("bob", true);
    let refused = place.api("GET", "/user", &bearer(&tokens), None).await;
    assert_eq!((refused.status, refused.json()["url"].is_null()), (403, true));
    assert!(refused.text().contains("prohibited from signing in"));
    let by_password = place.api("GET", "/user", &place.password_of("bob"), None).await;
    assert_eq!(by_password.status, 401);
    for answer in
        [place.userinfo(&bearer(&tokens)).await, place.introspect(&app, &text(&tokens, "access_token")).await]
    {
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(answer.text().contains("Sign-In Prohibited"));
    }
    assert_eq!(place.refresh(&app, &text(&tokens, "refresh_token")).await.status, 200);
    let page = browser.get(&place.authorize(&app, READING, &[])).await;
    assert!(page.status() == 200 && page.text().contains("Sign-In Prohibited"));
    let page = place.walk(&mut Browser::new(), &place.authorize(&app, READING, &[]), "bob").await.page();
    assert!(page.text().contains("Sign-In Prohibited"));
    forge.disable("bob", false);
    assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 200);
}

fn place_password() -> String {
    aegis_tests::forge::world::password("bob")
}

#[tokio::test]
async fn a_test_revokes_a_grant_as_its_owner_would() {
    let place = place_with(Settings::default()).await;
    let app = place.app(CALLBACK, true).await;
    let tokens = place.sign_in(&app, READING, "bob").await;
    let forge = place.controls();
    let grant = forge.grants().remove(0);
    assert_eq!((grant.login.as_str(), grant.scope.as_str(), grant.counter), ("bob", READING, 0));
    assert_eq!(parts(&text(&tokens, "access_token")).1["gnt"], grant.id);
    assert!(!forge.revoke("alice", &app.client_id));
    assert!(forge.revoke("bob", &app.client_id));
    assert_eq!(place.api("GET", "/user", &bearer(&tokens), None).await.status, 401);
}

#[tokio::test]
async fn what_was_asked_is_known_by_path_and_kind_of_credential_and_no_secret_is_kept() {
    let place = place_with(Settings::default()).await;
    let app: App = place.app(CALLBACK, true).await;
    let forge = place.controls();
    forge.forget();
    let code = place.code(&app, READING, "bob").await;
    let tokens = place.exchange(&app, &code, &[]).await.json();
    let access = text(&tokens, "access_token");
    place.introspect(&app, &access).await;
    place.userinfo(&bearer(&tokens)).await;
    place.api("GET", "/user", &bearer(&tokens), None).await;
    place.api("GET", "/user", "Bearer junk", None).await;
    place.json("/login/oauth/keys").await;
    let upstream = [
        "POST /login/oauth/access_token",
        "POST /login/oauth/introspect",
        "GET /login/oauth/userinfo",
        "GET /api/v1/user",
        "GET /api/v1/user",
        "GET /login/oauth/keys",
    ];
    assert_eq!(forge.upstream(), upstream);
    assert_eq!((forge.times("GET", "/api/v1/user"), forge.times("POST", "/login/oauth/grant")), (2, 1));
    let seen = forge.requests();
    let programs: Vec<Credential> = seen.iter().filter(|s| !s.by_browser()).map(|s| s.credential).collect();
    let (none, oauth) = (Credential::None, Credential::OAuth);
    assert_eq!(programs, [none, Credential::Basic, oauth, oauth, Credential::Unknown, none]);
    let sent = seen.iter().find(|s| s.path == "/login/oauth/access_token").expect("it");
    assert_eq!(sent.field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(sent.field("redirect_uri").as_deref(), Some(CALLBACK));
    assert_eq!(sent.field("code").as_deref(), Some("***"));
    assert!(seen.iter().any(|s| s.credential == Credential::Session && s.user.as_deref() == Some("bob")));
    let all = format!("{seen:?}")
        + &seen.iter().map(|s| String::from_utf8_lossy(&s.body).into_owned()).collect::<String>();
    let refresh = text(&tokens, "refresh_token");
    for secret in [access, refresh, code, app.secret, super::VERIFIER.to_owned(), place_password()] {
        assert!(!all.contains(&secret), "a secret was kept");
    }
    assert_eq!(forge.violations(), [] as [String; 0]);
}
