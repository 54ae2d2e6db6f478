//! Whether a person may do on a repository what the service account is about to do for them. Any doubt is a no.
//!
//! Who is asked, in this order: Gitea as the person (it knows team rights exactly), Gitea by `Sudo` where the operator
//! gave an administrator's token for that, and at last the probe for collaborators, which says less than is true for
//! members of teams. Answers are kept for `REPO_AUTHZ_CACHE_TTL_SECONDS`, here and nowhere else.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode};
use lru::LruCache;
use serde_json::Value;

use super::authority::{Whose, sudo};
use super::kept_out;
use super::{Gitea, Wire};
use crate::component::bindings::aegis::gateway::gitea::Failure;
use crate::ports::identity::Principal;
use crate::shared::Shared;
use crate::ticket::Record;

/// Answers that are kept.
const KEPT: NonZeroUsize = match NonZeroUsize::new(16_384) {
    Some(count) => count,
    None => NonZeroUsize::MIN,
};
/// Most bytes of an answer about a repository.
const MOST: usize = 256 << 10;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Need {
    Read,
    Write,
}

/// How the service account may do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permitted {
    /// By itself.
    Itself,
    /// With Gitea running the call as the person.
    AsUser,
}

/// What somebody who was asked knows.
enum Told {
    Yes(Permitted),
    No,
    /// They cannot tell, so the next one is asked.
    Nothing,
}

/// Answers of a short time ago.
pub(super) struct Answers {
    life: Duration,
    entries: Mutex<LruCache<Key, (Instant, Option<Permitted>)>>,
}

type Key = (String, String, Need);

impl Answers {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, entries: Mutex::new(LruCache::new(KEPT)) }
    }

    fn find(&self, key: &Key, now: Instant) -> Option<Option<Permitted>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = *entries.get(key)?;
        (now.saturating_duration_since(at) < self.life).then_some(answer)
    }

    fn keep(&self, key: Key, answer: Option<Permitted>, now: Instant) {
        if !self.life.is_zero() {
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).put(key, (now, answer));
        }
    }
}

impl Gitea {
    /// Whether the service account may act for this person.
    ///
    /// # Errors
    /// It may not, or that cannot be made sure; the denial is on record.
    pub(super) async fn permitted(
        &self,
        shared: &Shared,
        record: &Record,
        principal: &Principal,
        repository: &(String, String),
        need: Need,
    ) -> Result<Permitted, Failure> {
        let name = format!("{}/{}", repository.0, repository.1);
        let key = (principal.subject.clone(), name.to_ascii_lowercase(), need);
        let now = Instant::now();
        let answer = match self.answers.find(&key, now) {
            Some(known) => known,
            None => {
                let found =
                    self.find_out(shared, record, principal, repository, need).await.map_err(|why| {
                        deny(record, &name, &why);
                        if matches!(why, Failure::SignedOut) {
                            why
                        } else {
                            Failure::NotPermitted(doubt(&why))
                        }
                    })?;
                self.answers.keep(key, found, now);
                found
            }
        };
        answer.ok_or_else(|| {
            let why = Failure::NotPermitted("Gitea does not give you this right there".to_owned());
            deny(record, &name, &why);
            why
        })
    }

    async fn find_out(
        &self,
        shared: &Shared,
        record: &Record,
        principal: &Principal,
        repository: &(String, String),
        need: Need,
    ) -> Result<Option<Permitted>, Failure> {
        // One after the other: whoever is asked later is not asked at all where an earlier one knows.
        match self.as_the_person(shared, record, principal, repository, need).await? {
            Told::Yes(how) => return Ok(Some(how)),
            Told::No => return Ok(None),
            Told::Nothing => {}
        }
        match self.by_sudo(record, principal, repository, need).await? {
            Told::Yes(how) => Ok(Some(how)),
            Told::No => Ok(None),
            Told::Nothing => self.by_probe(record, principal, repository, need).await,
        }
    }

    async fn as_the_person(
        &self,
        shared: &Shared,
        record: &Record,
        principal: &Principal,
        repository: &(String, String),
        need: Need,
    ) -> Result<Told, Failure> {
        let mut own = self.own(shared, principal, None).await?;
        let mut answer = self.about(record, repository, own.header.clone(), None).await?;
        if let (StatusCode::UNAUTHORIZED, Whose::Grant(refused)) = (answer.0, own.whose) {
            own = self.own(shared, principal, Some(refused)).await?;
            answer = self.about(record, repository, own.header, None).await?;
        }
        if answer.0 == StatusCode::UNAUTHORIZED || kept_out::says(answer.0, &answer.1) {
            shared.sign_out(principal, own.whose.revision()).await;
            return Err(Failure::SignedOut);
        }
        match answer {
            (StatusCode::OK, body) => Ok(rights(&body, need, Permitted::Itself)),
            (StatusCode::NOT_FOUND, _) => Ok(Told::No),
            // The token does not reach so far; that says nothing of the person.
            (StatusCode::FORBIDDEN, body) if lacks_scope(&body) => Ok(Told::Nothing),
            (StatusCode::FORBIDDEN, _) => Ok(Told::No),
            (status, _) => {
                Err(Failure::Broken(format!("Gitea answered {status} when asked for the permission")))
            }
        }
    }

    async fn by_sudo(
        &self,
        record: &Record,
        principal: &Principal,
        repository: &(String, String),
        need: Need,
    ) -> Result<Told, Failure> {
        let Some(service) = self.service().filter(|_| self.sudo) else { return Ok(Told::Nothing) };
        match self.about(record, repository, service, Some(sudo(principal)?)).await? {
            (StatusCode::OK, body) => Ok(rights(&body, need, Permitted::AsUser)),
            (StatusCode::NOT_FOUND, _) => Ok(Told::No),
            // Not an administrator's token: the operator sees it, and the probe is asked.
            (StatusCode::FORBIDDEN, _) => {
                tracing::warn!(event = "sudo_refused", setting = "GITEA_TOKEN_SUDO");
                Ok(Told::Nothing)
            }
            (status, _) => {
                Err(Failure::Broken(format!("Gitea answered {status} when asked for the permission")))
            }
        }
    }

    async fn by_probe(
        &self,
        record: &Record,
        principal: &Principal,
        (owner, repo): &(String, String),
        need: Need,
    ) -> Result<Option<Permitted>, Failure> {
        const PROBE: &str = "/repos/{owner}/{repo}/collaborators/{login}/permission";
        let Some(service) = self.service() else { return Ok(None) };
        let login = sudo(principal)?;
        let login = login.to_str().unwrap_or_default();
        let wire = Wire::get(PROBE, &[owner, repo, login])?;
        let (status, body) = self.ask(record, &wire, service, None, MOST).await?;
        if status != StatusCode::OK {
            return Ok(None);
        }
        let permission = body.get("permission").and_then(Value::as_str).unwrap_or("none");
        let enough: &[&str] = match need {
            Need::Read => &["read", "write", "admin", "owner"],
            Need::Write => &["write", "admin", "owner"],
        };
        Ok(enough.contains(&permission).then_some(Permitted::Itself))
    }

    async fn about(
        &self,
        record: &Record,
        (owner, repo): &(String, String),
        authorization: HeaderValue,
        sudo: Option<HeaderValue>,
    ) -> Result<(StatusCode, Value), Failure> {
        let wire = Wire::get("/repos/{owner}/{repo}", &[owner, repo])?;
        self.ask(record, &wire, authorization, sudo, MOST).await
    }
}

fn rights(body: &Value, need: Need, how: Permitted) -> Told {
    let right =
        |name: &str| body.pointer(&format!("/permissions/{name}")).and_then(Value::as_bool) == Some(true);
    let may = match need {
        Need::Read => right("pull"),
        Need::Write => right("push"),
    };
    if may { Told::Yes(how) } else { Told::No }
}

fn lacks_scope(body: &Value) -> bool {
    body.get("message").and_then(Value::as_str).is_some_and(|said| said.contains("required scope"))
}

fn doubt(failure: &Failure) -> String {
    match failure {
        Failure::NotPermitted(why) | Failure::Refused(why) => why.clone(),
        Failure::TicketClosed
        | Failure::Unreachable(_)
        | Failure::TimedOut
        | Failure::TooLarge
        | Failure::Broken(_)
        | Failure::SignedOut => "it could not be made sure".to_owned(),
    }
}

fn deny(record: &Record, repository: &str, why: &Failure) {
    let cause = match why {
        Failure::NotPermitted(_) | Failure::Refused(_) => "no_right",
        Failure::SignedOut => "signed_out_in_gitea",
        Failure::TicketClosed
        | Failure::Unreachable(_)
        | Failure::TimedOut
        | Failure::TooLarge
        | Failure::Broken(_) => "not_made_sure",
    };
    record.deny("repository_permission_denied", &[("repository", repository), ("cause", cause)]);
}
