//! One run of a case: its steps in order, each answer judged at once, its audit lines noted for the end.

use std::collections::{BTreeMap, BTreeSet};

use aegis_tests::http::Answer;
use serde_json::{Value, json};

use crate::data::{Call, Case, Expect, Request, Step, Table};
use crate::fill::{Names, form, to_bytes};
use crate::judge::{self, Said};
use crate::person::{self, Jar};
use crate::request::{request_text, tool_call, unmarked};
use crate::stand::{Due, Gitea, Stand};
use crate::wire::exchange;

/// A run in progress.
pub struct Run<'a> {
    pub table: &'a Table,
    pub stand: &'a mut Stand,
    pub name: String,
    pub names: Names,
    pub jars: BTreeMap<String, Jar>,
    pub page: String,
}

/// A case's steps with one spelling.
pub async fn run(
    table: &Table,
    stand: &mut Stand,
    case: &Case,
    name: &str,
    spelling: &(Value, Value),
) -> Result<(), String> {
    let mut names = stand.names.clone();
    names.set("it", spelling.0.clone());
    names.set("also", spelling.1.clone());
    for (known, value) in &case.names {
        let filled = names.value(value)?;
        names.set(known, filled);
    }
    for text in &case.never {
        let text = names.text(text)?;
        stand.secret(&text, None);
    }
    stand.forget()?;
    let mut run =
        Run { table, stand, name: name.to_owned(), names, jars: BTreeMap::new(), page: String::new() };
    run.steps(&case.steps).await?;
    run.stand.forget()
}

impl Run<'_> {
    async fn steps(&mut self, steps: &[Value]) -> Result<(), String> {
        for (number, raw) in steps.iter().enumerate() {
            let filled = self.names.value(raw)?;
            let step: Step =
                serde_json::from_value(filled).map_err(|error| format!("step {number}: {error}"))?;
            let done = if step.procedure.is_some() {
                Box::pin(self.procedure(&step)).await
            } else {
                self.step(&step).await
            };
            done.map_err(|problem| format!("step {}: {problem}", number + 1))?;
        }
        Ok(())
    }

    async fn procedure(&mut self, step: &Step) -> Result<(), String> {
        let name = step.procedure.as_deref().unwrap_or_default();
        let steps = self
            .table
            .procedures
            .get(name)
            .ok_or_else(|| format!("no procedure is called `{name}`"))?
            .clone();
        let before = self.names.prefix.clone();
        if step.prefix.is_some() {
            self.names.prefix.clone_from(&step.prefix);
        }
        for (known, value) in &step.with {
            self.names.set(known, value.clone());
        }
        let done = self.steps(&steps).await;
        self.names.prefix = before;
        done.map_err(|problem| format!("{name}: {problem}"))
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        self.stand.forget()?;
        if let Some(walk) = &step.at_gitea {
            let Gitea::Forge(forge) = &self.stand.gitea else {
                return Err("nobody signs in there".to_owned());
            };
            let jar = self.jars.entry(walk.browser.clone()).or_default();
            let back = person::at_gitea(&forge.url(), walk, jar).await?;
            self.names.set("back", back);
            return Ok(());
        }
        if let Some(what) = &step.process {
            return self.process(what);
        }
        let expect = step.expect.clone().unwrap_or_default();
        let (said, asked) = self.ask(step).await?;
        if step.times.is_some() {
            return self.many(&expect, &said);
        }
        self.note(&expect, &said);
        self.pieces(&expect, &said)?;
        for said in &said {
            if !expect.statuses.is_null() {
                break;
            }
            judge::answer(&expect, said)?;
        }
        for seen in asked {
            judge::upstream(&expect, &seen)?;
        }
        if let Some(last) = said.last() {
            self.page = last.answer.text();
            self.capture(&step.capture, &last.answer)?;
        }
        Ok(())
    }

    /// The answers, and what Gitea was asked meanwhile: for each wire of a call, else for all of them.
    async fn ask(&mut self, step: &Step) -> Result<(Vec<Said>, Vec<Vec<String>>), String> {
        if let Some(call) = &step.call {
            return self.call(call).await;
        }
        let said = self.request(step).await?;
        Ok((said, vec![self.stand.upstream()]))
    }

    async fn request(&mut self, step: &Step) -> Result<Vec<Said>, String> {
        let plain = |answer: Answer| Said { answer, wire: None };
        let authority = self.stand.authority();
        if let Some(text) = &step.raw {
            return Ok(exchange(&authority, &to_bytes(text)).await?.into_iter().map(plain).collect());
        }
        let Some(request) = &step.send else { return Err("this step does nothing".to_owned()) };
        let Some(times) = step.times else {
            let bytes = self.bytes(request)?;
            let answers = exchange(&authority, &bytes).await?;
            if let (Some(browser), Some(answer)) = (&request.browser, answers.last()) {
                self.jars.entry(browser.clone()).or_default().keep(&authority, answer);
            }
            return Ok(answers.into_iter().map(plain).collect());
        };
        self.stand.loose = true;
        let mut requests = Vec::new();
        for number in 0..times {
            self.names.set("i", number);
            let written = serde_json::to_value(request_text(request)).map_err(|error| error.to_string())?;
            let written = self.names.value(&unmarked(written))?;
            let request: Request = serde_json::from_value(written).map_err(|error| error.to_string())?;
            requests.push(self.bytes(&request)?);
        }
        let mut answers = Vec::new();
        if step.parallel {
            let all: Vec<_> = requests
                .into_iter()
                .map(|bytes| {
                    let authority = authority.clone();
                    tokio::spawn(async move { exchange(&authority, &bytes).await })
                })
                .collect();
            for one in all {
                answers.extend(one.await.map_err(|error| error.to_string())??);
            }
        } else {
            for bytes in requests {
                answers.extend(exchange(&authority, &bytes).await?);
            }
        }
        Ok(answers.into_iter().map(plain).collect())
    }

    /// A request as bytes.
    fn bytes(&self, request: &Request) -> Result<Vec<u8>, String> {
        let authority = self.stand.authority();
        let mut head = String::new();
        for host in request.host.clone().unwrap_or_else(|| vec![authority.clone()]) {
            head.push_str(&format!("Host: {host}\r\n"));
        }
        match request.bearer.as_deref() {
            None => {}
            Some("laptop") => head.push_str(&self.names.text("Authorization: Bearer {{key}}\r\n")?),
            Some("ci") => head.push_str(&self.names.text("Authorization: Bearer {{other_key}}\r\n")?),
            Some(token) => head.push_str(&format!("Authorization: Bearer {token}\r\n")),
        }
        let jar = request.browser.as_ref().and_then(|browser| self.jars.get(browser));
        if let Some(cookies) = jar.and_then(|jar| jar.header(&authority)) {
            head.push_str(&format!("Cookie: {cookies}\r\n"));
        }
        let stated = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let (body, kind) = match (&request.body, &request.json, &request.form) {
            (Some(text), None, None) => {
                (to_bytes(text), Some(request.kind.as_deref().unwrap_or("application/json")))
            }
            (None, Some(json), None) => (to_bytes(&json.to_string()), Some("application/json")),
            (None, None, Some(pairs)) => {
                (form(pairs).into_bytes(), Some("application/x-www-form-urlencoded"))
            }
            (None, None, None) => (Vec::new(), None),
            _ => return Err("a request has one body".to_owned()),
        };
        if let Some(kind) = kind.filter(|_| !stated) {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        for (name, value) in &request.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let method = request.method.as_deref().unwrap_or(if kind.is_some() { "POST" } else { "GET" });
        if kind.is_some() {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes =
            to_bytes(&format!("{method} {} HTTP/1.1\r\n{head}Connection: close\r\n\r\n", request.target));
        bytes.extend(body);
        Ok(bytes)
    }

    async fn call(&mut self, call: &Call) -> Result<(Vec<Said>, Vec<Vec<String>>), String> {
        let (mut all, mut asked) = (Vec::new(), Vec::new());
        let wires = ["modern", "legacy", "stream", "direct"].into_iter().filter(|wire| {
            if call.wires.is_empty() {
                *wire != "stream"
            } else {
                call.wires.iter().any(|known| known == wire)
            }
        });
        for wire in wires {
            self.stand.forget()?;
            let request = tool_call(wire, call);
            let bytes = self.bytes(&request)?;
            let answers = exchange(&self.stand.authority(), &bytes).await?;
            let [answer] = answers.as_slice() else {
                return Err(format!("{wire}: one answer, not {answers:?}"));
            };
            all.push(Said { answer: answer.clone(), wire: Some(wire) });
            asked.push(self.stand.upstream());
        }
        Ok((all, asked))
    }

    /// Statuses of all answers on a connection.
    fn pieces(&self, expect: &Expect, said: &[Said]) -> Result<(), String> {
        if !expect.statuses.is_null() {
            let statuses = json!(said.iter().map(|said| said.answer.status).collect::<Vec<_>>());
            let bodies: Vec<String> = said.iter().map(|said| said.answer.text()).collect();
            let any = expect.statuses.as_object().and_then(|any| any.get("any"));
            let fits = any.map_or(expect.statuses == statuses, |any| {
                any.as_array().is_some_and(|all| all.contains(&statuses))
            });
            if !fits {
                return Err(format!("statuses must be {}, and are {statuses}: {bodies:?}", expect.statuses));
            }
            let (says, lacks) = (expect.says.iter(), expect.lacks.iter());
            let everything: String = said
                .iter()
                .map(|said| format!("{:?}\n{}", said.answer.headers, said.answer.text()))
                .collect();
            if let Some(part) = says.clone().find(|part| !everything.contains(part.as_str())) {
                return Err(format!("it must say {part:?}: {everything}"));
            }
            if let Some(part) = lacks.clone().find(|part| everything.contains(part.as_str())) {
                return Err(format!("it must not say {part:?}: {everything}"));
            }
        } else if said.len() != said.iter().filter(|said| said.wire.is_some()).count().max(1) {
            return Err(format!("one answer must come, and there are {}", said.len()));
        }
        Ok(())
    }

    fn many(&mut self, expect: &Expect, said: &[Said]) -> Result<(), String> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for said in said {
            *counts.entry(said.answer.status.to_string()).or_default() += 1;
            self.stand.hear(&self.name, &said.answer);
        }
        if expect.counts.as_ref() != Some(&counts) {
            return Err(format!("it must come to {:?}, and came to {counts:?}", expect.counts));
        }
        judge::upstream(expect, &self.stand.upstream())
    }

    /// Keep every answer for the search, and note which lines are due.
    fn note(&mut self, expect: &Expect, said: &[Said]) {
        let expected = judge::due(expect);
        let mut ids = BTreeSet::new();
        for said in said {
            self.stand.hear(&self.name, &said.answer);
            let request_id = said.request_id();
            // The host's own answers may have none; the last request of a raw exchange is a probe.
            if !request_id.is_empty() && ids.insert(request_id.clone()) {
                let due = Due { run: self.name.clone(), request_id, expected: expected.clone() };
                self.stand.due.push(due);
            }
        }
    }

    fn capture(&mut self, wanted: &BTreeMap<String, String>, answer: &Answer) -> Result<(), String> {
        for (name, how) in wanted {
            let (secret, how) =
                how.strip_prefix("secret ").map_or((false, how.as_str()), |rest| (true, rest));
            let (kind, place) = how.split_once(' ').unwrap_or((how, ""));
            let header = |name: &str| answer.header(name).map(str::to_owned);
            let found = match kind {
                "json" => answer.json().pointer(place).and_then(Value::as_str).map(str::to_owned),
                "header" => header(place),
                "query" => {
                    let (from, name) = place.split_once(' ').unwrap_or((place, ""));
                    header(from).and_then(|url| person::query(&url, name))
                }
                "field" => person::field(&answer.text(), place),
                "cookie" => {
                    let authority = self.stand.authority();
                    let found = self.jars.values().find_map(|jar| jar.named(&authority, place));
                    found.map(|(name, value)| format!("{name}={value}"))
                }
                _ => return Err(format!("nobody knows how to capture `{how}`")),
            };
            let found =
                found.ok_or_else(|| format!("there is no {how} in {} {}", answer.status, answer.text()))?;
            if secret {
                let given_by = self.stand.answers().checked_sub(1);
                self.stand.secret(&found, given_by);
            }
            self.names.set(name, found);
        }
        Ok(())
    }

    /// What the kernel says of the server's process.
    fn process(&self, what: &str) -> Result<(), String> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", self.stand.server.pid()));
        let limits = limits.map_err(|error| error.to_string())?;
        match what {
            "leaves no core dump" => {
                let line =
                    limits.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
                let soft = line.split_whitespace().nth(4);
                if soft == Some("0") {
                    Ok(())
                } else {
                    Err(format!("a crash would write memory to disk: {line}"))
                }
            }
            other => Err(format!("nobody knows how to see whether a process {other}")),
        }
    }
}
