//! What the doctor finds.

use std::time::Duration;

use serde_json::json;

use super::super::probe::Version;
use super::super::{Because, Finding, Number, UpstreamError, Verdict};
use super::signer::Signer;
use super::{DISCOVERY, Gitea, KEYS, NOW, Reply, Seen, TOKEN, VERSION, app, but, document, ok, text};
use crate::settings::Secret;
use crate::standing::Known;

fn version(number: &str) -> Reply {
    Reply {
        headers: vec![("date", "Fri, 15 Jan 2027 08:00:00 GMT".to_owned())],
        ..ok(&json!({"version": number}))
    }
}

/// The token endpoint of a Gitea that knows `read`, its secret and the redirect URI.
fn strict(seen: &Seen) -> Reply {
    let refused =
        |error: &str, why: &str| text(400, &json!({"error": error, "error_description": why}).to_string());
    if seen.form["client_id"] != "id-read" {
        refused("invalid_client", "cannot load client with client id")
    } else if seen.form["client_secret"] != "gto_read" {
        refused("unauthorized_client", "invalid client secret")
    } else {
        refused("unauthorized_client", "client is not authorized")
    }
}

fn verdicts(findings: &[Finding]) -> Vec<(&'static str, Verdict)> {
    findings.iter().map(|finding| (finding.check, finding.verdict)).collect()
}

async fn healthy() -> Gitea {
    let gitea = Gitea::new("RS256").await;
    assert_eq!(NOW, 1_800_000_000, "the date above is this second");
    gitea.answers(VERSION, version("1.27.0"));
    gitea.decides(TOKEN, strict);
    gitea
}

#[tokio::test]
async fn a_healthy_gitea_passes_every_check() {
    let gitea = healthy().await;
    let findings = gitea.upstream.probe(&[&app("read")]).await;
    let expected = ["gitea_version", "gitea_clock", "gitea_discovery", "gitea_keys", "gitea_application"];
    assert_eq!(verdicts(&findings), expected.map(|check| (check, Verdict::Pass)), "{findings:?}");
    assert!(
        gitea.seen().iter().all(|seen| seen.form.get("code").is_none_or(|code| !code.starts_with("gta_")))
    );
}

#[tokio::test]
async fn the_version_is_told_with_the_difference_of_the_clocks() {
    let gitea = healthy().await;
    gitea.answers(VERSION, version("1.27.3+rc1"));
    gitea.clock.set(NOW - 5);
    let expected =
        Version { text: "1.27.3+rc1".to_owned(), number: Some(Number(1, 27, 3)), clock_ahead: Some(5_000) };
    assert_eq!(gitea.upstream.version().await, Ok(expected));
}

#[tokio::test]
async fn versions_and_clocks_are_judged() {
    let gitea = healthy().await;
    for (reply, now, expected) in [
        (version("1.26.1"), NOW, vec![("gitea_version", Verdict::Fail), ("gitea_clock", Verdict::Pass)]),
        (version("1.26.2"), NOW, vec![("gitea_version", Verdict::Warn), ("gitea_clock", Verdict::Pass)]),
        (
            version("1.28.0+dev-3"),
            NOW + 30,
            vec![("gitea_version", Verdict::Pass), ("gitea_clock", Verdict::Pass)],
        ),
        (version("1.27.0"), NOW + 31, vec![("gitea_version", Verdict::Pass), ("gitea_clock", Verdict::Fail)]),
        (version("1.27.0"), NOW - 31, vec![("gitea_version", Verdict::Pass), ("gitea_clock", Verdict::Fail)]),
        (text(403, ""), NOW, vec![("gitea_version", Verdict::Warn)]),
        (text(500, ""), NOW, vec![("gitea_version", Verdict::Fail)]),
        (version("main"), NOW, vec![("gitea_version", Verdict::Fail), ("gitea_clock", Verdict::Pass)]),
        (
            version("11.0.1+gitea-1.22.0"),
            NOW,
            vec![("gitea_version", Verdict::Fail), ("gitea_clock", Verdict::Pass)],
        ),
        (ok(&json!({"version": 1})), NOW, vec![("gitea_version", Verdict::Fail)]),
    ] {
        gitea.answers(VERSION, reply);
        gitea.clock.set(now);
        let findings = gitea.upstream.probe(&[]).await;
        assert_eq!(verdicts(&findings)[..expected.len()], expected, "{findings:?}");
        assert_eq!(findings[expected.len()].check, "gitea_discovery");
    }
}

#[tokio::test]
async fn a_wrong_registration_is_found_before_anybody_signs_in() {
    let gitea = healthy().await;
    let found = |findings: Vec<Finding>| findings.last().cloned().unwrap();
    let wrong = found(gitea.upstream.probe(&[&app("write")]).await);
    assert_eq!((wrong.check, wrong.verdict), ("gitea_application", Verdict::Fail));
    assert!(wrong.says.contains("client id and secret"), "{}", wrong.says);
    gitea.decides(TOKEN, |seen| {
        let redirect =
            json!({"error": "unauthorized_client", "error_description": "unexpected redirect URI"});
        if seen.form["client_secret"] == "gto_read" { text(400, &redirect.to_string()) } else { strict(seen) }
    });
    let wrong = found(gitea.upstream.probe(&[&app("read")]).await);
    assert!(wrong.verdict == Verdict::Fail && wrong.says.contains("redirect URI"), "{}", wrong.says);
    // A public client: Gitea does not look at the secret.
    gitea.decides(TOKEN, |_| {
        text(400, r#"{"error":"unauthorized_client","error_description":"client is not authorized"}"#)
    });
    let wrong = found(gitea.upstream.probe(&[&app("read")]).await);
    assert_eq!((wrong.check, wrong.verdict), ("gitea_application_secret", Verdict::Fail));
    assert!(wrong.says.contains("confidential"), "{}", wrong.says);
}

#[tokio::test]
async fn keys_that_cannot_be_used_and_missing_providers_are_told() {
    let gitea = healthy().await;
    gitea.answers(DISCOVERY, ok(&document("ES512")));
    gitea.answers(KEYS, ok(&json!({"keys": [but(gitea.key.jwk(), "alg", json!("ES512"))]})));
    let findings = gitea.upstream.probe(&[]).await;
    assert_eq!(findings[3].verdict, Verdict::Fail);
    assert!(findings[3].says.contains("JWT_SIGNING_ALGORITHM"), "{}", findings[3].says);

    let shared = Gitea::with(Signer::mac("HS256", b"gto_read"), Duration::from_secs(60)).await;
    shared.answers(VERSION, version("1.27.0"));
    assert_eq!(shared.upstream.probe(&[]).await[3].verdict, Verdict::Warn);

    let off = healthy().await;
    off.answers(DISCOVERY, text(404, ""));
    let findings = off.upstream.probe(&[&app("read")]).await;
    assert_eq!(verdicts(&findings)[2..], [("gitea_discovery", Verdict::Fail)]);
    assert!(findings[2].says.contains("[oauth2]"), "{}", findings[2].says);
}

#[tokio::test]
async fn a_gitea_that_is_not_there_is_unreachable_and_says_what_to_look_at() {
    let gitea = healthy().await;
    let mut settings = super::super::UpstreamSettings {
        gitea_url: "http://127.0.0.1:1".to_owned(),
        internal_url: None,
        timeout: Duration::from_secs(60),
        cache_ttl: Duration::from_secs(300),
        redirect_uri: "https://mcp.example/oauth/callback".to_owned(),
        oldest: super::Oldest { number: Number(1, 26, 2), refuse: true },
    };
    let upstream = |settings: &super::UpstreamSettings| {
        let way = super::way(&settings.gitea_url, settings.timeout, gitea.clock.clone());
        super::Upstream::new(settings.clone(), way, gitea.standing.clone(), gitea.clock.clone())
    };
    let away = upstream(&settings);
    let error = away.discovery().await.unwrap_err();
    assert_eq!(error.name(), "gitea_unreachable");
    assert!(error.to_string().contains("GITEA_URL"), "{error}");
    // TLS towards what speaks none is no connection either.
    settings.gitea_url = format!("https://{}", gitea.address());
    // Where the system has no certificates there is no such client at all.
    if crate::https::tls(None).is_ok() {
        assert_eq!(upstream(&settings).discovery().await.unwrap_err().name(), "gitea_unreachable");
    }
}

#[tokio::test]
async fn a_gitea_that_cannot_be_connected_to_is_left_alone_here_too() {
    let gitea = healthy().await;
    let way = super::way("http://127.0.0.1:1", Duration::from_secs(60), gitea.clock.clone());
    let settings = super::UpstreamSettings {
        gitea_url: "http://127.0.0.1:1".to_owned(),
        internal_url: None,
        timeout: Duration::from_secs(60),
        cache_ttl: Duration::from_secs(300),
        redirect_uri: "https://mcp.example/oauth/callback".to_owned(),
        oldest: super::Oldest { number: Number(1, 26, 2), refuse: true },
    };
    let away = super::Upstream::new(settings, way.clone(), gitea.standing.clone(), gitea.clock.clone());
    let token = Secret::new("gta_token".to_owned());
    while !way.breaker.is_open() {
        assert_eq!(away.version().await.unwrap_err().name(), "gitea_unreachable");
    }
    for error in [away.version().await.unwrap_err(), away.introspect(&app("read"), &token).await.unwrap_err()]
    {
        assert_eq!(error.name(), "gitea_unreachable");
        assert!(error.to_string().contains("left alone"), "{error}");
    }
    assert!(way.breaker.kept_back() >= 2);
}

#[tokio::test]
async fn what_is_away_is_told_from_what_is_too_old() {
    let gitea = healthy().await;
    for (reply, because) in [
        (version("1.26.1"), Some(Because::TooOld)),
        (version("main"), Some(Because::TooOld)),
        (version("1.26.2"), None),
        (text(502, ""), Some(Because::Away)),
        (text(404, ""), None),
        (text(200, "<html>"), None),
    ] {
        gitea.answers(VERSION, reply);
        let findings = gitea.upstream.probe_version().await;
        assert_eq!(findings[0].because, because, "{findings:?}");
    }
}

#[tokio::test]
async fn no_code_is_exchanged_before_gitea_is_known_to_be_new_enough() {
    let gitea = healthy().await;
    let secret = || Secret::new("gta_code".to_owned());
    for (known, name) in [(Known::Away, "gitea_unreachable"), (Known::TooOld, "gitea_too_old")] {
        gitea.standing.is(known);
        let Err(refused) = gitea.upstream.exchange(&app("read"), &secret(), &secret()).await else {
            panic!("{known:?} is taken")
        };
        assert_eq!(refused.name(), name);
        assert_eq!(gitea.asked(), [] as [String; 0]);
    }
    gitea.standing.is(Known::Good);
    let refused = gitea.upstream.exchange(&app("read"), &secret(), &secret()).await;
    assert!(matches!(refused, Err(UpstreamError::CodeRefused)));
}
