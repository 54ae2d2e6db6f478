//! What the record says about a tool call: the intent before it and the remark on a refusal.
//!
//! Names and numbers are recorded masked, free text only as length and digest. Nothing here decides whether a
//! call may happen, and nothing recorded here is read back.

use aegis_redaction::{Mode, Redactor};
use sha2::{Digest, Sha256};

use crate::ports::{Class, Event, Kind, Recorded, Remark};

/// Most characters of one recorded name, number or path.
const RECORDED_CHARACTERS: usize = 500;

/// What a call touches, as the record names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Owner and name of the repository.
    pub repository: Option<(String, String)>,
    /// Paths inside it.
    pub paths: Vec<String>,
    /// The ref as given.
    pub reference: Option<String>,
}

/// A number, flag, enum or short name, for the record.
#[must_use]
pub fn scalar(value: &str) -> Recorded {
    Recorded::Scalar(plain(value))
}

/// Free text, for the record: its length in bytes and its SHA-256.
#[must_use]
pub fn text(value: &str) -> Recorded {
    let bytes = u64::try_from(value.len()).unwrap_or(u64::MAX);
    Recorded::Text { bytes, sha256: digest(value.as_bytes()) }
}

/// The intent of a tool call.
#[must_use]
pub fn event(tool: &str, class: Class, touched: &Touched, arguments: Vec<(String, Recorded)>) -> Event {
    let (owner, repo) = names(touched);
    Event {
        tool: tool.to_owned(),
        class,
        owner,
        repo,
        paths: touched.paths.iter().map(|path| plain(path)).collect(),
        reference: touched.reference.as_deref().map(plain),
        arguments,
    }
}

/// The remark on a call that was refused before anything was sent.
#[must_use]
pub fn denied(
    reason: &str,
    tool: Option<&str>,
    touched: Option<&Touched>,
    detail: &[(String, String)],
) -> Remark {
    let nothing = Touched::default();
    let touched = touched.unwrap_or(&nothing);
    let (owner, repo) = names(touched);
    Remark {
        kind: Kind::AccessDenied,
        reason: reason.to_owned(),
        tool: tool.map(plain),
        owner,
        repo,
        paths: touched.paths.iter().map(|path| plain(path)).collect(),
        detail: detail.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
    }
}

fn names(touched: &Touched) -> (Option<String>, Option<String>) {
    let repository = touched.repository.as_ref();
    repository.map(|(owner, repo)| (plain(owner), plain(repo))).unzip()
}

/// The record masks secrets in every mode: it outlives the setting.
fn plain(value: &str) -> String {
    let cleaned = Redactor::new(Mode::Mask).clean(value).text.into_owned();
    aegis_redaction::bound(&cleaned, RECORDED_CHARACTERS).map_or(cleaned.clone(), str::to_owned)
}

/// SHA-256, in lower-case hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_text_is_recorded_as_length_and_digest_only() {
        let recorded = text("abc");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        assert_eq!(recorded, Recorded::Text { bytes: 3, sha256 });
    }

    #[test]
    fn a_secret_in_a_name_is_not_recorded() {
        let token = ["aegis", "_at_", "Zm9vYmFyYmF6cXV4cXV1eGNvcmdl"].concat();
        let touched = Touched {
            repository: Some((token.clone(), token.clone())),
            paths: vec![token.clone()],
            reference: None,
        };
        let remark = denied("policy_denied", Some("t"), Some(&touched), &[("rule".into(), token.clone())]);
        assert!(!format!("{remark:?}").contains(&token), "{remark:?}");
        assert!(remark.owner.is_some() && remark.repo.is_some(), "{remark:?}");
        let event = event("t", Class::Read, &touched, Vec::new());
        assert!(!format!("{event:?}").contains(&token), "{event:?}");
    }

    #[test]
    fn the_event_names_what_is_touched() {
        let touched = Touched {
            repository: Some(("acme".into(), "site".into())),
            paths: vec!["src/main.rs".into()],
            reference: Some("main".into()),
        };
        let event = event("get_file_contents", Class::Read, &touched, vec![("n".into(), scalar("1"))]);
        assert_eq!(event.owner.as_deref(), Some("acme"));
        assert_eq!(event.repo.as_deref(), Some("site"));
        assert_eq!(event.paths, ["src/main.rs"]);
        assert_eq!(event.reference.as_deref(), Some("main"));
        assert_eq!(event.arguments, [("n".to_owned(), Recorded::Scalar("1".to_owned()))]);
    }
}
