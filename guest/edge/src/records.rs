//! What signing in has to remember, shared by all instances: the registry of `aegis_custody` in a journal. An operation
//! reads all of it, changes it in memory and writes down what changed; where another instance was first it is done
//! again on what that one left. So `work` runs as often as it takes and must do nothing but answer and change.

use std::collections::BTreeMap;
use std::time::Duration;

use aegis_custody::Timestamp;
use aegis_custody::journal::{Fault, Journal, Standing};
use aegis_custody::oauth::registry::{Bounds, Change, Passing, Registry, Row, Table};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::directory::{Directory, draft};
use crate::{environment, settings};

/// Name of the journal's directory.
const JOURNAL: &str = "registry";

/// What codes and claims are called in the journal; tables have their own names.
const PASSING: &str = "passing";

/// How often an operation is begun again because another instance was first.
const TRIES: u32 = 100;

/// The state could not be read or written. The text is for the operator.
#[derive(Debug)]
pub(crate) struct Lost(pub(crate) String);

type Rows = BTreeMap<(String, Vec<u8>), String>;

/// Read something.
///
/// # Errors
/// See [`Lost`].
pub(crate) fn read<T>(work: impl Fn(&Registry, Timestamp) -> T) -> Result<T, Lost> {
    let (_, rows) = standing(&journal()?)?;
    Ok(work(&registry(&rows)?, environment::now()))
}

/// Change something: durable, and seen by every other instance, when this returns.
///
/// # Errors
/// See [`Lost`]. The change may have been made or not.
pub(crate) fn change<T>(work: impl Fn(&mut Registry, Timestamp) -> (T, Vec<Change>)) -> Result<T, Lost> {
    let journal = journal()?;
    for _ in 0..TRIES {
        let (standing, mut rows) = standing(&journal)?;
        let mut registry = registry(&rows)?;
        let passing = registry.passing();
        let now = environment::now();
        let (answer, changes) = work(&mut registry, now);
        let changed = changed(changes, passing, registry.passing())?;
        if changed.is_empty() {
            return Ok(answer);
        }
        let draft = draft();
        if !journal.append(&standing, &written(&changed), &draft)? {
            continue;
        }
        if standing.is_due() {
            apply(&mut rows, changed);
            fold(&journal, &standing, rows, registry, now);
        }
        return Ok(answer);
    }
    Err(Lost("other instances were always faster; try again".to_owned()))
}

impl From<Fault> for Lost {
    fn from(fault: Fault) -> Self {
        Self(fault.to_string())
    }
}

fn journal() -> Result<Journal<Directory>, Lost> {
    Directory::within(JOURNAL).map(|(directory, _)| Journal::new(directory)).map_err(Lost)
}

fn standing(journal: &Journal<Directory>) -> Result<(Standing, Rows), Lost> {
    let standing = journal.read(&draft())?;
    let mut rows = Rows::new();
    for entry in std::iter::once(&standing.whole).chain(&standing.entries).filter(|entry| !entry.is_empty()) {
        let read = understood(entry).ok_or_else(|| {
            Lost(format!("the journal in {JOURNAL} says what no version of this program writes"))
        })?;
        apply(&mut rows, read);
    }
    Ok((standing, rows))
}

/// Write down the whole state, without what is over. Nothing is lost where that fails.
fn fold(
    journal: &Journal<Directory>,
    standing: &Standing,
    mut rows: Rows,
    mut registry: Registry,
    now: Timestamp,
) {
    let passing = registry.passing();
    let changes = registry.collect(now);
    let folded = changed(changes, passing, registry.passing()).and_then(|collected| {
        apply(&mut rows, collected);
        let all = rows.into_iter().map(|((table, key), value)| (table, key, Some(value))).collect::<Vec<_>>();
        journal.fold(standing, &written(&all), &draft()).map_err(Lost::from)
    });
    if let Err(Lost(why)) = folded {
        environment::warn("registry_journal_not_folded", &why);
    }
}

/// One row and its new value; none deletes it.
type Changed = (String, Vec<u8>, Option<String>);

fn changed(changes: Vec<Change>, before: Vec<Passing>, after: Vec<Passing>) -> Result<Vec<Changed>, Lost> {
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).map_err(|_| Lost("a row of the registry is no text".to_owned()))
    };
    let mut changed = Vec::new();
    for Change { table, key, value } in changes {
        changed.push((table.name().to_owned(), key, value.map(text).transpose()?));
    }
    let mut gone: BTreeMap<Vec<u8>, Vec<u8>> = before.into_iter().map(|row| (row.key, row.value)).collect();
    for Passing { key, value } in after {
        if gone.remove(&key).as_ref() != Some(&value) {
            changed.push((PASSING.to_owned(), key, Some(text(value)?)));
        }
    }
    changed.extend(gone.into_keys().map(|key| (PASSING.to_owned(), key, None)));
    Ok(changed)
}

fn apply(rows: &mut Rows, changed: Vec<Changed>) {
    for (table, key, value) in changed {
        match value {
            Some(value) => rows.insert((table, key), value),
            None => rows.remove(&(table, key)),
        };
    }
}

fn written(changed: &[Changed]) -> Vec<u8> {
    let row = |(table, key, value): &Changed| {
        Value::from(vec![
            Value::from(table.as_str()),
            URL_SAFE_NO_PAD.encode(key).into(),
            value.as_deref().map_or(Value::Null, Value::from),
        ])
    };
    Value::from(changed.iter().map(row).collect::<Vec<_>>()).to_string().into_bytes()
}

fn understood(entry: &[u8]) -> Option<Vec<Changed>> {
    let rows: Vec<(String, String, Option<String>)> = serde_json::from_slice(entry).ok()?;
    rows.into_iter()
        .map(|(table, key, value)| Some((table, URL_SAFE_NO_PAD.decode(key).ok()?, value)))
        .collect()
}

fn registry(rows: &Rows) -> Result<Registry, Lost> {
    let of_table = |table: Table| {
        rows.iter().filter(move |((name, _), _)| name == table.name()).map(move |((_, key), value)| Row {
            table,
            key: key.clone(),
            value: value.clone().into_bytes(),
        })
    };
    let (mut registry, unreadable) = Registry::load(Table::ALL.into_iter().flat_map(of_table), bounds());
    if !unreadable.is_empty() {
        // What such a row stood for is over: people sign in again.
        environment::warn("registry_rows_unreadable", &unreadable.len().to_string());
    }
    let passing = rows
        .iter()
        .filter(|((name, _), _)| name == PASSING)
        .map(|((_, key), value)| Passing { key: key.clone(), value: value.clone().into_bytes() });
    registry.load_passing(passing).map_err(|error| Lost(error.to_string()))?;
    Ok(registry)
}

/// Smaller than those of the native host, since every request reads all of it.
fn bounds() -> Bounds {
    let days = |name: &str, usual: u64| {
        Duration::from_secs(settings::number(name, 1..=3650).unwrap_or(usual).saturating_mul(86_400))
    };
    let idle = Duration::from_secs(settings::number("DCR_IDLE_TTL", 3600..=315_360_000).unwrap_or(7_776_000));
    Bounds {
        session_age: days("SESSION_MAX_AGE_DAYS", 180),
        session_idle: days("SESSION_IDLE_DAYS", 60),
        families: 2_048,
        families_per_user: 32,
        approvals: 1_024,
        clients: 1_024,
        users: 1_024,
        codes: 256,
        // Pages live for ten minutes, and as many may be answered in a minute as LOGIN_RATE_LIMIT_PER_MINUTE says.
        claims_per_kind: 4_096,
        client_idle: idle,
        approval_idle: idle,
        ..Bounds::default()
    }
}

#[cfg(test)]
mod tests {
    use aegis_custody::oauth::registry::{Change, Passing, Table};

    use super::{Rows, apply, changed, understood, written};

    fn passing(key: u8, value: &str) -> Passing {
        Passing { key: vec![b'k', key], value: value.as_bytes().to_vec() }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_and_holds_only_what_changed() {
        let changes = vec![
            Change { table: Table::Families, key: vec![0, 255], value: Some(b"{\"v\":1}".to_vec()) },
            Change { table: Table::Grants, key: vec![7], value: None },
        ];
        let before = vec![passing(1, "stays"), passing(2, "changes"), passing(3, "goes")];
        let after = vec![passing(1, "stays"), passing(2, "changed"), passing(4, "comes")];
        let entry = changed(changes, before, after).unwrap();
        assert_eq!(entry.len(), 5);
        assert_eq!(understood(&written(&entry)), Some(entry.clone()));

        let mut rows = Rows::new();
        let gone = ("passing".to_owned(), vec![b'k', 3]);
        rows.insert(gone.clone(), "goes".to_owned());
        apply(&mut rows, entry);
        assert!(!rows.contains_key(&gone));
        assert_eq!(rows.get(&("passing".to_owned(), vec![b'k', 2])).map(String::as_str), Some("changed"));
        assert_eq!(rows.get(&("families".to_owned(), vec![0, 255])).map(String::as_str), Some("{\"v\":1}"));
    }

    #[test]
    fn an_operation_that_changes_nothing_writes_nothing() {
        let same = || vec![passing(1, "a"), passing(2, "b")];
        assert_eq!(changed(Vec::new(), same(), same()).unwrap(), []);
    }

    #[test]
    fn what_no_version_writes_is_not_understood() {
        for entry in ["", "{}", "[[\"t\",\"*\",null]]", "[[\"t\",\"AA\"]]", "[[\"t\",\"AA\",1]]", "[]x"] {
            assert_eq!(understood(entry.as_bytes()), None, "{entry}");
        }
    }
}
