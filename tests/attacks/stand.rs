//! A server, its Gitea, and everything that came out of either: what the runs on it said is judged when the server
//! has stopped, since only then every audit line is written.

use std::collections::{BTreeMap, BTreeSet};

use aegis_tests::forge::world::{
    ALICE_TOKEN, BOB_TOKEN, CAROL_TOKEN, MALLORY_TOKEN, NO_ORGANISATION_TOKEN, READONLY_TOKEN,
    REPOSITORY_ONLY_TOKEN, SVC_TOKEN,
};
use aegis_tests::forge::{BIDI, CANARY, CANARY_TOKEN, Forge, Options};
use aegis_tests::http::{Answer, send};
use aegis_tests::server::{KEY, OTHER_KEY, Server, Setup, free_port};
use serde_json::{Value, json};

use crate::canned::Playback;
use crate::data::Case;
use crate::fill::{Names, percent, to_bytes};

/// Where Gitea is.
pub enum Gitea {
    Forge(Forge),
    Playback(Playback),
}

/// What the audit log must hold about one answer.
pub struct Due {
    pub run: String,
    pub request_id: String,
    pub expected: Value,
}

/// A text that must be in no output but the answers of these numbers.
struct Secret {
    text: String,
    but: BTreeSet<usize>,
}

/// A running server and its Gitea.
pub struct Stand {
    pub server: Server,
    pub gitea: Gitea,
    pub names: Names,
    pub due: Vec<Due>,
    /// Some requests on it were not followed one by one, so lines may have no answer of ours.
    pub loose: bool,
    /// Everything that was answered, with the run it belongs to.
    heard: Vec<(String, String)>,
    secrets: Vec<Secret>,
}

/// The login of an account to its token.
fn token(name: &str) -> &'static str {
    match name {
        "alice" => ALICE_TOKEN,
        "bob" => BOB_TOKEN,
        "carol" => CAROL_TOKEN,
        "mallory" => MALLORY_TOKEN,
        "reading" => READONLY_TOKEN,
        "repository_only" => REPOSITORY_ONLY_TOKEN,
        "no_organisation" => NO_ORGANISATION_TOKEN,
        _ => SVC_TOKEN,
    }
}

const PEOPLE: [&str; 8] =
    ["alice", "bob", "carol", "mallory", "reading", "repository_only", "no_organisation", "svc"];

/// Names that mean the same on every server.
pub fn common() -> Names {
    let mut names = Names::default();
    names.set("key", KEY);
    names.set("other_key", OTHER_KEY);
    names.set("canary", CANARY);
    names.set("canary_token", CANARY_TOKEN);
    names.set("bidi", BIDI.to_string());
    for person in PEOPLE {
        names.set(&format!("token_of.{person}"), token(person));
    }
    names
}

/// A server for a case, whose audit log has a place and whose Gitea is not known yet.
pub fn base(case: &Case) -> Setup {
    Setup::new("", token(case.token.as_deref().unwrap_or("svc")))
}

/// The same with its Gitea and a case's settings.
pub fn dressed(mut setup: Setup, case: &Case, names: &Names, gitea: &str) -> Result<Setup, String> {
    setup = setup.set("GITEA_URL", gitea);
    if let Some(repositories) = &case.writes {
        setup = setup.writes(repositories);
    }
    if let Some(policy) = &case.policy {
        // Bytes, since a policy that is no text is an attack too.
        let path = setup.folder().join("policy.yaml");
        std::fs::write(&path, to_bytes(&names.text(policy)?)).map_err(|error| error.to_string())?;
        setup = setup.set("POLICY_FILE_PATH", &path.display().to_string());
    }
    for (name, value) in &case.settings {
        let value = names.text(value)?;
        setup = if value == "(unset)" { setup.unset(name) } else { setup.set(name, &value) };
    }
    if !case.wrapped.is_empty() {
        setup = setup.wrapped_in(&case.wrapped.iter().map(String::as_str).collect::<Vec<_>>());
    }
    Ok(setup)
}

impl Stand {
    /// Start what a case needs.
    pub async fn start(case: &Case, names: &Names) -> Result<Self, String> {
        let mut names = names.clone();
        // The forge looks for each intent on disk.
        let base = base(case);
        let audit = base.audit_path();
        let gitea = match &case.gitea {
            Some(answers) => {
                // Names that a spelling or the server's own address is part of are not known yet.
                for (known, value) in &case.names {
                    if let Ok(filled) = names.value(value) {
                        names.set(known, filled);
                    }
                }
                let mut answers = answers.clone();
                for answer in &mut answers {
                    answer.body = names.text(&answer.body)?;
                }
                Gitea::Playback(Playback::start(&answers).await)
            }
            None => Gitea::Forge(Forge::start(Options { audit: Some(audit), ..Options::default() }).await),
        };
        let url = match &gitea {
            Gitea::Forge(forge) => forge.url(),
            Gitea::Playback(playback) => playback.url.clone(),
        };
        names.set("gitea", url.as_str());
        if case.oauth {
            application(&url, &mut names).await?;
        }
        let server = dressed(base, case, &names, &url)?.start().await;
        let host = server.url.trim_start_matches("http://").to_owned();
        names.set("origin", server.url.as_str());
        names.set("host", host.as_str());
        names.set("last", format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        let own = [KEY, OTHER_KEY, CANARY, CANARY_TOKEN];
        let secrets = own
            .into_iter()
            .chain(PEOPLE.map(token))
            .map(|text| Secret { text: text.to_owned(), but: BTreeSet::new() });
        let secrets = secrets.collect();
        Ok(Self { server, gitea, names, due: Vec::new(), loose: false, heard: Vec::new(), secrets })
    }

    /// `host:port` of the server.
    pub fn authority(&self) -> String {
        self.server.url.trim_start_matches("http://").to_owned()
    }

    /// How many answers this server has given.
    pub fn answers(&self) -> usize {
        self.heard.len()
    }

    /// Keep an answer for the search; gives its number.
    pub fn hear(&mut self, run: &str, answer: &Answer) -> usize {
        let head: Vec<String> =
            answer.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.heard.push((run.to_owned(), format!("{}\n\n{}", head.join("\n"), answer.text())));
        self.heard.len() - 1
    }

    /// From now on no output may hold this, but for the answer that gave it.
    pub fn secret(&mut self, text: &str, given_by: Option<usize>) {
        if text.is_empty() {
            return;
        }
        match self.secrets.iter_mut().find(|secret| secret.text == text) {
            Some(known) => known.but.extend(given_by),
            None => self.secrets.push(Secret { text: text.to_owned(), but: given_by.into_iter().collect() }),
        }
    }

    /// What Gitea was asked since `forget`, as `METHOD /path?query`.
    pub fn upstream(&self) -> Vec<String> {
        match &self.gitea {
            Gitea::Playback(playback) => playback.requests(),
            Gitea::Forge(forge) => {
                let line = |seen: aegis_tests::forge::Seen| {
                    let mark = if seen.query.is_empty() { "" } else { "?" };
                    format!("{} {}{mark}{}", seen.method, seen.path, seen.query)
                };
                forge.requests().into_iter().map(line).collect()
            }
        }
    }

    /// Begin the count of Gitea's requests anew, after looking for what must never be sent.
    pub fn forget(&self) -> Result<(), String> {
        match &self.gitea {
            Gitea::Playback(playback) => playback.forget(),
            Gitea::Forge(forge) => {
                let wrong = forge.violations();
                if !wrong.is_empty() {
                    return Err(format!("Gitea was sent what it must never be sent: {wrong:?}"));
                }
                forge.forget();
            }
        }
        Ok(())
    }

    /// Stop the server and judge what is left: every audit line, and every output for every secret. Gives the
    /// complaints, each with its run.
    pub async fn end(self) -> Vec<(String, String)> {
        let mut wrong: Vec<(String, String)> = Vec::new();
        let last = self.heard.last().map(|(run, _)| run.clone()).unwrap_or_default();
        if let Err(problem) = self.forget() {
            wrong.push((last.clone(), problem));
        }
        if let Gitea::Playback(playback) = &self.gitea {
            let trapped = playback.trapped();
            if !trapped.is_empty() {
                wrong.push((last.clone(), format!("another origin was asked: {trapped:?}")));
            }
        }
        let mut outputs: Vec<(String, Option<usize>, String)> = Vec::new();
        for target in ["/metrics", "/health", "/ready", "/"] {
            match send(&self.server.url, "GET", target, &[], b"").await {
                Ok(answer) => outputs.push((target.to_owned(), None, answer.text())),
                Err(error) => wrong.push((last.clone(), format!("{target} is not answered: {error}"))),
            }
        }
        let stopped = self.server.stop().await;
        if stopped.code != 0 {
            wrong.push((last.clone(), format!("the server ended with {}:\n{}", stopped.code, stopped.log)));
        }
        wrong.extend(lines_due(&self.due, &stopped.audit, self.loose));
        let on_disk = std::fs::read_to_string(&stopped.audit_path).unwrap_or_default();
        outputs.push(("the audit log".to_owned(), None, on_disk));
        outputs.push(("the log".to_owned(), None, stopped.log.clone()));
        for (number, (run, text)) in self.heard.into_iter().enumerate() {
            outputs.push((run, Some(number), text));
        }
        for secret in &self.secrets {
            for (place, number, text) in &outputs {
                if number.is_some_and(|number| secret.but.contains(&number)) {
                    continue;
                }
                if let Some(at) = text.find(&secret.text) {
                    let before: String = text[..at].chars().rev().take(160).collect();
                    let before: String = before.chars().rev().collect();
                    let shown: String = secret.text.chars().take(12).collect();
                    wrong.push((
                        number.map_or(last.clone(), |_| place.clone()),
                        format!("{place} holds `{shown}..` after `{before}`"),
                    ));
                }
            }
        }
        wrong
    }
}

/// Hold the audit log against what is due.
fn lines_due(due: &[Due], lines: &[Value], loose: bool) -> Vec<(String, String)> {
    let mut of_request: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in lines {
        if let Some(id) = line["request_id"].as_str() {
            of_request.entry(id).or_default().push(line);
        }
    }
    let mut wrong = Vec::new();
    for Due { run, request_id, expected } in due {
        let found = of_request.remove(request_id.as_str()).unwrap_or_default();
        if let Err(problem) = agree(expected, &found) {
            wrong.push((run.clone(), format!("audit: {problem}")));
        }
    }
    if !loose {
        let run = due.last().map(|due| due.run.clone()).unwrap_or_default();
        for (id, lines) in of_request {
            wrong.push((run.clone(), format!("audit lines of no answer ({id}): {lines:?}")));
        }
    }
    wrong
}

fn agree(expected: &Value, found: &[&Value]) -> Result<(), String> {
    let matches = |line: &Value, wanted: &Value| {
        wanted.as_object().is_some_and(|fields| {
            fields.iter().all(|(name, value)| line.pointer(&format!("/{name}")) == Some(value))
        })
    };
    let fine = match expected {
        Value::String(word) => match word.as_str() {
            "none" => found.is_empty(),
            "some" => !found.is_empty(),
            other => return Err(format!("`{other}` says nothing about lines")),
        },
        Value::Object(wanted) => match (wanted.get("one_of").and_then(Value::as_array), found) {
            (Some(lines), [line]) => lines.iter().any(|wanted| matches(line, wanted)),
            (None, [line]) => matches(line, expected),
            _ => false,
        },
        Value::Array(wanted) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(line, wanted)| matches(line, wanted))
        }
        _ => return Err("it is not said which lines are due".to_owned()),
    };
    if fine { Ok(()) } else { Err(format!("due is {expected}, and there is {}", json!(found))) }
}

/// Register this product's application at the sample Gitea, for a server on a port that is free now.
async fn application(gitea: &str, names: &mut Names) -> Result<(), String> {
    let port = free_port();
    let callback = format!("http://127.0.0.1:{port}/oauth/callback");
    names.set("port", port.to_string());
    let body = json!({"name": "aegis", "redirect_uris": [callback], "confidential_client": true}).to_string();
    let login = format!("Basic {}", names.text("{{base64 root:root-has-a-password}}")?);
    let headers = [("content-type", "application/json"), ("authorization", login.as_str())];
    let answer = send(gitea, "POST", "/api/v1/user/applications/oauth2", &headers, body.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let told = answer.json();
    for name in ["client_id", "client_secret"] {
        let text = told[name].as_str().ok_or_else(|| format!("Gitea gives no {name}: {}", answer.text()))?;
        names.set(&format!("app.{name}"), text);
    }
    names.set("callback", percent(&callback));
    Ok(())
}
