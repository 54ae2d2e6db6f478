//! How long a sign-in lasts: to its greatest age however often it is used, and to its longest pause. The program has no
//! clock that a test could turn, so between two runs the sign-in in the registry's file is made older.

use std::path::PathBuf;

use aegis_tests::server::Server;
use aegis_tests::sign_in::{Client, Tokens, call};
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde_json::{Value, json};

use crate::scene::{Scene, password};

const FAMILIES: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("families");
const DAY: i64 = 86_400_000;
const MINUTE: i64 = 60_000;

fn file(scene: &Scene) -> PathBuf {
    scene.folder().join("registry").join("registry.redb")
}

/// Move these times of every sign-in so many milliseconds into the past, while no server has the file.
fn age(scene: &Scene, times: &[&str], millis: i64) {
    let database = Database::open(file(scene)).unwrap();
    let work = database.begin_write().unwrap();
    {
        let mut families = work.open_table(FAMILIES).unwrap();
        let rows: Vec<(Vec<u8>, Value)> = families
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (key.value().to_vec(), serde_json::from_slice(value.value()).unwrap()))
            .collect();
        assert!(!rows.is_empty(), "there is a sign-in to make older");
        for (key, mut value) in rows {
            for time in times {
                value[*time] = (value[*time].as_i64().unwrap() - millis).into();
            }
            families.insert(key.as_slice(), value.to_string().as_bytes()).unwrap();
        }
    }
    work.commit().unwrap();
}

/// How many sign-ins the file holds that were not ended by anybody.
fn living_rows(scene: &Scene) -> usize {
    let database = Database::open(file(scene)).unwrap();
    let families = database.begin_read().unwrap().open_table(FAMILIES).unwrap();
    let rows = families.iter().unwrap().map(|row| row.unwrap().1);
    rows.filter(|row| serde_json::from_slice::<Value>(row.value()).unwrap()["ended"].is_null()).count()
}

async fn start(scene: &Scene) -> Server {
    scene.setup().set("SESSION_MAX_AGE_DAYS", "2").set("SESSION_IDLE_DAYS", "1").start().await
}

async fn works(server: &Server, tokens: &Tokens) -> u16 {
    call(&server.url, &tokens.access, "list_repositories", &json!({})).await.status
}

/// The sign-in is over: the call is refused, the refresh is refused, and a new sign-in works.
async fn is_over(server: &Server, client: &Client, tokens: &Tokens) {
    let answer = call(&server.url, &tokens.access, "list_repositories", &json!({})).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert!(
        answer.header("www-authenticate").is_some_and(|challenge| challenge.contains("resource_metadata="))
    );
    let refreshed = client.refresh(&tokens.refresh, &[]).await;
    assert_eq!((refreshed.status, refreshed.reason().as_deref()), (400, Some("invalid_grant")));
    let again = client.tokens("alice", &password("alice"), false).await;
    assert_eq!(works(server, &again).await, 200);
}

#[tokio::test]
async fn a_sign_in_ends_at_its_greatest_age_however_often_it_is_used() {
    let scene = Scene::new().await;
    let server = start(&scene).await;
    let client = Client::register(&server.url).await;
    let first = client.tokens("alice", &password("alice"), false).await;
    server.stop().await;
    // Ten minutes short of two days, and used a moment ago.
    age(&scene, &["created"], 2 * DAY - 10 * MINUTE);
    let server = start(&scene).await;
    assert_eq!(works(&server, &first).await, 200);
    let second = Tokens::of(&client.refresh(&first.refresh, &[]).await);
    assert_eq!(works(&server, &second).await, 200);
    server.stop().await;
    // A refresh does not make it younger.
    age(&scene, &["created"], 11 * MINUTE);
    assert_eq!(living_rows(&scene), 1, "nobody ended it");
    let server = start(&scene).await;
    is_over(&server, &client, &second).await;
    server.stop().await;
}

#[tokio::test]
async fn a_sign_in_ends_after_its_longest_pause_and_each_use_puts_that_off() {
    let scene = Scene::new().await;
    let server = start(&scene).await;
    let client = Client::register(&server.url).await;
    let first = client.tokens("alice", &password("alice"), false).await;
    server.stop().await;
    age(&scene, &["created", "used", "rotated"], DAY - 10 * MINUTE);
    let server = start(&scene).await;
    let second = Tokens::of(&client.refresh(&first.refresh, &[]).await);
    server.stop().await;
    // Without that refresh the pause would be too long by now.
    age(&scene, &["created", "used", "rotated"], 11 * MINUTE);
    let server = start(&scene).await;
    assert_eq!(works(&server, &second).await, 200);
    let third = Tokens::of(&client.refresh(&second.refresh, &[]).await);
    server.stop().await;
    age(&scene, &["used", "rotated"], DAY + MINUTE);
    assert_eq!(living_rows(&scene), 1, "nobody ended it");
    let server = start(&scene).await;
    is_over(&server, &client, &third).await;
    server.stop().await;
}
