//! Compiled guests between starts: used from a folder that is the server's alone, and never trusted otherwise.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aegis_tests::server::{Setup, Stopped, dist, program};

use crate::scene::Scene;

fn compiled(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect());
    entries.unwrap_or_default()
}

fn setup(scene: &Scene, folder: &Path) -> Setup {
    scene.setup().guest("hostile.wasm").set("GUEST_CACHE_DIR", &folder.display().to_string())
}

/// Start, serve one request, stop.
async fn served(scene: &Scene, folder: &Path) -> Stopped {
    let server = setup(scene, folder).start().await;
    assert_eq!(server.get("/fine").await.text(), "fine");
    let stopped = server.stop().await;
    assert_eq!(stopped.code, 0);
    stopped
}

#[tokio::test]
async fn the_compiled_guest_is_kept_in_a_closed_folder_and_used_as_it_is() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("cache");
    let first = served(&scene, &folder).await;
    assert!(!first.log.contains("guest_cache_"), "{}", first.log);
    assert_eq!(std::fs::metadata(&folder).expect("made").mode() & 0o777, 0o700);
    let files = compiled(&folder);
    let [file] = files.as_slice() else { panic!("one file, and no draft beside it: {files:?}") };
    assert!(file.extension().is_some_and(|ending| ending == "cwasm"), "{file:?}");
    let written = std::fs::metadata(file).expect("there");
    assert_eq!(written.mode() & 0o777, 0o600);

    let second = served(&scene, &folder).await;
    assert!(!second.log.contains("guest_cache_"), "{}", second.log);
    assert_eq!(compiled(&folder), files);
    let used = std::fs::metadata(file).expect("there");
    assert_eq!(
        (used.ino(), used.mtime_nsec(), used.mtime()),
        (written.ino(), written.mtime_nsec(), written.mtime())
    );
}

#[tokio::test]
async fn code_compiled_ahead_of_time_is_used_and_nothing_is_written_beside_it() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("ahead");
    let place = folder.display().to_string();
    let guest = dist().join("hostile.wasm").display().to_string();
    let (code, out, err) = program(&["guest", "compile", &guest, "--into", &place], &[]).await;
    assert_eq!(code, 0, "{err}");
    let files = compiled(&folder);
    assert_eq!(files, [PathBuf::from(out.trim())]);
    let stopped = served(&scene, &folder).await;
    assert!(!stopped.log.contains("guest_cache_"), "{}", stopped.log);
    assert_eq!(compiled(&folder), files, "it was used, so nothing was compiled");
}

#[tokio::test]
async fn what_would_not_be_served_is_not_compiled_ahead_of_time() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("ahead");
    let place = folder.display().to_string();
    let greedy = dist().join("greedy.wasm").display().to_string();
    let (code, out, err) = program(&["guest", "compile", &greedy, "--into", &place], &[]).await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("is refused: it imports"), "{err}");
    assert!(compiled(&folder).is_empty());
}

#[tokio::test]
async fn a_folder_that_others_can_write_is_not_used() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("shared");
    std::fs::create_dir(&folder).expect("made");
    for mode in [0o777, 0o770, 0o702] {
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).expect("opened to others");
        let stopped = served(&scene, &folder).await;
        assert!(stopped.log.contains("guest_cache_unusable"), "{mode:o}: {}", stopped.log);
        assert!(stopped.log.contains("chmod 700"), "{mode:o}: {}", stopped.log);
        assert_eq!(compiled(&folder), Vec::<PathBuf>::new(), "{mode:o}");
    }
}

#[tokio::test]
async fn a_planted_file_in_an_open_folder_is_not_run() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("cache");
    served(&scene, &folder).await;
    let files = compiled(&folder);
    // If it were opened at all, the log would call it stale.
    std::fs::write(&files[0], b"planted").expect("planted");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o707)).expect("opened to others");
    let stopped = served(&scene, &folder).await;
    assert!(stopped.log.contains("guest_cache_unusable"), "{}", stopped.log);
    assert!(!stopped.log.contains("guest_cache_stale"), "{}", stopped.log);
    assert_eq!(std::fs::read(&files[0]).expect("there"), b"planted", "left as evidence");
}

#[tokio::test]
async fn a_link_in_place_of_the_folder_is_not_followed() {
    let scene = Scene::new().await;
    let (real, link) = (scene.folder.0.join("real"), scene.folder.0.join("link"));
    std::fs::create_dir(&real).expect("made");
    std::os::unix::fs::symlink(&real, &link).expect("linked");
    let stopped = served(&scene, &link).await;
    assert!(stopped.log.contains("guest_cache_unusable"), "{}", stopped.log);
    assert_eq!(compiled(&real), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_compiled_guest_that_is_damaged_is_made_anew() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("cache");
    served(&scene, &folder).await;
    let files = compiled(&folder);
    let good = std::fs::metadata(&files[0]).expect("there").len();
    for damage in [&b"garbage"[..], b""] {
        std::fs::write(&files[0], damage).expect("damaged");
        let stopped = served(&scene, &folder).await;
        assert!(stopped.log.contains("guest_cache_stale"), "{}", stopped.log);
        assert_eq!(compiled(&folder), files, "no draft is left");
        assert_eq!(std::fs::metadata(&files[0]).expect("there").len(), good);
        let after = served(&scene, &folder).await;
        assert!(!after.log.contains("guest_cache_"), "{}", after.log);
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_costs_a_warning_and_not_the_start() {
    let scene = Scene::new().await;
    let file = scene.folder.0.join("a-file");
    std::fs::write(&file, b"").expect("written");
    for folder in [file.clone(), file.join("below")] {
        let stopped = served(&scene, &folder).await;
        assert!(stopped.log.contains("guest_cache_unusable"), "{folder:?}: {}", stopped.log);
    }
}

#[tokio::test]
async fn a_compiled_guest_that_others_could_have_written_is_made_anew() {
    let scene = Scene::new().await;
    let folder = scene.folder.0.join("cache");
    served(&scene, &folder).await;
    let [file] = compiled(&folder).try_into().expect("one file");
    let inode = |path: &PathBuf| std::fs::metadata(path).expect("there").ino();
    let before = inode(&file);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("opened to others");
    served(&scene, &folder).await;
    assert_ne!(inode(&file), before, "another file stands under the name");
    assert_eq!(std::fs::metadata(&file).expect("there").mode() & 0o777, 0o600);
}
