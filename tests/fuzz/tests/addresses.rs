//! The one place that spells addresses toward Gitea.

use aegis_custody::egress::{Method, READ_ROWS, Refused, WRITE_ROWS, target};
use aegis_fuzz::campaign;

const WORDS: &[&str] = &[
    "/repos/{owner}/{repo}",
    "/{path...}",
    "{index}",
    "sudo=root",
    "token=x",
    "access_token=x",
    "%2e%2e",
    "%2F",
    "../",
    "?page=1",
    "&sudo=1",
    "#",
    "feature/one",
    "demo.git",
    "/admin/users",
];

/// First byte: which row. Then values, one a line; those with `=` are pairs of the query.
#[test]
fn addresses() {
    campaign("addresses", WORDS, |input| {
        let (first, rest) = input.split_first().unwrap_or((&0, &[]));
        let text = String::from_utf8_lossy(rest).into_owned();
        let mut lines = text.split('\n');
        let (method, template) = row(usize::from(*first), &mut lines);
        let (pairs, values): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.contains('='));
        let pairs: Vec<(&str, &str)> = pairs.iter().filter_map(|pair| pair.split_once('=')).collect();
        for writes in [false, true] {
            let built = target(method, template, &values, &pairs, writes);
            assert!(writes || method == Method::Get || built.is_err(), "a write without permission");
            match built {
                Ok(built) => safe(&built, template, &pairs),
                // What it repeats of the input is no behaviour.
                Err(Refused::NotListed { .. }) if writes => return "not listed".to_owned(),
                Err(refused) if writes => return format!("{template}: {refused}"),
                Err(_) => {}
            }
        }
        format!("{template} with {} pairs", pairs.len().min(3))
    });
}

/// A listed row, or now and then whatever the input says.
fn row<'t>(nth: usize, lines: &mut impl Iterator<Item = &'t str>) -> (Method, &'t str) {
    let reads = READ_ROWS.iter().map(|(template, _)| (Method::Get, *template));
    let writes = WRITE_ROWS.iter().map(|(method, template, _)| (*method, *template));
    let all: Vec<(Method, &str)> = reads.chain(writes).collect();
    all.get(nth).copied().unwrap_or_else(|| (Method::Get, lines.next().unwrap_or_default()))
}

fn safe(built: &str, template: &str, pairs: &[(&str, &str)]) {
    let (path, query) = built.split_once('?').unwrap_or((built, ""));
    assert!(built.is_ascii() && built.len() <= 8000 && !built.contains('#'), "{built}");
    assert_eq!(query.is_empty(), pairs.is_empty(), "{built}");
    assert_eq!(query.split('&').filter(|pair| !pair.is_empty()).count(), pairs.len(), "{built}");
    for pair in query.split('&') {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        assert!(!["sudo", "token", "access_token"].contains(&name.as_str()), "{built}");
    }
    let path: Vec<&str> = path.strip_prefix('/').expect("a slash").split('/').collect();
    let meant: Vec<&str> = template.strip_prefix('/').expect("a slash").split('/').collect();
    let open = template.ends_with("...}");
    assert!(path.len() == meant.len() || (open && path.len() > meant.len()), "{built} of {template}");
    for (segment, meant) in path.iter().zip(&meant) {
        assert!(meant.starts_with('{') || segment == meant, "{built} of {template}");
    }
    for segment in path {
        let decoded = segment.replace("%2E", ".").replace("%2e", ".");
        assert!(!matches!(decoded.as_str(), "" | "." | ".."), "{built}");
    }
}
