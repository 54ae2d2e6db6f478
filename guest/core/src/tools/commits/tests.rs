//! The log, diffs, comparisons and checks.

#![expect(clippy::needless_pass_by_value, reason = "JSON literals are handed over as they are written")]

use serde_json::{Value, json};

use crate::tools::fake::{OPEN_POLICY, Route, World};
use crate::tools::kit::Error;

const HIDING: &str = "repositories:\n  acme/site:\n    paths: {deny: [\"secrets/*\", \"*.pem\"]}\n";

fn id(digit: &str) -> String {
    digit.repeat(40)
}

fn commit(digit: &str, message: &str, parents: &[&str]) -> Value {
    let person = json!({ "name": "Alice", "email": "alice@example.test", "date": "2026-11-22T00:29:50Z" });
    json!({
        "sha": id(digit), "created": "2026-11-22T00:29:50Z", "html_url": format!("https://git.example.test/{digit}"),
        "commit": {
            "author": person, "committer": person, "message": message, "tree": { "sha": id(digit) },
            "verification": { "verified": true, "reason": "alice / key", "payload": "x" },
        },
        "author": { "login": "alice", "avatar_url": "x" }, "committer": null,
        "parents": parents.iter().map(|digit| json!({ "sha": id(digit) })).collect::<Vec<_>>(),
        "files": [{ "filename": "secrets/a", "status": "added" }], "stats": { "total": 7 },
    })
}

/// `name` is a ref of the commit with this digit, whose log is `log`.
fn named(world: World, name: &str, digit: &str) -> World {
    world.on(&format!("GET /repos/acme/site/commits?sha={name}&limit=1"), json!([commit(digit, "m", &[])]))
}

fn at(more: Value) -> Value {
    let mut arguments = json!({ "owner": "acme", "repo": "site" });
    for (key, value) in more.as_object().cloned().unwrap_or_default() {
        arguments[key] = value;
    }
    arguments
}

fn change(path: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nindex 1..2 100644\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-old\n+new\n"
    )
}

fn text(line: &str, body: &str) -> Route {
    Route::bytes(line, "text/plain; charset=utf-8", body.as_bytes())
}

/// A world where `main` is commit 9, which changed this.
fn changed(world: World, diff: &str) -> World {
    let one = format!("GET /repos/acme/site/git/commits/{}", id("9"));
    named(world, "main", "9")
        .on(&one, commit("9", "rename and delete\n", &["8"]))
        .route(text(&format!("{one}.diff"), diff))
}

fn paths(answer: &Value) -> Vec<&str> {
    answer["files"].as_array().into_iter().flatten().filter_map(|file| file["path"].as_str()).collect()
}

#[test]
fn the_log_is_read_from_one_commit_on_and_long_messages_are_previews() {
    let rows = json!([commit("9", &"é".repeat(600), &["8", "7"]), commit("8", "short\n", &[])]);
    let world = named(World::open(), "main", "9").route(
        Route::new(&format!("GET /repos/acme/site/commits?sha={}&page=2", id("9")), 200, rows)
            .header("x-total-count", "62")
            .header("link", "<x>; rel=\"prev\""),
    );
    let answer = world.answer("list_commits", at(json!({ "ref": "main", "page": 2 })));
    let rows = &answer["commits"];
    assert_eq!((&answer["commit"], &answer["total"]), (&json!(id("9")), &json!(62)));
    assert_eq!(answer["has_next"], false);
    assert_eq!(rows[0]["message"].as_str().map(|text| text.chars().count()), Some(500));
    assert_eq!(rows[0]["message_truncated"], true);
    assert_eq!(rows[0]["parents"], json!([id("8"), id("7")]));
    assert_eq!((&rows[1]["message"], &rows[1]["author_login"]), (&json!("short"), &json!("alice")));
    for absent in ["message_truncated", "committer", "files"] {
        assert!(rows[1].get(absent).is_none(), "{absent}: {}", rows[1]);
    }
    let asked = world.asked();
    for line in &asked {
        for costly in ["stat=false", "verification=false", "files=false"] {
            assert!(line.contains(costly), "{line}");
        }
    }
    assert_eq!(asked.len(), 2);
}

#[test]
fn an_empty_repository_and_an_unknown_ref_are_said_to_be_so() {
    for (tool, more) in [
        ("list_commits", json!({})),
        ("get_commit_diff", json!({ "sha": "main" })),
        ("get_commit_status", json!({ "sha": "main" })),
        ("compare_refs", json!({ "base": "main", "head": "other" })),
    ] {
        let empty =
            Route::new("GET /repos/acme/site/commits", 409, json!({ "message": "Git Repository is empty." }));
        let error = World::open().route(empty).failure(tool, at(more.clone()));
        assert!(matches!(error, Error::Conflict { reason: "repository_empty", .. }), "{tool}: {error:?}");
        let error = World::open().failure(tool, at(more));
        assert!(matches!(error, Error::NotFound { .. }), "{tool}: {error:?}");
    }
}

#[test]
fn a_commit_is_told_with_its_files_and_without_giteas_own_counts() {
    let diff = "diff --git a/README.md b/README.md\ndeleted file mode 100644\nindex f52f1f9..0000000\n--- a/README.md\n\
                +++ /dev/null\n@@ -1,3 +0,0 @@\n-# demo\n-\n-demo of alice\n\\ No newline at end of file\n\
                diff --git a/a/b/c/deep.txt b/a/b/deeper.txt\nsimilarity index 100%\nrename from a/b/c/deep.txt\n\
                rename to a/b/deeper.txt\n";
    let world = changed(World::open(), diff);
    let answer = world.answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!(answer["commit"]["message"], "rename and delete\n");
    assert_eq!(
        (&answer["commit"]["verified"], &answer["commit"]["parents"]),
        (&json!(true), &json!([id("8")]))
    );
    assert_eq!(
        answer["files"],
        json!([
            {
                "path": "README.md", "status": "deleted", "additions": 0, "deletions": 3,
                "patch": "@@ -1,3 +0,0 @@\n-# demo\n-\n-demo of alice\n\\ No newline at end of file\n",
            },
            {
                "path": "a/b/deeper.txt", "previous_path": "a/b/c/deep.txt", "status": "renamed", "additions": 0,
                "deletions": 0, "patch": "",
            },
        ])
    );
    assert_eq!((&answer["total"], &answer["has_next"]), (&json!(2), &json!(false)));
    assert!(answer.get("truncated").is_none() && answer.get("hidden_by_policy").is_none(), "{answer}");
    let text = answer.to_string();
    assert!(!text.contains("secrets/a") && !text.contains("avatar"), "{text}");
}

#[test]
fn what_the_policy_hides_is_neither_shown_nor_named_under_its_old_or_its_new_name() {
    let moved = |from: &str, to: &str| {
        format!(
            "diff --git a/{from} b/{to}\nsimilarity index 90%\nrename from {from}\nrename to {to}\nindex 1..2 100644\n\
             --- a/{from}\n+++ b/{to}\n@@ -1 +1 @@\n-hush\n+hush hush\n"
        )
    };
    let quoted = "diff --git \"a/secrets/\\303\\244\" \"b/secrets/\\303\\244\"\nindex 1..2 100644\n\
                  --- \"a/secrets/\\303\\244\"\n+++ \"b/secrets/\\303\\244\"\n@@ -1 +1 @@\n-hush\n+hush hush\n";
    let removed = "diff --git a/key.pem b/key.pem\ndeleted file mode 100644\n--- a/key.pem\n+++ /dev/null\n@@ -1 +0,0 @@\n\
                   -hush\n";
    let unreadable = "diff --git a/x b/secrets/y\nindex 1..2 100644\n@@ -1 +1 @@\n-hush\n+hush hush\n";
    let diff = [
        change("shown.rs"),
        moved("secrets/plan", "public.txt"),
        moved("public.txt", "secrets/plan"),
        quoted.to_owned(),
        removed.to_owned(),
        unreadable.to_owned(),
        change("also shown.rs"),
    ]
    .concat();
    let answer =
        changed(World::with(HIDING, &[]), &diff).answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!(paths(&answer), ["shown.rs", "also shown.rs"]);
    assert_eq!((&answer["hidden_by_policy"], &answer["total"]), (&json!(5), &json!(2)));
    let text = answer.to_string();
    for hidden in ["hush", "secrets", "key.pem", "public.txt"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    // The commit itself is shown even where every file is hidden.
    let answer =
        changed(World::with(HIDING, &[]), removed).answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!((paths(&answer).len(), &answer["hidden_by_policy"]), (0, &json!(1)));
    assert_eq!(answer["commit"]["sha"], id("9"));
}

#[test]
fn a_link_does_not_tell_where_it_points_to_what_the_policy_hides() {
    let link = |path: &str, target: &str| {
        format!(
            "diff --git a/{path} b/{path}\nnew file mode 120000\nindex 0..1\n--- /dev/null\n+++ b/{path}\n\
             @@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"
        )
    };
    let diff = [link("docs/hidden", "../secrets/plan"), link("shown", "docs/guide.md")].concat();
    let answer =
        changed(World::with(HIDING, &[]), &diff).answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!(paths(&answer), ["docs/hidden", "shown"]);
    assert_eq!((&answer["files"][0]["patch"], &answer["files"][0]["truncated"]), (&json!(""), &json!(true)));
    assert!(
        answer["files"][1]["patch"].as_str().is_some_and(|patch| patch.contains("+docs/guide.md")),
        "{answer}"
    );
    assert!(!answer.to_string().contains("secrets"), "{answer}");
}

#[test]
fn files_come_in_pages() {
    let diff: String = (0..7).map(|nth| change(&format!("f{nth}"))).collect();
    let world = changed(World::open(), &diff);
    for (page, expected, more) in [
        (1, &["f0", "f1", "f2"][..], true),
        (2, &["f3", "f4", "f5"], true),
        (3, &["f6"], false),
        (4, &[], false),
    ] {
        let answer = world.answer("get_commit_diff", at(json!({ "sha": "main", "page": page, "limit": 3 })));
        assert_eq!(paths(&answer), expected, "page {page}");
        assert_eq!((&answer["has_next"], &answer["total"]), (&json!(more), &json!(7)), "page {page}");
    }
}

#[test]
fn a_long_patch_is_cut_at_a_line_and_the_next_file_is_whole() {
    let lines: String = (0..100).map(|nth| format!("+line {nth}\n")).collect();
    let diff = format!(
        "diff --git a/long b/long\nnew file mode 100644\n--- /dev/null\n+++ b/long\n@@ -0,0 +1,100 @@\n{lines}{}",
        change("short")
    );
    let world = World::with(OPEN_POLICY, &[("MAX_TOOL_RESPONSE_CHARS", "300")]);
    let answer = changed(world, &diff).answer("get_commit_diff", at(json!({ "sha": "main" })));
    let (long, short) = (&answer["files"][0], &answer["files"][1]);
    assert_eq!((&long["truncated"], &long["additions"]), (&json!(true), &json!(100)));
    assert!(
        long["patch"].as_str().is_some_and(|patch| patch.ends_with('\n') && patch.len() <= 300),
        "{long}"
    );
    assert!(
        short.get("truncated").is_none()
            && short["patch"].as_str().is_some_and(|patch| patch.ends_with("+new\n"))
    );
    assert_eq!(answer["truncated"], true);
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("get_file_contents"), "{how}");
}

#[test]
fn a_diff_that_breaks_off_is_told_as_far_as_it_came() {
    let one = format!("GET /repos/acme/site/git/commits/{}", id("9"));
    let diff = format!(
        "{}diff --git a/half b/half\n--- a/half\n+++ b/half\n@@ -1,2 +1,2 @@\n-old\n+n",
        change("whole")
    );
    let world = named(World::open(), "main", "9")
        .on(&one, commit("9", "m", &["8"]))
        .route(text(&format!("{one}.diff"), &diff).broken());
    let answer = world.answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!(paths(&answer), ["whole", "half"]);
    assert_eq!((&answer["files"][1]["truncated"], &answer["truncated"]), (&json!(true), &json!(true)));
    assert!(answer["truncated_how"].as_str().is_some_and(|how| how.contains("broke off")), "{answer}");
    assert!(answer.get("total").is_none(), "nobody knows how many there are");
}

#[test]
fn of_an_endless_diff_only_so_much_is_read() {
    let long = format!("+{}\n", "x".repeat(1000)).repeat(9000);
    let diff = format!(
        "{}diff --git a/big b/big\n--- a/big\n+++ b/big\n@@ -0,0 +1,9000 @@\n{long}{}",
        change("first"),
        change("last")
    );
    let answer = changed(World::open(), &diff).answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!(paths(&answer), ["first", "big"]);
    assert!(answer["truncated_how"].as_str().is_some_and(|how| how.contains("8 MiB")), "{answer}");
    assert!(answer.get("total").is_none());
}

#[test]
fn a_page_in_place_of_a_diff_is_an_error_and_not_a_commit_without_changes() {
    let one = format!("GET /repos/acme/site/git/commits/{}", id("9"));
    let answering = |kind: &str, body: &[u8]| {
        named(World::open(), "main", "9").on(&one, commit("9", "m", &["8"])).route(Route::bytes(
            &format!("{one}.diff"),
            kind,
            body,
        ))
    };
    for kind in ["text/html; charset=utf-8", "application/json;charset=utf-8"] {
        let error =
            answering(kind, b"<html>sign in</html>").failure("get_commit_diff", at(json!({ "sha": "main" })));
        assert!(matches!(error, Error::Gitea(_)), "{kind}: {error:?}");
    }
    // What Gitea's server makes of a diff with odd bytes at its beginning, and of one without any.
    let odd = answering("application/octet-stream", change("odd").as_bytes());
    assert_eq!(paths(&odd.answer("get_commit_diff", at(json!({ "sha": "main" })))), ["odd"]);
    let none = answering("", b"").answer("get_commit_diff", at(json!({ "sha": "main" })));
    assert_eq!((&none["files"], &none["total"]), (&json!([]), &json!(0)));
}

fn compared(world: World) -> World {
    let log = json!([
        commit("6", "third\n", &["5"]),
        commit("5", "merge\n", &["4", "2"]),
        commit("4", "first\n", &["1"])
    ]);
    named(named(world, "main", "1"), "feature/one", "6").route(
        Route::new(
            &format!("GET /repos/acme/site/commits?sha={}&not={}&limit=20", id("6"), id("1")),
            200,
            log,
        )
        .header("x-total-count", "3"),
    )
}

fn range() -> String {
    format!("GET /repos/acme/site/compare/{}...{}?output=diff", id("1"), id("6"))
}

fn main_and_feature(page: u32) -> Value {
    at(json!({ "base": "main", "head": "feature/one", "page": page, "limit": 1 }))
}

#[test]
fn two_refs_are_compared_by_their_commits() {
    let world = compared(World::open()).route(text(&range(), &[change("a"), change("b")].concat()));
    let answer = world.answer("compare_refs", main_and_feature(1));
    assert_eq!((&answer["base_commit"], &answer["head_commit"]), (&json!(id("1")), &json!(id("6"))));
    assert_eq!((paths(&answer), &answer["has_next"], &answer["total"]), (vec!["a"], &json!(true), &json!(2)));
    assert_eq!((&answer["total_commits"], &answer["commits"][0]["subject"]), (&json!(3), &json!("third")));
    assert!(answer["files"][0].get("commit").is_none() && answer.get("truncated").is_none(), "{answer}");
    let answer = world.answer("compare_refs", main_and_feature(2));
    assert_eq!(paths(&answer), ["b"]);
    assert!(answer.get("commits").is_none(), "they were told with the first page");
}

#[test]
fn a_gitea_that_cannot_compare_as_text_is_asked_commit_by_commit_and_that_is_said() {
    let commits = json!({ "total_commits": 3, "commits": [commit("6", "third\n", &[])] });
    let of = |digit: &str| format!("GET /repos/acme/site/git/commits/{}.diff", id(digit));
    let json = Route::new(&range(), 200, commits).header("content-type", "application/json;charset=utf-8");
    let world = compared(World::with(HIDING, &[]))
        .route(json)
        .route(text(&of("6"), &[change("a"), change("secrets/x")].concat()))
        .route(text(&of("5"), &change("from base")))
        .route(text(&of("4"), &[change("b"), change("a")].concat()));
    let arguments = at(json!({ "base": "main", "head": "feature/one" }));
    let answer = world.answer("compare_refs", arguments);
    let found: Vec<_> =
        answer["files"].as_array().into_iter().flatten().map(|f| (&f["path"], &f["commit"])).collect();
    let (six, four) = (json!(id("6")), json!(id("4")));
    assert_eq!(found, [(&json!("a"), &six), (&json!("b"), &four), (&json!("a"), &four)]);
    assert_eq!((&answer["hidden_by_policy"], &answer["truncated"]), (&json!(1), &json!(true)));
    let how = answer["truncated_how"].as_str().unwrap_or_default();
    assert!(how.contains("before 1.27") && how.contains("2 of the 3 commits"), "{how}");
    assert!(answer.get("total").is_none());
    assert!(!world.asked().iter().any(|line| line.contains(&id("5"))), "a merge brings what base has");
}

#[test]
fn another_repository_cannot_be_compared_with_and_nothing_is_asked() {
    for (base, head) in
        [("main", "bob:main"), ("bob/secret:main", "main"), ("main", "a...b"), ("main^", "main")]
    {
        let world = World::open();
        let stopped = world.call("compare_refs", at(json!({ "base": base, "head": head })));
        assert!(matches!(stopped, Err(crate::tools::fake::Stopped::Argument(_))), "{base} {head}");
        assert!(world.asked().is_empty());
    }
}

#[test]
fn the_same_commit_twice_has_nothing_between() {
    let world = named(named(World::open(), "main", "1"), "v1", "1");
    let answer = world.answer("compare_refs", at(json!({ "base": "main", "head": "v1" })));
    assert_eq!(
        (&answer["total_commits"], &answer["commits"], &answer["files"], &answer["total"]),
        (&json!(0), &json!([]), &json!([]), &json!(0))
    );
    assert_eq!(world.asked().len(), 2);
}

#[test]
fn commits_without_common_history_are_not_comparable() {
    let error = compared(World::open()).failure("compare_refs", main_and_feature(1));
    let Error::NotFound { message } = error else { panic!("{error:?}") };
    assert!(message.contains("feature/one") && message.contains("common history"), "{message}");
}

fn report(context: &str, status: &str) -> Value {
    json!({
        "id": 2, "status": status, "target_url": "https://ci.example.test/1", "description": "ok", "context": context,
        "creator": { "login": "alice" }, "updated_at": "2026-11-22T01:44:06Z",
    })
}

/// A Gitea whose pages hold so many reports at once.
fn reported(reports: &[Value], most: usize) -> World {
    let mut world =
        named(World::open(), "main", "9").on("GET /settings/api", json!({ "max_response_items": most }));
    let pages: Vec<&[Value]> = reports.chunks(most).collect();
    // Past the end Gitea gives null.
    for page in 1..=pages.len() + 4 {
        let rows = pages.get(page - 1).map_or(Value::Null, |rows| rows.to_vec().into());
        let body = json!({ "state": "pending", "sha": id("9"), "total_count": 0, "statuses": rows, "repository": {} });
        let line = format!("GET /repos/acme/site/commits/{}/status?page={page}&limit={most}", id("9"));
        world = world.route(Route::new(&line, 200, body).header("x-total-count", &reports.len().to_string()));
    }
    world
}

#[test]
fn checks_are_summed_up_over_all_pages_and_none_is_not_pending() {
    for (words, state) in [
        (&[][..], "none"),
        (&["success", "skipped"], "success"),
        (&["success", "pending"], "pending"),
        (&["success", "something new"], "pending"),
        (&["pending", "pending", "success", "success", "warning"], "failure"),
        (&["success", "success", "success", "success", "error"], "failure"),
        (&["failure", "pending"], "failure"),
    ] {
        let reports: Vec<Value> = words.iter().map(|word| report("ci", word)).collect();
        let answer = reported(&reports, 2).answer("get_commit_status", at(json!({ "sha": "main" })));
        assert_eq!((&answer["state"], &answer["total"]), (&json!(state), &json!(words.len())), "{words:?}");
        assert_eq!(answer["commit"], id("9"));
        if state == "failure" {
            assert_ne!(answer["statuses"][0]["status"], "success", "failures come first: {answer}");
        }
    }
}

#[test]
fn more_checks_than_may_be_shown_are_still_summed_up() {
    let mut reports: Vec<Value> = (0..450).map(|nth| report(&format!("ci/{nth}"), "success")).collect();
    reports.push(report("ci/last", "failure"));
    let answer = reported(&reports, 50).answer("get_commit_status", at(json!({ "sha": "main" })));
    assert_eq!((&answer["state"], &answer["total"]), (&json!("failure"), &json!(451)));
    assert_eq!(answer["statuses"][0]["context"], "ci/last");
    assert_eq!(answer["truncated"], true);
    let endless: Vec<Value> = (0..1100).map(|nth| report(&format!("ci/{nth}"), "success")).collect();
    let answer = reported(&endless, 50).answer("get_commit_status", at(json!({ "sha": "main" })));
    assert_eq!(answer["state"], "unknown", "success of some is not success of all");
    assert!(answer.get("total").is_none(), "{answer}");
}

#[test]
fn a_message_is_cut_after_it_was_masked_so_that_no_part_of_a_secret_is_left_at_the_cut() {
    let token = format!("ghp_{}", "a1B2c3D4e5".repeat(4).get(..36).unwrap_or_default());
    let message = format!("{} {token} {}", "x".repeat(485), "y".repeat(100));
    let row = json!({ "sha": "9".repeat(40), "commit": { "message": message } });
    let world = World::open().on("GET /repos/acme/site/commits", json!([row]));
    let answer = world.answer("list_commits", json!({ "owner": "acme", "repo": "site" }));
    let shown = answer["commits"][0]["message"].as_str().unwrap_or_default();
    assert!(shown.starts_with("xxx") && !shown.contains("ghp_"), "{shown}");
    assert_eq!(answer["commits"][0]["message_truncated"], true);
}
