//! What a restart finds of a guest that was swapped in.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::components::{Components, in_force, told};
use super::{done, lines, status};
use crate::scene::{Scene, until};

fn guests(scene: &Scene) -> PathBuf {
    scene.folder.0.join("registry").join("guests")
}

#[tokio::test]
async fn a_restart_serves_what_was_swapped_in_and_can_still_go_back() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let ((a, first), (b, second)) = (components.variant("a").await, components.variant("b").await);
    done(&server, &["swap", &a]).await;
    done(&server, &["swap", &b]).await;
    server.signal("KILL").await;
    drop(server.wait().await);
    let mode = |path: PathBuf| std::fs::metadata(path).expect("kept").permissions().mode() & 0o777;
    assert_eq!(mode(guests(&scene)), 0o700);
    assert_eq!(mode(guests(&scene).join(format!("{second}.wasm"))), 0o600);
    let server = scene.setup().start().await;
    assert_eq!((in_force(&server).await, status(&server).await), (second.clone(), 200));
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(first), "read from where it is kept");
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(own));
    let history = told(&server).await;
    let what: Vec<&Value> =
        history["past"].as_array().expect("a list").iter().map(|past| &past["what"]).collect();
    assert_eq!(what, ["swapped", "swapped", "restored", "rolled_back", "rolled_back"]);
    let stopped = server.stop().await;
    let restored = lines(&stopped.audit, "guest_restored");
    assert_eq!(restored.len(), 1, "{restored:?}");
    assert_eq!(
        (&restored[0]["detail"]["after"], &restored[0]["detail"]["by"]),
        (&json!(second), &json!("start"))
    );
    // What is named no more is gone, and the next start has nothing to restore.
    assert!(!guests(&scene).join(format!("{first}.wasm")).exists());
    let server = scene.setup().start().await;
    assert_eq!(
        (in_force(&server).await, told(&server).await["past"].as_array().map(Vec::len)),
        (own, Some(5))
    );
    assert_eq!(server.stop().await.code, 0);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn a_newer_programs_guest_wins_at_the_start_and_the_history_says_so() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let components = Components::new();
    let (path, swapped) = components.variant("a").await;
    done(&server, &["swap", &path]).await;
    assert_eq!(server.stop().await.code, 0);
    // The program comes with another guest from here on.
    let (newer, digest) = components.variant("newer").await;
    let server = scene.setup().set("GUEST_PATH", &newer).start().await;
    assert_eq!((in_force(&server).await, status(&server).await), (digest.clone(), 200));
    let history = told(&server).await;
    let last = history["past"].as_array().and_then(|past| past.last()).expect("an event").clone();
    assert_eq!(
        (&last["what"], &last["before"], &last["digest"]),
        (&json!("newer_image"), &json!(swapped), &json!(digest))
    );
    assert_eq!(history["rollback_to"], Value::Null);
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_image_newer").len(), 1);
    // Once is enough.
    let server = scene.setup().set("GUEST_PATH", &newer).start().await;
    assert_eq!(told(&server).await["past"].as_array().map(Vec::len), Some(2));
    assert_eq!(server.stop().await.code, 0);
}

#[tokio::test]
async fn a_kept_guest_or_history_that_was_changed_is_not_served_and_that_is_on_record() {
    for what in ["component", "history"] {
        let scene = Scene::new().await;
        let server = scene.setup().start().await;
        let own = in_force(&server).await;
        let components = Components::new();
        let (path, digest) = components.variant("a").await;
        done(&server, &["swap", &path]).await;
        assert_eq!(server.stop().await.code, 0);
        let changed = match what {
            "component" => guests(&scene).join(format!("{digest}.wasm")),
            _ => guests(&scene).join("history.json"),
        };
        let mut bytes = std::fs::read(&changed).expect("kept");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x80;
        std::fs::write(&changed, bytes).expect("written");
        let server = scene.setup().start().await;
        assert_eq!((in_force(&server).await, status(&server).await), (own, 200), "{what}");
        // It can be swapped in again, and is kept again.
        assert_eq!(done(&server, &["swap", &path]).await["volatile"], Value::Null, "{what}");
        let stopped = server.stop().await;
        let refused = lines(&stopped.audit, "guest_swap_refused");
        assert_eq!(refused.len(), 1, "{what}: {refused:?}");
        assert_eq!(
            (&refused[0]["detail"]["cause"], &refused[0]["detail"]["by"]),
            (&json!("not_kept"), &json!("start"))
        );
        let server = scene.setup().start().await;
        assert_eq!(in_force(&server).await, digest, "{what}");
        assert_eq!(server.stop().await.code, 0);
    }
}

#[tokio::test]
async fn a_guest_that_cannot_come_back_is_passed_over_and_the_way_down_ends_at_the_programs_own() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    let components = Components::new();
    let ((a, first), (b, second)) = (components.variant("a").await, components.variant("b").await);
    done(&server, &["swap", &a]).await;
    done(&server, &["swap", &b]).await;
    assert_eq!(server.stop().await.code, 0);
    // After a restart the one below is read from where it is kept, and it is not there.
    std::fs::remove_file(guests(&scene).join(format!("{first}.wasm"))).expect("kept");
    let server = scene.setup().start().await;
    assert_eq!(in_force(&server).await, second);
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(own));
    assert_eq!((in_force(&server).await, status(&server).await), (own, 200));
    assert_eq!(told(&server).await["rollback_to"], Value::Null);
    let stopped = server.stop().await;
    let refused = lines(&stopped.audit, "guest_swap_refused");
    assert_eq!(refused.len(), 1, "{refused:?}");
    let detail = &refused[0]["detail"];
    assert_eq!((&detail["cause"], &detail["offered"]), (&json!("not_kept"), &json!(first)));
    assert_eq!(lines(&stopped.audit, "guest_rolled_back").len(), 1);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn where_the_volume_takes_nothing_a_swap_holds_until_the_stop_and_says_so() {
    let scene = Scene::new().await;
    let server = scene.setup().start().await;
    let own = in_force(&server).await;
    // Something else has the folder's name: also root cannot write there.
    std::fs::create_dir_all(scene.folder.0.join("registry")).expect("a folder");
    std::fs::write(guests(&scene), b"in the way").expect("written");
    let components = Components::new();
    let (path, digest) = components.variant("a").await;
    let answer = done(&server, &["swap", &path]).await;
    assert!(answer["volatile"].as_str().is_some_and(|why| why.contains("not a folder")), "{answer}");
    assert_eq!((in_force(&server).await, status(&server).await), (digest.clone(), 200));
    assert!(told(&server).await["volatile"].is_string());
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(own), "from memory");
    done(&server, &["swap", &path]).await;
    until("the log says so", async || server.log().contains("guest_not_kept")).await;
    assert_eq!(server.stop().await.code, 0);
    std::fs::remove_file(guests(&scene)).expect("removed");
    let server = scene.setup().start().await;
    assert_eq!(in_force(&server).await, own);
    // What could not be kept is, with the next change that can.
    std::fs::write(guests(&scene), b"in the way").expect("written");
    done(&server, &["swap", &path]).await;
    std::fs::remove_file(guests(&scene)).expect("removed");
    let (other, _) = components.variant("b").await;
    assert_eq!(done(&server, &["swap", &other]).await["volatile"], Value::Null);
    assert_eq!(server.stop().await.code, 0);
    let server = scene.setup().start().await;
    assert_eq!(done(&server, &["rollback"]).await["after"], json!(digest), "read from where it is kept");
    assert_eq!(server.stop().await.code, 0);
}
