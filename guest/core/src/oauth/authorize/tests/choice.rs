//! What people choose, and who else tries to choose for them.

use super::*;

#[test]
fn approving_begins_the_flow_with_what_was_asked_and_chosen() {
    let stage = Stage::writing();
    for (access, write) in [("read", false), ("write", true)] {
        let response = approve(&stage, access);
        assert_eq!((response.status().as_u16(), header(&response, "location")), (303, UPSTREAM));
        let cookie = "__Host-aegis-flow=f1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600";
        assert_eq!(cookies(&response), [cookie]);
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        let begun = stage.script.begun.borrow_mut().pop().unwrap();
        assert_eq!((begun.redirect_uri.as_str(), begun.code_challenge.as_str()), (CLAUDE, CHALLENGE));
        assert_eq!((begun.state.as_deref(), begun.write), (Some("a b&c=d"), write));
        let told = stage.script.answered.borrow_mut().pop();
        assert_eq!(told, Some(if write { Choice::Write } else { Choice::Read }));
        let notes = stage.world.notes.borrow().clone();
        assert_eq!(stage.reasons(), ["consent_approved"]);
        let of = |name: &str| notes[0].detail.iter().find(|(key, _)| key == name).unwrap().1.clone();
        assert_eq!(
            (of("client").as_str(), of("redirect_uri").as_str(), of("access").as_str()),
            (CLIENT, CLAUDE, access)
        );
    }
}

#[test]
fn on_plain_http_the_cookie_is_not_secure_unless_its_name_demands_it() {
    let stage = Stage::new();
    stage.world.set("PUBLIC_BASE_URL", "http://127.0.0.1:8080");
    for (name, secure) in [("aegis-flow", ""), ("__Host-aegis-flow", " Secure;")] {
        *stage.script.flow_cookie.borrow_mut() = (name.to_owned(), "v".to_owned());
        let request = sealed(&stage.show(&asking(&[])));
        let form = query(&[("request", &request), ("decision", "approve")]);
        let response = stage.decide(&[FORM, ("origin", "http://127.0.0.1:8080")], &form);
        let cookie = format!("{name}=v; Path=/;{secure} HttpOnly; SameSite=Lax; Max-Age=600");
        assert_eq!(cookies(&response), [cookie]);
        assert_eq!(header(&response, "strict-transport-security"), "");
    }
}

#[test]
fn denying_tells_the_client_and_begins_nothing() {
    let stage = Stage::writing();
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("access", "write"), ("decision", "deny")]);
    let response = stage.decide(&[FORM, OURS], &form);
    let to = header(&response, "location");
    assert_eq!(response.status(), 303);
    assert!(
        to.starts_with(&format!("{CLAUDE}?error=access_denied&")) && to.contains("&state=a%20b%26c%3Dd&iss=")
    );
    assert!(cookies(&response).is_empty() && stage.script.begun.borrow().is_empty());
    assert_eq!(stage.reasons(), ["consent_denied"]);
    assert_eq!(*stage.script.answered.borrow(), [Choice::Deny], "whatever access stood there");
}

#[test]
fn only_our_own_page_may_approve() {
    let stage = Stage::new();
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("decision", "approve")]);
    for headers in [
        &[FORM][..],
        &[FORM, ("origin", "null")],
        &[FORM, ("origin", "https://evil.example")],
        &[FORM, ("origin", "https://mcp.example.com.evil.example")],
        &[FORM, ("origin", "http://mcp.example.com")],
        &[FORM, ("origin", "https://mcp.example.com:8443")],
        &[FORM, ("origin", "")],
        &[FORM, OURS, OURS],
        &[FORM, ("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[FORM, ("sec-fetch-site", "same-site")],
        &[FORM, ("sec-fetch-site", "cross-site")],
        &[FORM, ("sec-fetch-site", "none")],
        &[FORM, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
    ] {
        on_our_page(&stage, &stage.decide(headers, &form), 403, "consent_foreign");
    }
    for headers in [&[FORM, OURS][..], &[FORM, ("sec-fetch-site", "same-origin")]] {
        assert_eq!(stage.decide(headers, &form).status(), 303);
    }
}

#[test]
fn an_approval_that_is_not_whole_begins_nothing() {
    let stage = Stage::writing();
    let request = sealed(&stage.show(&asking(&[])));
    let good = query(&[("request", &request), ("decision", "approve")]);
    let long = format!("{good}&x={}", "x".repeat(16 * 1024));
    for form in [
        String::new(),
        query(&[("decision", "approve")]),
        query(&[("request", &request)]),
        query(&[("request", &request), ("decision", "yes")]),
        query(&[("request", &request), ("decision", "approve"), ("access", "admin")]),
        format!("{good}&decision=deny"),
        format!("{good}&access=read&access=write"),
        format!("{good}&x=%"),
        long,
    ] {
        on_our_page(&stage, &stage.decide(&[FORM, OURS], &form), 400, "consent_malformed");
    }
    for media in ["application/json", "text/plain", "multipart/form-data", ""] {
        let response = stage.decide(&[("content-type", media), OURS], &good);
        on_our_page(&stage, &response, 400, "consent_malformed");
    }
    let charset = ("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(stage.decide(&[charset, OURS], &good).status(), 303);
}

#[test]
fn a_request_that_was_not_sealed_here_or_long_ago_begins_nothing() {
    let stage = Stage::new();
    let send =
        |request: &str| stage.decide(&[FORM, OURS], &query(&[("request", request), ("decision", "approve")]));
    let other_form: String = "2\nc\nhttps://a.example".bytes().map(|byte| format!("{byte:02x}")).collect();
    for request in ["x", "sealed.zz", "sealed.ff", &format!("sealed.{other_form}")] {
        on_our_page(&stage, &send(request), 403, "consent_forged");
    }
    let request = sealed(&stage.show(&asking(&[])));
    for (broken, status, reason) in
        [(Broken::Forged, 403, "consent_forged"), (Broken::Expired, 400, "consent_expired")]
    {
        stage.script.broken.set(Some(broken));
        on_our_page(&stage, &send(&request), status, reason);
    }
}

#[test]
fn what_changed_since_the_page_was_shown_counts() {
    let stage = Stage::writing();
    stage.client(ClientKind::Registered, CLIENT, None, CLAUDE);
    let request = sealed(&stage.show(&asking(&[])));
    let form = query(&[("request", &request), ("decision", "approve"), ("access", "write")]);
    let send = || stage.decide(&[FORM, OURS], &form);
    stage.world.set("WRITE_MODE", "false");
    on_our_page(&stage, &send(), 403, "consent_writes_off");
    stage.script.permitted.borrow_mut().clear();
    on_our_page(&stage, &send(), 400, "redirect_uri_not_registered");
    *stage.script.unknown.borrow_mut() = Some(UnknownClient::Revoked);
    on_our_page(&stage, &send(), 400, "client_revoked");
}

#[test]
fn where_the_host_does_not_begin_the_person_is_told_why() {
    let stage = Stage::writing();
    for (not_begun, status, reason) in [
        (NotBegun::RedirectNotPermitted, 400, "redirect_uri_not_registered"),
        (NotBegun::Malformed, 400, "consent_malformed"),
        (NotBegun::WritesOff, 403, "consent_writes_off"),
    ] {
        stage.script.not_begun.set(Some(not_begun));
        let response = approve(&stage, "write");
        assert_eq!(stage.reasons(), ["consent_approved", reason]);
        assert_eq!((response.status().as_u16(), cookies(&response).len()), (status, 0));
    }
}

#[test]
fn what_no_browser_may_get_is_not_sent() {
    let good = ("__Host-aegis-flow", "f1");
    for (upstream, (name, value)) in [
        ("https://git.example.com/\r\nSet-Cookie: x=1", good),
        ("https://git.example.com/\u{e9}", good),
        ("", good),
        (UPSTREAM, ("", "")),
        (UPSTREAM, ("a", "b\r\nLocation: x")),
    ] {
        let stage = Stage::new();
        upstream.clone_into(&mut stage.script.upstream.borrow_mut());
        *stage.script.flow_cookie.borrow_mut() = (name.to_owned(), value.to_owned());
        let response = approve(&stage, "read");
        assert_eq!((response.status().as_u16(), header(&response, "location")), (503, ""));
        assert_eq!(stage.reasons(), ["consent_approved", "sign_in_unavailable"]);
    }
}
