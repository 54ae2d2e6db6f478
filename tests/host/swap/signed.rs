//! With `GUEST_TRUSTED_KEYS` a guest that was not signed by one of them is never in force, whichever way it comes.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::components::{Components, guest, in_force, told};
use super::{done, lines};
use crate::scene::Scene;

pub fn keygen(folder: &Path, arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(arguments).current_dir(folder).output();
    let done = done.expect("ssh-keygen, of OpenSSH, is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

pub fn key(folder: &Path, name: &str) -> String {
    keygen(folder, &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name]);
    std::fs::read_to_string(folder.join(format!("{name}.pub"))).expect("a key")
}

pub fn sign(folder: &Path, by: &str, file: &str) {
    let _ = std::fs::remove_file(format!("{file}.sig"));
    keygen(folder, &["-q", "-Y", "sign", "-n", "aegis-guest", "-f", by, file]);
}

#[tokio::test]
async fn only_what_a_trusted_key_has_signed_is_put_in_force_also_at_a_restart() {
    let scene = Scene::new().await;
    let components = Components::new();
    let folder = components.0.0.clone();
    let (ours, theirs) = (key(&folder, "ours"), key(&folder, "theirs"));
    let (keys, _) = components.file("signers", ours.as_bytes());
    let server = scene.setup().set("GUEST_TRUSTED_KEYS", &keys).start().await;
    let own = in_force(&server).await;
    let (path, digest) = components.variant("a").await;
    let refusal = async |server: &aegis_tests::server::Server| {
        let (code, _, err) = guest(server, &["swap", &path]).await;
        assert_eq!(code, 1, "{err}");
        err.split(':').next().unwrap_or_default().to_owned()
    };
    assert_eq!(refusal(&server).await, "unsigned");
    sign(&folder, "theirs", &path);
    assert_eq!(refusal(&server).await, "unknown_signer");
    std::fs::write(format!("{path}.sig"), "what?").expect("written");
    assert_eq!(refusal(&server).await, "bad_signature");
    sign(&folder, "ours", &components.variant("b").await.0);
    std::fs::copy(folder.join("b.wasm.sig"), format!("{path}.sig")).expect("copied");
    assert_eq!(refusal(&server).await, "bad_signature", "of another component");
    assert_eq!(in_force(&server).await, own);
    sign(&folder, "ours", &path);
    assert_eq!(done(&server, &["swap", &path]).await["signer"], json!("ours"));
    assert_eq!(told(&server).await["past"][0]["signer"], json!("ours"));
    // A key that is taken out counts no more from then on, and the keys in force are those of the file.
    std::fs::write(&keys, &theirs).expect("written");
    let (b, _) = components.variant("b").await;
    sign(&folder, "theirs", &b);
    assert_eq!(done(&server, &["swap", &b]).await["signer"], json!("theirs"));
    done(&server, &["rollback"]).await;
    assert_eq!(in_force(&server).await, digest);
    std::fs::remove_file(&keys).expect("removed");
    assert_eq!(guest(&server, &["swap", &b]).await.2.split(':').next(), Some("no_trusted_keys"));
    std::fs::write(&keys, &theirs).expect("written");
    let stopped = server.stop().await;
    assert_eq!(lines(&stopped.audit, "guest_swapped")[0]["detail"]["signer"], json!("ours"));
    // What is kept was signed by a key that is trusted no more.
    let server = scene.setup().set("GUEST_TRUSTED_KEYS", &keys).start().await;
    assert_eq!(in_force(&server).await, own);
    let stopped = server.stop().await;
    let refused = lines(&stopped.audit, "guest_swap_refused");
    let causes: Vec<&Value> = refused.iter().map(|line| &line["detail"]["cause"]).collect();
    let all =
        ["unsigned", "unknown_signer", "bad_signature", "bad_signature", "no_trusted_keys", "unknown_signer"];
    assert_eq!(causes, all);
    assert_eq!(scene.verify().await.0, 0);
}

#[tokio::test]
async fn keys_that_cannot_be_used_and_a_watched_file_without_keys_keep_the_server_from_starting() {
    let scene = Scene::new().await;
    let components = Components::new();
    for (text, says) in [("", "it has no key"), ("ssh-rsa AAAA", "no ssh-ed25519 key")] {
        let (keys, _) = components.file("signers", text.as_bytes());
        let (code, said) = scene.setup().set("GUEST_TRUSTED_KEYS", &keys).refused().await;
        assert!(code == 64 && said.contains(says) && said.contains("GUEST_TRUSTED_KEYS"), "{code} {said}");
    }
    let (code, said) = scene.setup().set("GUEST_TRUSTED_KEYS", "/not/there").refused().await;
    assert!(code == 64 && said.contains("GUEST_TRUSTED_KEYS"), "{code} {said}");
    let (code, said) = scene.setup().set("GUEST_WATCH_PATH", "/not/there").refused().await;
    assert!(code == 64 && said.contains("needs GUEST_TRUSTED_KEYS"), "{code} {said}");
}
