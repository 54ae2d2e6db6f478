//! The official Rust client at a running server, in both protocol eras: it signs in by itself and works, or, as `whole`,
//! uses the whole protocol. One line for each case, `PASS` or `FAIL`.

#![expect(deprecated, reason = "messages are deprecated in the newer era, and served in both")]

mod host;
mod person;
mod whole;

use std::future::Future;
use std::process::ExitCode;

use person::{Connection, Era, Person, setting, wanted_scope};
use serde_json::{Value, json};

const READ: &[&str] = &["read:repository"];
const BOTH: &[&str] = &["read:repository", "write:repository"];

fn place(more: Value) -> Value {
    let name = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let mut arguments = json!({ "owner": name("AEGIS_OWNER", "alice"), "repo": name("AEGIS_REPO", "demo") });
    for (name, value) in more.as_object().expect("an object") {
        arguments[name] = value.clone();
    }
    arguments
}

async fn read(connection: &Connection) {
    let file = connection
        .call("get_file_contents", place(json!({ "filepath": "README.md" })))
        .await
        .expect("a file");
    assert_eq!((&file["path"], &file["type"]), (&json!("README.md"), &json!("text")));
    let text = std::env::var("AEGIS_README").unwrap_or_else(|_| "demo".to_owned());
    assert!(file["content"].as_str().is_some_and(|content| content.contains(&text)), "{file}");
}

/// The scopes that an authorize URL or a token answer names, sorted.
fn scopes(words: &str) -> Vec<&str> {
    let mut all: Vec<&str> = words.split_whitespace().collect();
    all.sort_unstable();
    all
}

/// One parameter of a URL whose value needs no more decoding than this.
fn parameter(url: &str, name: &str) -> String {
    let query = url.split_once('?').expect("a query").1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let value = value.unwrap_or_else(|| panic!("no {name} in {url}"));
    value.replace('+', " ").replace("%20", " ").replace("%3A", ":").replace("%2F", "/")
}

async fn from_nothing(era: Era) {
    let mut person = Person::new(era);
    let connection = person.start().await;
    read(&connection).await;
    assert_eq!(person.visited.len(), 1);
    assert_eq!(scopes(&parameter(&person.visited[0], "scope")), READ);
    assert_eq!(parameter(&person.visited[0], "resource"), setting("AEGIS_URL"));
    assert_eq!(scopes(&person.token("scope").await), READ);
    connection.end().await;
}

/// An access token of the right form that the server never issued.
fn spoiled() -> String {
    format!("aegis_at_{}", "A".repeat(160))
}

async fn renews(era: Era) {
    let mut person = Person::new(era);
    let connection = person.start().await;
    let old = person.token("refresh_token").await;
    person.spoil(&[("access_token", &spoiled())]).await;
    read(&connection).await;
    connection.end().await;
    assert_ne!(person.token("access_token").await, spoiled());
    assert_ne!(person.token("refresh_token").await, old, "the refresh token rotates");
    let connection = person.start().await;
    read(&connection).await;
    connection.end().await;
    assert_eq!(person.visited.len(), 1, "nobody signs in again");
}

async fn asks_again(era: Era) {
    let mut person = Person::new(era);
    person.start().await.end().await;
    let refresh = format!("aegis_rt_{}", "A".repeat(43));
    person.spoil(&[("access_token", &spoiled()), ("refresh_token", &refresh)]).await;
    let connection = person.start().await;
    read(&connection).await;
    connection.end().await;
    assert_eq!(person.visited.len(), 2);
}

/// Open an issue and read it back: it is the person's own.
async fn write(connection: &Connection, title: &str) {
    let made = connection.call("create_issue", place(json!({ "title": title }))).await.expect("an issue");
    let number = &made["issue"]["number"];
    let found =
        connection.call("get_issue", place(json!({ "issue_number": number }))).await.expect("the issue");
    assert_eq!(found["issue"]["title"], json!(title));
    assert_eq!(found["issue"]["author"], json!(setting("AEGIS_LOGIN")));
}

async fn steps_up(era: Era) {
    let mut person = Person::new(era);
    let connection = person.start().await;
    read(&connection).await;
    let refused = connection.call("create_issue", place(json!({ "title": "Must not be opened" }))).await;
    let scope = wanted_scope(&refused.expect_err("a read token may not write"));
    person.widen(&connection, &scope).await;
    assert_eq!(scopes(&parameter(&person.visited[1], "scope")), BOTH, "the union is asked for");
    assert_eq!(scopes(&person.token("scope").await), BOTH);
    write(&connection, &format!("Opened after a step-up by rmcp ({})", era.name())).await;
    connection.end().await;
}

async fn at_once(era: Era) {
    let mut person = Person::greedy(era);
    let connection = person.start().await;
    assert_eq!(scopes(&parameter(&person.visited[0], "scope")), BOTH);
    write(&connection, &format!("Opened at once by rmcp ({})", era.name())).await;
    connection.end().await;
    assert_eq!(person.visited.len(), 1);
}

async fn by_document(era: Era) {
    let document = setting("AEGIS_DOCUMENT");
    let mut person = Person::with_document(era, document.clone());
    let connection = person.start().await;
    read(&connection).await;
    connection.end().await;
    assert_eq!(parameter(&person.visited[0], "client_id"), document);
    assert_eq!(person.kept().await.client_id, document);
}

/// Run one case and say how it went; its panic is printed before its line.
async fn tell(name: &str, era: Era, case: impl Future<Output = ()> + 'static) -> bool {
    let passed = tokio::task::spawn_local(case).await.is_ok();
    println!("{} rmcp signs in: {name}, {}", if passed { "PASS" } else { "FAIL" }, era.name());
    passed
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let local = tokio::task::LocalSet::new();
    if std::env::args().nth(1).as_deref() == Some("whole") {
        return local.run_until(whole::all()).await;
    }
    let all = local.run_until(async {
        let mut all = true;
        for era in [Era::Initialize, Era::Auto] {
            all &= tell("signs in from nothing, by dynamic registration, and reads", era, from_nothing(era))
                .await;
            all &= tell("renews a token that is no longer good, without a browser", era, renews(era)).await;
            all &= tell("asks the person again when nothing it holds is good", era, asks_again(era)).await;
            all &= tell("steps up to writes when a call needs them", era, steps_up(era)).await;
            all &= tell("works with writes at once when it asks for all there is", era, at_once(era)).await;
            all &= tell("names itself by a document instead of registering", era, by_document(era)).await;
        }
        all
    });
    if all.await { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
