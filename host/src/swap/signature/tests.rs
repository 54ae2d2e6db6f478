use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A folder with two keys, `ours` and `theirs`, as ssh-keygen makes them.
struct Keys(tempfile::TempDir);

impl Keys {
    fn new() -> Self {
        let keys = Self(tempfile::tempdir().unwrap());
        for (name, kind) in [("ours", "ed25519"), ("theirs", "ed25519"), ("other-kind", "ecdsa")] {
            keys.keygen(&["-q", "-t", kind, "-N", "", "-C", &format!("{name} comment"), "-f", name]);
        }
        keys
    }

    fn keygen(&self, arguments: &[&str]) {
        let done = Command::new("ssh-keygen").args(arguments).current_dir(self.0.path()).output();
        let done = done.expect("ssh-keygen, of OpenSSH, is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn public(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(&format!("{name}.pub"))).unwrap()
    }

    fn signed(&self, by: &str, namespace: &str, bytes: &[u8], more: &[&str]) -> String {
        std::fs::write(self.at("file"), bytes).unwrap();
        let _ = std::fs::remove_file(self.at("file.sig"));
        self.keygen(&[&["-q", "-Y", "sign", "-n", namespace, "-f", by], more, &["file"]].concat());
        std::fs::read_to_string(self.at("file.sig")).unwrap()
    }
}

fn judged(trusted: &Trusted, bytes: &[u8], signature: &str) -> Result<String, Cause> {
    trusted.signer(bytes, Some(signature)).map_err(|refused| refused.cause)
}

#[test]
fn what_ssh_keygen_signs_for_this_purpose_by_a_trusted_key_is_taken_and_nothing_else() {
    let keys = Keys::new();
    let trusted = Trusted::parse(&keys.public("ours")).unwrap();
    let good = keys.signed("ours", "aegis-guest", b"a component", &[]);
    assert_eq!(judged(&trusted, b"a component", &good), Ok("ours comment".to_owned()));
    let short = keys.signed("ours", "aegis-guest", b"a component", &["-O", "hashalg=sha256"]);
    assert!(judged(&trusted, b"a component", &short).is_ok());
    assert_eq!(judged(&trusted, b"another component", &good), Err(Cause::BadSignature));
    let elsewhere = keys.signed("ours", "git", b"a component", &[]);
    assert_eq!(judged(&trusted, b"a component", &elsewhere), Err(Cause::BadSignature));
    let theirs = keys.signed("theirs", "aegis-guest", b"a component", &[]);
    assert_eq!(judged(&trusted, b"a component", &theirs), Err(Cause::UnknownSigner));
    let ecdsa = keys.signed("other-kind", "aegis-guest", b"a component", &[]);
    assert_eq!(judged(&trusted, b"a component", &ecdsa), Err(Cause::BadSignature));
    assert_eq!(trusted.signer(b"a component", None).unwrap_err().cause, Cause::Unsigned);
    // The same blob, cut anywhere, with a byte more, and with any byte changed.
    let armour = |blob: &[u8]| format!("{BEGIN}\n{}\n{END}\n", STANDARD.encode(blob));
    let text: String = good.lines().filter(|line| !line.starts_with("-----")).collect();
    let blob = STANDARD.decode(text).unwrap();
    assert!(judged(&trusted, b"a component", &armour(&blob)).is_ok());
    for length in 0..blob.len() {
        assert_eq!(judged(&trusted, b"a component", &armour(&blob[..length])), Err(Cause::BadSignature));
    }
    assert!(judged(&trusted, b"a component", &armour(&[&blob[..], b"\0"].concat())).is_err());
    for at in 0..blob.len() {
        let mut changed = blob.clone();
        changed[at] ^= 1;
        assert!(judged(&trusted, b"a component", &armour(&changed)).is_err(), "byte {at}");
    }
    for odd in ["", BEGIN, "what?", &good.replace("BEGIN", "BEGUN")] {
        assert_eq!(judged(&trusted, b"a component", odd), Err(Cause::BadSignature), "{odd}");
    }
}

#[test]
fn keys_are_read_as_openssh_writes_them_and_a_line_that_says_more_is_refused() {
    let keys = Keys::new();
    let (ours, theirs) = (keys.public("ours"), keys.public("theirs"));
    let both = format!(
        "# who may\n\nrelease@example.org namespaces=\"aegis-guest\" {ours}\n  ops@example.org {theirs}\r\n"
    );
    let names: Vec<String> = Trusted::parse(&both).unwrap().0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["release@example.org", "ops@example.org"]);
    for (wrong, says) in [
        (keys.public("other-kind"), "no ssh-ed25519 key"),
        (format!("a cert-authority {ours}"), "only option"),
        (format!("a namespaces=\"git\" {ours}"), "only option"),
        (format!("a valid-before=\"20200101\" {ours}"), "only option"),
        (format!("a namespaces=\"aegis-guest\" b {ours}"), "none of"),
        ("ssh-ed25519".to_owned(), "none of"),
        ("ssh-ed25519 AAAA".to_owned(), "no Ed25519 key"),
        ("ssh-ed25519 !!!!".to_owned(), "not Base64"),
        ("# nothing\n".to_owned(), "no key"),
    ] {
        let why = Trusted::parse(&wrong).unwrap_err();
        assert!(why.contains(says), "{wrong}: {why}");
    }
}

#[test]
fn a_file_of_keys_that_others_can_write_is_none() {
    use std::os::unix::fs::PermissionsExt as _;
    let keys = Keys::new();
    let path = keys.at("ours.pub");
    for (mode, is_taken) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(Trusted::read(&path).is_ok(), is_taken, "{mode:o}");
    }
    assert!(Trusted::read(&keys.at("none")).unwrap_err().contains("GUEST_TRUSTED_KEYS"));
}
