//! Runs every shared journey on every Gitea there is: all sample versions always, a real one where the
//! environment names it. A journey cannot be skipped; the last lines say what was run, for machines.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use aegis_tests::forge::Version;
use serde_json::json;

use crate::place::{Ground, Who};
use crate::real::{self, RealWorld};
use crate::repositories::each;
use crate::stand::CALLED;
use crate::{
    automation, files, history, issues, lockdown, long, planning, pulls, refusals, releases, repositories,
    writes,
};

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
    lockdown::withholds_what_strangers_wrote,
    history::describes_what_a_repository_is_made_of,
    history::walks_through_the_history,
    history::compares_what_parted,
    history::tells_how_the_checks_went,
    history::finds_lines_of_code,
    pulls::reads_a_pull_request,
    planning::lists_labels_and_milestones,
    planning::lists_comments_that_gitea_gives_all_at_once,
    releases::reads_releases,
    refusals::changes_nothing_in_an_archived_repository,
    refusals::says_that_a_repository_is_empty,
    refusals::keeps_issues_and_pull_requests_apart,
    refusals::keeps_labels_and_milestones_unique,
    refusals::refuses_branches_that_cannot_be,
    refusals::refuses_releases_that_cannot_be,
    writes::writes_nothing_that_gitea_would_drop,
    writes::opens_an_issue_with_everything,
    writes::opens_issues_in_an_organisation,
    writes::adds_labels_by_name_where_the_organisation_cannot_be_read,
    writes::comments_on_issues,
    writes::tells_what_gitea_left_out,
    planning::plans_a_release,
    planning::looks_after_the_labels,
    pulls::takes_work_from_a_branch_to_review,
    releases::drafts_and_publishes_a_release,
    long::lists_a_hundred_and_twenty_at_once,
    automation::keeps_one_issue_for_what_it_finds,
];

/// Run them all, one after the other; gives the names of those that failed, and the tools that none of them called.
async fn run(ground: &Ground) -> (Vec<&'static str>, Vec<String>) {
    let (mut passed, mut failed) = (0, Vec::new());
    let called = Arc::new(Mutex::new(BTreeSet::new()));
    for (name, journey) in JOURNEYS {
        match tokio::spawn(CALLED.scope(called.clone(), journey(ground.clone()))).await {
            Ok(()) => passed += 1,
            Err(_) => failed.push(*name),
        }
    }
    let called = called.lock().expect("not poisoned").clone();
    let uncalled = uncalled(ground, &called).await;
    let kind = if matches!(ground, Ground::Real(_)) { "gitea" } else { "forge" };
    let line = json!({
        "journeys": kind, "server_version": ground.version(), "run": JOURNEYS.len(), "passed": passed,
        "failed": failed, "tools_without_a_call": uncalled, "skipped": JOURNEYS.len() - passed - failed.len(),
    });
    // Past the capture of the test harness: this line is for whoever reads the log.
    writeln!(std::io::stdout().lock(), "\n{line}").expect("standard output");
    (failed, uncalled)
}

/// The tools that the server offers and that have not answered in any journey.
async fn uncalled(ground: &Ground, called: &BTreeSet<String>) -> Vec<String> {
    let stand = ground.stand(Who::Alice, |setup| setup).await;
    let offered = stand.server.get("/mcp/tools").await.json();
    let names: Vec<String> = each(&offered["tools"], "/name")
        .into_iter()
        .filter_map(|name| name.as_str())
        .map(str::to_owned)
        .collect();
    assert!(names.len() >= 43, "the server offers its tools: {offered}");
    stand.end().await;
    names.into_iter().filter(|name| !called.contains(name)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_journey_passes_on_every_gitea_there_is() {
    let mut grounds = [Version::V1_27, Version::V1_26, Version::V1_24].map(Ground::Forge).to_vec();
    if let Some(admin) = real::named() {
        grounds.push(Ground::Real(Arc::new(RealWorld::build(&admin).await)));
    }
    let mut failed = Vec::new();
    for ground in grounds {
        let (journeys, tools) = run(&ground).await;
        failed.extend(journeys.into_iter().map(|name| format!("{} {name}", ground.version())));
        failed.extend(
            tools.into_iter().map(|tool| format!("{} {tool} is called by no journey", ground.version())),
        );
    }
    assert_eq!(failed, [] as [String; 0]);
}
