//! What statuses and failures mean.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::*;
use crate::ports::{Outcome, Unavailable};

struct One {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Result<Vec<u8>, Failure>>,
    head: Option<Failure>,
}

struct Answering(RefCell<Option<One>>);

impl Ticket for Answering {
    fn id(&self) -> String {
        "t".to_owned()
    }

    fn start(&self, _request: &Request) -> Result<Box<dyn Exchange>, Failure> {
        let one = self.0.borrow_mut().take().ok_or(Failure::Refused("only once".to_owned()))?;
        Ok(Box::new(Piecewise { one: RefCell::new(one) }))
    }

    fn close(&self, _outcome: &Outcome) -> Result<(), Unavailable> {
        Ok(())
    }
}

struct Piecewise {
    one: RefCell<One>,
}

impl Exchange for Piecewise {
    fn head(&self) -> Result<Head, Failure> {
        let one = self.one.borrow();
        match &one.head {
            Some(failure) => Err(failure.clone()),
            None => Ok(Head { status: one.status, headers: one.headers.clone() }),
        }
    }

    fn read(&self, _max: u32) -> Result<Vec<u8>, Failure> {
        let mut one = self.one.borrow_mut();
        if one.pieces.is_empty() { Ok(Vec::new()) } else { one.pieces.remove(0) }
    }
}

fn asked(one: One, writes: bool) -> Result<Answer, Error> {
    let ticket = Answering(RefCell::new(Some(one)));
    if writes {
        write(&ticket, CREATE_ISSUE, vec!["a".into(), "b".into()], &json!({}))?.finish()
    } else {
        get(&ticket, Call::to("/version").at_most(100))?.finish()
    }
}

fn status(status: u16, body: &str) -> One {
    One { status, headers: Vec::new(), pieces: vec![Ok(body.as_bytes().to_vec())], head: None }
}

#[test]
fn every_status_has_one_meaning_for_reads_and_one_for_writes() {
    for (code, read, wrote) in [
        (301, "gitea_redirected", "gitea_redirected"),
        (302, "gitea_redirected", "gitea_redirected"),
        (400, "gitea_bad_request", "gitea_bad_request"),
        (401, "gitea_unauthorized", "gitea_unauthorized"),
        (403, "repository_permission_denied", "repository_permission_denied"),
        (404, "not_found", "not_found"),
        (405, "gitea_unexpected_status", "gitea_unexpected_status"),
        (409, "conflict", "conflict"),
        (412, "precondition_failed", "precondition_failed"),
        (413, "gitea_request_too_large", "gitea_request_too_large"),
        (418, "gitea_unexpected_status", "gitea_unexpected_status"),
        (422, "unprocessable", "unprocessable"),
        (423, "repository_locked", "repository_locked"),
        (429, "gitea_busy", "gitea_busy"),
        (500, "gitea_failed", "write_outcome_unknown"),
        (502, "gitea_failed", "write_outcome_unknown"),
        (503, "gitea_busy", "write_outcome_unknown"),
        (202, "gitea_unexpected_status", "write_outcome_unknown"),
        (101, "gitea_unexpected_status", "gitea_unexpected_status"),
    ] {
        for (writes, expected) in [(false, read), (true, wrote)] {
            let error = asked(status(code, "{}"), writes).expect_err("no success");
            assert_eq!(error.reason(), expected, "{code} writes={writes}");
            assert!(error.message().ends_with('.'), "{}", error.message());
        }
    }
}

#[test]
fn every_failure_of_an_exchange_has_a_meaning() {
    for (failure, read, wrote) in [
        (Failure::TicketClosed, "gitea_request_not_sent", "gitea_request_not_sent"),
        (Failure::Refused("x".into()), "gitea_request_not_sent", "gitea_request_not_sent"),
        (Failure::Unreachable("x".into()), "gitea_unreachable", "gitea_unreachable"),
        (Failure::TimedOut, "gitea_timeout", "write_outcome_unknown"),
        (Failure::TooLarge, "gitea_answer_too_large", "write_outcome_unknown"),
        (Failure::Broken("x".into()), "gitea_answer_broken", "write_outcome_unknown"),
    ] {
        for (writes, expected) in [(false, read), (true, wrote)] {
            let one = One { head: Some(failure.clone()), ..status(200, "") };
            assert_eq!(asked(one, writes).expect_err("failed").reason(), expected, "{failure:?}");
        }
    }
}

#[test]
fn gitea_s_own_words_are_read_from_what_it_sends_even_with_something_behind_them() {
    let said = asked(status(404, "{\"message\":\"object does not exist\",\"url\":\"x\"}\nnull\n"), false);
    assert_eq!(said.expect_err("404"), Error::NotFound { said: "object does not exist".into() });
    for empty in ["", "null", "[]", "<html>", "{\"message\":7}"] {
        let error = asked(status(403, empty), false).expect_err("403");
        assert_eq!(error, Error::Forbidden { said: String::new() }, "{empty}");
        assert!(!error.message().contains("Gitea says"), "{}", error.message());
    }
    let long =
        asked(status(422, &json!({ "message": "é".repeat(5000) }).to_string()), false).expect_err("422");
    assert!(long.message().ends_with(&"é".repeat(5000)), "kept whole until it is masked: it is cut then");
    let endless = json!({ "message": "é".repeat(10_000) }).to_string();
    let endless = asked(status(422, &endless), false).expect_err("422");
    assert_eq!(endless, Error::Invalid { said: String::new() }, "what is not read whole is not told in part");
}

#[test]
fn an_answer_is_read_within_its_bound_only() {
    let announced = One { headers: vec![("content-length".into(), "101".into())], ..status(200, "[]") };
    assert_eq!(asked(announced, false).expect_err("too large"), Error::TooLarge);
    let endless = One { pieces: vec![Ok(vec![b' '; 60]); 1000], ..status(200, "") };
    assert_eq!(asked(endless, false).expect_err("too large"), Error::TooLarge);
    let cut = One { pieces: vec![Ok(b"[1,".to_vec()), Err(Failure::Broken("x".into()))], ..status(200, "") };
    assert_eq!(asked(cut, false).expect_err("cut"), Error::Broken);
    assert_eq!(asked(status(200, "<html>"), false).expect_err("no JSON"), Error::NotJson);
    assert_eq!(asked(status(204, ""), false).expect("no content").body, Value::Null);
}

#[test]
fn the_end_of_a_list_is_told_by_link_and_else_by_the_total() {
    let answer = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        asked(One { headers, ..status(200, "[]") }, false).expect("a list")
    };
    let next = [("link", "<x?page=2>; rel=\"next\",<x?page=9>; rel=\"last\""), ("x-total-count", "1")];
    assert!(answer(&next).has_next(1, 30));
    assert!(!answer(&[("link", "<x?page=1>; rel=\"first\""), ("x-total-count", "99")]).has_next(1, 30));
    assert!(answer(&[("x-total-count", "31")]).has_next(1, 30));
    assert!(!answer(&[("x-total-count", "30")]).has_next(1, 30));
    assert!(!answer(&[]).has_next(1, 30));
    assert_eq!(answer(&[("x-total-count", "junk")]).total(), None);
}

#[test]
fn a_message_about_a_lost_write_does_not_ask_to_try_again() {
    let error = asked(One { head: Some(Failure::TimedOut), ..status(200, "") }, true).expect_err("lost");
    assert!(error.message().contains("Look"), "{}", error.message());
    assert!(!error.message().contains("Try again"), "{}", error.message());
}
