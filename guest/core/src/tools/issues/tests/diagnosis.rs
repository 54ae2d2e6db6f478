//! What is told of Gitea's answers where somebody looks for a fault.

use serde_json::json;

use super::{and, issue, site};
use crate::tools::fake::{OPEN_POLICY, World};

fn logged(level: &str, tool: &str) -> Vec<String> {
    let world = World::with(OPEN_POLICY, &[("LOG_LEVEL", level)])
        .on("GET /repos/acme/site/issues/7", issue(7, &["secret-label"]))
        .on("GET /repos/acme/site/issues", json!([issue(7, &[]), issue(8, &[])]));
    let arguments = if tool == "get_issue" { and(site(), json!({ "issue_number": 7 })) } else { site() };
    world.answer(tool, arguments);
    world.state.borrow().logged.clone()
}

#[test]
fn at_debug_the_shape_of_an_issue_is_told_and_nothing_that_stands_in_it() {
    let told = logged("DEBUG", "get_issue");
    assert_eq!(told[0], "Debug get_issue.start ");
    assert!(told[1].starts_with("Debug get_issue.payload_shape type=object members="), "{told:?}");
    assert!(told[1].contains("body") && told[1].contains("milestone"), "{told:?}");
    assert_eq!(
        told[2..],
        [
            "Debug get_issue.field_check field=user is_null=false type=object",
            "Debug get_issue.field_check field=body is_null=false type=string",
            "Debug get_issue.field_check field=assignees is_null=true type=null",
            "Debug get_issue.field_check field=labels is_null=false type=array",
            "Debug get_issue.field_check field=milestone is_null=true type=null",
            "Debug get_issue.field_check field=pull_request is_null=true type=null",
        ]
    );
    for content in ["A title", "alice", "secret-label", "text"] {
        assert!(!told.iter().any(|line| line.contains(content)), "{content}: {told:?}");
    }
}

#[test]
fn of_a_list_the_number_of_rows_and_the_first_is_told() {
    let told = logged("DEBUG", "list_issues");
    assert!(told[1].starts_with("Debug list_issues.payload_shape type=array rows=2 members="), "{told:?}");
    assert_eq!(told.len(), 8);
}

#[test]
fn at_any_other_level_nothing_is_told() {
    for level in ["INFO", "WARNING", "ERROR", "CRITICAL"] {
        assert_eq!(logged(level, "get_issue"), [] as [&str; 0]);
    }
}
