//! Nothing that one instance wrote is there for another, though both use the same pages of the pool.

use aegis_tests::server::Server;

use crate::scene::Scene;

/// Marks found, and the bytes that were searched.
async fn asked(server: &Server, what: &str) -> (u64, u64) {
    let answer = server.get(what).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.text());
    let text = answer.text();
    let numbers: Vec<u64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
    let &[found, searched] = numbers.as_slice() else { panic!("{what} said {text}") };
    (found, searched)
}

#[tokio::test]
async fn what_one_instance_wrote_is_gone_for_the_next_in_static_heap_and_stack() {
    let scene = Scene::new().await;
    // One place at a time, so that the few slots of the pool are used again and again.
    let setup = scene.setup().set("MAX_CONCURRENT_REQUESTS", "1").guest("hostile.wasm");
    let server = setup.start().await;
    for round in 0..20 {
        let (own, searched) = asked(&server, "/remember").await;
        assert!(own > 60_000, "the search finds what is there, or it shows nothing: {own} in {searched}");
        let (leaked, searched_again) = asked(&server, "/recall").await;
        assert_eq!(leaked, 0, "round {round}");
        assert!(searched_again >= 2 << 20, "{searched_again} bytes are fewer than were marked");
    }
    assert!(scene.forge.requests().is_empty());
}

#[tokio::test]
async fn instances_side_by_side_do_not_see_each_other() {
    let scene = Scene::new().await;
    let setup = scene.setup().set("MAX_CONCURRENT_REQUESTS", "4").guest("hostile.wasm");
    let server = std::sync::Arc::new(setup.start().await);
    let pairs: Vec<_> = (0..4)
        .map(|which| {
            let server = server.clone();
            tokio::spawn(async move {
                for _ in 0..8 {
                    if which % 2 == 0 {
                        assert!(asked(&server, "/remember").await.0 > 60_000);
                    } else {
                        assert_eq!(asked(&server, "/recall").await.0, 0);
                    }
                }
            })
        })
        .collect();
    for pair in pairs {
        pair.await.expect("no leak");
    }
}
