//! Questions in both eras: what is put, what counts as a reply, and what does not.

use super::*;
use crate::client::Input;
use crate::mcp::fake::office::Sealed;
use crate::mcp::fake::{GOOD, World};
use crate::ports::Identity as _;

const CAPABLE: &str =
    r#""_meta":{"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"roots":{}}}"#;

fn name(key: &'static str, bound: bool) -> Question {
    let schema = json!({ "type": "object" });
    Question { key, input: Input::Elicitation { message: "Who?".to_owned(), schema }, bound }
}

fn accepted(value: &str) -> Value {
    json!({ "action": "accept", "content": { "name": value } })
}

/// The replies or why there are none, and what the answer puts.
type Round = (Result<Vec<Value>, Unasked>, Option<Map<String, Value>>);

/// Ask in a request with these parameters.
fn round(sealed: &Sealed, params: &Value, questions: &[Question]) -> Round {
    let asking = Asking::again(sealed, Some("client-1"), "tools/call", params.as_object().unwrap()).unwrap();
    let found = asking.ask(questions, &mut |_| panic!("nothing is sent meanwhile"));
    let deferred = asking.deferred();
    (found, deferred)
}

fn call(more: &Value) -> Value {
    let mut params: Value =
        serde_json::from_str(&format!(r#"{{"name":"t","arguments":{{"a":1}},{CAPABLE}}}"#)).unwrap();
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

#[test]
fn a_modern_client_gets_the_question_as_the_answer_and_comes_again_with_the_reply() {
    let sealed = Sealed::default();
    let (found, deferred) = round(&sealed, &call(&json!({})), &[name("who", true)]);
    assert_eq!(found, Err(Unasked::Deferred));
    let deferred = deferred.unwrap();
    let request = json!({ "method": "elicitation/create",
        "params": { "message": "Who?", "requestedSchema": { "type": "object" } } });
    assert_eq!(deferred["inputRequests"], json!({ "who": request }));

    let again = call(&json!({ "inputResponses": { "who": accepted("ada"), "extra": 7 },
        "requestState": deferred["requestState"] }));
    assert_eq!(round(&sealed, &again, &[name("who", true)]), (Ok(vec![accepted("ada")]), None));
    assert_eq!(round(&sealed, &again, &[name("who", true)]).0, Err(Unasked::Stale), "it is good once");
}

#[test]
fn replies_of_earlier_rounds_travel_with_the_state() {
    let sealed = Sealed::default();
    let state = round(&sealed, &call(&json!({})), &[name("one", false)]).1.unwrap()["requestState"].clone();
    let second = call(&json!({ "inputResponses": { "one": accepted("ada") }, "requestState": state }));
    let asking = Asking::again(&sealed, Some("client-1"), "tools/call", second.as_object().unwrap()).unwrap();
    assert_eq!(asking.ask(&[name("one", false)], &mut |_| false), Ok(vec![accepted("ada")]));
    assert_eq!(asking.ask(&[name("two", false)], &mut |_| false), Err(Unasked::Deferred));
    let state = asking.deferred().unwrap()["requestState"].clone();
    let third = call(&json!({ "inputResponses": { "two": accepted("red") }, "requestState": state }));
    let both = [name("one", false), name("two", false)];
    assert_eq!(round(&sealed, &third, &both).0, Ok(vec![accepted("ada"), accepted("red")]));
}

#[test]
fn a_bound_question_takes_no_reply_without_its_state() {
    let sealed = Sealed::default();
    let early = call(&json!({ "inputResponses": { "who": accepted("mallory") } }));
    assert_eq!(round(&sealed, &early, &[name("who", true)]).0, Err(Unasked::Deferred));
    assert_eq!(round(&sealed, &early, &[name("who", false)]).0, Ok(vec![accepted("mallory")]));
}

#[test]
fn a_state_of_another_call_client_or_method_or_a_forged_one_is_stale() {
    let put = |sealed: &Sealed| {
        round(sealed, &call(&json!({})), &[name("who", true)]).1.unwrap()["requestState"].clone()
    };
    let replied = |state: &Value, more: Value| {
        let mut params = call(&json!({ "inputResponses": { "who": accepted("x") }, "requestState": state }));
        for (key, value) in more.as_object().unwrap() {
            params[key] = value.clone();
        }
        params
    };
    let sealed = Sealed::default();
    for other in [json!({ "arguments": { "a": 2 } }), json!({ "name": "u" }), json!({ "arguments": {} })] {
        let params = replied(&put(&sealed), other.clone());
        assert_eq!(round(&sealed, &params, &[name("who", true)]).0, Err(Unasked::Stale), "{other}");
    }
    let params = replied(&put(&sealed), json!({}));
    for (client, method) in
        [(Some("client-2"), "tools/call"), (None, "tools/call"), (Some("client-1"), "prompts/get")]
    {
        let asking = Asking::again(&sealed, client, method, params.as_object().unwrap()).unwrap();
        let found = asking.ask(&[name("who", true)], &mut |_| false);
        assert_eq!(found, Err(Unasked::Stale), "{client:?} {method}");
    }
    let forged = replied(&json!("sealed-0-TAMPERED"), json!({}));
    assert_eq!(round(&sealed, &forged, &[name("who", true)]).0, Err(Unasked::Stale));
}

#[test]
fn only_what_the_client_has_declared_is_asked() {
    let sampling = Question { key: "s", input: Input::Sampling(json!({})), bound: false };
    let (found, deferred) = round(&Sealed::default(), &call(&json!({})), &[sampling]);
    assert_eq!((found, deferred), (Err(Unasked::Undeclared("sampling")), None));
}

#[test]
fn without_a_key_nobody_can_be_asked_to_come_again() {
    let sealed = Sealed::default();
    sealed.without_key.set(true);
    assert_eq!(round(&sealed, &call(&json!({})), &[name("who", true)]).0, Err(Unasked::Unreachable));
}

#[test]
fn what_has_not_the_form_of_a_reply_is_asked_for_again() {
    for wrong in
        [json!(12345), json!({}), json!({ "action": "accept" }), json!({ "action": "agree", "content": {} })]
    {
        let params = call(&json!({ "inputResponses": { "who": wrong } }));
        assert_eq!(
            round(&Sealed::default(), &params, &[name("who", false)]).0,
            Err(Unasked::Deferred),
            "{wrong}"
        );
    }
    for (key, wrong) in
        [("inputResponses", json!(null)), ("inputResponses", json!([])), ("requestState", json!(5))]
    {
        let params = call(&json!({ key: wrong }));
        let sealed = Sealed::default();
        let made = Asking::again(&sealed, None, "tools/call", params.as_object().unwrap());
        assert!(matches!(made, Err(Fault::InvalidParams(_))), "{key} {wrong}");
    }
}

/// Ask a legacy client that replies so.
fn meanwhile(reply: Option<Value>) -> (Result<Vec<Value>, Unasked>, Vec<Value>) {
    let world = World::new();
    world.office.replies.borrow_mut().push(reply);
    let caller = world.authenticate(GOOD).unwrap();
    let mut sent = Vec::new();
    let found = Asking::Meanwhile(&*caller).ask(&[name("who", true)], &mut |request| {
        sent.push(request.clone());
        true
    });
    (found, sent)
}

#[test]
fn a_legacy_client_is_asked_on_its_stream_and_its_reply_is_awaited() {
    let (found, sent) = meanwhile(Some(json!({ "result": accepted("ada") })));
    assert_eq!(found, Ok(vec![accepted("ada")]));
    assert_eq!(sent[0]["id"], "question-1");
    assert_eq!(sent[0]["method"], "elicitation/create");
}

#[test]
fn silence_an_error_and_nonsense_are_no_replies() {
    assert_eq!(meanwhile(None).0, Err(Unasked::NoReply));
    let refused = json!({ "error": { "code": -32601, "message": "Method not found" } });
    assert_eq!(meanwhile(Some(refused)).0, Err(Unasked::Refused));
    assert_eq!(meanwhile(Some(json!({ "result": { "yes": true } }))).0, Err(Unasked::Refused));
}

#[test]
fn a_caller_with_too_many_open_questions_is_told_to_wait() {
    let world = World::new();
    let caller = world.authenticate(GOOD).unwrap();
    let found = Asking::Meanwhile(&*caller).ask(&[name("who", true)], &mut |_| panic!("nothing is sent"));
    assert_eq!(found, Err(Unasked::Busy(9)));
}
