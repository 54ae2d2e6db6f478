//! Runs every shared journey on every Gitea there is: both sample versions always, a real one where the
//! environment names it. A journey cannot be skipped; the last lines say what was run, for machines.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;

use aegis_tests::forge::Version;
use serde_json::json;

use crate::place::Ground;
use crate::real::{self, RealWorld};
use crate::{files, issues, repositories, writes};

type Journey = (&'static str, fn(Ground) -> Pin<Box<dyn Future<Output = ()> + Send>>);

macro_rules! journeys {
    ($($room:ident::$name:ident),* $(,)?) => {
        &[$((stringify!($name), |ground| Box::pin($room::$name(ground)))),*]
    };
}

/// Reads before writes: on a real Gitea they share one world.
const JOURNEYS: &[Journey] = journeys![
    repositories::lists_all_repositories_once,
    repositories::describes_a_repository,
    repositories::hides_what_gitea_hides,
    repositories::does_not_follow_a_rename,
    files::lists_a_tree,
    files::reads_at_every_kind_of_ref,
    files::reads_files_of_every_kind,
    files::reads_a_long_file_in_parts,
    issues::lists_issues,
    issues::filters_issues_by_label,
    issues::reads_an_issue,
    issues::names_the_scope_that_the_token_lacks,
    writes::writes_nothing_that_gitea_would_drop,
    writes::opens_an_issue_with_everything,
    writes::opens_issues_in_an_organisation,
    writes::adds_labels_by_name_where_the_organisation_cannot_be_read,
    writes::comments_on_issues,
    writes::tells_what_gitea_left_out,
];

/// Run them all, one after the other; gives the names of those that failed.
async fn run(ground: &Ground) -> Vec<&'static str> {
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, journey) in JOURNEYS {
        match tokio::spawn(journey(ground.clone())).await {
            Ok(()) => passed += 1,
            Err(_) => failed.push(*name),
        }
    }
    let kind = if matches!(ground, Ground::Real(_)) { "gitea" } else { "forge" };
    let line = json!({
        "journeys": kind, "server_version": ground.version(), "run": JOURNEYS.len(), "passed": passed,
        "failed": failed, "skipped": JOURNEYS.len() - passed - failed.len(),
    });
    // Past the capture of the test harness: this line is for whoever reads the log.
    writeln!(std::io::stdout().lock(), "\n{line}").expect("standard output");
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_journey_passes_on_every_gitea_there_is() {
    let mut grounds = vec![Ground::Forge(Version::V1_27), Ground::Forge(Version::V1_26)];
    if let Some(admin) = real::named() {
        grounds.push(Ground::Real(Arc::new(RealWorld::build(&admin).await)));
    }
    let mut failed = Vec::new();
    for ground in grounds {
        failed.extend(run(&ground).await.into_iter().map(|name| format!("{} {name}", ground.version())));
    }
    assert_eq!(failed, [] as [String; 0]);
}
