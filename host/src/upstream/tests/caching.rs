//! How often Gitea is asked for its keys, and how long old ones are believed.

use std::time::Duration;

use serde_json::json;

use super::super::{Fault, UpstreamError};
use super::signer::Signer;
use super::{DISCOVERY, Gitea, KEYS, NOW, Reply, app, document, ok, text};

async fn check(gitea: &Gitea, token: &str) -> Result<String, UpstreamError> {
    gitea.upstream.check_id_token(&app("read"), token, "n-1").await
}

/// A token that is good for hours.
fn long(key: &Signer) -> String {
    let mut claims = Gitea::id_claims();
    claims["exp"] = json!(NOW + 100_000);
    key.token(&claims)
}

fn count(asked: &[String], path: &str) -> usize {
    asked.iter().filter(|asked| *asked == path).count()
}

#[tokio::test]
async fn a_new_key_is_found_once_half_a_minute_has_passed_and_the_old_one_goes() {
    let gitea = Gitea::new("ES256").await;
    let (old, new) = (long(&gitea.key), Signer::new("ES256", "key-2"));
    assert!(check(&gitea, &old).await.is_ok());
    gitea.answers(KEYS, ok(&json!({"keys": [new.jwk()]})));
    gitea.clock.set(NOW + 29);
    assert_eq!(check(&gitea, &long(&new)).await, Err(UpstreamError::IdToken(Fault::UnknownKey)));
    assert_eq!(count(&gitea.asked(), KEYS), 1);
    gitea.clock.set(NOW + 30);
    assert!(check(&gitea, &long(&new)).await.is_ok());
    assert_eq!(check(&gitea, &old).await, Err(UpstreamError::IdToken(Fault::UnknownKey)));
    assert_eq!(count(&gitea.asked(), KEYS), 1);
}

#[tokio::test]
async fn a_hundred_unknown_keys_at_once_cost_one_request() {
    let gitea = Gitea::new("ES256").await;
    assert!(check(&gitea, &long(&gitea.key)).await.is_ok());
    gitea.seen();
    gitea.clock.set(NOW + 31);
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..100 {
        let token = long(&Signer::new("ES256", &format!("unknown-{number}")));
        let upstream = gitea.upstream.clone();
        flood.spawn(async move { upstream.check_id_token(&app("read"), &token, "n-1").await });
    }
    while let Some(found) = flood.join_next().await {
        assert_eq!(found.unwrap(), Err(UpstreamError::IdToken(Fault::UnknownKey)));
    }
    assert_eq!(gitea.asked(), [KEYS]);
    assert!(check(&gitea, &long(&gitea.key)).await.is_ok(), "the known key is not lost to the flood");
}

#[tokio::test]
async fn a_hundred_logins_on_a_cold_start_share_one_request_for_each_document() {
    let gitea = Gitea::new("ES256").await;
    let token = long(&gitea.key);
    let mut crowd = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (upstream, token) = (gitea.upstream.clone(), token.clone());
        crowd.spawn(async move { upstream.check_id_token(&app("read"), &token, "n-1").await });
    }
    while let Some(found) = crowd.join_next().await {
        assert_eq!(found.unwrap().as_deref(), Ok("7"));
    }
    assert_eq!(gitea.asked(), [DISCOVERY, KEYS]);
}

#[tokio::test]
async fn a_failing_gitea_is_bridged_until_the_time_to_live_and_not_beyond() {
    let gitea = Gitea::new("ES256").await;
    let token = long(&gitea.key);
    assert!(check(&gitea, &token).await.is_ok());
    gitea.answers(KEYS, text(500, ""));
    gitea.answers(DISCOVERY, text(500, ""));
    gitea.seen();
    gitea.clock.set(NOW + 149);
    assert!(check(&gitea, &token).await.is_ok());
    assert!(gitea.asked().is_empty(), "young enough to ask nobody");
    gitea.clock.set(NOW + 150);
    assert!(check(&gitea, &token).await.is_ok());
    assert!(check(&gitea, &token).await.is_ok());
    let asked = gitea.asked();
    assert_eq!((count(&asked, DISCOVERY), count(&asked, KEYS)), (1, 1), "asked once, old ones used");
    gitea.clock.set(NOW + 299);
    assert!(check(&gitea, &token).await.is_ok());
    gitea.clock.set(NOW + 300);
    assert_eq!(check(&gitea, &token).await, Err(UpstreamError::Failed("its discovery document", 500)));
    gitea.answers(DISCOVERY, ok(&document("ES256")));
    gitea.clock.set(NOW + 303);
    assert_eq!(check(&gitea, &token).await, Err(UpstreamError::Failed("its key set", 500)));
    gitea.answers(KEYS, ok(&json!({"keys": [gitea.key.jwk()]})));
    gitea.clock.set(NOW + 306);
    assert!(check(&gitea, &token).await.is_ok());
}

#[tokio::test]
async fn a_clock_that_stepped_back_does_not_keep_old_keys() {
    let gitea = Gitea::new("ES256").await;
    let token = long(&gitea.key);
    assert!(check(&gitea, &token).await.is_ok());
    gitea.answers(KEYS, text(500, ""));
    gitea.clock.set(NOW - 10);
    assert_eq!(check(&gitea, &token).await, Err(UpstreamError::Failed("its key set", 500)));
}

#[tokio::test]
async fn key_sets_that_are_large_elsewhere_redirected_or_never_come_are_not_keys() {
    let redirect =
        Reply { headers: vec![("location", "https://evil.example/keys".to_owned())], ..text(302, "") };
    let large = ok(&json!({"keys": [], "pad": "x".repeat(10 << 20)}));
    for (reply, error) in [
        (redirect, UpstreamError::Redirected("its key set")),
        (large, UpstreamError::TooLarge("its key set")),
        (text(404, ""), UpstreamError::Failed("its key set", 404)),
        (
            text(200, "<html>"),
            UpstreamError::Unreadable("its key set", "is not one JSON object with each member once"),
        ),
        (Reply { never: true, ..text(200, "") }, UpstreamError::TimedOut),
    ] {
        let gitea = Gitea::with(Signer::new("ES256", "key-1"), Duration::from_millis(500)).await;
        gitea.answers(KEYS, reply);
        assert_eq!(check(&gitea, &long(&gitea.key)).await, Err(error.clone()));
        // Those who ask next within two seconds share the failure.
        gitea.seen();
        assert_eq!(check(&gitea, &long(&gitea.key)).await, Err(error));
        assert!(gitea.asked().is_empty());
    }
}
