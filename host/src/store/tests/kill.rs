//! A process killed with SIGKILL while it saves leaves a registry that holds exactly a prefix of what it
//! committed, and all that it was told is durable.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

const SAVES: usize = 1_000;
const DIRECTORY: &str = "AEGIS_TEST_KILL_DIRECTORY";
/// How many kills, for the long form.
const KILLS: &str = "AEGIS_TEST_KILLS";

/// The process that is killed: not a test of its own.
#[tokio::test]
#[ignore = "runs in a child process of the test below"]
async fn saves_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let storage = PathBuf::from(directory).join("dcr.json");
    let opened = Store::open(&storage, clock());
    let first = opened.rows.iter().filter(|row| row.table == Table::Clients).count();
    let mut waiting = std::collections::VecDeque::new();
    for n in first..first + SAVES {
        let count = (n + 1).to_string();
        let changes = vec![put(Table::Clients, &format!("{n:08}"), "x"), put(Table::Meta, "count", &count)];
        waiting.push_back((n, opened.store.commit(changes)));
        // A few are under way at a time, so that batches differ in size.
        if waiting.len() > n % 7 {
            let (n, done) = waiting.pop_front().unwrap();
            assert_eq!(done.await, Committed::Durable);
            let mut out = io::stdout().lock();
            writeln!(out, "durable {n}").unwrap();
            out.flush().unwrap();
        }
    }
}

/// Run the child and kill it after so many lines; the highest row that was told durable, plus one.
fn kill_after(directory: &Path, lines: usize) -> usize {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["store::tests::kill::saves_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = |line: &str| line.rsplit_once("durable ").and_then(|(_, n)| n.parse::<usize>().ok());
    let mut durable = 0;
    let mut count = 0;
    while count < lines {
        let line = out.next().expect("the child saves until it is killed").unwrap();
        if let Some(n) = told(&line) {
            (durable, count) = (n + 1, count + 1);
        }
    }
    child.kill().unwrap();
    // What it had been told before it died counts, too.
    durable = out.map_while(Result::ok).filter_map(|line| told(&line)).last().map_or(durable, |n| n + 1);
    child.wait().unwrap();
    durable
}

#[tokio::test]
async fn a_killed_process_leaves_a_prefix_with_all_that_was_told_durable() {
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let (directory, storage) = place();
    for n in 0..kills {
        let durable = kill_after(directory.path(), 1 + n * 61 % 400);
        let faults = Faults::none(true);
        faults.fail(EROFS, 0, i64::MAX);
        for volume in [Arc::new(Faulty(faults)) as Arc<dyn Volume>, Arc::new(RealVolume)] {
            let opened = Store::open_on(volume, &storage, clock());
            assert!(!names(&opened).contains(&Name::Corrupt), "{:?}", opened.notes);
            opened.store.close().await;
            let (counts, rows): (Vec<Row>, Vec<Row>) =
                opened.rows.into_iter().partition(|row| row.table == Table::Meta);
            assert!(rows.len() >= durable, "{} rows of {durable} durable ones", rows.len());
            let expected: Vec<Row> =
                (0..rows.len()).map(|n| row(Table::Clients, &format!("{n:08}"), "x")).collect();
            assert_eq!(rows, expected);
            assert_eq!(counts, [row(Table::Meta, "count", &rows.len().to_string())]);
        }
        println!("kill {} of {kills}: {durable} saves told durable, all there", n + 1);
    }
}
