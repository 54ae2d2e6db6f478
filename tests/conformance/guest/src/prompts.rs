//! Prompts of the suite.

use aegis_core::client::{Client, Input, Question, Silent, Unasked};
use aegis_core::completion::Completes;
use aegis_core::prompts::{Blank, Filled, Prompt, said};
use serde_json::{Value, json};

use crate::samples::{PNG, PNG_TYPE};
use crate::tools::form;

pub(crate) static PROMPTS: &[&dyn Prompt] =
    &[&SIMPLE, &WITH_ARGUMENTS, &WITH_EMBEDDED_RESOURCE, &WITH_IMAGE, &WITH_QUESTION];

/// A prompt of the suite.
struct Fixture {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    blanks: &'static [Blank],
    fill: fn(&Filled, &dyn Client) -> Result<Vec<Value>, Unasked>,
}

impl Prompt for Fixture {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn description(&self) -> &'static str {
        self.description
    }

    fn blanks(&self) -> &'static [Blank] {
        self.blanks
    }

    fn tools(&self) -> &'static [&'static str] {
        &[]
    }

    /// What there is to say without a client: nothing, where it has to be asked.
    fn messages(&self, filled: &Filled) -> Vec<Value> {
        (self.fill)(filled, &Silent).unwrap_or_default()
    }

    fn fill(&self, filled: &Filled, client: &dyn Client) -> Result<Vec<Value>, Unasked> {
        (self.fill)(filled, client)
    }
}

/// Something that must be filled in.
const fn blank(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    completes: Completes,
) -> Blank {
    Blank { name, title, description, required: true, completes }
}

static SIMPLE: Fixture = Fixture {
    name: "test_simple_prompt",
    title: "Simple prompt",
    description: "One message.",
    blanks: &[],
    fill: |_, _| Ok(vec![said("This is a simple prompt for testing.")]),
};

static WITH_ARGUMENTS: Fixture = Fixture {
    name: "test_prompt_with_arguments",
    title: "Prompt with arguments",
    description: "One message that repeats what was filled in.",
    blanks: &[
        blank(
            "arg1",
            "First argument",
            "First test argument.",
            Completes::Choice(&["paris", "park", "party"]),
        ),
        blank("arg2", "Second argument", "Second test argument.", Completes::Free),
    ],
    fill: |filled, _| {
        let (first, second) = (filled.get("arg1"), filled.get("arg2"));
        Ok(vec![said(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))])
    },
};

static WITH_EMBEDDED_RESOURCE: Fixture = Fixture {
    name: "test_prompt_with_embedded_resource",
    title: "Prompt with a resource",
    description: "A resource within a message.",
    blanks: &[blank("resourceUri", "Resource", "Address of the resource to embed.", Completes::Free)],
    fill: |filled, _| {
        let resource = json!({
            "uri": filled.get("resourceUri"),
            "mimeType": "text/plain",
            "text": "Embedded resource content for testing.",
        });
        Ok(vec![
            json!({ "role": "user", "content": { "type": "resource", "resource": resource } }),
            said("Please process the embedded resource above."),
        ])
    },
};

static WITH_IMAGE: Fixture = Fixture {
    name: "test_prompt_with_image",
    title: "Prompt with a picture",
    description: "A picture within a message.",
    blanks: &[],
    fill: |_, _| {
        let image = json!({ "type": "image", "data": PNG, "mimeType": PNG_TYPE });
        Ok(vec![json!({ "role": "user", "content": image }), said("Please analyze the image above.")])
    },
};

static WITH_QUESTION: Fixture = Fixture {
    name: "test_input_required_result_prompt",
    title: "Prompt with a question",
    description: "One message about what the client was asked.",
    blanks: &[],
    fill: |_, client| {
        let question = Question {
            key: "user_context",
            input: Input::Elicitation {
                message: "What context should the prompt use?".to_owned(),
                schema: form(&json!({ "context": { "type": "string" } })),
            },
            bound: false,
        };
        let replies = client.ask(&[question])?;
        let context = replies.first().and_then(|reply| reply.pointer("/content/context"));
        let context = context.and_then(Value::as_str).unwrap_or("none");
        Ok(vec![said(&format!("Use this context: {context}"))])
    },
};
