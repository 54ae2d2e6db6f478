//! The doctor's own sign-in, and what it tells of the newest one.

use std::process::Stdio;

use aegis_tests::browser::{Arrived, Browser};
use aegis_tests::server::dist;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::{Chart, Patient};
use crate::scene::{Scene, password};

#[tokio::test]
async fn the_doctor_signs_in_calls_and_leaves_nothing_behind() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (patient, file) = Patient::of(&scene).env_file_kept();
    let (report, url) = sign_in(&file, true).await;
    let chart = Chart { code: 0, report };
    for check in [
        "login_metadata",
        "login_listen",
        "login_register",
        "login_approve",
        "login_token",
        "login_tools",
        "login_call",
        "login_revoke",
    ] {
        chart.says(check, "pass", " ms)");
    }
    assert_eq!(chart.report["exit_code"], 0);
    assert!(url.starts_with(&server.url), "{url}");
    let last = patient.examine_with(&["--last-login"]).await;
    assert_eq!(last.code, 0, "{:#}", last.report);
    last.says("last_login", "pass", "sign-in of alice by aegis-mcp doctor").says(
        "step",
        "pass",
        "token_issued",
    );
    let audit = server.stop().await.audit;
    assert!(
        audit.iter().any(|line| line["tool"] == "list_repositories" && line["login"] == "alice"),
        "{audit:#?}"
    );
}

#[tokio::test]
async fn a_sign_in_that_is_declined_says_where_it_stopped() {
    let scene = Scene::new().await;
    let server = scene.start().await;
    let (_patient, file) = Patient::of(&scene).env_file_kept();
    let (report, _) = sign_in(&file, false).await;
    let chart = Chart { code: 1, report };
    assert_eq!(chart.report["exit_code"], 1);
    chart.says("login_approve", "fail", "access_denied");
    assert!(chart.lines().all(|(check, ..)| check != "login_token"));
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_sign_in_without_a_server_says_so_at_once() {
    let scene = Scene::new().await;
    let patient = Patient::of(&scene);
    let chart = patient.examine_with(&["--login"]).await;
    assert_eq!(chart.code, 1);
    chart.says("login_metadata", "fail", "start the server");
    let chart = patient.examine_with(&["--last-login"]).await;
    assert_eq!(chart.code, 1);
    chart.says("last_login", "fail", "no server answers");
}

/// Run `doctor --login`, open its URL as alice, approve or decline, and go where the browser is sent.
async fn sign_in(file: &str, approve: bool) -> (Value, String) {
    let mut command = Command::new(dist().join("aegis-mcp"));
    command.args(["doctor", "--json", "--login", "--env-file", file]).env_clear().kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let url = loop {
        let line = lines.next_line().await.unwrap().expect("it prints a URL");
        if let Some(url) = line.trim().strip_prefix("http") {
            break format!("http{url}");
        }
    };
    let mut browser = Browser::new();
    let page = browser.get(&url).await;
    assert_eq!(page.status(), 200, "{}", page.text());
    assert!(page.text().contains("aegis-mcp doctor"), "{}", page.text());
    let decision = if approve { "approve" } else { "deny" };
    browser.submit(&page.form("decision"), &[("decision", decision)]).await;
    if approve {
        let arrived = browser.sign_in_at_gitea("alice", &password("alice")).await;
        assert!(matches!(arrived, Arrived::Stopped(_)), "{arrived:?}");
    }
    let back = aegis_tests::sign_in::parameter(&url, "redirect_uri").unwrap();
    let Arrived::Stopped(left) = browser.follow_until(|to| to.starts_with(&back)).await else {
        panic!("no way back")
    };
    // Somebody else's answer first: the doctor waits on.
    let forged = aegis_tests::sign_in::form(&[("code", "stolen"), ("state", "another")]);
    assert_eq!(browser.get(&format!("{back}?{forged}")).await.status(), 400);
    assert_eq!(browser.get(&left).await.status(), 200);
    let (mut out, mut rest) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        rest.push_str(&line);
    }
    let code = child.wait().await.unwrap().code();
    let code_shown = aegis_tests::sign_in::parameter(&left, "code");
    for text in [&out, &rest] {
        assert!(!text.contains("aegis_at_") && !text.contains("aegis_rt_"), "{text}");
        assert!(code_shown.as_ref().is_none_or(|code| !text.contains(code)), "{text}");
    }
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{rest}"));
    assert_eq!(report["exit_code"].as_i64(), code.map(i64::from));
    (report, url)
}
