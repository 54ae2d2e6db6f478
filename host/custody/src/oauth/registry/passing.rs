//! Codes and claims as rows, for a holder that has no process to keep them in.
//!
//! The native host keeps both in memory: they pass within minutes, and its process outlives them. Where every request
//! may be another instance they have to be written like the rest. They must not be lost there: a row that cannot be
//! read is an error, since a code that is forgotten could be redeemed twice.

use serde::Deserialize;
use serde_json::json;

use super::Registry;
use super::claims::ClaimKind;
use super::codes::{Code, CodeHash, Entry, State};
use super::rows::{VERSION, time};
use super::terms::{Application, FamilyId, Scopes, Text, UserId};
use crate::Timestamp;

const CODE: u8 = b'c';
const CLAIM: u8 = b'k';

/// A code or a claim as bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passing {
    /// Which one it is.
    pub key: Vec<u8>,
    /// What is known of it.
    pub value: Vec<u8>,
}

/// A row that is no code and no claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row of codes and claims cannot be read")]
pub struct NotPassing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeValue {
    v: u32,
    user: UserId,
    until: i64,
    state: CodeState,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum CodeState {
    Unused(UnusedCode),
    Burnt,
    Used { family: Option<FamilyId>, replayed: bool },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnusedCode {
    client: String,
    redirect_uri: String,
    challenge: String,
    login: String,
    scopes: u8,
    application: Application,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimValue {
    v: u32,
    until: i64,
}

impl Registry {
    /// Every code that is unused or watched, and every claim.
    #[must_use]
    pub fn passing(&self) -> Vec<Passing> {
        let codes = self.codes.iter().map(|(hash, entry)| Passing {
            key: [&[CODE], hash.as_slice()].concat(),
            value: code_value(entry),
        });
        let claims = self.claims.iter().map(|(kind, id, until)| Passing {
            key: [&[CLAIM, kind.byte()], id.as_slice()].concat(),
            value: json!({"v": VERSION, "until": until.unix_millis()}).to_string().into_bytes(),
        });
        codes.chain(claims).collect()
    }

    /// Take codes and claims that [`Registry::passing`] gave.
    ///
    /// # Errors
    /// One of them cannot be read: then this registry must not be used.
    pub fn load_passing(&mut self, rows: impl IntoIterator<Item = Passing>) -> Result<(), NotPassing> {
        for Passing { key, value } in rows {
            let read = match key.split_first() {
                Some((&CODE, hash)) => self.take_code_row(hash, &value),
                Some((&CLAIM, claim)) => self.take_claim_row(claim, &value),
                Some(_) | None => None,
            };
            read.ok_or(NotPassing)?;
        }
        Ok(())
    }

    fn take_code_row(&mut self, hash: &[u8], value: &[u8]) -> Option<()> {
        let hash: CodeHash = hash.try_into().ok()?;
        let CodeValue { v, user, until, state } = serde_json::from_slice(value).ok()?;
        let until = time(until).filter(|_| v == VERSION)?;
        let state = match state {
            CodeState::Burnt => State::Burnt,
            CodeState::Used { family, replayed } => State::Used { family, replayed },
            CodeState::Unused(code) => State::Unused(code.read(user, until)?),
        };
        self.codes.put(hash, Entry { user, state, until });
        Some(())
    }

    fn take_claim_row(&mut self, claim: &[u8], value: &[u8]) -> Option<()> {
        let (kind, id) = claim.split_first()?;
        let kind = ClaimKind::ALL.into_iter().find(|known| known.byte() == *kind)?;
        let ClaimValue { v, until } = serde_json::from_slice(value).ok()?;
        self.claims.put(kind, id.try_into().ok()?, time(until).filter(|_| v == VERSION)?);
        Some(())
    }
}

impl UnusedCode {
    fn read(self, user: UserId, expires_at: Timestamp) -> Option<Code> {
        let fits = Text::Client.fits(self.client.len())
            && Text::Redirect.fits(self.redirect_uri.len())
            && Text::Challenge.fits(self.challenge.len())
            && Text::Login.fits(self.login.len());
        Some(Code {
            client: self.client,
            redirect_uri: self.redirect_uri,
            challenge: self.challenge,
            user,
            login: self.login,
            scopes: Scopes::from_bits(self.scopes).filter(|_| fits)?,
            application: self.application,
            expires_at,
        })
    }
}

fn code_value(entry: &Entry) -> Vec<u8> {
    let state = match &entry.state {
        State::Burnt => json!("burnt"),
        State::Used { family, replayed } => json!({"used": {"family": family, "replayed": replayed}}),
        State::Unused(code) => json!({"unused": {
            "client": code.client, "redirect_uri": code.redirect_uri, "challenge": code.challenge,
            "login": code.login, "scopes": code.scopes.bits(), "application": code.application.name(),
        }}),
    };
    let value = json!({"v": VERSION, "user": entry.user, "until": entry.until.unix_millis(), "state": state});
    value.to_string().into_bytes()
}
