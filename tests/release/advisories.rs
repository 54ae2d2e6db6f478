//! Known holes of crates (`packaging/advisories.toml`) held against `Cargo.lock`: an affected version fails, a mistake in the
//! table fails, and a table that nobody has looked at for 30 days is warned about.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use semver::{Version, VersionReq};
use serde::Deserialize;

use crate::read;

/// Days after which somebody should have looked again.
const FRESH_DAYS: i64 = 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    checked: toml::value::Datetime,
    advisory: Vec<Advisory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    #[serde(rename = "crate")]
    name: String,
    id: String,
    affected: Vec<String>,
    title: String,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
}

/// Days since 1970 of a date of the Gregorian calendar.
fn day(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March, so that the odd day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs() / 86_400).expect("a day")
}

/// What is wrong with the table itself.
fn mistakes(table: &Table) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for advisory in &table.advisory {
        let Advisory { name, id, affected, title } = advisory;
        if [name, id, title].iter().any(|text| text.trim().is_empty()) || affected.is_empty() {
            found.push(format!("{name} {id}: something is empty"));
        }
        found.extend(affected.iter().filter_map(|range| {
            VersionReq::parse(range).err().map(|error| format!("{name} {id}: {range:?} is no range: {error}"))
        }));
        if !seen.insert((name, id)) {
            found.push(format!("{name} {id} comes twice"));
        }
    }
    found
}

/// The warning that the table is old, where it is.
///
/// # Errors
/// What of `table` is wrong, and which packages of `lock` are affected.
fn judge(table: &str, lock: &str, today: i64) -> Result<Option<String>, Vec<String>> {
    let table: Table = toml::from_str(table).map_err(|error| vec![error.to_string()])?;
    let lock: Lock = toml::from_str(lock).map_err(|error| vec![error.to_string()])?;
    let mut found = mistakes(&table);
    let Some(date) = table.checked.date.filter(|_| table.checked.time.is_none()) else {
        return Err(vec!["checked is no date".to_owned()]);
    };
    let age = today - day(date.year.into(), date.month.into(), date.day.into());
    if age < 0 {
        found.push(format!("checked is {date}, which is yet to come"));
    }
    if table.advisory.is_empty() {
        found.push("the table is empty".to_owned());
    }
    for Package { name, version } in &lock.package {
        // A version before a release has the faults of that release.
        let plain = Version::new(version.major, version.minor, version.patch);
        for advisory in table.advisory.iter().filter(|advisory| advisory.name == *name) {
            let fits = |range: &String| VersionReq::parse(range).is_ok_and(|range| range.matches(&plain));
            if advisory.affected.iter().any(fits) {
                found.push(format!("{name} {version} is affected by {}: {}", advisory.id, advisory.title));
            }
        }
    }
    let stale = age > FRESH_DAYS;
    let warning =
        format!("packaging/advisories.toml was looked at {age} days ago, on {date}: see docs/releasing.md");
    if found.is_empty() { Ok(stale.then_some(warning)) } else { Err(found) }
}

#[test]
fn nothing_that_is_locked_has_a_known_hole() {
    match judge(&read("packaging/advisories.toml"), &read("Cargo.lock"), today()) {
        Ok(None) => {}
        Ok(Some(warning)) => eprintln!("warning: {warning}"),
        Err(found) => panic!("{}", found.join("\n")),
    }
}

const LOCK: &str = "version = 4\n[[package]]\nname = \"h2\"\nversion = \"0.4.15\"\n[[package]]\nname = \"tar\"\nversion = \"0.4.46\"\n";

fn table(rows: &str) -> String {
    format!("checked = 2026-03-01\n{rows}")
}

fn row(name: &str, affected: &str) -> String {
    format!("[[advisory]]\ncrate = \"{name}\"\nid = \"X-1\"\naffected = {affected}\ntitle = \"T\"\n")
}

/// The first of March of 2026.
const CHECKED: i64 = 20_513;

#[test]
fn an_affected_version_is_named() {
    for (range, hit) in [
        ("[\"<0.4.16\"]", true),
        ("[\"<0.3.0\", \">=0.4.0, <0.4.16\"]", true),
        ("[\"*\"]", true),
        ("[\"<0.4.15\"]", false),
        ("[\">=0.4.16\"]", false),
    ] {
        let judged = judge(&table(&row("h2", range)), LOCK, CHECKED);
        let expected = if hit { Err(vec!["h2 0.4.15 is affected by X-1: T".to_owned()]) } else { Ok(None) };
        assert_eq!(judged, expected, "{range}");
    }
    assert_eq!(judge(&table(&row("tar", "[\"<0.4.46\"]")), LOCK, CHECKED), Ok(None), "the fix itself");
    let early = LOCK.replace("0.4.15", "0.4.15-rc.1");
    assert!(
        judge(&table(&row("h2", "[\"<0.4.16\"]")), &early, CHECKED).is_err(),
        "a version before a release"
    );
}

#[test]
fn an_old_table_is_warned_about() {
    let good = table(&row("h3", "[\"*\"]"));
    assert_eq!(judge(&good, LOCK, CHECKED + FRESH_DAYS), Ok(None));
    let warned = judge(&good, LOCK, CHECKED + FRESH_DAYS + 1).expect("no fault").expect("a warning");
    assert!(warned.contains("31 days ago, on 2026-03-01"), "{warned}");
    let early = judge(&good, LOCK, CHECKED - 1).expect_err("a date that is yet to come");
    assert!(early[0].contains("yet to come"), "{early:?}");
}

#[test]
fn a_table_with_a_mistake_fails() {
    let good = row("h3", "[\"*\"]");
    for (bad, says) in [
        (String::new(), "missing field"),
        ("checked = 2026-03-01\nadvisory = []\n".to_owned(), "empty"),
        (good.clone(), "checked"),
        (format!("checked = \"2026-03-01\"\n{good}"), "checked"),
        (format!("checked = 12:00:00\n{good}"), "checked"),
        (format!("checked = 2026-02-30\n{good}"), "checked"),
        (table(&row("h3", "[]")), "empty"),
        (table(&row("h3", "[\"before 3\"]")), "is no range"),
        (table(&row("", "[\"*\"]")), "empty"),
        (table(&format!("{good}{good}")), "comes twice"),
        (table(&good.replace("title", "titel")), "titel"),
        (table("[[advisory]"), "TOML"),
    ] {
        let found = judge(&bad, LOCK, CHECKED).expect_err(&bad).join("\n");
        assert!(found.contains(says), "{bad}\n{found}");
    }
    assert!(judge(&table(&good), "package = 3", CHECKED).is_err(), "a lock that cannot be read");
}

#[test]
fn days_are_counted_as_calendars_do() {
    for (date, expected) in
        [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2000, 3, 1), 11_017), ((2026, 3, 1), CHECKED)]
    {
        assert_eq!(day(date.0, date.1, date.2), expected, "{date:?}");
    }
}
