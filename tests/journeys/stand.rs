//! A server in front of a Gitea, and the checks that every single answer goes through: its schema, its text, its
//! audit lines, and what Gitea was asked for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aegis_tests::forge::{Forge, Seen};
use aegis_tests::server::{Folder, Server};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::audit;
use crate::wire::{Said, WIRES, Wire, call};

tokio::task_local! {
    /// The tools that have answered in the journeys of one ground.
    pub static CALLED: Arc<Mutex<BTreeSet<String>>>;
}

/// A running server, its Gitea, and what has been heard of it.
pub struct Stand {
    /// The server.
    pub server: Server,
    /// The sample Gitea; none in front of a real one.
    pub forge: Option<Forge>,
    schemas: BTreeMap<String, Validator>,
    classes: BTreeMap<String, &'static str>,
    suffix: String,
    commits: BTreeMap<String, String>,
    heard: Mutex<String>,
    _folder: Folder,
}

impl Stand {
    /// Ask the server for its tools and take their output schemas as the law for every answer.
    pub async fn new(
        server: Server,
        forge: Option<Forge>,
        folder: Folder,
        suffix: String,
        commits: BTreeMap<String, String>,
    ) -> Self {
        // Settings and policies of a test hide tools from `tools/list`, not from the catalogue.
        let catalogue = server.get("/mcp/tools").await.json();
        let tools = catalogue["tools"].as_array().expect("tools").clone();
        let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
        let schemas = tools.iter().map(|tool| {
            let schema = jsonschema::validator_for(&tool["outputSchema"]).expect("a sound output schema");
            (name(tool), schema)
        });
        let class = |tool: &Value| if tool["annotations"]["readOnlyHint"] == true { "read" } else { "write" };
        Self {
            schemas: schemas.collect(),
            classes: tools.iter().map(|tool| (name(tool), class(tool))).collect(),
            server,
            forge,
            suffix,
            commits,
            heard: Mutex::new(String::new()),
            _folder: folder,
        }
    }

    /// The login that an account of the sample world bears here.
    pub fn login(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// The commit behind a branch or tag of `demo`.
    pub fn commit(&self, name: &str) -> &str {
        &self.commits[name]
    }

    /// Arguments that name a repository of the sample world, and these too.
    pub fn at(&self, repository: &str, more: Value) -> Value {
        let (owner, repo) = repository.split_once('/').expect("owner/name");
        let mut all = Map::from_iter([
            ("owner".to_owned(), self.login(owner).into()),
            ("repo".to_owned(), repo.into()),
        ]);
        all.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(all)
    }

    /// Everything that clients were sent so far.
    pub fn heard(&self) -> String {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// One call, with every check that holds for all calls.
    pub async fn say(&self, wire: Wire, tool: &str, arguments: &Value) -> Said {
        let said = call(&self.server, wire, tool, arguments).await;
        self.heard.lock().expect("not poisoned").push_str(&said.seen);
        assert!(!said.correlation_id.is_empty(), "{wire:?} {tool}: no correlation id in {}", said.seen);
        if let Some(result) = &said.result {
            let wrong: Vec<String> = self.schemas[tool]
                .iter_errors(result)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{tool} breaks its output schema: {wrong:?}\n{result}");
            assert!(result["notice"].is_string(), "every answer says that it holds data: {result}");
        }
        said
    }

    /// A call that succeeds, with its two audit lines.
    pub async fn once(&self, wire: Wire, tool: &str, arguments: &Value) -> Value {
        let said = self.say(wire, tool, arguments).await;
        let Some(result) = &said.result else {
            panic!("{wire:?} {tool} {arguments} failed: {} {}: {}", said.status, said.reason, said.message);
        };
        // Outside of the runner nobody keeps count.
        let _ = CALLED.try_with(|called| called.lock().expect("not poisoned").insert(tool.to_owned()));
        let outcome = self.recorded(&said, tool, arguments, "success", None);
        assert!(!audit::calls(&outcome).is_empty(), "no result without Gitea: {outcome}");
        result.clone()
    }

    /// A read that succeeds, on every wire with the same result.
    pub async fn read(&self, tool: &str, arguments: Value) -> Value {
        let mut first = None;
        for wire in WIRES {
            let result = self.once(wire, tool, &arguments).await;
            assert_eq!(first.get_or_insert_with(|| result.clone()), &result, "{wire:?} says the same");
        }
        first.expect("an answer")
    }

    /// A call that gets as far as Gitea and fails: with this status on the direct wire and as a failed result
    /// over MCP, and with its two audit lines. Gives the message.
    pub async fn fails_on(
        &self,
        wire: Wire,
        tool: &str,
        arguments: &Value,
        status: u16,
        reason: &str,
    ) -> String {
        let said = self.say(wire, tool, arguments).await;
        assert_eq!(said.result, None, "{wire:?} {tool} {arguments} succeeded");
        assert_eq!(said.reason, reason, "{wire:?} {tool} {arguments}: {}", said.message);
        let expected = if wire == Wire::Direct { status } else { 200 };
        assert_eq!(said.status, expected, "{wire:?} {tool}: {}", said.message);
        let how = if status == 403 { "denied" } else { "error" };
        self.recorded(&said, tool, arguments, how, Some(reason));
        said.message
    }

    /// The same on every wire. Gives the message.
    pub async fn fails(&self, tool: &str, arguments: Value, status: u16, reason: &str) -> String {
        let mut message = String::new();
        for wire in WIRES {
            message = self.fails_on(wire, tool, &arguments, status, reason).await;
        }
        message
    }

    /// A call that is refused before Gitea is asked for anything, on every wire, with its audit line. Gives the
    /// message and the last audit line's detail.
    pub async fn refused(&self, tool: &str, arguments: Value, status: u16, reason: &str) -> (String, Value) {
        let mut last = (String::new(), Value::Null);
        for wire in WIRES {
            let asked = self.requests().len();
            let said = self.say(wire, tool, &arguments).await;
            assert_eq!(said.reason, reason, "{wire:?} {tool} {arguments}: {}", said.message);
            assert_eq!(said.status, if wire == Wire::Direct { status } else { 200 }, "{}", said.message);
            let line = audit::denied(&self.server, &said.correlation_id).await;
            assert_eq!((&line["reason"], &line["tool"]), (&json!(reason), &json!(tool)), "{line}");
            assert_eq!(self.requests().len(), asked, "a refused call asks Gitea for nothing");
            let opened = audit::of_ticket(&self.server.audit(), &said.correlation_id);
            assert!(opened.is_empty(), "a refused call has no ticket: {opened:?}");
            last = (said.message, line["detail"].clone());
        }
        last
    }

    /// What the sample Gitea was asked so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.forge.as_ref().map(Forge::requests).unwrap_or_default()
    }

    /// How many tools that write the server offers.
    pub fn writes(&self) -> usize {
        self.classes.values().filter(|class| **class == "write").count()
    }

    /// How many requests of this method the sample Gitea has seen.
    pub fn count(&self, method: &str) -> usize {
        self.requests().iter().filter(|seen| seen.method == method).count()
    }

    /// The end of a journey: the product has sent nothing that it must never send.
    pub async fn end(self) -> aegis_tests::server::Stopped {
        if let Some(forge) = &self.forge {
            assert_eq!(forge.violations(), [] as [String; 0]);
        }
        let stopped = self.server.stop().await;
        assert_eq!(stopped.code, 0, "{}", stopped.log);
        stopped
    }

    /// Both audit lines of a call, held against the call and against what Gitea saw. Gives the outcome.
    fn recorded(
        &self,
        said: &Said,
        tool: &str,
        arguments: &Value,
        status: &str,
        reason: Option<&str>,
    ) -> Value {
        let lines = audit::of_ticket(&self.server.audit(), &said.correlation_id);
        let [intent, outcome] = lines.as_slice() else {
            panic!("an intent and an outcome of {}, not {lines:#?}", said.correlation_id);
        };
        let named = |field: &str| arguments.get(field).cloned().unwrap_or(Value::Null);
        assert_eq!(intent["status"], "pending", "{intent}");
        assert_eq!(
            (&intent["tool"], &intent["class"]),
            (&json!(tool), &json!(self.classes[tool])),
            "{intent}"
        );
        assert_eq!((&intent["owner"], &intent["repo"]), (&named("owner"), &named("repo")), "{intent}");
        assert_eq!(intent["principal"], "laptop", "{intent}");
        assert_eq!((&outcome["tool"], &outcome["status"]), (&json!(tool), &json!(status)), "{outcome}");
        assert_eq!(outcome["reason"].as_str(), reason, "{outcome}");
        if self.forge.is_some() {
            let id = &said.correlation_id;
            let seen = self.requests().into_iter().filter(|seen| seen.x_request_id.as_ref() == Some(id));
            audit::agree(&audit::calls(outcome), &seen.collect::<Vec<_>>());
        }
        outcome.clone()
    }
}
