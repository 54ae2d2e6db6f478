//! A release that is signed, and what `scripts/verify-release` says of one that was changed on its way.

use std::path::{Path, PathBuf};
use std::process::Command;

use aegis_tests::server::Folder;

use crate::{root, said};

const ARCHIVE: &str = "aegis-mcp-1.2.3-linux-amd64.tar.gz";
const BILL: &str = "aegis-mcp-1.2.3.cdx.json";

/// A release of two files, its signer's key, and a stranger's.
struct Release(Folder);

impl Release {
    /// Signed.
    fn new() -> Self {
        let unsigned = Self::unsigned();
        assert_eq!(unsigned.sum(Some("ours")).0, 0);
        unsigned
    }

    fn unsigned() -> Self {
        let release = Self(Folder::new());
        std::fs::create_dir(release.files()).unwrap();
        release.write(ARCHIVE, "an archive");
        release.write(BILL, "{}");
        let mut signers = String::new();
        for who in ["ours", "stranger"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", who, "-f"])
                .arg(release.at(who))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
            if who == "ours" {
                let public = std::fs::read_to_string(release.at("ours.pub")).unwrap();
                signers = format!("releases@example.com namespaces=\"aegis-release\" {public}");
            }
        }
        std::fs::write(release.at("signers"), signers).unwrap();
        release
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }

    fn files(&self) -> PathBuf {
        self.at("release")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.files().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.files().join(name)).unwrap()
    }

    fn sum(&self, key: Option<&str>) -> (i32, String, String) {
        let mut script = Command::new(root().join("scripts/sum-release"));
        script.arg(self.files()).env_remove("RELEASE_SIGNING_KEY").env_remove("SSH_AUTH_SOCK");
        if let Some(key) = key {
            script.env("RELEASE_SIGNING_KEY", self.at(key));
        }
        said(&script.output().expect("it runs"))
    }

    fn verify(&self, signers: &Path) -> (i32, String, String) {
        said(
            &Command::new(root().join("scripts/verify-release"))
                .arg(self.files())
                .arg(signers)
                .output()
                .expect("it runs"),
        )
    }

    /// That it is not to be used, and for which reason.
    fn is_refused(&self, why: &str) {
        let (code, _, error) = self.verify(&self.at("signers"));
        assert_eq!(code, 1, "{why}: {error}");
        assert!(error.contains(&format!("Not to be used: {why}")), "{why}: {error}");
    }

    /// Signs what `SHA256SUMS` says now.
    fn sign(&self, key: &str, namespace: &str) {
        let _ = std::fs::remove_file(self.files().join("SHA256SUMS.sig"));
        let mut signing = Command::new("ssh-keygen");
        signing
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(self.at(key))
            .arg(self.files().join("SHA256SUMS"));
        assert!(signing.output().expect("ssh-keygen runs").status.success());
    }
}

#[test]
fn a_signed_release_is_verified() {
    let release = Release::new();
    let (code, shown, _) = release.verify(&release.at("signers"));
    assert_eq!(
        (code, shown.as_str()),
        (0, "Signed by releases@example.com.\n2 files are as they were released.\n")
    );
    assert_eq!(release.read("SHA256SUMS").lines().count(), 2);
}

#[test]
fn one_that_was_changed_is_not_to_be_used() {
    let changed = Release::new();
    changed.write(ARCHIVE, "another archive");
    changed.is_refused("a file is not the one that was released.");

    let gone = Release::new();
    std::fs::remove_file(gone.files().join(BILL)).unwrap();
    gone.is_refused("a file is not the one that was released.");

    let summed_again = Release::new();
    summed_again.write(ARCHIVE, "another archive");
    let signature = summed_again.read("SHA256SUMS.sig");
    assert_eq!(summed_again.sum(None).0, 0);
    summed_again.is_refused("SHA256SUMS is not signed.");
    summed_again.write("SHA256SUMS.sig", &signature);
    summed_again.is_refused("the signature does not fit SHA256SUMS.");

    let more = Release::new();
    more.write("aegis-mcp-1.2.3-linux-arm64.tar.gz", "not of this release");
    more.is_refused("aegis-mcp-1.2.3-linux-arm64.tar.gz is not in SHA256SUMS.");

    let bare = Release::unsigned();
    bare.is_refused("there is no SHA256SUMS.");
}

#[test]
fn a_signature_counts_from_a_known_key_and_for_a_release_alone() {
    let by_a_stranger = Release::new();
    by_a_stranger.sign("stranger", "aegis-release");
    by_a_stranger.is_refused("SHA256SUMS is signed by nobody in the list of signers.");

    // The same key signs commits too; such a signature is none of a release.
    let for_something_else = Release::new();
    for_something_else.sign("ours", "git");
    let (code, _, error) = for_something_else.verify(&for_something_else.at("signers"));
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("Not to be used: "), "{error}");

    let with_a_path = Release::new();
    let line = format!("{}  ../ours\n", "0".repeat(64));
    with_a_path.write("SHA256SUMS", &format!("{}{line}", with_a_path.read("SHA256SUMS")));
    with_a_path.sign("ours", "aegis-release");
    with_a_path.is_refused("SHA256SUMS has a line that is no sum of a file here.");
}

#[test]
fn without_a_key_it_says_that_it_is_not_signed() {
    let release = Release::unsigned();
    let (code, shown, _) = release.sum(None);
    assert_eq!(code, 0);
    assert!(shown.ends_with("SHA256SUMS is not signed: name the key in RELEASE_SIGNING_KEY.\n"), "{shown}");
    assert!(!release.files().join("SHA256SUMS.sig").exists());
    release.is_refused("SHA256SUMS is not signed.");
    let (code, shown, _) = release.verify(Path::new("--unsigned"));
    assert_eq!(code, 0);
    assert!(shown.contains("The signature is not looked at"), "{shown}");
    release.write(ARCHIVE, "another archive");
    assert_eq!(release.verify(Path::new("--unsigned")).0, 1);
}

#[test]
fn a_key_that_cannot_sign_fails_the_release() {
    let release = Release::unsigned();
    let (code, _, error) = release.sum(Some("nowhere"));
    assert_eq!((code, error.as_str()), (66, "RELEASE_SIGNING_KEY names no file that is there.\n"));
    std::fs::write(release.at("broken"), "no key").unwrap();
    let (code, _, error) = release.sum(Some("broken"));
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("could not be signed"), "{error}");
    assert!(!release.files().join("SHA256SUMS.sig").exists(), "no half signature");
}
