//! The reference of endpoints is what the server answers: by its paths, its methods, and the names of its refusals.

use std::collections::BTreeSet;

use aegis_tests::forge::Forge;
use aegis_tests::forge::world::SVC_TOKEN;
use aegis_tests::manual::root;
use aegis_tests::server::{KEY, Server, Setup, free_port};

/// The methods that are tried.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

fn page() -> String {
    std::fs::read_to_string(root().join("docs/api-reference.md")).expect("the page")
}

/// Paths and methods of a section's table.
fn table(section: &str) -> Vec<(Vec<String>, BTreeSet<String>)> {
    let page = page();
    let part = page.split(&format!("### {section}\n")).nth(1).expect("the section");
    let part = part.split("\n#").next().unwrap_or_default();
    let rows = part.lines().filter(|line| line.starts_with("| `/"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        let paths =
            cells.next().unwrap_or_default().split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let methods =
            cells.next().unwrap_or_default().split(", ").map(|method| method.trim().to_owned()).collect();
        (paths, methods)
    })
    .collect()
}

/// Every path takes the methods that stand there and no other.
async fn hold(server: &Server, rows: &[(Vec<String>, BTreeSet<String>)], credential: Option<&str>) {
    for (paths, methods) in rows {
        for path in paths {
            for method in METHODS {
                let bearer = credential.map(|credential| format!("Bearer {credential}"));
                let headers: Vec<(&str, &str)> =
                    bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
                let answer = server.stranger(method, path, &headers, b"").await;
                let takes = !matches!(answer.status, 404 | 405);
                assert_eq!(takes, methods.contains(method), "{method} {path}: {}", answer.status);
                if answer.status == 405 {
                    let allow: BTreeSet<String> =
                        answer.header("allow").unwrap_or_default().split(", ").map(str::to_owned).collect();
                    let of_the_host = allow.len() == 1 && methods.contains("HEAD");
                    assert!(allow == *methods || of_the_host, "{method} {path}: {allow:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_takes_the_methods_that_the_reference_says() {
    let forge = Forge::start(Default::default()).await;
    let secret = "a-secret-of-a-webhook-of-the-tests-0123";
    let server = Setup::new(&forge.url(), SVC_TOKEN)
        .set("AUTOMATION_ENABLED", "true")
        .set("WEBHOOK_SECRET", secret)
        .start()
        .await;
    let rows = table("Always");
    assert!(rows.len() >= 11, "{}", rows.len());
    hold(&server, &rows, Some(KEY)).await;
    for (paths, _) in table("Where people sign in") {
        for path in paths {
            assert_eq!(server.stranger("GET", &path, &[], b"").await.status, 404, "{path} without sign-in");
        }
    }
}

#[tokio::test]
async fn every_endpoint_of_sign_in_takes_the_methods_that_the_reference_says() {
    let forge = Forge::start(Default::default()).await;
    let port = free_port();
    let app =
        forge.register("root", "AegisGitea-MCP", &[&format!("http://127.0.0.1:{port}/oauth/callback")], true);
    let server = Setup::sign_in(&forge.url(), port, &app.client_id, &app.client_secret).start().await;
    let rows = table("Where people sign in");
    assert!(rows.len() >= 8, "{}", rows.len());
    hold(&server, &rows, None).await;
}

#[test]
fn every_path_of_the_source_is_in_the_reference_and_the_other_way_round() {
    let documented: BTreeSet<String> = ["Always", "Where people sign in"]
        .iter()
        .flat_map(|section| table(section))
        .flat_map(|(paths, _)| paths)
        .collect();
    let mut routes = BTreeSet::new();
    for source in ["guest/core/src/gateway/route.rs", "host/src/serve/probes.rs"] {
        let text = std::fs::read_to_string(root().join(source)).expect("the source");
        let code =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let quoted = code.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/'));
        routes.extend(quoted.map(str::to_owned));
    }
    assert_eq!(documented, routes);
}

/// The names in a table of statuses.
fn names(heading: &str, until: &str) -> BTreeSet<String> {
    let page = page();
    let part = page.split(heading).nth(1).and_then(|part| part.split(until).next()).expect("the part");
    let rows =
        part.lines().filter(|line| line.starts_with("| ") && line.contains('`') && !line.contains("Status"));
    let cells = rows.filter_map(|row| row.split(" | ").nth(1).map(str::to_owned));
    let quoted = |cell: String| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let is_name = |name: &String| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    cells.flat_map(quoted).filter(is_name).collect()
}

/// The names that stand in quotation marks in a source, of the kind that refusals have.
fn quoted(source: &str, after: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(source)).expect("the source");
    let text: String = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    text.split(after)
        .skip(1)
        .filter_map(|rest| {
            rest.split_whitespace().next()?.strip_prefix('"')?.split('"').next().map(str::to_owned)
        })
        .collect()
}

#[test]
fn every_name_of_a_refusal_before_a_tool_is_in_the_reference_and_the_other_way_round() {
    let mut host = names("By the host, before a guest", "By the guest");
    host.extend(names("### When a request fails inside", "### OAuth clients"));
    assert_eq!(host, statuses("host/src/serve/refusal.rs"));
    let guest = names("By the guest, before", "### A tool call");
    let mut of_the_guest = quoted("guest/core/src/gateway/refusal.rs", "AccessDenied,");
    of_the_guest.extend(quoted("guest/core/src/gateway/refusal.rs", "SecurityEvent,"));
    assert_eq!(guest, of_the_guest);
}

/// The names that stand behind a status.
fn statuses(source: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(source)).expect("the source");
    let names = text.split("StatusCode::").skip(1).filter_map(|rest| {
        let name = rest.split('"').nth(1)?;
        let between = rest.split('"').next()?;
        let is_status =
            between.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_').trim() == ",";
        is_status.then(|| name.to_owned())
    });
    names.collect()
}
