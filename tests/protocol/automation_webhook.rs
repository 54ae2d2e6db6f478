//! What Gitea's webhook delivers: who has signed it, that it is taken once, what it must be, and that it is answered before
//! it is worked on.

use aegis_tests::forge::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::automation::{
    DENIED, ISSUES, NOTED, WEBHOOK, deliver, deliver_well, lines, on, payload, signature,
};
use crate::ground::{Ground, request_id};

#[tokio::test]
async fn a_delivery_that_gitea_did_not_sign_is_refused_unread() {
    let ground = Ground::with(on).await;
    let body = payload("opened", "x");
    let good = signature(&body);
    for wrong in [
        good[..63].to_owned(),
        good.to_uppercase(),
        format!("sha256={good}"),
        format!("{good}00"),
        signature(b"{}"),
        "0".repeat(64),
    ] {
        let answer = deliver(&ground, "issues", "d-1", &wrong, &body).await;
        ground.refused(&answer, 401, NOTED, "webhook_forged").await;
        assert!(answer.header("www-authenticate").is_some_and(|text| text.contains("X-Gitea-Signature")));
    }
    // Whoever has not the secret learns nothing but that, whatever else is wrong.
    for headers in
        [&[("x-gitea-signature", "0")][..], &[("content-type", "text/plain"), ("x-gitea-signature", "0")]]
    {
        let answer = ground.server.stranger("POST", WEBHOOK, headers, &body).await;
        ground.refused(&answer, 401, NOTED, "webhook_forged").await;
    }
    // What is forged is not read, however broken it is.
    let answer = deliver(&ground, "issues", "d-1", &"0".repeat(64), b"\xff{").await;
    ground.refused(&answer, 401, NOTED, "webhook_forged").await;
    let answer = deliver(&ground, "issues", "d-1", "", &body).await;
    ground.refused(&answer, 401, NOTED, "webhook_unsigned").await;
    let headers = [("content-type", "application/json"), ("x-gitea-event", "issues")];
    let answer = ground.server.ask("POST", WEBHOOK, &headers, &body).await;
    // A key is no signature.
    ground.refused(&answer, 401, NOTED, "webhook_unsigned").await;
    assert_eq!(
        deliver(&ground, "push", "d-1", &good, &body).await.status,
        202,
        "nothing of it was remembered"
    );
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_is_taken_once_by_its_bytes_and_by_its_name() {
    let ground = Ground::with(on).await;
    let (first, second) = (payload("edited", "x"), payload("edited", "y"));
    assert_eq!(deliver_well(&ground, "issues", "d-1", &first).await.status, 202);
    for (delivery, body) in [("d-1", &first), ("d-2", &first), ("d-1", &second)] {
        let answer = deliver_well(&ground, "issues", delivery, body).await;
        ground.refused(&answer, 409, NOTED, "webhook_replayed").await;
    }
    assert_eq!(deliver_well(&ground, "issues", "d-2", &second).await.status, 202);
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_that_was_refused_may_come_again() {
    let ground = Ground::with(|setup| on(setup).set("TOKEN_RATE_LIMIT_PER_MINUTE", "1")).await;
    let body = payload("edited", "x");
    assert_eq!(deliver_well(&ground, "issues", "d-0", &payload("edited", "w")).await.status, 202);
    for _ in 0..2 {
        let answer = deliver_well(&ground, "issues", "d-1", &body).await;
        ground.refused(&answer, 429, DENIED, "rate_limited").await;
    }
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_is_json_about_a_repository() {
    let ground = Ground::with(on).await;
    let body = payload("opened", "x");
    let signed = signature(&body);
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-gitea-event", "issues"),
        ("x-gitea-delivery", "d-1"),
        ("x-gitea-signature", signed.as_str()),
    ];
    let answer = ground.server.stranger("POST", WEBHOOK, &form, &body).await;
    ground.refused(&answer, 415, DENIED, "unsupported_media_type").await;
    for (event, delivery) in [("", "d-1"), ("issues", ""), ("is sues", "d-1"), ("issues", "d/1")] {
        let answer = deliver(&ground, event, delivery, &signed, &body).await;
        ground.refused(&answer, 400, DENIED, "webhook_malformed").await;
    }
    for (number, body) in ["{", "[]", "{}", r#"{"a":1,"a":2}"#].into_iter().enumerate() {
        let answer = deliver_well(&ground, "issues", &format!("d-{number}"), body.as_bytes()).await;
        ground.refused(&answer, 400, DENIED, "webhook_malformed").await;
    }
    let evil = json!({"repository": {"name": "demo", "owner": {"login": "../alice"}}}).to_string();
    let answer = deliver_well(&ground, "issues", "d-9", evil.as_bytes()).await;
    ground.refused(&answer, 400, DENIED, "invalid_arguments").await;
    let answer = ground.server.stranger("GET", WEBHOOK, &[], b"").await;
    ground.refused(&answer, 405, DENIED, "method_not_allowed").await;
    assert_eq!(answer.header("allow"), Some("POST"));
    ground.assert_nothing_upstream();
}

#[tokio::test]
async fn a_delivery_is_answered_before_it_is_worked_on_and_both_are_on_record() {
    let ground = Ground::with(on).await;
    ground.forge.next_fault(Fault::on(ISSUES, FaultKind::Hold));
    let answer = deliver_well(&ground, "issues", "d-1", &payload("opened", "x")).await;
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (202, b"".as_slice()),
        "Gitea still holds its answer"
    );
    ground.forge.release(1);
    let found = lines(&ground, &answer, 4).await;
    let told: Vec<(&Value, &Value)> = found.iter().map(|line| (&line["tool"], &line["status"])).collect();
    let (webhook, job) = (json!("automation_webhook"), json!("automation_stale_issue_detection"));
    let (pending, success) = (json!("pending"), json!("success"));
    assert_eq!(told, [(&webhook, &pending), (&webhook, &success), (&job, &pending), (&job, &success)]);
    assert!(found.iter().all(|line| line["principal"] == "automation" && line.get("started_by").is_none()));
    assert_eq!((&found[0]["arguments"]["event"], &found[0]["repo"]), (&json!("issues"), &json!("demo")));
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
    let asked = ground.forge.requests();
    assert!(
        asked.iter().all(|seen| seen.method == "GET" && seen.user.as_deref() == Some("svc")),
        "{asked:#?}"
    );
}

#[tokio::test]
async fn a_delivery_that_could_not_be_recorded_is_taken_when_it_comes_again() {
    let ground = Ground::with(on).await;
    let (log, body) = (ground.server.audit_path().to_owned(), payload("opened", "x"));
    let aside = log.with_extension("aside");
    std::fs::rename(&log, &aside).expect("moved away");
    let refused = deliver_well(&ground, "issues", "d-1", &body).await;
    assert_eq!(
        (refused.status, refused.reason().as_deref()),
        (503, Some("audit_unavailable")),
        "{}",
        refused.text()
    );
    ground.assert_nothing_upstream();
    std::fs::rename(&aside, &log).expect("put back");
    // The log heals by itself, with the first line of what was refused.
    let id = request_id(&refused);
    let told = ground.server.audit_when(|lines| lines.iter().any(|line| line["request_id"] == id)).await;
    let told: Vec<&Value> = told.iter().filter(|line| line["request_id"] == id).collect();
    assert!(told.iter().all(|line| line["reason"] == "audit_unavailable"), "{told:#?}");
    ground.assert_nothing_upstream();

    let taken = deliver_well(&ground, "issues", "d-1", &body).await;
    assert_eq!(taken.status, 202, "neither its bytes nor its name count as taken: {}", taken.text());
    let found = lines(&ground, &taken, 4).await;
    let statuses: Vec<&Value> = found.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["pending", "success", "pending", "success"], "{found:#?}");
    let again = deliver_well(&ground, "issues", "d-1", &body).await;
    ground.refused(&again, 409, NOTED, "webhook_replayed").await;
    assert_eq!(ground.forge.violations(), [] as [String; 0]);
}
