//! What the modes of secret detection do to what Gitea returns; the product's own tokens are masked in every one.

use aegis_tests::forge::{CANARY, CANARY_TOKEN, Fault, FaultKind, Options};
use aegis_tests::server::{KEY, OTHER_KEY};
use serde_json::{Value, json};

use crate::place::{Who, everything_writable, forge};
use crate::stand::Stand;
use crate::wire::Wire;

async fn stand(mode: &str) -> Stand {
    forge(Options::default(), Who::Alice, |setup| {
        everything_writable(setup).set("SECRET_DETECTION_MODE", mode)
    })
    .await
}

/// Write a text into Gitea, then read it back: as the write's own answer and as the issue.
async fn there_and_back(stand: &Stand, text: &str) -> [Value; 2] {
    let arguments = stand.at("alice/demo", json!({ "title": "Leak", "body": text }));
    let made = stand.once(Wire::Direct, "create_issue", &arguments).await;
    assert_eq!(made["not_applied"], json!([]), "what was masked is not what was left out");
    let sent = stand.requests().into_iter().rfind(|seen| seen.method == "POST").expect("a write");
    let sent: Value = serde_json::from_slice(&sent.body).expect("JSON");
    assert_eq!(sent["body"], text, "Gitea gets the text as it was given");
    let at = stand.at("alice/demo", json!({ "issue_number": made["issue"]["number"] }));
    let found = stand.read("get_issue", at).await;
    [made["issue"]["body"].clone(), found["issue"]["body"].clone()]
}

#[tokio::test]
async fn mask_replaces_the_secret_and_leaves_the_rest() {
    let stand = stand("mask").await;
    for body in there_and_back(&stand, &format!("before {CANARY} after")).await {
        let body = body.as_str().expect("a text");
        assert!(body.starts_with("before [redacted:") && body.ends_with("] after"), "{body}");
    }
    let key = stand.at("alice/demo", json!({ "filepath": "src/secrets/key.pem" }));
    let key = stand.read("get_file_contents", key).await;
    assert_eq!(key["content"], "[redacted:private-key]\n");
    assert!(!stand.heard().contains(CANARY) && !stand.heard().contains("bm90IGEga2V5"));
    stand.end().await;
}

/// A secret in Gitea's own words, wherever a bound may fall on it.
#[tokio::test]
async fn giteas_own_words_are_masked_before_they_are_cut() {
    let stand = stand("mask").await;
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    for before in (250..310).chain(1020..1200).step_by(3) {
        let said = format!("{} {CANARY_TOKEN} and {CANARY}", "x".repeat(before));
        let words = FaultKind::Instead(422, json!({ "message": said }));
        stand.forge.as_ref().expect("a forge").next_fault(Fault::on("/issues/5", words));
        let told = stand.fails_on(Wire::Direct, "get_issue", &at, 422, "unprocessable").await;
        for secret in [CANARY_TOKEN, CANARY] {
            let part = secret.get(..secret.len() / 2).expect("ASCII");
            assert!(!told.contains(part), "a part of a secret after {before} characters: {told}");
        }
    }
    stand.end().await;
}

#[tokio::test]
async fn block_withholds_the_whole_text() {
    let stand = stand("block").await;
    for body in there_and_back(&stand, &format!("before {CANARY} after")).await {
        let body = body.as_str().expect("a text");
        assert!(body.starts_with("[blocked: contains ") && !body.contains("after"), "{body}");
    }
    let key = stand.at("alice/demo", json!({ "filepath": "src/secrets/key.pem" }));
    let key = stand.read("get_file_contents", key).await;
    assert_eq!(key["content"], "[blocked: contains private-key]");
    let readme = stand.at("alice/demo", json!({ "filepath": "README.md" }));
    assert_eq!(stand.read("get_file_contents", readme).await["content"], "# demo\n\nA small program.\n");
    assert!(!stand.heard().contains(CANARY));
    stand.end().await;
}

#[tokio::test]
async fn off_lets_secrets_of_others_pass_and_never_our_own() {
    let stand = stand("off").await;
    let ours = [CANARY_TOKEN, KEY, OTHER_KEY];
    let answered = |body: &Value| {
        let body = body.as_str().expect("a text");
        assert!(
            body.starts_with(&format!("theirs {CANARY} ours [redacted:")) && body.ends_with(" end"),
            "{body}"
        );
    };
    there_and_back(&stand, &format!("theirs {CANARY} ours {CANARY_TOKEN} end"))
        .await
        .iter()
        .for_each(answered);
    // Keys of this very server are not even sent to Gitea, so somebody else has put them there.
    let text = format!("theirs {CANARY} ours {} end", ours.join(" and "));
    let words = FaultKind::Patch(json!({ "body": text }));
    stand.forge.as_ref().expect("a forge").next_fault(Fault::on("/issues/5", words));
    let at = stand.at("alice/demo", json!({ "issue_number": 5 }));
    answered(&stand.once(Wire::Direct, "get_issue", &at).await["issue"]["body"]);
    for own in ours {
        assert!(!stand.heard().contains(own), "our own tokens are masked in every mode");
    }
    let log = stand.server.audit_path().to_owned();
    let log = std::fs::read_to_string(log).expect("an audit log");
    assert!(!log.contains(CANARY), "the record masks in every mode");
    stand.end().await;
}
