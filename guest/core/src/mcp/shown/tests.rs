//! What lists show, and that what they leave out is refused all the same.

use serde_json::{Value, json};

use crate::mcp::call::Session;
use crate::mcp::fake::{Reader, body};
use crate::mcp::{Post, answer};
use crate::offer::PRODUCT;
use crate::ports::{Class, Ports, Settings};
use crate::selection::Selection;
use crate::tools::CATALOGUE;
use crate::tools::fake::{OPEN_POLICY, World, claims};
use http::{HeaderMap, HeaderName, HeaderValue};

const READ: &[&str] = &["read:repository"];

/// Ask in the legacy era, whose messages are the shorter ones.
fn ask_on(
    world: &World,
    ports: Ports<'_>,
    scopes: &[&str],
    sent: &[(&'static str, &str)],
    message: (&str, Value),
) -> Value {
    let (config, claims) = (world.config(), claims(scopes));
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap())
    };
    let headers: HeaderMap = sent.iter().map(pair).collect();
    let session = Session {
        ports,
        config: &config,
        offer: &PRODUCT,
        selection: Selection::of(&headers).unwrap(),
        caller: world,
        claims: &claims,
        request_id: "request-1",
    };
    let (method, params) = message;
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let post = Post { headers: &headers, body: message.as_bytes(), streams: true, version: "1.2.3" };
    body(&answer(&session, &post, &mut Reader::default()).expect("an answer"))
}

fn ask(world: &World, sent: &[(&'static str, &str)], method: &str, params: Value) -> Value {
    ask_on(world, world.ports(), READ, sent, (method, params))
}

/// The names in a list.
fn listed(world: &World, sent: &[(&'static str, &str)], what: &str) -> Vec<String> {
    let method = if what == "resourceTemplates" { "resources/templates" } else { what };
    let said = ask(world, sent, &format!("{method}/list"), json!({}));
    let entries = said["result"][what].as_array().unwrap_or_else(|| panic!("{said}")).clone();
    entries.iter().filter_map(|entry| entry["name"].as_str()).map(str::to_owned).collect()
}

fn names(of: impl Fn(Class, &str) -> bool) -> Vec<String> {
    let tools = CATALOGUE.tools().filter(|tool| of(tool.class(), tool.name()));
    tools.map(|tool| tool.name().to_owned()).collect()
}

#[test]
fn write_mode_and_policy_hide_what_no_call_could_do() {
    let reads = |class: Class, _: &str| class == Class::Read;
    for (policy, writes, shown) in [
        (OPEN_POLICY, "true", names(|_, _| true)),
        (OPEN_POLICY, "false", names(reads)),
        (aegis_policy::DEFAULT_DOCUMENT, "true", names(reads)),
        ("defaults: {read: deny, write: allow}\n", "true", names(|class, _| class == Class::Write)),
        ("tools: {deny: ['*']}\n", "true", Vec::new()),
        (
            "tools: {deny: [get_issue]}\n",
            "true",
            names(|class, name| reads(class, name) && name != "get_issue"),
        ),
        (
            "tools: {allow: [get_issue, create_issue]}\n",
            "true",
            names(|_, name| name == "get_issue" || name == "create_issue"),
        ),
        ("tools: {allow: [get_issue, create_issue]}\n", "false", names(|_, name| name == "get_issue")),
        // Denied somewhere, allowed elsewhere: shown.
        ("repositories: {a/b: {tools: {deny: ['*']}}}\n", "true", names(reads)),
        // Allowed in one repository alone: shown too, unless it is denied there again, or everywhere.
        (
            "repositories: {a/b: {tools: {allow: [create_issue, get_issue]}}}\n",
            "true",
            names(|class, name| reads(class, name) || name == "create_issue"),
        ),
        (
            "repositories: {a/b: {tools: {allow: [create_issue], deny: [create_issue]}}}\n",
            "true",
            names(reads),
        ),
        (
            "tools: {deny: [create_issue]}\nrepositories: {a/b: {tools: {allow: [create_issue]}}}\n",
            "true",
            names(reads),
        ),
    ] {
        let world = World::with(policy, &[("WRITE_MODE", writes)]);
        assert_eq!(listed(&world, &[], "tools"), shown, "WRITE_MODE={writes} {policy}");
    }
}

#[test]
fn settings_and_headers_narrow_the_list_and_a_missing_scope_does_not() {
    let world = World::with(OPEN_POLICY, &[("TOOLSETS", "issues,files"), ("TOOLS_DENY", "update_issue")]);
    let offered = listed(&world, &[], "tools");
    assert!(offered.contains(&"create_issue".to_owned()) && !offered.contains(&"update_issue".to_owned()));
    assert!(!offered.contains(&"search_code".to_owned()));
    let files = [("x-mcp-toolsets", "files,search"), ("x-mcp-tools", "get_issue,update_issue")];
    assert_eq!(listed(&world, &files, "tools"), ["get_file_tree", "get_file_contents", "get_issue"]);
    let nobody = ask_on(&world, world.ports(), &[], &[], ("tools/list", json!({})));
    assert_eq!(nobody["result"]["tools"].as_array().map(Vec::len), Some(offered.len()));
}

#[test]
fn resources_and_prompts_follow_the_tools_that_they_need() {
    let world = World::open();
    let files = [("x-mcp-toolsets", "files")];
    assert_eq!(listed(&world, &files, "resourceTemplates"), ["readme", "file"]);
    assert_eq!(listed(&world, &files, "prompts"), ["explain_repository"]);
    // What only might be written at the end does not take a prompt away.
    let readonly = World::with(OPEN_POLICY, &[("WRITE_MODE", "false")]);
    assert_eq!(listed(&readonly, &[("x-mcp-readonly", "true")], "prompts").len(), 5);
    let denied = World::with("tools: {deny: [get_file_tree]}\n", &[]);
    assert!(!listed(&denied, &[], "resourceTemplates").contains(&"readme".to_owned()));
    assert!(!listed(&denied, &[], "prompts").contains(&"explain_repository".to_owned()));

    let gone = json!({ "name": "triage_issues", "arguments": { "owner": "acme", "repo": "site" } });
    let said = ask(&world, &files, "prompts/get", gone);
    assert_eq!(said["error"]["code"], -32602);
    assert!(
        said["error"]["message"]
            .as_str()
            .is_some_and(|text| text.ends_with("there are: explain_repository."))
    );
}

#[test]
fn a_resource_is_refused_before_anything_is_read_where_one_of_its_tools_is_left_out() {
    let world = World::open();
    let sent = [("x-mcp-tools", "get_issue")];
    let said = ask(&world, &sent, "resources/read", json!({ "uri": "gitea://acme/site/issues/2" }));
    assert_eq!(said["error"]["data"]["reason"], "tool_not_selected", "{said}");
    assert!(said["error"]["message"].as_str().is_some_and(|text| text.contains("list_issue_comments")));
    let state = world.state.borrow();
    assert!(state.requests.is_empty() && state.events.is_empty());
    let [remark] = state.remarks.as_slice() else { panic!("{:?}", state.remarks) };
    assert_eq!(
        (remark.reason.as_str(), remark.tool.as_deref()),
        ("tool_not_selected", Some("list_issue_comments"))
    );
    assert_eq!(remark.detail, [("header".to_owned(), "X-MCP-Tools".to_owned())]);
}

#[test]
fn suggestions_come_from_selected_tools_alone() {
    let world = World::open();
    let asked = json!({ "ref": { "type": "ref/resource", "uri": "gitea://{owner}/{repo}/readme" },
        "argument": { "name": "owner", "value": "" } });
    let said = ask(&world, &[("x-mcp-toolsets", "files")], "completion/complete", asked);
    assert_eq!(said["result"]["completion"]["values"], json!([]), "{said}");
    let state = world.state.borrow();
    assert!(state.requests.is_empty());
    assert_eq!(
        state.remarks.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(),
        ["tool_not_selected"]
    );
}

/// Settings whose policy cannot be read.
struct NoPolicy;

impl Settings for NoPolicy {
    fn get(&self, _name: &str) -> Option<String> {
        None
    }
    fn prepared(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }
    fn policy_digest(&self) -> String {
        String::new()
    }
}

#[test]
fn a_policy_that_cannot_be_read_shows_nothing_and_is_on_record() {
    for method in ["tools/list", "resources/list", "resources/templates/list", "prompts/list"] {
        let world = World::open();
        let ports = Ports { settings: &NoPolicy, ..world.ports() };
        let said = ask_on(&world, ports, READ, &[], (method, json!({})));
        assert_eq!(said["error"]["data"]["reason"], "policy_unreadable", "{method}: {said}");
        let state = world.state.borrow();
        assert_eq!(
            state.remarks.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(),
            ["policy_unreadable"]
        );
    }
}
