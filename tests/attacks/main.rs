//! Every attack that this product knows of, as data (`attacks.yaml`), run against the built program: what it
//! answers, what it asks Gitea, what it writes to the audit log, and that no secret is in any output.
//!
//! `AEGIS_ATTACKS_ONLY=H1,U3` runs these rows alone, and `AEGIS_ATTACKS_OAUTH=0` leaves out the cases of sign-in, which
//! are then counted as skipped.

mod canned;
mod data;
mod fill;
mod judge;
mod person;
mod request;
mod run;
mod sound;
mod stand;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use data::{Case, Row, Start, Step, Table};
use stand::Stand;

/// The attacks that must be in the file.
const ROWS: &[&str] = &[
    "A1", "A2", "A3", "A4", "A5", "A6", "R1", "R2", "R3", "R4", "R5", "P1", "P2", "P3", "P4", "I1", "T1",
    "T2", "T3", "T4", "T5", "T6", "T7", "T8", "C1", "C2", "C3", "H1", "H2", "H3", "H4", "H5", "H6", "H7",
    "H8", "J1", "J2", "Y1", "U1", "U2", "U3", "U4", "L1", "L2", "S1", "S2", "O1", "O2", "W1", "X1", "X2",
    "A7", "A8", "A9", "C4", "C5", "T9", "T10", "X3",
];
/// Answers after which a server is replaced: of one reason from one address it writes a hundred lines a minute.
const ANSWERS: usize = 60;
/// Servers at once.
const SERVERS: usize = 3;

fn sign_in_is_there() -> bool {
    std::env::var_os("AEGIS_ATTACKS_OAUTH").is_none_or(|value| value != "0")
}

/// How the runs of one row went.
#[derive(Default)]
struct Tally {
    runs: usize,
    skipped: usize,
    failed: BTreeMap<String, Vec<String>>,
}

type Tallies = Arc<Mutex<BTreeMap<&'static str, Tally>>>;

fn complain(tallies: &Tallies, row: &'static str, run: &str, problem: String) {
    let mut tallies = tallies.lock().expect("not poisoned");
    tallies.entry(row).or_default().failed.entry(run.to_owned()).or_default().push(problem);
}

/// What must be equal for two cases to share a server.
fn ground(case: &Case) -> String {
    let Case { oauth, settings, policy, writes, token, gitea, wrapped, names, .. } = case;
    let names = gitea.as_ref().map(|_| names);
    format!("{oauth} {settings:?} {policy:?} {writes:?} {token:?} {gitea:?} {names:?} {wrapped:?}")
}

/// `H1.2 a sentence [spelling]`.
fn label(row: &Row, number: usize, case: &Case, spelling: &(Value, Value)) -> String {
    let mut text = format!("{}.{} {}", row.id, number + 1, case.name);
    for value in [&spelling.0, &spelling.1] {
        if !value.is_null() {
            text.push_str(&format!(" [{}]", value.to_string().chars().take(80).collect::<String>()));
        }
    }
    text
}

/// A start that must be refused.
async fn refused_start(case: &Case, spelling: &(Value, Value)) -> Result<(), String> {
    let mut names = stand::common();
    for (known, value) in &case.names {
        let filled = names.value(value)?;
        names.set(known, filled);
    }
    names.set("it", spelling.0.clone());
    let step: Step =
        serde_json::from_value(names.value(&case.steps[0])?).map_err(|error| error.to_string())?;
    let Start { code, says, lacks } = step.start.ok_or("a start")?;
    // Nobody listens there: a start that reads the policy first needs no Gitea.
    let setup = stand::dressed(stand::base(case), case, &names, "http://127.0.0.1:9")?;
    let ended = tokio::spawn(setup.refused()).await;
    let (ended, said) = ended.map_err(|_| "the server started and runs".to_owned())?;
    if ended != code {
        return Err(format!("it must end with {code}, and ended with {ended}: {said}"));
    }
    if let Some(part) = says.iter().find(|part| !said.contains(part.as_str())) {
        return Err(format!("it must say {part:?}: {said}"));
    }
    let secrets = [names.text("{{key}}")?, names.text("{{token_of.svc}}")?];
    if let Some(part) = lacks.iter().chain(&secrets).find(|part| said.contains(part.as_str())) {
        return Err(format!("it must not say {part:?}: {said}"));
    }
    Ok(())
}

/// The cases of one ground, on as many servers as it takes.
async fn on_one_ground(
    table: &'static Table,
    cases: Vec<(&'static Row, usize, &'static Case)>,
    tallies: Tallies,
) {
    let mut stand: Option<Stand> = None;
    let mut of_run: BTreeMap<String, &'static str> = BTreeMap::new();
    for (row, number, case) in cases {
        for spelling in case.runs() {
            let name = label(row, number, case, &spelling);
            of_run.insert(name.clone(), &row.id);
            tallies.lock().expect("not poisoned").entry(&row.id).or_default().runs += 1;
            if case.steps[0].get("start").is_some() {
                if let Err(problem) = refused_start(case, &spelling).await {
                    complain(&tallies, &row.id, &name, problem);
                }
                continue;
            }
            let spent = stand.as_ref().is_some_and(|stand| case.alone || stand.answers() >= ANSWERS);
            if let Some(old) = stand.take_if(|_| spent) {
                close(old, &of_run, &tallies).await;
            }
            if stand.is_none() {
                match Stand::start(case, &stand::common()).await {
                    Ok(new) => stand = Some(new),
                    Err(problem) => complain(&tallies, &row.id, &name, problem),
                }
            }
            let Some(stand) = stand.as_mut() else { continue };
            if let Err(problem) = run::run(table, stand, case, &name, &spelling).await {
                complain(&tallies, &row.id, &name, problem);
            }
        }
    }
    if let Some(old) = stand {
        close(old, &of_run, &tallies).await;
    }
}

async fn close(stand: Stand, of_run: &BTreeMap<String, &'static str>, tallies: &Tallies) {
    for (run, problem) in stand.end().await {
        complain(tallies, of_run.get(&run).copied().unwrap_or("?"), &run, problem);
    }
}

fn summary(table: &Table, tallies: &BTreeMap<&'static str, Tally>) -> Value {
    let rows = table.rows.iter().map(|row| {
        let tally = tallies.get(row.id.as_str());
        let failed = tally.map_or(0, |tally| tally.failed.len());
        let (runs, skipped) = tally.map_or((0, 0), |tally| (tally.runs, tally.skipped));
        let state = json!({"id": row.id, "title": row.title, "cases": row.cases.len(), "run": runs,
            "passed": runs - failed.min(runs), "skipped": skipped, "shown_elsewhere": row.shown.len(),
            "pending": row.pending});
        state
    });
    let rows: Vec<Value> = rows.collect();
    let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_u64()).sum::<u64>();
    json!({"rows": rows.len(), "cases": sum("cases"), "run": sum("run"), "passed": sum("passed"),
        "skipped": sum("skipped"), "pending": rows.iter().filter(|row| !row["pending"].is_null()).count(),
        "sign_in": sign_in_is_there(), "by_row": rows})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_attack_comes_to_what_the_table_says() {
    let table: &'static Table = Box::leak(Box::new(data::table()));
    let only = std::env::var("AEGIS_ATTACKS_ONLY").unwrap_or_default();
    let wanted = |id: &str| only.is_empty() || only.split(',').any(|known| known == id);
    let tallies: Tallies = Arc::default();
    let mut grounds: BTreeMap<String, Vec<(&'static Row, usize, &'static Case)>> = BTreeMap::new();
    for row in table.rows.iter().filter(|row| wanted(&row.id)) {
        for (number, case) in row.cases.iter().enumerate() {
            if case.oauth && !sign_in_is_there() {
                tallies.lock().expect("not poisoned").entry(&row.id).or_default().skipped +=
                    case.runs().len();
                continue;
            }
            let place = if case.alone { format!("{}.{number}", row.id) } else { ground(case) };
            grounds.entry(place).or_default().push((row, number, case));
        }
    }
    let room = Arc::new(tokio::sync::Semaphore::new(SERVERS));
    let tasks: Vec<_> = grounds
        .into_values()
        .map(|cases| {
            let (first, tallies, room) = (cases[0].0, Arc::clone(&tallies), Arc::clone(&room));
            let task = tokio::spawn(async move {
                let _place = room.acquire_owned().await;
                on_one_ground(table, cases, tallies).await;
            });
            (first, task)
        })
        .collect();
    for (row, task) in tasks {
        if let Err(error) = task.await {
            complain(&tallies, &row.id, "a server", format!("the run broke off: {error}"));
        }
    }
    let tallies = tallies.lock().expect("not poisoned");
    println!("{}", summary(table, &tallies));
    let failed: Vec<String> = tallies
        .values()
        .flat_map(|tally| &tally.failed)
        .map(|(run, problems)| format!("{run}\n    {}", problems.join("\n    ")))
        .collect();
    assert!(failed.is_empty(), "{} runs failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_row_of_the_table_is_in_the_file_once_and_has_a_case_or_a_place_where_it_is_shown() {
    let table = data::table();
    let found: Vec<&str> = table.rows.iter().map(|row| row.id.as_str()).collect();
    let (wanted, listed): (BTreeSet<&str>, BTreeSet<&str>) =
        (ROWS.iter().copied().collect(), found.iter().copied().collect());
    assert!(wanted.is_subset(&listed), "missing: {:?}", wanted.difference(&listed).collect::<Vec<_>>());
    assert_eq!(listed.len(), found.len(), "a row is there once");
    for row in &table.rows {
        assert!(
            !row.title.is_empty() && (!row.cases.is_empty() || !row.shown.is_empty()),
            "{} has no case",
            row.id
        );
        let names: BTreeSet<&str> = row.cases.iter().map(|case| case.name.as_str()).collect();
        assert_eq!(names.len(), row.cases.len(), "{}: each case has a name of its own", row.id);
    }
}

#[test]
fn what_is_shown_elsewhere_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for row in data::table().rows {
        for shown in row.shown.iter().filter(|shown| !shown.oauth || sign_in_is_there()) {
            let path = root.join(&shown.at);
            assert!(path.exists(), "{}: {} is not there ({})", row.id, shown.at, shown.what);
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                path.is_dir() || !shown.tests.is_empty() || text.contains(&row.id),
                "{}: {} names neither a test nor the row",
                row.id,
                shown.at
            );
            for test in &shown.tests {
                assert!(
                    text.contains(&format!("fn {test}(")),
                    "{}: {} has no test `{test}`",
                    row.id,
                    shown.at
                );
            }
        }
    }
}
