//! A world for tests: a Gitea in memory that keeps what it was asked, a policy, settings, and a trail.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

mod forge;
mod ports;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;

pub(crate) use forge::Route;

use super::{CATALOGUE, Catalogue, kit};
use crate::access::{self, Asked, Ground, Refused};
use crate::client::Silent;
use crate::ports::{Claims, Event, Method, Outcome, Remark, Request};
use crate::reply::{Finished, Screen};
use crate::settings::Config;

/// Reads and writes are allowed by policy.
pub(crate) const OPEN_POLICY: &str = "defaults: {read: allow, write: allow}\n";

/// One world. Clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: Rc<RefCell<State>>,
    settings: Rc<BTreeMap<String, String>>,
    policy: Rc<Vec<(String, Vec<u8>)>>,
}

/// What happened in it, and how it behaves.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) routes: Vec<Route>,
    pub(crate) requests: Vec<Request>,
    pub(crate) events: Vec<Event>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) remarks: Vec<Remark>,
    pub(crate) metrics: Vec<(String, String)>,
    /// Lines of the log: level, event and context.
    pub(crate) logged: Vec<String>,
    pub(crate) cached: BTreeMap<(String, String), (Vec<u8>, u32)>,
    /// Everything that must come in an order, in that order.
    pub(crate) order: Vec<&'static str>,
    pub(crate) no_intents: bool,
    /// Jobs that are under way.
    pub(crate) running: Vec<String>,
    /// Jobs that were handed to the host, and their pauses.
    pub(crate) handed: Vec<(String, u32)>,
    pub(crate) no_outcomes: bool,
    pub(crate) no_room: bool,
    pub(crate) clock: u64,
    /// Microseconds by which the clock moves when it is read; 1,000 where nothing is said.
    pub(crate) tick: u64,
}

/// How a call ended before it could be told to anybody.
#[derive(Debug)]
pub(crate) enum Stopped {
    Argument(kit::ArgumentError),
    Refused(Refused),
    Failed(kit::Error),
}

impl Stopped {
    pub(crate) fn failed(self) -> kit::Error {
        match self {
            Self::Failed(error) => error,
            Self::Argument(error) => panic!("refused: {error}"),
            Self::Refused(refused) => panic!("refused: {refused:?}"),
        }
    }
}

impl World {
    /// A world with this policy and these settings, on top of a writable default.
    pub(crate) fn with(policy: &str, settings: &[(&str, &str)]) -> Self {
        let mut all = BTreeMap::from([
            ("GITEA_URL".to_owned(), "https://git.example.test".to_owned()),
            ("WRITE_MODE".to_owned(), "true".to_owned()),
            ("WRITE_ALLOW_ALL_TOKEN_REPOS".to_owned(), "true".to_owned()),
        ]);
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let document = aegis_policy::Document::parse(policy.as_bytes());
        let policy = document.unwrap_or_else(|problems| panic!("{problems:?}")).prepare();
        Self { state: Rc::default(), settings: Rc::new(all), policy: Rc::new(policy) }
    }

    pub(crate) fn open() -> Self {
        Self::with(OPEN_POLICY, &[])
    }

    /// Gitea answers `line` ("GET /repos/acme/site?page=1": these query parameters at least) with 200.
    pub(crate) fn on(self, line: &str, body: Value) -> Self {
        self.route(Route::new(line, 200, body))
    }

    pub(crate) fn route(self, route: Route) -> Self {
        self.state.borrow_mut().routes.push(route);
        self
    }

    pub(crate) fn config(&self) -> Config {
        Config::load(self).expect("the settings of the test are good")
    }

    /// Parse, decide, run and screen, as the path of a tool call does.
    pub(crate) fn call(&self, tool: &str, arguments: Value) -> Result<Finished, Stopped> {
        self.call_with(&CATALOGUE, tool, arguments, None, false)
    }

    /// The same, of another catalogue.
    pub(crate) fn call_in(
        &self,
        catalogue: &Catalogue,
        tool: &str,
        arguments: Value,
    ) -> Result<Finished, Stopped> {
        self.call_with(catalogue, tool, arguments, None, false)
    }

    /// The same for somebody of this login, who asks for what is withheld or does not.
    pub(crate) fn call_as(
        &self,
        tool: &str,
        arguments: Value,
        login: Option<&str>,
        show_withheld: bool,
    ) -> Result<Finished, Stopped> {
        self.call_with(&CATALOGUE, tool, arguments, login, show_withheld)
    }

    fn call_with(
        &self,
        catalogue: &Catalogue,
        tool: &str,
        arguments: Value,
        login: Option<&str>,
        show_withheld: bool,
    ) -> Result<Finished, Stopped> {
        let entry = catalogue.find(tool).expect("the tool exists");
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let prepared = entry.parse(arguments).map_err(Stopped::Argument)?;
        let target = prepared.target();
        let config = self.config();
        let claims = claims(&["read:repository", "write:repository"]);
        let asked = Asked { tool, class: entry.class(), target: &target };
        let permit = access::decide(self, &config, &claims, &asked).map_err(Stopped::Refused)?;
        let ground = Ground {
            settings: self,
            cache: self,
            limits: self,
            clock: self,
            client: &Silent,
            telemetry: self,
            config: &config,
            login,
            show_withheld,
        };
        let before = self.state.borrow().requests.len();
        let reply = prepared.run(permit.open(self, ground));
        for request in self.state.borrow().requests.iter().skip(before) {
            declared(entry, request);
        }
        let reply = reply.map_err(Stopped::Failed)?;
        let finished = Screen::new(&config).finish(reply);
        fits(&finished.structured, &entry.answer().whole_schema(), tool);
        Ok(finished)
    }

    /// What the call answered.
    pub(crate) fn answer(&self, tool: &str, arguments: Value) -> Value {
        self.call(tool, arguments).unwrap_or_else(|stopped| panic!("{stopped:?}")).structured
    }

    /// Why the tool came to no result.
    pub(crate) fn failure(&self, tool: &str, arguments: Value) -> kit::Error {
        self.call(tool, arguments).expect_err("the tool fails").failed()
    }

    /// The requests so far, as lines.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.borrow().requests.iter().map(forge::line).collect()
    }

    /// Requests other than GET.
    pub(crate) fn written(&self) -> Vec<Request> {
        self.state.borrow().requests.iter().filter(|request| request.method != Method::Get).cloned().collect()
    }
}

pub(crate) fn claims(scopes: &[&str]) -> Claims {
    Claims {
        subject: "key-1".to_owned(),
        login: None,
        client: None,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    }
}

/// A tool sends nothing that it does not declare.
fn declared(entry: &dyn kit::Entry, request: &Request) {
    let template = request.template;
    let known = match request.method {
        Method::Get => entry.reads().contains(&template),
        Method::Post | Method::Patch | Method::Delete => {
            entry.writes().iter().any(|row| row.method() == request.method && row.template() == template)
        }
    };
    assert!(known, "{} sends {:?} {template} without declaring it", entry.name(), request.method);
}

/// The value has no field that the schema does not declare, and every field has its type.
pub(crate) fn fits(value: &Value, schema: &Value, at: &str) {
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let right = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("{at}: unknown type {other}"),
    };
    assert!(right, "{at}: {value} is not {kind}");
    for (key, value) in value.as_object().into_iter().flatten() {
        let schema = schema.get("properties").and_then(|properties| properties.get(key));
        // What LOCKDOWN adds is in no schema: it would cost everybody who does without.
        let added = super::outsiders::ADDED.iter().find(|(name, _, _)| name == key);
        let added = added.map(|(_, kind, _)| serde_json::json!({ "type": kind }));
        let schema = schema.or(added.as_ref());
        fits(value, schema.unwrap_or_else(|| panic!("{at}: {key} is not declared")), &format!("{at}/{key}"));
    }
    for value in value.as_array().into_iter().flatten() {
        fits(value, schema.get("items").unwrap_or_else(|| panic!("{at}: no items")), at);
    }
}
