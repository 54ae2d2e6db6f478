//! Who has signed a component: `ssh-keygen -Y sign` by a key that GUEST_TRUSTED_KEYS names.
//!
//! The form is OpenSSH's PROTOCOL.sshsig, read strictly: Ed25519 alone, the namespace `aegis-guest` alone, nothing left
//! over. A signature for anything else (a commit, a mail) is none here.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{Cause, Refused};

/// What signatures are for.
const NAMESPACE: &str = "aegis-guest";
/// Longest signature file, in bytes. One by Ed25519 has some 300.
pub(crate) const MAX_SIGNATURE: u64 = 4 << 10;
/// Longest file of keys, in bytes.
const MAX_KEYS: u64 = 64 << 10;
const KIND: &[u8] = b"ssh-ed25519";
const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Keys whose signatures count.
#[derive(Debug)]
pub(crate) struct Trusted(Vec<(String, [u8; 32])>);

impl Trusted {
    /// From a file: a key a line, as `ssh-keygen` writes them (`ssh-ed25519 AAAA... comment`) or as OpenSSH's
    /// `allowed_signers` has them (`name namespaces="aegis-guest" ssh-ed25519 AAAA...`).
    ///
    /// # Errors
    /// It cannot be read, others can write it, a line says something else, or there is no key. For a person.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        use std::os::unix::fs::MetadataExt as _;
        let wrong = |why: String| format!("GUEST_TRUSTED_KEYS={} cannot be used: {why}", path.display());
        let meta = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
        if meta.mode() & 0o022 != 0 {
            return Err(wrong(format!("others can write it (mode {:o}); chmod 644 it", meta.mode() & 0o777)));
        }
        let bytes = crate::regular::read(path, MAX_KEYS).map_err(|error| wrong(error.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        Self::parse(&text).map_err(wrong)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(key(line).map_err(|why| format!("line {number}: {why}"))?);
            }
        }
        if keys.is_empty() { Err("it has no key".to_owned()) } else { Ok(Self(keys)) }
    }

    /// The name of whoever has signed these bytes.
    ///
    /// # Errors
    /// There is no signature, it is not one of these bytes for this purpose, or it is by a key that is not trusted.
    pub(super) fn signer(&self, bytes: &[u8], signature: Option<&str>) -> Result<String, Refused> {
        let Some(signature) = signature else {
            let text = format!(
                "it is not signed: GUEST_TRUSTED_KEYS asks for FILE.sig, made by `ssh-keygen -Y sign -n {NAMESPACE} -f KEY FILE`"
            );
            return Err(Cause::Unsigned.because(text));
        };
        let bad = |why: &str| Cause::BadSignature.because(format!("its signature does not hold: {why}"));
        let Signature { key, hash, signature } = Signature::parse(signature).map_err(bad)?;
        let hashed = digest(if hash == b"sha256" { &SHA256 } else { &SHA512 }, bytes);
        let mut signed = MAGIC.to_vec();
        for part in [NAMESPACE.as_bytes(), b"", &hash, hashed.as_ref()] {
            signed.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            signed.extend_from_slice(part);
        }
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed, &signature)
            .map_err(|_| bad("it is not of this file"))?;
        let known = self.0.iter().find(|(_, trusted)| *trusted == key);
        known.map(|(name, _)| name.clone()).ok_or_else(|| {
            let key = STANDARD.encode(public(&key));
            Cause::UnknownSigner.because(format!(
                "it is signed by a key that GUEST_TRUSTED_KEYS does not have: ssh-ed25519 {key}"
            ))
        })
    }
}

/// One line: what it calls the key, and the key.
fn key(line: &str) -> Result<(String, [u8; 32]), &'static str> {
    const FORM: &str =
        "it is none of `ssh-ed25519 KEY COMMENT` and `NAME namespaces=\"aegis-guest\" ssh-ed25519 KEY`";
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (before, rest) = match words.iter().position(|word| word.as_bytes() == KIND) {
        Some(at) => words.split_at(at),
        None => return Err("it has no ssh-ed25519 key; keys of other kinds are not taken"),
    };
    let (name, options) = match before {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, options] => (Some(*name), Some(*options)),
        _ => return Err(FORM),
    };
    if options.is_some_and(|options| options != format!("namespaces=\"{NAMESPACE}\"")) {
        return Err("the only option that is taken is namespaces=\"aegis-guest\"");
    }
    let [_, encoded, comment @ ..] = rest else { return Err(FORM) };
    let blob = STANDARD.decode(encoded).map_err(|_| "its key is not Base64")?;
    let mut blob = Fields(&blob);
    let key = of_kind(&mut blob).filter(|_| blob.0.is_empty()).ok_or("its key is no Ed25519 key")?;
    let comment = comment.join(" ");
    let name = name.map_or(comment, str::to_owned);
    Ok((name.chars().filter(|c| !c.is_control()).take(128).collect(), key))
}

/// What is in a signature file.
struct Signature {
    key: [u8; 32],
    hash: Vec<u8>,
    signature: Vec<u8>,
}

impl Signature {
    fn parse(armoured: &str) -> Result<Self, &'static str> {
        const FORM: &str = "it is not of the form that ssh-keygen -Y sign writes";
        let mut lines = armoured.trim_end().lines().map(str::trim_end);
        if lines.next() != Some(BEGIN) || lines.next_back() != Some(END) {
            return Err(FORM);
        }
        let blob = STANDARD.decode(lines.collect::<String>()).map_err(|_| FORM)?;
        let mut fields = Fields(&blob);
        if fields.take(MAGIC.len()) != Some(MAGIC) || fields.take(4) != Some(&1_u32.to_be_bytes()) {
            return Err(FORM);
        }
        let key = fields.string().and_then(|key| {
            let mut key = Fields(key);
            of_kind(&mut key).filter(|_| key.0.is_empty())
        });
        let key = key.ok_or("it is not by an Ed25519 key")?;
        let (namespace, reserved, hash) = (fields.string(), fields.string(), fields.string());
        if namespace != Some(NAMESPACE.as_bytes()) {
            return Err("it was made for something else: sign with -n aegis-guest");
        }
        let hash = hash.filter(|hash| [&b"sha512"[..], b"sha256"].contains(hash)).ok_or(FORM)?;
        let mut inner = Fields(fields.string().ok_or(FORM)?);
        let kind = inner.string();
        let signature = inner.string().filter(|signature| signature.len() == 64).ok_or(FORM)?;
        let is_whole = kind == Some(KIND) && inner.0.is_empty() && fields.0.is_empty();
        if !is_whole || reserved.is_none() {
            return Err(FORM);
        }
        Ok(Self { key, hash: hash.to_vec(), signature: signature.to_vec() })
    }
}

/// The public key of a blob that begins with its kind.
fn of_kind(fields: &mut Fields<'_>) -> Option<[u8; 32]> {
    (fields.string()? == KIND).then(|| fields.string()?.try_into().ok())?
}

/// The blob of a public key.
fn public(key: &[u8; 32]) -> Vec<u8> {
    let lengths =
        [KIND.len(), key.len()].map(|length| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    let [kind, length] = lengths;
    [&kind[..], KIND, &length, key].concat()
}

/// What is left of a blob: numbers of four bytes, and strings that begin with their length (RFC 4251 section 5).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests;
