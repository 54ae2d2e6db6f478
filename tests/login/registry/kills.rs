//! Kills in the middle of renewals: whatever was answered is good afterwards, and the registry can always be read.
//! Few by default; `AEGIS_TEST_SAVES=1000` is the long form (`make long-tests`).

use aegis_tests::http::{Answer, send};
use aegis_tests::server::Server;
use aegis_tests::sign_in::{Client, Tokens, form};
use tokio::sync::mpsc;

use super::{told, warnings, works};
use crate::scene::{Scene, password};

/// Renewals between two kills, on average.
const BETWEEN: usize = 12;

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "mallory"];

fn saves() -> usize {
    std::env::var("AEGIS_TEST_SAVES").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// A renewal, where an answer arrives whole.
async fn renew(client: &Client, token: &str) -> Option<Answer> {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client.id.as_str())];
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer =
        send(&client.server, "POST", "/oauth/token", &headers, form(&fields).as_bytes()).await.ok()?;
    answer.complete.then_some(answer)
}

/// Renew until the server is gone; what was answered last.
async fn renew_on(client: Client, mut tokens: Tokens, answered: mpsc::UnboundedSender<()>) -> Tokens {
    while let Some(answer) = renew(&client, &tokens.refresh).await {
        tokens = Tokens::of(&answer);
        let _ = answered.send(());
    }
    tokens
}

/// Everybody renews at once until so many renewals were answered; then the server is killed.
async fn round(server: Server, client: &Client, people: Vec<Tokens>, wanted: usize) -> Vec<Tokens> {
    let (answered, mut counted) = mpsc::unbounded_channel();
    let renewing: Vec<_> = people
        .into_iter()
        .map(|tokens| tokio::spawn(renew_on(client.clone(), tokens, answered.clone())))
        .collect();
    drop(answered);
    for _ in 0..wanted {
        counted.recv().await.expect("renewals are answered until the kill");
    }
    server.signal("KILL").await;
    assert_eq!(server.wait().await.code, 128 + 9);
    let mut people = Vec::new();
    for one in renewing {
        people.push(one.await.expect("every answer is a good one"));
    }
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_of_renewals_lose_nothing_that_was_answered() {
    let scene = Scene::new().await;
    let mut server = scene.start().await;
    let client = Client::register(&server.url).await;
    let mut people = Vec::new();
    for login in PEOPLE {
        people.push(client.tokens(login, &password(login), false).await);
    }
    let (mut done, mut rounds) = (0, 0);
    while done < saves() {
        // Another number each time, so that the kill meets another moment.
        let wanted = 1 + (rounds * 7) % (2 * BETWEEN);
        people = round(server, &client, people, wanted).await;
        (done, rounds) = (done + wanted, rounds + 1);
        println!("kill {rounds}: {done} of {} renewals answered so far", saves());
        server = scene.start().await;
        for tokens in &people {
            assert_eq!(works(&server, tokens).await.status, 200, "after kill {rounds}");
        }
        assert_eq!(warnings(&server).await, serde_json::json!([]), "after kill {rounds}");
    }
    for tokens in &people {
        let answer = renew(&client, &tokens.refresh).await.expect("an answer");
        let _ = Tokens::of(&answer);
    }
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0, "{}", stopped.log);
    for trouble in ["registry_corrupt", "registry_volatile", "registry_unread"] {
        assert_eq!(told(&stopped.audit, trouble), Vec::<String>::new(), "over {rounds} kills");
    }
}
