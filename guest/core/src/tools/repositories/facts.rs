//! What Gitea has found out about a repository, or was told: its languages and its topics.

use serde_json::{Map, Value, json};

use super::{UNCOUNTED, uncounted};
use crate::access::Reader;
use crate::reply::Reply;
use crate::tools::args::Repo;
use crate::tools::kit::{Entry, Error, Key, Kind, ReadTool, Shape, read, tool};
use crate::tools::lookup;

pub(super) const GET_REPO_LANGUAGES: &dyn Entry = read::<GetRepoLanguages>();
pub(super) const LIST_REPO_TOPICS: &dyn Entry = read::<ListRepoTopics>();

const LANGUAGES: &str = "/repos/{owner}/{repo}/languages";
const TOPICS: &str = "/repos/{owner}/{repo}/topics";

/// Gitea gives a repository no more topics than this ...
const MOST_TOPICS: usize = 25;
/// ... so that one page of this length holds them all, unless its operator allows only shorter ones.
const TOPICS_AT_ONCE: u32 = 50;

tool! {
    /// List languages by bytes of code on the default branch, largest first. Empty until Gitea has counted
    /// them.
    "get_repo_languages" ("Get repository languages") => struct GetRepoLanguages {
        repo: Repo,
    }
}

impl ReadTool for GetRepoLanguages {
    const ANSWER: &'static Shape =
        &Shape(&[Key::own("languages", Kind::Each(&LANGUAGE), "The languages, largest first."), UNCOUNTED]);
    const READS: &'static [&'static str] = &[LANGUAGES];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let answer = gitea
            .get(lookup::call(&self.repo, LANGUAGES))
            .map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
        let uncounted = uncounted(gitea);
        let counted = answer.body.as_object().filter(|_| uncounted.is_none()).map(largest_first);
        Ok(Reply::new().with("languages", counted.unwrap_or_default()).with_some("uncounted", uncounted))
    }
}

/// Gitea gives an object; how its fields are ordered is nothing that JSON promises.
fn largest_first(counted: &Map<String, Value>) -> Vec<Value> {
    let mut rows: Vec<(&String, u64)> =
        counted.iter().filter_map(|(language, bytes)| Some((language, bytes.as_u64()?))).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    rows.into_iter().map(|(language, bytes)| json!({ "language": language, "bytes": bytes })).collect()
}

tool! {
    /// List the topics of a repository.
    "list_repo_topics" ("List repository topics") => struct ListRepoTopics {
        repo: Repo,
    }
}

impl ReadTool for ListRepoTopics {
    const ANSWER: &'static Shape = &Shape(&[Key::own("topics", Kind::Texts(""), "All topics.")]);
    const READS: &'static [&'static str] = &[TOPICS];

    fn call(self, gitea: &Reader<'_>) -> Result<Reply, Error> {
        let mut topics: Vec<Value> = Vec::new();
        let mut page: u32 = 1;
        loop {
            let request = lookup::call(&self.repo, TOPICS).query("page", page).query("limit", TOPICS_AT_ONCE);
            let answer = gitea
                .get(request)
                .map_err(|error| Error::or_not_found(error, || lookup::unseen(&self.repo)))?;
            let rows = answer.body.get("topics").and_then(Value::as_array).cloned().unwrap_or_default();
            let ended = rows.is_empty();
            topics.extend(rows);
            // Topics carry no `Link`, and a shorter page than asked for may be all that the operator allows.
            let all = answer.total().and_then(|total| usize::try_from(total).ok()).unwrap_or(topics.len());
            if ended || topics.len() >= all.min(MOST_TOPICS) {
                break;
            }
            page = page.saturating_add(1);
        }
        let topics: Vec<Value> = topics.into_iter().filter(Value::is_string).collect();
        Ok(Reply::new().with("topics", topics))
    }
}

const LANGUAGE: Shape = Shape(&[
    Key::own("language", Kind::Text, "Its name."),
    Key::own("bytes", Kind::Number, "Bytes of code written in it."),
]);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tools::fake::{Route, World};
    use crate::tools::kit::Error;

    fn site() -> Value {
        json!({ "owner": "acme", "repo": "site" })
    }

    #[test]
    fn languages_come_largest_first_whatever_order_gitea_sends() {
        let world = World::open().on(
            "GET /repos/acme/site/languages",
            json!({ "C": 5, "Ada": 5, "Rust": 900, "Zig": 70, "x": null }),
        );
        let answer = world.answer("get_repo_languages", site());
        let expected = json!([
            { "language": "Rust", "bytes": 900 }, { "language": "Zig", "bytes": 70 },
            { "language": "Ada", "bytes": 5 }, { "language": "C", "bytes": 5 },
        ]);
        assert_eq!(answer["languages"], expected);
    }

    #[test]
    fn under_path_rules_no_language_tells_of_what_they_hide() {
        for rules in ["acme/site: {paths: {deny: ['src/*']}}", "ACME/*: {paths: {allow: ['docs/*']}}"] {
            let world = World::with(&format!("repositories:\n  {rules}\n"), &[])
                .on("GET /repos/acme/site/languages", json!({ "Rust": 900 }));
            let answer = world.answer("get_repo_languages", site());
            assert_eq!(answer["languages"], json!([]), "{rules}");
            assert!(answer["uncounted"].as_str().is_some_and(|why| why.contains("path rules")), "{answer}");
        }
        let elsewhere =
            "repositories: {acme/other: {paths: {deny: [x]}}, acme/site: {tools: {deny: [search_code]}}}";
        let world = World::with(elsewhere, &[]).on("GET /repos/acme/site/languages", json!({ "Rust": 900 }));
        let answer = world.answer("get_repo_languages", site());
        assert_eq!((answer["languages"].as_array().map(Vec::len), answer.get("uncounted")), (Some(1), None));
    }

    #[test]
    fn a_repository_that_is_not_counted_yet_has_no_languages_and_no_error() {
        let world = World::open().on("GET /repos/acme/site/languages", json!({}));
        assert_eq!(world.answer("get_repo_languages", site())["languages"], json!([]));
    }

    #[test]
    fn all_topics_come_even_where_the_operator_allows_short_pages_only() {
        let route = |page: u32, topics: Value| {
            let line = format!("GET /repos/acme/site/topics?page={page}&limit=50");
            Route::new(&line, 200, json!({ "topics": topics })).header("x-total-count", "5")
        };
        let world = World::open()
            .route(route(1, json!(["a", "b"])))
            .route(route(2, json!(["c", "d"])))
            .route(route(3, json!(["e"])));
        assert_eq!(world.answer("list_repo_topics", site())["topics"], json!(["a", "b", "c", "d", "e"]));
        assert_eq!(world.asked().len(), 3);
    }

    #[test]
    fn topics_end_where_gitea_has_no_more_though_it_counted_more() {
        let line = |page: u32| format!("GET /repos/acme/site/topics?page={page}");
        let world = World::open()
            .route(Route::new(&line(1), 200, json!({ "topics": ["a"] })).header("x-total-count", "3"))
            .route(Route::new(&line(2), 200, json!({ "topics": null })).header("x-total-count", "3"));
        assert_eq!(world.answer("list_repo_topics", site())["topics"], json!(["a"]));
        assert_eq!(world.asked().len(), 2);
        let untagged = World::open().on("GET /repos/acme/site/topics", json!({ "topics": [] }));
        assert_eq!(untagged.answer("list_repo_topics", site())["topics"], json!([]));
    }

    #[test]
    fn an_unseen_repository_is_told_as_such() {
        for tool in ["get_repo_languages", "list_repo_topics"] {
            let error = World::open().failure(tool, site());
            assert!(
                matches!(&error, Error::NotFound { message } if message.contains("acme/site")),
                "{error:?}"
            );
        }
    }
}
