//! Ways back from Gitea.

use crate::oauth::page::fake::{CLAUDE, Stage, asking, cookies, elements, header, person, query, text};
use crate::ports::{NotOpened, SignInReason, SignInRefused};

const SPENT: &str = "__Host-aegis-flow=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0";
const BACK: &str = "https://claude.ai/api/mcp/auth_callback?code=our%2Bcode%2F1&state=a%20b%26c%3Dd&iss=https%3A%2F%2Fmcp.example.com";

#[test]
fn a_good_way_back_gives_the_client_its_code_and_spends_the_cookie() {
    let stage = Stage::new();
    let response = stage.callback("code=gta_x&state=st-1");
    assert_eq!((response.status().as_u16(), header(&response, "location")), (303, BACK));
    assert_eq!(cookies(&response), [SPENT]);
    assert_eq!(header(&response, "referrer-policy"), "no-referrer");
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(*stage.script.exchanged.borrow(), ["gta_x"]);
    let opened = stage.script.opened.borrow();
    assert_eq!((opened.len(), opened[0].0.as_str()), (1, "st-1"));
    assert_eq!(opened[0].1, [("__Host-aegis-flow".to_owned(), "f1".to_owned())]);
    assert!(stage.reasons().is_empty() && stage.script.abandoned.borrow().is_empty());
}

#[test]
fn the_approval_is_remembered_where_the_host_says_so() {
    let stage = Stage::new();
    *stage.script.remembrance.borrow_mut() =
        Some(("__Host-aegis-known".to_owned(), "k".to_owned(), 2_592_000));
    let kept = "__Host-aegis-known=k; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=2592000";
    assert_eq!(cookies(&stage.callback("code=c&state=s")), [SPENT, kept]);
}

#[test]
fn a_client_without_a_state_gets_none_and_keeps_its_query() {
    let stage = Stage::new();
    stage.script.approved.borrow_mut().state = None;
    stage.script.approved.borrow_mut().redirect_uri = "https://app.example/cb?tenant=7".to_owned();
    let to = "https://app.example/cb?tenant=7&code=our%2Bcode%2F1&iss=https%3A%2F%2Fmcp.example.com";
    assert_eq!(header(&stage.callback("code=c&state=s"), "location"), to);
}

#[test]
fn what_cannot_be_read_does_not_use_the_flow_up() {
    let stage = Stage::new();
    let (long, controls) =
        (format!("state=s&code={}", "c".repeat(8193)), query(&[("state", "s"), ("code", "a\r\nb")]));
    for brought in [
        "",
        "state=s",
        "code=c",
        "state=&code=c",
        "state=s&code=",
        "state=s&code=c&error=access_denied",
        "state=s&state=t&code=c",
        "state=s&code=c&code=d",
        "state=s&code=%",
        "state=s&code=c&x=1&x=2",
        "state=a+b&code=c",
        long.as_str(),
        &controls,
    ] {
        let response = stage.callback(brought);
        assert_eq!((response.status().as_u16(), header(&response, "location")), (400, ""), "{brought}");
        assert_eq!(stage.reasons(), ["callback_malformed"]);
        assert!(cookies(&response).is_empty());
        elements(text(&response));
    }
    assert!(stage.script.opened.borrow().is_empty() && stage.script.exchanged.borrow().is_empty());
}

#[test]
fn a_flow_that_does_not_open_ends_on_a_page_of_its_own() {
    let stage = Stage::new();
    for (not_opened, reason, says) in [
        (NotOpened::Invalid, "state_invalid", "not known here"),
        (NotOpened::Expired, "state_expired", "took too long"),
        (NotOpened::OtherBrowser, "state_other_browser", "open the sign-in link in your usual browser"),
        (NotOpened::Used, "state_used", "already used"),
        (NotOpened::ClientGone, "state_client_gone", "withdrawn"),
    ] {
        stage.script.not_opened.set(Some(not_opened));
        let response = stage.callback("code=c&state=s");
        assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (400, reason));
        assert!(text(&response).contains(says), "{says}");
        assert!(header(&response, "location").is_empty() && cookies(&response).is_empty());
    }
    assert!(stage.script.exchanged.borrow().is_empty(), "Gitea hears nothing");
}

#[test]
fn nobody_signed_in_means_a_page_no_code_and_a_spent_cookie() {
    let stage = Stage::new();
    for (reason, status, name) in [
        (SignInReason::CodeRefused, 400, "gitea_code_refused"),
        (SignInReason::ApplicationRefused, 502, "gitea_application_refused"),
        (SignInReason::GiteaUnavailable, 503, "gitea_unavailable"),
        (SignInReason::IdentityInvalid, 502, "identity_invalid"),
        (SignInReason::Overtaken, 400, "sign_in_overtaken"),
        (SignInReason::GrantTooNarrow, 403, "grant_too_narrow"),
        (SignInReason::GrantTooWide, 403, "grant_too_wide"),
        (SignInReason::NotAllowed, 403, "sign_in_not_allowed"),
        (SignInReason::Used, 400, "sign_in_used"),
    ] {
        let text = "Told by <the host>.".to_owned();
        *stage.script.refused.borrow_mut() = Some(SignInRefused { reason, text });
        let response = stage.callback("code=c&state=s");
        assert_eq!((response.status().as_u16(), stage.reasons().concat().as_str()), (status, name));
        assert_eq!((cookies(&response), header(&response, "location")), (vec![SPENT], ""));
        let page = crate::oauth::page::fake::text(&response);
        assert!(page.contains("Told by &lt;the host&gt;.") && !page.contains("our+code"));
        elements(page);
    }
}

#[test]
fn without_a_code_the_client_gets_nothing_and_the_person_a_page() {
    let stage = Stage::new();
    stage.script.code.borrow_mut().clear();
    for narrowed in [false, true] {
        *stage.script.person.borrow_mut() = person(&["read:repository"], narrowed);
        *stage.script.remembrance.borrow_mut() = Some(("__Host-aegis-known".to_owned(), "k".to_owned(), 9));
        let response = stage.callback("code=c&state=s");
        assert_eq!((response.status().as_u16(), header(&response, "location")), (503, ""));
        assert_eq!((cookies(&response), stage.reasons()), (vec![SPENT], vec!["code_not_issued".to_owned()]));
        assert!(!text(&response).contains("Continue"));
    }
}

#[test]
fn a_person_who_said_no_in_gitea_goes_back_to_the_client() {
    let stage = Stage::new();
    let response = stage.callback("error=access_denied&error_description=%3Cb%3E&state=s");
    let to = header(&response, "location");
    assert_eq!(response.status(), 303);
    assert!(to.starts_with(&format!("{CLAUDE}?error=access_denied&error_description=")), "{to}");
    assert!(to.ends_with("&state=a%20b%26c%3Dd&iss=https%3A%2F%2Fmcp.example.com"), "{to}");
    assert_eq!((cookies(&response), stage.reasons()), (vec![SPENT], vec!["gitea_denied".to_owned()]));
    assert_eq!(*stage.script.abandoned.borrow(), ["access_denied"]);
    assert!(stage.script.exchanged.borrow().is_empty());
}

#[test]
fn other_errors_of_gitea_are_a_page_that_repeats_nothing() {
    let stage = Stage::new();
    for (error, kept) in [
        ("server_error", "server_error"),
        ("<script>x", "unreadable"),
        ("Ab", "unreadable"),
        (&"x".repeat(65), "unreadable"),
    ] {
        let response =
            stage.callback(&query(&[("error", error), ("error_description", "<b>secret"), ("state", "s")]));
        assert_eq!((response.status().as_u16(), cookies(&response)), (502, vec![SPENT]));
        assert!(!text(&response).contains(error) && !text(&response).contains("secret"));
        let noted = stage.world.notes.borrow()[0].detail.clone();
        assert!(noted.contains(&("error".to_owned(), kept.to_owned())), "{noted:?}");
        assert_eq!(stage.reasons(), ["gitea_error"]);
        assert_eq!(stage.script.abandoned.borrow_mut().pop().as_deref(), Some(kept));
    }
}

#[test]
fn a_grant_without_writes_is_told_before_the_person_goes_on() {
    let stage = Stage::writing();
    *stage.script.person.borrow_mut() = person(&["read:repository"], true);
    let response = stage.callback("code=c&state=s");
    let page = text(&response);
    assert_eq!((response.status().as_u16(), cookies(&response)), (200, vec![SPENT]));
    assert!(page.contains(&format!("href=\"{}\"", BACK.replace('&', "&amp;"))), "{page}");
    assert!(page.contains("href=\"https://git.example.com/user/settings/applications\""));
    assert_eq!(header(&response, "referrer-policy"), "no-referrer", "the code is in the link");
    assert_eq!(header(&response, "cache-control"), "no-store");
    assert_eq!(stage.reasons(), ["write_not_granted"]);
    elements(page);
}

#[test]
fn no_page_of_the_way_back_leads_to_gitea_again_by_itself() {
    let stage = Stage::new();
    let page = stage.show(&asking(&[]));
    assert!(!text(&page).contains("http-equiv"));
    for not_opened in [NotOpened::Invalid, NotOpened::OtherBrowser, NotOpened::Used] {
        stage.script.not_opened.set(Some(not_opened));
        let response = stage.callback("code=c&state=s");
        assert!(!text(&response).contains("http-equiv") && !text(&response).contains("<a "));
    }
}
