//! Tools that ask their client something first. What they answer repeats the replies.
//!
//! Legacy clients are asked while they wait, modern ones come again; which of the two is core's business, and no tool here
//! can tell.

use aegis_core::client::{Client, Input, Question, Unasked};
use aegis_core::ports::Level;
use aegis_core::reply::Reply;
use aegis_core::tools::kit::{Entry, Error};
use serde_json::{Map, Value, json};

use super::{Fixture, schemas, text};

pub(super) const TOOLS: &[&dyn Entry] = &[
    &SAMPLING,
    &ELICITATION,
    &ELICITATION_DEFAULTS,
    &ELICITATION_ENUMS,
    &MISSING_CAPABILITY,
    &STREAMING_ELICITATION,
    &NAME,
    &CAPITAL,
    &ROOTS,
    &STATE,
    &SEVERAL,
    &ROUNDS,
    &TAMPERED,
    &CAPABILITIES,
];

static SAMPLING: Fixture = Fixture {
    takes: || schemas::arguments(&json!({ "prompt": { "type": "string" } }), &["prompt"]),
    asks: |arguments, client| client.ask(&[sampling("sample", argument(arguments, "prompt"), 100)]),
    ..Fixture::plain("test_sampling", "Sampling", "Asks the client's model.", |replies, _| {
        Ok(text(format!("LLM response: {}", at(replies, 0, "/content/text"))))
    })
};

static ELICITATION: Fixture = Fixture {
    takes: || schemas::arguments(&json!({ "message": { "type": "string" } }), &["message"]),
    asks: |arguments, client| {
        let fields = json!({
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        });
        client.ask(&[elicitation("user", argument(arguments, "message"), &fields)])
    },
    ..Fixture::plain("test_elicitation", "Elicitation", "Asks the client's person.", |replies, _| {
        Ok(text(format!("User response: <{}>", outcome(replies, "action: ", ", content: "))))
    })
};

static ELICITATION_DEFAULTS: Fixture = Fixture {
    asks: |_, client| {
        let fields = json!({
            "name": { "type": "string", "default": "John Doe" },
            "age": { "type": "integer", "default": 30 },
            "score": { "type": "number", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "default": true },
        });
        client.ask(&[elicitation("person", "Please look at what is filled in", &fields)])
    },
    ..Fixture::plain(
        "test_elicitation_sep1034_defaults",
        "Elicitation with defaults",
        "Asks with a form that is filled in.",
        completed,
    )
};

static ELICITATION_ENUMS: Fixture = Fixture {
    asks: |_, client| {
        let options = ["option1", "option2", "option3"];
        let titled = |titles: [&str; 3]| {
            let values = ["value1", "value2", "value3"];
            let both =
                values.iter().zip(titles).map(|(value, title)| json!({ "const": value, "title": title }));
            Value::from_iter(both)
        };
        let fields = json!({
            "untitledSingle": { "type": "string", "enum": options },
            "titledSingle": {
                "type": "string",
                "oneOf": titled(["First Option", "Second Option", "Third Option"]),
            },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
            "titledMulti": {
                "type": "array",
                "items": { "anyOf": titled(["First Choice", "Second Choice", "Third Choice"]) },
            },
        });
        client.ask(&[elicitation("choices", "Please choose", &fields)])
    },
    ..Fixture::plain(
        "test_elicitation_sep1330_enums",
        "Elicitation with choices",
        "Asks with a form of choices.",
        completed,
    )
};

static MISSING_CAPABILITY: Fixture = Fixture {
    asks: |_, client| client.ask(&[sampling("greeting", "Say hello", 50)]),
    ..Fixture::plain(
        "test_missing_capability",
        "Sampling needed",
        "Works with sampling only.",
        |replies, _| Ok(text(at(replies, 0, "/content/text"))),
    )
};

static STREAMING_ELICITATION: Fixture = Fixture {
    asks: |_, client| {
        client.log(Level::Info, "A question follows");
        client.ask(&[name()])
    },
    ..Fixture::plain("test_streaming_elicitation", "Question after a message", "Tells, then asks.", greeting)
};

static NAME: Fixture = Fixture {
    asks: |_, client| client.ask(&[name()]),
    ..Fixture::plain("test_input_required_result_elicitation", "A name", "Asks for a name.", greeting)
};

static CAPITAL: Fixture = Fixture {
    asks: |_, client| client.ask(&[sampling("capital_question", "What is the capital of France?", 100)]),
    ..Fixture::plain(
        "test_input_required_result_sampling",
        "A capital",
        "Asks the client's model for a capital.",
        |replies, _| Ok(text(at(replies, 0, "/content/text"))),
    )
};

static ROOTS: Fixture = Fixture {
    asks: |_, client| client.ask(&[roots()]),
    ..Fixture::plain(
        "test_input_required_result_list_roots",
        "Roots",
        "Asks for the client's folders.",
        |replies, _| Ok(text(format!("Roots: {}", listed(replies.first())))),
    )
};

static STATE: Fixture = Fixture {
    asks: |_, client| client.ask(&[confirmation()]),
    ..Fixture::plain(
        "test_input_required_result_request_state",
        "State",
        "Takes a reply only with the state that it was asked with.",
        |_, _| Ok(text("state-ok")),
    )
};

static SEVERAL: Fixture = Fixture {
    asks: |_, client| client.ask(&[name(), sampling("greeting", "Generate a greeting", 50), roots()]),
    ..Fixture::plain(
        "test_input_required_result_multiple_inputs",
        "Several questions",
        "Asks three things at once.",
        |replies, _| {
            let (name, greeting) = (at(replies, 0, "/content/name"), at(replies, 1, "/content/text"));
            Ok(text(format!("{greeting} {name}, you work in {}.", listed(replies.get(2)))))
        },
    )
};

static ROUNDS: Fixture = Fixture {
    asks: |_, client| {
        let step = |key, message, field: &str| {
            let question = elicitation(key, message, &json!({ field: { "type": "string" } }));
            client.ask(&[Question { bound: true, ..question }])
        };
        let mut replies = step("step1", "Step 1: What is your name?", "name")?;
        replies.extend(step("step2", "Step 2: What is your favorite color?", "color")?);
        Ok(replies)
    },
    ..Fixture::plain(
        "test_input_required_result_multi_round",
        "Questions in turn",
        "Asks a second thing after the first.",
        |replies, _| {
            let (name, color) = (at(replies, 0, "/content/name"), at(replies, 1, "/content/color"));
            Ok(text(format!("{name} likes {color}.")))
        },
    )
};

static TAMPERED: Fixture = Fixture {
    asks: |_, client| client.ask(&[confirmation()]),
    ..Fixture::plain(
        "test_input_required_result_tampered_state",
        "Sealed state",
        "Takes a reply only with a state that nobody has changed.",
        |_, _| Ok(text("The state is as it was handed out.")),
    )
};

static CAPABILITIES: Fixture = Fixture {
    asks: |_, client| match client.ask(&[name()]) {
        Err(Unasked::Undeclared(_)) => client.ask(&[sampling("made_up_name", "Make up a name", 50)]),
        asked => asked,
    },
    ..Fixture::plain(
        "test_input_required_result_capabilities",
        "What the client can be asked",
        "Asks the person, or the model where there is no person to ask.",
        |replies, _| {
            let reply = replies.first().cloned().unwrap_or_default();
            Ok(text(format!("Asked and answered: {reply}")))
        },
    )
};

fn elicitation(key: &'static str, message: &str, fields: &Value) -> Question {
    let input = Input::Elicitation { message: message.to_owned(), schema: schemas::form(fields) };
    Question { key, input, bound: false }
}

fn sampling(key: &'static str, prompt: &str, most: u32) -> Question {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    let input = Input::Sampling(json!({ "messages": [message], "maxTokens": most }));
    Question { key, input, bound: false }
}

fn roots() -> Question {
    Question { key: "client_roots", input: Input::Roots, bound: false }
}

fn name() -> Question {
    elicitation("user_name", "What is your name?", &json!({ "name": { "type": "string" } }))
}

fn confirmation() -> Question {
    let question = elicitation("confirm", "Please confirm", &json!({ "ok": { "type": "boolean" } }));
    Question { bound: true, ..question }
}

fn greeting(replies: &[Value], _client: &dyn Client) -> Result<Reply, Error> {
    Ok(text(format!("Hello, {}!", at(replies, 0, "/content/name"))))
}

fn completed(replies: &[Value], _client: &dyn Client) -> Result<Reply, Error> {
    Ok(text(format!("Elicitation completed: {}", outcome(replies, "action=", ", content="))))
}

/// What came of a form, each part behind its words.
fn outcome(replies: &[Value], action: &str, content: &str) -> String {
    let filled = replies.first().and_then(|reply| reply.get("content")).cloned().unwrap_or(json!({}));
    format!("{action}{}{content}{filled}", at(replies, 0, "/action"))
}

/// The folders of a reply.
fn listed(reply: Option<&Value>) -> String {
    let roots = reply.and_then(|reply| reply.get("roots")).and_then(Value::as_array).into_iter().flatten();
    let addresses: Vec<&str> = roots.filter_map(|root| root.get("uri")?.as_str()).collect();
    addresses.join(", ")
}

/// A text in a reply; what nobody said is "nothing".
fn at<'a>(replies: &'a [Value], which: usize, pointer: &str) -> &'a str {
    replies.get(which).and_then(|reply| reply.pointer(pointer)).and_then(Value::as_str).unwrap_or("nothing")
}

fn argument<'a>(arguments: &'a Map<String, Value>, name: &str) -> &'a str {
    arguments.get(name).and_then(Value::as_str).unwrap_or_default()
}
