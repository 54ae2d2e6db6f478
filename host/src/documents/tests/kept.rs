//! What is kept, for how long, and that one URL is fetched once at a time.

use super::*;

/// How long the document at a path is kept whose answer has these headers: found by fetching it again.
async fn lifetime(headers: &str) -> i64 {
    let scene = Scene::new().await;
    let body = good("/a");
    let length = body.len();
    scene.raw(
        "/a",
        &format!(
            "HTTP/1.1 200 x\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
        ),
    );
    scene.fetch("/a").await.unwrap();
    for seconds in [60, 61, 300, 301, 600, 601, 86_400, 86_401] {
        scene.clock.0.store(1_780_000_000_000 + seconds * 1_000 - 1, Ordering::Release);
        scene.fetch("/a").await.unwrap();
        if scene.requests() > 1 {
            return seconds - 1;
        }
    }
    i64::MAX
}

#[tokio::test]
async fn a_document_is_kept_as_long_as_it_says_within_bounds() {
    for (headers, seconds) in [
        ("", 300),
        ("cache-control: max-age=600\r\n", 600),
        ("cache-control: public, Max-Age=\"600\", stale-if-error=9\r\n", 600),
        ("cache-control: max-age=1\r\n", 60),
        ("cache-control: no-store\r\n", 60),
        ("cache-control: max-age=600, no-cache\r\n", 60),
        ("cache-control: max-age=600\r\ncache-control: max-age=300\r\n", 300),
        ("cache-control: max-age=99999999\r\n", 86_400),
        ("cache-control: max-age=99999999999999999999999\r\n", 86_400),
        ("cache-control: max-age=-5\r\n", 60),
    ] {
        assert_eq!(lifetime(headers).await, seconds, "{headers}");
    }
}

#[tokio::test]
async fn a_failure_is_kept_for_half_a_minute() {
    let scene = Scene::new().await;
    scene.page("/a", 500, "text/plain", "");
    assert_eq!(scene.failure("/a").await, Failure::Status(500));
    scene.good("/a");
    scene.forward(29);
    assert_eq!(scene.failure("/a").await, Failure::Status(500));
    assert_eq!(scene.requests(), 1);
    scene.forward(1);
    assert!(scene.fetch("/a").await.is_ok());
}

#[tokio::test]
async fn nothing_is_kept_from_a_future_that_the_clock_has_left() {
    let scene = Scene::new().await;
    scene.good("/a");
    scene.fetch("/a").await.unwrap();
    scene.forward(-1);
    scene.fetch("/a").await.unwrap();
    assert_eq!(scene.requests(), 2);
}

#[tokio::test]
async fn many_who_want_one_document_cause_one_request() {
    let scene = Scene::new().await;
    scene.good("/a");
    let mut tasks = Vec::new();
    for _ in 0..64 {
        let documents = Arc::clone(&scene.documents);
        tasks.push(tokio::spawn(async move { documents.fetch(&url("/a")).await }));
    }
    for task in tasks {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(scene.requests(), 1);
    assert!(scene.documents.flights.lock().unwrap().is_empty());
}

#[tokio::test]
async fn those_who_wait_go_on_where_the_first_one_gave_up() {
    let scene = Scene::new().await;
    let first = Arc::clone(&scene.documents);
    let first = tokio::spawn(async move { first.fetch(&url("/a")).await });
    while scene.requests() == 0 {
        tokio::task::yield_now().await;
    }
    let second = Arc::clone(&scene.documents);
    let second = tokio::spawn(async move { second.fetch(&url("/a")).await });
    tokio::task::yield_now().await;
    scene.good("/a");
    first.abort();
    assert!(second.await.unwrap().is_ok());
    assert_eq!(scene.requests(), 2);
    assert!(scene.documents.flights.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_a_few_fetches_run_at_a_time_and_the_rest_is_told_at_once() {
    let scene = Scene::new().await;
    let mut tasks = Vec::new();
    for n in 0..super::super::FETCHES {
        let documents = Arc::clone(&scene.documents);
        tasks.push(tokio::spawn(async move { documents.fetch(&url(&format!("/{n}"))).await }));
    }
    while scene.requests() < super::super::FETCHES {
        tokio::task::yield_now().await;
    }
    scene.good("/a");
    assert_eq!(scene.failure("/a").await, Failure::Busy);
    tasks.pop().unwrap().abort();
    while scene.documents.permits.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(scene.fetch("/a").await.is_ok(), "a full house is not remembered");
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_hundred_documents_are_kept_and_failures_push_none_of_them_out() {
    let scene = Scene::new().await;
    for n in 0..101 {
        scene.good(&format!("/{n}"));
        scene.fetch(&format!("/{n}")).await.unwrap();
        scene.page(&format!("/bad{n}"), 404, "text/plain", "");
        scene.failure(&format!("/bad{n}")).await;
    }
    let before = scene.requests();
    for n in 1..101 {
        scene.fetch(&format!("/{n}")).await.unwrap();
    }
    assert_eq!(scene.requests(), before);
    scene.fetch("/0").await.unwrap();
    assert_eq!(scene.requests(), before + 1);
}

/// What it is called, and how it is done.
type Absence = (&'static str, fn(&Scene));

/// Ways for a host to have nothing to give that say nothing about the document.
fn absences() -> Vec<Absence> {
    vec![
        ("no name", |scene| scene.wire.addresses.lock().unwrap().clear()),
        ("an address inside", |scene| {
            *scene.wire.addresses.lock().unwrap() = vec!["10.0.0.1".parse().unwrap()]
        }),
        ("cut off", |scene| scene.raw("/a", "HTTP/1.1 200 x\r\ncontent-le")),
        ("down", |scene| scene.page("/a", 503, "text/html", "")),
        ("no time", |scene| scene.page("/a", 429, "text/html", "")),
        ("who are you", |scene| scene.page("/a", 401, "application/json", "{}")),
        ("a challenge", |scene| scene.page("/a", 403, "text/html", "<title>Just a moment</title>")),
        ("a bad request", |scene| scene.page("/a", 400, "text/html", "")),
        ("kept back by law", |scene| scene.page("/a", 451, "text/html", "")),
        ("no content", |scene| scene.page("/a", 204, "application/json", "")),
        ("not whole", |scene| scene.page("/a", 200, "application/json", good("/a").trim_end_matches('}'))),
        ("too long", |scene| {
            scene.page("/a", 200, "application/json", &(good("/a") + &" ".repeat(6_000)));
        }),
        ("a portal", |scene| scene.page("/a", 200, "text/html", "<title>Sign in</title>")),
        ("elsewhere", |scene| scene.page("/a", 302, "text/html", "")),
        ("nonsense", |scene| scene.page("/a", 200, "application/json", "{}")),
    ]
}

#[tokio::test]
async fn what_was_fetched_before_goes_on_while_the_host_has_nothing_to_give_and_for_a_day_at_most() {
    for (what, spoil) in absences() {
        let scene = Scene::new().await;
        scene.good("/a");
        let before = scene.fetch("/a").await.unwrap();
        let good = scene.wire.addresses.lock().unwrap().clone();
        spoil(&scene);
        scene.forward(300);
        assert_eq!(scene.fetch("/a").await.unwrap(), before, "{what}");
        let tried = scene.wire.connected.lock().unwrap().len();
        scene.forward(29);
        assert_eq!(scene.fetch("/a").await.unwrap(), before, "{what}");
        assert_eq!(scene.wire.connected.lock().unwrap().len(), tried, "{what}: it is not asked each time");
        scene.forward(86_400 - 300 - 29 - 1);
        assert_eq!(scene.fetch("/a").await.unwrap(), before, "{what}");
        scene.forward(1);
        assert!(scene.fetch("/a").await.is_err(), "{what}: a day is over");
        // And it is as if nothing had been when the host is back.
        *scene.wire.addresses.lock().unwrap() = good;
        scene.good("/a");
        scene.forward(30);
        assert_eq!(scene.fetch("/a").await.unwrap(), before, "{what}");
    }
}

#[tokio::test]
async fn only_the_hosts_own_word_replaces_what_was_fetched_before() {
    let scene = Scene::new().await;
    scene.good("/a");
    let before = scene.fetch("/a").await.unwrap();
    scene.forward(300);
    scene.page("/a", 200, "application/json", &good("/a").replace("one.test", "two.test"));
    let after = scene.fetch("/a").await.unwrap();
    assert_ne!(after, before);
    assert_eq!(after.redirect_uris, ["https://two.test/cb"]);
    let unfit = |from: &str, to: &str| {
        let changed = good("/a").replace(from, to);
        assert_ne!(changed, good("/a"), "{from}");
        changed
    };
    let ends: [(u16, String); 6] = [
        (404, String::new()),
        (410, String::new()),
        (200, good("/b")),
        (200, unfit("[\"https://one.test/cb\"]", "[]")),
        (200, unfit("[\"https://one.test/cb\"]", "[7]")),
        (
            200,
            unfit(
                "\"redirect_uris\"",
                "\"token_endpoint_auth_method\":\"private_key_jwt\",\"redirect_uris\"",
            ),
        ),
    ];
    for (status, body) in ends {
        scene.forward(300);
        scene.good("/a");
        scene.fetch("/a").await.unwrap();
        scene.forward(300);
        scene.page("/a", status, "application/json", &body);
        let failure = scene.failure("/a").await;
        assert!(failure.ends_fetched(), "{status} {body}: {failure:?}");
        // It stays gone, also when the host falls silent afterwards.
        scene.forward(30);
        scene.page("/a", 503, "text/html", "");
        assert_eq!(scene.failure("/a").await, Failure::Status(503));
    }
}

#[tokio::test]
async fn where_too_many_fetches_run_what_was_fetched_before_is_taken() {
    let scene = Scene::new().await;
    scene.good("/a");
    let before = scene.fetch("/a").await.unwrap();
    scene.forward(300);
    let whole = u32::try_from(super::super::FETCHES).unwrap();
    let full = scene.documents.permits.acquire_many(whole).await.unwrap();
    assert_eq!(scene.fetch("/a").await.unwrap(), before);
    assert_eq!(scene.failure("/b").await, Failure::Busy);
    let claude = "https://claude.ai/oauth/mcp-oauth-client-metadata";
    assert!(scene.documents.fetch(claude).await.unwrap().is_built_in);
    drop(full);
    assert_eq!(scene.requests(), 1, "nothing else was asked");
}
