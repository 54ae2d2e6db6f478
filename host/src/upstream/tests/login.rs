//! From the authorize URL to a person, and refreshes.

use std::future::Future as _;
use std::time::Duration;

use aegis_custody::Timestamp;
use serde_json::{Value, json};

use super::super::error::Dead;
use super::super::people::Active;
use super::super::{
    Fault, Identity, Introspection, Judgement, READ_SET, Remedy, UpstreamError, Userinfo, WRITE_SET, judge,
};
use super::{
    DISCOVERY, Gitea, INTROSPECT, NOW, PUBLIC, READ, Reply, TOKEN, USERINFO, app, but, introspection, ok,
    secret, text,
};

fn issued() -> Value {
    json!({"access_token": "at.at.at", "token_type": "bearer", "expires_in": 3600, "refresh_token": "rt.rt.rt",
           "id_token": "it.it.it"})
}

fn refused(error: &str, description: &str) -> Reply {
    text(400, &json!({"error": error, "error_description": description}).to_string())
}

#[tokio::test]
async fn the_browser_is_sent_to_the_public_address_with_s256_and_the_constant_scopes() {
    let gitea = Gitea::new("ES256").await;
    let scopes = [READ_SET.as_slice(), &WRITE_SET].concat();
    let url = gitea.upstream.authorize_url(&app("write"), "st&te=1", "n-1", "chall", &scopes);
    let (base, query) = url.split_once('?').unwrap();
    assert_eq!(base, format!("{PUBLIC}/login/oauth/authorize"));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let expected = [
        ("client_id", "id-write".to_owned()),
        ("redirect_uri", "https://mcp.example/oauth/callback".to_owned()),
        ("response_type", "code".to_owned()),
        ("scope", format!("{READ} write:repository write:issue")),
        ("state", "st&te=1".to_owned()),
        ("nonce", "n-1".to_owned()),
        ("code_challenge", "chall".to_owned()),
        ("code_challenge_method", "S256".to_owned()),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value)));
    assert!(gitea.asked().is_empty());
}

#[tokio::test]
async fn a_code_is_exchanged_at_the_internal_address_with_verifier_and_secret() {
    let gitea = Gitea::new("ES256").await;
    gitea.answers(TOKEN, ok(&issued()));
    let tokens = gitea.upstream.exchange(&app("read"), &secret("gta_1"), &secret("ver")).await.unwrap();
    assert_eq!(tokens.access.expose(), "at.at.at");
    assert_eq!(tokens.refresh.as_ref().unwrap().expose(), "rt.rt.rt");
    assert_eq!(tokens.id.as_ref().unwrap().expose(), "it.it.it");
    assert_eq!(tokens.expires, Timestamp::from_unix_millis((NOW + 3_600) * 1_000));
    assert!(!format!("{tokens:?}").contains("t.at") && !format!("{:?}", app("read")).contains("gto_"));
    let seen = gitea.seen();
    assert_eq!(seen.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), [DISCOVERY, TOKEN]);
    let form: Vec<(&str, &str)> = seen[1].form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(
        form,
        [
            ("client_id", "id-read"),
            ("client_secret", "gto_read"),
            ("code", "gta_1"),
            ("code_verifier", "ver"),
            ("grant_type", "authorization_code"),
            ("redirect_uri", "https://mcp.example/oauth/callback"),
        ]
    );
    assert_eq!((seen[1].method.as_str(), &seen[1].authorization), ("POST", &None));
}

#[tokio::test]
async fn a_refused_code_tells_the_code_from_our_registration_and_from_a_sick_gitea() {
    let gitea = Gitea::new("ES256").await;
    for (reply, error, remedy) in [
        (
            refused("unauthorized_client", "client is not authorized"),
            UpstreamError::CodeRefused,
            Remedy::SignIn,
        ),
        (refused("invalid_grant", "invalid grant"), UpstreamError::CodeRefused, Remedy::SignIn),
        (
            refused("unauthorized_client", "failed PKCE code challenge"),
            UpstreamError::CodeRefused,
            Remedy::SignIn,
        ),
        (
            refused("unauthorized_client", "invalid client secret"),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("unauthorized_client", "invalid empty client secret"),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("invalid_client", "cannot load client with client id: 'x'"),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("unauthorized_client", "unexpected redirect URI"),
            UpstreamError::RedirectRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("invalid_request", "cannot sign token"),
            UpstreamError::Failed("its token endpoint", 400),
            Remedy::Retry,
        ),
        (text(500, "oops"), UpstreamError::Failed("its token endpoint", 500), Remedy::Retry),
        (text(429, ""), UpstreamError::Failed("its token endpoint", 429), Remedy::Retry),
        (text(404, "gone"), UpstreamError::OauthDisabled("its token endpoint"), Remedy::Operator),
        (
            text(400, "<html>"),
            UpstreamError::Unreadable("its token endpoint", "is no error of OAuth"),
            Remedy::Operator,
        ),
        (text(302, ""), UpstreamError::Redirected("its token endpoint"), Remedy::Operator),
    ] {
        gitea.answers(TOKEN, reply);
        let found =
            gitea.upstream.exchange(&app("read"), &secret("gta_1"), &secret("ver")).await.unwrap_err();
        assert_eq!(found, error);
        assert_eq!(found.remedy(), remedy, "{found}");
        assert!(!format!("{found} {found:?}").contains("gta_"), "{found}");
    }
}

#[tokio::test]
async fn only_a_verdict_about_the_grant_kills_the_grant() {
    let gitea = Gitea::new("ES256").await;
    let dead = UpstreamError::GrantRevoked;
    for (reply, error, remedy) in [
        (refused("unauthorized_client", "token was already used"), dead(Dead::AlreadyUsed), Remedy::SignIn),
        (
            refused("unauthorized_client", "unable to parse refresh token"),
            dead(Dead::Unreadable),
            Remedy::SignIn,
        ),
        (refused("invalid_grant", "grant does not exist"), dead(Dead::Gone), Remedy::SignIn),
        (
            refused("invalid_client", "invalid client secret"),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("invalid_client", "cannot load client with client id: \"x\""),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("unauthorized_client", "invalid client secret"),
            UpstreamError::ClientRejected("read"),
            Remedy::Operator,
        ),
        (
            refused("invalid_request", "cannot find user"),
            UpstreamError::Failed("its token endpoint", 400),
            Remedy::Retry,
        ),
        (text(502, ""), UpstreamError::Failed("its token endpoint", 502), Remedy::Retry),
    ] {
        gitea.answers(TOKEN, reply);
        let found = gitea.upstream.refresh(&app("read"), &secret("rt-old")).await.unwrap_err();
        assert_eq!(found, error);
        assert_eq!(found.remedy(), remedy, "{found}");
    }
    gitea.answers(TOKEN, ok(&issued()));
    gitea.seen();
    let tokens = gitea.upstream.refresh(&app("read"), &secret("rt-old")).await.unwrap();
    assert_eq!(tokens.refresh.unwrap().expose(), "rt.rt.rt");
    let form = &gitea.seen()[0].form;
    assert_eq!((form["grant_type"].as_str(), form["refresh_token"].as_str()), ("refresh_token", "rt-old"));
    assert!(!form.contains_key("scope"), "the scope of a grant is Gitea's");
}

#[tokio::test]
async fn an_answer_with_tokens_is_read_strictly() {
    let gitea = Gitea::new("ES256").await;
    let doubled = issued().to_string().replacen('{', r#"{"access_token":"other","#, 1);
    for (body, why) in [
        (doubled, "is not one JSON object with each member once"),
        ("<html>".to_owned(), "is not one JSON object with each member once"),
        (but(issued(), "access_token", Value::Null).to_string(), "holds no access token"),
        (but(issued(), "access_token", json!("")).to_string(), "holds no usable token"),
        (but(issued(), "access_token", json!("a\nb")).to_string(), "holds no usable token"),
        (but(issued(), "refresh_token", json!(7)).to_string(), "holds no usable token"),
        (but(issued(), "token_type", json!("mac")).to_string(), "holds no bearer token"),
        (but(issued(), "expires_in", json!("3600")).to_string(), "does not say how long it lives"),
        (but(issued(), "expires_in", json!(0)).to_string(), "does not say how long it lives"),
        (but(issued(), "expires_in", json!(-5)).to_string(), "does not say how long it lives"),
    ] {
        gitea.answers(TOKEN, text(200, &body));
        let found = gitea.upstream.refresh(&app("read"), &secret("rt-old")).await.unwrap_err();
        assert_eq!(found, UpstreamError::Unreadable("its token endpoint", why), "{body}");
        assert!(!format!("{found:?}{found}").contains("at.at"));
    }
    gitea.answers(TOKEN, text(200, &but(issued(), "pad", json!("x".repeat(70_000))).to_string()));
    let found = gitea.upstream.refresh(&app("read"), &secret("rt-old")).await.unwrap_err();
    assert_eq!(found, UpstreamError::TooLarge("its token endpoint"));
}

#[tokio::test]
async fn a_login_ends_in_a_person_whom_three_answers_agree_on() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let gitea = Gitea::new(algorithm).await;
        let tokens = gitea.tokens(&Gitea::id_claims(), &Gitea::access_claims());
        let identity = gitea.upstream.identify(&app("read"), &tokens, "n-1").await.unwrap();
        let words = READ.split(' ').map(str::to_owned).collect();
        let groups = vec!["acme".to_owned(), "acme:dev".to_owned()];
        assert_eq!(identity, Identity { subject: "7".to_owned(), login: "alice".to_owned(), groups, words });
        let seen = gitea.seen();
        let introspected = seen.iter().find(|s| s.path == INTROSPECT).unwrap();
        assert_eq!(introspected.authorization.as_deref(), Some("Basic aWQtcmVhZDpndG9fcmVhZA=="));
        assert_eq!(introspected.form["token"], tokens.access.expose());
        let asked = seen.iter().find(|s| s.path == USERINFO).unwrap();
        assert_eq!(asked.authorization, Some(format!("Bearer {}", tokens.access.expose())));
    }
}

#[tokio::test]
async fn userinfo_is_read_with_and_without_groups() {
    let gitea = Gitea::new("ES256").await;
    let told = |groups: &[&str]| Userinfo {
        subject: "7".to_owned(),
        login: "alice".to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    assert_eq!(gitea.upstream.userinfo(&secret("t")).await, Ok(told(&["acme", "acme:dev"])));
    let person = json!({"sub": "7", "preferred_username": "alice"});
    for groups in [Value::Null, json!([])] {
        gitea.answers(USERINFO, ok(&but(person.clone(), "groups", groups)));
        assert_eq!(gitea.upstream.userinfo(&secret("t")).await, Ok(told(&[])));
    }
    let found = gitea.upstream.userinfo(&secret("no\nheader")).await;
    assert_eq!(found, Err(UpstreamError::AccessToken(Fault::Malformed)));
}

#[tokio::test]
async fn a_blocked_user_is_told_from_a_strange_answer() {
    let gitea = Gitea::new("ES256").await;
    let page =
        "<!DOCTYPE html>\n<div role=\"main\" class=\"page-content user activate\">Sign in prohibited</div>";
    let password = Reply {
        headers: vec![("location", "/git/user/settings/change_password".to_owned())],
        ..text(303, "")
    };
    let unreadable = |what| UpstreamError::Unreadable(what, "is not one JSON object with each member once");
    for (reply, of_info, of_token) in [
        (text(200, page), UpstreamError::UserBlocked, UpstreamError::UserBlocked),
        (password, UpstreamError::UserBlocked, UpstreamError::UserBlocked),
        (
            text(200, "<html>portal</html>"),
            unreadable("its userinfo endpoint"),
            unreadable("its introspection endpoint"),
        ),
        (
            text(403, "firewall"),
            UpstreamError::Failed("its userinfo endpoint", 403),
            UpstreamError::Failed("its introspection endpoint", 403),
        ),
    ] {
        gitea.answers(USERINFO, reply.clone());
        assert_eq!(gitea.upstream.userinfo(&secret("t")).await, Err(of_info));
        gitea.answers(INTROSPECT, reply);
        assert_eq!(gitea.upstream.introspect(&app("read"), &secret("t")).await, Err(of_token));
    }
    let quoted = json!({"sub": "7", "preferred_username": "alice", "groups": ["page-content user activate"]});
    gitea.answers(USERINFO, ok(&quoted));
    assert!(gitea.upstream.userinfo(&secret("t")).await.is_ok(), "a name in an answer is no page");
}

#[tokio::test]
async fn no_word_of_a_caller_widens_the_grant() {
    let gitea = Gitea::new("ES256").await;
    for (asked, extra) in [
        (vec![], ""),
        (vec!["offline_access", "read:repositry", "all", ""], ""),
        (vec!["write:admin", "write:issue"], " write:issue"),
    ] {
        let url = gitea.upstream.authorize_url(&app("read"), "s", "n", "c", &asked);
        let scope = form_urlencoded::parse(url.split_once('?').unwrap().1.as_bytes())
            .find_map(|(name, value)| (name == "scope").then(|| value.into_owned()));
        assert_eq!(scope, Some(format!("{READ}{extra}")), "{asked:?}");
    }
}

#[tokio::test]
async fn a_login_with_any_disagreement_is_refused() {
    let gitea = Gitea::new("ES256").await;
    let person = json!({"sub": "7", "preferred_username": "alice"});
    let inactive = || ok(&json!({"active": false}));
    let who = "who the user is";
    for (introspected, told, error) in [
        (inactive(), ok(&person), UpstreamError::TokenInactive),
        (text(401, "Failed to authenticate user"), ok(&person), UpstreamError::TokenInactive),
        (text(401, "no valid authorization"), ok(&person), UpstreamError::ClientRejected("read")),
        (ok(&but(introspection(), "aud", json!(["id-other"]))), ok(&person), UpstreamError::OtherApplication),
        (ok(&but(introspection(), "sub", json!("8"))), ok(&person), UpstreamError::Disagreement(who)),
        (ok(&but(introspection(), "iss", json!("https://evil"))), ok(&person), UpstreamError::IssuerDiffers),
        (ok(&introspection()), ok(&but(person.clone(), "sub", json!("8"))), UpstreamError::Disagreement(who)),
        (
            ok(&introspection()),
            ok(&but(person.clone(), "preferred_username", json!("bob"))),
            UpstreamError::Disagreement("the user's login"),
        ),
        (
            ok(&introspection()),
            ok(&but(person.clone(), "preferred_username", json!("a/../b"))),
            UpstreamError::StrangeLogin,
        ),
        (ok(&introspection()), text(401, ""), UpstreamError::TokenInactive),
        (ok(&introspection()), text(500, ""), UpstreamError::Failed("its userinfo endpoint", 500)),
        (
            ok(&introspection()),
            ok(&but(person.clone(), "groups", json!(["acme", 7]))),
            UpstreamError::Unreadable("its userinfo endpoint", "has groups that are no texts"),
        ),
    ] {
        gitea.answers(INTROSPECT, introspected);
        gitea.answers(USERINFO, told);
        let tokens = gitea.tokens(&Gitea::id_claims(), &Gitea::access_claims());
        assert_eq!(gitea.upstream.identify(&app("read"), &tokens, "n-1").await, Err(error));
    }
}

#[tokio::test]
async fn a_login_needs_an_id_token_and_an_access_token_of_the_right_kind() {
    let gitea = Gitea::new("ES256").await;
    let mut tokens = gitea.tokens(&Gitea::id_claims(), &Gitea::access_claims());
    tokens.id = None;
    let found = gitea.upstream.identify(&app("read"), &tokens, "n-1").await;
    assert_eq!(found, Err(UpstreamError::IdToken(Fault::Missing)));
    for tt in [json!(1), json!("0"), json!(0.0), Value::Null] {
        let tokens = gitea.tokens(&Gitea::id_claims(), &but(Gitea::access_claims(), "tt", tt));
        let found = gitea.upstream.identify(&app("read"), &tokens, "n-1").await;
        assert_eq!(found, Err(UpstreamError::AccessToken(Fault::Kind)));
    }
    assert!(!gitea.asked().contains(&INTROSPECT.to_owned()));
}

#[tokio::test]
async fn introspection_is_read_as_gitea_really_answers() {
    let gitea = Gitea::new("ES256").await;
    let wrong = |why| Err(UpstreamError::Unreadable("its introspection endpoint", why));
    for (reply, result) in [
        (text(401, "Failed to authenticate user\n"), Ok(Introspection::Inactive)),
        (text(401, ""), Ok(Introspection::Inactive)),
        (ok(&json!({"active": false})), Ok(Introspection::Inactive)),
        (text(401, "no valid authorization\n"), Err(UpstreamError::ClientRejected("read"))),
        (text(403, ""), Err(UpstreamError::Failed("its introspection endpoint", 403))),
        (text(500, ""), Err(UpstreamError::Failed("its introspection endpoint", 500))),
        (text(404, ""), Err(UpstreamError::OauthDisabled("its introspection endpoint"))),
        (ok(&json!({"active": "true"})), wrong("does not say whether the token is active")),
        (ok(&json!({})), wrong("does not say whether the token is active")),
        (
            text(200, r#"{"active":false,"active":true}"#),
            wrong("is not one JSON object with each member once"),
        ),
        (ok(&but(introspection(), "aud", Value::Null)), wrong("names no clients")),
        (ok(&but(introspection(), "aud", json!([7]))), wrong("names no clients")),
        (ok(&but(introspection(), "sub", json!(7))), wrong("names no user")),
        (ok(&but(introspection(), "sub", json!("07"))), wrong("names no user")),
        (ok(&but(introspection(), "scope", json!(["read:user"]))), wrong("has a scope that is no text")),
        (ok(&but(introspection(), "username", json!("a b"))), Err(UpstreamError::StrangeLogin)),
    ] {
        gitea.answers(INTROSPECT, reply);
        assert_eq!(gitea.upstream.introspect(&app("read"), &secret("t")).await, result);
    }
    // Gitea leaves the scope out where none was asked for, which is full access and judged so.
    gitea.answers(INTROSPECT, ok(&but(introspection(), "scope", Value::Null)));
    let found = gitea.upstream.introspect(&app("read"), &secret("t")).await.unwrap();
    let Introspection::Active(Active { words, .. }) = found else { panic!("it is active") };
    assert_eq!(judge(words.iter().map(String::as_str)), Judgement::TooWide(Vec::new()));
}

#[tokio::test]
async fn who_gets_no_turn_at_gitea_in_time_is_told_so_and_nothing_is_sent_for_them() {
    let gitea = Gitea::new("ES256").await;
    let upstream = &gitea.upstream;
    // One exchange hangs: the next one goes on beside it.
    let hanging = upstream.turn(Duration::ZERO).await.unwrap();
    assert!(upstream.turn(Duration::ZERO).await.is_ok());
    // A renewal that Gitea refused waits for it, and exchanges after that wait for the renewal: so long and no longer.
    let mut renewal = std::pin::pin!(upstream.exchanging.write());
    assert!(
        std::future::poll_fn(|context| std::task::Poll::Ready(renewal.as_mut().poll(context)))
            .await
            .is_pending()
    );
    let told = upstream.turn(Duration::ZERO).await.unwrap_err();
    assert_eq!((&told, told.remedy()), (&UpstreamError::Busy, Remedy::Retry));
    assert_eq!(gitea.asked(), [] as [&str; 0]);
    drop(hanging);
    drop(renewal.await);
    assert!(upstream.turn(Duration::ZERO).await.is_ok(), "it is over as soon as Gitea answers");
}
