//! `audit measure`: it leaves nothing behind unless told to, and what it keeps is a log like any other.

use aegis_tests::server::{Folder, program};
use serde_json::Value;

#[tokio::test]
async fn a_volume_is_measured_by_a_log_that_verifies_and_is_removed_again() {
    let folder = Folder::new();
    let place = folder.0.display().to_string();
    let asked = ["audit", "measure", &place, "--seconds", "1", "--json"];
    let (code, out, err) = program(&[&asked[..], &["--keep"]].concat(), &[]).await;
    assert_eq!(code, 0, "{err}");
    let told: Value = serde_json::from_str(&out).expect("JSON");
    for rate in [&told["alone"], &told["log"][0], &told["log"][1]] {
        assert!(rate["per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{told}");
    }
    let kept = std::path::Path::new(told["kept"].as_str().expect("a folder"));
    for log in ["log-1", "log-64"] {
        let (code, out, err) =
            program(&["audit", "verify", &kept.join(log).display().to_string()], &[]).await;
        assert_eq!(code, 0, "{out}{err}");
    }
    std::fs::remove_dir_all(kept).expect("removed");

    assert_eq!(program(&asked, &[]).await.0, 0);
    assert_eq!(std::fs::read_dir(&folder.0).expect("the folder").count(), 0);
    let (code, _, err) = program(&["audit", "measure", &format!("{place}/absent")], &[]).await;
    assert!(code == 2 && err.contains("cannot be measured"), "{code} {err}");
}
