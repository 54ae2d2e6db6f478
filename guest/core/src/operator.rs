//! The questions that the command line asks of production code: what is offered, and what a policy means. Nothing here
//! touches a port, so nothing here can act, and nobody who uses the server over the network gets here.
//!
//! A command is a JSON object with the member `command`; the answer is one too. An answer with the member `error` is a
//! refusal of the question itself, with one for a person in `problems` where a document has mistakes.

mod explain;
mod policy;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tools::Catalogue;
use crate::tools::kit::Entry;

/// What can be asked.
#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
enum Command {
    /// The catalogue as a client sees it.
    Tools {},
    /// The JSON schema of policy documents.
    PolicySchema {},
    /// Every rule that is looked at for one call, and which decides.
    PolicyExplain(explain::Question),
    /// The cases of a case file that are not decided as it says.
    PolicyTest(policy::Cases),
    /// What a policy says of calls that were made.
    PolicyReplay(policy::Replay),
}

/// The question cannot be answered.
struct Unanswered {
    /// Why, as one sentence.
    error: String,
    /// The mistakes of a document, as `place: message`.
    problems: Vec<String>,
}

impl Unanswered {
    fn of(error: impl Into<String>) -> Self {
        Self { error: error.into(), problems: Vec::new() }
    }

    fn with(error: &str, problems: Vec<String>) -> Self {
        Self { error: error.to_owned(), problems }
    }
}

/// Answer one question of the command line.
#[must_use]
pub fn operator(command: &str, catalogue: &Catalogue) -> String {
    let answer = match serde_json::from_str(command) {
        Ok(asked) => answer(asked, catalogue),
        Err(error) => Err(Unanswered::of(format!("this is no command of this version: {error}"))),
    };
    let told = |no: Unanswered| json!({"error": no.error, "problems": no.problems});
    answer.unwrap_or_else(told).to_string()
}

fn answer(asked: Command, catalogue: &Catalogue) -> Result<Value, Unanswered> {
    match asked {
        Command::Tools {} => {
            let tools: Vec<Value> = catalogue.tools().map(Entry::definition).collect();
            Ok(json!({"tools": tools, "instructions": catalogue.instructions}))
        }
        Command::PolicySchema {} => Ok(policy::schema(catalogue)),
        Command::PolicyExplain(question) => question.answer(catalogue),
        Command::PolicyTest(cases) => cases.run(catalogue),
        Command::PolicyReplay(replay) => replay.run(catalogue),
    }
}
