//! `GUEST_WATCH_PATH`: what stands there is put in force by itself, and a bad file is told once.

use aegis_tests::server::Server;
use serde_json::json;

use super::components::{Components, in_force, told, variant};
use super::signed::{key, sign};
use super::{done, lines, status};
use crate::scene::{Scene, until};

async fn becomes(server: &Server, digest: &str) {
    until("it is in force", async || in_force(server).await == digest).await;
}

#[tokio::test]
async fn a_signed_file_is_put_in_force_when_it_comes_and_a_bad_one_changes_nothing() {
    let scene = Scene::new().await;
    let components = Components::new();
    let folder = components.0.0.clone();
    for tag in ["a", "b"] {
        components.variant(tag).await;
    }
    let (keys, _) = components.file("signers", key(&folder, "ours").as_bytes());
    let watched = folder.join("guest.wasm").display().to_string();
    let setup = || scene.setup().set("GUEST_TRUSTED_KEYS", &keys).set("GUEST_WATCH_PATH", &watched);
    let server = setup().start().await;
    let own = in_force(&server).await;
    // Without its signature it is refused, and with it, it is put in force.
    let (_, first) = components.file("guest.wasm", &variant("a"));
    let refused = "aegis_guest_swaps_total{outcome=\"refused\"}";
    until("it is refused", async || server.metric(refused).await > 0.5).await;
    assert_eq!(in_force(&server).await, own);
    sign(&folder, "ours", &watched);
    becomes(&server, &first).await;
    assert_eq!(status(&server).await, 200);
    // One that is larger than any guest is told once, and so is one that is no guest.
    let path = std::path::Path::new(&watched);
    let counted = async |count: f64| {
        until("it is refused", async || (server.metric(refused).await - count).abs() < 0.5).await;
        assert_eq!(in_force(&server).await, first);
    };
    let before = server.metric(refused).await;
    std::fs::File::create(path).and_then(|file| file.set_len((32 << 20) + 1)).expect("written");
    counted(before + 1.0).await;
    std::fs::write(path, "what?").expect("written");
    counted(before + 2.0).await;
    sign(&folder, "ours", &watched);
    counted(before + 3.0).await;
    // Another one, whose signature comes first.
    let (beside, second) = components.file("beside.wasm", &variant("b"));
    sign(&folder, "ours", &beside);
    std::fs::rename(format!("{beside}.sig"), format!("{watched}.sig")).expect("renamed");
    std::fs::rename(&beside, &watched).expect("renamed");
    becomes(&server, &second).await;
    // What an operator takes down stays down, also at the next start: the file is as it was.
    done(&server, &["rollback"]).await;
    assert_eq!(in_force(&server).await, first);
    let stopped = server.stop().await;
    let by: Vec<_> =
        lines(&stopped.audit, "guest_swapped").iter().map(|line| line["detail"]["by"].clone()).collect();
    assert_eq!(by, [json!("file"), json!("file")]);
    let server = setup().start().await;
    until("the file is looked at", async || server.log().contains("guest_file_left")).await;
    assert_eq!(in_force(&server).await, first);
    assert_eq!(told(&server).await["rollback_to"], json!(own));
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_file_whose_guest_was_replaced_by_an_operator_or_a_newer_program_stays_so_after_a_start() {
    let scene = Scene::new().await;
    let components = Components::new();
    let folder = components.0.0.clone();
    for tag in ["a", "b", "newer"] {
        components.variant(tag).await;
    }
    let (keys, _) = components.file("signers", key(&folder, "ours").as_bytes());
    let (watched, first) = components.file("guest.wasm", &variant("a"));
    sign(&folder, "ours", &watched);
    let setup = || scene.setup().set("GUEST_TRUSTED_KEYS", &keys).set("GUEST_WATCH_PATH", &watched);
    let looked = async |server: &Server| {
        until("the file is looked at", async || server.log().contains("guest_file_left")).await;
    };
    let server = setup().start().await;
    becomes(&server, &first).await;
    let (other, second) = components.file("other.wasm", &variant("b"));
    sign(&folder, "ours", &other);
    done(&server, &["swap", &other]).await;
    assert_eq!(server.stop().await.code, 0);
    let server = setup().start().await;
    looked(&server).await;
    assert_eq!(in_force(&server).await, second, "what was swapped in last");
    assert_eq!(server.stop().await.code, 0);
    // The program comes with another guest from here on.
    let (newer, image) = components.variant("newer").await;
    let server = setup().set("GUEST_PATH", &newer).start().await;
    looked(&server).await;
    assert_eq!(in_force(&server).await, image, "an upgrade is not undone by an older file");
    // A file that changes is taken.
    std::fs::copy(&other, &watched).expect("copied");
    sign(&folder, "ours", &watched);
    becomes(&server, &second).await;
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}
