//! Where a proof may stand, and how it is written.

use super::*;

fn read(authorization: &[&str], body: &str) -> Result<(String, Option<String>, Presented), Refused> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    let form = Form::parse(body.as_bytes()).unwrap();
    proof(&headers, &form).map(|proof| (proof.client_id, proof.secret, proof.method))
}

fn basic_of(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

#[test]
fn reads_a_proof_from_the_one_place_where_it_stands() {
    let found =
        |id: &str, secret: Option<&str>, method| Ok((id.to_owned(), secret.map(str::to_owned), method));
    assert_eq!(read(&[], "client_id=c"), found("c", None, Presented::Nothing));
    assert_eq!(read(&[], "client_id=c&client_secret="), found("c", None, Presented::Nothing));
    assert_eq!(read(&[], "client_id=c&client_secret=s"), found("c", Some("s"), Presented::Post));
    let url = "client_id=https%3A%2F%2Fclaude.ai%2Fx";
    assert_eq!(read(&[], url), found("https://claude.ai/x", None, Presented::Nothing));
    let basic = found("c", Some("s"), Presented::Basic);
    assert_eq!(read(&[&basic_of("c:s")], ""), basic);
    assert_eq!(read(&[&basic_of("c:s")], "client_id=c"), basic, "libraries repeat the id");
    assert_eq!(read(&[&basic_of("c:s").replace("Basic", "bASIC")], ""), basic);
}

#[test]
fn undoes_the_encoding_inside_basic() {
    let found = read(&[&basic_of("https%3A%2F%2Fc.example%2Fid:a%3Ab+c%25:d")], "").unwrap();
    assert_eq!(found, ("https://c.example/id".to_owned(), Some("a:b c%:d".to_owned()), Presented::Basic));
}

#[test]
fn refuses_every_other_way_as_an_invalid_client() {
    let (good, secret) = (basic_of("c:s"), "client_secret=s");
    let long = format!("client_id={}", "x".repeat(MAX_ID + 1));
    let large = format!("client_id=c&client_secret={}", "x".repeat(MAX_SECRET + 1));
    for (authorization, body, why) in [
        (&[][..], "", BadClient::Unnamed),
        (&[], "client_id=", BadClient::Unnamed),
        (&[], secret, BadClient::Unnamed),
        (&[&*good, &*good], "", BadClient::TwoWays),
        (&[&*good], "client_secret=s", BadClient::TwoWays),
        (&[&*good], "client_id=c&client_secret=s", BadClient::TwoWays),
        (&[&*good], "client_id=other", BadClient::TwoWays),
        (&["Bearer x"], "client_id=c", BadClient::UnknownMethod),
        (&["Digest x"], "", BadClient::UnknownMethod),
        (&["handle:1"], "client_id=c", BadClient::UnknownMethod),
        (&[], "client_id=c&client_assertion=x", BadClient::UnknownMethod),
        (&[&*good], "client_assertion_type=x", BadClient::UnknownMethod),
        (&["Basic"], "", BadClient::Unreadable),
        (&["Basic !"], "", BadClient::Unreadable),
        (&[&basic_of("c")], "", BadClient::Unreadable),
        (&[&basic_of(":s")], "", BadClient::Unreadable),
        (&[&basic_of("c:%zz")], "", BadClient::Unreadable),
        (&[&basic_of("c%:s")], "", BadClient::Unreadable),
        (&[], "client_id=a%0Ab", BadClient::Wrong),
        (&[], "client_id=a%00", BadClient::Wrong),
        (&[], "client_id=%C3%A9", BadClient::Wrong),
        (&[], &*long, BadClient::Wrong),
        (&[], &*large, BadClient::Wrong),
        (&[&basic_of("c:%0d%0a")], "", BadClient::Wrong),
    ] {
        let refused = read(authorization, body).unwrap_err();
        let Refused::Client { why: found, header, .. } = &refused else { panic!("{refused:?}") };
        assert_eq!((*found, *header), (why, !authorization.is_empty()), "{authorization:?} {body}");
        assert_eq!(refused.line().status, 401);
        assert_eq!(refused.line().code, "invalid_client");
        assert_eq!(refused.is_guess(), why != BadClient::Unnamed);
    }
    assert_eq!(read(&[], "client_id=a&client_id=a"), Err(Refused::RepeatedParameter));
}

#[test]
fn records_a_client_by_its_fingerprint() {
    let refused = wrong(&Proof {
        client_id: "abc".to_owned(),
        secret: Some("hunter2".to_owned()),
        method: Presented::Post,
    });
    let remark = refused.remark();
    // SHA-256 of "abc" (FIPS 180-4, appendix B.1).
    let half = "ba7816bf8f01cfea414140de5dae2223".to_owned();
    assert_eq!(remark.detail, [("client".to_owned(), half)]);
    assert!(!format!("{refused:?} {remark:?}").contains("hunter2"));
}
