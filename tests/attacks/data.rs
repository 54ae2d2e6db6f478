//! The file of attacks as types. Whatever is misspelt in it stops the run: an expectation that nobody reads would
//! be a test that cannot fail.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Everything in `attacks.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Steps with a name, for `use`.
    pub procedures: BTreeMap<String, Vec<Value>>,
    /// One for each attack.
    pub rows: Vec<Row>,
}

/// An attack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub id: String,
    pub title: String,
    #[serde(default)]
    pub cases: Vec<Case>,
    /// Tests elsewhere that show what HTTP cannot.
    #[serde(default)]
    pub shown: Vec<Shown>,
    /// Why the row is not whole yet; told in the summary.
    pub pending: Option<String>,
}

/// A file of the project, and the tests in it that show a part of the row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    pub what: String,
    /// Path from the root of the project.
    pub at: String,
    /// Names of test functions.
    #[serde(default)]
    pub tests: Vec<String>,
    /// It comes with sign-in.
    #[serde(default)]
    pub oauth: bool,
}

/// One way to attack: a server, and what is done to it, once for each spelling.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Needs sign-in with Gitea.
    #[serde(default)]
    pub oauth: bool,
    /// Shares its server with no other run.
    #[serde(default)]
    pub alone: bool,
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// The policy document.
    pub policy: Option<String>,
    /// Repositories that may be written to.
    pub writes: Option<String>,
    /// Whose Gitea token the server holds; the bot's if nothing is said.
    pub token: Option<String>,
    /// A Gitea that answers these paths so, in place of the sample Gitea.
    pub gitea: Option<Vec<Canned>>,
    /// Programs to start the server with (`prlimit --core=unlimited`).
    #[serde(default)]
    pub wrapped: Vec<String>,
    /// `it`: the spellings.
    #[serde(default)]
    pub each: Vec<Value>,
    /// `also`: a second list; every spelling meets every entry.
    #[serde(default)]
    pub also: Vec<Value>,
    /// Names and texts, in order; later ones may use earlier ones.
    #[serde(default, rename = "let")]
    pub names: Vec<(String, Value)>,
    /// No output may hold these either.
    #[serde(default)]
    pub never: Vec<String>,
    pub steps: Vec<Value>,
}

/// An answer of a Gitea that is not one.
#[derive(Debug, Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Canned {
    /// A part of the request's target.
    pub on: String,
    pub status: u16,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default)]
    pub body: String,
    /// How often the body is sent; a large number never ends before the reader does.
    pub times: Option<u64>,
}

/// One step.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// An HTTP request.
    pub send: Option<Request>,
    /// Bytes on a connection; what comes back is read until the server closes.
    pub raw: Option<String>,
    /// A tool call on several wires.
    pub call: Option<Call>,
    /// The case's server must refuse to start: exit code, words.
    pub start: Option<Start>,
    /// A person signs in at Gitea and consents there; what comes back is `back`.
    pub at_gitea: Option<AtGitea>,
    /// What the system says about the server's process.
    pub process: Option<String>,
    /// Steps by name.
    #[serde(rename = "use")]
    pub procedure: Option<String>,
    /// Names for the procedure.
    pub with: BTreeMap<String, Value>,
    /// Captures of the procedure get this name before theirs and a dot.
    #[serde(rename = "as")]
    pub prefix: Option<String>,
    /// How often; all at once where `parallel`.
    pub times: Option<usize>,
    pub parallel: bool,
    /// Name to `[secret] json POINTER | header NAME | query HEADER NAME | field NAME | cookie PREFIX`.
    pub capture: BTreeMap<String, String>,
    pub expect: Option<Expect>,
}

/// An HTTP request, sent byte for byte as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: Option<String>,
    pub target: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    /// Media type of the body, where it is not JSON.
    pub kind: Option<String>,
    pub json: Option<Value>,
    pub form: Option<Vec<(String, String)>>,
    /// The bearer credential: `laptop`, `ci`, or a token; none where nothing is said.
    #[serde(rename = "as")]
    pub bearer: Option<String>,
    /// Whose cookies go along and are kept.
    pub browser: Option<String>,
    /// In place of the server's own name; an empty list sends none.
    pub host: Option<Vec<String>>,
}

/// A tool call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub tool: String,
    pub arguments: Value,
    /// `modern`, `legacy`, `stream`, `direct`; all but the stream if nothing is said.
    #[serde(default)]
    pub wires: Vec<String>,
    #[serde(rename = "as")]
    pub bearer: Option<String>,
}

/// A start that must not be one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    pub code: i32,
    #[serde(default)]
    pub says: Vec<String>,
    #[serde(default)]
    pub lacks: Vec<String>,
}

/// A walk through Gitea's pages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtGitea {
    pub url: String,
    pub person: String,
    pub password: String,
    pub browser: String,
}

/// What must come. Where `upstream` is not given, Gitea must hear nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// Status, event, reason: the answer of a refusal, and its one audit line.
    pub refused: Option<(u16, String, String)>,
    /// Status, reason: refused before or instead of a guest; counted, and not in the audit log.
    pub host: Option<(u16, String)>,
    /// Status on the direct wire, reason: a call refused before anything is sent.
    pub tool_refused: Option<(u16, String)>,
    /// The same of a call that failed at Gitea: intent and outcome.
    pub tool_failed: Option<(u16, String)>,
    /// A call that succeeded.
    pub tool_ok: bool,
    pub status: Value,
    /// Statuses of all answers on a raw connection.
    pub statuses: Value,
    /// Status to how often, of a repeated request.
    pub counts: Option<BTreeMap<String, usize>>,
    pub reason: Option<String>,
    /// Code of a JSON-RPC error.
    pub code: Option<i64>,
    pub headers: BTreeMap<String, String>,
    pub header_has: BTreeMap<String, Vec<String>>,
    pub lacks_headers: Vec<String>,
    pub says: Vec<String>,
    pub lacks: Vec<String>,
    /// JSON pointer to value.
    pub json: BTreeMap<String, Value>,
    pub upstream: Option<Vec<String>>,
    /// Every request is one of these (a star at the end stands for anything), and there is one unless `(nothing)`
    /// is among them.
    pub upstream_within: Option<Vec<String>>,
    /// `none`, `some`, fields that the one line must have, or `one_of` several such.
    pub audit: Value,
}

/// The table of the project.
pub fn table() -> Table {
    let text = include_str!("attacks.yaml");
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("tests/attacks/attacks.yaml: {error}"))
}

impl Case {
    /// One run for each spelling and each entry of the second list.
    pub fn runs(&self) -> Vec<(Value, Value)> {
        let or_nothing = |list: &[Value]| if list.is_empty() { vec![Value::Null] } else { list.to_vec() };
        let also = or_nothing(&self.also);
        or_nothing(&self.each)
            .into_iter()
            .flat_map(|it| also.iter().map(move |other| (it.clone(), other.clone())))
            .collect()
    }
}
